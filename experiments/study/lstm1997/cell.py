"""The cell of 1997: no forget gate, memory cells in blocks that share gates, a truncated gradient; learning is online.

Hochreiter & Schmidhuber 1997, section 4 and appendix A.1. J blocks of S cells have J input gates, J output gates and
C = J S cells. All N = 2 J + C of them, gates too, are hidden units y, and each receives all of them at the next step:

    z = xW + y'U + b        i, o = σ(z_in), σ(z_out)      one of each a block
    g = 4σ(z_c) - 2         c = c' + i∘g                  the state carries errors back through all steps, unchanged
    h = 2σ(c) - 1           y = (i, o, o∘h)               p = σ(y_c V + a), from the cells alone

Errors that arrive at a z change the weights there and stop: ∂z/∂y' is taken to be 0. Then a state's error is the sum of the
errors of this and all later steps, so `truncated_backward` has no loop.
Arrays here are those of one sequence; float64.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

import lstm_engine as le
from experiments.study.tasks import Sequences, Task
from lstm_engine.initializers import RandomUniform
from lstm_engine.kernels.disk_cache import kernel


class Tape(NamedTuple):
    """What the backward pass reads; slot 0 is before the first step."""

    y: np.ndarray  # (T + 1, N): input gates, output gates, cells
    c: np.ndarray  # (T + 1, C)
    g: np.ndarray  # (T, C)


def forward(z_x: np.ndarray, U: np.ndarray, J: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The tape's arrays from z_x = xW + b (T, N) and U (N, N). NumPy that Numba can compile."""
    T, N = z_x.shape
    C = N - 2 * J
    block = np.arange(C) // (C // J)  # (C,): whose gates a cell has
    y, c, g = np.zeros((T + 1, N), U.dtype), np.zeros((T + 1, C), U.dtype), np.zeros((T, C), U.dtype)
    for t in range(T):
        z = z_x[t] + np.dot(y[t], U)  # (N,)
        gates = 0.5 * (1 + np.tanh(0.5 * z[: 2 * J]))
        i, o = gates[:J], gates[J:]
        g[t] = 2 * np.tanh(0.5 * z[2 * J :])
        c[t + 1] = c[t] + i[block] * g[t]
        y[t + 1, : 2 * J] = gates
        y[t + 1, 2 * J :] = o[block] * np.tanh(0.5 * c[t + 1])
    return y, c, g


compiled_forward = kernel()(forward)


def truncated_backward(tape: Tape, dy_c: np.ndarray, J: int) -> np.ndarray:
    """(T, N): δz, from dy_c (T, C), the errors of the cells' outputs.

    δc = Σ over this and all later steps of δy∘o∘h'(c)      δz = (Σ δc∘g i(1-i), Σ δy∘h o(1-o), δc∘i∘g'), Σ over a block
    """
    C = tape.g.shape[1]
    i, o = tape.y[1:, :J], tape.y[1:, J : 2 * J]  # (T, J)
    i_c, o_c, h = np.repeat(i, C // J, axis=1), np.repeat(o, C // J, axis=1), np.tanh(0.5 * tape.c[1:])  # (T, C)
    dc = np.cumsum((dy_c * o_c * 0.5 * (1 - h * h))[::-1], axis=0)[::-1]
    di, do = (d.reshape(-1, J, C // J).sum(axis=2) for d in (dc * tape.g, dy_c * h))
    return np.concatenate([di * i * (1 - i), do * o * (1 - o), dc * i_c * (1 - 0.25 * tape.g**2)], axis=1)


@dataclass(frozen=True)
class Cell1997:
    """Settings. in_biases: of each block's input gate, below 0 so that the blocks come into use one after the other."""

    blocks: int
    size: int
    learning_rate: float
    in_biases: tuple[float, ...]
    reach: float = 0.1  # initial weights are drawn from -reach to reach

    def __post_init__(self) -> None:
        if len(self.in_biases) != self.blocks:
            raise ValueError(f"in_biases has one number a block: {self.blocks}, got {self.in_biases}")

    @property
    def words(self) -> str:
        return f"{self.blocks} blocks of {self.size}"

    def network(self, task: Task, seed: int) -> "Network1997":
        return Network1997(task, self, seed)


class Network1997:
    """Answers at the end of a sequence; learns by ½ Σ (p - y)² and stochastic gradient descent, a sequence a step."""

    batch_size = 1

    def __init__(self, task: Task, settings: Cell1997, seed: int) -> None:
        if task.per_step:
            raise ValueError(f"the cell of 1997 answers at the end of a sequence; {task.name} asks at every step")
        self.J, C = settings.blocks, settings.blocks * settings.size
        N, rng, draw = 2 * self.J + C, np.random.default_rng(seed), RandomUniform(-settings.reach, settings.reach).draw
        shapes = {"W": (task.features, N), "U": (N, N), "b": (N,), "V": (C, task.outputs), "a": (task.outputs,)}
        self.weights = {name: draw(shape, rng) for name, shape in shapes.items()}
        self.weights["b"][: self.J] = settings.in_biases
        self.optimizer = le.SGD(settings.learning_rate)

    def learn(self, batch: Sequences) -> np.ndarray:
        (x,), (y,) = batch.as_list(), batch.y
        tape, p = self._run(x)
        self.optimizer.apply(self.weights, self.gradients(x, tape, p, y))
        return p[None]

    def gradients(self, x: np.ndarray, tape: Tape, p: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
        """Of ½ Σ (p - y)², truncated, by name."""
        y_c, dy_c = tape.y[-1, 2 * self.J :], np.zeros_like(tape.g)
        dz_out = (p - y) * p * (1 - p)  # (K,)
        dy_c[-1] = self.weights["V"] @ dz_out
        dz = truncated_backward(tape, dy_c, self.J)
        return {
            "W": x.T.astype(dz.dtype) @ dz,
            "U": tape.y[:-1].T @ dz,
            "b": dz.sum(axis=0),
            "V": np.outer(y_c, dz_out),
            "a": dz_out,
        }

    def answer(self, drawn: Sequences) -> np.ndarray:
        return np.stack([self._run(x)[1] for x in drawn.as_list()])

    def _run(self, x: np.ndarray) -> tuple[Tape, np.ndarray]:
        w = self.weights
        tape = Tape(*compiled_forward(x.astype(float) @ w["W"] + w["b"], w["U"], self.J))
        return tape, le.activations.sigmoid(tape.y[-1, 2 * self.J :] @ w["V"] + w["a"])

    def count_params(self) -> int:
        return sum(w.size for w in self.weights.values())
