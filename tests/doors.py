"""Every door of the engine with NaN, ±infinity and 1e300 (which float32 cannot hold): `python -m tests.doors` counts.

A door refuses with a ValueError that names the number, or where training diverges the loss, gradient or weight; the model is
then what it was before. What a table shows as "silent" is a fault.
"""

from __future__ import annotations

import contextlib
import io
import math
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import lstm_engine as le
from lstm_engine.interchange import onnx_files, torch_layout

VALUES = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf, "1e300": 1e300}
N, T, D, H = 4, 3, 2, 2
rng = np.random.default_rng(0)
X, Y = rng.standard_normal((N, T, D)), np.array([0.0, 1.0, 1.0, 0.0])
NAMED = "nan", "inf", "1e+300", "finite"  # a message has one of these

Door = Callable[[Any, float, Path], Any]  # a compiled model, the number, an empty folder


def with_one(a: Any, value: float) -> np.ndarray:
    """A copy in float64 whose last number is this one."""
    out = np.array(a, float)
    out.reshape(-1)[-1] = value
    return out


def model(loss: Any = "binary_crossentropy", dtype: str = "float32", **optimizer: Any) -> le.Sequential:
    """Small, compiled and trained for one step."""
    m = le.Sequential([le.LSTM(H), le.Dense(1, "sigmoid")], seed=0, dtype=dtype, backend="numpy")
    m.compile(le.Adam(**optimizer), loss)
    m.train_on_batch(X, Y)
    return m


def per_step() -> le.Sequential:
    m = le.Sequential([le.Masking(9.0), le.LSTM(H, return_sequences=True), le.Dense(1)], seed=0, backend="numpy")
    m.compile("sgd", "mse")
    return m


def two_inputs() -> le.Model:
    a, b = le.Input((T, D)), le.Input((T, D))
    m = le.Model([a, b], le.Dense(1)(le.LSTM(H)(le.Concatenate()([a, b]))), seed=0, backend="numpy")
    m.compile("sgd", "mse")
    return m


def spoilt(m: Any, value: float) -> Any:
    """The model with the number written into a weight behind the doors' backs; float32 makes infinity of 1e300."""
    with np.errstate(over="ignore"):
        m.weights["lstm/bias"][0] = np.float64(value).astype(m.dtype)
    return m


def spoilt_slots(m: Any, value: float) -> Any:
    with np.errstate(over="ignore"):
        m.optimizer.slots = {name: with_one(a, value).astype("float32") for name, a in m.optimizer.slots.items()}
    return m


class Batches(le.utils.PyDataset):
    def __init__(self, *batches: Any) -> None:
        super().__init__()
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, k: int) -> Any:
        return self.batches[k]


class LikeTensorFlow:
    """As much of a tf.data.Dataset as `fit` uses."""

    def __init__(self, *batches: Any) -> None:
        self.batches = batches

    def __iter__(self) -> Any:
        raise AssertionError("as_numpy_iterator is asked first")

    def as_numpy_iterator(self) -> Any:
        return iter(self.batches)


class Wrong(le.losses.MeanSquaredError):
    """A loss whose value or gradient becomes another number."""

    def __init__(self, value: float = 0.0, where: str = "values", **general: Any) -> None:
        super().__init__(**general)
        self.value, self.where = value, where

    def values(self, y: Any, p: Any) -> Any:
        with np.errstate(all="ignore"):
            return super().values(y, p) + (np.float64(self.value).astype(p.dtype) if self.where == "values" else 0)

    def gradient(self, y: Any, p: Any) -> Any:
        with np.errstate(all="ignore"):
            return super().gradient(y, p) + (np.float64(self.value).astype(p.dtype) if self.where == "gradient" else 0)


class Follows(le.schedules.Schedule):
    def __init__(self, value: float) -> None:
        self.value = value

    def __call__(self, step: int) -> float:
        return self.value if step else 0.01


def a_file(folder: Path, name: str, value: float, key: str = "weights/lstm/bias") -> Path:
    """A model's file with the number in one array."""
    from safetensors import safe_open
    from safetensors.numpy import save_file

    good, path = folder / "good.safetensors", folder / name
    model().save(good)
    with safe_open(good, framework="numpy") as file:
        arrays, about = {k: file.get_tensor(k) for k in file.keys()}, file.metadata()  # noqa: SIM118
    with np.errstate(over="ignore"):
        save_file(arrays | {key: with_one(arrays[key], value).astype(arrays[key].dtype)}, path, about)
    return path


def keras_weights(folder: Path, name: str, value: float) -> Path:
    path = folder / name
    spoilt(model(dtype="float64"), value).save_weights(path, allow_nan=True)
    return path


def whole(folder: Path, name: str, value: float) -> Path:
    """A whole model of Keras's; float64 holds 1e300, so that it is in float32 infinity that the file has."""
    path = folder / name
    spoilt(model(), value).save(path, allow_nan=True)
    return path


def torch_file(m: Any, folder: Path, value: float) -> Path:
    path = folder / "m.pt.safetensors"
    torch_layout.save_torch(spoilt(model(dtype="float64"), value), path, allow_nan=True)
    return path


def onnx_tensors(m: Any, value: float) -> None:
    tensors = onnx_files.to_onnx_tensors(m.layers[0])
    onnx_files.from_onnx_tensors(m.layers[0], **tensors | {"W": with_one(tensors["W"], value)})


def diverging(m: Any, value: float, where: str, verb: str) -> None:
    m.compile(le.Adam(), Wrong(value, where))
    getattr(m, verb)(X, Y, **({"verbose": 0} if verb in ("fit", "evaluate") else {}))


def class_weights(v: float) -> dict[int, float]:
    return {1: v}


DOORS: dict[str, Door] = {
    "fit: X": lambda m, v, f: m.fit(with_one(X, v), Y, verbose=0),
    "fit: X, a list of sequences": lambda m, v, f: m.fit([X[0], X[1][:2], with_one(X[2], v)], Y[:3], verbose=0),
    "fit: X of two inputs": lambda m, v, f: two_inputs().fit([X, with_one(X, v)], Y, verbose=0),
    "fit: X at a step that exists, beside mask=": lambda m, v, f: m.fit(with_one(X, v), Y, mask=X[..., 0] < 9, verbose=0),
    "fit: y": lambda m, v, f: m.fit(X, with_one(Y, v), verbose=0),
    "fit: y of every step": lambda m, v, f: per_step().fit(X, with_one(X[..., :1], v), verbose=0),
    "fit: sample_weight": lambda m, v, f: m.fit(X, Y, sample_weight=with_one(Y, v), verbose=0),
    "fit: sample_weight of every step, in lists": lambda m, v, f: per_step().fit(
        [X[0], X[1][:2]], [X[0, :, :1], X[1, :2, :1]], sample_weight=[np.ones(3), with_one([1, 1], v)], verbose=0
    ),
    "fit: class_weight": lambda m, v, f: m.fit(X, Y, class_weight=class_weights(v), verbose=0),
    "fit: validation X": lambda m, v, f: m.fit(X, Y, validation_data=(with_one(X, v), Y), verbose=0),
    "fit: validation y": lambda m, v, f: m.fit(X, Y, validation_data=(X, with_one(Y, v)), verbose=0),
    "fit: validation weights": lambda m, v, f: m.fit(X, Y, validation_data=(X, Y, with_one(Y, v)), verbose=0),
    "fit: a generator's X": lambda m, v, f: m.fit(iter([(with_one(X, v), Y)]), verbose=0),
    "fit: a generator's y": lambda m, v, f: m.fit(iter([(X, with_one(Y, v))]), verbose=0),
    "fit: a generator's weights": lambda m, v, f: m.fit(iter([(X, Y, with_one(Y, v))]), verbose=0),
    "fit: a PyDataset": lambda m, v, f: m.fit(Batches((with_one(X, v), Y)), verbose=0),
    "fit: a tf.data.Dataset": lambda m, v, f: m.fit(LikeTensorFlow((with_one(X, v), Y)), verbose=0),
    "evaluate: X": lambda m, v, f: m.evaluate(with_one(X, v), Y, verbose=0),
    "evaluate: y": lambda m, v, f: m.evaluate(X, with_one(Y, v), verbose=0),
    "evaluate: sample_weight": lambda m, v, f: m.evaluate(X, Y, sample_weight=with_one(Y, v), verbose=0),
    "evaluate: a generator": lambda m, v, f: m.evaluate(iter([(with_one(X, v), Y)]), verbose=0),
    "train_on_batch: X": lambda m, v, f: m.train_on_batch(with_one(X, v), Y),
    "train_on_batch: y": lambda m, v, f: m.train_on_batch(X, with_one(Y, v)),
    "train_on_batch: sample_weight": lambda m, v, f: m.train_on_batch(X, Y, with_one(Y, v)),
    "train_on_batch: class_weight": lambda m, v, f: m.train_on_batch(X, Y, None, class_weights(v)),
    "gradients: X": lambda m, v, f: m.gradients(with_one(X, v), Y),
    "gradients: y": lambda m, v, f: m.gradients(X, with_one(Y, v)),
    "gradients: sample_weight": lambda m, v, f: m.gradients(X, Y, sample_weight=with_one(Y, v)),
    "trace: X": lambda m, v, f: m.trace(with_one(X, v)),
    "trace: y": lambda m, v, f: m.trace(X, with_one(Y, v)),
    "trace: sample_weight": lambda m, v, f: m.trace(X, Y, sample_weight=with_one(Y, v)),
    "gradcheck: X": lambda m, v, f: le.gradcheck(m, with_one(X, v), Y, dtype="float64"),
    "gradcheck: y": lambda m, v, f: le.gradcheck(m, X, with_one(Y, v), dtype="float64"),
    "gradcheck: sample_weight": lambda m, v, f: le.gradcheck(
        m, X, Y, sample_weight=with_one(Y, v), dtype="float64"
    ),
    "predict: X": lambda m, v, f: m.predict(with_one(X, v), verbose=0),
    "predict: a list of sequences": lambda m, v, f: m.predict([X[0], with_one(X[1][:2], v)], verbose=0),
    "predict: a generator": lambda m, v, f: m.predict(iter([with_one(X, v)]), verbose=0),
    "model(x)": lambda m, v, f: m(with_one(X, v)),
    "model(x) of one sequence": lambda m, v, f: m(with_one(X[:1], v)),
    "stream": lambda m, v, f: m.stream().step(with_one(X[:1, 0], v)),
    "model.set_weights": lambda m, v, f: m.set_weights([*m.get_weights()[:-1], with_one(m.get_weights()[-1], v)]),
    "layer.set_weights": lambda m, v, f: m.layers[1].set_weights([with_one(w, v) for w in m.layers[1].get_weights()]),
    "model.weights[...] =": lambda m, v, f: m.weights.update({"lstm/bias": with_one(m.weights["lstm/bias"], v)}),
    "layer.weights =": lambda m, v, f: setattr(
        m.layers[1], "weights", {k: with_one(w, v) for k, w in m.layers[1].weights.items()}
    ),
    "a weight's array, then fit": lambda m, v, f: spoilt(m, v).fit(X, Y, verbose=0),
    "a weight's array, then evaluate": lambda m, v, f: spoilt(m, v).evaluate(X, Y, verbose=0),
    "a weight's array, then train_on_batch": lambda m, v, f: spoilt(m, v).train_on_batch(X, Y),
    "a weight's array, then gradients": lambda m, v, f: spoilt(m, v).gradients(X, Y),
    "a weight's array, then gradcheck": lambda m, v, f: le.gradcheck(spoilt(m, v), X, Y, dtype="float64"),
    "a weight's array, then predict": lambda m, v, f: spoilt(m, v).predict(X, verbose=0),
    "a weight's array, then stream": lambda m, v, f: spoilt(m, v).stream(),
    "optimizer.slots, then fit": lambda m, v, f: spoilt_slots(m, v).fit(X, Y, verbose=0),
    "optimizer.slots, then train_on_batch": lambda m, v, f: spoilt_slots(m, v).train_on_batch(X, Y),
    "learning rate": lambda m, v, f: model(learning_rate=v),
    "learning rate, set": lambda m, v, f: (setattr(m.optimizer, "learning_rate", v), m.fit(X, Y, verbose=0)),
    "learning rate of a schedule": lambda m, v, f: model(learning_rate=le.schedules.ExponentialDecay(v, 10, 0.5)),
    "learning rate of a schedule of one's own": lambda m, v, f: model(learning_rate=Follows(v)).fit(X, Y, verbose=0),
    "learning rate of LearningRateScheduler": lambda m, v, f: m.fit(
        X, Y, verbose=0, callbacks=[le.callbacks.LearningRateScheduler(lambda epoch: v)]
    ),
    "clipnorm": lambda m, v, f: model(clipnorm=v if v != 1e300 else -v),  # a norm may be limited to 1e300
    "weight_decay": lambda m, v, f: model(weight_decay=v, learning_rate=1e10),
    "a loss that overflows, in fit": lambda m, v, f: diverging(m, v, "values", "fit"),
    "a loss that overflows, in evaluate": lambda m, v, f: diverging(m, v, "values", "evaluate"),
    "a loss that overflows, in train_on_batch": lambda m, v, f: diverging(m, v, "values", "train_on_batch"),
    "a loss that overflows, in gradients": lambda m, v, f: diverging(m, v, "values", "gradients"),
    "a gradient that overflows, in fit": lambda m, v, f: diverging(m, v, "gradient", "fit"),
    "a gradient that overflows, in train_on_batch": lambda m, v, f: diverging(m, v, "gradient", "train_on_batch"),
    "a gradient that overflows, in gradients": lambda m, v, f: diverging(m, v, "gradient", "gradients"),
    "save .safetensors": lambda m, v, f: spoilt(m, v).save(f / "m.safetensors"),
    "save .safetensors: slots": lambda m, v, f: spoilt_slots(m, v).save(f / "m.safetensors"),
    "save .keras": lambda m, v, f: spoilt(m, v).save(f / "m.keras"),
    "save .keras: slots": lambda m, v, f: spoilt_slots(m, v).save(f / "m.keras"),
    "save .h5": lambda m, v, f: spoilt(m, v).save(f / "m.h5"),
    "save .weights.h5": lambda m, v, f: spoilt(m, v).save_weights(f / "m.weights.h5"),
    "save for PyTorch": lambda m, v, f: torch_layout.save_torch(spoilt(m, v), f / "m.safetensors"),
    "save .onnx": lambda m, v, f: onnx_files.export_onnx(spoilt(m, v), f / "m.onnx"),
    "load .safetensors": lambda m, v, f: le.load(a_file(f, "m.safetensors", v)),
    "load .safetensors: slots": lambda m, v, f: le.load(
        a_file(f, "m.safetensors", v, "optimizer/velocity/lstm/kernel")
    ),
    "load .keras": lambda m, v, f: le.load_model(whole(f, "m.keras", v)),
    "load .h5": lambda m, v, f: le.load_model(whole(f, "m.h5", v)),
    "load_weights .weights.h5": lambda m, v, f: m.load_weights(keras_weights(f, "m.weights.h5", v)),
    "load_weights .h5": lambda m, v, f: m.load_weights(keras_weights(f, "m.h5", v)),
    "load from PyTorch": lambda m, v, f: torch_layout.load_torch(m, torch_file(m, f, v)),
    "tensors of ONNX": lambda m, v, f: onnx_tensors(m, v),
}  # fmt: skip


def knock(door: str, value: float) -> str:
    """What the door answers: the message of its refusal, or "" for none. AssertionError where it changed the model."""
    m = model()
    before = m.get_weights()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            DOORS[door](m, value, Path(folder))
        except ValueError as refusal:
            if "array" not in door:  # whose weights the case itself has spoilt
                untouched = "save" in door or all(map(np.array_equal, before, m.get_weights()))
                assert untouched, f"{door} refuses, and has changed the weights"
            if "save" in door:
                assert not any(Path(folder).iterdir()), f"{door} refuses, and has written a file"
            return str(refusal)
    return ""


def main() -> int:
    """Prints a line a door, and the counts; exit code 1 if a number goes through in silence."""
    silent = 0
    for door in DOORS:
        answers = {name: knock(door, value) for name, value in VALUES.items()}
        bad = [name for name, words in answers.items() if not any(word in words.lower() for word in NAMED)]
        silent += len(bad)
        print(f"{door:48} {'refused' if not bad else 'SILENT: ' + ', '.join(bad)}", flush=True)
        if "-v" in sys.argv:
            print(*(f"    {name}: {words}" for name, words in answers.items()), sep="\n")
    print(f"{len(DOORS)} doors, {len(DOORS) * len(VALUES)} numbers, {silent} in silence")
    return silent > 0


if __name__ == "__main__":
    sys.exit(main())
