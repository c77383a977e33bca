"""A cell, then Dense with the task's head: trained by whole gradients and Adam, as `networks.EngineNetwork` is.

All cells start from the same numbers: those of V with this seed, without the parts that a cell does not have. Peepholes and
full gate recurrence start at 0, so V, NP and FGR are the same function before they learn. The biases start by the lag that a
task may have (`networks.chrono_bias`), b_f = log u and b_i = -b_f. A cell with one of the two gates has this gate's bias;
CIFG has b_i, and f = 1 - i then has b_f by itself.
"""

import numpy as np

import lstm_engine as le
from experiments.study.networks import AT_ONCE, Learning, chrono_bias
from experiments.study.tasks import Sequences, Task
from experiments.study.variants.cells import CELLS
from experiments.study.variants.through_time import Tape, Weights, backward, forward
from lstm_engine import initializers
from lstm_engine.backend import one_thread_pool
from lstm_engine.network import Batch


class VariantNetwork:
    """A `goals.Learner`, float64. memory: the longest lag that the biases are drawn for.

    ValueError for an unknown variant, and for a task that asks at every step.
    """

    def __init__(self, variant: str, task: Task, learning: Learning, seed: int, units: int, memory: int) -> None:
        if variant not in CELLS:
            raise ValueError(f"there is no variant {variant!r}: choose from {', '.join(CELLS)}")
        if task.per_step:
            raise ValueError(f"the variants answer at the end of a sequence; {task.name} asks at every step")
        self.cell, self.units, self.batch_size = CELLS[variant], units, learning.batch_size
        self.cell_weights = initial_weights(variant, task.features, units, memory, seed)
        head = le.Dense(task.outputs, activation=task.head)
        self.head = le.Sequential([le.Input((units,)), head], seed=seed, dtype="float64")
        self.head.compile(learning.optimizer(), task.loss)

    @property
    def weights(self) -> Weights:
        return self.cell_weights | self.head.weights

    def learn(self, batch: Sequences) -> np.ndarray:
        """The answers from before the step, which goes down the gradient."""
        with one_thread_pool({"numba"}):
            p, gradients = self.gradients(batch)
            self.head.optimizer.apply(self.weights, gradients, "numba")
        return p

    def gradients(self, batch: Sequences) -> tuple[np.ndarray, Weights]:
        """The answers (n, K), and the loss's gradient by the names of `weights`."""
        tape = self._run(batch)
        forward_pass = self.head.forward_pass(Batch(tape.h[-1], batch.y.astype(float)), training=True)
        head = self.head.backward_pass(forward_pass)
        dh = np.zeros_like(tape.h)
        dh[-1] = head.x
        cell, _ = backward(self.cell, self.cell_weights, tape, dh, np.zeros_like(dh[0]), fast=True)
        return forward_pass.p, cell | head.weights

    def answer(self, drawn: Sequences) -> np.ndarray:
        parts = [drawn.take(slice(start, start + AT_ONCE)) for start in range(0, len(drawn), AT_ONCE)]
        return np.concatenate([self.head(self._run(part).h[-1]) for part in parts])

    def _run(self, batch: Sequences) -> Tape:
        x, zeros = np.swapaxes(batch.x, 0, 1).astype(float), np.zeros((len(batch), self.units))
        return forward(self.cell, self.cell_weights, x, zeros, zeros, batch.mask.T, fast=True)

    def count_params(self) -> int:
        return sum(w.size for w in self.weights.values())


def count_weights(variant: str, D: int, H: int, K: int) -> int:
    """How many weights a network of D inputs, H units and K outputs has: in W, U and b, in p, in R, and in Dense."""
    cell = CELLS[variant]
    gates = len(cell.heard) - 1
    return len(cell.parts) * H * (D + H + 1) + len(cell.peepholes) * H + (gates * H) ** 2 + K * (H + 1)


def initial_weights(variant: str, D: int, H: int, memory: int, seed: int) -> Weights:
    """V's kernels, Glorot-uniform (D, 4H) and orthogonal (H, 4H), and its biases; only the parts that the cell has."""
    cell, rng = CELLS[variant], np.random.default_rng([seed, 0])
    whole = {
        "W": initializers.get("glorot_uniform").draw((D, 4 * H), rng),
        "U": initializers.get("orthogonal").draw((H, 4 * H), rng),
    }
    whole["b"] = chrono_bias(H, memory, np.random.default_rng([seed, 1]))
    columns = ["ifgo".index(part) for part in cell.parts]
    w = {name: np.concatenate([np.split(a, 4, axis=-1)[k] for k in columns], axis=-1) for name, a in whole.items()}
    w = {name: np.ascontiguousarray(a) for name, a in w.items()}  # Adam changes them in place
    w["p"] = np.zeros(len(cell.peepholes) * H)
    return w | ({"R": np.zeros((3 * H, 3 * H))} if variant == "FGR" else {})
