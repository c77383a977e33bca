"""A library's first training step in a new process: `python -P first_step.py LIBRARY T D H B`.

Prints JSON: the seconds of importing, of building the model with its first step, of a later step, and the clock at the end
of the first. A separate script: other imports would be timed too.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np


def engine(T: int, D: int, H: int) -> tuple[float, Callable[[Any, Any], Any]]:
    import lstm_engine as le

    imported = time.perf_counter()
    model = le.Sequential([le.LSTM(H), le.Dense(1, activation="sigmoid")])
    model.compile("adam", "binary_crossentropy")
    return imported, model.train_on_batch


def keras(T: int, D: int, H: int) -> tuple[float, Callable[[Any, Any], Any]]:
    import keras

    imported = time.perf_counter()
    model = keras.Sequential([keras.Input((T, D)), keras.layers.LSTM(H), keras.layers.Dense(1, activation="sigmoid")])
    model.compile("adam", "binary_crossentropy")
    return imported, model.train_on_batch


def torch(T: int, D: int, H: int) -> tuple[float, Callable[[Any, Any], Any]]:
    import torch
    from torch import nn

    imported = time.perf_counter()
    lstm, dense = nn.LSTM(D, H, batch_first=True), nn.Linear(H, 1)
    adam = torch.optim.Adam([*lstm.parameters(), *dense.parameters()])

    def step(x: Any, y: Any) -> float:
        adam.zero_grad()
        _, (h_T, _) = lstm(torch.from_numpy(x))
        loss = nn.functional.binary_cross_entropy_with_logits(dense(h_T[0]), torch.from_numpy(y))
        loss.backward()
        adam.step()
        return float(loss)

    return imported, step


def main(library: str, T: int, D: int, H: int, B: int) -> None:
    """Takes the steps and prints what they took."""
    started = time.perf_counter()
    imported, step = {"engine": engine, "keras": keras, "torch": torch}[library](T, D, H)
    x, y = np.ones((B, T, D), "float32"), np.ones((B, 1), "float32")
    step(x, y)
    first, clock = time.perf_counter(), time.time()
    later = []
    for _ in range(5):
        begun = time.perf_counter()
        step(x, y)
        later.append(time.perf_counter() - begun)
    took = {"import": imported - started, "first_step": first - imported, "later_step": sorted(later)[2]}
    print(json.dumps(took | {"clock": clock}))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
