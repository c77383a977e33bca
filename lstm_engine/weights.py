"""Model files: one safetensors file with the weights, the optimizer's slots, and as JSON how to rebuild the model.

A file holds no code, and nothing is unpickled. It is written under a temporary name and then moved, so that a crash leaves
the old file or the new one, never half of one.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from . import finite, loadable, optimizers, schema
from .activations import Array
from .compiling import targets_from_config, targets_to_config
from .files import as_safetensors, require_short_header, write_atomically
from .network import Network
from .registry import by_kind, custom_objects
from .tensors import InputLayer, graph_to_config
from .undrawn import undrawn
from .wrappers import as_config, from_config

N = TypeVar("N", bound=Network)
FORMAT = "lstm-engine 1"
CHECKSUM = "checksum"  # in the header; files of before it are read too
SPARE = 2**20  # numbers that a model may need beyond the file's, so that `require_shapes` can name the weight
KINDS = ("weights/", "states/", "optimizer/")  # of arrays, by the beginning of their names


def save(model: Network, path: Path, metadata: dict[str, Any], allow_nan: bool = False) -> None:
    """Writes the file and sets the model's metadata. ValueError, and no file, for a model that could not be loaded again.

    A class of the reader's own is written by its name: `load` needs it registered, or among its custom_objects.
    """
    if not isinstance(metadata, dict):
        raise ValueError(f"metadata must be a dict of JSON values, got {metadata!r}")
    if model.built:
        loadable.check(model)
    write_atomically(path, to_bytes(*described(model, allow_nan), metadata))
    model.metadata = json.loads(json.dumps(metadata))  # a copy


def to_bytes(header: dict[str, str], tensors: dict[str, Array], metadata: dict[str, Any]) -> bytes:
    """The content of a model's file from what `described` returns."""
    texts = header | {"metadata": json.dumps(metadata, allow_nan=False)}
    return as_safetensors(tensors, texts | {CHECKSUM: _checksum(texts, tensors)})


def described(model: Network, allow_nan: bool = False) -> tuple[dict[str, str], dict[str, Array]]:
    """The header of a model's file without the metadata, and the model's own arrays by name.

    ValueError for a model without weights, or with NaN in them; `save` and `loadable.check` refuse more.
    """
    if not model.built:
        raise ValueError("the model has no weights to save yet: train it, or build((T, D)) it")
    finite.require(finite.state_of(model), allow_nan=allow_nan)
    optimizer = model.optimizer
    architecture = {
        "layers": [as_config(layer) for layer in model.layers],
        "input_shape": model.input_shape,
        "dtype": model.dtype,
        "seed": model.seed,
        "entropy": model._seeds.entropy,
        "epochs_done": model.epochs_done,
        "generators": [part.rng.bit_generator.state for part in model.parts.values()],
        "compile": optimizer
        and {
            "optimizer": optimizers.to_config(optimizer),
            "iterations": optimizer.iterations,
            **targets_to_config(model.targets),
        },
    }
    if isinstance(model.layers[0], InputLayer):  # a Model, whose layers do not stand in a row
        architecture["graph"] = graph_to_config(model.graph)
        if getattr(model, "as_dict", False):
            architecture["output_names"] = model.output_names
    header = {
        "format": FORMAT,
        "architecture": json.dumps(architecture, default=lambda number: number.item()),  # NumPy's numbers too
    }
    tensors = {f"weights/{name}": w for name, w in model.weights.items()}
    tensors |= {f"states/{name}/{n}": state for name, kept in _states(model).items() for n, state in enumerate(kept)}
    if optimizer:
        tensors |= {f"optimizer/{name}": slot for name, slot in optimizer.slots.items()}
    return header, tensors


def load(
    path: Path, backend: str, made: Callable[..., N], own: Mapping[str, Any] | None = None, allow_nan: bool = False
) -> N:
    """The network with the file's weights, kept states, optimizer state and metadata. ValueError for a file it cannot use.

    made(architecture, layers, seed=, dtype=, backend=) makes it. own: the reader's custom_objects. Nothing larger than the
    file's own weights is allocated.
    """
    known = by_kind(own)
    with _opened(path) as file:
        with custom_objects(known):
            model = _described(file, backend, made)
        _fill(model, file, allow_nan)
        model.metadata = file.metadata
    return model


def resume(model: Network, path: Path) -> dict[str, Any]:
    """Puts a file's weights, kept states, generators and optimizer state into a compiled model; returns the file's metadata.

    The model then goes on where the saved one was. ValueError, and nothing changed, for another network or optimizer.
    """
    with _opened(path) as file:
        optimizer, compiled = model.compiled[0], file.architecture["compile"]
        kind = optimizers.to_config(optimizer)["name"]
        if compiled is None or compiled["optimizer"]["name"] != kind:
            other = "none" if compiled is None else compiled["optimizer"]["name"]
            raise ValueError(f"it was saved with the optimizer {other}, the model has {kind}")
        rate = compiled["optimizer"]["config"].get("learning_rate", optimizer.learning_rate)
        if not isinstance(rate, dict):
            optimizers.number("learning_rate", rate)
        _fill(model, file)
    model.epochs_done = file.architecture["epochs_done"]
    _continue_generators(model, file.architecture)
    if not isinstance(rate, dict):  # no schedule, which follows from the number of steps
        optimizer.learning_rate = rate
    return file.metadata


@dataclass(frozen=True)
class _File:
    """An open model file: what it says, and its arrays by name, which are read when they are asked for."""

    path: Path
    header: dict[str, str]
    architecture: dict[str, Any]
    metadata: dict[str, Any]
    stored: dict[str, Any]  # safetensors' slices, with get_shape() and get_dtype()
    read: Callable[[str], Array]

    def shapes(self, kind: str) -> dict[str, tuple[int, ...]]:
        """The shapes of all arrays whose names begin with `kind/`, by the rest of the name."""
        names = (name for name in self.stored if name.startswith(f"{kind}/"))
        return {name.removeprefix(f"{kind}/"): tuple(self.stored[name].get_shape()) for name in names}


@contextmanager
def _opened(path: Path) -> Iterator[_File]:
    """What a file says and holds. ValueError, in a line with the path, for a file that cannot be used."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise FileNotFoundError(f"there is no model file {path}")
    unreadable = (
        f"{path} is not a safetensors file that can be read (%s); did model.save or `lstm-engine train` write it?"
    )
    try:
        require_short_header(path)
    except ValueError as error:
        raise ValueError(unreadable % error) from None
    try:
        with safe_open(path, framework="numpy") as file:
            header = file.metadata() or {}
            if header.get("format") != FORMAT:
                said = f"{header.get('format')!r:.80}, not {FORMAT!r}"
                raise ValueError(f"it was not saved by this engine, its format is {said}")
            stored = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118, no dict
            architecture = schema.parse(header.get("architecture", ""), "its architecture", schema.Architecture)
            metadata = schema.parse(header.get("metadata", ""), "its metadata", dict[str, Any])
            _check_dtypes(stored, architecture["dtype"])
            yield _File(path, header, architecture, metadata, stored, file.get_tensor)
    except (SafetensorError, OSError) as error:
        raise ValueError(unreadable % error) from None
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        said = str(error) if isinstance(error, ValueError) else repr(error)
        raise ValueError(f"{path} cannot be used: {said:.1000}") from None


def _check_dtypes(stored: Mapping[str, Any], dtype: str) -> None:
    expected = {"float32": "F32", "float64": "F64"}[dtype]
    for name, item in stored.items():
        if not name.startswith(KINDS) or item.get_dtype() != expected:
            what = f"is {item.get_dtype()}" if name.startswith(KINDS) else "has no place in the model"
            raise ValueError(f"array {name!r:.120} {what}; expected weights, states and slots in {dtype}")


def _fill(model: Network, file: _File, allow_nan: bool = False) -> None:
    """Puts the arrays of a file into a model. ValueError, and nothing changed, where they do not fit."""
    require_shapes("weight", file.shapes("weights"), {name: w.shape for name, w in model.weights.items()})
    compiled, slots = file.architecture["compile"], file.shapes("optimizer")
    if slots and compiled and model.optimizer:
        trained = model.trainable_weights
        needed = {f"{slot}/{n}": w.shape for slot in model.optimizer.slot_names for n, w in trained.items()}
        require_shapes("optimizer slot", slots, needed)
    elif slots and not compiled:
        raise ValueError(f"it has optimizer slots, {min(slots)!r:.120}, but no optimizer")
    kept = _kept_states(model, file.shapes("states"))
    arrays = {name: file.read(name) for name in file.stored}
    if not allow_nan and (names := finite.broken({_named(name): a for name, a in arrays.items()})):
        raise ValueError(
            f"{names} holds NaN or infinity: the file is damaged, or the training diverged (allow_nan=True reads it)"
        )
    if CHECKSUM in file.header and file.header[CHECKSUM] != _checksum(file.header, arrays):
        raise ValueError("what it holds is not what was written: its checksum differs, so the file is damaged")
    for name, w in model.weights.items():
        w[...] = arrays[f"weights/{name}"]
    for name, count in kept.items():
        model.parts[name].states = [arrays[f"states/{name}/{n}"] for n in range(count)]
    if model.optimizer and compiled:
        model.optimizer.iterations = compiled["iterations"]
        model.optimizer.slots = {name: arrays[f"optimizer/{name}"] for name in slots}


def _named(key: str) -> str:
    """An array of a file in words: "weight lstm/bias" for "weights/lstm/bias"."""
    kind, _, name = key.partition("/")
    return f"{kind.removesuffix('s').replace('optimizer', 'optimizer slot')} {name}"


def require_shapes(what: str, stored: Mapping[str, tuple[int, ...]], needed: Mapping[str, tuple[int, ...]]) -> None:
    """ValueError unless both have the same names and shapes; it names the first that differs."""
    if stored != needed:
        name = next(n for n in {**needed, **stored} if needed.get(n) != stored.get(n))
        fault = f"has shape {stored[name]}" if name in stored else "is missing"
        expected = f"the model needs {needed[name]}" if name in needed else "and has no place in the model"
        raise ValueError(f"{what} {name} {fault}, {expected}")


def _kept_states(model: Network, stored: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
    """How many states the file has for each stateful layer. ValueError for states that no layer has."""
    stateful = {name: part for name, part in model.parts.items() if getattr(part, "stateful", False)}
    batch = next((shape[0] for shape in stored.values() if shape), 0)
    kept = {name: len(part.state_names) for name, part in stateful.items() if f"{name}/0" in stored}
    needed = {f"{name}/{n}": (batch, stateful[name].units) for name, count in kept.items() for n in range(count)}
    require_shapes("state", stored, needed)
    return kept


def _described(file: _File, backend: str, made: Callable[..., N]) -> N:
    """The network that a file describes, with zeros for weights: at most as many as the file has numbers for."""
    architecture = file.architecture
    layers = [from_config(row) for row in architecture["layers"]]
    with undrawn(layers, SPARE + sum(map(math.prod, file.shapes("weights").values()))):
        model = made(architecture, layers, seed=architecture["seed"], dtype=architecture["dtype"], backend=backend)
    model.epochs_done = architecture["epochs_done"]
    if compiled := architecture["compile"]:
        model.optimizer = optimizers.from_config(compiled["optimizer"])
        model.targets = targets_from_config(compiled, model.output_names)
    _continue_generators(model, architecture)
    return model


def _continue_generators(model: Network, architecture: dict[str, Any]) -> None:
    """The next dropout masks and orders of batches are those that would have come."""
    if "entropy" in architecture:  # the seed, or what a model without one has drawn
        model._seeds = np.random.SeedSequence(architecture["entropy"])
    if "generators" in architecture:
        schema.check_generators(architecture["generators"], model.parts, "the states of its generators")
        for part, state in zip(model.parts.values(), architecture["generators"], strict=True):
            part.rng.bit_generator.state = state


def _checksum(header: Mapping[str, str], tensors: Mapping[str, Array]) -> str:
    """SHA-256 of all that a file holds: of the texts and arrays by their names, in whatever order they are stored."""
    digest = hashlib.sha256()
    for name, text in sorted(header.items()):
        if name != CHECKSUM:
            digest.update(f"{name} {len(text)} {text}".encode("utf-8", "surrogatepass"))
    for name, array in sorted(tensors.items()):
        digest.update(f"{name} {array.dtype} {array.shape}".encode("utf-8", "surrogatepass"))
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _states(model: Network) -> dict[str, list[Any]]:
    """What every stateful layer keeps, by the layer's name."""
    return {name: part.states for name, part in model.parts.items() if getattr(part, "states", None) is not None}
