"""What is other in files of Keras 1 and 2: gates that were hard_sigmoid, layers for a GPU alone, gates stored one by one."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..activations import Array
from ..network import Network
from ..recurrent import Recurrent
from ..schema import parse
from . import hdf5
from .keras_config import CUDNN, version_of

ADVICE = 'build the layer with recurrent_activation="hard_sigmoid_keras2"'
GATE_BY_GATE = "; Keras 1 stored every gate by itself: load the file with Keras 2.3 and save it again"


class Stored(NamedTuple):
    """One weight in a file: where it lies, its shape here, and what turns the array into ours."""

    dataset: Any
    shape: tuple[int, ...]
    convert: Any = None  # a function of the array, or None

    def read(self, name: str) -> Array:
        array = hdf5.read(name, self.dataset)
        return array if self.convert is None else self.convert(array)


# -- gates -----------------------------------------------------------------------------------------------------------


def warn_of_gates(model: Network, source: str, file: Any, root: Any) -> None:
    """Warns when the gates of a file may be, or are, another function than the model's: see `activations.KERAS_2`."""
    text = hdf5.text(root, "keras_version") or hdf5.text(file, "keras_version")
    said, written = version_of(text), f"Keras {text or 'of an unknown version'}"
    if said is not None and said >= (3,):
        return
    parts = {n: p for n, p in model.parts.items() if isinstance(p, Recurrent) and p.recurrent_activation}
    if new := sorted(n for n, p in model.parts.items() if "hard_sigmoid" in _activations(p)):
        _warn(
            f"{source} was written by {written}, whose hard_sigmoid is clip(0.2 z + 0.5, 0, 1); that of {', '.join(new)} "
            f"here is Keras 3's relu6(z + 3) / 6: take hard_sigmoid_keras2"
        )
    usual = {n: p for n, p in parts.items() if "hard_sigmoid" not in p.recurrent_activation}
    config = hdf5.text(file, "model_config")
    if config is not None:
        theirs = list(gates(parse(config, "model_config"), said))
        pairs = zip(parts, theirs, strict=True) if len(theirs) == len(parts) else ()
        if other := [name for name, activation in pairs if activation == "hard_sigmoid" and name in usual]:
            _warn(
                f"{source} says that the gates of {', '.join(other)} were hard_sigmoid, here they are "
                f"{parts[other[0]].recurrent_activation}: {ADVICE}, or open the whole model with load_model"
            )
    elif usual and (said is None or said < (2, 3)):
        _warn(
            f"{source} holds weights alone and was written by {written}. Before Keras 2.3 the gates of LSTM and GRU were "
            f"hard_sigmoid by default; those of {', '.join(usual)} here are "
            f"{next(iter(usual.values())).recurrent_activation}. If the file's were not given so, {ADVICE}"
        )


def _activations(part: Any) -> Sequence[str]:
    return list(getattr(part, "activations", {}).values()) or [getattr(part, "activation", "")]


def _warn(message: str) -> None:
    warnings.warn(message, stacklevel=6)


def gates(config: Any, said: tuple[int, ...] | None) -> Iterator[str]:
    """The gates' activation of every LSTM and GRU in a config, a Bidirectional's twice, in order."""
    if isinstance(config, list):
        for item in config:
            yield from gates(item, said)
    elif isinstance(config, dict):
        kind, options = config.get("class_name"), config.get("config")
        if kind in ("LSTM", "GRU") and isinstance(options, dict):
            usual = "hard_sigmoid" if said is None or said < (2, 3) else "sigmoid"
            yield str(options.get("recurrent_activation", usual))
        elif kind in CUDNN:
            yield "sigmoid"
        else:
            inner = list(gates(list(config.values()), said))
            yield from inner * (2 if kind == "Bidirectional" and "backward_layer" not in (options or {}) else 1)


# -- weights ---------------------------------------------------------------------------------------------------------


def from_cudnn(model: Network, named: dict[str, Stored]) -> dict[str, Stored]:
    """The weights of CuDNNLSTM and CuDNNGRU, Keras 2's layers for a GPU, turned into those of LSTM and GRU.

    cuDNN has two biases, so that a bias of twice the length tells it. It keeps each gate's kernel (units, D) in the memory
    that Keras calls (D, units), and each recurrent kernel transposed.
    """
    turned: dict[str, Stored] = {}
    for place, part in model.parts.items():
        bias, n = f"{place}/bias", getattr(part, "gates", 1)
        if n == 1 or bias not in named or named[bias].shape != (2 * n * part.units,):
            continue
        shape = part.weights["bias"].shape
        if part.cell == "gru" and len(shape) == 1:
            raise ValueError(f"{place}: the file's layer is a CuDNNGRU, which is a GRU with reset_after=True")
        kernel, recurrent = named[f"{place}/kernel"], named[f"{place}/recurrent_kernel"]
        turned[f"{place}/kernel"] = kernel._replace(convert=by_gate(n, lambda k: k.reshape(k.shape[::-1]).T))
        turned[f"{place}/recurrent_kernel"] = recurrent._replace(convert=by_gate(n, lambda k: k.T))
        turned[bias] = Stored(named[bias].dataset, shape, both_biases if len(shape) == 2 else one_bias)
    return turned


def by_gate(gates: int, turn: Callable[[Array], Array]) -> Callable[[Array], Array]:
    return lambda w: np.concatenate([turn(w_k) for w_k in np.split(w, gates, axis=1)], axis=1)


def both_biases(b: Array) -> Array:
    return b.reshape(2, -1)


def one_bias(b: Array) -> Array:
    return both_biases(b).sum(axis=0)


def gate_by_gate(names: Sequence[str]) -> bool:
    return any(name.removesuffix(":0").endswith(("_W_i", "_W_z")) for name in names)
