"""Keras as a side, on the backend that KERAS_BACKEND names."""

from functools import partial
from typing import Any

from experiments.bench.sides import Way, by_verbs
from experiments.bench.task import Task
from experiments.beside_keras.twins import import_keras, to_keras


class KerasSide:
    """Training: `train_on_batch`, or an epoch of `fit`. Inference: `predict_on_batch`, or a compiled call."""

    def __init__(self, task: Task) -> None:
        self.task, self.keras = task, import_keras()
        self.x, self.y = (self.keras.ops.convert_to_tensor(a) for a in (task.x, task.y))

    def train(self) -> dict[str, Way]:
        return by_verbs(self.task, to_keras(self.task.model()), to_keras(self.task.model()), self.x, self.y)

    def infer(self) -> dict[str, Way]:
        on_batch = partial(to_keras(self.task.model()).predict_on_batch, self.x)
        call = self._compiled_call(to_keras(self.task.model()))  # Keras's own functions consume the weights they hold
        return {"predict_on_batch": Way(on_batch, on_batch), "compiled call": Way(call, call)}

    def _compiled_call(self, model: Any) -> Any:
        """The model as its backend's users would deploy it, without Keras around the call."""
        match self.keras.backend.backend():
            case "jax":
                import jax

                weights = [[v.value for v in vs] for vs in (model.trainable_variables, model.non_trainable_variables)]
                forward = jax.jit(lambda x: model.stateless_call(*weights, x, training=False)[0])
                return lambda: forward(self.x).block_until_ready()
            case "tensorflow":
                import tensorflow

                forward = tensorflow.function(lambda x: model(x, training=False))
                return lambda: forward(self.x)
            case "torch":
                import torch

                return torch.inference_mode()(lambda: model(self.x, training=False))
        raise ValueError(f"Keras's backend must be jax, tensorflow or torch, got {self.keras.backend.backend()!r}")
