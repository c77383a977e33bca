"""Keras's files: `.weights.h5`, `.keras` and legacy `.h5`, as Keras 3 writes them (and Keras 2 its `.h5`).

Only arrays are read, and only those with the shapes that the model expects. The config in a file is not read: the network
is the model's, and its layers are matched with the file's in their order.
"""

import io
import json
import zipfile
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from ..activations import Array
from ..files import write_atomically
from ..keras_names import snake
from ..layer import Layer
from ..network import Network
from ..recurrent import Recurrent
from ..wrappers import Bidirectional, TimeDistributed, as_config
from .common import assign, check, optional, require_built

SUFFIXES = (".weights.h5", ".keras", ".h5")
WEIGHTS = "model.weights.h5"  # in a .keras archive
GROUP, OLD_GROUP = "layers/", "_layer_checkpoint_dependencies/"  # the second one in files of Keras 2.13
ATTRIBUTES = {Bidirectional: ("/forward_layer", "/backward_layer"), TimeDistributed: ("/layer",)}  # Keras's names
NOT_WEIGHTS = ("optimizer/", "optimizer_weights/", "metrics/")  # what Keras keeps beside the weights
MOST_NAMES = 1000  # in one attribute of a legacy file
METADATA = json.dumps({"keras_version": "3.0.0"})  # the first with this format


def load(model: Network, path: str | Path) -> None:
    """Reads the weights of a Keras file into the model, without the optimizer's state.

    In `.keras` and `.weights.h5` layers are found by class and order (the second LSTM is lstm_1, whatever its name), in
    legacy `.h5` by order. ValueError, and nothing changed, for a weight that is missing, superfluous or of another shape, for
    links, compressed data, sizes that the model does not need, and damaged files.
    """
    require_built(model)
    path = Path(path)
    h5py = optional("h5py")
    suffix = _suffix(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}" + " (but a folder)" * path.is_dir())
    try:
        content = io.BytesIO(_from_archive(model, path)) if suffix == ".keras" else path
        with h5py.File(content, "r") as file:
            datasets = _datasets(h5py, file)
            root = "model_weights/" if "model_weights" in file else "/"
            legacy = "layer_names" in file[root].attrs
            named = _by_order(model, file, root, datasets) if legacy else _by_class(model, datasets)
            check(model.weights, named, path.name)  # before anything is read
            assign(model.weights, {name: _read(name, dataset) for name, dataset in named.items()}, path.name)
    except (OSError, KeyError, TypeError, RuntimeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path} cannot be read as a Keras file: {error}") from None


def save(model: Network, path: str | Path) -> None:
    """Writes the weights as Keras reads them, whole or not at all; as `.keras` with the architecture, not compiled.

    `model.load_weights` of Keras 3 opens `.weights.h5` and `.h5`, `keras.models.load_model` opens `.keras`. The optimizer and
    its state are not written.
    """
    require_built(model)
    path = Path(path)
    weights = model.weights
    if (suffix := _suffix(path)) == ".h5":
        layers = {layer.name: [f"{layer.name}/{name}" for name in layer.weights] for layer in model.layers}
        attributes = {layer: ("weight_names", names) for layer, names in layers.items()}
        attributes |= {"/": ("layer_names", list(layers))}
        arrays = {f"{layer}/{name}": weights[name] for layer, names in layers.items() for name in names}
        content = _h5(arrays, attributes)
    else:
        content = _h5({place: weights[name] for place, name in _places(model).items()})
    if suffix == ".keras":
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr(zipfile.ZipInfo("metadata.json"), METADATA)
            file.writestr(zipfile.ZipInfo("config.json"), json.dumps(_config(model)))
            file.writestr(zipfile.ZipInfo(WEIGHTS), content)
        content = archive.getvalue()
    write_atomically(path, content)


def _suffix(path: Path) -> str:
    if not path.name.endswith(SUFFIXES):
        raise ValueError(f"a Keras file's name ends in {', '.join(SUFFIXES)}, got {path.name!r}")
    return next(suffix for suffix in SUFFIXES if path.name.endswith(suffix))


def _places(model: Network) -> dict[str, str]:
    """The engine's names of the weights by their paths in Keras 3's files: layers/lstm_1/cell/vars/0, counted by class."""
    count: Counter[str] = Counter()
    places: dict[str, str] = {}
    for layer in model.layers:
        kind = snake(type(layer).__name__)
        group = GROUP + (f"{kind}_{count[kind]}" if count[kind] else kind)
        count[kind] += 1
        for attribute, (prefix, part) in zip(ATTRIBUTES.get(type(layer), ("",)), layer.parts.items(), strict=True):
            holder = group + attribute + "/cell" * isinstance(part, Recurrent)
            places |= {f"{holder}/vars/{n}": f"{layer.name}/{prefix}{w}" for n, w in enumerate(part.weights)}
    return places


# -- reading ---------------------------------------------------------------------------------------------------------


def _from_archive(model: Network, path: Path) -> bytes:
    """The weights' file in a `.keras` archive. ValueError if it is too large for this model.

    In float64 and with an optimizer's slots it has at most 8 times the model's bytes.
    """
    most = 2**24 + 10 * sum(w.nbytes for w in model.weights.values())
    with zipfile.ZipFile(path) as archive:
        if (size := archive.getinfo(WEIGHTS).file_size) > most:
            raise ValueError(f"{path}: {WEIGHTS} would unpack to {size:,} bytes, this model needs {most:,} at most")
        return archive.read(WEIGHTS)


def _datasets(h5py: Any, file: Any) -> dict[str, Any]:
    """Every dataset by its path. ValueError for links that lead elsewhere: Keras writes none."""
    names: list[str] = []
    file.visit_links(names.append)  # each group once, so that a ring of groups ends
    if links := [name for name in names if not isinstance(file.get(name, getlink=True), h5py.HardLink)]:
        raise ValueError(f"{links[0]} is a link to another place: Keras writes none, and none is followed")
    names = [name for name in names if not name.startswith(NOT_WEIGHTS) and "seed_generator" not in name]
    return {name: item for name in names if isinstance(item := file[name], h5py.Dataset)}


def _by_class(model: Network, datasets: dict[str, Any]) -> dict[str, Any]:
    places = _places(model)
    paths = {GROUP + path.removeprefix(OLD_GROUP).removeprefix(GROUP): path for path in datasets}
    return {places.get(place, path): datasets[path] for place, path in paths.items()}


def _by_order(model: Network, file: Any, root: str, datasets: dict[str, Any]) -> dict[str, Any]:
    """The datasets by the engine's names, layer by layer and weight by weight; the kinds of weights must be the same."""
    stored = {root + name: _names(file[root + name], "weight_names") for name in _names(file[root], "layer_names")}
    stored = {place: names for place, names in stored.items() if names}
    layers = {layer.name: [f"{layer.name}/{name}" for name in layer.weights] for layer in model.layers if layer.weights}
    if len(layers) != len(stored):
        raise ValueError(f"layers with weights here: {', '.join(layers)}; in the file: {', '.join(stored) or 'none'}")
    named: dict[str, Any] = {}
    for ours, (place, theirs) in zip(layers.values(), stored.items(), strict=True):
        if [_kind(name) for name in ours] != [_kind(name) for name in theirs]:
            raise ValueError(f"weights here: {', '.join(ours)}; in the file: {', '.join(theirs)}")
        paths = [f"{place}/{name}".lstrip("/") for name in theirs]
        named |= {name: datasets[path] for name, path in zip(ours, paths, strict=True) if path in datasets}
    return named


def _kind(name: str) -> str:
    return name.rsplit("/", 1)[-1].removesuffix(":0")  # lstm/lstm_cell/kernel:0 is a kernel


def _names(group: Any, attribute: str) -> list[str]:
    if attribute not in group.attrs:
        return []
    if (count := np.prod(group.attrs.get_id(attribute).shape)) > MOST_NAMES:
        raise ValueError(f"{group.name}: {attribute} declares {count:,.0f} names, at most {MOST_NAMES:,} are read")
    names = (n.decode() if isinstance(n, bytes) else str(n) for n in group.attrs[attribute])
    return [name for name in names if "seed_generator" not in name]


def _read(name: str, dataset: Any) -> Array:
    """The array, if the file stores it as Keras does: floats in one piece, of as many bytes as the shape needs."""
    nbytes = int(np.prod(dataset.shape)) * dataset.dtype.itemsize
    if dataset.dtype.kind != "f":
        raise ValueError(f"{name} is stored as {dataset.dtype}, expected floating-point numbers")
    if dataset.external or dataset.is_virtual or dataset.chunks or dataset.id.get_storage_size() != nbytes:
        raise ValueError(f"{name} is stored outside the file, compressed, in chunks or not at all, as Keras never does")
    return dataset[()]


# -- writing ---------------------------------------------------------------------------------------------------------


def _h5(arrays: dict[str, Array], attributes: dict[str, tuple[str, list[str]]] | None = None) -> bytes:
    buffer = io.BytesIO()
    with optional("h5py").File(buffer, "w") as file:
        for place, array in arrays.items():
            file.create_dataset(place, data=array)
        for place, (attribute, names) in (attributes or {}).items():
            file.require_group(place).attrs[attribute] = np.array(names, "S")
    return buffer.getvalue()


def _config(model: Network) -> dict[str, Any]:
    if stateful := [layer.name for layer in model.layers if getattr(layer, "stateful", False)]:
        raise ValueError(
            f"{', '.join(stateful)} is stateful: Keras needs the batch size in a .keras file, and a model here has none; "
            "save as .weights.h5, and load that into a Keras model with a batch_shape"
        )
    shape = {"batch_shape": [None, *(model.input_shape or ())], "dtype": model.dtype, "name": "input_layer"}
    layers = [_keras("layers", "InputLayer", shape)] + [layer_config(layer, model.dtype) for layer in model.layers]
    return _keras("", "Sequential", {"name": "sequential", "trainable": True, "dtype": model.dtype, "layers": layers})


def layer_config(layer: Layer, dtype: str) -> dict[str, Any]:
    """The layer's config in the form that Keras's `layers.deserialize` reads."""
    config = as_config(layer)
    if isinstance(layer, Bidirectional):
        # Both directions in full, as Keras writes them. For backward_layer=None its constructor serialises one layer twice,
        # and Keras 3.15 then takes the two for one shared object if the layer's id() was used before.
        halves = {"layer": as_config(layer.forward_half), "backward_layer": as_config(layer.backward_half)}
        config["config"] = config["config"] | halves
    return _as_keras(config, dtype)


def _as_keras(value: Any, dtype: str) -> Any:
    """A value of the engine's config as Keras writes it: layers, initializers and penalties as objects, others unchanged."""
    match value:
        case {"class": kind, "name": name, "config": config}:
            options = {k: _as_keras(v, dtype) for k, v in config.items() if (k, v) != ("recurrent_activation", None)}
            return _keras("layers", kind, options | {"name": name or snake(kind), "dtype": dtype})
        case {"class": kind}:
            return _keras("initializers", kind, {k: v for k, v in value.items() if k != "class"})
        case {"l1": _, "l2": _}:
            return _keras("regularizers", "L1L2", value)
    return value


def _keras(module: str, kind: str, config: dict[str, Any]) -> dict[str, Any]:
    module = f"keras.{module}".rstrip(".")
    return {"module": module, "class_name": kind, "config": config, "registered_name": None}
