"""onnxruntime as a side: inference of the engine's exported model."""

import tempfile
from pathlib import Path

import onnxruntime

from experiments.bench.sides import Way
from experiments.bench.task import Task
from lstm_engine.interchange import export_onnx


class OnnxSide:
    """A session of its own defaults; the faster of `run`, and `run_with_iobinding` on arrays bound once."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def infer(self) -> dict[str, Way]:
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
