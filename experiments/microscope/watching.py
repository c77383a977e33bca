"""Watch a training: the gates and gradients of every layer after every epoch, always on the same samples.

`Watch` is a callback for `fit`. It changes nothing: the trained weights are the same, bit for bit, as without it.
"""

from typing import Any

import numpy as np
import pandas as pd

import lstm_engine as le
from experiments.microscope.interventions import recurrent
from lstm_engine.callbacks import Logs
from lstm_engine.trace import LayerTrace, Trace

PROBE = 16  # samples: few, to save time; with all their steps and units enough for means
GATES = ("i", "f", "o", "z", "r")  # between 0 and 1: the gates of an LSTM and of a GRU
FLOWS = ("g", "candidate", "c", "h")  # of either sign: what the gates multiply
LOW, HIGH = 0.1, 0.9


def probe(labels: np.ndarray) -> np.ndarray:
    """Row numbers of PROBE samples, or of all if there are fewer; each label as often as its share in labels (N,)."""
    by_label = np.argsort(labels, kind="stable")
    return np.sort(by_label[np.linspace(0, len(labels) - 1, min(PROBE, len(labels))).astype(int)])


class Watch(le.Callback):
    """Records gates, states, weights and gradients before the training and after each epoch, on samples X and y as in `fit`.

    `table()` returns the records. One call of `fit` for each epoch works as well as one call for all epochs, because the
    model's `epochs_done` counts them. The gradients are those of the loss without dropout.
    """

    def __init__(self, X: Any, y: Any) -> None:
        self.X, self.y = X, y
        self.rows: list[dict[str, Any]] = []
        self.before: dict[str, np.ndarray] = {}  # the weights before the last step

    def on_train_begin(self, logs: Logs) -> None:
        if self.model.epochs_done == 0:
            self.look()

    def on_train_batch_begin(self, batch: int, logs: Logs) -> None:
        self.before = {name: w.copy() for name, w in self.model.weights.items()}

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        self.look()

    def look(self) -> None:
        model = self.model
        with model.undisturbed():
            model.reset_states()  # a stateful layer's states have the training batch's size
            trace = model.trace(self.X, self.y, dtype=model.dtype)
        rows = [*_of_values(trace), *_of_weights(model, trace, self.before)]
        self.rows += [{"epoch": model.epochs_done} | row for row in rows]

    def table(self) -> pd.DataFrame:
        """One row for each epoch (0: before training), layer (or direction: "bidirectional/forward_lstm") and quantity.

        Gates (i f o; z r): mean and spread (standard deviation) over samples, steps and units; `low` and `high`, the shares
        below 0.1 and above 0.9. g or candidate, c, h: spread and `size`, the mean absolute value. kernel, recurrent_kernel,
        bias, and each gate's part of them ("kernel/f"): Euclidean norms of the `weight` and of the loss's `gradient`, and
        `update`, the last step's change divided by the weight's norm. "h at the first step" and "h at the last step", in the
        order in which the layer reads: the mean over samples of ‖∂loss/∂h‖.
        """
        columns = ["mean", "spread", "low", "high", "size", "gradient", "weight", "update"]
        return pd.DataFrame(self.rows, columns=["epoch", "layer", "quantity", *columns])


def _of_values(trace: Trace) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for name, layer in trace.layers.items():
        for quantity in (q for q in layer.by_unit() if q in GATES + FLOWS):
            a = layer[quantity].astype(float)  # (N, T, H), NaN at masked steps but for c and h
            a = a[~np.isnan(a)] if layer.mask is None else a[layer.mask]
            row = {"layer": name, "quantity": quantity, "spread": a.std()}
            if quantity in GATES:
                rows.append(row | {"mean": a.mean(), "low": (a < LOW).mean(), "high": (a > HIGH).mean()})
            else:
                rows.append(row | {"size": np.abs(a).mean()})
        for which, norm in zip(("first", "last"), gradient_at_ends(layer), strict=True):
            rows.append({"layer": name, "quantity": f"h at the {which} step", "gradient": norm})
    return rows


def gradient_at_ends(layer: LayerTrace) -> tuple[float, float]:
    """The mean over samples of ‖∂loss/∂h‖₂ at the first and at the last step that the layer reads, masked ones left out."""
    assert layer.grad is not None  # the trace was given y
    norms = np.linalg.norm(layer.grad.h.astype(float), axis=-1)  # (N, T); float32's squares would vanish below 1e-22
    live = np.ones(norms.shape, bool) if layer.mask is None else layer.mask
    rows, T = np.arange(len(norms)), norms.shape[1]
    start, end = norms[rows, live.argmax(axis=1)].mean(), norms[rows, T - 1 - live[:, ::-1].argmax(axis=1)].mean()
    return (end, start) if layer.go_backwards else (start, end)


def _of_weights(model: le.Sequential, trace: Trace, before: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    rows = []
    for name, w in model.weights.items():
        layer, _, quantity = name.rpartition("/")
        gates = recurrent(model, layer).gate_names if layer in trace.layers else ()
        parts = [(quantity, slice(None))]
        if len(gates) > 1:  # they lie side by side along the last axis
            H = w.shape[-1] // len(gates)
            parts += [(f"{quantity}/{gate}", slice(k * H, (k + 1) * H)) for k, gate in enumerate(gates)]
        for part, columns in parts:
            weight = _norm(w[..., columns])
            row = {"layer": layer, "quantity": part, "weight": weight}
            row["gradient"] = _norm(trace.grad[name][..., columns])
            if before and weight:
                row["update"] = _norm(w[..., columns] - before[name][..., columns]) / weight
            rows.append(row)
    return rows


def _norm(a: np.ndarray) -> float:
    return float(np.linalg.norm(a.astype(float).ravel()))
