import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="9 Text that writes itself")

with app.setup(hide_code=True):
    import marimo as mo
    import numpy as np

    from experiments.lessons import drawing, exercises, letters
    from experiments.lessons.pace import cut
    from experiments.microscope.analyses import pulled_back

    WINDOWS, PIECE = (10, 25, 50), 60


@app.cell(hide_code=True)
def _():
    mo.md(rf"""
    # 9 Text that writes itself

    An LSTM reads a text letter by letter, and after each it gives the probability of each letter to be the next. Let it draw
    one, make that its next input, and so on: it writes. The text is {len(letters.TOLD)} short tales that were written for
    this project, for example:

    > {letters.TRAINING.splitlines()[1]}

    It has {len(letters.LETTERS)} different characters. Here *letter* means any of them, also the space, the full stop and the
    end of a paragraph. The last three tales ({len(letters.HELD_OUT):,} letters) are held out: the network learns from the
    other {len(letters.TRAINING):,} letters only. It has {letters.LAYERS} layers of {letters.UNITS} units, and training goes
    through the text {letters.EPOCHS} times. This takes about half a minute.
    """)
    return


@app.cell
def _():
    learner, curves, written = letters.Learner(seed=0), {"training": [], "held out": []}, {}
    with mo.status.progress_bar(total=letters.EPOCHS, title="The network reads the tales", remove_on_exit=True) as _bar:
        for _n, _loss in enumerate(learner.train(), 1):
            model = learner.reader()
            curves["training"].append(_loss)
            curves["held out"].append(letters.bits(model).mean())
            if _n in (1, 3, 10, letters.EPOCHS):
                written[_n] = letters.write(model, "\n", 120, temperature=0.5)
            _bar.update(subtitle=f"It writes: {letters.write(model, ' ', 50, temperature=0.5)}")
    return curves, model, written


@app.cell(hide_code=True)
def _(curves, model, written):
    held_out = float(letters.bits(model).mean())
    tables = [letters.table_bits(order) for order in range(1, 7)]
    best = int(np.argmin(tables)) + 1
    _rows = [
        ("1 letter (how often each occurs)", tables[0]),
        ("2 letters (bigrams)", tables[1]),
        ("3 letters", tables[2]),
    ]
    _rows += [(f"{best} letters, the best table", tables[best - 1]), ("the network", held_out)]
    _texts = [f"**{n}:** {drawing.marked(text, [])}" for n, text in written.items()]
    mo.vstack([
        mo.md("What it writes after so many times through the text:"), *(mo.md(text) for text in _texts),
        drawing.lines(curves, np.arange(1, letters.EPOCHS + 1), x_title="times through the text", y_title="bits per letter"),
        mo.md(f"""
    ## How well does it predict?

    If the letter that comes had the probability p, its surprise is $-\\log_2 p$ **bits**: 1 bit for p = 1/2, 3 bits for p =
    1/8. The mean over the held-out tales measures a network, or a table that counts what follows the last letters:

    {drawing.table(("table of", "bits per letter, held out"), _rows)}

    A table of 2 letters looks up the last letter; a table of {best} looks up the last {best - 1}, and a longer one does no
    better: most sequences of {best} letters occur too rarely to be counted. The network has no table. Its state holds what it
    needs of everything before. (In training half of the units are silenced at random, so its training loss is too high.)
    """),
    ])  # fmt: skip
    return best, held_out, tables


@app.cell(hide_code=True)
def _():
    temperature = mo.ui.slider(0.1, 1.5, 0.1, value=0.5, label="temperature", show_value=True)
    beginning = mo.ui.text("The old heron", label="beginning")
    again = mo.ui.button(value=0, on_click=lambda n: n + 1, label="Write another")
    _text = mo.md(r"""
    ## Let it write

    `model.stream()` takes one letter at a time and keeps the states of the layers, so writing costs the same at every letter.
    The **temperature** $\tau$ changes the probabilities before a letter is drawn: $p^{1/\tau}$, divided by their sum. Near 0
    the likeliest letter always wins, at 1 nothing changes, above 1 unlikely letters get their chance. Words that do not
    occur in the training text are underlined. *Look for* the temperature at which they begin, and for what goes wrong at 0.1.
    """)
    mo.vstack([_text, mo.hstack([temperature, beginning, again], wrap=True, justify="start")])
    return again, beginning, temperature


@app.cell(hide_code=True)
def _(again, beginning, model, temperature):
    _strange = sorted(set(beginning.value) - set(letters.LETTERS))
    mo.stop(bool(_strange), mo.callout(mo.md(f"The tales have no {' and no '.join(_strange)}."), kind="warn"))
    _new = letters.write(model, "\n" + beginning.value, 600, temperature.value, seed=again.value)
    _text = beginning.value + _new
    _share = letters.known(letters.write(model, "\n", 3000, temperature.value))
    mo.vstack([
        mo.Html(drawing.marked(_text, letters.strange_words(_text))),
        mo.md(f"Of the words in 3,000 letters at this temperature, **{_share:.0%}** occur in the training text."),
    ])  # fmt: skip
    return


@app.cell(hide_code=True)
def _(model):
    passage = letters.HELD_OUT
    inside = model.trace(letters.one_hot(letters.numbers(passage))[None])
    cells = np.concatenate(
        [inside[f"layer_{k + 1}"].c[0] for k in range(letters.LAYERS)], axis=1
    )  # (T, layers * units)
    followers = letters.followers(cells, passage)

    def _name(n):
        return f"unit {n % letters.UNITS} of layer {n // letters.UNITS + 1}"

    _found = {f"{what}: {_name(n)}, r = {r:.2f}": n for what, (n, r) in followers.items()}
    _largest = {f"{_name(n)}, which changes much": int(n) for n in np.argsort(-cells.std(axis=0))[:6]}
    unit = mo.ui.dropdown(_found | _largest, value=next(iter(_found)), label="unit")
    _text = mo.md("""
    ## What does a unit follow?

    Nobody tells the network what a word, a sentence or a speech is. For each of these, the list has the unit whose cell
    follows it best in the held-out tales, with the correlation r. Each letter has the colour of the unit's c after it was
    read: blue above 0, orange below. *Look for* the letters at which the colour changes. A correlation near 1 would be a
    unit with one purpose; most things are spread over many units.
    """)
    mo.vstack([_text, unit])
    return cells, followers, passage, unit


@app.cell(hide_code=True)
def _(cells, passage, unit):
    mo.Html(drawing.coloured(passage[:700], cells[:700, unit.value]))
    return


@app.cell(hide_code=True)
def _():
    typed = mo.ui.text("When birds flap their wings the", label="a beginning", full_width=True, debounce=False)
    _text = mo.md(r"""
    ## Which letters does the next one rest on?

    Type, and watch. The colour of each letter $x_t$ is $\lVert \partial \log p / \partial x_t \rVert$: how much the
    probability p of the next letter would change with it, from one walk back through the network.
    """)
    mo.vstack([_text, typed])
    return (typed,)


@app.cell(hide_code=True)
def _(model, typed):
    _strange = sorted(set(typed.value) - set(letters.LETTERS))
    mo.stop(bool(_strange), mo.callout(mo.md(f"The tales have no {' and no '.join(_strange)}."), kind="warn"))
    mo.stop(not typed.value, mo.callout(mo.md("Type at least one letter."), kind="warn"))
    text = typed.value[-200:]
    _p = model(letters.one_hot(letters.numbers(text))[None])[0, -1]  # (letters,)
    _names = {" ": "space", "\n": "new line"}
    _top = [letters.LETTERS[n] for n in np.argsort(-_p)[:6]]
    _shown = {f"{_names.get(a, a)} ({_p[letters.LETTERS.index(a)]:.0%})": a for a in _top}
    next_letter = mo.ui.dropdown(_shown, value=next(iter(_shown)), label="next letter")
    next_letter
    return next_letter, text


@app.cell(hide_code=True)
def _(model, next_letter, text):
    rests = letters.rests_on(model, text, next_letter.value)
    _half = len(text) - int(np.flatnonzero(np.cumsum(rests[::-1]) >= rests.sum() / 2)[0]) - 1
    mo.vstack([
        mo.Html(drawing.coloured(text, rests)),
        mo.md(f"""Half of the sum of these lengths lies in the last {len(text) - _half} of {len(text)} letters. *Type* a
        speech mark, some words and a full stop: does the next letter rest on the mark? *Type* `the fo`, then `x` or `r`."""),
    ])  # fmt: skip
    return (rests,)


@app.cell(hide_code=True)
def _():
    compared = {}
    with mo.status.progress_bar(total=2 * len(WINDOWS), title="Six small networks", remove_on_exit=True) as _bar:
        for _window in WINDOWS:
            for _carried in (True, False):
                compared[_window, _carried] = letters.small(_window, _carried, epochs=cut(10, 1))
                _bar.update()
    return (compared,)


@app.cell(hide_code=True)
def _(compared, model, tables):
    restarted = letters.bits(model, restart=PIECE).mean(axis=0)  # (PIECE,)
    _rows = []
    for _window in WINDOWS:
        _zeros = compared[_window, False]
        _rows.append((
            _window, float(letters.bits(compared[_window, True]).mean()), float(letters.bits(_zeros).mean()),
            float(letters.bits(_zeros, restart=_window).mean()),
        ))  # fmt: skip
    _heads = ("window", "state carried", "from zeros", "from zeros, and read in windows")
    _curves = {"the network": restarted, "a table of bigrams": np.full(PIECE, tables[1])}
    mo.vstack([
        mo.md(f"""
    ## Truncated backpropagation and carried state

    The training text has {len(letters.TRAINING):,} steps. A walk back through all of them would need the tape of all of them
    for one step of Adam. **Truncated backpropagation** cuts the text into windows: forward through one window, back through
    the same window, one step of Adam. No gradient crosses the cut. But the *state* may: with `stateful=True` the next window
    starts from the h and c with which the last one ended. So the network can use what happened before the window, although
    no gradient taught it there. The text is also cut into streams side by side, a row of the batch for each.

    Six networks of one layer with 64 units, each {cut(10, 1)} times through the text. Bits per letter, held out:

    {drawing.table(_heads, _rows)}

    *Look at* the last column: a network that never carried its state, used as it was trained, pays for every cut. Carry the
    state while it reads, and most of the loss is gone. So the state is useful far beyond the steps that a gradient reached.

    What does a state know after a cut? Cut the held-out tales into pieces of {PIECE} letters and start each from zeros:
    """),
        drawing.lines(_curves, np.arange(1, PIECE + 1), x_title="letters since the cut", y_title="bits of the next letter"),
    ])  # fmt: skip
    return (restarted,)


@app.cell(hide_code=True)
def _():
    mo.md(f"""
    {exercises.heading(9)}

    **1. Temperature.** Change probabilities as the slider does.
    """)
    return


@app.function
def answer_1(p, temperature):
    """The probabilities (letters,) at this temperature, from p (letters,)."""
    return None


@app.cell(hide_code=True)
def _(model):
    _p = model(letters.one_hot(letters.numbers("The "))[None])[0, -1].astype(float)
    _cases = [(np.array([0.5, 0.25, 0.25]), 0.5), (_p, 1.0), (_p, 1.4)]
    check_1 = exercises.check(answer_1, *((_a, letters.warmed(*_a)) for _a in _cases), exercise=(9, 1))
    mo.md(f"""
    {mo.as_html(check_1)}

    **2. Two reaches.** A text is read in windows of `window` letters with carried state. When the network predicts the letter
    after step t (from 0), how many of the letters up to step t can its *answer* depend on, and to how many of them does the
    *gradient* of this answer's loss go? (The check asks the engine.)
    """)
    return (check_1,)


@app.function
def answer_2(t, window):
    """(letters that the answer can depend on, letters that the gradient reaches), the letter of step t included."""
    return None


@app.cell(hide_code=True)
def _(model):
    def _reaches(t, window):
        x = letters.one_hot(letters.numbers(letters.HELD_OUT[: t + 1]))[None]
        dp = np.zeros((1, t + 1, len(letters.LETTERS)))
        dp[0, t, 0] = 1.0  # of one letter: the sum over all is always 1
        whole = pulled_back(model, x, dp).grad.x
        first = t // window * window  # the walk back ends where the window begins
        return np.count_nonzero(np.abs(whole).sum(-1)), np.count_nonzero(np.abs(whole[:, first:]).sum(-1))

    _cases = [(7, 25), (24, 25), (25, 25), (63, 10)]
    check_2 = exercises.check(answer_2, *((_a, _reaches(*_a)) for _a in _cases), exercise=(9, 2))
    mo.md(f"""
    {mo.as_html(check_2)}

    **3. Streams.** Cut a text into batches for training with carried state.
    """)
    return (check_2,)


@app.function
def answer_3(n, streams, window):
    """(batches, streams, window): row s of each batch goes on where row s of the batch before ended. n (T,) has no rest."""
    return None


@app.cell(hide_code=True)
def _():
    _cases = [(np.arange(24), 2, 3), (np.arange(60), 5, 4), (letters.numbers(letters.TRAINING[:240]), 3, 10)]
    check_3 = exercises.check(answer_3, *((_a, letters.streams(*_a)) for _a in _cases), exercise=(9, 3))
    check_3
    return (check_3,)


if __name__ == "__main__":
    app.run()
