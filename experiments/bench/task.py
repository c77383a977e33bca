"""The task that every side computes: one batch, and one network with its initial weights and its training.

Made anew, and alike, in every process.
"""

from dataclasses import dataclass

import numpy as np

import lstm_engine as le
from experiments.bench.shapes import Shape
from lstm_engine.activations import Array

LEARNING_RATE = 1e-3
EPSILON = 1e-12  # Adam's, small: Keras and PyTorch add it in different places, and then are one algorithm


@dataclass
class Task:
    """x (B, T, D) of N(0, 1) and y (B, 1) of 0 and 1, float32, and the engine's model for them."""

    shape: Shape
    x: Array
    y: Array

    @classmethod
    def of(cls, shape: Shape) -> "Task":
        rng = np.random.default_rng(0)
        x = rng.standard_normal((shape.B, shape.T, shape.D), dtype="float32")
        return cls(shape, x, rng.integers(0, 2, (shape.B, 1)).astype("float32"))

    def model(self, backend: str = "numpy") -> le.Sequential:
        """Built and compiled; the same weights whenever it is called."""
        lstm = le.LSTM(self.shape.H)
        layers = [le.Bidirectional(lstm) if self.shape.bidirectional else lstm, le.Dense(1, activation="sigmoid")]
        model = le.Sequential(layers, seed=0, backend=backend)
        model.compile(le.Adam(LEARNING_RATE, epsilon=EPSILON), "binary_crossentropy")
        model.build((self.shape.T, self.shape.D))
        return model
