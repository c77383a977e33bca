"""The engine as a side; with backend="numpy" its readable half, which is what plain NumPy can do."""

from experiments.bench.sides import Way
from experiments.bench.task import Task


class EngineSide:
    """Training: `train_on_batch`. Inference: the faster of the model called on x, and `predict`."""

    def __init__(self, task: Task, backend: str) -> None:
        self.task, self.backend = task, backend

    def train(self) -> dict[str, Way]:
        model, x, y = self.task.model(self.backend), self.task.x, self.task.y

        def step() -> float:
            return model.train_on_batch(x, y)

        return {"train_on_batch": Way(step, step)}

    def infer(self) -> dict[str, Way]:
        model, x = self.task.model(self.backend), self.task.x

        def predict():
            return model.predict(x, batch_size=len(x), verbose=0)

        return {"model(x)": Way(lambda: model(x), lambda: model(x)), "predict": Way(predict, predict)}
