"""The task that every side computes: the shapes, a batch with its network, and what a step computes and moves.

A task is made anew, and alike, in every process.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

import lstm_engine as le
from lstm_engine.activations import Array

LEARNING_RATE = 1e-3
EPSILON = 1e-12  # Adam's, small: Keras and PyTorch add it in different places, and then are one algorithm


@dataclass(frozen=True)
class Shape:
    """One size of Sequential([LSTM(H), Dense(1, sigmoid)]) and its batch x (B, T, D), y (B, 1)."""

    name: str
    T: int
    D: int
    H: int
    B: int
    bidirectional: bool = False

    @property
    def directions(self) -> int:
        return 2 if self.bidirectional else 1

    def __str__(self) -> str:
        return f"{self.name} ({self.T}, {self.D}, {self.H}, {self.B})"


GRID = {
    shape.name: shape
    for shape in (
        Shape("tutorial", 112, 1, 64, 32),
        Shape("structured", 11, 11, 64, 32),
        Shape("frames", 266, 15, 128, 64),
        Shape("digits", 93, 13, 64, 64, bidirectional=True),
        Shape("mid", 112, 14, 128, 32),
        Shape("wide256", 112, 14, 256, 128),
        Shape("wide512", 112, 14, 512, 64),
        Shape("long", 1000, 2, 32, 32),
        Shape("single", 112, 1, 64, 1),
    )
}


def shape_words(shape: dict[str, Any]) -> str:
    """The name and the sizes of a shape in bench.json."""
    both = ", both ways" if shape["bidirectional"] else ""
    return f"{shape['name']} ({shape['T']}, {shape['D']}, {shape['H']}, {shape['B']}{both})"


def parse_shapes(names: str) -> list[Shape]:
    """Shapes from "tutorial,long", from sizes "112x1x64x32" (T, D, H, B), or from "all". ValueError for anything else."""
    shapes = []
    for name in GRID if names == "all" else map(str.strip, names.split(",")):
        sizes = name.split("x")
        if name in GRID:
            shapes.append(GRID[name])
        elif len(sizes) == 4 and all(size.isdecimal() and int(size) > 0 for size in sizes):
            shapes.append(Shape(name, *map(int, sizes)))
        else:
            raise ValueError(
                f"a shape is one of {', '.join(GRID)}, or TxDxHxB as in 112x1x64x32 (steps, features, units, batch), "
                f"got {name!r}"
            )
    return shapes


EPOCH, EPOCH_FLOPS = 16, 2e10  # an epoch has so many batches, or so much arithmetic


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

    def epoch(self) -> tuple[Array, Array, int]:
        """x and y for an epoch of `fit`, the batch so many times over, and how often: less of a large shape."""
        steps = max(2, min(EPOCH, round(EPOCH_FLOPS / training_flops(self.shape))))
        return np.tile(self.x, (steps, 1, 1)), np.tile(self.y, (steps, 1)), steps


# -- what a step computes and moves: the two sides of a roofline ------------------------------------------------------------

# Counted are the matrix products; gates and Adam are some percent on top at H=64 and vanish beyond. A first layer hands no
# gradient to its input, so none is counted, whoever computes it.
FLOAT = 4  # bytes of a float32


def parameters(shape: Shape) -> int:
    """Numbers in W (D, 4H), U (H, 4H), b (4H,) of every direction, and in the Dense layer's (H, 1) and (1,)."""
    D, H, directions = shape.D, shape.H, shape.directions
    return directions * 4 * H * (D + H + 1) + directions * H + 1


def forward_flops(shape: Shape) -> int:
    """A multiply and an add for each number of z = xW + h'U at every step, and for the Dense layer's product."""
    T, D, H, B, directions = shape.T, shape.D, shape.H, shape.B, shape.directions
    return 2 * directions * (T * B * (D + H) * 4 * H + B * H)


def training_flops(shape: Shape) -> int:
    """Forward; δh' = δz Uᵀ; δW = Σ xᵀδz and δU = Σ h'ᵀδz; and the Dense layer's two products backward."""
    T, D, H, B, directions = shape.T, shape.D, shape.H, shape.B, shape.directions
    back = T * B * 4 * H * H + B * H
    weights = T * B * (D + H) * 4 * H + B * H
    return forward_flops(shape) + 2 * directions * (back + weights)


def forward_bytes(shape: Shape) -> int:
    """x and the weights are read once; states stay in cache."""
    return FLOAT * (shape.T * shape.B * shape.D * shape.directions + parameters(shape))


def training_bytes(shape: Shape) -> int:
    """What moves when every array of a step is written once and read once, and weights stay in cache between.

    Forward reads x and writes gates, c, tanh(c) and h; backward reads gates, c and tanh(c) and writes δz; the weight
    gradients read x, h and δz. Weights are read forward and backward and their gradients written; Adam reads gradient,
    two moments and weight, and writes moments and weight.
    """
    T, D, H, B = shape.T, shape.D, shape.H, shape.B
    of_a_step = 2 * D + 2 * 4 * H + 2 * 3 * H + 2 * 4 * H  # x twice; gates; c, tanh(c) and h; δz
    return FLOAT * (shape.directions * T * B * of_a_step + 10 * parameters(shape))
