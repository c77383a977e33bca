"""Random layers beside Keras in float64: `python -m experiments.beside_keras.random_layers --examples 5000 --seed 1`.

`random_cases()` draws a layer with its options, mask and states; `compare(case)` gives it weights at unit scale, runs it here
and in Keras, and returns the error of every output, last state and gradient. tests/experiments/beside_keras draws alike.
`--kind others` draws the layers without recurrence, of `random_other_layers.py`.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter
from typing import Any

import numpy as np

import lstm_engine as le
from experiments.beside_keras.jax_by_numpy import call
from experiments.beside_keras.twins import exact_tanh, import_keras
from lstm_engine.activations import ACTIVATIONS, KERAS_2
from lstm_engine.backend import one_thread_pool
from lstm_engine.gradient_check import unit_scale

# A layer's class and options, of which some may be layers: the same in both libraries.
Spec = tuple[str, dict[str, Any]]
Array = np.ndarray
# Norm-wise and relative. Roundings of 1e-16 grow in a few steps at unit scale to some 1e-14; a bug makes 1e-2.
TOLERANCE = 1e-9

# (N, T, D, H): every size is 1 somewhere, and otherwise they differ, so that no axis passes for another; 17 rows are more
# than one block of the compiled kernels.
SHAPES = [
    (1, 1, 1, 1), (4, 1, 3, 5), (1, 6, 3, 4), (3, 5, 1, 4), (3, 4, 2, 1), (2, 3, 4, 5),
    (5, 7, 3, 4), (4, 9, 2, 3), (17, 5, 3, 6), (2, 8, 5, 4), (6, 2, 7, 3), (8, 4, 3, 16),
]  # fmt: skip

# Every option with the values to draw from; a value that stands twice is drawn twice as often.
FLAGS = (False, True)
SHARED = {"return_sequences": FLAGS, "return_state": FLAGS, "stateful": FLAGS}  # by the two layers of a Bidirectional
OWN = {"use_bias": FLAGS, "go_backwards": FLAGS, "zero_output_for_mask": FLAGS, "unroll": (False, False, False, True)}
OWN |= {"dropout": (0.0, 0.3), "recurrent_dropout": (0.0, 0.3)}
CALL = {
    "mask": ("none", "none", "none", "holes", "holes", "right", "right", "left", "empty rows", "empty"),
    "initial_state": FLAGS, "training": (False, True, True), "backend": ("auto", "numpy"),
}  # fmt: skip
NAMES = [*(name for name in ACTIVATIONS if name not in KERAS_2.values()), None]  # those that Keras 3 has
CELLS = ("LSTM", "GRU", "SimpleRNN")
ZEROS = {"kernel_initializer": "zeros", "recurrent_initializer": "zeros"}  # spares Keras the drawing: weights are set
# Activations without a bound: h may run away. Weights are then half of unit scale, and a case is left out whose results in
# Keras are not finite or pass RUNAWAY, or whose gates or states do: an error of 1e-16 grows with them, and a derivative
# of softsign in JAX, which squares |z| + 1, overflows.
GROWING = {"elu", "exponential", "leaky_relu", "linear", "relu", "selu", "softplus"}
RUNAWAY = 1e6


@dataclass(frozen=True)
class LayerCase:
    """One comparison. A stateful layer is called twice; the second call starts from the states that the first one left."""

    spec: Spec
    shape: tuple[int, int, int, int]
    mask: str
    initial_state: bool
    training: bool
    backend: str
    seed: int


def pick(rng: np.random.Generator, values: Sequence[Any]) -> Any:
    """One of the values, each equally likely."""
    return values[rng.integers(len(values))]


def draw_layer(rng: np.random.Generator, fixed: dict[str, Any]) -> Spec:
    """A recurrent layer with random options, beside those that are fixed."""
    cell = pick(rng, CELLS)
    options = {name: pick(rng, values) for name, values in OWN.items()} | fixed
    if pick(rng, FLAGS):  # the other half keeps the activations that have kernels
        options["activation"] = pick(rng, NAMES)
        if cell != "SimpleRNN":
            options["recurrent_activation"] = pick(rng, NAMES)
    return cell, options | ({"reset_after": pick(rng, FLAGS)} if cell == "GRU" else {})


def draw_case(rng: np.random.Generator) -> LayerCase:
    """A layer, alone or in a Bidirectional, with its input's shape and the options of the call."""
    shape = pick(rng, SHAPES)
    shared = {"units": shape[-1]} | {name: pick(rng, values) for name, values in SHARED.items()}
    spec, mixed = draw_layer(rng, shared), False
    if pick(rng, FLAGS):
        options: dict[str, Any] = {"layer": spec, "merge_mode": pick(rng, ["concat", "sum", "mul", "ave", None])}
        if pick(rng, FLAGS):
            other = draw_layer(rng, shared | {"go_backwards": not spec[1]["go_backwards"]})
            options["backward_layer"], mixed = other, other[0] != spec[0]
        else:
            spec[1]["go_backwards"] = False  # both libraries refuse it here
        spec = ("Bidirectional", options)
    mask, states, training, backend = (pick(rng, values) for values in CALL.values())
    return LayerCase(spec, shape, mask, states and not mixed, training, backend, int(rng.integers(2**32)))


def random_cases(number: int, seed: int) -> Iterator[LayerCase]:
    """So many cases, always the same ones for a seed; those of which one side runs nothing are left out."""
    rng = np.random.default_rng(seed)
    drawn = iter(lambda: draw_case(rng), None)
    return islice((case for case in drawn if not left_out(case)), number)


def left_out(case: LayerCase) -> str:
    """Why one of the two sides does not run this case, on purpose or by a bug of Keras's; "" when both do."""
    name, options = case.spec
    inner = [options[half][1] for half in ("layer", "backward_layer") if half in options] or [options]
    first, wrapped = inner[0], name == "Bidirectional"
    if wrapped and first["stateful"] and first["return_state"]:
        return "Keras's Bidirectional fails when it is stateful and returns its states"
    zeroed = first["return_sequences"] if wrapped else first["zero_output_for_mask"]
    unrolled = any(half["unroll"] for half in inner) and case.mask != "none"
    if unrolled and (zeroed or case.initial_state or first["stateful"]):
        return "unrolled, Keras repeats zeros at masked first steps and forgets zero_output_for_mask: refused here"
    return ""


# -- the two sides -----------------------------------------------------------------------------------------------------


def make(library: Any, spec: Spec) -> Any:
    """The layer from `le` or `keras.layers`; or the optimizer with its schedule, from `le` or `keras.optimizers`."""
    name, options = spec
    arguments = {
        k: make(library, v) if isinstance(v, tuple) and isinstance(v[0], str) else v for k, v in options.items()
    }
    return attrgetter(name)(library)(**arguments, **(ZEROS if name in CELLS else {}))


def halves(layer: Any) -> list[Any]:
    """The one or two recurrent layers of a layer of either library."""
    for first, second in (("forward_half", "backward_half"), ("forward_layer", "backward_layer")):
        if hasattr(layer, first):
            return [getattr(layer, first), getattr(layer, second)]
    return [layer]


def draw_mask(kind: str, N: int, T: int, rng: np.random.Generator) -> Array | None:
    """(N, T) of bool: random holes, the end or the beginning of rows left out, some rows or all of them empty."""
    if kind == "none":
        return None
    holes, right = rng.random((N, T)) < 0.6, np.arange(T) < rng.integers(1, T + 1, (N, 1))
    some = holes & (rng.random((N, 1)) < 0.6)
    return {"holes": holes, "right": right, "left": right[:, ::-1], "empty rows": some, "empty": 0 * holes > 0}[kind]


def share_dropout(ours: Any, theirs: Any, x: Array) -> None:
    """Gives both sides, for the next call, the masks that the engine draws now."""
    for half, other in zip(halves(ours), halves(theirs), strict=True):
        drawn = type(half).dropout_masks(half, x.shape, x.dtype)
        half.dropout_masks = lambda *_, drawn=drawn: drawn
        on_input, on_state = (None if m is None else list(m) if len(m) > 1 else m[0] for m in drawn)
        other.cell.get_dropout_mask = lambda _, m=on_input: m
        other.cell.get_recurrent_dropout_mask = lambda _, m=on_state: m


def keras_call(
    layer: Any, kept: list[Any], x: Array, training: bool, mask: Array | None, states: list[Array] | None,
    upstream: list[Array],
) -> tuple[list[Array], list[Array], Array, list[Array] | None, list[Array]]:  # fmt: skip
    """Outputs, gradients of the weights, of x and of the initial states, and the states that a stateful layer keeps."""
    import jax
    import keras

    variables = kept_variables(layer)

    def outputs(weights: Any, x: Any, states: Any) -> Any:
        values = [*zip(layer.trainable_variables, weights, strict=True), *zip(variables, kept, strict=True)]
        with keras.StatelessScope(state_mapping=values) as scope:
            m = None if mask is None else jax.numpy.asarray(mask)
            out = layer(x, training=training, mask=m, initial_state=states)
        return list(out) if isinstance(out, list | tuple) else [out], [scope.get_current_value(v) for v in variables]

    def everything(weights: Any, x: Any, states: Any, upstream: Any) -> Any:
        out, pull, left = jax.vjp(outputs, weights, x, states, has_aux=True)
        return out, *pull(upstream), left

    return call(everything, [v.value for v in layer.trainable_variables], x, states, upstream)


def kept_variables(layer: Any) -> list[Any]:
    """A stateful Keras layer's states. (Keras does not track them: stateless_call would lose them.)"""
    return [v for half in halves(layer) for v in half.states or ()]


def compare(case: LayerCase) -> list[tuple[str, float | None]]:
    """The relative error ‖engine - Keras‖ / ‖Keras‖ of every array, by its kind; None where both are 0 throughout.

    Empty for a case that runs away.
    """
    import keras

    N, T, D, H = case.shape
    rng = np.random.default_rng(case.seed)
    ours, theirs = make(le, case.spec), exact_tanh(make(keras.layers, case.spec))
    ours.build((T, D), "float64", case.backend, rng)
    theirs.build((N, T, D))
    unit_scale(ours, rng)
    if any(set(half.activations.values()) & GROWING for half in halves(ours)):
        for w in ours.weights.values():
            w *= 0.5
    theirs.set_weights(list(ours.weights.values()))
    names = [name for half in halves(ours) for name in half.state_names]  # of the states
    n = 2 if getattr(ours, "merge_mode", "") is None else 1  # outputs before the states
    kept = [v.value for v in kept_variables(theirs)]
    errors = []
    for repeat in range(2 if halves(ours)[0].stateful else 1):
        x, mask = rng.standard_normal((N, T, D)), draw_mask(case.mask, N, T, rng)
        states = list(rng.standard_normal((len(names), N, H))) if case.initial_state and not repeat else None
        share_dropout(ours, theirs, x)
        with one_thread_pool(ours.backends()), np.errstate(over="ignore", invalid="ignore"):  # it may run away
            y, last, tape = ours.forward(x, case.training, mask, states)
            out = ours.outputs(y, last)
            out = out if isinstance(out, list) else [out]
            upstream = [rng.standard_normal(y.shape) for y in out]
            dy = upstream[:n] if n == 2 else upstream[0]
            dx, dstates, dw = ours.backward(tape, dy, upstream[n:])
        expected, dw_, dx_, dstates_, kept = keras_call(theirs, kept, x, case.training, mask, states, upstream)
        kinds = ["output"] * n + [f"state {name}" for name in names[: len(out) - n]] + ["gradient x"]
        kinds += [f"gradient {name}0" for name in names if dstates_]
        kinds += [f"gradient {name.split('/')[-1]}" for name in dw]
        engine = [*out, dx, *(dstates if dstates_ else []), *dw.values()]
        reference = [*expected, dx_, *(dstates_ or []), *dw_]
        steps = [vars(part.steps).values() for _, part, _ in ours.recurrences(tape, dy)]
        on_tape = [a for arrays in steps for a in arrays if isinstance(a, np.ndarray)]
        if not all(np.abs(b).max(initial=0.0) < RUNAWAY for b in reference):
            return []
        if any(np.abs(a).max(initial=0.0) >= RUNAWAY for a in on_tape):  # NaN stays in, and fails
            return []
        errors += [(k, error(a, b)) for k, a, b in zip(kinds, engine, reference, strict=True)]
    return errors


def error(a: Array, b: Array) -> float | None:
    """‖a - b‖ / ‖b‖ in float64; None, nothing compared, when both are 0 throughout, and infinite when b alone is."""
    if a.shape != b.shape or a.dtype != np.float64 or b.dtype != np.float64:
        raise TypeError(f"float64 arrays of one shape were expected: {a.dtype} {a.shape} and {b.dtype} {b.shape}")
    if not b.any():
        return np.inf if a.any() else None
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


# -- the command -------------------------------------------------------------------------------------------------------


def run(
    examples: int, seed: int, cases: Callable[..., Any] = random_cases, compare: Callable[..., Any] = compare,
    tolerance: float = TOLERANCE,
) -> bool:  # fmt: skip
    """Compares `examples` cases of this seed and prints what came out; True when all of them agree."""
    import_keras("float64")
    worst: dict[str, tuple[float, Any]] = {}
    compared, zero, runaways, apart, started = Counter[str](), Counter[str](), 0, 0, time.perf_counter()
    for n, case in enumerate(cases(examples, seed), 1):
        errors = compare(case)
        runaways += not errors
        for kind, e in errors:
            (zero if e is None else compared)[kind] += 1
            if e is not None and not e <= worst.get(kind, (-1.0, case))[0]:
                worst[kind] = e, case
        if not all(e is None or e <= tolerance for _, e in errors):
            apart += 1
            print(f"APART {errors}\n  {case}", flush=True)
        if n % 500 == 0:
            print(f"{n} examples, {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    print(
        f"{examples} examples of seed {seed} in {time.perf_counter() - started:.0f} s: {apart} differ by more than "
        f"{tolerance:g}; {runaways} were left out because their numbers in Keras run away"
    )
    print(f"{compared.total()} arrays compared; {zero.total()} were 0 on both sides (not exercised)")
    for kind, (e, case) in sorted(worst.items()):
        print(f"{kind:<26} {compared[kind]:>6} compared, {zero[kind]:>5} zero, worst {e:.1e} at {case}")
    return not apart


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.beside_keras.random_layers", description=__doc__.split("\n\n")[0]
    )
    parser.add_argument("--examples", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", choices=("recurrent", "others"), default="recurrent")
    options = parser.parse_args()
    sides = (random_cases, compare)
    if options.kind == "others":
        from experiments.beside_keras import random_other_layers as others

        sides = (others.random_cases, others.compare)
    sys.exit(0 if run(options.examples, options.seed, *sides) else 1)


if __name__ == "__main__":
    main()
