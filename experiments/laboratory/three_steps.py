"""Three optimizer steps against their closed form: sums over all gradients so far, where the optimizer keeps running ones.

No gradient check looks at an optimizer or at clipping. These formulas were written from the papers and Keras's
documentation, share no line with `optimizers.py`, and must agree to float64's rounding.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lstm_engine.activations import Array
from lstm_engine.optimizers import SGD, Adam, AdamW, Nadam, Optimizer, RMSprop

LIMIT = 1e-12  # three steps of some ten roundings each, on weights of size 1; the smallest mistake in `mutants.py` makes 1e-7
ETA, MU, RHO, BETA_1, BETA_2, EPSILON, DECAY, CLIP = 0.1, 0.9, 0.8, 0.9, 0.99, 1e-7, 0.05, 1.0

Arrays = dict[str, Array]
ClosedForm = Callable[[Array, list[Array]], Array]  # w₀ and g₁ g₂ g₃ of one array -> w₃


def gradients() -> list[Arrays]:
    """Of three steps, for two arrays: numbers of size 1 and of 1e-6, one array's norm above CLIP and one's below."""
    rng = np.random.default_rng(0)
    return [
        {"long": rng.standard_normal(6) * 3, "short": rng.standard_normal((2, 3)) * [0.1, 1e-3, 1e-6]} for _ in range(3)
    ]


def faded(gs: list[Array], t: int, by: float) -> Array:
    """Σₛ byᵗ⁻ˢ gₛ over the steps s = 1 ... t."""
    return sum(by ** (t - s) * gs[s - 1] for s in range(1, t + 1))


def sgd(w: Array, gs: list[Array]) -> Array:
    return w - ETA * sum(gs)


def momentum(w: Array, gs: list[Array]) -> Array:
    return w - ETA * sum(faded(gs, t, MU) for t in (1, 2, 3))


def nesterov(w: Array, gs: list[Array]) -> Array:
    return w - ETA * sum(MU * faded(gs, t, MU) + gs[t - 1] for t in (1, 2, 3))


def adam_steps(gs: list[Array]) -> list[Array]:
    steps = []
    for t in (1, 2, 3):
        m, v = (1 - BETA_1) * faded(gs, t, BETA_1), (1 - BETA_2) * faded([g**2 for g in gs], t, BETA_2)
        steps.append(ETA * (1 - BETA_2**t) ** 0.5 / (1 - BETA_1**t) * m / (v**0.5 + EPSILON))
    return steps


def adam(w: Array, gs: list[Array]) -> Array:
    return w - sum(adam_steps(gs))


def adamw(w: Array, gs: list[Array]) -> Array:
    keep, steps = 1 - ETA * DECAY, adam_steps(gs)
    return keep**3 * w - sum(keep ** (3 - t) * steps[t - 1] for t in (1, 2, 3))


def nadam(w: Array, gs: list[Array]) -> Array:
    mu = [BETA_1 * (1 - 0.96**t / 2) for t in (1, 2, 3, 4)]
    for t in (1, 2, 3):
        m, v = (1 - BETA_1) * faded(gs, t, BETA_1), (1 - BETA_2) * faded([g**2 for g in gs], t, BETA_2)
        ahead = mu[t] / (1 - np.prod(mu[: t + 1])) * m
        now = (1 - mu[t - 1]) / (1 - np.prod(mu[:t])) * gs[t - 1]
        w = w - ETA * (ahead + now) / ((v / (1 - BETA_2**t)) ** 0.5 + EPSILON)
    return w


def rmsprop_steps(gs: list[Array], centered: bool) -> list[Array]:
    steps = []
    for t in (1, 2, 3):
        mean, square = (1 - RHO) * faded(gs, t, RHO), (1 - RHO) * faded([g**2 for g in gs], t, RHO)
        steps.append(ETA * gs[t - 1] / (square - centered * mean**2 + EPSILON) ** 0.5)
    return steps


def rmsprop(w: Array, gs: list[Array]) -> Array:
    return w - sum(rmsprop_steps(gs, False))


def rmsprop_centered(w: Array, gs: list[Array]) -> Array:
    """With momentum, which gathers the steps."""
    return w - sum(faded(rmsprop_steps(gs, True), t, MU) for t in (1, 2, 3))


def clipped_one_by_one(grads: Arrays) -> Arrays:
    return {name: np.array([min(max(x, -CLIP), CLIP) for x in g.flat]).reshape(g.shape) for name, g in grads.items()}


def clipped_by_norm(grads: Arrays) -> Arrays:
    return {name: g * min(1.0, CLIP / (g**2).sum() ** 0.5) for name, g in grads.items()}


def clipped_together(grads: Arrays) -> Arrays:
    """The first step's gradients are kept short of the limit: they must not be stretched."""
    norm = sum((g**2).sum() for g in grads.values()) ** 0.5
    return {name: g * min(1.0, CLIP / norm) for name, g in grads.items()}


Clipping = Callable[[Arrays], Arrays]
CASES: dict[str, tuple[Callable[[], Optimizer], ClosedForm, Clipping]] = {
    "SGD": (lambda: SGD(ETA), sgd, lambda g: g),
    "SGD with momentum": (lambda: SGD(ETA, MU), momentum, lambda g: g),
    "SGD with Nesterov's momentum": (lambda: SGD(ETA, MU, nesterov=True), nesterov, lambda g: g),
    "Adam": (lambda: Adam(ETA, BETA_1, BETA_2, EPSILON), adam, lambda g: g),
    "AdamW": (
        lambda: AdamW(ETA, DECAY, beta_1=BETA_1, beta_2=BETA_2, epsilon=EPSILON), adamw, lambda g: g,
    ),
    "Nadam": (lambda: Nadam(ETA, BETA_1, BETA_2, EPSILON), nadam, lambda g: g),
    "RMSprop": (lambda: RMSprop(ETA, RHO, epsilon=EPSILON), rmsprop, lambda g: g),
    "RMSprop, centered": (lambda: RMSprop(ETA, RHO, MU, EPSILON, centered=True), rmsprop_centered, lambda g: g),
    "clipvalue": (lambda: SGD(ETA, clipvalue=CLIP), sgd, clipped_one_by_one),
    "clipnorm": (lambda: SGD(ETA, clipnorm=CLIP), sgd, clipped_by_norm),
    "global_clipnorm": (lambda: SGD(ETA, global_clipnorm=CLIP), sgd, clipped_together),
}  # fmt: skip


def errors() -> dict[str, float]:
    """By case, how far the optimizer's weights are from the closed form's after three steps, relative to them."""
    distances = {}
    for name, (make, closed_form, clipping) in CASES.items():
        steps = gradients()
        steps[0] = {k: g * 0.1 for k, g in steps[0].items()}  # all together below the limit
        start = {k: np.linspace(0.5, 1.5, g.size).reshape(g.shape) for k, g in steps[0].items()}
        weights, optimizer = {k: w.copy() for k, w in start.items()}, make()
        with np.errstate(all="ignore"):  # a mistake may divide by zero
            for grads in steps:
                optimizer.apply(weights, {k: g.copy() for k, g in grads.items()})
        limited = [clipping(grads) for grads in steps]
        expected = {k: closed_form(w, [grads[k] for grads in limited]) for k, w in start.items()}
        distances[name] = max(float(np.abs(weights[k] / w - 1).max()) for k, w in expected.items())
    return distances
