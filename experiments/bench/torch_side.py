"""PyTorch's nn.LSTM as a side."""

import torch
from torch import nn

from experiments.bench.sides import Way
from experiments.bench.task import EPSILON, LEARNING_RATE, Task
from lstm_engine.interchange import to_torch

ADAMS = {"fused": {"fused": True}, "foreach": {"foreach": True}, "for-loop": {"foreach": False}}


class TorchNetwork(nn.Module):
    """nn.LSTM, its last state into nn.Linear: x (T, B, D), time-major as it computes, to logits (B, 1)."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        shape = task.shape
        self.lstm = nn.LSTM(shape.D, shape.H, bidirectional=shape.bidirectional)
        self.dense = nn.Linear(shape.directions * shape.H, 1)
        model = task.model()
        state = to_torch(model, {model.layers[0].name: "lstm"})
        self.load_state_dict({name: torch.from_numpy(a) for name, a in state.items()})
        for name, weight in self.lstm.named_parameters():
            weight.requires_grad_("bias_hh" not in name)  # zero; trained too, it would double the steps of the one bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        _, (h_T, _) = self.lstm(x)  # (directions, B, H)
        return self.dense(torch.cat(tuple(h_T), dim=-1) if self.lstm.bidirectional else h_T[0])


class TorchSide:
    """Training: the usual loop, with the fastest of Adam's three implementations. Inference: eager, or traced and frozen.

    Denormals count as zero, as in the engine: over a thousand steps gradients vanish to them, and PyTorch takes four times
    as long by default. Set before there are threads, which inherit it.
    """

    def __init__(self, task: Task) -> None:
        torch.set_flush_denormal(True)
        self.task = task
        self.x, self.y = torch.from_numpy(task.x).transpose(0, 1).contiguous(), torch.from_numpy(task.y)

    def train(self) -> dict[str, Way]:
        return {f"Adam {name}": self._training(options) for name, options in ADAMS.items()}

    def _training(self, options: dict[str, bool]) -> Way:
        network, x, y = TorchNetwork(self.task), self.x, self.y
        adam = torch.optim.Adam(network.parameters(), LEARNING_RATE, eps=EPSILON, **options)

        def step() -> torch.Tensor:
            adam.zero_grad(set_to_none=True)
            loss = nn.functional.binary_cross_entropy_with_logits(network(x), y)
            loss.backward()
            adam.step()
            return loss.detach()

        return Way(step, step)

    def infer(self) -> dict[str, Way]:
        eager = nn.Sequential(TorchNetwork(self.task), nn.Sigmoid()).eval()
        traced = torch.jit.freeze(torch.jit.trace(eager, self.x))
        return {"eager": self._inference(eager), "traced": self._inference(traced)}

    def _inference(self, network: nn.Module) -> Way:
        @torch.inference_mode()
        def predict() -> torch.Tensor:
            return network(self.x)

        return Way(predict, predict)
