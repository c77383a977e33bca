import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="7 Words that reach back")

with app.setup(hide_code=True):
    import marimo as mo
    import numpy as np

    import lstm_engine as le
    from experiments.lessons import drawing, exercises
    from experiments.lessons.threads import one_thread
    from experiments.microscope.analyses import half_life
    from experiments.microscope.interventions import silence

    HEADS = (("bird", "birds"), ("owl", "owls"), ("crow", "crows"))
    OTHERS = (("tree", "trees"), ("house", "houses"), ("cloud", "clouds"))
    ENDS = (["flaps", "its", "wings", "it", "flies", "."], ["flap", "their", "wings", "they", "fly", "."])
    LINKS = ("near", "above", "by")
    WORDS = sorted({*(word for pair in HEADS + OTHERS for word in pair), *LINKS, *ENDS[0], *ENDS[1], "when", "the"})
    PHRASES = (0, 2, 4, 6)  # of three words each, between the noun and its verb


@app.cell(hide_code=True)
def _():
    mo.md(f"""
    # 7 Words that reach back

    *"When birds flap their wings they ..."* The voice tutorial uses this sentence to say why a network needs a memory: what
    comes next depends on what came long before. Here you can measure it. Two small networks learn to guess the next word
    of such sentences. Between the noun and its verb stand other nouns, of either number, to lead them astray:

    > when the **birds** near the house by the tree above the cloud **flap their** wings **they fly** .

    > when the **bird** near the house by the tree above the cloud **flaps its** wings **it flies** .

    The verb follows the first noun, however far back it is. There are {len(WORDS)} words. The network gets one at a step, as
    {len(WORDS)} numbers that are 0 but for one (one-hot), and after every word gives each word a probability of being next.
    """)
    return


@app.function
def sentence(rng, phrases, plural):
    """The words of a sentence about one (0) or many (1), with `phrases` phrases between the noun and its verb."""
    between = [(rng.choice(LINKS), "the", OTHERS[rng.integers(3)][rng.integers(2)]) for _ in range(phrases)]
    return [
        "when",
        "the",
        HEADS[rng.integers(3)][plural],
        *(word for phrase in between for word in phrase),
        *ENDS[plural],
    ]


@app.function
def numbers(words):
    """(T,): each word's place in WORDS."""
    return [WORDS.index(word) for word in words]


@app.function
def one_hot(n):
    """(..., T) -> (..., T, words)"""
    return np.eye(len(WORDS), dtype=np.float32)[np.asarray(n)]


@app.function
def drawn(seed, phrases, count):
    """(2, count, T): sentences about one, and the same about many."""
    rngs = [np.random.default_rng(seed) for _ in ENDS]
    return np.array([[numbers(sentence(rng, phrases, k)) for _ in range(count)] for k, rng in enumerate(rngs)])


@app.cell
def _():
    @one_thread()
    def learned(layer, phrases, steps=400, rate=0.02):
        """A network after so many batches of 32 sentences, each batch of one of the given numbers of phrases."""
        rng, pool = np.random.default_rng(0), {k: np.concatenate(drawn(0, k, 300)) for k in phrases}
        model = le.Sequential([layer(16, return_sequences=True), le.Dense(len(WORDS), activation="softmax")], seed=0)
        model.compile(le.Adam(rate), "sparse_categorical_crossentropy")
        for _ in range(steps):
            n = rng.choice(pool[rng.choice(phrases)], 32)  # (32, T)
            model.train_on_batch(one_hot(n[:, :-1]), n[:, 1:])  # at every word, the next one is the target
        return model

    tests = {k: drawn(1, k, 60) for k in range(9)}  # other sentences than those in training

    @one_thread()
    def log_odds(model, phrases):
        """(2, 60), for one and for many: log p(flap) - log p(flaps) where the verb is due."""
        heard = tests[phrases][:, :, : 3 + 3 * phrases]
        p = np.array([model(one_hot(n))[:, -1] for n in heard])  # (2, 60, words)
        return np.log(p[..., WORDS.index("flap")] / p[..., WORDS.index("flaps")])

    def right(model, phrases):
        """The share of sentences in which the right form of the verb is the likelier."""
        return (log_odds(model, phrases) * [[-1], [1]] > 0).mean()

    layers = {"LSTM": le.LSTM, "SimpleRNN": le.SimpleRNN}
    far = {name: [right(learned(layer, [k]), k) for k in PHRASES] for name, layer in layers.items()}
    mixed = {name: learned(layer, PHRASES) for name, layer in layers.items()}
    return far, learned, log_odds, mixed, right


@app.cell(hide_code=True)
def _(far, mixed, right):
    _gaps = 3 * np.array(PHRASES)
    _drawn = drawing.lines(far, x=_gaps, x_title="words between noun and verb", y_title="right verbs (share)")
    _drawn.update_yaxes(range=[0.4, 1.02]).update_xaxes(tickvals=_gaps).update_traces(mode="lines+markers")
    _mixed = {name: right(model, PHRASES[-1]) for name, model in mixed.items()}
    _said = mo.md(f"""
    ## How far back?

    Each point is a network of its own: 16 units, 400 batches, sentences of this one length. *Look for* where a line falls to
    one half, which is guessing. At {_gaps[-1]} words the LSTM gets {far["LSTM"][-1]:.0%} of the verbs right and the SimpleRNN
    {far["SimpleRNN"][-1]:.0%}. The SimpleRNN's gradient fades on the way back (lesson 4), and the noun's share in the verb
    stays unnoticed. With sentences of all these lengths in turn it is {_mixed["LSTM"]:.0%} and {_mixed["SimpleRNN"]:.0%} at
    {_gaps[-1]} words; we go on with these two networks.

    Keeping one bit is not beyond a SimpleRNN; learning to keep it is the hard part. *Try* what a smaller learning rate and
    more short sentences do: `right(learned(le.SimpleRNN, range(5), 600, 0.01), 6)`.
    """)
    mo.vstack([_said, _drawn])
    return


@app.cell(hide_code=True)
def _():
    typed = mo.ui.text("when the birds near the house by the tree", label="a beginning", full_width=True)
    mo.vstack([mo.md(f"## Your turn\n\nType the beginning of a sentence. The words are: {', '.join(WORDS)}"), typed])
    return (typed,)


@app.cell(hide_code=True)
def _(mixed, typed):
    _words = typed.value.lower().split()
    if _strange := [word for word in _words if word not in WORDS]:
        _shown = mo.callout(mo.md(f"These networks have never met **{', '.join(_strange)}**."), kind="warn")
    elif not _words:
        _shown = mo.callout(mo.md("One word at least, please: **when**, for instance."), kind="warn")
    else:
        _p = {name: model(one_hot([numbers(_words)]))[0, -1] for name, model in mixed.items()}  # (words,) each
        _top = np.argsort(-_p["LSTM"])[:6]
        _shown = drawing.lines({}, x_title="next word", y_title="probability", height=280).update_yaxes(range=[0, 1])
        for _n, (_name, _own) in enumerate(_p.items()):
            _shown.add_bar(x=[WORDS[k] for k in _top], y=_own[_top], name=_name, marker_color=drawing.COLOURS[_n])
    _said = mo.md("""
    *Look for* the verb: here it may come, or another phrase. The LSTM knows which form it would have, the SimpleRNN gives
    both nearly the same chance. *Then* take away the s of "birds"; end with "near"; end with "flap their wings they".
    """)
    mo.vstack([_shown, _said])
    return


@app.cell
def _(log_odds, mixed, right):
    lstm = mixed["LSTM"]

    def apart(model):
        """By how much the verb's log-odds part between one and many."""
        one, many = log_odds(model, 4)
        return np.mean(many - one)

    lost = np.array([apart(lstm) - apart(silence(lstm, "lstm", unit)) for unit in range(16)])  # what each unit is worth
    ranked = np.argsort(-lost)
    keeper = int(ranked[0])
    without = right(silence(lstm, "lstm", keeper), 4)
    return keeper, lost, lstm, ranked, without


@app.cell(hide_code=True)
def _(keeper, ranked):
    _names = {f"unit {k}" + (" (keeps most)" if k == keeper else ""): int(k) for k in ranked}
    unit = mo.ui.dropdown(_names, value=next(iter(_names)), label="unit")
    phrases = mo.ui.slider(0, 8, value=4, label="phrases between", show_value=True)
    mo.vstack([mo.md("## Who kept the number?"), mo.hstack([unit, phrases], wrap=True, justify="start")])
    return phrases, unit


@app.cell(hide_code=True)
def _(keeper, lstm, phrases, right, unit, without):
    _both = [sentence(np.random.default_rng(3), phrases.value, k) for k in (0, 1)]
    _trace = lstm.trace(one_hot([numbers(words) for words in _both]))["lstm"]
    _c, _f, _words = _trace.c[..., unit.value], _trace.f[..., unit.value], np.arange(len(_both[0]))
    _between = _trace.f[:, 3 : 3 + 3 * max(phrases.value, 1)]
    life = half_life(_between)
    _pictures = (
        drawing.lines({"one": _c[0], "many": _c[1]}, title=f"c of unit {unit.value}: what it holds", height=300),
        drawing.lines({"one": _f[0], "many": _f[1]}, title="f: how much of it stays", height=300),
    )
    for _figure in _pictures:
        _figure.update_xaxes(title="", tickvals=_words, ticktext=_both[1], tickangle=-60)
    _said = mo.md(f"""
    Silence each unit in turn, and see how far "flap" and "flaps" still part. Unit {keeper} is worth most: without it
    {without:.0%} of the verbs are right at 4 phrases, with it {right(lstm, 4):.0%}. *Look for* the two lines that part at the
    noun and stay apart until the verb: that distance is the number, and f near 1 keeps it. Over the words between, this
    unit keeps half of what its cell holds for {life[unit.value]:.0f} words, the median unit for {np.median(life):.1f}. *Then*
    choose other units. Which words do they answer to?
    """)
    mo.vstack([_said, *_pictures])
    return (life,)


@app.function
def answer_1(f, words):
    """What share of a cell is left after so many words, when its forget gate stays at f and nothing is written (i = 0)."""
    return None


@app.cell(hide_code=True)
def _():
    def left(f, words):
        layer = le.LSTM(1, return_state=True)
        layer(np.zeros((1, words, 1)))
        layer.set_weights([np.zeros((1, 4)), np.zeros((1, 4)), [-800.0, np.log(f / (1 - f)), 0.0, 0.0]])
        return layer(np.zeros((1, words, 1)), initial_state=[np.zeros((1, 1)), np.ones((1, 1))])[2].item()

    check_1 = exercises.check(answer_1, *((case, left(*case)) for case in ((0.5, 1), (0.9, 10), (0.99, 18), (0.7, 3))))
    mo.vstack([mo.md("## Exercises\n\nWrite each function; below it the engine answers."), check_1])
    return (check_1,)


@app.function
def answer_2(p):
    """How probable a whole sentence is, where p (T,) has the probability that each of its words was given beforehand."""
    return None


@app.cell(hide_code=True)
def _(lstm):
    _cases = []
    for _phrases in (0, 1, 4):
        _n = drawn(2, _phrases, 1)[1]  # (1, T)
        _x, _next = one_hot(_n[:, :-1]), _n[:, 1:]
        _loss = lstm.evaluate(_x, _next, verbose=0)  # the mean over the words of -log p
        _cases.append(((lstm(_x)[0, np.arange(_next.size), _next[0]],), np.exp(-_loss * _next.size)))
    check_2 = exercises.check(answer_2, *_cases, rtol=1e-4)  # the network is float32
    check_2
    return (check_2,)


if __name__ == "__main__":
    app.run()
