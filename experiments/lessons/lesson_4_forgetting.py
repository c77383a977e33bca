import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="4 Why recurrent networks forget")

with app.setup(hide_code=True):
    import marimo as mo
    import numpy as np

    import lstm_engine as le
    from experiments.lessons import drawing, exercises
    from experiments.microscope.analyses import gradient_by_lag, half_life, split_by_path

    H, WORDS = 16, 8  # units of a layer, words of the language


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    # 4 Why recurrent networks forget

    "When **birds** flap their wings they ..." The next word, *sing* or *roar*, depends on a word far back, *birds* or
    *planes*. To learn this, a network must find out that this word matters. Its only source is the gradient of the loss at
    the end, which must go all the way back (lesson 3).

    Here is the smallest language with this problem. A sentence is the word *birds* or *planes*, then words without
    information (six different ones), and at the end the question: which was the first word?
    """)
    return


@app.function
def sentences(words_between, n, seed):
    """n sentences (n, words_between + 1, 8), every word one-hot, and the targets (n, 1): 1 for planes."""
    rng = np.random.default_rng(seed)
    first = rng.integers(0, 2, (n, 1))  # 0 birds, 1 planes
    others = rng.integers(2, WORDS, (n, words_between))
    return np.eye(WORDS)[np.concatenate([first, others], axis=1)], first.astype(float)


@app.function
def network(layer):
    model = le.Sequential([le.Input((None, WORDS)), layer, le.Dense(1, activation="sigmoid")], seed=0, dtype="float64",
                          backend="numpy")  # fmt: skip
    model.compile(le.Adam(0.01), "binary_crossentropy")
    return model


@app.function
def simple_rnn(ρ, activation="tanh"):
    """16 units of lesson 1. U is ρ times an orthogonal matrix: it rotates h and multiplies its length by ρ."""
    model = network(le.SimpleRNN(H, activation=activation))
    model.weights["simple_rnn/recurrent_kernel"][...] *= ρ
    return model


@app.function
def lstm(b_f):
    """16 units of lesson 2 whose forget gates have the bias b_f."""
    model = network(le.LSTM(H))
    model.weights["lstm/bias"][H : 2 * H] = b_f
    return model


@app.cell(hide_code=True)
def _():
    ρ = mo.ui.slider(0.5, 1.3, 0.05, value=0.8, label="$ρ$", show_value=True)
    activation = mo.ui.dropdown(["tanh", "linear"], "tanh", label="activation")
    mo.md(rf"""
    ## The gradient on its way back

    From one step to the one before, lesson 3 had $\delta h' = \delta z\,u$ with $\delta z = \delta h\,(1 - h^2)$. With many
    units, $u$ is the matrix $U$, and $k$ steps back are $k$ such products. In the long run each product with $U$ multiplies
    the gradient by the **spectral radius** ρ, the size of the largest eigenvalue. (Here $U$ is ρ times a rotation, so this is
    true from the first step.) The slopes $1 - h^2$ of the tanh are at most 1 and make the gradient smaller. Set ρ:

    {mo.hstack([ρ, activation], justify="start", wrap=True, gap=2)}
    """)
    return activation, ρ


@app.cell(hide_code=True)
def _(activation, ρ):
    x, y = sentences(40, 32, seed=1)
    rnn_lags = gradient_by_lag(simple_rnn(ρ.value, activation.value).trace(x, y)["simple_rnn"])  # (41,): mean ‖δh‖
    _theory = rnn_lags[0] * ρ.value ** np.arange(41)
    _reached, _rule = rnn_lags[40] / rnn_lags[0], ρ.value**40
    mo.vstack([
        mo.md(f"""**Look at how straight the lines are: each step back multiplies by the same factor, and the axis is
        logarithmic.** A share of {_reached:.0e} of the last word's gradient arrives at the first word, 40 words back;
        $ρ^{{40}}$ is {_rule:.0e}. Choose *linear*, and the two lines are the same: the difference came from the tanh."""),
        drawing.lines({"the gradient of the loss by h": rnn_lags, "its first value × ρᵏ": _theory}, log=True,
                      x_title="lag k: words back from the end", y_title="‖δh‖"),
        mo.md("""A weight's gradient is a sum over all steps. The first word's term is in this sum, but those of later words
        are far larger. With ρ above 1 the opposite happens in a linear network: the gradient *explodes*. This is easy
        to repair: a gradient that is too long is shortened (`clipnorm`). A gradient that has faded cannot be repaired.

        ## The other path: through the cell

        In an LSTM, $c = f\\,c' + i\\,g$. From $c$ to $c'$ a gradient is multiplied by $f$, and by nothing else. The network
        learns to control $f$; at the start of training, $f$ follows the **forget bias**, which is 1 in Keras and here."""),
    ])  # fmt: skip
    return rnn_lags, x


@app.cell(hide_code=True)
def _():
    b_f = mo.ui.slider(-2, 6, 0.5, value=5, label="forget bias $b_f$", show_value=True)
    b_f
    return (b_f,)


@app.cell(hide_code=True)
def _(b_f, x):
    _f = 1 / (1 + np.exp(-b_f.value))
    _lstm = lstm(b_f.value)
    split = split_by_path(_lstm.layers[0], x[0])  # total = forget + gates, (41, H, H) each
    lags = {name: np.linalg.norm(a, axis=(1, 2))[::-1] for name, a in split._asdict().items()}  # (41,) each
    halves = np.median(half_life(_lstm.trace(x)["lstm"].f))
    _curves = {
        "all paths together": lags["total"], "along the cell: products of forget gates": lags["forget"],
        "its first value × σ(b<sub>f</sub>)ᵏ": lags["forget"][0] * _f ** np.arange(41),
    }  # fmt: skip
    mo.vstack([
        mo.md(f"""With $b_f$ = {b_f.value:g} a forget gate at rest is σ($b_f$) = {_f:.3f}, and after **{halves:.1f} words** a
        cell still holds half of its value (the median half-life of the units in these sentences). **Move the bias and watch
        the slope of the lines.** Dashed: the exact product of the gates. Dotted: the bias alone, σ($b_f$)ᵏ. The rest of
        the solid line came through $h$ and $U$, as in a simple network; this part can fade or grow."""),
        drawing.lines(_curves, x_title="lag k: words back from the end", log=True,
                      y_title="‖∂h<sub>T</sub> / ∂c<sub>t</sub>‖"),
    ])  # fmt: skip
    return halves, lags, split


@app.cell(hide_code=True)
def _():
    between = mo.ui.slider(steps=[5, 10, 20, 40], value=40, label="words in between", show_value=True)
    mo.md(f"""
    ## Does it matter?

    Train both networks, with your ρ and $b_f$ from above, on 50 batches of 16 new sentences each. {between}
    """)
    return (between,)


@app.function(hide_code=True)
def learn(model, words_between):
    """The loss at each of 50 training steps, and the share of right answers on 200 other sentences."""
    losses = [np.ravel(model.train_on_batch(*sentences(words_between, 16, seed)))[0] for seed in range(50)]
    x, y = sentences(words_between, 200, seed=1000)
    return np.array(losses), np.mean((model(x) > 0.5) == y)


@app.cell(hide_code=True)
def _(b_f, between, ρ):
    rnn_loss, rnn_right = learn(simple_rnn(ρ.value), between.value)
    lstm_loss, lstm_right = learn(lstm(b_f.value), between.value)
    mo.vstack([
        mo.md(f"""Of 200 new sentences, the simple network gets **{rnn_right:.0%}** right and the LSTM **{lstm_right:.0%}**;
        guessing gets 50 %, with a loss of ln 2 = {np.log(2):.2f}. **Look for the step at which a curve leaves that level:
        there the network has found the first word.** Then set $b_f$ to 1, and try 10, 20 and 40 words. (At the limit chance
        decides: with other sentences or other initial weights a network succeeds earlier, later, or never.)"""),
        drawing.lines({"simple network": rnn_loss, "LSTM": lstm_loss}, x_title="training step", y_title="loss"),
        mo.md(r"""A high forget bias has a price: such a cell also keeps what it should forget. This is why $f$ is a gate and
        not a constant. The microscope in lesson 8 shows how a trained cell uses it, on your own voice."""),
        exercises.heading(4),
        mo.md(r"""
        **1. The right bias.** After $k$ steps a cell must still hold half of its value. Its forget gate depends only on the
        bias. Which bias is right? (`kept(k)` computes the half-life with the engine.)"""),
    ])  # fmt: skip
    return lstm_loss, lstm_right, rnn_loss, rnn_right


@app.function
def answer_1(k):
    """b_f, so that the half-life is k steps."""
    return None


@app.cell(hide_code=True)
def _():
    def kept(k):
        if (bias := answer_1(k)) is None:
            return None
        cell = lstm(bias)
        for name in ("lstm/kernel", "lstm/recurrent_kernel"):
            cell.weights[name][...] = 0.0
        return half_life(cell.trace(np.zeros((1, 3, WORDS)))["lstm"].f)[0]

    check_1 = exercises.check(kept, ((1,), 1.0), ((10,), 10.0), ((250,), 250.0), exercise=(4, 1))
    mo.md(f"""
    {mo.as_html(check_1)}

    **2. One number of a matrix.** A *linear* network has the recurrent kernel $U$. By which factor does the gradient change
    at each step back, in the long run? (The check goes 400 steps back with the engine.)
    """)
    return (check_1,)


@app.function
def answer_2(U):
    """The factor, from U (H, H)."""
    return None


@app.cell(hide_code=True)
def _():
    def _long_run(U):
        walker = network(le.SimpleRNN(len(U), activation="linear"))
        walker.weights["simple_rnn/recurrent_kernel"][...] = U
        walker.weights["simple_rnn/kernel"][...] = 0.0  # so that h stays 0 and p at a half
        walked = gradient_by_lag(walker.trace(np.zeros((1, 400, WORDS)), [[1.0]])["simple_rnn"])
        return walked[-1] / walked[-2]

    _turned = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))[0]
    _cases = [np.array([[0.5, 2.0], [0.0, 0.8]]), _turned @ np.diag([0.3, -0.9, 0.6]) @ _turned.T]
    check_2 = exercises.check(answer_2, *(((U,), _long_run(U)) for U in _cases), rtol=1e-6, exercise=(4, 2))
    mo.md(f"""
    {mo.as_html(check_2)}

    **3. Along the cell.** One unit has the forget gates $f_0 ... f_{{T-1}}$. What is the derivative of the last cell by
    each earlier one, $\\partial c_{{T-1}} / \\partial c_t$, if the gates are constants?
    """)
    return (check_2,)


@app.function
def answer_3(f):
    """(T,): the derivative of the last cell by the cell of step t, from f (T,)."""
    return None


@app.cell(hide_code=True)
def _(split, x):
    def _along(b_f):
        unit = lstm(b_f)
        inside, forget = unit.trace(x[:1])["lstm"], split_by_path(unit.layers[0], x[0]).forget[:, 0, 0]
        return (inside.f[0, :, 0],), forget / forget[-1]  # without the factor from the last c to h

    check_3 = exercises.check(answer_3, _along(1.0), _along(4.0), exercise=(4, 3))
    check_3
    return (check_3,)


if __name__ == "__main__":
    app.run()
