"""A self-test of some seconds: does this machine compute what another one has computed, bit for bit?

Each part of `PARTS` returns bytes, whose SHA-256 is compared with the one stored in self_test.json for this kind of machine:

| part | its bits depend on |
|---|---|
| draws, file | NumPy's generators and our file format alone: the same on every machine |
| kernels | the width of the kernels' vectors, and whether the processor fuses a product and an addition |
| training, voice | besides, the kernels of BLAS and of NumPy: for both stands the name that BLAS has for the processor |

Versions of NumPy, Numba and so on may round otherwise too. Hashes for another kind of machine are printed there, to be put
into the file, by `python -m experiments.promises.self_test`.
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import lstm_engine as le
from experiments.reports.machine import blas_kind, vector_bytes
from lstm_engine.backend import without_kernels
from lstm_engine.files import as_safetensors

STORED = Path(__file__).with_name("self_test.json")
LIBRARIES = ("numpy", "scipy", "numba", "llvmlite", "librosa", "soxr", "safetensors")


@dataclass(frozen=True)
class Finding:
    """What a part of the test came to. said: "same", "differs, because ..." or "not run: ..."."""

    part: str
    said: str
    sha256: str = ""
    ok: bool = True  # False where nothing explains the difference


def draws() -> bytes:
    """The numbers from which weights, orders of batches and dropout masks are made."""
    rng = np.random.default_rng(0)
    return _bytes([rng.random(100), rng.permutation(100).astype("<i8"), rng.integers(0, 99, 100).astype("<i8")])


def file() -> bytes:
    """A model's file, from weights that are given."""
    return as_safetensors({"b": np.arange(6, dtype="<f4").reshape(2, 3), "a": np.arange(2.0)}, {"z": "ü", "y": "{}"})


def kernels() -> bytes:
    """Forward and backward pass of an LSTM and a GRU, compiled, from small numbers that are drawn and not computed."""
    from lstm_engine.kernels import gru, lstm

    arrays = []
    for module, gates, states in ((lstm, 4, 2), (gru, 3, 1)):
        rng, H = np.random.default_rng(1), 5
        shapes = [(7, 3, 2), (2, gates * H), (H, gates * H), (gates * H,), *[(3, H)] * states]
        tape = module.COMPILED.forward(*[rng.random(shape, "float32") - np.float32(0.5) for shape in shapes])
        gradients = module.COMPILED.backward(tape, rng.random((7, 3, H), "float32"))
        arrays += [tape.h, gradients.x, gradients.W, gradients.U, gradients.b]
    return _bytes(arrays)


def training() -> bytes:
    """The weights after two epochs of a network with an LSTM, dropout, a dense layer and Adam."""
    rng = np.random.default_rng(2)
    X, y = rng.random((40, 9, 3), "float32"), (rng.random(40) < 0.5).astype("float32")
    model = le.Sequential([le.LSTM(8), le.Dropout(0.2), le.Dense(1, "sigmoid")], seed=0)
    model.compile("adam", "binary_crossentropy")
    model.fit(X, y, batch_size=8, epochs=2, verbose=0)
    return _bytes(model.get_weights())


def voice() -> bytes:
    """The tutorial's 111 numbers of a second of a synthetic voice."""
    from features.recipes import TUTORIAL
    from features.synth import RATE, draw_speaker, speak

    samples = speak(draw_speaker("male", "m", np.random.default_rng(3)), 1.0, np.random.default_rng(4))
    return _bytes([TUTORIAL.measure(np.round(samples, 4), RATE)])


PARTS: dict[str, Callable[[], bytes]] = {
    "draws": draws, "file": file, "kernels": kernels, "training": training, "voice": voice
}  # fmt: skip


def kind_of_machine(part: str) -> str:
    """The key of a part's hash: "any", or what its bits depend on, as in "64-byte vectors, SkylakeX"."""
    if part in ("draws", "file"):
        return "any"
    vectors = f"{vector_bytes()}-byte vectors" if vector_bytes() else "no kernels"
    return vectors if part == "kernels" else f"{vectors}, {blas_kind()}"


def versions() -> dict[str, str]:
    return {name: version(name) for name in LIBRARIES}


def run(parts: Iterable[str] = PARTS) -> list[Finding]:
    """The findings, a part at a time."""
    stored = json.loads(STORED.read_text(encoding="utf-8"))
    return [judge(part, stored) for part in parts]


def judge(part: str, stored: dict[str, Any]) -> Finding:
    """One part, beside what is stored."""
    if part == "kernels" and (why := without_kernels()):
        return Finding(part, f"not run: {why}")
    sha256, kind = hashlib.sha256(PARTS[part]()).hexdigest(), kind_of_machine(part)
    known = stored["sha256"][part]
    if known.get(kind) == sha256:
        return Finding(part, "same", sha256)
    if kind not in known:
        return Finding(part, f"differs, because no hash is stored for {kind} (but for {'; '.join(known)})", sha256)
    now = versions()
    if other := [f"{name} is {now[name]}, was {was}" for name, was in stored["versions"].items() if now[name] != was]:
        return Finding(part, f"differs, because {', '.join(other)} when the hashes were stored", sha256)
    return Finding(part, f"differs, and neither {kind} nor a version explains it: please report it", sha256, ok=False)


def _bytes(arrays: Iterable[Any]) -> bytes:
    return b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)


if __name__ == "__main__":
    made = {part: {kind_of_machine(part): hashlib.sha256(PARTS[part]()).hexdigest()} for part in PARTS}
    print(json.dumps({"versions": versions(), "sha256": made}, indent=1))
