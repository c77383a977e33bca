"""PyTorch's layout: a model's weights as the state_dict of a torch module whose attributes are named as the layers here.

LSTM, GRU and SimpleRNN are `nn.LSTM`, `nn.GRU` and `nn.RNN`, Bidirectional one with bidirectional=True, Dense `nn.Linear`,
Embedding `nn.Embedding`, LayerNormalization `nn.LayerNorm(..., eps=1e-3)`: torch's own eps is 1e-5.
torch is not imported: the state_dict that is written holds NumPy arrays, one that is read anything that NumPy can convert.
"""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .. import finite
from ..activations import Array
from ..embedding import Embedding
from ..feedforward import Dense
from ..files import as_safetensors, require_short_header, write_atomically
from ..layer import Layer
from ..network import Network
from ..normalization import LayerNormalization
from ..recurrent import Recurrent
from .common import assign, check, inside, outside, require_alike, require_built

FLOATS = ("F16", "F32", "F64")  # safetensors' names
Names = Mapping[str, str | tuple[str, int]]
# torch has r z n where Keras has z r ĥ; the same permutation leads back. Both LSTMs have i f g o.
ORDER = {"lstm": (0, 1, 2, 3), "gru": (1, 0, 2), "simple_rnn": (0,)}
KINDS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
NAMES = {"kernel": "weight", "bias": "bias", "embeddings": "weight", "gamma": "weight", "beta": "bias"}


def to_torch(model: Network, names: Names | None = None) -> dict[str, Array]:
    """The state_dict: lstm.weight_ih_l0 (4H, D), lstm.weight_hh_l0 (4H, H), lstm.bias_ih_l0, lstm.bias_hh_l0 (4H,), ...

    names gives layers other names: {"dense": "head", "lstm": ("rnn", 0), "lstm_1": ("rnn", 1)} puts the two LSTMs into one
    nn.LSTM(num_layers=2) named rnn. A cell with one bias has it in bias_ih, and zeros in bias_hh.
    ValueError for layers that torch's modules cannot compute: other activations, GRU(reset_after=False), go_backwards.
    """
    require_built(model)
    state: dict[str, Array] = {}
    for _, part, module, end in _modules(model, names):
        if isinstance(part, Recurrent):
            tensors = outside(part, ORDER[part.cell])
        else:
            tensors = {NAMES[name]: np.array(_turned(name, w), order="C") for name, w in part.weights.items()}
        for kind, tensor in tensors.items():
            if (key := f"{module}.{kind}{end}") in state:
                raise ValueError(f"names puts two layers at {key}: give every layer another place")
            state[key] = tensor
    return state


def from_torch(
    model: Network, state_dict: Mapping[str, Any], names: Names | None = None, *, allow_nan: bool = False
) -> None:
    """Reads a state_dict with the keys of `to_torch` into the model. A cell with one bias gets the sum of torch's two.

    ValueError, and nothing changed, when a key is missing or superfluous, an array has another shape, or, unless allow_nan,
    holds NaN or infinity.
    """
    check(to_torch(model, names), state_dict, "the state_dict")
    weights: dict[str, Array] = {}
    for prefix, part, module, end in _modules(model, names):
        if isinstance(part, Recurrent):
            keys = {kind: f"{module}.{kind}{end}" for kind in KINDS}
            tensors = {kind: state_dict[key] for kind, key in keys.items() if key in state_dict}
            arrays = inside(part, ORDER[part.cell], tensors)
        else:
            stored = {name: np.asarray(state_dict[f"{module}.{NAMES[name]}"]) for name in part.weights}
            arrays = {name: _turned(name, w) for name, w in stored.items()}
        weights |= {prefix + name: w for name, w in arrays.items()}
    assign(model.weights, weights, "the state_dict", allow_nan)


def save_torch(model: Network, path: str | Path, names: Names | None = None, *, allow_nan: bool = False) -> None:
    """Writes the state_dict as a safetensors file, for torch's `load_state_dict(safetensors.torch.load_file(path))`.

    ValueError, and no file, for NaN and infinity, unless allow_nan.
    """
    finite.require(model.weights, allow_nan=allow_nan)
    write_atomically(Path(path), as_safetensors(to_torch(model, names), {"format": "pt"}))


def load_torch(model: Network, path: str | Path, names: Names | None = None, *, allow_nan: bool = False) -> None:
    """Reads a safetensors file of a state_dict into the model. Errors: see `from_torch`."""
    from safetensors import SafetensorError, safe_open

    try:
        require_short_header(Path(path))
        with safe_open(path, framework="numpy") as file:
            keys = list(file.keys())
            if odd := [key for key in keys if file.get_slice(key).get_dtype() not in FLOATS]:
                raise ValueError(
                    f"{odd[0]!r:.120} is {file.get_slice(odd[0]).get_dtype()}, expected {', '.join(FLOATS)}"
                )
            numbers = sum(math.prod(file.get_slice(key).get_shape()) for key in keys)
            most = 2**20 + 2 * sum(w.size for w in model.weights.values())  # torch has a second bias
            if numbers > most:
                raise ValueError(f"it has {numbers:,} numbers, and this model takes fewer than {most:,}")
            state = {key: file.get_tensor(key) for key in keys}
    except (SafetensorError, ValueError) as error:
        raise ValueError(f"{path} is not a state_dict of this model that can be read: {error}") from None
    try:
        from_torch(model, state, names, allow_nan=allow_nan)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _modules(model: Network, names: Names | None) -> Iterator[tuple[str, Any, str, str]]:
    """For each part: the prefix of its weights' names, the part, and the start and end of its keys, rnn and _l0_reverse."""
    places = dict(names or {})
    layers = [layer.name for layer in model.layers]
    if unknown := places.keys() - set(layers):
        raise ValueError(f"names has {', '.join(unknown)}, the model's layers are {', '.join(layers)}")
    for layer in model.layers:
        place = places.get(layer.name, layer.name)
        module, level = (place, 0) if isinstance(place, str) else place
        require_alike(layer)
        for n, (prefix, part) in enumerate(layer.parts.items()):
            if isinstance(part, Recurrent):
                _require_torch(layer, part, backwards=bool(n))
                yield f"{layer.name}/{prefix}", part, module, f"_l{level}" + "_reverse" * n
            elif isinstance(part, Dense | Embedding | LayerNormalization):
                if isinstance(part, LayerNormalization):
                    _require_layer_norm(layer, part)
                yield f"{layer.name}/{prefix}", part, module, ""


def _turned(name: str, w: Array) -> Array:
    """nn.Linear's weight is a kernel's transpose; all others are laid out as here."""
    return w.T if name == "kernel" else w


def _require_layer_norm(layer: Layer, part: LayerNormalization) -> None:
    ndim = len(part.input_shape or ()) + 1
    if part.axes(ndim) != tuple(range(ndim - len(part.axes(ndim)), ndim)):
        raise ValueError(f"{layer.name}: torch's LayerNorm takes means over the last axes only, got axis={part.axis}")
    if part.center and not part.scale:
        raise ValueError(f"{layer.name}: torch's LayerNorm has no bias (beta) without a weight (gamma)")


def _require_torch(layer: Layer, part: Recurrent, backwards: bool) -> None:
    usual = ("tanh", "relu") if part.cell == "simple_rnn" else ("tanh",)
    if part.activation not in usual or part.recurrent_activation not in (None, "sigmoid"):
        gates = f" with gates of {part.recurrent_activation}" if part.recurrent_activation else ""
        raise ValueError(f"{layer.name}: torch's {type(part).__name__} cannot compute {part.activation}{gates}")
    if part.cell == "gru" and len(part.bias_shape()) == 1:
        raise ValueError(f"{layer.name}: torch's GRU resets after the product, reset_after=False has no place in it")
    if part.go_backwards != backwards:
        raise ValueError(f"{layer.name}: torch has go_backwards only in the second half of a bidirectional layer")
