import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="2 The LSTM cell by hand")

with app.setup(hide_code=True):
    import marimo as mo
    import numpy as np

    import lstm_engine as le
    from experiments.lessons import drawing, exercises
    from experiments.microscope import cell

    T, GATES = 8, "ifgo"
    PRESETS = {  # what W and U are, for i f g o
        "to nothing: they stay where they rest": ((0, 0, 1, 0), (0, 0, 0, 0)),
        "to the input: i opens and f closes when x > 0": ((6, -6, 1, 0), (0, 0, 0, 0)),
        "to the input and to the unit's own last output": ((1.5, -0.5, 1, 1), (-1, 2, 0.5, 1)),
    }


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    # 2 The LSTM cell by hand

    In lesson 1 one number had two jobs: $h$ was the memory and also the output, and every step put it through a tanh
    again. The **LSTM** (*long short-term memory*, Hochreiter & Schmidhuber 1997) has two numbers: the **cell** $c$ is the
    memory, and $h$ is the output. Three **gates**, numbers between 0 and 1, control them:

    | | | |
    |---|---|---|
    | $i$, the input gate | $i = \sigma(W_i\,x + U_i\,h' + b_i)$ | how much of the new value to write |
    | $f$, the forget gate | $f = \sigma(W_f\,x + U_f\,h' + b_f)$ | how much of the old to **keep**: 1 keeps, 0 forgets |
    | $g$, the candidate | $g = \tanh(W_g\,x + U_g\,h' + b_g)$ | the new value, between −1 and 1 |
    | $o$, the output gate | $o = \sigma(W_o\,x + U_o\,h' + b_o)$ | how much of the memory to show |
    | $c$, the cell | $c = f\,c' + i\,g$ | part of the old memory, part of the new value |
    | $h$, the output | $h = o\,\tanh(c)$ | |

    As before, $x$ is the input; $h'$ and $c'$ come from the step before, and both start at 0. The sigmoid
    $\sigma(z) = 1/(1 + e^{-z})$ turns any number into a gate: a large number gives an open gate (near 1), a very negative one
    a closed gate (near 0), and 0 gives 0.5.
    """)
    return


@app.function
def σ(z):
    return 1 / (1 + np.exp(-z))


@app.function
def step(x, h, c, W, U, b):
    """One step of one unit, from h' and c' to the new ones. W, U and b hold four numbers each, for i f g o."""
    z_i, z_f, z_g, z_o = (W[k] * x + U[k] * h + b[k] for k in range(4))
    i, f, g, o = σ(z_i), σ(z_f), np.tanh(z_g), σ(z_o)
    c = f * c + i * g
    h = o * np.tanh(c)
    return {"i": i, "f": f, "g": g, "o": o, "c": c, "h": h}


@app.cell(hide_code=True)
def _():
    _rest = {"i": 0.5, "f": 0.9, "o": 0.8}
    gates = mo.ui.dictionary(
        {k: mo.ui.slider(0.02, 0.98, 0.02, value=v, label=f"${k}$", show_value=True) for k, v in _rest.items()}
    )
    listen = mo.ui.dropdown(list(PRESETS), next(iter(PRESETS)), label="The gates listen")
    inputs = mo.ui.array(
        [mo.ui.slider(-1, 1, 0.1, value=float(t == 1), orientation="vertical", show_value=True) for t in range(T)]
    )
    at = mo.ui.slider(0, T - 1, 1, value=1, label="**The step** to show in numbers:", show_value=True)
    mo.vstack([
        mo.md("""## A cell to play with

        **The gates at rest**, that is for $x = 0$ and $h' = 0$ (the biases are set to give these values):"""),
        mo.hstack(gates.values(), justify="start", wrap=True, gap=2),
        listen,
        mo.md("**The input**, one slider for each step:"),
        mo.hstack(list(inputs), justify="start", gap=0),
        at,
    ])  # fmt: skip
    return at, gates, inputs, listen


@app.cell
def _(gates, inputs, listen):
    W, U = PRESETS[listen.value]
    b = [0 if k == "g" else np.log(gates.value[k] / (1 - gates.value[k])) for k in GATES]  # the inverse of σ
    x, h, c, steps = inputs.value, 0.0, 0.0, []
    for x_t in x:
        steps.append(step(x_t, h, c, W, U, b))
        h, c = steps[-1]["h"], steps[-1]["c"]
    traces = {name: np.array([s[name] for s in steps]) for name in steps[0]}  # (T,) each
    return U, W, b, traces, x


@app.cell(hide_code=True)
def _(U, W, at, b, inside, traces, x):
    _t = at.value
    values = cell.values_at(inside, _t, unit=0) | {"unit": None}
    equations = []
    for _n, _k in enumerate(GATES):
        _z = rf"({W[_n]:g} \cdot {x[_t]:.1f} {U[_n]:+g} \cdot {values['h_prev']:.2f} {b[_n]:+.2f})"
        equations.append(rf"{_k} &= \{'tanh' if _k == 'g' else 'sigma'}{_z} = {values[_k]:.2f}")
    _lines = r" \\ ".join(equations)
    _figures = [drawing.lines({k: traces[k] for k in names}, height=270) for names in ("ifo", "gch")]
    _figures[0].update_yaxes(range=[-0.03, 1.03])
    for _figure in _figures:
        _figure.add_vline(_t, line_dash="dot", line_color="grey")
    mo.vstack([
        mo.md(f"**Step {_t} in numbers.** A wire is as wide as its value: blue above 0, orange below. Read the line of $c$ "
              "at the top first: what is kept, plus what is written."),
        mo.Html(cell.cell_figure("lstm", values)),
        mo.md("The gates with their weights:"),
        mo.md(rf"$$\begin{{aligned}} {_lines} \end{{aligned}}$$").style({"overflow-x": "auto"}),
        mo.md("**All six values over time.** The dotted line marks your step. Above: the gates. Below: the candidate, the "
              "memory and the output."),
        *_figures,
    ])  # fmt: skip
    return equations, values


@app.cell(hide_code=True)
def _(gates):
    _i, _f = gates.value["i"], gates.value["f"]
    ceiling = _i * np.tanh(1) / (1 - _f)
    mo.md(f"""
    **Try this. Each time, first guess what will happen:**

    - One pulse, gates that listen to nothing. With $f$ at {_f:g}, each step keeps {_f:.0%}: five steps after the pulse
      {_f**5:.1%} is left. Which $f$ keeps nearly everything?
    - Set $o$ to 0.02. The memory $c$ does not change, but the output $h$ is almost 0.
    - Set all inputs to 1 and $f$ to 0.98. $c$ grows above 1; $h$ cannot. The limit of $c$ depends on $i$ and $f$: with your
      settings it is {ceiling:.1f} (exercise 1). It is large when $f$ is near 1, and there is no limit at $f = 1$.
    - Let the gates listen to the input, and set the inputs 1, then −1, then 0.3. A positive input opens $i$ and closes $f$:
      the new value *replaces* the memory. What does a negative input do?

    A trained cell works like the third setting: its gates read the input and also the unit's previous output. In the voice
    task of lesson 6 a unit can keep its memory in a pause, with $f$ near 1 and $i$ near 0, and write again at the next vowel.

    ## The engine says the same

    `LSTM` computes these six lines for any number of units and inputs. Its weights hold the four gates next to each other,
    in the order i f g o. `model.trace(x)["lstm"]` returns every value inside, by the letters of the equations.
    """)
    return (ceiling,)


@app.cell
def _(U, W, b, x):
    model = le.Sequential([le.Input((None, 1)), le.LSTM(1)], dtype="float64", backend="numpy")
    model.set_weights([[W], [U], b])
    inside = model.trace(np.reshape(x, (1, T, 1)))["lstm"]  # inside.f is (1, T, 1): sequences, steps, units
    return inside, model


@app.cell(hide_code=True)
def _(inside, model, traces):
    apart = max(np.abs(inside[k][0, :, 0] - values).max() for k, values in traces.items())
    mo.md(f"""
    The largest difference between our {len(traces)} traces and the engine's is **{apart:.1g}**: rounding. One unit with
    one input has {model.count_params()} weights, four times those of lesson 1, as each of i, f, g and o has its own.

    {exercises.heading(2)}

    **1. A leaky memory.** All gates and $g$ are constant. The cell starts at 0 and adds the same $i\\,g$ at every step. What
    is $c$ after $k$ steps? What is its limit for large $k$?
    """)
    return (apart,)


@app.function
def answer_1(i, f, g, k):
    """c after k steps of c = f c' + i g from c = 0, for f < 1, without a loop."""
    return None


@app.function(hide_code=True)
def resting(i, f, g, o, k):
    """The engine's c and h after k steps of a unit whose four gates do not move."""
    still = le.Sequential([le.Input((None, 1)), le.LSTM(1)], dtype="float64", backend="numpy")
    b = [40.0 if y == 1 else np.arctanh(y) if n == 2 else np.log(y / (1 - y)) for n, y in enumerate((i, f, g, o))]
    still.set_weights([np.zeros((1, 4)), np.zeros((1, 4)), b])  # σ(40) and tanh(40) are 1, to the last digit
    last = still.trace(np.zeros((1, k, 1)))["lstm"]
    return np.array([last.c[0, -1, 0], last.h[0, -1, 0]])


@app.cell(hide_code=True)
def _():
    _cases = [(0.5, 0.9, 0.6, 3), (0.8, 0.5, -0.7, 12), (0.2, 0.99, 0.4, 200)]
    check_1 = exercises.check(answer_1, *((a, resting(*a[:3], 0.5, a[3])[0]) for a in _cases), exercise=(2, 1))
    mo.md(f"""
    {mo.as_html(check_1)}

    **2. A counter.** Now every gate is fully open, $i = f = o = 1$, and $g = 1$ at every step. What are $c$ and $h$?
    """)
    return (check_1,)


@app.function
def answer_2(k):
    """(c, h) after k steps from c = 0."""
    return None


@app.cell(hide_code=True)
def _():
    check_2 = exercises.check(answer_2, *(((_k,), resting(1, 1, 1, 1, _k)) for _k in (1, 2, 10)), exercise=(2, 2))
    mo.md(f"""
    {mo.as_html(check_2)}

    **3. A cell that stores a value.** It has two inputs: a value, and a signal $s$ that is 1 when the value must be
    stored and 0 otherwise. Here $g = \\tanh(\\text{{value}})$. Choose the weights and biases of the other two,
    $i = \\sigma(w_i\\,s + b_i)$ and $f = \\sigma(w_f\\,s + b_f)$, so that $c$ holds the last stored $g$, to one decimal.
    """)
    return (check_2,)


@app.function
def answer_3():
    """(w_i, b_i, w_f, b_f)"""
    return None


@app.cell(hide_code=True)
def _():
    def _notebook(values, signals):
        w_i, b_i, w_f, b_f = answer_3() or (0, 0, 0, 0)
        unit = le.Sequential([le.Input((None, 2)), le.LSTM(1)], dtype="float64", backend="numpy")
        unit.set_weights([[[0, 0, 1, 0], [w_i, w_f, 0, 0]], np.zeros((1, 4)), [b_i, b_f, 0, 0]])
        return unit.trace(np.stack([values, signals], axis=-1)[None])["lstm"].c[0, :, 0]

    def noted(values, signals):
        return None if answer_3() is None else np.round(_notebook(values, signals)[-1], 1)

    _values, _twice = np.array([0.4, -0.9, 0.8, 1.0, -0.3, 0.55, -0.87, 0.9]), np.array([0, 1, 0, 0, 0, 1, 0, 0])
    _kept = [((_values, _s), np.round(np.tanh(_values[np.flatnonzero(_s)[-1]]), 1)) for _s in (_twice, _twice[::-1])]
    check_3 = exercises.check(noted, *_kept, exercise=(2, 3))
    _curves = {"c of your cell": _notebook(_values, _twice), "tanh(value)": np.tanh(_values), "s": _twice}
    _caption = mo.md("Your cell (with weights and biases of 0 until you answer):")
    mo.vstack([check_3, _caption, drawing.lines(_curves, height=270)])
    return (check_3,)


if __name__ == "__main__":
    app.run()
