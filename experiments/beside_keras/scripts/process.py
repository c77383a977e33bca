"""The process that runs a script on one side, and records what its models did: `... .process keras FOLDER START`.

FOLDER has the rewritten script and its data. Beside it a folder `keras` or `lstm_engine` gets events.json and events.npz: for
each call of fit, evaluate and predict the weights at its beginning, the order of its batches, its losses or its outputs. The
engine's side begins with Keras's weights and takes Keras's order, which it reads from the folder `keras`.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import json
import os
import random
import runpy
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from . import stand_ins

EPOCHS, STEPS = 2, 4  # at most so many epochs a fit, and so many steps an epoch where the script counts them
KERAS, ENGINE = "keras", "lstm_engine"


class Record:
    """What the models of a script did, call by call."""

    def __init__(self, reference: Path | None = None) -> None:
        self.events: list[dict[str, Any]] = []
        self.arrays: dict[str, np.ndarray] = {}
        self.reference = Record.read(reference) if reference else None

    @classmethod
    def read(cls, folder: Path) -> Record:
        """The record that `write` left in a folder."""
        record = cls()
        record.events = json.loads((folder / "events.json").read_text("utf-8"))
        with np.load(folder / "events.npz") as arrays:
            record.arrays = dict(arrays)
        return record

    def write(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        (folder / "events.json").write_text(json.dumps(self.events), "utf-8")
        np.savez(folder / "events.npz", **self.arrays)  # type: ignore[arg-type]

    def begin(self, verb: str) -> dict[str, Any]:
        """A new event; others may begin before it ends, as when a callback predicts."""
        self.events.append({"verb": verb, "number": len(self.events), "orders": 0})
        return self.events[-1]

    def theirs(self, event: dict[str, Any]) -> dict[str, Any]:
        """Keras's event of the same number. ValueError when Keras did something else there, or nothing."""
        assert self.reference is not None
        events = self.reference.events
        if event["number"] >= len(events) or events[event["number"]]["verb"] != event["verb"]:
            raise ValueError(
                f"call {event['number']} is {event['verb']} here; in Keras it is another, or there is none"
            )
        return events[event["number"]]

    def order(self, event: dict[str, Any], samples: int) -> np.ndarray:
        """The order of one epoch of a fit on Keras's side, always the same for the number of the fit and of the epoch."""
        epoch = event["orders"]
        event["orders"] += 1
        rows = np.random.default_rng([event["number"], epoch]).permutation(samples)
        self.arrays[f"{event['number']}/order/{epoch}"] = rows
        return rows

    def keep(self, event: dict[str, Any], kind: str, value: Any) -> None:
        """Arrays, or lists and dicts of them, as arrays of one event."""
        parts = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else [value]
        for k, part in enumerate(parts):
            if isinstance(part, list | tuple):
                self.keep(event, f"{kind}/{k}", part)
            else:
                self.arrays[f"{event['number']}/{kind}/{k}"] = np.asarray(part)


def bound(verb: Callable[..., Any], model: Any, args: Any, options: Any) -> dict[str, Any] | None:
    """The arguments of a call by name; None when they do not fit, which the verb itself says best.

    Words of Keras 2, which no signature has, stay as they are.
    """
    signature = inspect.signature(verb)
    old = {name: value for name, value in options.items() if name not in signature.parameters}
    old = {} if "kwargs" in signature.parameters else old
    try:
        named = signature.bind(model, *args, **{k: v for k, v in options.items() if k not in old}).arguments
    except TypeError:
        return None
    return named | old


def shortened(named: dict[str, Any]) -> None:
    """At most EPOCHS epochs and STEPS steps, in silence."""
    first = named.get("initial_epoch", 0)
    named["epochs"] = min(named.get("epochs", 1), first + EPOCHS)
    for name in ("steps_per_epoch", "validation_steps"):
        if named.get(name) is not None:
            named[name] = min(named[name], STEPS)


def watch(classes: list[type], record: Record, side: Any) -> None:
    """Puts `record` around fit, evaluate and predict of these classes."""
    for owner, verb in {(owner_of(c, v), v) for c in classes for v in ("fit", "evaluate", "predict")}:
        setattr(owner, verb, watched(getattr(owner, verb), verb, record, side))


def owner_of(kind: type, verb: str) -> type:
    return next(base for base in kind.__mro__ if verb in vars(base))


def watched(original: Callable[..., Any], verb: str, record: Record, side: Any) -> Callable[..., Any]:
    @functools.wraps(original)
    def call(model: Any, *args: Any, **options: Any) -> Any:
        named = bound(original, model, args, options)
        if named is None or options.get("_use_cached_eval_dataset"):  # Keras's fit evaluates so
            return original(model, *args, **options)
        named.pop("self", None)
        named |= named.pop("kwargs", {})
        event = record.begin(verb)
        named["verbose"] = 0
        if verb == "fit":
            shortened(named)
        event["given"] = [norm(part) for part in parts_of([named.get("x"), named.get("y")])]
        side.begin(model, event, named)
        result = original(model, **named)
        if verb == "fit":
            event["history"] = {name: [float(v) for v in values] for name, values in result.history.items()}
        else:
            record.keep(event, "result", result)
        side.end(event)
        return result

    return call


def parts_of(value: Any) -> list[Any]:
    """The arrays in nested lists and dicts; what is none of these, as a generator, is left out."""
    if isinstance(value, dict | list | tuple):
        return [p for part in (value.values() if isinstance(value, dict) else value) for p in parts_of(part)]
    return [value] if hasattr(value, "shape") else []


def norm(array: Any) -> float:
    """A number by which to see that both sides were given the same data."""
    numbers = np.asarray(array, dtype=float).ravel()
    return float(np.linalg.norm(numbers * np.cos(np.arange(numbers.size))))


def first_array(x: Any) -> Any:
    """The array that tells an unbuilt model its input's shape; None for batches of a generator."""
    x = x[0] if isinstance(x, list | tuple) and len(x) and not np.isscalar(x[0]) and np.ndim(x[0]) > 1 else x
    return x if hasattr(x, "shape") else None


class KerasSide:
    """Keras on JAX: it records the weights that a model has and draws the orders."""

    def __init__(self, record: Record) -> None:
        os.environ["KERAS_BACKEND"] = "jax"
        import keras

        self.record, self.package = record, keras
        self.fits: list[dict[str, Any]] = []  # those that are under way

    def install(self) -> None:
        """Watches Keras's classes from here on; its seeds and orders are no longer the script's own random numbers."""
        from keras.src.random import seed_generator
        from keras.src.trainers.data_adapters import array_data_adapter, generator_data_adapter

        draws = random.Random(0)
        seed_generator.python_random = SimpleNamespace(randint=draws.randint)
        names = {name: getattr(np, name) for name in dir(np) if not name.startswith("_")}
        array_data_adapter.np = SimpleNamespace(**names | {"random": SimpleNamespace(permutation=self.permutation)})
        generator_data_adapter.peek_and_restore = peeked
        keras = self.package
        keras.utils.get_file = stand_ins.get_file
        keras.utils.timeseries_dataset_from_array = keras.preprocessing.timeseries_dataset_from_array = windows
        watch([keras.Model, keras.Sequential], self.record, self)

    def permutation(self, samples: int) -> np.ndarray:
        return self.record.order(self.fits[-1], samples)

    def begin(self, model: Any, event: dict[str, Any], named: dict[str, Any]) -> None:
        x = first_array(named.get("x"))
        if not model.built and x is not None:
            model.build((None, *x.shape[1:]))
        keep_states(model)
        weights = [[np.asarray(w) for w in weights_of(layer)] for layer in model.layers]
        self.record.keep(event, "weights", [w for w in weights if w])
        event["layers"] = [len(w) for w in weights if w]
        if event["verb"] == "fit":
            self.fits.append(event)
            if hasattr(named.get("x"), "batches"):  # windows: TensorFlow's stay in their order, other datasets do not
                named["shuffle"] = False

    def end(self, event: dict[str, Any]) -> None:
        if event["verb"] == "fit":
            self.fits.remove(event)


def peeked(generator: Any, count: int = 2) -> tuple[list[Any], Callable[[], Any]]:
    """Two batches of a generator, by which Keras sees the shapes, and a function that begins with them again.

    Keras's own shows them at every validation anew; here each batch is shown once, as in the engine.
    """
    first = list(itertools.islice(generator, count))
    ahead = False

    def batches() -> Any:
        nonlocal ahead
        if not ahead:
            yield from first
        for batch in generator:
            ahead = True
            yield batch

    return first, batches


def keep_states(model: Any) -> None:
    """Lets a stateful layer keep its states from batch to batch, which Keras 3.15 does on TensorFlow and not on JAX."""
    for layer in model._flatten_layers():
        for state in getattr(layer, "states", None) or ():
            if not any(state is v for v in layer._non_trainable_variables):
                layer._tracker.unlock()
                layer._track_variable(state)
                layer._tracker.lock()


def weights_of(layer: Any) -> list[Any]:
    """A Keras layer's weights without the states of a stateful one, which it lists as well."""
    states = {id(s) for part in layer._flatten_layers() for s in getattr(part, "states", None) or ()}
    return [w for w in layer.weights if id(w) not in states]


class EngineSide:
    """The engine: each layer begins with the weights that Keras's had, unless they came from a file."""

    def __init__(self, record: Record) -> None:
        import lstm_engine as le

        self.record, self.package = record, le
        self.given: list[Any] = []  # layers that have their weights

    def install(self) -> None:
        """Watches the engine's classes from here on."""
        le = self.package
        le.utils.get_file = stand_ins.get_file
        watch([le.Model, le.Sequential], self.record, self)
        for module in (le, le.models):
            module.load_model = self.keeping(module.load_model)
        for owner in {owner_of(kind, "load_weights") for kind in (le.Model, le.Sequential)}:
            owner.load_weights = self.keeping_own(owner.load_weights)

    def keeping(self, load: Callable[..., Any]) -> Callable[..., Any]:
        def loaded(*args: Any, **options: Any) -> Any:
            model = load(*args, **options)
            self.given += model.layers
            return model

        return loaded

    def keeping_own(self, load: Callable[..., Any]) -> Callable[..., Any]:
        def loaded(model: Any, *args: Any, **options: Any) -> None:
            load(model, *args, **options)
            self.given += model.layers

        return loaded

    def begin(self, model: Any, event: dict[str, Any], named: dict[str, Any]) -> None:
        theirs = self.record.theirs(event)
        x = first_array(named.get("x"))
        if not model.built and x is not None:
            model.build(tuple(x.shape[1:]))
        layers = [layer for layer in model.layers if layer.weights]
        shapes = [len(layer.weights) for layer in layers]
        if shapes != theirs["layers"]:
            raise ValueError(f"layers with {theirs['layers']} weights in Keras, with {shapes} here")
        for k, layer in enumerate(layers):
            if not any(layer is other for other in self.given):
                arrays = self.record.reference.arrays  # type: ignore[union-attr]
                layer.set_weights([arrays[f"{event['number']}/weights/{k}/{n}"] for n in range(shapes[k])])
                self.given.append(layer)
        if theirs["orders"]:
            named["order"] = self.order(theirs, named)

    def order(self, theirs: dict[str, Any], named: dict[str, Any]) -> list[list[np.ndarray]]:
        """Keras's batches, epoch by epoch: the last that it drew, since its fit draws one more to see the shapes.

        A fit that Keras ended early has none for its last epochs.
        """
        size, epochs, first = named.get("batch_size") or 32, named["epochs"], named.get("initial_epoch", 0)
        arrays = self.record.reference.arrays  # type: ignore[union-attr]
        orders = [arrays[f"{theirs['number']}/order/{k}"] for k in range(theirs["orders"])]
        orders = orders[-len(next(iter(theirs["history"].values()))) :]
        orders = [orders[0]] * first + orders
        orders += [orders[-1]] * (epochs - len(orders))
        return [[rows[k : k + size] for k in range(0, len(rows), size)] for rows in orders]

    def end(self, event: dict[str, Any]) -> None:
        pass


def windows(*args: Any, **options: Any) -> Any:
    """keras.utils.timeseries_dataset_from_array for Keras, which without TensorFlow has none."""
    import keras

    class Windows(keras.utils.PyDataset):  # type: ignore[misc]
        def __init__(self, batches: list[Any]) -> None:
            super().__init__()
            self.batches = batches

        def __iter__(self) -> Any:
            return iter(self.batches)

        def __len__(self) -> int:
            return len(self.batches)

        def __getitem__(self, k: int) -> Any:
            return self.batches[k]

        def take(self, count: int) -> Any:
            return Windows(self.batches[:count])

    return Windows(window_batches(*args, **options))


def window_batches(
    data: Any, targets: Any, sequence_length: int, sequence_stride: int = 1, sampling_rate: int = 1, batch_size: int = 128,
    shuffle: bool = False, seed: int | None = None, start_index: int | None = None, end_index: int | None = None, **_: Any,
) -> list[Any]:  # fmt: skip
    """keras.utils.timeseries_dataset_from_array, by its documentation: in the order of time, whatever shuffle says."""
    start, end = start_index or 0, len(data) if end_index is None else end_index
    data, targets = np.asarray(data)[start:end], np.asarray(targets)[start:end]
    starts = np.arange(0, min(len(data) - (sequence_length - 1) * sampling_rate, len(targets)), sequence_stride)
    rows = starts[:, None] + np.arange(sequence_length) * sampling_rate
    pieces = [slice(k, k + batch_size) for k in range(0, len(starts), batch_size)]
    return [(data[rows[piece]], targets[starts[piece]]) for piece in pieces]


def missing_modules(package: Any, folder: Path) -> None:
    """Modules that the scripts in this folder import beside Keras and that are not installed."""
    tensorflow = ModuleType("tensorflow")
    for name in ("DType", "Tensor", "TensorShape", "Variable"):  # Keras asks whether something is one of these
        setattr(tensorflow, name, type(name, (), {}))
    tensorflow.keras = package  # type: ignore[attr-defined]
    tensorflow.random = SimpleNamespace(set_seed=lambda seed: None)  # type: ignore[attr-defined]
    tqdm = ModuleType("tqdm")
    tqdm.tqdm = lambda items, *_, **__: items  # type: ignore[attr-defined]
    texts = [path.read_text("utf-8") for path in folder.rglob("*.py")]
    for module in (tensorflow, tqdm):
        if any(f"import {module.__name__}" in text for text in texts):  # Keras looks whether TensorFlow is imported
            sys.modules.setdefault(module.__name__, module)


def no_network(*_: Any) -> None:
    raise OSError("the script asks for the network, which it does not get: it needs a stand-in for this data")


def prepare(side: Any, folder: Path) -> None:
    """Everything that a script finds when it starts, besides its folder."""
    side.install()
    package = side.package
    modules = stand_ins.datasets(f"{package.__name__}.datasets")
    sys.modules |= modules
    package.datasets = modules[f"{package.__name__}.datasets"]
    missing_modules(package, folder)
    socket.socket.connect = no_network  # type: ignore[method-assign,assignment]
    os.environ["MPLBACKEND"] = "Agg"
    np.random.seed(0)  # noqa: NPY002 - the scripts draw from it
    random.seed(0)


def main(name: str, folder: Path, start: str) -> None:
    """Runs folder/start; writes the record, and in end.json how it ended."""
    out = folder.parent / name
    record = Record(folder.parent / KERAS if name == ENGINE else None)
    side = KerasSide(record) if name == KERAS else EngineSide(record)
    prepare(side, folder)
    at = (folder / start).parent
    os.chdir(at)
    sys.path[:0] = [str(at)]
    sys.argv = [start]
    end = {"ended": "runs", "error": "", "message": "", "line": "", "traceback": ""}
    try:
        runpy.run_path(str(folder / start), run_name="__main__")
    except BaseException as error:
        lines = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(str(folder))]
        end = {
            "ended": "stops", "error": type(error).__name__, "message": str(error),
            "line": (lines[-1].line or "") if lines else "", "traceback": traceback.format_exc(),
        }  # fmt: skip
    record.write(out)
    (out / "end.json").write_text(json.dumps(end), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
