"""Levels 4 and 5 of an assignment: a learner's Adam beside the engine's optimizer, a training loop beside the engine's.

Where the numbers differ, known slips are computed too; the one that gives the learner's numbers to rounding is the mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..activations import Array
from ..cells.gru import GRU
from ..cells.lstm import LSTM
from ..cells.simple_rnn import SimpleRNN
from ..feedforward import Dense
from ..optimizers import Adam
from ..sequential import Sequential
from .adapters import Layout
from .conventions import Truth, close, standard_inputs
from .equations import evaluate
from .learner import Fault, array, call, copied, judging, parts, unchanged
from .source_lines import line_assigning
from .verdict import Finding, Wrong

Function = Callable[..., Any]
EQUAL = 1e-9  # of the largest number: 20 steps of training in float64 add up less rounding than that
STEPS = 20


class Slip(NamedTuple):
    """A line of an algorithm with a mistake in it."""

    line: str  # "m", or the name of what is changed
    wrong: str
    words: str = ""


# -- Adam --------------------------------------------------------------------------------------------------------------

ADAM = {
    "m": "beta_1 * m + (1 - beta_1) * dw",
    "v": "beta_2 * v + (1 - beta_2) * dw**2",
    "m_hat": "m / (1 - beta_1**t)",
    "v_hat": "v / (1 - beta_2**t)",
    "w": "w - rate * m_hat / (np.sqrt(v_hat) + epsilon)",
}
ADAM_EQUATIONS = {
    "m": "m = β₁m + (1 - β₁)·dw",
    "v": "v = β₂v + (1 - β₂)·dw²",
    "m_hat": "m̂ = m / (1 - β₁ᵗ)",
    "v_hat": "v̂ = v / (1 - β₂ᵗ)",
    "w": "w = w - η·m̂ / (√v̂ + ε)",
}
NAMES_OF = {
    "m": "m|mt|mnew|nextm",
    "v": "v|vt|vnew|nextv",
    "m_hat": "m(hat|corr|corrected|unbias|c|t|b)",
    "v_hat": "v(hat|corr|corrected|unbias|c|t|b)",
    "w": "w|wnew|nextw|step|update",
}
KERAS_FORM = "w - rate * np.sqrt(1 - beta_2**t) / (1 - beta_1**t) * m / (np.sqrt(v) + epsilon)"
ADAM_SLIPS = [
    Slip("m", "beta_1 * m + dw", "dw enters m without the factor 1 - β₁"),
    Slip("m", "dw", "m is dw alone"),
    Slip("m", "(1 - beta_1) * m + beta_1 * dw", "β₁ and 1 - β₁ are exchanged"),
    Slip("m", "beta_2 * m + (1 - beta_2) * dw", "β₂ stands for β₁"),
    Slip("v", "beta_2 * v + dw**2", "dw² enters v without the factor 1 - β₂"),
    Slip("v", "beta_2 * v + (1 - beta_2) * dw", "dw is not squared"),
    Slip("v", "(1 - beta_2) * v + beta_2 * dw**2", "β₂ and 1 - β₂ are exchanged"),
    Slip("v", "beta_1 * v + (1 - beta_1) * dw**2", "β₁ stands for β₂"),
    Slip("v", "beta_2 * v + ((1 - beta_2) * dw)**2", "1 - β₂ is squared too"),
    Slip("m_hat", "m", "m is not corrected for its start at 0"),
    Slip("v_hat", "v", "v is not corrected for its start at 0"),
    Slip("m_hat", "m / (1 - beta_1)", "β₁ lacks its exponent t"),
    Slip("v_hat", "v / (1 - beta_2)", "β₂ lacks its exponent t"),
    Slip("m_hat", "m / (1 - beta_1**(t + 1))", "t is counted from 1 here; t + 1 stands in the exponent"),
    Slip("v_hat", "v / (1 - beta_2**(t + 1))", "t is counted from 1 here; t + 1 stands in the exponent"),
    Slip("w", "w - rate * m_hat / np.sqrt(v_hat + epsilon)", "ε stands under the root"),
    Slip("w", "w - rate * m_hat / np.sqrt(v_hat)", "ε is missing"),
    Slip("w", "w - rate * m_hat / (v_hat + epsilon)", "the root is missing"),
    Slip("w", "w + rate * m_hat / (np.sqrt(v_hat) + epsilon)", "the step goes uphill: + for -"),
    Slip("w", "w - m_hat / (np.sqrt(v_hat) + epsilon)", "the learning rate is missing"),
    Slip("w", "w - rate * m / (np.sqrt(v) + epsilon)", "m and v stand there, not m̂ and v̂"),
    Slip("w", "w - rate * dw / (np.sqrt(v_hat) + epsilon)", "dw stands for m̂"),
]  # fmt: skip
SETTINGS = {"learning_rate": 0.1, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 0.05}  # an ε that can be seen


def judge_adam(adam_step: Function) -> list[str]:
    """Three steps of a learner's Adam beside the engine's. Notes; Wrong or Fault if they differ."""
    rng = np.random.default_rng(2)
    w = rng.standard_normal((3, 4))
    signed = [rng.standard_normal((3, 4)) for _ in range(3)]
    judge_steps(adam_step, w, [np.abs(dw) for dw in signed])  # a v that is not squared stays above 0
    try:
        return judge_steps(adam_step, w, signed)
    except (Wrong, Fault):
        name = adam_step.__name__
        sentence = f"{name} is right for gradients above 0 and wrong for those below."
        raise Wrong(Finding(name, sentence, "dw", "Look at the sign of dw.")) from None


def judge_steps(adam_step: Function, w: Array, gradients: Sequence[Array]) -> list[str]:
    """As many steps as there are gradients."""
    with judging(adam_step):
        theirs = list(steps_of(adam_step, w, gradients))
    engine = np.array(w)
    optimizer = Adam(**SETTINGS)
    for dw in gradients:
        optimizer.apply({"w": engine}, {"w": dw})
    if close(theirs[-1]["w"], engine, EQUAL):
        return []
    if same_steps(theirs, w, gradients, {}):
        return [
            f"{adam_step.__name__} adds ε to √v̂, as algorithm 1 of the paper does; the engine and Keras add it to √v before "
            "the correction. Both are Adam."
        ]
    raise Wrong(adam_finding(adam_step, theirs, w, gradients))


def steps_of(adam_step: Function, w: Array, gradients: Sequence[Array]) -> Iterator[dict[str, Array]]:
    """w, m and v after each step of the learner's."""
    name, m, v = adam_step.__name__, np.zeros_like(w), np.zeros_like(w)
    for t, dw in enumerate(gradients, start=1):
        arguments = {"w": w, "dw": dw, "m": m, "v": v, "t": t} | SETTINGS
        returned = parts(unchanged(adam_step, arguments), ("w", "m", "v"), name)
        w, m, v = (array(a, w.shape, f"{name}: {letter}") for a, letter in zip(returned, "wmv", strict=True))
        yield {"w": w, "m": m, "v": v}


def same_steps(
    theirs: Sequence[Mapping[str, Array]], w: Array, gradients: Sequence[Array], changed: Mapping[str, str]
) -> bool:
    """Whether these equations give the learner's w at every step, and m and v."""
    values: dict[str, Any] = {"w": w, "m": np.zeros_like(w), "v": np.zeros_like(w)} | SETTINGS
    values["rate"] = SETTINGS["learning_rate"]
    for t, (dw, step) in enumerate(zip(gradients, theirs, strict=True), start=1):
        values |= {"dw": dw, "t": t}
        with np.errstate(all="ignore"):
            evaluate(ADAM, values, changed)
        if not all(close(step[letter], values[letter], EQUAL) for letter in "wmv"):
            return False
    return True


def adam_finding(
    adam_step: Function, theirs: Sequence[Mapping[str, Array]], w: Array, gradients: Sequence[Array]
) -> Finding:
    """The slip, or the first of m, v and w that is wrong."""
    name = adam_step.__name__
    for slip in ADAM_SLIPS:
        keras = {"w": slip.wrong if slip.line == "w" else KERAS_FORM}
        if any(same_steps(theirs, w, gradients, {slip.line: slip.wrong} | form) for form in ({}, keras)):
            letter = {"m_hat": "m̂", "v_hat": "v̂"}.get(slip.line, slip.line)
            belongs = f"Your numbers are exactly those of this slip: {slip.words}."
            place = line_assigning(NAMES_OF[slip.line], adam_step, computed=False)
            return Finding(
                name,
                f"{name}: look at {letter}.",
                letter,
                region_of(slip.line),
                ADAM_EQUATIONS[slip.line],
                belongs,
                place,
            )
    for k, step in enumerate(theirs):
        right = {"m": np.zeros_like(w), "v": np.zeros_like(w)}
        for dw in gradients[: k + 1]:
            right = {"m": 0.8 * right["m"] + 0.2 * dw, "v": 0.95 * right["v"] + 0.05 * dw**2}
        for letter in "mv":
            if not close(step[letter], right[letter], EQUAL):
                return Finding(name, f"{name}: {letter} is wrong at step {k + 1}.", letter, "", ADAM_EQUATIONS[letter])
    equations = "; ".join(ADAM_EQUATIONS[line] for line in ("m_hat", "v_hat", "w"))
    return Finding(name, f"{name}: m and v are right, and the new w is wrong.", "w", region_of("w"), equations)


def region_of(line: str) -> str:
    return {
        "m": "The running mean of the gradient is wrong.",
        "v": "The running mean of the squared gradient is wrong.",
        "w": "m and v are right; the step that is made of them is wrong.",
    }.get(line, "m and v are right; the correction for their start at 0 is wrong.")


# -- training ----------------------------------------------------------------------------------------------------------

TRAIN_SLIPS = [
    Slip("the loss's gradient", "halved", "the factor 2 of the square's derivative is missing in dp"),
    Slip("the loss's gradient", "summed", "dp is not divided by the number of sequences: the loss is a mean"),
    Slip("the gradient of h", "every", "dp V enters dh at every step, where only the last h reaches the loss"),
    Slip("the gradient of h", "first", "dp V enters dh at the first step instead of the last"),
    Slip("Adam's t", "t", "t stays 1 for every batch: count it up"),
    Slip("Adam's t", "t0", "t is counted from 2"),
    Slip("the moments", "moments", "m and v start at 0 again at every batch: keep them from batch to batch"),
    Slip("V", "V", "V is not trained"),
    Slip("d", "d", "the output's bias is not trained"),
    Slip("U", "U", "U is not trained"),
    Slip("b", "b", "b is not trained"),
    Slip("W", "W", "W is not trained"),
    Slip("the learning rate", "rate", "the learning rate that train gets is not passed on to Adam"),
]  # fmt: skip


@dataclass
class Task:
    """Batches and weights of a small regression, in the standard form."""

    layout: Layout
    weights: dict[str, Array]  # W, U, b, V (H, 1), d (1,)
    batches: list[tuple[Array, Array]]  # x (T, B, D), y (B, 1)
    rate: float = 0.02


def task(layout: Layout, one_sequence: bool = False) -> Task:
    """The same for every learner; seed fixed."""
    T, B, D, H = 6, 1 if one_sequence else 4, 3, 5
    rng = np.random.default_rng(3)
    inputs = standard_inputs(layout, steps=T, batch=B, features=D, units=H)
    weights = {name: inputs[name] for name in ("W", "U", "b")}
    weights |= {"V": rng.standard_normal((H, 1)), "d": np.array([0.1])}
    batches = [(rng.standard_normal((T, B, D)), rng.standard_normal((B, 1))) for _ in range(STEPS)]
    return Task(layout, weights, batches)


def judge_training(train: Function, layout: Layout, one_sequence: bool = False) -> list[str]:
    """20 steps of a learner's training loop beside a model of the engine: same weights, same batches."""
    work = task(layout, one_sequence)
    parameters, batches = in_convention(work)
    name = train.__name__
    with judging(train):
        returned = call_unchanged(train, batches, parameters, work.rate)
        if returned is None:
            raise Fault(f"{name} returns None, expected a list of {STEPS} losses. Does it end with return?")
        losses = array(returned, (STEPS,), f"{name}: the losses")
    if any(close(losses, engine_losses(work, keras), EQUAL) for keras in (True, False)):
        return []
    raise Wrong(training_finding(train, losses, work))


def call_unchanged(train: Function, batches: Any, parameters: dict[str, Any], rate: float) -> Any:
    before = copied(parameters)
    returned = call(train, copied(batches), parameters, rate)
    for key, a in before.items():
        if not np.array_equal(a, np.asarray(parameters.get(key))):
            raise Fault(
                f'{train.__name__} changes parameters["{key}"] of its caller: work on a copy, '
                "parameters = dict(parameters), and give each entry a new array."
            )
    return returned


def in_convention(work: Task) -> tuple[dict[str, Any], list[tuple[Any, Array]]]:
    """Parameters and batches as the starter of this convention describes them."""
    layout, w = work.layout, work.weights
    columns = layout.weights == "hd"
    parameters = {
        name: layout.theirs(role, w)
        for name, role in layout.roles.items()
        if isinstance(role, str) and role[0] in "WUb"
    }
    bias = "k" if any(role == "bWU" for role in layout.roles.values()) else "d"
    parameters |= {"V": w["V"].T.copy(), bias: w["d"][:, None]} if columns else {"V": w["V"], bias: w["d"]}
    return parameters, [(layout.axes_as_theirs("x", x), y.T.copy() if columns else y) for x, y in work.batches]


def engine_losses(work: Task, keras: bool) -> Array:
    """The losses of the engine's own model, each from before its step. keras: ε where Keras has it, else as algorithm 1."""
    units = len(work.weights["U"])
    layer = {"lstm": LSTM, "gru": GRU, "rnn": SimpleRNN}[work.layout.cell]
    recurrent = GRU(units, reset_after=False) if layer is GRU else layer(units)
    model = Sequential([recurrent, Dense(1)], dtype="float64", backend="numpy")
    T, _, D = work.batches[0][0].shape
    model.build((T, D))
    model.set_weights([work.weights[name] for name in ("W", "U", "b", "V", "d")])
    optimizer = Adam(work.rate)
    model.compile(loss="mse", optimizer=optimizer)
    losses = []
    for t, (x, y) in enumerate(work.batches, start=1):
        optimizer.epsilon = 1e-7 * (1.0 if keras else np.sqrt(1 - 0.999**t))
        losses.append(float(model.train_on_batch(x.swapaxes(0, 1), y)))
    return np.array(losses)


def training_finding(train: Function, losses: Array, work: Task) -> Finding:
    """The slip, or the first batch at which the losses part."""
    name = train.__name__
    right = own_losses(work, "")
    for slip in TRAIN_SLIPS:
        if close(losses, own_losses(work, slip.wrong), EQUAL):
            return Finding(
                name,
                f"{name}: the losses depart from batch {first_apart(losses, right)} on: look at {slip.line}.",
                slip.line,
                "The forward pass and the loss are right; what the step is made of is not.",
                belongs=f"Your losses are exactly those of this slip: {slip.words}.",
            )
    at = first_apart(losses, right)
    if at == 1:
        sentence = f"{name}: the first loss is {losses[0]:.6g}, expected {right[0]:.6g}: look at p and the loss."
        return Finding(
            name,
            sentence,
            "the loss",
            "Nothing is trained yet: the forward pass in train, or the loss, is wrong.",
            "loss = mean((p - y)²)",
        )
    sentence = f"{name}: the losses are right up to batch {at - 1} and differ from batch {at} on"
    size = float(np.abs(losses - right).max() / np.abs(right).max())
    if size < 1e-4:
        sentence += (
            f", by {size:.0e}: so little is left of a wrong constant factor in a gradient, which Adam nearly cancels"
        )
    return Finding(
        name, sentence + ".", "the step", "The loss is right; a gradient, or the step that Adam makes of it, is not."
    )


def first_apart(losses: Array, right: Array) -> int:
    """The first batch, from 1, whose loss is not right."""
    apart = np.abs(losses - right) > EQUAL * np.abs(right).max()
    return int(np.argmax(apart)) + 1


def own_losses(work: Task, slip: str) -> Array:
    """The losses of a loop of our own around the engine's pair, with a slip in it or with none."""
    w = {name: a.copy() for name, a in work.weights.items()}
    moments = {name: (np.zeros_like(a), np.zeros_like(a)) for name, a in w.items()}
    losses = []
    for number, (x, y) in enumerate(work.batches, start=1):
        start = {
            k: np.zeros((x.shape[1], len(w["U"]))) for k in (("h0", "c0") if work.layout.cell == "lstm" else ("h0",))
        }
        truth = Truth(work.layout, {"x": x, "W": w["W"], "U": w["U"], "b": w["b"]} | start)
        h = truth.outputs["h"]
        p = h[-1] @ w["V"] + w["d"]
        losses.append(float(((p - y) ** 2).mean()))
        dp = (1 if slip == "halved" else 2) * (p - y) / (1 if slip == "summed" else p.size)
        dh = np.zeros_like(h)
        dh[slice(None) if slip == "every" else 0 if slip == "first" else -1] = dp @ w["V"].T
        gradients = truth.gradients({"h": dh}) | {"V": h[-1].T @ dp, "d": dp.sum(axis=0)}
        t = {"t": 1, "t0": number + 1}.get(slip, number)
        for name in w:
            if name == slip:
                continue
            m, v = (0.0, 0.0) if slip == "moments" else moments[name]
            values = {"w": w[name], "dw": gradients[name], "m": m, "v": v, "t": t, "beta_1": 0.9, "beta_2": 0.999,
                      "epsilon": 1e-7, "rate": 0.001 if slip == "rate" else work.rate}  # fmt: skip
            evaluate(ADAM, values, {})
            w[name], moments[name] = values["w"], (values["m"], values["v"])
    return np.array(losses)
