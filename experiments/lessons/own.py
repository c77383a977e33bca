"""For lesson 10: voices, and the same training around two LSTMs: the engine's, and a pair of functions that walk one.

The pair: forward(x, W, U, b, h0, c0) -> (outputs, cache) and backward(doutputs, cache) -> (dx, dW, dU, db, dh0, dc0), with x
(T, B, D) and outputs (T, B, H); what `lstm-engine assignment new` writes a starter for.
"""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import lstm_engine as le
from experiments.assignment.reading import module_from
from features.dataset import Scaler
from features.recipes import TUTORIAL, as_frames, with_index
from features.synth import RATE, draw_speaker, speak
from lstm_engine.backend import one_thread

UNITS = 12
NAMES = ("kernel", "recurrent_kernel", "bias")  # W, U, b


class Walk(NamedTuple):
    """The two functions of an LSTM, and whose they are."""

    forward: Callable[..., Any]
    backward: Callable[..., Any]
    whose: str


class Voices(NamedTuple):
    """Clips as 11 moments of 11 numbers, standardised; y is 1 for men. Nobody is in both parts."""

    x: np.ndarray  # (N, 11, 11)
    y: np.ndarray  # (N, 1)
    unseen_x: np.ndarray
    unseen_y: np.ndarray


@cache
def voices(speakers: int = 4, clips: int = 3) -> Voices:
    """Synthetic voices: so many women and as many men in each part, with so many clips of 1.5 s each."""
    rows = []
    for k in range(4 * speakers):
        sex, rng = ("female", "male")[k % 2], np.random.default_rng([10, k])
        speaker = draw_speaker(sex, f"{sex} {k}", rng)
        rows += [TUTORIAL.measure(speak(speaker, 1.5, rng), RATE)[0] for _ in range(clips)]  # (111,) each
    table = with_index(np.array(rows))  # (N, 112)
    half, y = len(rows) // 2, (np.arange(len(rows)) // clips % 2)[:, None].astype(float)
    x = as_frames(Scaler.fit(table[:half])(table))
    return Voices(x[:half], y[:half], x[half:], y[half:])


def model(seed: int = 0) -> le.Sequential:
    """The engine's network: an LSTM, and one unit that says male or female after the last step."""
    network = le.Sequential(
        [le.Input((None, 11)), le.LSTM(UNITS, name="lstm"), le.Dense(1, activation="sigmoid", name="answer")],
        seed=seed, dtype="float64",
    )  # fmt: skip
    network.compile(le.Adam(0.01), "binary_crossentropy")
    return network


def batches(count: int, size: int, of: int) -> Iterator[np.ndarray]:
    """Which of the clips are in each batch, (size,): the same for everybody."""
    rng = np.random.default_rng(0)
    for _ in range(count):
        yield rng.choice(of, size, replace=False)


class Learned(NamedTuple):
    """The loss at every step of a training, and the probabilities of the unseen voices afterwards."""

    losses: np.ndarray  # (steps,)
    p: np.ndarray  # (N, 1)


@one_thread()
def engine(data: Voices, steps: int) -> Learned:
    """Trained by the engine."""
    network = model()
    losses = [network.train_on_batch(data.x[k], data.y[k]) for k in batches(steps, 16, len(data.x))]
    return Learned(np.ravel(losses), network(data.unseen_x))


def by_hand(walk: Walk, data: Voices, steps: int) -> Learned:
    """Trained by the pair: the loss, its gradient and the last layer stand here, the optimizer is the engine's Adam."""
    weights = {name: w.copy() for name, w in model().weights.items()}
    W, U, b = (weights[f"lstm/{name}"] for name in NAMES)
    V, b_V = weights["answer/kernel"], weights["answer/bias"]  # (H, 1), (1,)
    adam, losses = le.Adam(0.01), []

    def answers(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, Any]:
        zeros = np.zeros((len(x), UNITS))
        outputs, cache = walk.forward(x.swapaxes(0, 1).copy(), W, U, b, zeros, zeros.copy())  # (T, B, H)
        return 1 / (1 + np.exp(-(outputs[-1] @ V + b_V))), outputs, cache  # (B, 1)

    for k in batches(steps, 16, len(data.x)):
        y = data.y[k]
        p, outputs, cache = answers(data.x[k])
        losses.append(-np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)))
        dz = (p - y) / len(y)  # (B, 1): of the loss with respect to what goes into the last σ
        doutputs = np.zeros_like(outputs)
        doutputs[-1] = dz @ V.T  # the loss hears the last step alone
        _, dW, dU, db, *_ = walk.backward(doutputs, cache)
        gradients = {"answer/kernel": outputs[-1].T @ dz, "answer/bias": dz.sum(axis=0)}
        gradients |= {f"lstm/{name}": np.array(g) for name, g in zip(NAMES, (dW, dU, db), strict=True)}
        adam.apply(weights, gradients, "numpy")
    return Learned(np.array(losses), answers(data.unseen_x)[0])


def from_file(path: str) -> Walk:
    """lstm_forward and lstm_backward of a learner's file. ValueError, with a sentence, for a file that has none or fails."""
    file = Path(path).expanduser()
    if not file.is_file():
        raise ValueError(f"There is no file {path}. lstm-engine assignment new DIR writes one for you to fill in.")
    if file.suffix != ".py":
        raise ValueError(f"{path} is no Python file: its name must end in .py.")
    try:
        module = module_from(file, "mine")
    except Exception as error:
        raise ValueError(f"{path} stops with {type(error).__name__}: {error}") from error
    if missing := [name for name in ("lstm_forward", "lstm_backward") if not hasattr(module, name)]:
        raise ValueError(f"{path} has no {' and no '.join(missing)}: keep the names of the starter.")
    return Walk(module.lstm_forward, module.lstm_backward, f"the functions in {file.name}")
