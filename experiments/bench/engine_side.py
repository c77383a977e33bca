"""The engine as a side, with backend="numpy" as plain NumPy; and onnxruntime with the engine's exported model."""

import tempfile
from functools import partial
from pathlib import Path

from experiments.bench.sides import Way
from experiments.bench.task import Task
from lstm_engine.interchange import export_onnx


class EngineSide:
    """Training: `train_on_batch`. Inference: the faster of the model called on x, and `predict`."""

    def __init__(self, task: Task, backend: str) -> None:
        self.task, self.backend = task, backend

    def train(self) -> dict[str, Way]:
        step = partial(self.task.model(self.backend).train_on_batch, self.task.x, self.task.y)
        return {"train_on_batch": Way(step, step)}

    def infer(self) -> dict[str, Way]:
        model, x = self.task.model(self.backend), self.task.x
        call, predict = partial(model, x), partial(model.predict, x, batch_size=len(x), verbose=0)
        return {"model(x)": Way(call, call), "predict": Way(predict, predict)}


class OnnxSide:
    """A session with default options; the faster of `run`, and `run_with_iobinding` on arrays bound once."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def infer(self) -> dict[str, Way]:
        import onnxruntime

        with tempfile.TemporaryDirectory() as folder:
            export_onnx(self.task.model(), Path(folder) / "model.onnx")
            session = onnxruntime.InferenceSession(Path(folder) / "model.onnx", providers=["CPUExecutionProvider"])
        feed, binding = {"x": self.task.x}, session.io_binding()
        binding.bind_cpu_input("x", self.task.x)
        binding.bind_output("y")

        def run():
            return session.run(None, feed)[0]

        def bound():
            session.run_with_iobinding(binding)
            return binding.get_outputs()[0]

        return {"run": Way(run, run), "io binding": Way(bound, lambda: bound().numpy())}
