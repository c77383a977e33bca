"""Model files: one safetensors file with the weights, the optimizer's slots, and as JSON how to rebuild the model.

A file holds no code, and nothing is unpickled. It is written under a temporary name and then moved, so that a crash leaves
the old file or the new one, never half of one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from . import loadable, optimizers
from .activations import Array
from .compiling import targets_from_config, targets_to_config
from .files import write_atomically
from .network import Network
from .registry import by_kind, custom_objects
from .tensors import InputLayer, graph_to_config
from .wrappers import as_config, from_config

N = TypeVar("N", bound=Network)
FORMAT = "lstm-engine 1"


def save(model: Network, path: Path, metadata: dict[str, Any]) -> None:
    """Writes the file and sets the model's metadata. ValueError, and no file, for a model that could not be loaded again.

    A class of the reader's own is written by its name: `load` needs it registered, or among its custom_objects.
    """
    from safetensors.numpy import save as to_bytes

    if not model.built:
        raise ValueError("the model has no weights to save yet: train it, or build((T, D)) it")
    if not isinstance(metadata, dict):
        raise ValueError(f"metadata must be a dict of JSON values, got {metadata!r}")
    if broken := [name for name, w in model.weights.items() if not np.isfinite(w).all()]:
        raise ValueError(
            f"{', '.join(broken[:3])}{', ...' * (len(broken) > 3)} holds NaN or infinity: the training diverged, and the "
            "file would be refused"
        )
    loadable.check(model)
    optimizer = model.optimizer
    architecture = {
        "layers": [as_config(layer) for layer in model.layers],
        "input_shape": model.input_shape,
        "dtype": model.dtype,
        "seed": model.seed,
        "entropy": model._seeds.entropy,
        "epochs_done": model.epochs_done,
        "generators": [rng.bit_generator.state for rng in _generators(model)],
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
        "metadata": json.dumps(metadata, allow_nan=False),
    }
    tensors = {f"weights/{name}": w for name, w in model.weights.items()}
    tensors |= {f"states/{name}/{n}": state for name, kept in _states(model).items() for n, state in enumerate(kept)}
    if optimizer:
        tensors |= {f"optimizer/{name}": slot for name, slot in optimizer.slots.items()}
    write_atomically(path, to_bytes(tensors, header))
    model.metadata = json.loads(header["metadata"])  # a copy


def load(path: Path, backend: str, made: Callable[..., N], own: Mapping[str, Any] | None = None) -> N:
    """The network with the file's weights, kept states, optimizer state and metadata. ValueError for a file it cannot use.

    made(architecture, layers, seed=, dtype=, backend=) makes it. own: the reader's custom_objects.
    """
    known = by_kind(own)
    header, tensors = _read(path)
    try:
        architecture = json.loads(header["architecture"])
        with custom_objects(known):
            model = _described(architecture, backend, made)
        model.metadata = json.loads(header["metadata"])
    except (KeyError, TypeError, ValueError) as error:
        words = error if type(error) is ValueError else repr(error)  # what is no sentence goes with its kind
        raise ValueError(f"{path}: its description of the model cannot be used: {words}") from None

    _fill(model, architecture["compile"], tensors, path)
    return model


def resume(model: Network, path: Path) -> dict[str, Any]:
    """Puts a file's weights, kept states, generators and optimizer state into a compiled model; returns the file's metadata.

    The model then goes on where the saved one was. ValueError, and nothing changed, for another network or optimizer.
    """
    header, tensors = _read(path)
    architecture = json.loads(header["architecture"])
    optimizer, compiled = model.compiled[0], architecture["compile"]
    kind = optimizers.to_config(optimizer)["name"]
    if compiled is None or compiled["optimizer"]["name"] != kind:
        other = "none" if compiled is None else compiled["optimizer"]["name"]
        raise ValueError(f"{path} was saved with the optimizer {other}, the model has {kind}")
    if extra := {n for n in tensors if n.startswith("weights/")} - {f"weights/{n}" for n in model.weights}:
        raise ValueError(f"{path} is of another network: the model has no {', '.join(sorted(extra))}")
    _fill(model, compiled, tensors, path)
    model.epochs_done = architecture["epochs_done"]
    _continue_generators(model, architecture)
    rate = compiled["optimizer"]["config"]["learning_rate"]
    if not isinstance(rate, dict):  # no schedule, which follows from the number of steps
        optimizer.learning_rate = rate
    return json.loads(header["metadata"])


def _read(path: Path) -> tuple[dict[str, str], dict[str, Array]]:
    """What a file says, and its arrays. ValueError for a file that the engine did not write."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise FileNotFoundError(f"there is no model file {path}")
    try:
        with safe_open(path, framework="numpy") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, no dict
    except (SafetensorError, OSError) as error:
        raise ValueError(
            f"{path} is not a safetensors file that can be read ({error}); did model.save or `lstm-engine train` write it?"
        ) from None
    if header.get("format") != FORMAT:
        raise ValueError(f"{path} was not saved by this engine: its format is {header.get('format')!r}, not {FORMAT!r}")
    return header, tensors


def _fill(model: Network, compiled: dict[str, Any] | None, tensors: dict[str, Array], path: Path) -> None:
    """Puts the arrays of a file into a model. ValueError, and nothing changed, where they do not fit."""
    for name, w in model.weights.items():
        stored = tensors.get(f"weights/{name}")
        if stored is None or stored.shape != w.shape:
            fault = "is missing" if stored is None else f"has shape {stored.shape}"
            raise ValueError(f"{path}: weight {name} {fault}, the model it describes needs {w.shape}")
        if not np.isfinite(stored).all():
            raise ValueError(
                f"{path}: weight {name} holds NaN or infinity: the file is damaged or the training diverged"
            )
    slots = {n.removeprefix("optimizer/"): slot for n, slot in tensors.items() if n.startswith("optimizer/")}
    if model.optimizer and compiled and slots:
        needed = {f"{s}/{n}": w.shape for s in model.optimizer.slot_names for n, w in model.trainable_weights.items()}
        shapes = {name: slot.shape for name, slot in slots.items()}
        if shapes != needed:
            name = next(n for n in {**needed, **shapes} if needed.get(n) != shapes.get(n))
            raise ValueError(f"{path}: optimizer slot {name} is {shapes.get(name)}, the model needs {needed.get(name)}")
    for name, w in model.weights.items():
        w[...] = tensors[f"weights/{name}"]
    for name, part in model.parts.items():
        if kept := [tensors[key] for n in range(9) if (key := f"states/{name}/{n}") in tensors]:
            part.states = kept
    if model.optimizer and compiled:
        model.optimizer.iterations = compiled["iterations"]
        model.optimizer.slots = slots


def _described(architecture: dict[str, Any], backend: str, made: Callable[..., N]) -> N:
    """The network that a file describes, with other weights."""
    layers = [from_config(row) for row in architecture["layers"]]
    model = made(architecture, layers, seed=architecture["seed"], dtype=architecture["dtype"], backend=backend)
    model.epochs_done = architecture["epochs_done"]
    _continue_generators(model, architecture)
    if compiled := architecture["compile"]:
        model.optimizer = optimizers.from_config(compiled["optimizer"])
        model.targets = targets_from_config(compiled, model.output_names)
    return model


def _continue_generators(model: Network, architecture: dict[str, Any]) -> None:
    """The next dropout masks and orders of batches are those that would have come."""
    if "entropy" in architecture:  # the seed, or what a model without one has drawn
        model._seeds = np.random.SeedSequence(architecture["entropy"])
    for rng, state in zip(_generators(model), architecture.get("generators", ()), strict=False):
        rng.bit_generator.state = state


def _states(model: Network) -> dict[str, list[Any]]:
    """What every stateful layer keeps, by the layer's name."""
    return {name: part.states for name, part in model.parts.items() if getattr(part, "states", None) is not None}


def _generators(model: Network) -> list[np.random.Generator]:
    """The generators of dropout masks of all layers, those inside wrappers too."""
    return [part.rng for part in model.parts.values()]
