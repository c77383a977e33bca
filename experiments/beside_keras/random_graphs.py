"""Random networks beside Keras's functional API in float64: `python -m experiments.beside_keras.random_graphs --graphs 200`.

`random_cases()` draws a network: a few inputs, up to 8 calls of layers, some of them called twice, states handed from one
recurrent layer to another, masks, and several outputs with a weighted loss each. `compare(case)` builds it here and in Keras
with the same weights, and returns the error of every output, of the loss, and of its gradient with respect to every weight
and every input. The weights are handed over by `get_weights`, so that their order is compared too.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import lstm_engine as le
from experiments.beside_keras.jax_by_numpy import call
from experiments.beside_keras.random_layers import Spec, error, make, pick
from experiments.beside_keras.random_losses import exact_mean
from experiments.beside_keras.twins import exact_tanh, import_keras
from lstm_engine.gradient_check import unit_scale
from lstm_engine.lists import listed
from lstm_engine.network import Batch

Array = np.ndarray
TOLERANCE = 1e-9  # norm-wise and relative. Roundings of 1e-16 grow to 1e-12 at most in 8 layers; a bug makes 1e-2
N = 3
CELLS = ("LSTM", "GRU", "SimpleRNN")
LOSSES = ("mean_squared_error", "mean_absolute_error", "huber")
ELEMENTWISE = ("Add", "Average", "Multiply", "Maximum", "Minimum", "Subtract")
KINDS = ("recurrent", "recurrent", "recurrent", "bidirectional", "dense", "dropout", "masking", "elementwise", "elementwise",
         "concatenate", "dot", "again", "again", "normalization", "rearranged")  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One call of layer number `layer` on arrays by their numbers, perhaps with initial states; it adds its outputs."""

    layer: int
    inputs: tuple[int, ...]
    states: tuple[int, ...] = ()


@dataclass(frozen=True)
class GraphCase:
    """One comparison. Arrays are numbered: first the inputs, then what each row hands out."""

    inputs: tuple[tuple[int, ...], ...]  # shapes without the batch
    layers: tuple[Spec, ...]
    rows: tuple[Row, ...]
    outputs: tuple[int, ...]
    losses: tuple[tuple[str, float], ...]  # of each output, with its weight
    backend: str
    seed: int


class Drawing:
    """A network while it is drawn. The engine's own Tensors say which shapes there are."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.shapes = [self.input_shape() for _ in range(rng.integers(1, 4))]
        self.tensors = [le.Input(shape) for shape in self.shapes]
        self.layers: list[Any] = []
        self.specs: list[Spec] = []
        self.rows: list[Row] = []
        self.of: list[int] = [-1] * len(self.tensors)  # by array, the row that makes it

    def input_shape(self) -> tuple[int, ...]:
        T, D = int(pick(self.rng, [4, 4, 3])), int(pick(self.rng, [2, 3, 3]))
        return (D,) if self.rng.random() < 0.2 else (T, D)

    def sequences(self) -> list[int]:
        return [k for k, item in enumerate(self.tensors) if len(item.shape) == 3]

    def width(self, k: int) -> int:
        return self.tensors[k].shape[-1]

    def add(self, layer: int, inputs: tuple[int, ...], states: tuple[int, ...] = ()) -> None:
        x, at = [self.tensors[k] for k in inputs], self.layers[layer]
        y = at(x if at.many_inputs else x[0], initial_state=[self.tensors[k] for k in states] or None)
        self.rows.append(Row(layer, inputs, states))
        self.tensors += listed(y)
        self.of += [len(self.rows) - 1] * len(listed(y))

    def new(self, spec: Spec, inputs: tuple[int, ...], states: tuple[int, ...] = ()) -> None:
        self.specs.append(spec)
        self.layers.append(make(le, spec))
        self.add(len(self.layers) - 1, inputs, states)

    def initial_states(self, layer: Any, some: bool = True) -> tuple[int, ...]:
        """Arrays that can be the layer's initial states: those that a recurrent layer handed out before others."""
        needed = layer.state_shapes()
        fitting = [[k for k, item in enumerate(self.tensors) if item.shape[1:] == shape] for shape in needed]
        if not some or not all(fitting):
            return ()
        made = [[k for k in row if self.of[k] >= 0 and self.of.count(self.of[k]) > 1] or row for row in fitting]
        return tuple(int(pick(self.rng, row)) for row in made)

    # -- one more call -----------------------------------------------------------------------------------------------

    def recurrent(self, bidirectional: bool = False) -> None:
        rng, sequences = self.rng, self.sequences()
        if not sequences:
            return
        flags = {name: bool(rng.integers(2)) for name in ("return_sequences", "return_state")}
        spec: Spec = (pick(rng, CELLS), {"units": int(rng.integers(2, 4)), **flags})
        if bidirectional:
            spec = ("Bidirectional", {"layer": spec, "merge_mode": pick(rng, ["concat", "sum", "mul", "ave"])})
        elif rng.random() < 0.2:
            spec[1]["go_backwards"] = True
        states = self.initial_states(make(le, spec), some=rng.random() < 0.7)
        self.new(spec, (pick(rng, sequences),), states)

    def bidirectional(self) -> None:
        self.recurrent(bidirectional=True)

    def dense(self) -> None:
        k = int(self.rng.integers(len(self.tensors)))
        spec: Spec = (
            "Dense",
            {"units": int(self.rng.integers(2, 4)), "activation": pick(self.rng, ["tanh", "softmax", None])},
        )
        if len(self.tensors[k].shape) == 3 and self.rng.random() < 0.3:
            spec = ("TimeDistributed", {"layer": spec})
        self.new(spec, (k,))

    def dropout(self) -> None:
        self.new(("Dropout", {"rate": 0.0}), (int(self.rng.integers(len(self.tensors))),))

    def normalization(self) -> None:
        spec: Spec = pick(self.rng, [("LayerNormalization", {}), ("Activation", {"activation": "tanh"})])
        self.new(spec, (int(self.rng.integers(len(self.tensors))),))

    def rearranged(self) -> None:
        """A vector at every step, or a sequence laid out anew. Not of an array with a mask, which these layers drop."""
        k = int(pick(self.rng, range(len(self.shapes))))
        vectors = [n for n, item in enumerate(self.tensors) if len(item.shape) == 2]
        choice = pick(self.rng, ["Flatten", "Permute", "RepeatVector"])
        if choice == "RepeatVector" and vectors:
            self.new((choice, {"n": 3}), (int(pick(self.rng, vectors)),))
        elif choice != "RepeatVector" and len(self.shapes[k]) == 2:
            self.new((choice, {"dims": (2, 1)} if choice == "Permute" else {}), (k,))

    def masking(self) -> None:
        """Of an input. (After a layer that has a mask Keras's forgets that mask, ours does not: docs/keras-parity.md.)"""
        if sequences := [k for k in self.sequences() if k < len(self.shapes)]:
            self.new(("Masking", {}), (pick(self.rng, sequences),))

    def elementwise(self) -> None:
        """Arrays of one shape, or a sequence and arrays of its width."""
        name, first = pick(self.rng, ELEMENTWISE), int(self.rng.integers(len(self.tensors)))
        shape = self.tensors[first].shape
        fitting = [k for k, item in enumerate(self.tensors) if item.shape in (shape, (None, shape[-1]))]
        others = 1 if name == "Subtract" else int(self.rng.integers(1, 3))
        self.new((name, {}), (first, *(int(pick(self.rng, fitting)) for _ in range(others))))

    def concatenate(self) -> None:
        first = int(self.rng.integers(len(self.tensors)))
        shape = self.tensors[first].shape
        axis = int(pick(self.rng, [-1, 1])) if len(shape) == 3 else -1
        alike = [s.shape[:-1] if axis == -1 else (s.shape[0], *s.shape[2:]) for s in self.tensors]
        ranks = [len(item.shape) for item in self.tensors]
        fitting = [k for k in range(len(alike)) if (alike[k], ranks[k]) == (alike[first], ranks[first])]
        self.new(("Concatenate", {"axis": axis}), (first, *(int(pick(self.rng, fitting)) for _ in range(2))))

    def dot(self) -> None:
        """Over the features of two, or over the features of one and the steps of the other."""
        a = int(self.rng.integers(len(self.tensors)))
        steps = self.rng.random() < 0.5
        axis = 1 if steps else -1
        fitting = [k for k, item in enumerate(self.tensors) if item.shape[axis] == self.width(a)]
        if fitting:
            axes = [len(self.tensors[a].shape) - 1, 1] if steps else -1
            self.new(("Dot", {"axes": axes}), (a, int(pick(self.rng, fitting))))

    def again(self) -> None:
        """A layer with weights that is there already, on another array."""
        which = [
            n for n, layer in enumerate(self.layers) if not layer.many_inputs and not isinstance(layer, le.Masking)
        ]
        if not which:
            return
        n = int(pick(self.rng, which))
        first = next(row for row in self.rows if row.layer == n).inputs[0]
        shape = self.tensors[first].shape
        fitting = [
            k for k, item in enumerate(self.tensors) if len(item.shape) == len(shape) and item.shape[-1] == shape[-1]
        ]
        layer = self.layers[n]
        states = self.initial_states(layer, some=layer.has_states and self.rng.random() < 0.5)
        self.add(n, (int(pick(self.rng, fitting)),), states)


def draw_case(rng: np.random.Generator) -> GraphCase:
    drawing = Drawing(rng)
    calls = int(rng.integers(3, 9))
    while len(drawing.rows) < calls:
        getattr(drawing, pick(rng, KINDS))()
    read = {k for row in drawing.rows for k in row.inputs + row.states}
    made = range(len(drawing.shapes), len(drawing.tensors))
    ends = [k for k in made if k not in read] or [len(drawing.tensors) - 1]
    outputs = [int(k) for k in rng.permutation(ends)[: rng.integers(1, 4)]]
    if rng.random() < 0.2:  # one that other layers read too
        outputs = list(dict.fromkeys([*outputs, int(pick(rng, list(made)))]))
    losses = tuple((pick(rng, LOSSES), float(pick(rng, [1.0, 0.5, 2.0]))) for _ in outputs)
    shapes, specs, rows = tuple(drawing.shapes), tuple(drawing.specs), tuple(drawing.rows)
    return GraphCase(
        shapes, specs, rows, tuple(outputs), losses, pick(rng, ["auto", "numpy"]), int(rng.integers(2**32))
    )


def random_cases(number: int, seed: int) -> Iterator[GraphCase]:
    """So many cases, always the same ones for a seed."""
    rng = np.random.default_rng(seed)
    for _ in range(number):
        yield draw_case(rng)


# -- the two sides -----------------------------------------------------------------------------------------------------


def build(library: Any, case: GraphCase, after: Any = lambda layer: layer) -> tuple[list[int], list[Any], list[Any]]:
    """The inputs that the outputs need, by number; their Tensors; and the outputs'. after: what is done to every layer."""
    layers: dict[int, Any] = {}
    tensors: dict[int, Any] = {k: library.Input(shape) for k, shape in enumerate(case.inputs)}
    needs: dict[int, set[int]] = {k: {k} for k in tensors}
    number = len(tensors)
    for row in case.rows:
        if row.layer not in layers:
            layers[row.layer] = after(make(library.layers, case.layers[row.layer]))
        layer, x = layers[row.layer], [tensors[k] for k in row.inputs]
        states = {"initial_state": [tensors[k] for k in row.states]} if row.states else {}
        several = case.layers[row.layer][0] in (*ELEMENTWISE, "Concatenate", "Dot")
        y = layer(x if several else x[0], **states)
        for item in y if isinstance(y, list | tuple) else [y]:
            tensors[number] = item
            needs[number] = set().union(*(needs[k] for k in row.inputs + row.states))
            number += 1
    used = sorted(set().union(*(needs[k] for k in case.outputs)))
    return used, [tensors[k] for k in used], [tensors[k] for k in case.outputs]


def compare(case: GraphCase) -> list[tuple[str, float | None]]:
    """The relative error ‖engine - Keras‖ / ‖Keras‖ of every array, by its kind; None where both are 0 throughout."""
    import jax
    import keras

    rng = np.random.default_rng(case.seed)
    used, inputs, outputs = build(le, case)
    ours = le.Model(inputs, outputs, seed=0, dtype="float64", backend=case.backend)
    unit_scale(ours, rng)
    _, their_inputs, their_outputs = build(keras, case, exact_tanh)
    theirs = keras.Model(their_inputs, their_outputs)
    theirs.set_weights(ours.get_weights())
    names, factors = zip(*case.losses, strict=True)
    ours.compile("sgd", list(names), loss_weights=list(factors))
    x = [rng.standard_normal((N, *case.inputs[k])) for k in used]
    x = [np.where(rng.random(a.shape[:2])[..., None] < 0.3, 0.0, a) if a.ndim == 3 else a for a in x]  # for Masking
    ys = [rng.standard_normal((N, *item.shape[1:])) for item in outputs]
    batch = Batch(*ours.data(x if len(x) > 1 else x[0], ys if len(ys) > 1 else ys[0]).take(slice(None)))
    forward_pass = ours.forward_pass(batch, training=False)
    gradients = ours.backward_pass(forward_pass)

    def loss(weights: Any, x: Any) -> Any:
        p, _ = theirs.stateless_call(weights, [v.value for v in theirs.non_trainable_variables], x, training=False)
        p = p if isinstance(p, list) else [p]
        each = [keras.losses.get(snake_to_class(name))(y, one) for name, y, one in zip(names, ys, p, strict=True)]
        return sum(factor * value for factor, value in zip(factors, each, strict=True)), p

    weights = [v.value for v in theirs.trainable_variables]
    with exact_mean():
        (total, p), (dw, dx) = call(jax.value_and_grad(loss, argnums=(0, 1), has_aux=True), weights, x)
    found = [("output", head.p, one) for head, one in zip(forward_pass.heads, p, strict=True)]
    found.append(("loss", np.float64(forward_pass.loss), np.asarray(total)))
    found += [(f"gradient {k.split('/')[-1]}", a, b) for (k, a), b in zip(gradients.weights.items(), dw, strict=True)]
    found += [("gradient x", a, b) for a, b in zip(gradients.inputs, dx, strict=True) if a is not None or np.any(b)]
    return [(kind, error(np.asarray(a), np.asarray(b))) for kind, a, b in found]


def snake_to_class(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


# -- the command -------------------------------------------------------------------------------------------------------


def run(graphs: int, seed: int) -> bool:
    """Compares so many networks of this seed and prints what came out; True when all of them agree."""
    import_keras("float64")
    worst: dict[str, tuple[float, GraphCase]] = {}
    compared, layers, apart = Counter[str](), Counter[str](), 0
    for case in random_cases(graphs, seed):
        try:
            errors = compare(case)
        except Exception as fault:
            errors = [(f"{type(fault).__name__}: {fault}", np.inf)]
        layers.update(case.layers[row.layer][0] for row in case.rows)
        for kind, e in errors:
            compared[kind] += e is not None
            if e is not None and not e <= worst.get(kind, (-1.0, case))[0]:
                worst[kind] = e, case
        if not all(e is None or e <= TOLERANCE for _, e in errors):
            apart += 1
            print(f"APART {errors}\n  {case}", flush=True)
    print(f"{graphs} networks of seed {seed}, {layers.total()} calls: {apart} differ by more than {TOLERANCE:g}")
    print(", ".join(f"{name} {n}" for name, n in layers.most_common()))
    for kind, (e, _) in sorted(worst.items()):
        print(f"{kind:<28} {compared[kind]:>6} compared, worst {e:.1e}")
    print(f"worst of all: {max(e for e, _ in worst.values()):.1e}")
    return not apart


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.beside_keras.random_graphs", description=__doc__.split("\n\n")[0]
    )
    parser.add_argument("--graphs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    sys.exit(0 if run(options.graphs, options.seed) else 1)


if __name__ == "__main__":
    main()
