import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="1 A unit that remembers")

with app.setup(hide_code=True):
    import marimo as mo
    import numpy as np

    import lstm_engine as le
    from experiments.lessons import drawing, exercises

    T, LONG = 30, 2000  # steps of a signal, and steps after which a pulse has faded if it ever does


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    # 1 A unit that remembers

    Say "when birds flap their wings". The sound lasts two seconds, and no single moment of it is the sentence. Whoever
    listens must still hold the beginning when the end arrives. So must a network that is to tell a man's voice from a
    woman's: it hears one short piece after another and has to carry something along.

    A **recurrent unit** carries one number, $h$. At every step it reads the new input $x$ and its own last output,
    which we write $h'$, and makes the next one:

    $$h = \tanh(w\,x + u\,h' + b)$$

    Three numbers decide everything: $w$ says how much it listens to the input, $u$ how much to itself, and $b$ where it
    rests. The tanh keeps $h$ between −1 and 1. Before the first step $h' = 0$.

    Move the sliders at any time: every picture on this page follows.
    """)
    return


@app.cell(hide_code=True)
def _():
    w = mo.ui.slider(-2, 2, 0.1, value=1, label="$w$", show_value=True)
    u = mo.ui.slider(-1.5, 1.5, 0.05, value=0.9, label="$u$", show_value=True)
    b = mo.ui.slider(-1, 1, 0.1, value=0, label="$b$", show_value=True)
    signals = ["one pulse", "a pulse and its opposite", "three syllables"]
    signal = mo.ui.dropdown(signals, signals[0], label="input $x$")
    mo.hstack([w, u, b, signal], justify="start", wrap=True, gap=2)
    return b, signal, signals, u, w


@app.cell(hide_code=True)
def _(signal, signals):
    x = np.zeros(T)  # (T,)
    x[1] = 1.0
    if signal.value == signals[1]:
        x[15] = -1.0
    if signal.value == signals[2]:  # how loud each moment is
        x = np.maximum(0, np.sin(np.arange(T) * 3 * 2 * np.pi / T)) ** 2
    return (x,)


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Unrolling

    The equation feeds its own answer back to itself, which is hard to look at. So write it once for every step, side by
    side. That is all that *unrolling* means, and in code it is a loop:
    """)
    return


@app.function
def unroll(x, w, u, b):
    """h (T,) of a unit that reads x (T,)."""
    h, hs = 0.0, []
    for x_t in x:
        h = np.tanh(w * x_t + u * h + b)
        hs.append(h)
    return np.array(hs)


@app.cell(hide_code=True)
def _(b, signals, u, w, x):
    h, _deep = unroll(x, w.value, u.value, b.value), "0"
    for _t in range(3):
        _indent = (2 - _t) * r"\quad"
        _deep = rf"\\&{_indent} \tanh({w.value:g}\,x_{_t} {u.value:+g} \cdot {_deep} {b.value:+g})"
    mo.md(f"""
    {exercises.source(unroll)}

    Here are its first six steps. Each box holds its $h$, the number that it hands to the right. **Look at the arrows: every
    one that points up has the same number on it, and so has every one that points right.** It has no
    rule of its own for each moment, but one rule that it uses again and again.

    {mo.Html(drawing.unrolled(x, h, w.value, u.value))}

    Put into each other, the boxes are one deep function. {T} steps are a network of {T} layers, which all share
    $w$, $u$ and $b$; the first three give

    $$\\begin{{aligned}}h_2 = {h[2]:.2f} = {_deep}\\end{{aligned}}$$

    Now the whole signal. **Look at $h$ after a pulse is over: $x$ is 0 again, and $h$ is not.** What is left of it is the
    unit's memory. Then try $u = 0$ (no memory at all), $u = -0.9$ (it remembers and swings), and $u = 1.5$ with
    "{signals[1]}".

    {mo.as_html(drawing.lines({"input x": x, "output h": h}))}
    """)
    return (h,)


@app.cell(hide_code=True)
def _(b, u, w):
    def _runs(pulse):  # (LONG + 1,), from the step of the pulse on
        return unroll([pulse] + LONG * [0.0], w.value, u.value, b.value)

    left = np.abs(_runs(1.0) - _runs(0.0))
    share = left / (left[0] or 1.0)
    stays = bool(share[LONG] > max(0.99 * share[LONG // 2], 1e-6))  # it has stopped falling; 1e-16 would be rounding
    if left[0] == 0:
        what = "**It never heard it**: $w$ is 0."
    elif abs(u.value) < 1:
        what = """**It fades.** Each step multiplies it by $u$ and by the slope of the tanh, which is at most 1. So it falls
        at least as fast as the dashed line, which is straight because the axis counts in powers of ten."""
    elif stays:
        what = f"""**It stays:** {share[LONG]:.0%} is there after {LONG:,} steps, too. With $|u| > 1$ the unit listens to
        itself more than the tanh can damp, and sticks: a switch, which keeps one bit until something turns it over."""
    else:
        what = f"""**It fades all the same**, to {share[LONG]:.1g} of it after {LONG:,} steps. $|u|$ is not below 1, but the
        slope of the tanh is, and the two multiply."""
    _rule = left[0] * abs(u.value) ** np.arange(T)
    _curves = {"what the pulse left": left[:T], "its first value × |u|ᵏ": _rule}
    mo.md(f"""
    ## What remains of a pulse

    Let the unit run twice, with a single pulse and without, and see how far apart the two are $k$ steps later. For
    $u$ = {u.value:g}, after 10 steps **{share[10]:.1%}** of the difference is left, while $|u|^{{10}}$ is
    {abs(u.value) ** 10:.1%}. {what}

    {mo.as_html(drawing.lines(_curves, x_title="steps k since the pulse", log=True))}

    So a unit like this has a poor choice: to forget, at a rate that $u$ has fixed beforehand, or to lock itself up.
    Lesson 2 shows a cell that can choose, and lesson 4 what forgetting does to learning.

    ## The engine says the same

    `SimpleRNN` is this equation for any number of units and inputs. With one of each its weights are our three numbers:
    the `kernel` W is $w$, the `recurrent_kernel` U is $u$, and the `bias` is $b$.
    """)
    return left, share, stays, what


@app.cell
def _(b, u, w, x):
    unit = le.SimpleRNN(1, return_sequences=True)  # every step's h, not the last alone
    model = le.Sequential([le.Input((None, 1)), unit], dtype="float64", backend="numpy")
    model.set_weights([[[w.value]], [[u.value]], [b.value]])
    engine_h = model(x[None, :, None])[0, :, 0]  # one sequence (1, T, 1) goes in; its h (T,) comes out
    return engine_h, model


@app.cell(hide_code=True)
def _(engine_h, h, model):
    _voices = le.Sequential([le.Input((None, 23)), le.SimpleRNN(64)])
    mo.md(f"""
    The largest difference between its {len(h)} numbers and those of our loop is **{np.abs(engine_h - h).max():.1g}**.
    (Computers keep some 16 digits, so 1e-16 would be "the same", too.) The model has {model.count_params()} weights.

    A layer for voices is many such units side by side: 64 of them, say, which read 23 numbers about each moment of
    the sound. Then $x$ and $h$ are rows of numbers, $W$ and $U$ tables, and $h = \\tanh(xW + h'U + b)$. Every unit hears
    all the others' last outputs. This layer has {_voices.count_params():,} weights.
    """)
    return


@app.cell(hide_code=True)
def _():
    mo.md(rf"""
    {exercises.heading(1)}

    **1. Without the loop.** Take the tanh away: $h = w\,x + u\,h'$, a *linear* unit. Its last output is then a plain sum
    over all inputs. How much does each input count?
    """)
    return


@app.function
def answer_1(x, w, u):
    """The last h of a linear unit that read x (T,), as a sum over the inputs: no loop that carries an h."""
    return None


@app.cell(hide_code=True)
def _():
    def _last_h(x, w, u):
        linear = le.SimpleRNN(1, activation="linear")
        engine = le.Sequential([le.Input((None, 1)), linear], dtype="float64", backend="numpy")
        engine.set_weights([[[w]], [[u]], [0.0]])
        return engine(x[None, :, None])[0, 0]

    _asked = [(np.array([1.0, 0.0, 0.0]), 2.0, 0.5), (np.array([0.3, -1.0, 2.0, 0.7]), 1.5, -0.8)]
    check_1 = exercises.check(answer_1, *((_a, _last_h(*_a)) for _a in _asked))
    mo.md(f"""
    {mo.as_html(check_1)}

    **2. A switch.** Find $w$, $u$ and $b$ so that after one pulse of +1 the unit is still above 0.5 a hundred steps later,
    after one of −1 still below −0.5, and near 0 if there was none. (`held(pulse)` rounds what it then holds.)
    """)
    return (check_1,)


@app.function
def answer_2():
    """(w, u, b) of a unit that keeps the sign of a pulse."""
    return None


@app.cell(hide_code=True)
def _():
    def held(pulse):
        weights = answer_2()
        return None if weights is None else np.round(unroll([pulse] + 100 * [0.0], *weights)[-1])

    check_2 = exercises.check(held, ((1.0,), 1.0), ((-1.0,), -1.0), ((0.0,), 0.0))
    mo.md(f"""
    {mo.as_html(check_2)}

    **3. How many numbers?** A layer of $H$ units reads sequences of $T$ steps with $D$ numbers each. How many weights
    does it have?
    """)
    return (check_2,)


@app.function
def answer_3(T, D, H):
    """The number of weights of SimpleRNN(H) for inputs (T, D)."""
    return None


@app.cell(hide_code=True)
def _():
    _asked = [(5, 1, 1), (112, 1, 64), (266, 23, 10)]
    _counts = [le.Sequential([le.Input(_a[:2]), le.SimpleRNN(_a[2])]).count_params() for _a in _asked]
    check_3 = exercises.check(answer_3, *zip(_asked, _counts, strict=True))
    check_3
    return (check_3,)


if __name__ == "__main__":
    app.run()
