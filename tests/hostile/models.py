"""Model files of the engine: every field of the header of another type or out of range, and arrays that do not belong."""

import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save

import lstm_engine as le
from experiments.tutorial.task import LABEL_NAMES, voice_model
from experiments.voices.pretrained import SHIPPED
from features.recipes import TUTORIAL
from tests.hostile.cases import Case

Change = Callable[[dict[str, Any], dict[str, Any], dict[str, Any]], Any]  # of architecture, arrays and header
NAN = float("nan")


@cache
def network() -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """A small trained model with dropout, slots and kept states: header and arrays."""
    return _stored(_small())


def _small() -> le.Sequential:
    layers = [le.LSTM(4, return_sequences=True), le.Dropout(0.1), le.LSTM(4, stateful=True), le.Dense(1, "sigmoid")]
    model = le.Sequential(layers, seed=0, backend="numpy")
    model.compile(le.Adam(le.schedules.CosineDecay(1e-3, 10)), "binary_crossentropy", metrics=["accuracy"])
    model.fit(np.ones((2, 3, 3)), np.ones(2), batch_size=2, epochs=1, verbose=0)
    return model


@cache
def tutorial() -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """A model of the tutorial, untrained, with its metadata."""
    model = voice_model(4)
    model.build((11, 11))
    scaler = {"mean": [0.0] * 112, "scale": [1.0] * 112}
    metadata = {"recipe": TUTORIAL.stamp(), "reading": "frames", "scaler": scaler, "labels": LABEL_NAMES}
    return _stored(model, metadata | {"threshold": 0.5, "temperature": 1.0})


@cache
def frames() -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """The shipped model."""
    return _read(SHIPPED)


def _stored(model: Any, metadata: dict[str, Any] | None = None) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        path = Path(folder) / "m.safetensors"
        model.save(path, metadata=metadata)
        return _read(path)


def _read(path: Path) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    with safe_open(path, "numpy") as file:
        return file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def written(base: Any, change: Change) -> Callable[[Path], Path]:
    """A case's `make`: the model with a change, and without the checksum, which would give away every one of them."""

    def make(folder: Path) -> Path:
        header, arrays = base()
        header, arrays = dict(header), {name: a.copy() for name, a in arrays.items()}
        header.pop("checksum", None)
        architecture = json.loads(header["architecture"])
        change(architecture, arrays, header)
        if header.get("architecture") == base()[0]["architecture"]:
            header["architecture"] = json.dumps(architecture)
        (path := folder / "m.safetensors").write_bytes(save(arrays, header))
        return path

    return make


def at(*place: Any, value: Any) -> Change:
    """Puts a value into the architecture."""

    def change(architecture: Any, arrays: Any, header: Any) -> None:
        for key in place[:-1]:
            architecture = architecture[key]
        architecture[place[-1]] = value

    return change


def said(*place: Any, value: Any) -> Change:
    """Puts a value into the metadata."""

    def change(architecture: Any, arrays: Any, header: Any) -> None:
        metadata = inner = json.loads(header["metadata"])
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = value
        header["metadata"] = json.dumps(metadata)

    return change


def array(name: str, value: Any) -> Change:
    return lambda architecture, arrays, header: arrays.__setitem__(name, value(arrays.get(name)))


ARCHITECTURE = {  # by field: what it must not be
    "layers": ["x", None, [], {}, 5, [5], [{}]],
    "input_shape": ["x", 11, [11.5, 3], [-1, 3], [0, 3], [[[1]]], [2**40, 3], [None], [], [3, 10**6]],
    "dtype": ["float16", "int32", None, 5, "complex128"],
    "seed": ["x", -1, 1.5, [1]],
    "epochs_done": ["many", -5, 1.5, None, 10**30],
    "compile": ["x", 5, [], {}],
    "entropy": ["x", 1.5, [1.5], -3],
    "generators": ["x", [], [5], {}, [{}]],
    "graph": ["x", 5, {}, {"inputs": [], "nodes": [], "outputs": []}],
}
LAYER = {  # by option of the first layer
    "units": [5000, 30_000, 10**12, -1, 0, 1.5, "x", True, None, [4]],
    "return_sequences": ["yes", 1, None],
    "stateful": ["no", 2],
    "use_bias": ["yes", None, False],
    "dropout": [2, -1, "x", None, 1e300],
    "seed": ["x", 1.5, -1],
    "activation": [5, "evil", ["tanh"], {"class_name": "function"}],
    "kernel_initializer": [{"class": "os.system"}, {"class": "Orthogonal", "gain": "x"}, 5, "evil", {"class": 5}],
    "kernel_regularizer": [{"l1": -1, "l2": 0}, "evil", {"class": "L1L2", "l1": "x"}, 5],
    "backdoor": [1],
}
COMPILE: list[tuple[tuple[Any, ...], Any]] = [
    (("optimizer", "name"), "evil"),
    (("optimizer", "name"), 5),
    (("optimizer", "config"), []),
    (("optimizer", "config", "learning_rate"), "x"),
    (("optimizer", "config", "learning_rate"), -1),
    (("optimizer", "config", "learning_rate"), {"class_name": "Evil", "config": {}}),
    (("optimizer", "config", "learning_rate", "config", "decay_steps"), 0),
    (("optimizer", "config", "learning_rate", "config", "decay_steps"), "x"),
    (("optimizer", "config", "learning_rate", "config", "alpha"), None),
    (
        ("optimizer", "config", "learning_rate"),
        {"class_name": "PiecewiseConstantDecay", "config": {"boundaries": ["a"], "values": [1, 2]}},
    ),
    (
        ("optimizer", "config", "learning_rate"),
        {"class_name": "PiecewiseConstantDecay", "config": {"boundaries": 5, "values": [1, 2]}},
    ),
    (("optimizer", "config", "beta_1"), 2),
    (("optimizer", "config", "beta_1"), "x"),
    (("optimizer", "config", "evil"), 1),
    (("iterations",), "x"),
    (("iterations",), -7),
    (("iterations",), 1.5),
    (("iterations",), 10**30),
    (("loss",), 5),
    (("loss",), "evil"),
    (("loss",), {"class_name": "Evil", "config": {}}),
    (("loss",), {"class_name": "Huber", "config": {"delta": "x"}}),
    (("loss",), ["mse", "mse"]),
    (("metrics",), "auc"),
    (("metrics",), [5]),
    (("metrics",), ["evil"]),
    (("loss_weights",), ["x"]),
    (("loss_weights",), [1, 2]),
]
ARRAYS: dict[str, Change] = {
    "weights as int32": array("weights/lstm/kernel", lambda a: a.astype(np.int32)),
    "weights as bool": array("weights/lstm/kernel", lambda a: a > 0),
    "weights as float16": array("weights/lstm/kernel", lambda a: a.astype(np.float16)),
    "float64 1e300 into float32": array("weights/lstm/kernel", lambda a: np.full(a.shape, 1e300)),
    "NaN in a weight": array("weights/lstm/kernel", lambda a: a * np.float32(NAN)),
    "NaN in a slot": array("optimizer/momentum/dense/bias", lambda a: np.full(1, NAN, "f")),
    "infinity in a state": array("states/lstm_1/0", lambda a: a + np.float32(np.inf)),
    "a superfluous array": array("weights/evil/kernel", lambda _: np.ones(3, "f")),
    "an array of no kind": array("evil", lambda _: np.ones(3, "f")),
    "an array named ../../x": array("weights/../../x", lambda _: np.ones(3, "f")),
    "a missing weight": lambda a, t, h: t.pop("weights/dense/bias"),
    "all weights missing": lambda a, t, h: t.clear(),
    "a weight turned round": array("weights/lstm/kernel", lambda a: a.T.copy()),
    "a weight of another size": array("weights/dense/kernel", lambda a: np.ones((3, 1), "f")),
    "an empty weight": array("weights/dense/kernel", lambda a: np.ones((0, 1), "f")),
    "a missing slot": lambda a, t, h: t.pop("optimizer/momentum/dense/bias"),
    "slots without an optimizer": at("compile", value=None),
    "states of a layer that keeps none": array("states/lstm/0", lambda _: np.ones((2, 4), "f")),
    "one state of two": lambda a, t, h: t.pop("states/lstm_1/1"),
    "states of other sizes": array("states/lstm_1/0", lambda _: np.ones((5, 9), "f")),
}
HEADER: dict[str, Change] = {
    "another format": lambda a, t, h: h.update(format="lstm-engine 99"),
    "no format": lambda a, t, h: h.pop("format"),
    "no architecture": lambda a, t, h: h.pop("architecture"),
    "no metadata": lambda a, t, h: h.pop("metadata"),
    "architecture no JSON": lambda a, t, h: h.update(architecture="{"),
    "architecture nested 50,000 deep": lambda a, t, h: h.update(architecture="[" * 50_000 + "]" * 50_000),
    "metadata nested 50,000 deep": lambda a, t, h: h.update(metadata='{"a":' * 50_000 + "1" + "}" * 50_000),
    "metadata with NaN": lambda a, t, h: h.update(metadata='{"a": NaN}'),
    "metadata with 1e999": lambda a, t, h: h.update(metadata='{"a": 1e999}'),
    "metadata is a list": lambda a, t, h: h.update(metadata="[]"),
    "metadata is a number": lambda a, t, h: h.update(metadata="5"),
    "metadata of 20 MB": lambda a, t, h: h.update(metadata='{"a": "' + "x" * 20_000_000 + '"}'),
    "metadata of 2 million values": lambda a, t, h: h.update(metadata='{"a": [' + "[]," * 2_000_000 + "1]}"),
    "a number of 5,000 digits": lambda a, t, h: h.update(metadata='{"a": ' + "9" * 5000 + "}"),
    "generators of PCG64 out of range": lambda a, t, h: a["generators"][0]["state"].update(state=2**200),
    "generators below 0": lambda a, t, h: a["generators"][0]["state"].update(inc=-1),
    "another generator": lambda a, t, h: a["generators"][0].update(bit_generator="MT19937"),
    "fewer generators than layers": lambda a, t, h: a["generators"].pop(),
    "20,000 layers": lambda a, t, h: a.update(layers=[a["layers"][1] | {"name": f"d{n}"} for n in range(20_000)]),
    "1,000 dense layers without weights": lambda a, t, h: a.update(
        layers=[a["layers"][3] | {"name": f"d{n}"} for n in range(1000)]
    ),
    "a thousand layers of 100 units": lambda a, t, h: a.update(
        layers=[
            {"class": "Dense", "name": f"d{n}", "config": a["layers"][3]["config"] | {"units": 100}}
            for n in range(1000)
        ]
    ),
    "layers in layers, 300 deep": lambda a, t, h: a["layers"].__setitem__(0, _nested(a["layers"][0], 300)),
    "two layers of one name": lambda a, t, h: a["layers"][0].update(name="dense"),
    "a name of 100,000 letters": lambda a, t, h: a["layers"][0].update(name="x" * 100_000),
    "a name with a slash": lambda a, t, h: a["layers"][0].update(name="../x"),
    "a class of Python's": lambda a, t, h: a["layers"][0].update({"class": "__import__"}),
    "a Lambda": lambda a, t, h: a["layers"][0].update({"class": "Lambda", "config": {"function": "exec"}}),
    "a class that is a number": lambda a, t, h: a["layers"][0].update({"class": 5}),
    "RepeatVector of 10^12": lambda a, t, h: a["layers"].insert(
        3, {"class": "RepeatVector", "name": "r", "config": {"n": 10**12}}
    ),
    "Reshape of words": lambda a, t, h: a["layers"].insert(
        3, {"class": "Reshape", "name": "r", "config": {"target_shape": ["a", "b"]}}
    ),
}


def _nested(layer: Any, depth: int) -> Any:
    for _ in range(depth):
        layer = {"class": "TimeDistributed", "name": "t", "config": {"layer": layer}}
    return layer


def raw(change: Callable[[bytearray], Any]) -> Callable[[Path], Path]:
    """The bytes of a valid file, changed."""

    def make(folder: Path) -> Path:
        header, arrays = network()
        content = bytearray(save(arrays, header))
        changed = change(content)
        (path := folder / "m.safetensors").write_bytes(content if changed is None else changed)
        return path

    return make


def _header(change: Callable[[dict[str, Any]], Any]) -> Callable[[bytearray], bytes]:
    """safetensors' own header, changed."""

    def changed(content: bytearray) -> bytes:
        end = 8 + int.from_bytes(content[:8], "little")
        header = json.loads(content[8:end])
        change(header)
        text = json.dumps(header).encode()
        return len(text).to_bytes(8, "little") + text + content[end:]

    return changed


def _flip(content: bytearray) -> None:
    content[-20] ^= 0x10


RAW: dict[str, Callable[[bytearray], Any]] = {
    "empty": lambda c: b"",
    "one byte": lambda c: b"x",
    "cut in half": lambda c: c[: len(c) // 2],
    "cut by one byte": lambda c: c[:-1],
    "a byte too many": lambda c: c + b"x",
    "noise": lambda c: np.random.default_rng(0).bytes(5000),
    "zeros": lambda c: bytes(5000),
    "a header of 2^63 bytes": lambda c: (2**63).to_bytes(8, "little") + c[8:],
    "a header of 90 MB": lambda c: (90_000_000).to_bytes(8, "little") + b" " * 90_000_000,
    "a header of no bytes": lambda c: bytes(8) + c[8:],
    "a flipped bit in a weight": _flip,
    "a changed letter in the header": lambda c: c.replace(b'\\"epochs_done\\": 1', b'\\"epochs_done\\": 2'),
    "a header that is a list": lambda c: (2).to_bytes(8, "little") + b"[]",
    "overlapping arrays": _header(lambda h: h["weights/dense/bias"].update(data_offsets=[0, 4])),
    "an array behind the end": _header(lambda h: h["weights/dense/bias"].update(data_offsets=[2**40, 2**40 + 4])),
    "a shape of 2^62": _header(lambda h: h["weights/dense/bias"].update(shape=[2**62, 2**62])),
    "bfloat16": _header(lambda h: h["weights/lstm/kernel"].update(dtype="BF16", shape=[3, 32])),
    "an unknown dtype": _header(lambda h: h["weights/lstm/kernel"].update(dtype="OBJ")),
    "a pickle": lambda c: b"\x80\x04cos\nsystem\n(S'true'\ntR.",
    "a zip": lambda c: b"PK\x03\x04" + bytes(100),
}

VOICE: list[tuple[tuple[Any, ...], Any]] = [  # metadata of the tutorial's model
    (("recipe",), "x"),
    (("recipe",), None),
    (("recipe",), []),
    (("recipe", "recipe"), 5),
    (("recipe", "recipe"), "evil"),
    (("recipe", "parameters"), "x"),
    (("recipe", "parameters", "hop"), "x"),
    (("reading",), "evil"),
    (("reading",), 5),
    (("scaler",), "x"),
    (("scaler",), 5),
    (("scaler",), {}),
    (("scaler", "mean"), "x"),
    (("scaler", "mean"), [1.0]),
    (("scaler", "mean"), [NAN] * 112),
    (("scaler", "scale"), ["x"] * 112),
    (("scaler", "scale"), [-1.0] * 112),
    (("scaler", "scale"), [[1.0]] * 112),
    (("labels",), "x"),
    (("labels",), {}),
    (("labels",), {"1": "male"}),
    (("labels",), {"1": 1, "0": 0}),
    (("labels", "1"), None),
    (("labels", "1"), ""),
    (("labels", "1"), "x" * 10**5),
    (("threshold",), NAN),
    (("threshold",), 7),
    (("threshold",), -1),
    (("threshold",), "x"),
    (("threshold",), None),
    (("temperature",), 0),
    (("temperature",), -1),
    (("temperature",), NAN),
    (("temperature",), "x"),
    (("temperature",), [1]),
]
FRAMES: list[tuple[tuple[Any, ...], Any]] = [  # metadata of a model of frames
    (("task",), 5),
    (("recipe",), "x"),
    (("recipe", "recipe"), "evil"),
    (("recipe", "parameters"), None),
    (("recipe", "parameters", "revision"), "x"),
    (("recipe", "parameters", "deltas"), 10**9),
    (("recipe", "parameters", "pitch"), []),
    (("settings",), "x"),
    (("settings",), None),
    (("settings", "answer"), "evil"),
    (("settings", "answer"), 5),
    (("settings", "per_clip"), "yes"),
    (("preparation",), []),
    (("preparation", "mean"), [1.0]),
    (("preparation", "mean"), "x"),
    (("preparation", "scale"), [0.0] * 20),
    (("preparation", "scale"), [NAN] * 20),
    (("preparation", "scale"), [-1.0] * 20),
    (("labels",), ["male", "female"]),
    (("labels", "0"), 5),
    (("temperature",), 0),
    (("temperature",), "hot"),
    (("uncertain",), 0.2),
    (("uncertain",), 2),
    (("uncertain",), None),
]


def short(value: Any) -> str:
    """The value in a case's name."""
    return text if len(text := repr(value)) < 40 else f"{text[:37]}..."


def cases() -> Iterator[Case]:
    for field, values in ARCHITECTURE.items():
        for value in values:
            yield Case("model: field", f"{field} = {short(value)}", "load", written(network, at(field, value=value)))
    for option, values in LAYER.items():
        for value in values:
            change = at("layers", 0, "config", option, value=value)
            yield Case("model: layer", f"{option} = {short(value)}", "load", written(network, change))
    for place, value in COMPILE:
        name = f"{'.'.join(place)} = {short(value)}"
        yield Case("model: compile", name, "load", written(network, at("compile", *place, value=value)))
    for kind, changes in (("model: array", ARRAYS), ("model: header", HEADER)):
        for name, change in changes.items():
            yield Case(kind, name, "load", written(network, change))
    for name, bytes_changed in RAW.items():
        yield Case("model: bytes", name, "load", raw(bytes_changed))
    for kind, made, places in (("tutorial's model", tutorial, VOICE), ("model of frames", frames, FRAMES)):
        for place, value in places:
            name = f"{'.'.join(place)} = {short(value)}"
            yield Case(kind, name, "predict", written(made, said(*place, value=value)))
    linear = at("layers", -1, "config", "activation", value="linear")
    yield Case("model of frames", "an output that is no probability", "predict", written(frames, linear))
    yield Case("tutorial's model", "an output that is no probability", "predict", written(tutorial, linear))


VALID = {"load": written(network, at("seed", value=0)), "predict": written(frames, at("seed", value=0))}
