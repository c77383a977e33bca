"""Weights in Keras's files: `.weights.h5`, `.keras` and legacy `.h5`, as Keras 3 writes them (and Keras 2 its `.h5`).

Only arrays are read, and only those with the shapes that the model expects: its layers are matched with the file's in their
order, or by name. Whole models are read and written in `keras_models.py`.
"""

from __future__ import annotations

import io
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..activations import Array
from ..files import write_atomically
from ..keras_names import snake
from ..layer import Layer
from ..network import Network
from ..optimizers import Adam, Nadam, Optimizer
from ..recurrent import Recurrent
from ..schema import MOST_TEXT
from ..wrappers import Bidirectional, TimeDistributed
from . import hdf5
from .common import assign, check, optional, require_built
from .keras_2 import GATE_BY_GATE, Stored, from_cudnn, gate_by_gate, warn_of_gates

SUFFIXES = (".weights.h5", ".keras", ".h5", ".hdf5")
WEIGHTS, CONFIG, METADATA = "model.weights.h5", "config.json", "metadata.json"  # in a .keras archive
GROUP, OLD_GROUP = "layers/", "_layer_checkpoint_dependencies/"  # the second one in files of Keras 2.13
ATTRIBUTES = {Bidirectional: ("/forward_layer", "/backward_layer"), TimeDistributed: ("/layer",)}  # Keras's names
OPTIMIZER = "optimizer/vars/"
NOT_WEIGHTS = ("optimizer/", "optimizer_weights/", "metrics/")  # what Keras keeps beside the weights
VERSION = "3.0.0"  # the first with these formats
MAGIC = {b"PK\x03\x04": ".keras", b"\x89HDF": ".h5"}


def load(model: Network, path: str | Path, skip_mismatch: bool = False, by_name: bool = False) -> None:
    """Reads the weights of a Keras file into the model.

    In `.keras` and `.weights.h5` layers are found by class and order (the second LSTM is lstm_1, whatever its name), in
    legacy `.h5` by order, or with by_name by name; then layers that one side lacks are left as they are. With skip_mismatch
    a layer that does not fit is left too, with a warning. ValueError, and nothing changed, for a weight that is missing,
    superfluous or of another shape, for links, compressed data, sizes that the model does not need, and damaged files.

    As in Keras 3, the optimizer's state comes along if the model's optimizer has trained already and has the same slots.
    """
    require_built(model)
    path = Path(path)
    with opened(path, 2**24 + 10 * sum(w.nbytes for w in model.weights.values())) as (file, _):
        try:
            _load(model, path.name, file, skip_mismatch, by_name)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None


def _load(model: Network, source: str, file: Any, skip_mismatch: bool, by_name: bool) -> None:
    found = hdf5.datasets(file)
    root = legacy_root(file)
    if by_name and root is None:
        raise ValueError(f"{source}: by_name is for legacy .h5 files; this format does not rely on names")
    named = weights_in(model, file, found, by_name)
    wanted = {n: w for n, w in model.weights.items() if not by_name or n.split("/")[0] in _layers(named)}
    if skip_mismatch:
        wanted, named = _fitting(wanted, named, source)
    check(wanted, named, source)  # before anything is read
    arrays = {name: stored.read(name) for name, stored in named.items()}
    state = None
    if root is None and model.optimizer and model.optimizer.iterations:
        state = optimizer_state(model, _variables(found))
    if root is not None:
        warn_of_gates(model, source, file, root)
    assign(wanted, arrays, source)
    if state is not None:
        state.give(model.optimizer)


def save(model: Network, path: str | Path) -> None:
    """Writes the weights as Keras reads them, whole or not at all; as `.keras` with the architecture.

    `model.load_weights` of Keras 3 opens `.weights.h5` and `.h5`, `keras.models.load_model` opens `.keras`. In `.weights.h5`
    the optimizer's state is kept too, as Keras does.
    """
    require_built(model)
    path = Path(path)
    suffix = suffix_of(path)
    if suffix == ".keras":
        from . import keras_models

        keras_models.save(model, path, include_optimizer=False)
    elif suffix == ".weights.h5":
        write_atomically(path, hdf5.to_bytes(new_layout(model, bool(model.optimizer), full=False), {}))
    else:
        write_atomically(path, hdf5.to_bytes(*legacy_layout(model, "")))


def suffix_of(path: Path) -> str:
    if not path.name.endswith(SUFFIXES):
        raise ValueError(f"a Keras file's name ends in {', '.join(SUFFIXES)}, got {path.name!r}")
    return next(suffix for suffix in SUFFIXES if path.name.endswith(suffix))


# -- opening ---------------------------------------------------------------------------------------------------------


@contextmanager
def opened(path: Path, most: int = 0) -> Iterator[tuple[Any, dict[str, bytes]]]:
    """The HDF5 file, and the texts beside it in an archive. What the file starts with tells the format, not its name.

    ValueError for what cannot be read. An archive's weights may unpack to `most` bytes, by default to what its size allows.
    """
    h5py = optional("h5py")
    if path.is_dir():
        raise FileNotFoundError(f"{path} is a folder, perhaps TensorFlow's SavedModel; Keras 3 does not read it either")
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    with path.open("rb") as start:
        kind = MAGIC.get(start.read(4))
    try:
        texts = _members(path, most or 2**24 + 10 * path.stat().st_size) if kind == ".keras" else {}
        with h5py.File(io.BytesIO(texts.pop(WEIGHTS)) if texts else path, "r") as file:
            yield file, texts
    except (OSError, KeyError, TypeError, RuntimeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path} cannot be read as a Keras file: {error}") from None


def _members(path: Path, most: int) -> dict[str, bytes]:
    """An archive's members. ValueError for other names than Keras's, for a name twice, and for what unpacks to too much."""
    with zipfile.ZipFile(path) as archive:
        members = {member.filename: member for member in archive.infolist()}
        known = {WEIGHTS, CONFIG, METADATA}
        if odd := [n for n in members if n not in known and not n.startswith("assets/")] or len(members) < len(
            archive.infolist()
        ):
            raise ValueError(f"{path} holds {odd if odd is not True else 'a name twice'}, which Keras does not write")
        if odd := [
            m.filename for m in members.values() if m.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
        ]:
            raise ValueError(f"{path}: {odd[0]:.120} is compressed in a way that Keras does not use")
        for name, limit in ((WEIGHTS, most), (CONFIG, MOST_TEXT), (METADATA, MOST_TEXT)):
            if name in members and (size := members[name].file_size) > limit:
                raise ValueError(f"{path}: {name} would unpack to {size:,} bytes, at most {limit:,} are needed")
        return {
            name: _unpacked(archive, members[name]) for name in (WEIGHTS, *sorted(known & members.keys() - {WEIGHTS}))
        }


def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """A member's bytes, a piece at a time: read in one go, it could unpack to more than it declares before anybody looks."""
    with archive.open(member) as file:
        return b"".join(iter(lambda: file.read(2**16), b""))


# -- where the weights lie -------------------------------------------------------------------------------------------


def places(model: Network, layers: Sequence[Layer] | None = None) -> dict[str, str]:
    """The engine's names of the weights by their paths in Keras 3's files: layers/lstm_1/cell/vars/0, counted by class.

    layers: the model's, in the order in which the file counts them, if that is not the model's own.
    """
    count: Counter[str] = Counter()
    paths: dict[str, str] = {}
    for layer in layers or model.layers:
        kind = snake(type(layer).__name__)
        group = GROUP + (f"{kind}_{count[kind]}" if count[kind] else kind)
        count[kind] += 1
        for attribute, (prefix, part) in zip(ATTRIBUTES.get(type(layer), ("",)), layer.parts.items(), strict=True):
            holder = group + attribute + "/cell" * isinstance(part, Recurrent)
            paths |= {f"{holder}/vars/{n}": f"{layer.name}/{prefix}{w}" for n, w in enumerate(part.weights)}
    return paths


def legacy_root(file: Any) -> Any:
    """The group with the layers of a legacy file, or None in a file of Keras 3's format."""
    root = file.get("model_weights", file)
    return root if hdf5.names(root, "layer_names") else None


def are_weights(found: dict[str, Any]) -> dict[str, Any]:
    """The datasets without the states of optimizers, metrics and dropout's generators."""
    return {n: d for n, d in found.items() if not n.startswith(NOT_WEIGHTS) and "seed_generator" not in n}


def weights_in(
    model: Network, file: Any, found: dict[str, Any], by_name: bool = False, layers: Sequence[Layer] | None = None
) -> dict[str, Stored]:
    """Each weight of the file under the engine's name; under its path in the file if the model has no such weight."""
    found = are_weights(found)
    root = legacy_root(file)
    if root is not None:
        return _legacy(model, root, found, by_name, layers or model.layers)
    ours = places(model, layers)
    paths = {GROUP + path.removeprefix(OLD_GROUP).removeprefix(GROUP): path for path in found}
    return {ours.get(place, path): Stored(found[path], found[path].shape) for place, path in paths.items()}


def _legacy(
    model: Network, root: Any, found: dict[str, Any], by_name: bool, in_order: Sequence[Layer]
) -> dict[str, Stored]:
    """The weights by order, layer by layer and weight by weight, or by the layers' names; kinds of weights must agree."""
    stored = {name: _weight_names(root[name]) for name in hdf5.names(root, "layer_names")}
    stored = {layer: names for layer, names in stored.items() if names}
    layers = {layer.name: [f"{layer.name}/{name}" for name in layer.weights] for layer in in_order if layer.weights}
    if by_name:
        stored = {name: names for name, names in stored.items() if name in layers}
        layers = {name: names for name, names in layers.items() if name in stored}
        stored = {name: stored[name] for name in layers}
    if len(layers) != len(stored):
        raise ValueError(f"layers with weights here: {', '.join(layers)}; in the file: {', '.join(stored) or 'none'}")
    named: dict[str, Stored] = {}
    for ours, (layer, theirs) in zip(layers.values(), stored.items(), strict=True):
        if [_kind(name) for name in ours] != [_kind(name) for name in theirs]:
            hint = GATE_BY_GATE if gate_by_gate(theirs) else ""
            raise ValueError(f"weights here: {', '.join(ours)}; in the file: {', '.join(theirs)}{hint}")
        prefix = root[layer].name.strip("/")
        datasets = [found.get(f"{prefix}/{name}") for name in theirs]
        named |= {n: Stored(d, d.shape) for n, d in zip(ours, datasets, strict=True) if d is not None}
    return named | from_cudnn(model, named)


def _weight_names(group: Any) -> list[str]:
    return [name for name in hdf5.names(group, "weight_names") if "seed_generator" not in name]


def _kind(name: str) -> str:
    return name.rsplit("/", 1)[-1].removesuffix(":0")  # lstm/lstm_cell/kernel:0 is a kernel


def _layers(named: dict[str, Any]) -> set[str]:
    return {name.split("/")[0] for name in named}


def _fitting(wanted: dict[str, Array], named: dict[str, Stored], source: str) -> tuple[Any, Any]:
    """The layers of which every weight fits. A warning names the others."""
    shapes = {name: stored.shape for name, stored in named.items()}
    bad = _layers({n: 0 for n, w in wanted.items() if shapes.get(n) != w.shape})
    left = sorted(_layers(wanted) & bad)
    if left:
        warnings.warn(
            f"{source}: {', '.join(left)} differ in shape or number of weights and were skipped", stacklevel=5
        )
    good = {n: w for n, w in wanted.items() if n.split("/")[0] not in bad}
    return good, {n: named[n] for n in good}


# -- the optimizer ---------------------------------------------------------------------------------------------------


class State(NamedTuple):
    """An optimizer's state out of a file."""

    iterations: int
    learning_rate: float | None
    slots: dict[str, Array]

    def give(self, optimizer: Optimizer | None) -> None:
        assert optimizer is not None
        optimizer.iterations = self.iterations
        if self.learning_rate is not None:
            optimizer.learning_rate = self.learning_rate
        optimizer.slots = self.slots


def _slots(optimizer: Optimizer, weights: dict[str, Array]) -> list[tuple[str, Array]]:
    """The slots' names in the order of Keras's variables, each with its weight: Adam's alternate, others' follow."""
    if isinstance(optimizer, Adam):
        return [(f"{slot}/{name}", w) for name, w in weights.items() for slot in optimizer.slot_names]
    return [(f"{slot}/{name}", w) for slot in optimizer.slot_names for name, w in weights.items()]


def variables_of(model: Network, full: bool) -> dict[str, Any]:
    """The optimizer's variables as Keras orders them; without full, only the first ones before a first step."""
    optimizer, weights = model.optimizer, model.trainable_weights
    assert optimizer is not None
    variables: dict[str, Any] = {"iteration": np.int32(optimizer.iterations)}
    if not optimizer.scheduled:
        variables["learning_rate"] = np.dtype(model.dtype).type(optimizer.learning_rate)
    if optimizer.slots or full:
        slots = _slots(optimizer, weights)
        variables |= {name: optimizer.slots.get(name, np.zeros_like(w)) for name, w in slots}
        if isinstance(optimizer, Nadam):  # which keeps a number that follows from the iteration
            variables["u_product"] = optimizer.product(optimizer.iterations, np.dtype(model.dtype).type)
    return variables


def _variables(found: dict[str, Any]) -> list[Any]:
    """The optimizer's datasets of a file of Keras 3, in order."""
    count = sum(name.startswith(OPTIMIZER) for name in found)
    return [found[f"{OPTIMIZER}{n}"] for n in range(count)]


def optimizer_state(model: Network, variables: list[Any]) -> State | None:
    """The state, or None where the file has none of this optimizer's: as Keras, which then starts anew."""
    optimizer = model.optimizer
    assert optimizer is not None
    scheduled = optimizer.scheduled
    first, slots = 1 + (not scheduled), _slots(optimizer, model.trainable_weights)
    if len(variables) != first + len(slots) + isinstance(optimizer, Nadam):
        return None
    for (name, w), dataset in zip(slots, variables[first:], strict=False):
        if dataset.shape != w.shape:
            raise ValueError(f"the optimizer's {name} has shape {dataset.shape} in the file, {w.shape} here")
    if any(dataset.shape for dataset in variables[:first]):
        raise ValueError("the optimizer's iteration and learning rate are no single numbers")
    iterations = int(hdf5.read("iteration", variables[0], "iu"))
    rate = None if scheduled else float(hdf5.read("learning_rate", variables[1]))
    arrays = {name: hdf5.read(name, d).astype(w.dtype) for (name, w), d in zip(slots, variables[first:], strict=False)}
    numbers: list[Any] = [*arrays.values(), 0.0 if rate is None else rate]
    if broken := [n for n, a in zip([*arrays, "learning_rate"], numbers, strict=True) if not np.isfinite(a).all()]:
        raise ValueError(f"the optimizer's {broken[0]} holds NaN or infinity")
    if iterations < 0:
        raise ValueError(f"the optimizer's iteration is {iterations}")
    return State(iterations, rate, arrays)


# -- writing ---------------------------------------------------------------------------------------------------------


def new_layout(model: Network, optimizer: bool, full: bool = True) -> dict[str, Any]:
    """The arrays of a file of Keras 3 by their paths."""
    arrays: dict[str, Any] = {place: model.weights[name] for place, name in places(model).items()}
    if optimizer:
        arrays |= {f"{OPTIMIZER}{n}": value for n, value in enumerate(variables_of(model, full).values())}
    return arrays


def legacy_layout(model: Network, root: str) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The arrays of a legacy file below this group, and the groups' attributes."""
    layers = {layer.name: [f"{layer.name}/{name}" for name in layer.weights] for layer in model.layers}
    attributes: dict[str, dict[str, Any]] = {root + layer: {"weight_names": names} for layer, names in layers.items()}
    attributes[root or "/"] = {"layer_names": list(layers), "keras_version": VERSION, "backend": "numpy"}
    arrays = {f"{root}{layer}/{name}": model.weights[name] for layer, names in layers.items() for name in names}
    return arrays, attributes
