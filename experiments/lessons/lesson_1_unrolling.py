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

    Say "when birds flap their wings". The sound lasts two seconds, and no single moment contains the sentence. A listener
    must remember the beginning until the end arrives. A network that tells men's voices from women's has the same task: it
    hears one short piece after another and must remember something of the earlier pieces.

    A **recurrent unit** keeps one number, $h$. At every step it reads the new input $x$ and its previous output, written
    $h'$, and computes the next output:

    $$h = \tanh(w\,x + u\,h' + b)$$

    Three numbers decide everything. $w$ is the weight of the input, $u$ the weight of the unit's previous output, and $b$
    the bias. The tanh keeps $h$ between −1 and 1. Before the first step, $h' = 0$.

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

    The equation uses its own output as an input, which is hard to picture. So write the equation once for every step, side
    by side. This is called *unrolling*, and in code it is a loop:
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

    Here are the first six steps. Each box shows $h$, the number that is passed to the right. **Look at the arrows: all
    arrows that point up carry the same number, and so do all that point right.** The unit does not have a rule for each
    step; it uses one rule at every step.

    {mo.Html(drawing.unrolled(x, h, w.value, u.value))}

    Together the boxes are one deep function: {T} steps are a network of {T} layers that all share $w$, $u$ and $b$. The
    first three steps give

    $$\\begin{{aligned}}h_2 = {h[2]:.2f} = {_deep}\\end{{aligned}}$$

    Now the whole signal. **Look at $h$ after a pulse: $x$ is 0 again, but $h$ is not.** What remains in $h$ is the unit's
    memory. Then try $u = 0$ (no memory), $u = -0.9$ (the memory changes its sign at every step), and $u = 1.5$ with
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
        what = """**It fades.** Each step multiplies the difference by $u$ and by the slope of the tanh, which is at most 1.
        So it falls at least as fast as the dashed line, which is straight because the axis is logarithmic."""
    elif stays:
        what = f"""**It stays:** {share[LONG]:.0%} is there even after {LONG:,} steps. With $|u| > 1$ the unit amplifies its
        own output more than the tanh damps it. It works like a switch: it keeps one bit until an input changes it."""
    else:
        what = f"""**It fades all the same**: after {LONG:,} steps a share of {share[LONG]:.1g} is left. $|u|$ is not below 1,
        but the slope of the tanh is, and the two are multiplied."""
    _rule = left[0] * abs(u.value) ** np.arange(T)
    _curves = {"what the pulse left": left[:T], "its first value × |u|ᵏ": _rule}
    mo.md(f"""
    ## What remains of a pulse

    Run the unit twice, with one pulse and without, and compare the two outputs $k$ steps later. For $u$ = {u.value:g},
    after 10 steps **{share[10]:.1%}** of the difference is left; $|u|^{{10}}$ is {abs(u.value) ** 10:.1%}. {what}

    {mo.as_html(drawing.lines(_curves, x_title="steps k since the pulse", log=True))}

    So such a unit has two bad choices: it forgets at a rate fixed by $u$, or it keeps its value and ignores the input.
    Lesson 2 shows a cell that can choose, and lesson 4 what forgetting does to learning.

    ## The engine says the same

    `SimpleRNN` computes this equation for any number of units and inputs. With one unit and one input its weights are our
    three numbers: the `kernel` W is $w$, the `recurrent_kernel` U is $u$, and the `bias` is $b$.
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
    The largest difference between the engine's {len(h)} numbers and our loop's is **{np.abs(engine_h - h).max():.1g}**.
    (Computers keep about 16 digits, so 1e-16 also means "the same".) The model has {model.count_params()} weights.

    A layer for voices has many such units: for example 64 units, which read 23 numbers about each moment of the sound. Then
    $x$ and $h$ are vectors, $W$ and $U$ matrices, and $h = \\tanh(xW + h'U + b)$. Every unit reads the previous outputs of
    all units. This layer has {_voices.count_params():,} weights.
    """)
    return


@app.cell(hide_code=True)
def _():
    mo.md(rf"""
    {exercises.heading(1)}

    **1. Without the loop.** Remove the tanh: $h = w\,x + u\,h'$, a *linear* unit. Its last output is then a weighted sum of
    all inputs. What is the weight of each input?
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

    _cases = [(np.array([1.0, 0.0, 0.0]), 2.0, 0.5), (np.array([0.3, -1.0, 2.0, 0.7]), 1.5, -0.8)]
    check_1 = exercises.check(answer_1, *((_a, _last_h(*_a)) for _a in _cases), exercise=(1, 1))
    mo.md(f"""
    {mo.as_html(check_1)}

    **2. A switch.** Find $w$, $u$ and $b$ so that 100 steps after a pulse of +1 the unit is still above 0.5, 100 steps after
    a pulse of −1 still below −0.5, and near 0 if there was no pulse. (`held(pulse)` rounds $h$ after 100 steps.)
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

    check_2 = exercises.check(held, ((1.0,), 1.0), ((-1.0,), -1.0), ((0.0,), 0.0), exercise=(1, 2))
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
    _cases = [(5, 1, 1), (112, 1, 64), (266, 23, 10)]
    _counts = [le.Sequential([le.Input(_a[:2]), le.SimpleRNN(_a[2])]).count_params() for _a in _cases]
    check_3 = exercises.check(answer_3, *zip(_cases, _counts, strict=True), exercise=(1, 3))
    check_3
    return (check_3,)


if __name__ == "__main__":
    app.run()
