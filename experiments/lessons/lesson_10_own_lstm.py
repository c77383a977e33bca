import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="10 Your own LSTM")

with app.setup(hide_code=True):
    import marimo as mo
    import numpy as np

    from experiments.lessons import drawing, exercises, own
    from experiments.lessons.pace import cut
    from lstm_engine.cells.lstm import lstm_forward

    STEPS = cut(120, 10)


@app.cell(hide_code=True)
def _():
    mo.md(rf"""
    # 10 Your own LSTM

    Lessons 2 and 3 took the LSTM apart. Here you put it together: three functions, NumPy and nothing else. They are the whole
    of it: one step, the walk forward over all steps, and the walk back. Then your LSTM is trained on voices beside the
    engine's, from the same weights on the same batches; if yours is right, the losses are equal, digit by digit.

    The letters are those of lesson 2. A batch has B sequences; every step has D inputs, and there are H units. The four gates
    lie side by side on the last axis of $W$ (D, 4H), $U$ (H, 4H) and $b$ (4H), in the order i f g o.

    {exercises.heading(10)}

    **1. One step.**

    $$z = xW + hU + b$$

    $$i, f, o = \sigma(z_i), \sigma(z_f), \sigma(z_o), \quad g = \tanh(z_g)$$

    $$c_{{new}} = f\,c + i\,g, \quad h_{{new}} = o\,\tanh(c_{{new}})$$
    """)
    return


@app.function
def answer_1(x, h, c, W, U, b):
    """(h_new, c_new), cache of one step: x (B, D), h and c (B, H). The cache is whatever your walk back will need."""
    return None


@app.cell(hide_code=True)
def _():
    def _drawn(seed, T=5, B=2, D=3, H=4):
        """x (T, B, D), W, U, b, h0, c0, all of size 1."""
        shapes = (T, B, D), (D, 4 * H), (H, 4 * H), (4 * H,), (B, H), (B, H)
        return [np.random.default_rng(seed).standard_normal(shape) for shape in shapes]

    def _states(x, h, c, W, U, b):
        tape = lstm_forward(x[None], W, U, b, h, c)
        return np.stack([tape.h[-1], tape.states[1][-1]])

    def one_step(x, h, c, W, U, b):
        answered = answer_1(x, h, c, W, U, b)
        if answered is None:
            return None
        (h_new, c_new), _ = answered
        return np.stack([h_new, c_new])

    one_step.__doc__ = answer_1.__doc__
    walks = [_drawn(0), _drawn(1, T=1, B=1), _drawn(2, D=6)]
    _cases = [(_x[0], _h, _c, _W, _U, _b) for _x, _W, _U, _b, _h, _c in walks]
    check_1 = exercises.check(one_step, *((_a, _states(*_a)) for _a in _cases), exercise=(10, 1))
    mo.md(f"""
    {mo.as_html(check_1)}

    **2. The walk forward.** The states go from step to step: use `answer_1`.
    """)
    return check_1, walks


@app.function
def answer_2(x, W, U, b, h0, c0):
    """outputs, cache of all steps: outputs (T, B, H), the h of every step; x (T, B, D), h0 and c0 (B, H) before step 0."""
    return None


@app.cell(hide_code=True)
def _(walks):
    def walk_forward(x, W, U, b, h0, c0):
        answered = answer_2(x, W, U, b, h0, c0)
        if answered is None:
            return None
        outputs, _ = answered
        return outputs

    walk_forward.__doc__ = answer_2.__doc__
    check_2 = exercises.check(walk_forward, *((tuple(_a), lstm_forward(*_a).h) for _a in walks), exercise=(10, 2))
    mo.md(f"""
    {mo.as_html(check_2)}

    **3. The walk back.** `doutputs` (T, B, H) is the gradient of the loss with respect to the h of every step, as the layer
    above hands it down; `cache` is what `answer_2` returned. From the last step to the first, with the equations of lesson 3:

    $$\\delta c = \\delta h\\,o\\,(1 - \\tanh^2 c) + \\delta c'_{{after}}$$

    $$\\delta o = \\delta h\\,\\tanh c$$

    $$\\delta i = \\delta c\\,g,\\quad \\delta f = \\delta c\\,c',\\quad \\delta g = \\delta c\\,i$$

    The judge first tries one step, then all; it names the first quantity that is wrong, and its hints name the line.
    """)
    return (check_2,)


@app.function
def answer_3(doutputs, cache):
    """dx, dW, dU, db, dh0, dc0: the gradients, each of the shape of what it belongs to."""
    return None


@app.cell(hide_code=True)
def _():
    check_3 = exercises.judged(answer_2, answer_3, exercise=(10, 3))
    check_3
    return (check_3,)


@app.cell(hide_code=True)
def _():
    path = mo.ui.text("", label="a file of yours (optional)", placeholder="mine/lstm.py", full_width=True)
    _text = mo.md("""
    ## Whose LSTM?

    The functions above are used as soon as all three are right. If you have written `lstm_forward` and `lstm_backward` in a
    file, as `lstm-engine assignment new` lays it out, name it here: its code is then run and judged.
    """)
    mo.vstack([_text, path])
    return (path,)


@app.cell(hide_code=True)
def _(check_1, check_2, check_3, path):
    from experiments.lessons.solutions import lesson_10 as _solution

    _right = all(check.state == "right" for check in (check_1, check_2, check_3))
    walk = own.Walk(_solution.answer_2, _solution.answer_3, "the solution's functions, until yours are right")
    verdict = None
    if path.value.strip():
        try:
            walk = own.from_file(path.value.strip())
        except ValueError as _error:
            mo.stop(True, mo.callout(mo.md(str(_error)), kind="warn"))
        verdict = exercises.judged(walk.forward, walk.backward, exercise=(10, 3))
    elif _right:
        walk = own.Walk(answer_2, answer_3, "your functions above")
    _shown = [mo.md(f"Trained below: **{walk.whose}**.")]
    mo.vstack([verdict, *_shown] if verdict else _shown)
    return (walk,)


@app.cell(hide_code=True)
def _():
    data = own.voices()
    engine = own.engine(data, STEPS)
    return data, engine


@app.cell(hide_code=True)
def _(data, engine, walk):
    try:
        with mo.status.spinner(f"Training {walk.whose} ..."):
            learned = own.by_hand(walk, data, STEPS)
    except Exception as _error:  # a learner's code may do anything
        mo.stop(True, mo.callout(f"The training stopped with {type(_error).__name__}: {_error}", kind="warn"))
    apart = np.abs(learned.losses - engine.losses)  # (steps,)
    _right = {name: np.mean((p > 0.5) == data.unseen_y) for name, p in {"own": learned.p, "engine": engine.p}.items()}
    _rows = [(n, float(learned.losses[n]), float(engine.losses[n]), f"{apart[n]:.0e}") for n in (0, 1, 2, STEPS - 1)]
    _same = "They are equal to rounding." if apart.max() < 1e-9 else "**They are not equal: a gradient is wrong.**"
    mo.vstack([
        mo.md(f"""
    ## On voices, beside the engine

    {len(data.x)} clips of synthetic voices, {data.x.shape[1]} moments of {data.x.shape[2]} numbers each (lesson 6); the
    network says male or female after the last moment. Both start from the same weights and see the same {STEPS} batches. Only
    the LSTM differs; the last layer, the loss and Adam are the same.

    {drawing.table(("step", "loss, own", "loss, engine", "apart"), _rows)}

    {_same} The largest distance in {STEPS} steps is {apart.max():.0e}. On {len(data.unseen_x)} clips of people whom neither
    has heard, the network by hand gets {_right["own"]:.0%} right and the
    engine's {_right["engine"]:.0%}.
    """),
        drawing.lines({"own": learned.losses, "engine": engine.losses}, x_title="training step", y_title="loss"),
        mo.md("""
    *Then* plant a mistake: in your walk back take `c` of this step where `c'` belongs, or leave out `+ dc`. The losses part,
    and the network learns all the same. So a falling loss proves no gradient, and a check does (lesson 3). Two things remain
    between your LSTM and the engine's: options (masks, dropout, both directions), and speed, for which the engine compiles
    the same equations. `lstm-engine assignment new` has more to write: the GRU, Adam, and the training loop.
    """),
    ])  # fmt: skip
    return apart, learned


if __name__ == "__main__":
    app.run()
