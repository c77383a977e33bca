"""The engine as a side, with backend="numpy" as plain NumPy; and onnxruntime with the engine's exported model."""

from __future__ import annotations  # a commit of long ago has no Model

import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

import lstm_engine as le
from experiments.bench.sides import Way, by_verbs
from experiments.bench.task import Task
from lstm_engine.activations import Array
from lstm_engine.interchange import export_onnx


class EngineSide:
    """Training: `train_on_batch`, or an epoch of `fit`. Inference: the faster of the model called on x, and `predict`."""

    def __init__(self, task: Task, backend: str) -> None:
        self.task, self.backend = task, backend

    def train(self) -> dict[str, Way]:
        one, many = self.task.model(self.backend), self.task.model(self.backend)
        return by_verbs(self.task, one, many, self.task.x, self.task.y)

    def infer(self) -> dict[str, Way]:
        model, x = self.task.model(self.backend), self.task.x
        call, predict = partial(model, x), partial(model.predict, x, batch_size=len(x), verbose=0)
        return {"model(x)": Way(call, call), "predict": Way(predict, predict)}

    def stream(self) -> dict[str, Way]:
        step = self.task.model(self.backend).stream(len(self.task.x)).step
        return {"stream": stepwise(step, self.task.x)}


def stepwise(step: Callable[[Array], Any], x: Array) -> Way:
    """A call takes the steps of x (B, T, D) one after another; checks take its first ones."""
    steps = list(np.ascontiguousarray(x.swapaxes(0, 1)))  # T of (B, D)
    ahead = cycle(steps)

    def call() -> None:
        for x_t in steps:
            step(x_t)

    return Way(call, lambda: step(next(ahead)), len(steps))


class OnnxSide:
    """A session with default options; the faster of `run`, and `run_with_iobinding` on arrays bound once.

    For single steps the graph takes the states and hands them out.
    """

    def __init__(self, task: Task) -> None:
        self.task = task

    def infer(self) -> dict[str, Way]:
        session = session_of(self.task.model())
        feed, binding = {"x": self.task.x}, session.io_binding()
        binding.bind_cpu_input("x", self.task.x)
        binding.bind_output("y")

        def run():
            return session.run(None, feed)[0]

        def bound():
            session.run_with_iobinding(binding)
            return binding.get_outputs()[0]

        return {"run": Way(run, run), "io binding": Way(bound, lambda: bound().numpy())}

    def stream(self) -> dict[str, Way]:
        session = session_of(with_states(self.task))
        run, bound = OnnxStream(session, self.task), BoundOnnxStream(session, self.task)
        return {"run": stepwise(run.step, self.task.x), "io binding": stepwise(bound.step, self.task.x)}


def session_of(model: le.Model | le.Sequential) -> Any:
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        export_onnx(model, Path(folder) / "model.onnx")
        return onnxruntime.InferenceSession(Path(folder) / "model.onnx", providers=["CPUExecutionProvider"])


def with_states(task: Task) -> le.Model:
    """The task's network as a model of x, h' and c' with the outputs p, h and c."""
    D, H = task.shape.D, task.shape.H
    x, h, c = le.Input((None, D), name="x"), le.Input((H,), name="h"), le.Input((H,), name="c")
    y, h_T, c_T = le.LSTM(H, return_state=True)(x, initial_state=[h, c])
    model = le.Model([x, h, c], [le.Dense(1, activation="sigmoid")(y), h_T, c_T])
    model.set_weights(task.model().get_weights())
    return model


class OnnxStream:
    """One call of `run` a step; the states go through Python."""

    def __init__(self, session: Any, task: Task) -> None:
        self.session = session
        self.states = [np.zeros((len(task.x), task.shape.H), "float32")] * 2

    def step(self, x: Array) -> Array:
        h, c = self.states
        p, *self.states = self.session.run(None, {"x": x[:, None], "h": h, "c": c})
        return p


class BoundOnnxStream:
    """One call of `run_with_iobinding` a step; states stay in two sets of arrays, each written from the other in turn."""

    def __init__(self, session: Any, task: Task) -> None:
        B, H = len(task.x), task.shape.H
        self.session = session
        self.x, self.p = np.empty((B, 1, task.shape.D), "float32"), np.empty((B, 1), "float32")
        self.sets = [np.zeros((2, B, H), "float32") for _ in range(2)]  # of h and c
        outputs = [output.name for output in session.get_outputs()]
        self.ahead = cycle([self._binding(*self.sets, outputs), self._binding(*self.sets[::-1], outputs)])

    def _binding(self, before: Array, after: Array, outputs: Sequence[str]) -> Any:
        binding = self.session.io_binding()
        for name, array in zip(("x", "h", "c"), (self.x, *before), strict=True):
            binding.bind_input(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
        for name, array in zip(outputs, (self.p, *after), strict=True):
            binding.bind_output(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
        return binding

    def step(self, x: Array) -> Array:
        self.x[:, 0] = x
        self.session.run_with_iobinding(next(self.ahead))
        return self.p
