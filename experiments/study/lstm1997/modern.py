"""The modern network: the engine's LSTM with forget gates, whole gradients by its compiled kernels, and Adam.

In 2a its memory is added late: the outputs are connected to the inputs directly, and for some sequences to nothing else.
Hochreiter & Schmidhuber 1997, experiments 2a and 2b: all layers receive all layers below, and the memory cell is "added once
the error has stopped decreasing". The network first learns, without memory, what the last symbol says about the next one. So
no unit is used for that, and only those errors are left that need memory.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

import lstm_engine as le
from experiments.study.goals import Learner
from experiments.study.networks import EngineNetwork, Learning, chrono_bias
from experiments.study.tasks import Sequences, Task
from lstm_engine.activations import Array
from lstm_engine.checks import Shape
from lstm_engine.layer import Backward, Forward
from lstm_engine.recurrent import Recurrent
from lstm_engine.wrappers import Wrapper


@dataclass(frozen=True)
class HeadStart:
    """How the outputs learn from the inputs alone: for so many sequences, by Adam at this rate."""

    sequences: int = 2_000
    rate: float = 0.1


@dataclass(frozen=True)
class Modern:
    """Settings. memory: the longest lag that the forget gates' biases are drawn for (chrono initialisation).

    forget_bias: the bias of all of them instead, as in Keras (1); ValueError where it is not finite. head_start: the outputs
    are also connected to the inputs, and at first to nothing else.
    """

    memory: int
    units: int = 16
    learning: Learning = field(default_factory=Learning)
    forget_bias: float | None = None
    head_start: HeadStart | None = None

    def __post_init__(self) -> None:
        if self.forget_bias is not None and not np.isfinite(self.forget_bias):
            raise ValueError(f"the forget gates' bias must be a finite number, got {self.forget_bias}")

    @property
    def words(self) -> str:
        added = f" beside the inputs, after {self.head_start.sequences:,} sequences" if self.head_start else ""
        learning = self.learning
        steps = f", batches of {learning.batch_size} at a rate of {learning.rate:g}" if learning != Learning() else ""
        return f"{self.units} units{added}{steps}"

    def network(self, task: Task, seed: int) -> Learner:
        lstm = le.LSTM(self.units, return_sequences=task.per_step)
        network = EngineNetwork(BesideInput(lstm) if self.head_start else lstm, task, self.learning, seed)
        bias = lstm.weights["bias"]
        if self.forget_bias is None:
            bias[:] = chrono_bias(self.units, self.memory, np.random.default_rng([seed, 1]))
        else:
            bias[self.units : 2 * self.units] = self.forget_bias
        if self.head_start is None:
            return network
        alone = EngineNetwork(None, task, replace(self.learning, rate=self.head_start.rate), seed)
        return LateMemory(alone, network, self.head_start.sequences)


class BesideInput(Wrapper):
    """(N, T, D) -> (N, T, units + D): at every step the output of the recurrent layer, and then the input x."""

    def __init__(self, layer: Recurrent, **general: Any) -> None:
        if not layer.return_sequences:
            raise ValueError(
                "the inputs of all steps are put beside the outputs of all steps: give the layer return_sequences=True"
            )
        super().__init__(**general)
        self.layer = layer

    @property
    def parts(self) -> dict[str, Any]:
        return {"": self.layer}

    def output_shape(self, input_shape: Shape) -> Shape:
        *steps, units = self.layer.output_shape(input_shape)
        return (*steps, units + input_shape[-1])

    def forward(
        self, x: Array, training: bool = False, mask: Array | None = None, initial_state: Any = None, taped: bool = True
    ) -> Forward:
        h, states, tape = self.layer.forward(x, training, mask, initial_state, taped)
        return np.concatenate((h, x), axis=-1), states, tape

    def backward(self, tape: Any, dy: Array, dstates: list[Array] | None = None, want_dx: bool = True) -> Backward:
        dh, dx_beside = np.split(dy, [self.layer.units], axis=-1)
        dx, dh0, gradients = self.layer.backward(tape, np.ascontiguousarray(dh), dstates, want_dx)
        return dx + dx_beside if want_dx else None, dh0, gradients


class LateMemory:
    """A `goals.Learner`: `alone`, outputs without memory, for so many sequences; then `whole`, which continues from it.

    whole is BesideInput and the same outputs; their biases and their weights on the inputs are then those of alone.
    """

    def __init__(self, alone: EngineNetwork, whole: EngineNetwork, sequences: int) -> None:
        self.now, self.whole, self.left, self.batch_size = alone, whole, sequences, whole.batch_size

    def learn(self, batch: Sequences) -> np.ndarray:
        if self.left <= 0 and self.now is not self.whole:
            self._add_memory()
        self.left -= len(batch)
        return self.now.learn(batch)

    def answer(self, drawn: Sequences) -> np.ndarray:
        return self.now.answer(drawn)

    def count_params(self) -> int:
        return self.whole.count_params()

    def _add_memory(self) -> None:
        learnt, head = self.now.model.layers[-1].weights, self.whole.model.layers[-1].weights
        head["kernel"][-len(learnt["kernel"]) :] = learnt["kernel"]  # (D, K); above it are the units' (units, K)
        head["bias"][:] = learnt["bias"]
        self.now = self.whole
