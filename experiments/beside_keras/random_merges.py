"""Random merge layers beside Keras in float64: `python -m experiments.beside_keras.random_merges --examples 1000`.

`random_cases()` draws a layer of `merging.py` with its inputs' shapes and masks; `compare(case)` returns the error of the
output and of every input's gradient, and checks the output's mask.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import lstm_engine as le
from experiments.beside_keras.jax_by_numpy import call
from experiments.beside_keras.random_layers import error, pick, run

Array = np.ndarray
TOLERANCE = 1e-12  # norm-wise and relative: sums of some ten products that are rounded to 1e-16

ELEMENTWISE = ["Add", "Average", "Subtract", "Multiply", "Maximum", "Minimum"]
# Shapes without the batch, of inputs that are broadcast to one another.
TOGETHER = [
    [(3,), (3,)],
    [(4, 3), (4, 3)],
    [(4, 3), (1, 3), (4, 1)],
    [(4, 3), (3,)],
    [(1,), (4, 3), (4, 3)],
    [(2, 4, 3), (4, 3), (3,)],
    [(5, 2)] * 4,
    [(4, 3)],
]
JOINED = [  # with the axis
    ([(3,), (2,), (3,)], -1),
    ([(4, 3), (4, 1)], -1),
    ([(4, 3), (4, 3)], 2),
    ([(4, 3), (2, 3), (1, 3)], 1),
    ([(4, 3), (2, 3)], -2),
    ([(2, 4, 3), (2, 1, 3)], 2),
    ([(4, 3)], -1),
]
SUMMED = [  # with the axes
    ([(3,), (3,)], -1),
    ([(3,), (3,)], 1),
    ([(4, 3), (5, 3)], 2),
    ([(4, 3), (5, 3)], -1),
    ([(4, 5), (5, 3)], (2, 1)),
    ([(5, 4), (5, 3)], 1),
    ([(4, 3), (3,)], (2, 1)),
    ([(3,), (3, 4)], (1, -2)),
    ([(2, 4, 3), (4, 5)], (-2, 1)),
]


@dataclass(frozen=True)
class MergeCase:
    """One comparison. masks: for each input, whether it has one."""

    name: str
    options: dict[str, Any]
    shapes: tuple[tuple[int, ...], ...]
    masks: tuple[bool, ...]
    seed: int


def random_cases(number: int, seed: int) -> Iterator[MergeCase]:
    """So many cases, always the same ones for a seed."""
    rng = np.random.default_rng(seed)
    for _ in range(number):
        name = pick(rng, [*ELEMENTWISE, "Concatenate", "Dot"])
        options: dict[str, Any] = {}
        if name == "Concatenate":
            shapes, options["axis"] = pick(rng, JOINED)
        elif name == "Dot":
            shapes, options["axes"] = pick(rng, SUMMED)
        else:
            shapes = pick(rng, [shapes for shapes in TOGETHER if name != "Subtract" or len(shapes) == 2])
            shapes = [shapes[k] for k in rng.permutation(len(shapes))]
        some = pick(rng, ["none", "some", "all"])
        # Masks are of steps. Keras cannot broadcast one to arrays of other numbers of steps or axes.
        may = [some != "none" and len(shape) == 2 and shape[0] > 1 for shape in shapes]
        masks = tuple(bool(able and (some == "all" or rng.integers(2))) for able in may)
        yield MergeCase(name, options, tuple(shapes), masks, int(rng.integers(2**32)))


def compare(case: MergeCase) -> list[tuple[str, float | None]]:
    """The relative error ‖engine - Keras‖ / ‖Keras‖ of every array, by its kind; infinite where the masks differ."""
    import jax
    import jax.numpy as jnp
    import keras
    from keras.src import backend

    rng, N = np.random.default_rng(case.seed), 3
    x = [rng.standard_normal((N, *shape)) for shape in case.shapes]
    x = [np.where(rng.random(a.shape) < 0.5, np.round(a), a) for a in x]  # some are equal
    masks = [rng.random(a.shape[:2]) < 0.6 if has else None for a, has in zip(x, case.masks, strict=True)]
    theirs = getattr(keras.layers, case.name)(**case.options)
    ours = getattr(le, case.name)(**case.options)

    def run(x: Any) -> Any:
        for a, m in zip(x, masks, strict=True):
            if m is not None:
                backend.set_keras_mask(a, jnp.asarray(m))
        return theirs(list(x))

    def mask_of(x: Any) -> list[Any]:
        mask = backend.get_keras_mask(run(x))
        return [] if mask is None else [mask]

    y, _, tape = ours.forward(x, mask=masks)
    dy = rng.standard_normal(y.shape)
    dx = ours.backward(tape, dy)[0]

    def everything(x: Any, dy: Any) -> Any:
        out, pull = jax.vjp(run, x)
        return out, *pull(dy)

    expected, dx_of_keras = call(everything, x, dy)
    found, mask = ours.output_mask(x, masks), call(mask_of, x)
    same = np.array_equal(found, mask[0]) if mask else found is None
    errors = [(f"{case.name} output", error(y, expected)), (f"{case.name} mask", 0.0 if same else np.inf)]
    return errors + [(f"{case.name} gradient", error(a, b)) for a, b in zip(dx, dx_of_keras, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.beside_keras.random_merges", description=__doc__.split("\n\n")[0]
    )
    parser.add_argument("--examples", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    sys.exit(0 if run(options.examples, options.seed, random_cases, compare, TOLERANCE) else 1)


if __name__ == "__main__":
    main()
