"""The sides of the benchmark: the packages that each needs, and the contract that all share.

A side is a class `Side(task)` with some of `train()`, `infer()` and `stream()`, which takes time steps one by one. Each
returns the ways of running one step, by name; the fastest way counts.
"""

import importlib
import importlib.util
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import packages_distributions, version
from typing import Any, NamedTuple


class Way(NamedTuple):
    """One way of running the same step: what is called in a burst, and how many steps a call takes.

    check makes one step and returns what is compared among sides: the loss before the step, or the predictions (B, 1).
    A limit of the machine has nothing to compare.
    """

    call: Callable[[], Any]
    check: Callable[[], Any] | None = None
    steps: int = 1


def by_verbs(task: Any, one: Any, many: Any, x: Any, y: Any) -> dict[str, Way]:
    """The two ways of training that the engine and Keras have, on a model each: `train_on_batch` of x and y, and `fit`."""
    X, Y, steps = task.epoch()

    def fit(x: Any, y: Any) -> float:
        return many.fit(x, y, batch_size=task.shape.B, shuffle=False, verbose=0).history["loss"][0]

    on_batch = partial(one.train_on_batch, x, y)
    return {
        "train_on_batch": Way(on_batch, on_batch),
        "fit": Way(partial(fit, X, Y), partial(fit, task.x, task.y), steps),
    }


@dataclass(frozen=True)
class Entry:
    """A side in the list: the place of its class, the modules that it needs, and the command that installs them."""

    title: str
    place: str  # "module:Class"
    modules: tuple[str, ...] = ()
    install: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)  # of the class
    environment: Mapping[str, str] = field(default_factory=dict)  # set before the library is imported
    does: tuple[str, ...] = ("train", "infer")

    def load(self) -> Callable[..., Any]:
        module, name = self.place.split(":")
        return getattr(importlib.import_module(f"experiments.bench.{module}"), name)

    @property
    def version(self) -> str:
        brought_by = packages_distributions()  # tensorflow may come from tensorflow-cpu
        peers = [f"{m} {version(brought_by[m][0])}" for m in self.modules if m != "onnx"]
        return ", ".join(peers) or f"lstm-engine {version('lstm-engine')}"


def _keras(title: str, backend: str, module: str, install: str) -> Entry:
    environment = {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3", "JAX_PLATFORMS": "cpu"}
    return Entry(f"Keras, {title}", "keras_side:KerasSide", ("keras", module), install, environment=environment)


ENGINE, ALL = "engine", ("train", "infer", "stream")
SIDES = {
    ENGINE: Entry("engine", "engine_side:EngineSide", options={"backend": "auto"}, does=ALL),
    "torch": Entry("PyTorch", "torch_side:TorchSide", ("torch",), "pip install torch"),
    "keras-jax": _keras("JAX", "jax", "jax", "pip install 'lstm-engine[keras]'"),
    "keras-tensorflow": _keras("TensorFlow", "tensorflow", "tensorflow", "pip install keras tensorflow-cpu"),
    "keras-torch": _keras("PyTorch", "torch", "torch", "pip install keras torch"),
    "onnxruntime": Entry(
        "onnxruntime", "engine_side:OnnxSide", ("onnxruntime", "onnx"), "pip install onnxruntime onnx",
        does=("infer", "stream"),
    ),
    "numpy": Entry("plain NumPy", "engine_side:EngineSide", options={"backend": "numpy"}, does=ALL),
}  # fmt: skip
LIMITS = {"sgemm": Entry("sgemm", "limits:Product", does=ALL), "copy": Entry("copy", "limits:Copy", does=ALL)}


def installed(entry: Entry) -> bool:
    return all(importlib.util.find_spec(module) is not None for module in entry.modules)


def title(label: str) -> str:
    """A seat's label in words: "keras-jax" is Keras, JAX; "torch, 2 threads" keeps its threads."""
    side, *rest = label.split(", ")
    return ", ".join([(SIDES | LIMITS)[side].title, *rest])


def named(names: str, known: Collection[str], what: str) -> list[str]:
    """Those of "a,b", or of "all", in the order of the known ones. ValueError for a name that is none of them."""
    wanted = list(known) if names == "all" else [name.strip() for name in names.split(",")]
    if unknown := [name for name in wanted if name not in known]:
        raise ValueError(f"{what} is one of {', '.join(known)}, or all, got {', '.join(map(repr, unknown))}")
    return [name for name in known if name in wanted]


def choose(names: str) -> tuple[list[str], dict[str, str]]:
    """The sides to time, the engine first, and those that are missing with the command that installs them.

    names: "all", or some with commas between. ValueError for a name that is none.
    """
    wanted = list(dict.fromkeys([ENGINE, *named(names, SIDES, "a peer")]))
    missing = {name: SIDES[name].install for name in wanted if not installed(SIDES[name])}
    return [name for name in wanted if name not in missing], missing
