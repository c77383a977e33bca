"""Words of Keras 2 that Keras 3.15 refuses. The engine takes them, with a warning that has the word of Keras 3.

A word is here if it means the same under another name, or changes no number. What Keras 3 takes means what it means there
("hard_sigmoid", clipnorm=; decay= of an optimizer, unless lr= stands beside it). Arguments of Keras 1's layers are refused
(`absent.toml`): its LSTM had other gates, so that the numbers would not be the script's. docs/keras-parity.md has the list.
"""

from __future__ import annotations

import functools
import inspect
import re
import sys
import warnings
from collections.abc import Collection
from typing import Any

import numpy as np

from . import schedules

QUEUE = {"workers": "", "use_multiprocessing": "", "max_queue_size": ""}  # here batches are made one after the other
# By class or verb: an argument of Keras 2 and that of Keras 3; "" where it has none, since it changes no number.
ARGUMENTS: dict[str, dict[str, str]] = {
    "Optimizer": {"lr": "learning_rate"},
    "Model": {"input": "inputs", "output": "outputs"},
    "fit": {"nb_epoch": "epochs", **QUEUE},
    "evaluate": QUEUE,
    "predict": QUEUE,
    "ReduceLROnPlateau": {"epsilon": "min_delta"},
    "ModelCheckpoint": {"period": ""},
}
ONLY = {"period": 1}  # another period does change something


@functools.cache
def warn(message: str) -> None:
    """The warning at the caller's line outside the engine, each once a process."""
    level, frame = 1, sys._getframe()
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == "lstm_engine":
        level, frame = level + 1, frame.f_back
    warnings.warn(message, stacklevel=level)


def taken(of: str, given: dict[str, Any], called: str = "") -> dict[str, Any]:
    """Takes Keras 2's words out of the arguments `given`, and returns those that Keras 3 has, under its names.

    of: a key of ARGUMENTS; called: the name of the class, where that is another.
    """
    found: dict[str, Any] = {}
    for old, new in ARGUMENTS.get(of, {}).items():
        if old not in given or (old in ONLY and given[old] != ONLY[old]):
            continue
        if new in given:
            raise TypeError(f"{old} and {new} are one argument of {called or of}: give {new} alone")
        value = given.pop(old)
        if new:
            found[new] = value
            warn(f"{old} is Keras 2's name of {new}: write {called or of}({new}=...)")
        else:
            warn(f"{old} of {called or of} is a word of Keras 2 that changes nothing here: leave it out")
    return found


def renamed(old: str, new: str) -> property:
    """An attribute under Keras 2's name, to be read and set."""

    def get(owner: Any) -> Any:
        warn(f"{old} is Keras 2's name of {new}: write optimizer.{new}")
        return getattr(owner, new)

    def put(owner: Any, value: Any) -> None:
        get(owner)
        setattr(owner, new, value)

    return property(get, put)


def rate(optimizer: Any, more: dict[str, Any], learning_rate: Any) -> Any:
    """The learning rate. `decay` beside `lr`, as Keras 2 has it, divides the rate by 1 + decay * iterations."""
    if "lr" not in more:
        return learning_rate
    called = type(optimizer).__name__
    parameter = inspect.signature(type(optimizer)).parameters.get("learning_rate")
    if parameter is not None and learning_rate != parameter.default:
        raise TypeError(f"lr and learning_rate are one argument of {called}: give learning_rate alone")
    if not (decay := more.pop("decay", 0)):
        return taken("Optimizer", more, called)["learning_rate"]
    lr = more.pop("lr")
    if not all(isinstance(value, int | float | np.number) and value >= 0 for value in (lr, decay)):
        raise ValueError(f"lr and decay together are numbers of at least 0, got lr={lr!r} and decay={decay!r}")
    warn(f"lr and decay are words of Keras 2: write {called}(lstm_engine.schedules.InverseTimeDecay(lr, 1, decay))")
    return schedules.InverseTimeDecay(lr, 1, decay)


def epsilon(value: float | None) -> float:
    """ε of an optimizer: Keras 2's None is its keras.backend.epsilon()."""
    if value is None:
        warn("epsilon=None is Keras 2's word for 1e-7: leave it out")
        return 1e-7
    return value


def input_shape(layer: Any, more: dict[str, Any], shape: Any) -> Any:
    """A layer's input shape (T, D), whichever argument says it; those that stand in `more` are taken out.

    ValueError where two arguments say different ones.
    """
    said = {} if shape is None else {"input_shape": tuple(shape)}
    if (batch := more.pop("batch_input_shape", None)) is not None:
        if not isinstance(batch, list | tuple) or len(batch) < 2:
            raise ValueError(f"batch_input_shape is the input's shape, the batch first, as (N, T, D), got {batch!r}")
        warn("batch_input_shape is a word of Keras 2: write Input(batch_shape=...) as the model's first item")
        said["batch_input_shape"] = tuple(batch)[1:]
    if more.pop("batch_size", None) is not None:
        warn("batch_size of a layer is a word of Keras 2: write Input(batch_shape=...) as the model's first item")
    if (features := more.pop("input_dim", None)) is not None:
        said["input_dim"] = (features,)  # in Keras 3 too
        if layer.reads_sequences:
            warn(
                "input_dim of a layer for sequences is a word of Keras 2: write Input((T, D)) as the model's first item"
            )
            said["input_dim"] = more.pop("input_length", None), features
    if not said:
        return None
    whole, *others = said.values()
    for other in others:
        if len(whole) != len(other) or any(a != b for a, b in zip(whole, other, strict=True) if None not in (a, b)):
            shapes = " and ".join(f"{name} {value}" for name, value in said.items())
            raise ValueError(f"got {shapes}, which are different input shapes: give input_shape alone")
        whole = tuple(b if a is None else a for a, b in zip(whole, other, strict=True))
    return whole


# -- logs --------------------------------------------------------------------------------------------------------------


class NamedLogs(dict[str, Any]):
    """Numbers by name, which are also found under the names that Keras 2 gave them."""

    def __missing__(self, name: str) -> Any:
        if (new := log_name(name, self)) == name:
            raise KeyError(name)
        return self[new]


def log_name(name: str, logs: Collection[str]) -> str:
    """The name itself, or Keras 3's for the same number where the logs have that one: val_acc is val_accuracy."""
    new = "learning_rate" if name == "lr" else re.sub(r"(?<![^_])acc$", "accuracy", name)
    if name in logs or new not in logs:
        return name
    warn(f"{name} is Keras 2's name of {new} in logs and history: write {new!r}")
    return new


# -- a model's verbs -----------------------------------------------------------------------------------------------------


class Keras2Verbs:
    """What a model of Keras 2 could do under other names. The arguments are those of Keras 2.3."""

    def fit_generator(
        self: Any, generator: Any, steps_per_epoch: int | None = None, epochs: int | None = None, verbose: int = 1,
        callbacks: Any = None, validation_data: Any = None, validation_steps: int | None = None, **more: Any,
    ) -> Any:  # fmt: skip
        warn("fit_generator is Keras 2's name of fit, which takes generators: write model.fit(generator, ...)")
        more |= {"steps_per_epoch": steps_per_epoch, "validation_steps": validation_steps}
        more |= {} if epochs is None else {"epochs": epochs}
        return self.fit(generator, verbose=verbose, callbacks=callbacks, validation_data=validation_data, **more)

    def evaluate_generator(self: Any, generator: Any, steps: int | None = None, **more: Any) -> Any:
        warn("evaluate_generator is Keras 2's name of evaluate: write model.evaluate(generator, steps=...)")
        return self.evaluate(generator, steps=steps, **{"verbose": 0, **more})

    def predict_generator(self: Any, generator: Any, steps: int | None = None, **more: Any) -> Any:
        warn("predict_generator is Keras 2's name of predict: write model.predict(generator, steps=...)")
        return self.predict(generator, steps=steps, **{"verbose": 0, **more})

    def predict_proba(self: Any, x: Any, batch_size: int | None = None, verbose: int = 0) -> Any:
        warn("predict_proba is Keras 2's name of predict: write model.predict(X)")
        return self.predict(x, batch_size, verbose)

    def predict_classes(self: Any, x: Any, batch_size: int | None = None, verbose: int = 0) -> Any:
        """The class numbers: the largest output's, or whether a single output is above 0.5, (N, 1)."""
        p = self.predict(x, batch_size, verbose)
        if not isinstance(p, np.ndarray):
            raise ValueError("predict_classes is for one output: take .argmax(axis=-1) of each that predict returns")
        if p.shape[-1] > 1:
            warn("predict_classes is a word of Keras 2: write model.predict(X).argmax(axis=-1)")
            return p.argmax(axis=-1)
        warn('predict_classes is a word of Keras 2: write (model.predict(X) > 0.5).astype("int32")')
        return (p > 0.5).astype("int32")
