import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="3 Backpropagation through time, by hand")

with app.setup(hide_code=True):
    import marimo as mo
    import numpy as np

    import lstm_engine as le
    from experiments.lessons import drawing, exercises, way_back
    from experiments.lessons.lesson_2_lstm_cell import step

    X, GATES = np.array([1.0, -0.5, 0.8]), "ifgo"  # X is what the unit of lesson 1 reads here


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    # 3 Backpropagation through time, by hand

    Training asks for every weight: *if it were a little larger, how much would the loss $L$ change?* Then it changes each
    weight a little in the direction that lowers $L$. The answer is the derivative $\partial L / \partial w$, the
    **gradient**. We write it $\delta w$, and $\delta a$ for any other value $a$ in the network. One rule gives them all:

    > **$\delta a$ is a sum over everything that $a$ is used for:** the δ of the result, times the result's slope in $a$.

    So start at the loss, and go back step by step. In a recurrent network this goes back through time.

    ## Three steps of one unit

    The unit of lesson 1 is $h = \tanh(z)$ with $z = w\,x + u\,h' + b$. The forward pass stores what the backward pass
    needs. Both the loss and the next step use $h$, so its δ has two terms:
    """)
    return


@app.function
def forward(x, w, u, b):
    """h (T,) of the unit that reads x (T,), and the values that the backward pass needs."""
    h = [0.0]
    for x_t in x:
        h.append(np.tanh(w * x_t + u * h[-1] + b))
    return np.array(h[1:]), (x, np.array(h), w, u)


@app.function
def walk_back(dh, h, u):
    """δh and δz (T,) of all steps. dh (T,) is the gradient that the loss gives to every h; h (T + 1,) begins with h' = 0."""
    δh, δz, from_next = np.array(dh), np.zeros(len(dh)), 0.0
    for t in reversed(range(len(dh))):
        δh[t] = dh[t] + from_next
        δz[t] = δh[t] * (1 - h[t + 1] ** 2)  # the slope of tanh is 1 - tanh², and tanh z is h
        from_next = δz[t] * u
    return δh, δz


@app.function
def backward(dh, cache):
    """δx (T,), δw, δu and δb."""
    x, h, w, u = cache
    _, δz = walk_back(dh, h, u)
    return δz * w, (δz * x).sum(), (δz * h[:-1]).sum(), δz.sum()  # a weight is used at every step: a term from each


@app.cell(hide_code=True)
def _():
    w, u = (mo.ui.slider(-2, 2, 0.1, value=v, label=f"${k}$", show_value=True) for k, v in (("w", 1.2), ("u", 0.7)))
    y = mo.ui.slider(-1, 1, 0.1, value=-0.5, label="wanted: $y$", show_value=True)
    mo.md(f"""{exercises.source(forward, walk_back, backward)}

    Let it read x = {", ".join(map(str, X))}. The loss uses only the last output: $L = (h_2 - y)^2$.

    {mo.hstack([w, u, y], justify="start", wrap=True, gap=2)}""")
    return u, w, y


@app.cell(hide_code=True)
def _(u, w, y):
    _weights = np.array([w.value, u.value, 0.1])
    _h, _cache = forward(X, *_weights)
    _dh = np.array([0.0, 0.0, 2 * (_h[-1] - y.value)])
    by_hand = backward(_dh, _cache)[1:]
    _moved = [[forward(X, *(_weights + _d))[0][-1] for _d in (_e, -_e)] for _e in 1e-4 * np.eye(3)]
    nudged = [((_above - y.value) ** 2 - (_below - y.value) ** 2) / 2e-4 for _above, _below in _moved]
    _unit = way_back.unit(le.SimpleRNN(1), [[[w.value]], [[u.value]], [0.1]])
    engine = [g.item() for g in _unit.gradients(X[None, :, None], [[y.value]])[1].values()]
    _δh, _δz = walk_back(_dh, _cache[1], u.value)
    rows = [(t, _δh[t], _δz[t], _δz[t] * X[t], _δz[t] * _cache[1][t], _δz[t] * u.value) for t in (2, 1, 0)]
    _ends = (("sum", by_hand), ("engine", engine), ("nudged", nudged))
    _sums = [(f"**{k}**", "", v[2], *v[:2], "") for k, v in _ends]  # δb is the sum of δz
    _heads = ("step", "δh", "δz = δh(1 − h²)", "to δw: δz·x", "to δu: δz·h'", "back: δh' = δz·u")
    mo.md(f"""
    **Read the table from the top: the last step comes first.** Its δh is the slope of the loss, 2(h₂ − y). The last column
    of a row is the δh of the next row. The term of δb is δz itself.

    {drawing.sideways(mo.md(drawing.table(_heads, rows + _sums)).text)}

    The weight $w$ is used three times, so three terms are **added**. The engine does the same. The last row uses no
    derivative: it makes a weight 0.0001 larger, then smaller, and compares the losses. All three agree. Now set $u$ to 0:
    nothing goes back to earlier steps, and only the last step contributes. Lesson 4 is about that last column.
    """)
    return by_hand, engine, nudged, rows


@app.cell(hide_code=True)
def _():
    at = mo.ui.slider(0, 3, 1, value=2, label="step", show_value=True)
    mo.md(f"""
    ## The LSTM: more terms, the same rule

    The equations of an LSTM unit are products and sums. In a product, each factor gets the δ of the product times *the other
    factor*. **Each line of the table answers "where is it used?", and the last column is the engine's code.**

    {at}
    """)
    return (at,)


@app.function
def lstm_step_back(dh, from_next, now, before, U):
    """Every δ of one step, from δh and the next step's δc. `now`, `before`: i f g o c h of this and the previous step."""
    i, f, g, o, tanh_c = *(now[k] for k in GATES), np.tanh(now["c"])
    dc = dh * o * (1 - tanh_c**2) + from_next
    di, df, dg, do = dc * g, dc * before["c"], dc * i, dh * tanh_c
    dz = np.array([di * i * (1 - i), df * f * (1 - f), dg * (1 - g**2), do * o * (1 - o)])
    gates = {"i": di, "f": df, "g": dg, "o": do} | {f"z_{k}": δ for k, δ in zip(GATES, dz, strict=True)}
    return {"h": dh, "c": dc, **gates, "h'": (dz * U).sum(), "c'": dc * f}


@app.cell(hide_code=True)
def _(at):
    _W, _U, _b = np.random.default_rng(8).standard_normal((3, 4))
    _states, _x, _y = [{"h": 0.0, "c": 0.0}], np.array([0.9, -1.1, 0.4, 1.3]), 0.5
    for _x_t in _x:
        _states.append(step(_x_t, _states[-1]["h"], _states[-1]["c"], _W, _U, _b))  # the cell of lesson 2
    deltas = {4: {"h'": 2 * (_states[-1]["h"] - _y), "c'": 0.0}}
    for _t in (3, 2, 1, 0):
        _after = deltas[_t + 1]
        deltas[_t] = lstm_step_back(_after["h'"], _after["c'"], _states[_t + 1], _states[_t], _U)
    _lstm = way_back.unit(le.LSTM(1), [[_W], [_U], _b])
    grad = _lstm.trace(_x[None, :, None], [[_y]])["lstm"].grad  # every δ inside, by its letter
    apart = max(abs(grad[k][0, t, 0] - deltas[t][k]) for t in range(4) for k in grad.keys() & deltas[t].keys())
    _at = deltas[at.value]
    ways = [(y.where, y.so, ", ".join(f"{_at[k]:.4f}" for k in y.names), f"`{y.line}`") for y in way_back.ways()]
    _heads = ("where it is used", "so", f"at step {at.value}", "in the engine's `lstm_backward`")
    mo.md(f"""
    {drawing.sideways(mo.md(drawing.table(_heads, ways)).text, 860)}

    At all four steps the largest difference from `model.trace(x, y)` is **{apart:.0e}**. Now look at the last line again.
    From $c$ to $c'$ the gradient goes through **one multiplication by $f$**: no $U$, no slope of a tanh. This is the main
    idea of the LSTM.

    ## Proof instead of trust

    A wrong backward pass does not crash. The **gradient laboratory** finds it: it computes every derivative a second time,
    only from the loss. It changes a weight by an imaginary amount, $\\partial L/\\partial w = \\mathrm{{Im}}\\,L(w + ih)/h$
    with a tiny $h$. Nothing is subtracted, so no digit is lost. First our code:
    """)
    return apart, deltas, ways


@app.cell(hide_code=True)
def _():
    values, bug = (
        dict(zip("xwub", (X, *np.array([1.2, 0.7, 0.1])), strict=True)),
        mo.ui.dropdown(way_back.BUGS, "bug A"),
    )
    gradcheck_report = le.gradcheck_function(forward, backward, values)
    _text = mo.md(f"""
    *norm-wise* is the distance of the two sides relative to their size. Rounding alone gives about 1e-16.

    ## A bug to be found

    Each of these bugs changes one line of the engine's `lstm_backward`, in memory, for this page only: {bug}
    """)
    mo.vstack([mo.Html(drawing.printed(gradcheck_report)), _text])
    return bug, gradcheck_report, values


@app.cell(hide_code=True)
def _(bug):
    right, wrong, bug_report = way_back.losses(), way_back.losses(bug.value), way_back.report(bug.value)
    _boxes = {
        "Its report": mo.Html(drawing.printed(str(bug_report).partition("First departs")[0])),
        "The first wrong value that it finds": mo.Html(drawing.printed(bug_report.departure)),
        "The mistake": mo.md(f"{bug.value.name}: `{bug.value.old.strip()}` became `{bug.value.new.strip()}`"),
    }
    mo.md(rf"""
    **The network learns even with the bug.** After {len(right)} steps the loss is {wrong[-1]:.3f}, and {right[-1]:.3f}
    without the bug. Would you have seen the bug in this picture?

    {mo.as_html(drawing.lines({"right": right, "with the bug": wrong}, y_title="loss", log=True, height=270))}

    **The laboratory finds it.** After a wrong value, every value that depends on it is wrong too. So look in the report for
    what still *passes*, and guess the line in the table above. Then open the other boxes: they show the first wrong δ.

    {mo.accordion(_boxes)}

    {exercises.heading(3)}

    **1. A coupled cell.** Some LSTMs have no separate forget gate: the cell forgets as much as it writes,
    $c = (1 - i)\,c' + i\,g$. Where is $i$ used? Give its δ.
    """)
    return bug_report, right, wrong


@app.function
def answer_1(dc, i, g, c_before):
    """δi from δc, in a cell with c = (1 - i) c' + i g."""
    return None


@app.cell(hide_code=True)
def _():
    _cases = [(1.0, 0.3, 0.8, 0.5), (-0.7, 0.9, -0.2, 1.5)]
    _moved = [(1 - i - 1e-20j) * c_before + (i + 1e-20j) * g for _, i, g, c_before in _cases]  # the complex step
    check_1 = exercises.check(
        answer_1, *((a, a[0] * c.imag / 1e-20) for a, c in zip(_cases, _moved, strict=True)), exercise=(3, 1)
    )
    mo.md(f"""
    {mo.as_html(check_1)}

    **2. Read a report.** Here is the laboratory's report on another `backward` for our unit. One row passes. What does this
    prove, and what can still be wrong? Give the right $\\delta w$.
    """)
    return (check_1,)


@app.function
def answer_2(dz, x):
    """The right δw from δz (T,) and x (T,) of all steps."""
    return None


@app.cell(hide_code=True)
def _(values):
    def handed_in(dh, cache):
        x, h, w, u = cache
        _, δz = walk_back(dh, h, u)
        return δz * w, δz[-1] * x[-1], δz[-1] * h[-2], δz[-1]

    def _right(dh, x):  # by `backward`, which is proved
        _, cache = forward(x, 1.2, 0.7, 0.1)
        return (walk_back(dh, cache[1], 0.7)[1], x), backward(dh, cache)[1]

    handed_in_report = le.gradcheck_function(forward, handed_in, values)
    check_2 = exercises.check(
        answer_2, *(_right(*np.random.default_rng(n).standard_normal((2, n))) for n in (3, 6)), exercise=(3, 2)
    )
    mo.vstack([mo.Html(drawing.printed(handed_in_report)), check_2])
    return check_2, handed_in_report


if __name__ == "__main__":
    app.run()
