"""Whole models in Keras's files: `.keras` and legacy `.h5`, written so that Keras 3 opens them, and read without Keras.

A file is a plain configuration (`keras_config.py`) and arrays (`keras_files.py`). Nothing of it is executed, imported or
unpickled. Before anything is allocated for a config, its weights are compared with what the file really holds.
"""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from .. import finite
from ..files import write_atomically
from ..layer import Layer
from ..model import Model
from ..network import Network
from ..schema import MOST_LAYERS, Ours, check_generators, fitting, parse
from ..sequential import Sequential
from ..undrawn import undrawn
from . import hdf5, keras_files
from .common import assign, check, require_built
from .keras_config import (
    Config,
    Origin,
    keras_object,
    optimizer_of,
    read_compile,
    read_layer,
    read_shape,
    version_of,
    write_compile,
    write_layer,
)
from .keras_graph import read_graph, write_graph, write_input

OURS = "lstm_engine"  # the key, beside Keras's own, of what the engine alone knows of a model
MODELS = {"Sequential": "", "Functional": "src.models.functional", "Model": ""}  # by class, with its module in Keras 3


# -- writing ---------------------------------------------------------------------------------------------------------


def save(
    model: Network, path: Path, include_optimizer: bool = True, metadata: dict[str, Any] | None = None,
    allow_nan: bool = False,
) -> None:  # fmt: skip
    """Writes the whole model as `.keras`, or as `.h5` or `.hdf5` in the legacy format, whole or not at all.

    With include_optimizer what `compile` said and the optimizer's state are kept, so that Keras goes on training with the
    same numbers. ValueError, and no file, for what Keras does not have.
    """
    require_built(model)
    finite.require(finite.state_of(model), allow_nan=allow_nan)
    if not isinstance(metadata := model.metadata if metadata is None else metadata, dict):
        raise ValueError(f"metadata must be a dict of JSON values, got {metadata!r}")
    compiled = bool(include_optimizer and model.optimizer)
    config = whole_config(model, compiled)
    ours = {
        "metadata": metadata,
        "seed": model.seed,
        "epochs_done": model.epochs_done,
        "generators": [part.rng.bit_generator.state for part in model.parts.values()],
    }
    text = to_json(ours)
    if keras_files.suffix_of(path) == ".keras":
        content = _archive(config, text, hdf5.to_bytes(keras_files.new_layout(model, compiled), {}))
    else:
        content = _legacy(model, config, text, compiled)
    write_atomically(path, content)
    model.metadata = metadata


def to_json(value: Any) -> str:
    return json.dumps(value, allow_nan=False, default=lambda number: number.item())  # NumPy's numbers too


def whole_config(model: Network, compiled: bool) -> Config:
    """The model as Keras's `to_json` describes it."""
    kind, config = model_config(model)
    return keras_object(MODELS[kind], kind, config) | ({"compile_config": write_compile(model)} if compiled else {})


def model_config(model: Network) -> tuple[str, Config]:
    """The name of Keras's class of models, and the config from which Keras makes the model again."""
    require_built(model)
    batch = _batch_size(model)
    if not isinstance(model, Sequential):
        return "Functional", write_graph(model, batch)
    rows = [write_input(model.sources[0], model.dtype, batch)]
    rows += [write_layer(layer, model.dtype) for layer in model.layers]
    return "Sequential", {"name": model.name, "trainable": True, "dtype": model.dtype, "layers": rows}


def _batch_size(model: Network) -> int | None:
    """None, or for a stateful model, of which Keras must know it, the number of sequences whose states are kept."""
    stateful = [part for part in model.parts.values() if getattr(part, "stateful", False)]
    sizes = {len(part.states[0]) for part in stateful if part.states}
    if stateful and len(sizes) != 1:
        raise ValueError(
            f"{stateful[0].name} is stateful: a Keras file says the batch size, which is known here after a first batch; "
            "run one, or save as .safetensors or .weights.h5"
        )
    return sizes.pop() if sizes else None


def _archive(config: Config, ours: str, weights: bytes) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        described = {"keras_version": keras_files.VERSION, OURS: json.loads(ours)}
        file.writestr(zipfile.ZipInfo(keras_files.METADATA), json.dumps(described))
        file.writestr(zipfile.ZipInfo(keras_files.CONFIG), to_json(config))
        file.writestr(zipfile.ZipInfo(keras_files.WEIGHTS), weights)
    return archive.getvalue()


def _legacy(model: Network, config: Config, ours: str, compiled: bool) -> bytes:
    arrays, attributes = keras_files.legacy_layout(model, "model_weights/")
    attributes["model_weights/top_level_model_weights"] = {"weight_names": []}
    described = {"class_name": config["class_name"], "config": config["config"]}
    attributes["/"] = {"keras_version": keras_files.VERSION, "backend": "numpy", OURS: ours}
    attributes["/"]["model_config"] = to_json(described)
    if compiled:
        training = dict(config["compile_config"])
        training["optimizer_config"] = training.pop("optimizer")
        attributes["/"]["training_config"] = to_json(training)
        variables = keras_files.variables_of(model, full=True)
        attributes["optimizer_weights"] = {"weight_names": list(variables)}
        arrays |= {f"optimizer_weights/{name}": value for name, value in variables.items()}
    return hdf5.to_bytes(arrays, attributes)


# -- reading ---------------------------------------------------------------------------------------------------------


def load(
    path: Path, custom_objects: Mapping[str, Any] | None = None, compile: bool = True, backend: str = "auto",
    allow_nan: bool = False,
) -> Any:  # fmt: skip
    """The model of a Keras file, with its weights, and with `compile` what compile said and the optimizer's state.

    custom_objects has the caller's own layers by name. ValueError names what the engine does not have.
    """
    with keras_files.opened(path) as (file, texts):
        try:
            origin = Origin(custom=custom_objects or {}, drawn=False)
            return _load(path, file, texts, origin, compile, backend, allow_nan)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None


def _load(
    path: Path, file: Any, texts: dict[str, bytes], origin: Origin, compile: bool, backend: str, allow_nan: bool
) -> Any:
    config, compiled, version, ours = _described(file, texts)
    if config is None:
        raise ValueError("it holds weights alone: build the same network here, then model.load_weights(path)")
    origin.version = version_of(version)
    found = hdf5.datasets(file)
    numbers = hdf5.floats(file, keras_files.are_weights(found))
    model, layers = read_model(config, origin, backend, ours.get("seed"), numbers)
    named = keras_files.weights_in(model, file, found, layers=layers)
    check(model.weights, named, path.name)
    assign(model.weights, {name: stored.read(name) for name, stored in named.items()}, path.name, allow_nan)
    if compile and compiled:
        _compile(model, compiled, file, found, origin, allow_nan)
    _take(model, ours)
    return model


def _described(file: Any, texts: dict[str, bytes]) -> tuple[Any, Any, str | None, dict[str, Any]]:
    """The config, what compile said, Keras's version, and what the engine alone knows."""
    if texts or "layers" in file:  # an archive, or weights alone in Keras 3's format
        config = parse(texts[keras_files.CONFIG], keras_files.CONFIG) if keras_files.CONFIG in texts else None
        about = parse(texts.get(keras_files.METADATA, b"{}"), keras_files.METADATA)
        if not isinstance(about, dict):
            raise ValueError(f"its {keras_files.METADATA} is {about!r:.80}, expected a dict")
        compiled = config.get("compile_config") if isinstance(config, dict) else None
        version, ours = about.get("keras_version", keras_files.VERSION), about.get(OURS)
    else:
        described = {name: hdf5.text(file, name) for name in ("model_config", "training_config", OURS)}
        config, compiled, ours = (text and parse(text, name) for name, text in described.items())
        version = hdf5.text(file, "keras_version")
    fitting(ours or {}, f"what the engine wrote, {OURS}", Ours)
    return config, compiled, version if isinstance(version, str) else None, ours or {}


def read_model(
    config: Any, origin: Origin, backend: str = "auto", seed: int | None = None, numbers: int | None = None
) -> tuple[Any, list[Layer]]:
    """The network that a config describes, and its layers in the config's order.

    With `numbers`, those that the file has, its weights are zeros, to be read.
    """
    kind = config.get("class_name") if isinstance(config, dict) else None
    if not isinstance(kind, str) or kind not in MODELS or config.get("registered_name") not in (None, kind):
        what = (config.get("registered_name") or kind) if kind else config
        raise ValueError(f"it describes no model of Keras's, but {str(what)[:80]!r}")
    described = config.get("config")
    name = str(described.get("name") or "") if isinstance(described, dict) else ""
    how: dict[str, Any] = {"name": name or None, "seed": seed, "backend": backend}
    with ExitStack() as stack:

        def prepare(layers: Sequence[Layer]) -> None:
            if len(origin.dtypes) > 1:
                raise ValueError(
                    f"its layers compute in {', '.join(sorted(origin.dtypes))}; the engine has one dtype for all"
                )
            stack.enter_context(undrawn(layers, numbers))

        if kind == "Sequential":
            rows, shape = _sequential(described)
            layers = [read_layer(row, origin) for row in rows]
            prepare(layers)
            model: Any = Sequential(layers, dtype=origin.dtype, **how)
            if shape is not None:
                model.build(shape)
        else:
            inputs, outputs, layers = read_graph(described, origin, prepare)
            model = Model(inputs, outputs, dtype=origin.dtype, **how)
    return model, layers


def _sequential(config: Any) -> tuple[list[Any], tuple[Any, ...] | None]:
    """The layers' configs, and the input's shape without the batch. Keras 2.2 has a list in place of a dict."""
    rows = config.get("layers") if isinstance(config, dict) else config
    if not isinstance(rows, list) or len(rows) > MOST_LAYERS:
        raise ValueError(f"its config has no list of at most {MOST_LAYERS:,} layers")
    rows = list(rows)
    if rows and isinstance(rows[0], dict) and rows[0].get("class_name") == "InputLayer":
        first = rows.pop(0)
    else:
        first = rows[0] if rows else None
    options = first.get("config") if isinstance(first, dict) else None
    options = options if isinstance(options, dict) else {}
    shape = options.get("batch_shape") or options.get("batch_input_shape")
    if shape is None and isinstance(config, dict):
        shape = config.get("build_input_shape")
    if options.get("sparse") or options.get("ragged"):
        raise ValueError("its input is sparse or ragged, which the engine does not have")
    return rows, None if shape is None else read_shape(shape)


def _compile(model: Any, compiled: Any, file: Any, found: dict[str, Any], origin: Origin, allow_nan: bool) -> None:
    try:
        model.compile(**read_compile(compiled, len(model.output_names), origin.custom))
    except (TypeError, ValueError, KeyError) as error:
        raise ValueError(f"{error}; load_model(path, compile=False) reads the layers and weights alone") from None
    if "optimizer_weights" in file:
        group = file["optimizer_weights"]
        places = [f"optimizer_weights/{name}" for name in hdf5.names(group, "weight_names")]
        variables = [found[place] for place in places if place in found]
    else:
        variables = keras_files._variables(found)
    said = not origin.old and optimizer_of(compiled) is not None
    state = keras_files.optimizer_state(model, variables, allow_nan) if said else None
    if state is not None:
        state.give(model.optimizer)
    elif len(variables) > 2 and (said or origin.old):
        warnings.warn(
            "the optimizer's state was not written by this optimizer of Keras 3: it starts anew", stacklevel=5
        )


def _take(model: Any, ours: dict[str, Any]) -> None:
    """What the engine stored beside Keras's own."""
    model.metadata, model.epochs_done = dict(ours.get("metadata", {})), ours.get("epochs_done", 0)
    if "generators" in ours:
        check_generators(ours["generators"], model.parts, "the states of its generators")
        for part, state in zip(model.parts.values(), ours["generators"], strict=True):
            part.rng.bit_generator.state = state
