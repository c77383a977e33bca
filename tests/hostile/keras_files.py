"""Keras's files: configurations, archives and HDF5 files that lie; and state_dicts of torch."""

import io
import json
import struct
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from safetensors.numpy import save

import lstm_engine as le
from tests.hostile.cases import Case
from tests.hostile.models import short


def keras_model(compiled: bool = False) -> le.Sequential:
    model = le.Sequential([le.LSTM(4), le.Dense(1, "sigmoid")], seed=0, backend="numpy")
    model.build((3, 3))
    if compiled:
        model.compile("adam", "binary_crossentropy")
    return model


@cache
def members(compiled: bool = True) -> dict[str, bytes]:
    """Of a valid .keras archive."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        keras_model(compiled).save(path := Path(folder) / "m.keras")
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}


def archive(parts: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        for name, content in parts.items():
            file.writestr(name, content)
    return buffer.getvalue()


def zipped(change: Callable[[dict[str, Any]], Any], **how: Any) -> Callable[[Path], Path]:
    """An archive with changed members; what `change` returns, if anything, is the file's content."""

    def make(folder: Path) -> Path:
        parts: dict[str, Any] = dict(members())
        content = change(parts)
        (path := folder / "m.keras").write_bytes(archive(parts, **how) if content is None else content)
        return path

    return make


def config(*place: Any, value: Any, member: str = "config.json") -> Callable[[Path], Path]:
    def change(parts: dict[str, Any]) -> None:
        whole = inner = json.loads(parts[member])
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = value
        parts[member] = json.dumps(whole)

    return zipped(change)


def hdf5(change: Callable[[h5py.File], Any], name: str = "m.weights.h5") -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        model = keras_model()
        model.save_weights(path := folder / name) if "weights" in name else model.save(path := folder / name)
        with h5py.File(path, "a") as file:
            change(file)
        return path

    return make


def _deep(file: Any, depth: int = 2000) -> None:
    group = file
    for _ in range(depth):
        group = group.create_group("g")


def _many(file: Any) -> None:
    for n in range(20_000):
        file[f"layers/x{n}"] = np.float32(0)


def _lying(parts: dict[str, Any]) -> bytes:
    """Members that unpack to 1 GB and declare 100 bytes."""
    content = bytearray(archive(parts | {"model.weights.h5": bytes(10**9)}, zipfile.ZIP_DEFLATED))
    for size in (10**9,):
        content = content.replace(struct.pack("<I", size), struct.pack("<I", 100))
    return bytes(content)


LSTM = ("config", "layers", 1, "config")
CONFIG: list[tuple[tuple[Any, ...], Any]] = [
    ((*LSTM, "units"), 5000),
    ((*LSTM, "units"), 10**12),
    ((*LSTM, "units"), "x"),
    ((*LSTM, "units"), -1),
    ((*LSTM, "units"), True),
    ((*LSTM, "return_sequences"), "yes"),
    ((*LSTM, "dropout"), "x"),
    ((*LSTM, "use_bias"), 5),
    ((*LSTM, "activation"), {"class_name": "function", "config": "exec"}),
    ((*LSTM, "name"), 5),
    ((*LSTM, "evil"), 1),
    ((*LSTM, "kernel_initializer"), 5),
    ((*LSTM, "kernel_regularizer"), "x"),
    (("config", "layers"), "x"),
    (("config", "layers"), []),
    (("config", "layers"), [5]),
    (("config", "layers", 0, "config", "batch_shape"), "x"),
    (("config", "layers", 0, "config", "batch_shape"), [None, 10**12, 3.5]),
    (("config", "layers", 1, "class_name"), "Lambda"),
    (("config", "layers", 1, "module"), "os"),
    (("config", "layers", 1, "registered_name"), "os>system"),
    (("class_name",), "evil"),
    (("class_name",), ["Sequential"]),
    (("compile_config",), "x"),
    (("compile_config", "optimizer"), 5),
    (("compile_config", "loss"), "evil"),
    (("compile_config", "loss"), {"class_name": "function", "module": "builtins", "config": "exec"}),
    (("compile_config", "metrics"), 5),
    (("compile_config", "optimizer", "config", "learning_rate"), "x"),
    (("compile_config", "loss_weights"), "x"),
]
OURS: list[tuple[Any, Any]] = [
    ("metadata", "x"),
    ("metadata", []),
    ("seed", "x"),
    ("seed", -1),
    ("epochs_done", -5),
    ("epochs_done", "many"),
    ("generators", "x"),
    ("generators", []),
    ("generators", [5, 5]),
    ("evil", 1),
]
ARCHIVES: dict[str, Callable[[Path], Path]] = {
    "a member that unpacks to 1 GB": zipped(
        lambda p: archive(p | {"model.weights.h5": bytes(10**9)}, zipfile.ZIP_DEFLATED)
    ),
    "a member of 1 GB that declares 100 bytes": zipped(_lying),
    "a config of 30 MB": zipped(
        lambda p: p.update({"config.json": b'"' + b"x" * 30_000_000 + b'"'}), method=zipfile.ZIP_DEFLATED
    ),
    "a config nested 50,000 deep": zipped(lambda p: p.update({"config.json": b"[" * 50_000 + b"]" * 50_000})),
    "a config of 3 million lists": zipped(lambda p: p.update({"config.json": b"[" + b"[]," * 2_500_000 + b"1]"})),
    "no config": zipped(lambda p: p.pop("config.json")),
    "no weights": zipped(lambda p: p.pop("model.weights.h5")),
    "weights that are text": zipped(lambda p: p.update({"model.weights.h5": b"hello"})),
    "metadata that is a number": zipped(lambda p: p.update({"metadata.json": b"5"})),
    "a member outside": zipped(lambda p: p.update({"../../evil": b"x"})),
    "a name twice": zipped(lambda p: archive(p)[:0] + _twice(p)),
    "LZMA": zipped(lambda p: p.update({"config.json": p["config.json"] + b" "}), method=zipfile.ZIP_LZMA),
    "cut in half": zipped(lambda p: archive(p)[: len(archive(p)) // 2]),
    "a flipped bit": zipped(lambda p: _flipped(archive(p))),
    "an encrypted member": zipped(
        lambda p: archive(p).replace(b"PK\x01\x02\x14\x03\x14\x00\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01\x00")
    ),
    "HDF5 nested 2,000 deep inside": zipped(lambda p: p.update({"model.weights.h5": _h5_bytes(_deep)})),
}
HDF5: dict[str, Callable[[Any], Any]] = {
    "groups nested 2,000 deep": _deep,
    "20,000 stray arrays": _many,
    "a ring of groups": lambda f: f["layers"].__setitem__("again", f["layers"]),
    "a soft link": lambda f: f.__setitem__("layers/soft", h5py.SoftLink("/layers")),
    "a link to another file": lambda f: f.__setitem__("layers/out", h5py.ExternalLink("/etc/passwd", "/x")),
    "an array in another file": lambda f: f.create_dataset(
        "layers/raw", (10,), "f4", external=[("/etc/passwd", 0, 40)]
    ),
    "an array of 4 TB": lambda f: f.create_dataset("layers/big", (2**20, 2**20), "f4"),
    "a compressed array": lambda f: f.create_dataset(
        "layers/zip", data=np.zeros((1000, 1000), "f4"), compression="gzip"
    ),
    "strings for weights": lambda f: _replaced(f, np.array([b"x"] * 4)),
    "integers for weights": lambda f: _replaced(f, np.ones((4, 1), "i4")),
    "NaN in a weight": lambda f: _replaced(f, np.full((4, 1), np.nan, "f4")),
    "1e300 in float64": lambda f: _replaced(f, np.full((4, 1), 1e300)),
    "a weight of another shape": lambda f: _replaced(f, np.ones((3, 1), "f4")),
    "a compound type": lambda f: _replaced(f, np.zeros(4, [("a", "f4"), ("b", "f4")])),
    "a missing weight": lambda f: f["layers/dense/vars"].__delitem__("0"),
    "names without end": lambda f: f.attrs.__setitem__("layer_names", [b"x" * 60] * 999),
}
LEGACY: dict[str, Callable[[Any], Any]] = {
    "no config": lambda f: f.attrs.__delitem__("model_config"),
    "a config that is a number": lambda f: f.attrs.__setitem__("model_config", 5),
    "a config that is an array": lambda f: f.attrs.__setitem__("model_config", np.ones(3)),
    "a config that is no JSON": lambda f: f.attrs.__setitem__("model_config", "{"),
    "weight names of no array": lambda f: f["model_weights/dense"].attrs.__setitem__("weight_names", ["x/y", "z"]),
    "layer names of no group": lambda f: f["model_weights"].attrs.__setitem__("layer_names", ["evil"]),
    "layer names that are numbers": lambda f: f["model_weights"].attrs.__setitem__("layer_names", [1, 2]),
    "a weight's name that leads out": lambda f: f["model_weights/dense"].attrs.__setitem__(
        "weight_names", ["../../x", ".."]
    ),
}
TORCH: dict[str, dict[str, np.ndarray]] = {
    "a missing array": {"lstm.weight_ih_l0": np.ones((16, 3), "f")},
    "integers": {"lstm.weight_ih_l0": np.ones((16, 3), "i4")},
    "a superfluous array": {"evil": np.ones(3, "f")},
    "an array of 400 MB": {"evil": np.zeros(10**8, "f")},
}


def _twice(parts: dict[str, Any]) -> bytes:
    import warnings

    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w") as file:
        warnings.simplefilter("ignore")
        for name, content in [*parts.items(), *parts.items()]:
            file.writestr(name, content)
    return buffer.getvalue()


def _flipped(content: bytes) -> bytes:
    at = content.index(b"model.weights.h5") + 3000
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def _h5_bytes(change: Callable[[Any], Any]) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        change(file)
    return buffer.getvalue()


def _replaced(file: Any, value: Any) -> None:
    del file["layers/dense/vars/0"]
    file["layers/dense/vars/0"] = value


def _torch(arrays: dict[str, np.ndarray]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (path := folder / "state.safetensors").write_bytes(save(arrays))
        return path

    return make


def cases() -> Iterator[Case]:
    for place, value in CONFIG:
        yield Case(
            "Keras: config", f"{'.'.join(map(str, place))} = {short(value)}", "load", config(*place, value=value)
        )
    for name, value in OURS:
        make = config("lstm_engine", name, value=value, member="metadata.json")
        yield Case("Keras: config", f"lstm_engine.{name} = {short(value)}", "load", make)
    for name, make in ARCHIVES.items():
        yield Case("Keras: archive", name, "load", make)
    for name, change in HDF5.items():
        yield Case("HDF5: weights", name, "load_weights", hdf5(change))
    for name, change in LEGACY.items():
        yield Case("HDF5: model", name, "load", hdf5(change, "m.h5"))
    for name, arrays in TORCH.items():
        yield Case("torch", name, "load_torch", _torch(arrays))
    yield Case("torch", "a pickle named .safetensors", "load_torch", _pickle)


def _pickle(folder: Path) -> Path:
    (path := folder / "state.safetensors").write_bytes(b"\x80\x04cos\nsystem\n(S'true'\ntR.")
    return path


def _valid_torch(folder: Path) -> Path:
    from lstm_engine.interchange.torch_layout import save_torch

    save_torch(keras_model(), path := folder / "state.safetensors")
    return path


VALID = {"load_weights": hdf5(lambda file: None), "load_torch": _valid_torch}
