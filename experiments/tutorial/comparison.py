"""The engine and Keras through the same training: same initial weights, same batches, epoch by epoch.

Each side runs in a separate process, so that its memory can be measured. The two take turns, an epoch each, so that a busy
machine slows both alike. `Comparison` holds everything that the report shows.
"""

import multiprocessing
import platform
import signal
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

import lstm_engine as le
from experiments.reports.scores import classification
from experiments.tutorial.task import VoiceTask, batches, voice_model
from features.processes import set_apart, shut

Batches = list[np.ndarray]


@dataclass
class Epoch:
    """One side after one epoch. loss and accuracy: training, while the weights change; val_: the held-out rows."""

    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    seconds: float  # of the training alone
    weights: list[np.ndarray]
    p_train: np.ndarray  # (N,) probabilities after the epoch
    p_held_out: np.ndarray


class EngineSide:
    """Trains the engine's model."""

    def __init__(self, settings: dict[str, Any], data: tuple[np.ndarray, ...], weights: list[np.ndarray]) -> None:
        self.X, self.y, self.X_held_out, self.y_held_out = data
        self.model = voice_model(**settings)
        self.model.build(self.X.shape[1:])
        self.model.set_weights(weights)

    def fit_arguments(self, order: Batches) -> dict[str, Any]:
        """What `fit` needs for an epoch of these batches."""
        return {"x": self.X, "y": self.y, "order": [order]}

    def epoch(self, order: Batches) -> Epoch:
        arguments = self.fit_arguments(order)
        started = time.perf_counter()
        history = self.model.fit(**arguments, verbose=0).history
        seconds = time.perf_counter() - started
        scores = self.model.evaluate(self.X_held_out, self.y_held_out, verbose=0)
        p_train, p_held_out = (np.asarray(self.model.predict(X, verbose=0))[:, 0] for X in (self.X, self.X_held_out))
        weights = [np.array(w) for w in self.model.get_weights()]
        return Epoch(history["loss"][0], history["accuracy"][0], *scores, seconds, weights, p_train, p_held_out)


class KerasSide(EngineSide):
    """Trains Keras's twin of the engine's model, as its users do: with `fit`, compiled, on batches in the given order."""

    def __init__(self, settings: dict[str, Any], data: tuple[np.ndarray, ...], weights: list[np.ndarray]) -> None:
        from experiments.beside_keras.twins import import_keras, to_keras

        import_keras(settings["dtype"])
        super().__init__(settings, data, weights)
        self.model = to_keras(self.model)
        self.X, self.X_held_out = (X.astype(settings["dtype"]) for X in (self.X, self.X_held_out))

    def fit_arguments(self, order: Batches) -> dict[str, Any]:
        rows = np.concatenate(order)
        return {"x": self.X[rows], "y": self.y[rows], "batch_size": len(order[0]), "shuffle": False}


@dataclass
class Comparison:
    """One training of both sides with one seed. `rows`: what is compared, one dict an epoch; the rest is about the end."""

    seed: int
    reference: str  # "Keras 3.x on jax", or "Keras against itself"
    settings: dict[str, Any]
    rows: list[dict[str, float]] = field(default_factory=list)
    agreement: dict[str, float] = field(default_factory=dict)  # share of equal answers: train, held_out
    scores: dict[str, dict[str, Any]] = field(default_factory=dict)  # engine, reference: on the held-out rows
    final: dict[str, dict[str, float]] = field(default_factory=dict)  # engine, reference: accuracy on train, held_out
    peak_mib: dict[str, float | None] = field(default_factory=dict)
    probabilities: dict[str, list[float]] = field(default_factory=dict)  # engine, reference: on the held-out rows

    @property
    def table(self) -> pd.DataFrame:
        return pd.DataFrame(self.rows).set_index("epoch")

    def seconds_per_epoch(self) -> dict[str, float]:
        """Medians without the first epoch, which compiles."""
        later = self.table.iloc[1:] if len(self.rows) > 1 else self.table
        return {side: float(later[f"{side}_seconds"].median()) for side in ("engine", "reference")}

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"seconds_per_epoch": self.seconds_per_epoch()}


def compare(
    task: VoiceTask,
    epochs: int = 20,
    units: int = 64,
    batch_size: int = 32,
    learning_rate: float = 1e-3,
    dtype: str = "float32",
    seed: int = 0,
    control: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Comparison, le.Sequential]:
    """Trains the engine and Keras side by side, and returns the comparison with the engine's trained model.

    With `control`, a second Keras whose initial weights are changed by one float32 rounding (6e-8 of each) takes the engine's
    place: the distance of Keras from itself. progress(done, epochs) is called after each epoch.
    """
    settings = {"units": units, "learning_rate": learning_rate, "seed": seed, "dtype": dtype}
    train, held_out = task.train, task.held_out
    data = (task.inputs(train), train.labels, task.inputs(held_out), held_out.labels)
    start = voice_model(**settings)
    start.build(data[0].shape[1:])
    initial = start.get_weights()
    moved = [w * (1 + np.float32(6e-8) * np.sign(w)) for w in initial] if control else initial
    sides = {"engine": (KerasSide if control else EngineSide, moved), "reference": (KerasSide, initial)}
    own_process = multiprocessing.get_context("spawn")
    pools = {name: ProcessPoolExecutor(1, own_process) for name in sides}
    try:
        with set_apart():
            starting = [pools[s].submit(_start, kind, settings, data, weights) for s, (kind, weights) in sides.items()]
        for started in starting:
            started.result()
        name = pools["reference"].submit(_reference_name).result()
        result = Comparison(seed, f"{name}, from weights moved by 6e-8" if control else name, settings)
        last: dict[str, Epoch] = {}
        for epoch, order in enumerate(batches(len(train), batch_size, epochs, seed)):
            for side in sides:
                last[side] = pools[side].submit(_epoch, order).result()
            result.rows.append({"epoch": epoch + 1} | _row(last["engine"], last["reference"]))
            if progress:
                progress(epoch + 1, epochs)
        result.peak_mib = {side: pools[side].submit(_peak_mib).result() for side in sides}
    finally:
        shut(pools.values())
    labels, answers = {"train": train.labels, "held_out": held_out.labels}, {}
    for side, state in last.items():
        answers[side] = {"train": state.p_train > 0.5, "held_out": state.p_held_out > 0.5}
        result.final[side] = {part: float(np.mean(answers[side][part] == y)) for part, y in labels.items()}
        result.scores[side] = classification(held_out.labels, state.p_held_out, held_out.speakers)
        result.probabilities[side] = state.p_held_out.tolist()
    result.agreement = {p: float(np.mean(answers["engine"][p] == answers["reference"][p])) for p in labels}
    start.set_weights(last["engine"].weights)
    return result, start


def _row(engine: Epoch, reference: Epoch) -> dict[str, float]:
    numbers = ("loss", "accuracy", "val_loss", "val_accuracy", "seconds")
    row = {f"{side}_{n}": getattr(e, n) for n in numbers for side, e in (("engine", engine), ("reference", reference))}
    pairs = zip(engine.weights, reference.weights, strict=True)
    row["weight_difference"] = float(max(np.abs(a - b).max() for a, b in pairs))
    row["prediction_difference"] = float(np.abs(engine.p_held_out - reference.p_held_out).max())
    row["agreement"] = float(np.mean((engine.p_held_out > 0.5) == (reference.p_held_out > 0.5)))
    return row


# This part runs in the process of one side, which is kept between calls.

_side: EngineSide


def _start(kind: type[EngineSide], settings: dict[str, Any], data: Any, weights: list[np.ndarray]) -> None:
    global _side
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which ends this process
    _side = kind(settings, data, weights)


def _epoch(order: Batches) -> Epoch:
    return _side.epoch(order)


def _reference_name() -> str:
    import keras

    return f"Keras {keras.__version__} on {keras.backend.backend()}"


def _peak_mib() -> float | None:
    """The most memory this process ever held, imports included, in MiB; None where the system does not tell."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
    except OSError:
        if platform.system() != "Darwin":
            return None
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
