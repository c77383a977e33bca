"""The engine and Keras batch by batch: where your two models first differ, down to the element.

Every batch compares predictions, loss, each gradient, each optimizer moment and each weight. A difference is the
largest |engine - Keras| of an array over Keras's largest entry, so that it does not depend on the array's scale.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

import lstm_engine as le
from experiments.beside_keras.twins import keras_slots, loss_and_gradients
from experiments.reports.page import counted

TOLERANCE = {"float32": 1e-3, "float64": 1e-6}
"""Default tolerances. In float32, training steps amplify rounding. In float64, Keras on JAX still computes means, and its
tanh, in float32; Adam's division by small moments can magnify that a hundred times."""


@dataclass
class Departure:
    """The first quantity beyond the tolerance, with its batch, element and both values."""

    batch: int
    quantity: str
    element: tuple[int, ...]
    engine: float
    keras: float
    difference: float


@dataclass
class SideBySide:
    """`rows`: one difference for every batch and quantity. `ok` and `first` say whether and where the two first differ."""

    tolerance: float
    rows: list[dict[str, Any]] = field(default_factory=list)
    first: Departure | None = None

    @property
    def ok(self) -> bool:
        return self.first is None

    @property
    def table(self) -> pd.DataFrame:
        """Differences, one row a batch and one column a quantity."""
        frame = pd.DataFrame(self.rows).pivot(index="batch", columns="quantity", values="difference")
        return frame[[q for q in self.quantities if not q.startswith("initial")]]

    @property
    def quantities(self) -> list[str]:
        return list(dict.fromkeys(row["quantity"] for row in self.rows))

    def __str__(self) -> str:
        largest = pd.DataFrame(self.rows).groupby("quantity", sort=False)["difference"].max()
        lines = [f"{name:<36} {value:.1e}" for name, value in largest.items()]
        batches = counted(self.rows[-1]["batch"] + 1, "batch", "batches")
        head = f"largest relative difference over {batches} (tolerance {self.tolerance:.0e}):"
        return "\n".join([head, *lines, self.verdict])

    @property
    def verdict(self) -> str:
        if self.first is None:
            return "the two stay within the tolerance"
        f = self.first
        return (
            f"they first differ in batch {f.batch} at {f.quantity}{list(f.element)}: engine {f.engine:.9g}, "
            f"Keras {f.keras:.9g} (difference {f.difference:.1e} of the largest entry)"
        )


def side_by_side(
    engine_model: le.Sequential,
    keras_model: Any,
    X: np.ndarray,
    y: np.ndarray,
    steps: int = 50,
    tol: float | None = None,
    batch_size: int = 32,
) -> SideBySide:
    """Trains both compiled models on the same batches and compares everything after each.

    X (N, T, D) and y (N,) or (N, 1); batch k takes the next batch_size rows, and begins again after the last row. Both
    models are trained; copy them first if you still need the present weights. The models must start from the same weights
    (`from_keras` ensures it) and have the same optimizer; dropout must be off, as its masks are drawn differently.
    tol: see TOLERANCE.
    """
    import keras

    if not isinstance(engine_model, le.Sequential) or not isinstance(keras_model, keras.Model):
        raise TypeError(
            "side_by_side takes the engine's model first, then the Keras model, "
            f"got a {_class_name(engine_model)} and a {_class_name(keras_model)}"
        )
    X, y = np.asarray(X), np.asarray(y)
    result = SideBySide(TOLERANCE[engine_model.dtype] if tol is None else tol)
    _check(engine_model, keras_model, X, y, steps, batch_size, result.tolerance)
    for batch in range(steps):
        rows = np.arange(batch * batch_size, (batch + 1) * batch_size)[: len(X)] % len(X)
        predictions = engine_model.predict(X[rows], batch_size=len(rows), verbose=0)
        loss, gradients = engine_model.gradients(X[rows], y[rows])
        y_keras = y[rows].reshape(len(rows), -1) if predictions.shape[-1] == 1 else y[rows]
        keras_loss, keras_predictions, keras_gradients = loss_and_gradients(
            keras_model, X[rows].astype(engine_model.dtype), y_keras
        )
        names = list(engine_model.weights)
        pairs = [] if batch else _weights("initial weight", engine_model, keras_model)
        pairs += [("prediction", predictions, keras_predictions), ("loss", np.array(loss), np.array(keras_loss))]
        pairs += [(f"gradient {n}", gradients[n], g) for n, g in zip(names, keras_gradients, strict=True)]
        engine_model.optimizer.apply(engine_model.weights, gradients)
        tensors = [keras.ops.convert_to_tensor(g) for g in keras_gradients]
        keras_model.optimizer.apply(tensors, keras_model.trainable_variables)
        theirs = keras_slots(keras_model, names)
        pairs += [
            (name.replace("/", " ", 1), slot, theirs[name]) for name, slot in engine_model.optimizer.slots.items()
        ]
        pairs += _weights("weight", engine_model, keras_model)
        for quantity, ours, reference in pairs:
            _compare(result, batch, quantity, ours, np.asarray(reference))
    return result


def _weights(kind: str, engine_model: le.Sequential, keras_model: Any) -> list[tuple[str, np.ndarray, np.ndarray]]:
    pairs = zip(engine_model.weights.items(), keras_model.get_weights(), strict=True)
    return [(f"{kind} {name}", w.copy(), v) for (name, w), v in pairs]


def _class_name(model: Any) -> str:
    """With the package: both the engine and Keras have a Sequential."""
    return f"{type(model).__module__.partition('.')[0]}.{type(model).__name__}"


def _check(
    engine_model: le.Sequential, keras_model: Any, X: np.ndarray, y: np.ndarray, steps: int, batch_size: int, tol: float
) -> None:
    if X.ndim < 2 or not len(X) or y.shape[:1] != X.shape[:1]:
        raise ValueError(f"X (N, T, D) and y need the same N, at least 1: got X {X.shape} and y {y.shape}")
    if steps < 1 or batch_size < 1 or not tol >= 0:
        raise ValueError(
            f"steps and batch_size must be at least 1 and tol at least 0, got {steps}, {batch_size}, {tol}"
        )
    if engine_model.optimizer is None or not getattr(keras_model, "compiled", False):
        raise ValueError("side_by_side trains: compile both models first, with the same optimizer and loss")
    if any(isinstance(layer, le.Dropout) and layer.rate > 0 for layer in engine_model.layers):
        raise ValueError("side_by_side compares number by number, and dropout masks are drawn differently: take it out")
    if not engine_model.built:
        engine_model.build(X.shape[1:])
    if type(keras_model.optimizer).__name__ != type(engine_model.optimizer).__name__:
        raise ValueError(
            f"the optimizers differ: engine {type(engine_model.optimizer).__name__}, "
            f"Keras {type(keras_model.optimizer).__name__}"
        )
    ours, theirs = [w.shape for w in engine_model.get_weights()], [w.shape for w in keras_model.get_weights()]
    if ours != theirs:
        raise ValueError(f"the models have different weights: engine {ours}, Keras {theirs}")


def _compare(result: SideBySide, batch: int, quantity: str, ours: np.ndarray, theirs: np.ndarray) -> None:
    apart = np.abs(np.asarray(ours, float) - theirs)
    scale = float(np.abs(theirs).max())
    difference = float(apart.max()) / scale if scale else float(apart.max())
    result.rows.append({"batch": batch, "quantity": quantity, "difference": difference})
    if result.first is None and not difference <= result.tolerance:  # NaN is a difference too
        at = np.unravel_index(int(np.argmax(np.where(np.isnan(apart), np.inf, apart))), apart.shape)
        element = tuple(int(k) for k in at)
        result.first = Departure(batch, quantity, element, float(ours[element]), float(theirs[element]), difference)
