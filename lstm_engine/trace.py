"""The trace: every intermediate value of the recurrent layers, and the loss's gradient with respect to each, by name.

The values come from the tape of the readable pair; the gates' gradients are computed after the loop, from those of the pair.
Arrays are batch-first, (N, T, units), and in the order of the input's steps, also for a layer that reads backwards.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from . import finite
from .activations import Array
from .files import write_atomically
from .graph import Edge
from .network import Batch, Network
from .recurrent import Recurrent, RecurrentTape, Upstream
from .reshaping import Reshaping


class Arrays(dict[str, Array]):
    """Arrays by name, as items and as attributes: grad["f"] and grad.f."""

    def __getattr__(self, name: str) -> Array:
        if name not in self:
            raise AttributeError(f"there is no {name!r} here, but {', '.join(self)}")
        return self[name]


def copies(arrays: dict[str, Array]) -> dict[str, Array]:
    """Some of a tape's arrays are views of others; a reader of the trace may write into each."""
    return {name: a.copy() for name, a in arrays.items()}


class LayerTrace(Arrays):
    """Every value of one recurrent layer, or of one direction of a Bidirectional.

    x (N, T, D) is the layer's input, 0 at masked steps. The other arrays are (N, T, units). An LSTM has the pre-activations
    z_i z_f z_g z_o (z = xW + h'U + b), the gates i f g o after their activations, c, tanh_c and h; a GRU z_z z_r z_candidate,
    z r candidate and h; a SimpleRNN z_h and h. h0 (and c0), (N, units), are the states before the first step. `grad`
    has the same names and shapes, or is None without y. `mask` (N, T) is True at the existing steps, or None.

    At a masked step nothing is computed: its pre-activations and gates are NaN and their gradients 0, while h and c are those
    of the step before, with their gradients. With go_backwards the step before, h' in the equations, has the larger number.
    """

    grad: Arrays | None
    mask: Array | None
    go_backwards: bool

    def __init__(
        self, values: dict[str, Array], grad: dict[str, Array] | None, mask: Array | None, go_backwards: bool
    ) -> None:
        super().__init__(copies(values))
        grad = None if grad is None else Arrays(copies(grad))
        self.__dict__.update(grad=grad, mask=mask, go_backwards=go_backwards)

    def to_frame(self) -> Any:
        """A pandas DataFrame: a row per sample, step and unit, without masked steps; columns i, ..., grad_i, ..."""
        import pandas as pd

        columns = {name: a for name, a in self.items() if name in self.by_unit()}
        if self.grad is not None:
            columns |= {f"grad_{name}": self.grad[name] for name in self.by_unit()}
        N, T, H = self.h.shape
        index = pd.MultiIndex.from_product([range(N), range(T), range(H)], names=["sample", "step", "unit"])
        frame = pd.DataFrame({name: a.reshape(-1) for name, a in columns.items()}, index=index)
        return frame if self.mask is None else frame[np.repeat(self.mask.reshape(-1), H)]

    def by_unit(self) -> list[str]:
        """The names of the arrays that have one number per sample, step and unit."""
        return [name for name in self if name != "x" and not name.endswith("0")]


@dataclass
class Trace:
    """The traces of a model's recurrent layers by name, "lstm" or "bidirectional/forward_lstm", its output and its loss."""

    layers: dict[str, LayerTrace]
    p: Array  # (N, ...), the output of the last layer
    mask: Array | None  # which steps of p exist
    loss: float | None  # None without y
    grad: Arrays = field(default_factory=Arrays)  # with y: of x (N, T, D), but not of ids, and of every weight
    by_now: Array | None = None  # (N, T, ...), p if the input ended at that step; None where a layer reads from the end

    def __getitem__(self, name: str) -> LayerTrace:
        if name not in self.layers:
            raise KeyError(f"no recurrent layer {name!r} was traced, but {', '.join(self.layers) or 'none'}")
        return self.layers[name]

    def plot(
        self, layer: str | None = None, sample: int = 0, *, gradients: bool = False, library: str | None = None
    ) -> Any:
        """A figure of a layer's gates and states, a row a unit and a column a step: of matplotlib, or else of plotly.

        layer: its name in the trace, by default the first; gradients: draw those instead of the values; library: "matplotlib"
        or "plotly", by default the first that is installed. ValueError, KeyError; ModuleNotFoundError without either.
        """
        from . import trace_pictures

        if not self.layers:
            raise ValueError("no recurrent layer was traced: there is nothing to draw")
        name = next(iter(self.layers)) if layer is None else layer
        title = f"{name}, sample {sample}{', gradients of the loss' * gradients}"
        return trace_pictures.draw(title, self[name], sample, gradients, library)

    def to_frame(self) -> Any:
        """The layers' DataFrames one after the other, with the layer's name as the first index."""
        import pandas as pd

        if not self.layers:
            raise ValueError("no recurrent layer was traced: there is nothing for a table")
        return pd.concat({name: layer.to_frame() for name, layer in self.layers.items()}, names=["layer"])

    def to_npz(self, path: str | Path) -> None:
        """Writes all arrays into one file for np.load: "lstm/f", "lstm/grad/f", "p", "loss", "grad/lstm/kernel".

        ValueError for a layer named "grad", whose arrays would have the gradients' names.
        """
        if any(name.partition("/")[0] == "grad" for name in self.layers):
            raise ValueError(
                'a layer named "grad" would have the names of the gradients in the file: choose another name'
            )
        arrays = {"p": self.p, **{f"grad/{name}": g for name, g in self.grad.items()}}
        if self.loss is not None:
            arrays["loss"] = np.asarray(self.loss)
        if self.mask is not None:
            arrays["mask"] = self.mask
        if self.by_now is not None:
            arrays["by_now"] = self.by_now
        for name, layer in self.layers.items():
            arrays |= {f"{name}/{key}": a for key, a in layer.items()}
            if layer.grad is not None:
                arrays |= {f"{name}/grad/{key}": a for key, a in layer.grad.items()}
            arrays |= {} if layer.mask is None else {f"{name}/mask": layer.mask}
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]  # its stubs take allow_pickle for an array
        write_atomically(Path(path), buffer.getvalue())


def trace(model: Network, x: Any, y: Any, mask: Any, sample_weight: Any, dtype: str) -> Trace:
    """The result of `model.trace`. ValueError for sample_weight without y."""
    if y is None and sample_weight is not None:
        raise ValueError("sample_weight weighs the loss, and there is none without y: give y too")
    finite.require_weights(model)
    # builds a model without weights, or raises for what it cannot read
    _ = model.samples(x, mask) if y is None else model.data(x, y, mask, sample_weight)
    twin = model.twin(dtype)
    if y is None:
        x, mask = twin.samples(x, mask).take(slice(None))
        p, mask, tapes = twin.forward(x, False, mask)
        layers = recurrent_layers(twin, tapes)
        return Trace(layers, p, mask, None, by_now=by_now(twin, layers, p))
    batch = Batch(*twin.data(x, y, mask, sample_weight).take(slice(None)))
    forward_pass = twin.forward_pass(batch, training=False)
    gradients = twin.backward_pass(forward_pass)
    p, mask = forward_pass.p, forward_pass.mask
    names = [f"x/{name}" for name in twin.graph.inputs] if len(twin.graph.inputs) > 1 else ["x"]
    of_x = {name: dx for name, dx in zip(names, gradients.inputs, strict=True) if dx is not None}
    grad = Arrays(of_x | gradients.weights)
    layers = recurrent_layers(twin, forward_pass.tapes, gradients.outputs)
    return Trace(layers, p, mask, float(forward_pass.loss), grad, by_now(twin, layers, p))


def by_now(model: Network, layers: dict[str, LayerTrace], p: Any) -> Array | None:
    """p_t = model(x_0 ... x_t): the layers above the last recurrent layer, applied to each of its h_t."""
    backwards = any(layer.go_backwards for layer in layers.values())
    anew = any(isinstance(node.layer, Reshaping) for node in model.graph.nodes)
    if not layers or not model.graph.is_row() or backwards or anew:
        return None  # no step of the whole sequence holds the answer to its beginning
    last = next(node for node in reversed(model.graph.nodes) if node.name in layers)
    if last.layer.return_sequences:  # type: ignore[attr-defined]  # it is a Recurrent
        return p.copy()
    given = {Edge(last.name): (layers[last.name].h, None)}
    return model.forward(None, taped=False, given=given)[0]


def recurrent_layers(
    model: Network, tapes: dict[str, Any], outputs: dict[str, list[Any]] | None = None
) -> dict[str, LayerTrace]:
    """The traces of a forward pass, from its tapes. With the gradients of the nodes' `outputs` they have gradients too."""
    traced = {}
    for node in model.graph.nodes:
        dy, dstates = (None, None) if outputs is None else node.layer.split(outputs[node.name])
        names = [f"{node.name}/{prefix}".rstrip("/") for prefix in node.layer.parts]
        recurrences = node.layer.recurrences(tapes[node.name], dy, dstates)
        for name, (part, tape, upstream) in zip(names, recurrences, strict=False):
            traced[name] = _layer(part, tape, None if outputs is None else upstream)
    return traced


def _layer(layer: Recurrent, tape: RecurrentTape, upstream: Upstream | None) -> LayerTrace:
    steps = tape.steps

    def in_order(a: Array) -> Array:
        """A copy (N, T, ...) in the order of time: x may be the caller's."""
        a = a.swapaxes(0, 1)
        return np.array(a[:, ::-1] if layer.go_backwards else a, order="C")

    live = None if steps.mask is None else in_order(steps.mask)  # (N, T)

    def laid_out(arrays: dict[str, Array], masked: float) -> dict[str, Array]:
        out = {name: in_order(a) for name, a in arrays.items()}
        if live is not None:
            for name in out.keys() - {"x", *layer.state_names}:
                out[name] = np.where(live[..., None], out[name], masked)
        return out

    first = [f"{name}0" for name in layer.state_names]
    values = laid_out({"x": steps.x} | layer.pair.values(steps), np.nan)
    values |= dict(zip(first, [states[0].copy() for states in steps.states], strict=True))
    if upstream is None:
        return LayerTrace(values, None, live, layer.go_backwards)
    grads = layer.pair.backward(steps, upstream.dh, *upstream.dlast)
    gradients = laid_out({"x": grads.x} | layer.pair.value_gradients(steps, grads), 0.0)
    gradients |= dict(zip(first, grads.initial_states, strict=True))
    return LayerTrace(values, gradients, live, layer.go_backwards)
