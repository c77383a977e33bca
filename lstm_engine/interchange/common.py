"""Shared by the formats: assigning all weights or none, the order of gates, and optional packages."""

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .. import finite
from ..activations import Array
from ..layer import Layer


def optional(package: str) -> Any:
    """The package, or a ModuleNotFoundError that says how to install it."""
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError:
        message = f"this needs {package}, which is not installed: pip install 'lstm-engine[interop]'"
        raise ModuleNotFoundError(message, name=package) from None


def require_built(model: Any) -> None:
    if not model.built:
        raise ValueError(
            f"{getattr(model, 'name', '') or 'the model'} has no weights yet: give input_shape, or build it"
        )


def require_alike(layer: Layer) -> None:
    """ValueError for a Bidirectional whose halves do not fit into one module of another framework."""
    halves = [half for half in layer.parts.values() if hasattr(half, "cell")]
    if len({(h.cell, h.units, h.use_bias, h.bias_shape(), *h.activations.values()) for h in halves}) > 1:
        raise ValueError(
            f"{layer.name}: the two directions must be alike in kind, units, bias and activations; these differ"
        )


def check(weights: Mapping[str, Array], arrays: Mapping[str, Any], source: str) -> None:
    """ValueError unless the arrays of source have the names and shapes of the weights; it lists what differs."""
    shapes = {name: tuple(value.shape) for name, value in arrays.items()}
    faults = [
        f"{name} has shape {w.shape} here, " + (f"{shapes[name]} there" if name in shapes else "but is missing there")
        for name, w in weights.items()
        if shapes.get(name) != w.shape
    ] + [f"{name} {shape} there has no place here" for name, shape in shapes.items() if name not in weights]
    if faults:
        more = f"; and {len(faults) - 5:,} more" * (len(faults) > 5)
        raise ValueError(f"{source} does not fit, and nothing was changed: {'; '.join(faults[:5])}{more}")


def assign(weights: Mapping[str, Array], arrays: Mapping[str, Any], source: str, allow_nan: bool = False) -> None:
    """Writes the arrays into the weights, cast to their dtype. ValueError, and nothing changed, if one does not fit.

    So it is for NaN and infinity, also those that the cast makes, unless allow_nan.
    """
    check(weights, arrays, source)
    cast = {}
    for name, value in arrays.items():
        if (array := np.asarray(value)).dtype.kind != "f":
            raise ValueError(f"{source}: {name} holds no floating-point numbers but {array.dtype}; nothing was changed")
        cast[name] = finite.cast(array, weights[name].dtype)
        if not allow_nan and not finite.is_finite(cast[name]):
            at = tuple(np.argwhere(~np.isfinite(cast[name]))[0])
            what = finite.fault(cast[name][at], array[at]) if np.isfinite(array[at]) else "holds NaN or infinity"
            raise ValueError(f"{source}: {name} {what}; nothing was changed")
    for name, array in cast.items():
        weights[name][...] = array


def outside(part: Any, order: Sequence[int]) -> dict[str, Array]:
    """A recurrent layer's weights as PyTorch and ONNX store them: transposed, two biases, and the gates in this order.

    Order (1, 0, 2) turns a GRU's z r ĥ into r z n. For a cell with one bias, the second one is zero.
    """
    w = part.weights
    arrays = {"weight_ih": w["kernel"], "weight_hh": w["recurrent_kernel"]}  # (gates H, D) and (gates H, H)
    if part.use_bias:
        b = w["bias"]
        arrays["bias_ih"], arrays["bias_hh"] = b if b.ndim == 2 else (b, np.zeros_like(b))
    return {name: np.ascontiguousarray(_gates(array, order).T) for name, array in arrays.items()}


def inside(part: Any, order: Sequence[int], arrays: Mapping[str, Any]) -> dict[str, Array]:
    """The reverse of `outside`: the weights as the layer stores them. A cell with one bias gets the sum of both."""
    back = {name: _gates(np.asarray(array).T, np.argsort(order).tolist()) for name, array in arrays.items()}
    weights = {"kernel": back["weight_ih"], "recurrent_kernel": back["weight_hh"]}
    if part.use_bias:
        b_ih, b_hh = back["bias_ih"], back["bias_hh"]
        weights["bias"] = np.stack((b_ih, b_hh)) if len(part.bias_shape()) == 2 else b_ih + b_hh
    return weights


def _gates(w: Array, order: Sequence[int]) -> Array:
    blocks = np.split(w, len(order), axis=-1)
    return np.concatenate([blocks[k] for k in order], axis=-1)
