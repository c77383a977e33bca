"""A model's verbs for files, with Keras's names: save, save_weights, load_weights, load_model, to_json.

The file's name says the format: `.safetensors` is the engine's own (`weights.py`), `.keras`, `.h5` and `.weights.h5` are
Keras's (`interchange/`). In none of them is there anything that runs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np

from . import weights

WHOLE = (".keras", ".h5", ".hdf5")


class Files:
    """What a model can do with files. Its arguments mean what they mean in Keras 3."""

    metadata: dict[str, Any]

    def save(
        self, filepath: str | Path, overwrite: bool = True, *, include_optimizer: bool = True,
        metadata: dict[str, Any] | None = None, allow_nan: bool = False,
    ) -> None:  # fmt: skip
        """Writes the whole model, or nothing: weights, layers, what compile said, the optimizer's state, metadata (JSON).

        `.safetensors`: the engine's own format. `.keras`: Keras 3's, which `keras.models.load_model` opens. `.h5`, `.hdf5`:
        the legacy one. FileExistsError with overwrite=False if there is such a file, where Keras asks. ValueError for NaN or
        infinity in the weights or the optimizer, unless allow_nan.
        """
        path = _path(filepath, overwrite)
        if path.name.endswith(".weights.h5"):
            raise ValueError(
                f"{path.name} is a name for weights alone: model.save_weights({path.name!r}), or for the whole model "
                f"model.save({path.name.replace('.weights.h5', '.keras')!r})"
            )
        described = _json(self.metadata if metadata is None else metadata)
        if path.suffix in WHOLE:
            from .interchange import keras_models

            keras_models.save(self, path, include_optimizer, described, allow_nan)  # type: ignore[arg-type]
        else:
            weights.save(self, path, described, allow_nan)  # type: ignore[arg-type]

    def save_weights(self, filepath: str | Path, overwrite: bool = True, *, allow_nan: bool = False) -> None:
        """Writes the weights for Keras: as .weights.h5, with a compiled model's optimizer state, or as the older .h5."""
        from .interchange import keras_files

        keras_files.save(self, _path(filepath, overwrite), allow_nan)  # type: ignore[arg-type]

    def load_weights(
        self, filepath: str | Path, skip_mismatch: bool = False, *, by_name: bool = False, allow_nan: bool = False
    ) -> None:
        """Reads the weights of a Keras file: .weights.h5, .keras, or a legacy .h5, there also by the layers' names.

        ValueError, and nothing changed, when one does not fit; with skip_mismatch such layers are left, with a warning. The
        same for NaN and infinity, unless allow_nan.
        """
        from .interchange import keras_files

        keras_files.load(self, Path(filepath), skip_mismatch, by_name, allow_nan)  # type: ignore[arg-type]

    def to_json(self) -> str:
        """The layers and what compile said as JSON, without weights: Keras's form, which `model_from_json` reads."""
        from .interchange import keras_models

        return keras_models.to_json(keras_models.whole_config(self, bool(getattr(self, "optimizer", None))))  # type: ignore[arg-type]

    def get_config(self) -> dict[str, Any]:
        """The layers as Keras's config, from which `from_config` makes the model again, with weights drawn anew."""
        from .interchange import keras_models

        return keras_models.model_config(self)[1]  # type: ignore[arg-type]

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Self:
        """A model with these layers. custom_objects has your own layers by name."""
        from .interchange import keras_config, keras_models

        origin = keras_config.Origin((3, 0), custom_objects or {})
        kind = "Functional" if cls.__name__ == "Model" else cls.__name__
        return keras_models.read_model({"class_name": kind, "config": config}, origin)[0]


def load_model(
    filepath: str | Path, custom_objects: Mapping[str, Any] | None = None, compile: bool = True, safe_mode: bool = True,
    *, backend: str = "auto", allow_nan: bool = False,
) -> Any:  # fmt: skip
    """The model in a file of Keras 2 or 3 (.keras, .h5, .hdf5) or of the engine (.safetensors).

    custom_objects has your own layers by name. With compile=False what compile said is left out. safe_mode changes nothing:
    no file can make this function execute anything, and what is more than arrays and plain configuration is refused by name.
    So is NaN or infinity in its arrays, unless allow_nan.
    """
    path = Path(filepath)
    if path.suffix in WHOLE:
        from .interchange import keras_models

        return keras_models.load(path, custom_objects, compile, backend, allow_nan)
    from .sequential import made

    model = weights.load(path, backend, made, custom_objects, allow_nan)
    if not compile:
        model.optimizer, model.targets = None, []
    return model


def load(
    path: str | Path, backend: str = "auto", *, custom_objects: Mapping[str, Any] | None = None, allow_nan: bool = False
) -> Any:
    """`load_model` with the backend as its second argument."""
    return load_model(path, custom_objects, backend=backend, allow_nan=allow_nan)


def save_model(model: Any, filepath: str | Path, overwrite: bool = True, **options: Any) -> None:
    """`model.save`."""
    model.save(filepath, overwrite, **options)


def model_from_json(json_string: str, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The model that Keras's or the engine's `to_json` describes, with weights drawn anew."""
    from . import schema
    from .interchange import keras_config, keras_models

    config = schema.parse(json_string, "the JSON")
    said = config.get("keras_version") if isinstance(config, dict) else None
    new = isinstance(config, dict) and "module" in config  # Keras 3 writes no version into it
    origin = keras_config.Origin((3, 0) if new else keras_config.version_of(said), custom_objects or {})
    model, _ = keras_models.read_model(config, origin)
    if new and config.get("compile_config"):
        model.compile(**keras_config.read_compile(config["compile_config"], len(model.output_names), custom_objects))
    return model


def _json(metadata: Any) -> dict[str, Any]:
    """The metadata as a file gives it back: NumPy's numbers as Python's, tuples as lists."""
    try:
        if not isinstance(metadata, dict):
            raise TypeError(f"{metadata!r} is none")
        return dict(json.loads(json.dumps(metadata, allow_nan=False, default=_number)))
    except (TypeError, ValueError) as error:
        raise ValueError(f"metadata must be a dict of JSON values: {error}") from None


def _number(value: Any) -> Any:
    if not isinstance(value, np.generic):
        raise TypeError(f"{value!r} is none")
    return value.item()


def _path(filepath: str | Path, overwrite: bool) -> Path:
    if not isinstance(overwrite, bool):
        raise TypeError(f"overwrite is True or False, got {overwrite!r}; metadata goes by its name: metadata={{...}}")
    path = Path(filepath)
    if not overwrite and path.exists():
        raise FileExistsError(f"{path} exists, and overwrite=False: choose another name, or remove it")
    return path
