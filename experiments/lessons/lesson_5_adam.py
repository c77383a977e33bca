import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="5 Adam, step by step")

with app.setup(hide_code=True):
    import marimo as mo
    import numpy as np

    import lstm_engine as le
    from experiments.beside_keras.twins import import_keras
    from experiments.lessons import drawing, exercises

    STEPS = 80


@app.cell(hide_code=True)
def _():
    lr = mo.ui.slider(0.005, 0.3, 0.005, value=0.05, label="learning rate η", show_value=True)
    beta_1 = mo.ui.slider(0, 0.98, 0.02, value=0.9, label="β₁", show_value=True)
    beta_2 = mo.ui.slider(steps=[0, 0.5, 0.9, 0.99, 0.999], value=0.999, label="β₂", show_value=True)
    noise = mo.ui.slider(0, 4, 0.5, value=0, label="noise of the batches", show_value=True)
    steep = mo.ui.slider(10, 100, 1, value=30, label="steepness s", show_value=True)
    _text = mo.md(r"""
    # 5 Adam, step by step

    A gradient gives the direction of a step, but not the right length. The voice tutorial leaves the length to
    `optimizer="adam"`. Here is what Adam does, number by number, beside the engine and Keras. Take a small but difficult
    loss, a long narrow valley over two weights:

    $$\begin{aligned}L &= \tfrac12\,(s w_0^2 + w_1^2)\\ g_0 &= \partial L/\partial w_0 = s w_0 \quad g_1 = w_1\end{aligned}$$

    Along weight 0 the loss is steep (by the factor s), along weight 1 it is flat. Both weights start at 1 and should reach 0.
    An LSTM has thousands of weights, and its loss is steep along some and flat along others. Training uses a few samples
    at a time, a batch, whose gradient is not exact: this is the noise. All pictures follow these sliders.
    """)
    mo.vstack([_text, mo.hstack([lr, beta_1, beta_2, noise, steep], wrap=True, justify="start")])
    return beta_1, beta_2, lr, noise, steep


@app.function
def adam_step(w, g, m, v, t, lr, beta_1, beta_2, epsilon=1e-7):
    """Step t of Adam, counted from 1; m and v come from the step before and are 0 at first."""
    m = m + (g - m) * (1 - beta_1)  # the running mean of the gradient: its direction
    v = v + (g * g - v) * (1 - beta_2)  # the running mean of its square: its size
    alpha = lr * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)  # the bias correction: m and v start at 0
    return w - alpha * m / (np.sqrt(v) + epsilon), m, v


@app.cell
def _(beta_1, beta_2, lr, noise, steep):
    batches = np.random.default_rng(0).standard_normal((STEPS, 2)) * noise.value
    slopes, sgd_rate = np.array([steep.value, 1.0]), 1.8 / steep.value
    w = w_sgd = np.ones(2)
    m = v = np.zeros(2)
    walk, downhill = [(w, np.zeros(2), m, v)], [w_sgd]
    for t in range(1, STEPS + 1):
        g = slopes * w + batches[t - 1]
        w, m, v = adam_step(w, g, m, v, t, lr.value, beta_1.value, beta_2.value)
        walk.append((w, g, m, v))
        w_sgd = w_sgd - sgd_rate * (slopes * w_sgd + batches[t - 1])  # plain gradient descent, to compare
        downhill.append(w_sgd)
    path, gs, ms, vs = np.stack(walk, axis=1)  # (STEPS + 1, 2) each; row t is after step t
    return downhill, gs, ms, path, sgd_rate, vs


@app.cell(hide_code=True)
def _(downhill, path, sgd_rate, steep):
    valley = drawing.lines({}, x_title="weight 0 (steep)", y_title="weight 1 (flat)", height=420)
    _x = np.linspace(-1.5, 1.5, 61)
    _loss = np.log10((steep.value * _x**2 + _x[:, None] ** 2) / 2 + 1e-3)
    valley.add_contour(x=_x, y=_x, z=_loss, colorscale="Greys_r", showscale=False, opacity=0.4, hoverinfo="skip")
    for _k, (_name, _way) in enumerate({"Adam": path, "gradient descent": np.array(downhill)}.items()):
        _line = {"color": drawing.COLOURS[_k], "dash": drawing.DASHES[_k]}
        valley.add_scatter(x=_way[:, 0], y=_way[:, 1], name=_name, mode="lines+markers", line=_line, marker_size=5)
    _sgd, _adam = downhill[20][1], path[20, 1]  # weight 1 after 20 steps; at the bottom it is 0
    nearer = "nearer to 0: each weight has its own step length, and the steep weight does not slow the flat one"
    if abs(_adam) >= abs(_sgd):
        nearer = "further from 0, " + (
            "because m carried it past 0" if (path[:21, 1] < 0).any() else "still on its way"
        )
    valley.update_xaxes(range=[-1.5, 1.5]).update_yaxes(range=[-0.6, 1.2])
    _text = mo.md(f"""
    ## The walk

    Darker means lower. *Look for* the path of each to the middle, in {STEPS} steps. A step of plain gradient descent is −η g.
    Its η here is 1.8 / s = {sgd_rate:.3g}; from 2 / s on it would diverge. So the steeper weight 0 is, the slower weight 1
    moves: after 20 steps it is at {_sgd:.3f}. Adam's is at {_adam:.3f}, {nearer}. *Then* add noise, and lower β₁. What is
    the use of m?
    """)
    mo.vstack([_text, valley])
    return (nearer,)


@app.cell(hide_code=True)
def _():
    which = mo.ui.dropdown({"weight 0 (steep)": 0, "weight 1 (flat)": 1}, value="weight 0 (steep)", label="follow")
    at = mo.ui.slider(1, STEPS, value=1, label="step t", show_value=True)
    mo.vstack([mo.md("## One step in numbers"), mo.hstack([which, at], wrap=True, justify="start")])
    return at, which


@app.cell(hide_code=True)
def _(at, beta_1, beta_2, gs, lr, ms, path, vs, which):
    _t, _k, _b1, _b2 = at.value, which.value, beta_1.value, beta_2.value
    _g, _m0, _m, _v0, _v = gs[_t, _k], ms[_t - 1, _k], ms[_t, _k], vs[_t - 1, _k], vs[_t, _k]
    alpha_t, moved = lr.value * np.sqrt(1 - _b2**_t) / (1 - _b1**_t), path[_t, _k] - path[_t - 1, _k]
    mo.md(rf"""
    $$\begin{{aligned}}
    m &= m' + (g - m')(1 - \beta_1) \\
      &= {_m0:.4g} + ({_g:.4g} - {_m0:.4g})\cdot {1 - _b1:.4g} = {_m:.4g}\\[6pt]
    v &= v' + (g^2 - v')(1 - \beta_2) \\
      &= {_v0:.4g} + ({_g**2:.4g} - {_v0:.4g})\cdot {1 - _b2:.4g} = {_v:.4g}\\[6pt]
    \alpha &= \eta\,\sqrt{{1-\beta_2^t}}\;/\;(1-\beta_1^t) \\
      &= {lr.value:.4g}\,\sqrt{{1-{_b2:.4g}^{{{_t}}}}}\;/\;(1-{_b1:.4g}^{{{_t}}}) = {alpha_t:.4g}\\[6pt]
    \Delta w &= -\alpha\, m\;/\;(\sqrt{{v}}+\varepsilon) \\
      &= -{alpha_t:.4g}\cdot {_m:.4g}\;/\;({np.sqrt(_v):.4g}+10^{{-7}}) = {moved:.4g}
    \end{{aligned}}$$

    A prime marks the value before the step. *Look at step 1 of both weights:* the gradients are {gs[1, 0]:.3g} and
    {gs[1, 1]:.3g}, but the weights move by {path[1, 0] - 1:.4g} and {path[1, 1] - 1:.4g}: by η. After bias correction m and
    √v are both of the gradient's size, so that size cancels. The learning rate is the length of a step. *Then follow the
    steep weight until g changes its sign:* m still points in the old direction, and the weight overshoots.
    """)
    return alpha_t, moved


@app.cell(hide_code=True)
def _(at, beta_1, beta_2, gs, lr, ms, vs, which):
    _t, _g, _m, _root = np.arange(1, STEPS + 1), *(a[1:, which.value] for a in (gs, ms, np.sqrt(vs)))
    _due_m, _due_root = 1 - beta_1.value**_t, np.sqrt(1 - beta_2.value**_t)
    _plain = -lr.value * _m / (_root + 1e-7)
    moments = {
        "the direction": {"g": _g, "m": _m, "m corrected": _m / _due_m},
        "the size": {"|g|": abs(_g), "√v": _root, "√v corrected": _root / _due_root},
        "the step": {"Δw": _plain * _due_root / _due_m, "Δw without correction": _plain},
    }
    _drawn = [drawing.lines(c, _t, title, "step t", height=250).add_vline(at.value) for title, c in moments.items()]
    times = (1 - beta_1.value) / np.sqrt(1 - beta_2.value)  # the first step without correction, over the step with it
    _lags = {1: "long**, because √v lags further behind than m", -1: "short**, because m lags further behind than √v"}
    wrong = f"too **{_lags[_side]}" if (_side := np.sign(round(times - 1, 9))) else "just right, for m and √v lag alike"
    _text = mo.md(f"""
    ## The same weight at every step

    m and v begin at 0, so at first they are too small: m by the factor 1 - β₁ᵗ, v by 1 - β₂ᵗ. Dividing by these factors is
    the "bias correction"; α does both at once. *Look at the third picture:* without it the first step would be {times:.2g}
    times as long, {wrong}. The vertical line is the step t chosen above.
    """)
    mo.vstack([_text, *_drawn])
    return moments, times, wrong


@app.function
def engine_walk(optimizer, gradients):
    """The weight, 1 at first, after each step of the engine's optimizer with the gradients (T, ...)."""
    weights, walk = {"w": np.ones_like(gradients[0])}, []
    for g in gradients:
        optimizer.apply(weights, {"w": g})
        walk.append(weights["w"].copy())
    return np.array(walk)


@app.function
def keras_walk(lr, beta_1, beta_2, gradients):
    """The same with Keras's Adam, in float64."""
    keras = import_keras("float64")  # before anything else imports JAX, which has no float64 otherwise
    import_keras("float32")  # the setting is global; the arrays here have their type
    w, walk = keras.Variable(np.ones_like(gradients[0]), dtype="float64"), []
    # A function, since Keras would store a number in float32, with 8 digits.
    optimizer = keras.optimizers.Adam(lambda: lr, beta_1, beta_2)
    for g in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(g)], [w])
        walk.append(keras.ops.convert_to_numpy(w.value).copy())
    return np.array(walk)


@app.cell(hide_code=True)
def _(beta_1, beta_2, gs, lr, path):
    _settings, keras_apart = (lr.value, beta_1.value, beta_2.value), None
    engine_apart = np.abs(engine_walk(le.Adam(*_settings), gs[1:]) - path[1:]).max()
    try:
        keras_apart = np.abs(keras_walk(*_settings, gs[1:]) - path[1:]).max()
        _keras = f"{keras_apart:.1e}"
    except ModuleNotFoundError as error:
        _keras = f"not compared, because Keras is not installed. The lesson works without it. ({error})"
    mo.md(f"""
    ## Beside the engine and Keras

    All three get the same gradients. *Look for* zero, or rounding in the 16th digit, at every setting of the sliders.

    | beside the equations above, {STEPS} steps in float64 | largest difference of a weight |
    |---|---|
    | `le.Adam` | {engine_apart:.1e} |
    | Keras's Adam | {_keras} |
    """)
    return engine_apart, keras_apart


@app.cell(hide_code=True)
def _():
    _g = np.logspace(-9, 0, 400)
    first = {"Keras, the engine": 1 - engine_walk(le.Adam(1.0), [_g])[0], "the paper's Algorithm 1": _g / (_g + 1e-7)}
    _half, _due = [_g[np.searchsorted(step, 0.5)] for step in first.values()], np.sqrt(1 - 0.999)
    _drawn = drawing.lines(first, x=_g, x_title="the first gradient |g|", y_title="first step / η")
    _drawn.update_xaxes(type="log", dtick=1, exponentformat="power")
    _text = mo.md(f"""
    ## Where ε stands

    ε = 10⁻⁷ prevents 0 / 0 for a weight without a gradient. It also decides which gradients are too small to count. The
    paper's Algorithm 1 corrects v first and then adds ε. Keras adds ε to the uncorrected √v ("epsilon hat"), which at step 1
    is {_due:.3f} of the corrected one: there ε weighs {1 / _due:.0f} times as much. *Look for* the gradients at which the
    lines pass one half: {_half[0]:.1e} and {_half[1]:.1e}.
    """)
    mo.vstack([_text, _drawn])
    return (first,)


@app.function
def answer_1(beta_1, beta_2):
    """The factor by which Adam's first step would be longer without bias correction (α = η, and ε = 0)."""
    return None


@app.cell(hide_code=True)
def _():
    class Uncorrected(le.Adam):
        def alpha(self, lr):
            return lr

    _cases = (0.9, 0.999), (0.9, 0.99), (0.5, 0.9), (0.99, 0.9)
    _ends = [engine_walk(Uncorrected(1.0, *betas, epsilon=0), np.array([2.0]))[0] for betas in _cases]
    check_1 = exercises.check(
        answer_1, *((betas, 1 - end) for betas, end in zip(_cases, _ends, strict=True)), exercise=(5, 1)
    )  # η is 1
    _text = mo.md("**1. Without the correction.** m and v begin at 0. How much longer would the first step be?")
    mo.vstack([exercises.heading(5), _text, check_1])
    return (check_1,)


@app.function
def answer_2(beta_1):
    """The length of a step in the long run, in units of η, when the gradient is 1, -1, 1, -1 ..."""
    return None


@app.cell(hide_code=True)
def _():
    _walks = {b: engine_walk(le.Adam(1.0, b, epsilon=0), np.resize([1.0, -1.0], 2000)) for b in (0.9, 0.5, 0.0, 0.98)}
    check_2 = exercises.check(
        answer_2, *(((b,), abs(walk[-1] - walk[-2])) for b, walk in _walks.items()), exercise=(5, 2)
    )
    mo.vstack([mo.md("**2. A gradient that turns round** at every step: how long do Adam's steps become?"), check_2])
    return (check_2,)


if __name__ == "__main__":
    app.run()
