import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="11 The GRU, and reading both ways")

with app.setup(hide_code=True):
    import marimo as mo
    import numpy as np

    import lstm_engine as le
    from experiments.lessons import drawing, exercises
    from experiments.microscope import cell

    T = 8
    VARIANTS = {"after the product (Keras, PyTorch)": True, "before the product (Cho et al. 2014)": False}
    LISTEN = {"to nothing: they stay where they rest": (0, 0), "to the input: z closes and r opens when x > 0": (-5, 5)}


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    # 11 The GRU, and reading both ways

    The LSTM of lesson 2 keeps two numbers, the memory $c$ and the output $h$, and has three gates. The **GRU** (*gated
    recurrent unit*, Cho et al. 2014) keeps one number, $h$, which is memory and output at once, and has two gates:

    | | | |
    |---|---|---|
    | $z$, the update gate | $z = \sigma(W_z\,x + U_z\,h' + b_z)$ | how much of the old to **keep**: 1 keeps, 0 replaces |
    | $r$, the reset gate | $r = \sigma(W_r\,x + U_r\,h' + b_r)$ | how much of the old the new value may read |
    | $\hat h$, the candidate | $\hat h = \tanh(W_h\,x + b_h + r\,(U_h\,h' + b'_h))$ | the new value, between −1 and 1 |
    | $h$, the state | $h = z\,h' + (1 - z)\,\hat h$ | a mean of the old and the new |

    What the LSTM decides with two gates, keep ($f$) and write ($i$), the GRU decides with one: what it does not keep, it
    writes. So $h$ is always between −1 and 1, where the LSTM's $c$ can grow; a GRU cannot count. In return it has three
    quarters of the weights.
    """)
    return


@app.function
def σ(a):
    return 1 / (1 + np.exp(-a))


@app.function
def step(x, h, W, U, b, after):
    """One step of one unit, from h' to h. W and U have a number each for z r ĥ; b (2, 3) is b, and b' after the product."""
    z = σ(W[0] * x + U[0] * h + b[0][0])
    r = σ(W[1] * x + U[1] * h + b[0][1])
    read = r * (U[2] * h + b[1][2]) if after else U[2] * (r * h)
    candidate = np.tanh(W[2] * x + b[0][2] + read)
    return {"z": z, "r": r, "candidate": candidate, "h": z * h + (1 - z) * candidate}


@app.cell(hide_code=True)
def _():
    rest = mo.ui.dictionary({
        "z": mo.ui.slider(0.02, 0.98, 0.02, value=0.8, label="$z$", show_value=True),
        "r": mo.ui.slider(0.02, 0.98, 0.02, value=0.5, label="$r$", show_value=True),
        "u": mo.ui.slider(-2, 2, 0.1, value=1, label="$U_h$, of the old in the candidate", show_value=True),
        "b": mo.ui.slider(-2, 2, 0.1, value=0, label="$b'_h$", show_value=True),
    })  # fmt: skip
    listen = mo.ui.dropdown(list(LISTEN), next(iter(LISTEN)), label="The gates listen")
    variant = mo.ui.dropdown(list(VARIANTS), next(iter(VARIANTS)), label="The reset gate acts")
    inputs = mo.ui.array(
        [mo.ui.slider(-1, 1, 0.1, value=float(t == 1), orientation="vertical", show_value=True) for t in range(T)]
    )
    at = mo.ui.slider(0, T - 1, 1, value=2, label="**The step** to show in numbers:", show_value=True)
    mo.vstack([
        mo.md("""## A GRU to play with

        **The gates at rest**, that is for $x = 0$ and $h' = 0$, and two weights:"""),
        mo.hstack(rest.values(), justify="start", wrap=True, gap=2),
        listen,
        variant,
        mo.md("**The input**, one slider for each step:"),
        mo.hstack(list(inputs), justify="start", gap=0),
        at,
    ])  # fmt: skip
    return at, inputs, listen, rest, variant


@app.cell
def _(inputs, listen, rest, variant):
    after = VARIANTS[variant.value]
    W, U = (*LISTEN[listen.value], 1.0), (0.0, 0.0, rest.value["u"])
    b = [
        [np.log(rest.value[k] / (1 - rest.value[k])) for k in "zr"] + [0.0],
        [0.0, 0.0, rest.value["b"]],
    ]  # σ's inverse
    h, steps = 0.0, []
    for x_t in inputs.value:
        steps.append(step(x_t, h, W, U, b, after))
        h = steps[-1]["h"]
    traces = {name: np.array([s[name] for s in steps]) for name in steps[0]}  # (T,) each
    return U, W, after, b, traces


@app.cell
def _(U, W, after, b, inputs):
    model = le.Sequential([le.Input((None, 1)), le.GRU(1, reset_after=after)], dtype="float64", backend="numpy")
    model.set_weights([[W], [U], b if after else b[0]])
    inside = model.trace(np.reshape(inputs.value, (1, T, 1)))["gru"]  # inside.z is (1, T, 1): sequences, steps, units
    return inside, model


@app.cell(hide_code=True)
def _(after, at, inside, model, traces):
    values = cell.values_at(inside, at.value, unit=0) | {"unit": None}
    apart = max(np.abs(inside[k][0, :, 0] - v).max() for k, v in traces.items())
    _figure = drawing.lines({"ĥ" if k == "candidate" else k: v for k, v in traces.items()}, height=270)
    _figure.add_vline(at.value, line_dash="dot", line_color="grey")
    mo.vstack([
        mo.Html(cell.cell_figure("gru" if after else "gru_reset_before", values)),
        mo.md("**Over time.** The dotted line marks your step."),
        _figure,
        mo.md(f"""
    The engine's `GRU` computes these four lines; the largest difference from ours is **{apart:.1g}**. This unit has
    {model.count_params()} weights; an LSTM's with one input has 12.

    **Try this. Each time, first guess what will happen:**

    - One pulse, gates that listen to nothing, $U_h = 0$. How much of the pulse is left after five steps with $z = 0.8$?
    - Set $r$ to 0.02. The candidate forgets the old at once, and $h$ still keeps it: $z$ holds the memory, not $r$.
    - Set $b'_h$ to 2 and change where the reset gate acts. After the product $r$ turns $b'_h$ down too; before it there is
      no $b'_h$. Without it one unit computes the same in both variants, because $r(U h') = U(r h')$ for single numbers. With
      several units it does not: $U$ mixes the units, and each has a gate of its own.
    """),
    ])  # fmt: skip
    return apart, values


@app.cell(hide_code=True)
def _():
    where = mo.ui.slider(0, T - 1, 1, value=3, label="**The pulse** comes at step", show_value=True)
    mo.vstack([
        mo.md("""## Reading both ways

        A recurrent layer knows at step $t$ what came before, never what follows. Where the whole sequence is there from the
        start (a recording, a sentence), a second layer can read it from its end. **Bidirectional** (Schuster & Paliwal 1997)
        puts both outputs side by side, turned so that row $t$ belongs to step $t$ in both."""),
        where,
    ])  # fmt: skip
    return (where,)


@app.cell
def _(where):
    layer = le.GRU(1, return_sequences=True)
    both = le.Sequential([le.Input((None, 1)), le.Bidirectional(layer)], dtype="float64", backend="numpy")
    one = [[[0.0, 0.0, 1.5]], [[0.0, 0.0, 0.5]], [[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]]
    both.set_weights([*one, *one])  # the same weights in both directions, so that only the way differs
    pulse = np.eye(T)[where.value][:, None]  # (T, 1)
    ways = both.predict(pulse[None])[0].T  # (2, T): forward, backward
    return both, one, ways


@app.cell(hide_code=True)
def _(ways, where):
    _figure = drawing.lines({"forward": ways[0], "backward": ways[1]}, height=270)
    _figure.add_vline(where.value, line_dash="dot", line_color="grey")
    mo.vstack([
        _figure,
        mo.md(f"""
    The forward direction knows of the pulse from step {where.value} on, the backward direction up to it. So both
    together know the pulse at every step; each alone is exactly 0 at the others.

    - A network that answers while it listens, step by step, cannot use it: the end has not come.
    - With `return_sequences=False` the layer returns each direction's *last* state: forward at the last step, backward at
      step 0, where it has read everything.
    - Its second half costs as much again: twice the weights and twice the time.

    {exercises.heading(11)}

    **1. A moving average.** $z$ is constant and $\\hat h = 1$ at every step, from $h = 0$. What is $h$ after $k$ steps?
    """),
    ])  # fmt: skip
    return


@app.function
def answer_1(z, k):
    """h after k steps of h = z h' + (1 - z), from h = 0, without a loop."""
    return None


@app.function(hide_code=True)
def averaged(z, k):
    """The engine's h after k steps of a GRU with a constant z and a candidate of 1."""
    still = le.Sequential([le.Input((None, 1)), le.GRU(1)], dtype="float64", backend="numpy")
    still.set_weights(
        [np.zeros((1, 3)), np.zeros((1, 3)), [[np.log(z / (1 - z)), 0, 40.0], [0, 0, 0]]]
    )  # tanh(40) is 1
    return still.predict(np.zeros((1, k, 1)))[0, 0]


@app.cell(hide_code=True)
def _():
    check_1 = exercises.check(
        answer_1, *(((z, k), averaged(z, k)) for z, k in ((0.5, 3), (0.9, 10), (0.98, 200))), exercise=(11, 1)
    )
    mo.md(f"""
    {mo.as_html(check_1)}

    **2. How many weights** has a GRU of $H$ units with $D$ inputs that resets after the product? It has two biases, $b$ and
    $b'$, for each of the three gates.
    """)
    return (check_1,)


@app.function
def answer_2(D, H):
    """The number of weights of GRU(H) with D inputs."""
    return None


@app.cell(hide_code=True)
def _():
    _sizes = [(1, 1), (23, 32), (5, 64)]
    _counts = [le.Sequential([le.Input((None, _d)), le.GRU(_h)]).count_params() for _d, _h in _sizes]
    check_2 = exercises.check(answer_2, *zip(_sizes, _counts, strict=True), exercise=(11, 2))
    mo.md(f"""
    {mo.as_html(check_2)}

    **3. Both ways by hand.** `read` is a layer that reads forward: it takes x (T, D) and returns h (T, H). Make of it what
    `Bidirectional` returns when both directions have its weights.
    """)
    return (check_2,)


@app.function
def answer_3(read, x):
    """(T, 2H): the forward outputs, and beside them the outputs of the same layer reading from the end, in x's order."""
    return None


@app.cell(hide_code=True)
def _(both, one):
    _forward = le.Sequential([le.Input((None, 1)), le.GRU(1, return_sequences=True)], dtype="float64", backend="numpy")
    _forward.set_weights(one)

    def read(x):
        return _forward.predict(x[None])[0]

    _sounds = [np.random.default_rng(seed).normal(size=(_t, 1)) for seed, _t in ((0, 4), (1, 9))]
    check_3 = exercises.check(answer_3, *(((read, _x), both.predict(_x[None])[0]) for _x in _sounds), exercise=(11, 3))
    check_3
    return (check_3,)


if __name__ == "__main__":
    app.run()
