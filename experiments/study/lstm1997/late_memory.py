"""Memory that is added late: the outputs are connected to the inputs directly, and for some sequences to nothing else.

Hochreiter & Schmidhuber 1997, experiments 2a and 2b: all layers receive all layers below, and the memory cell is "added once
the error has stopped decreasing". The network first learns, without memory, what the last symbol says about the next one. So
no unit is used for that, and only those errors are left that need memory.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.study.networks import EngineNetwork
from experiments.study.tasks import Sequences
from lstm_engine.activations import Array
from lstm_engine.checks import Shape
from lstm_engine.layers import Backward, Forward
from lstm_engine.recurrent import Recurrent
from lstm_engine.wrappers import Wrapper


@dataclass(frozen=True)
class HeadStart:
    """How the outputs learn from the inputs alone: for so many sequences, by Adam at this rate."""

    sequences: int = 2_000
    rate: float = 0.1


class BesideInput(Wrapper, abstract=True):
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
    """A `goals.Network`: `alone`, outputs without memory, for so many sequences; then `whole`, which continues from it.

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
