"""The processor: its name, its caches and its vectors; and how libraries are held to AVX2 on one that has AVX-512.

`LSTM_ENGINE_VECTOR_BYTES=32` narrows the engine's vectors. The benchmark then sets every switch that its peers have for it,
in the environment of the processes that it starts, and asks the system afterwards who used AVX-512 all the same: onnxruntime,
which has no switch, and the matrix products of JAX and compiled TensorFlow. If anything they are faster for it.
"""

import os
import platform
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from llvmlite import binding as llvm
from numpy._core._multiarray_umath import __cpu_dispatch__ as NUMPY_CHOOSES

from experiments.reports.machine import processor as name

FEATURES = llvm.get_host_cpu_features()
CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
TASKS = Path("/proc/self/task")  # the threads of this process
SYSCTL = {"L1d": "hw.l1dcachesize", "L2": "hw.l2cachesize", "L3": "hw.l3cachesize"}  # of macOS
WIDER = ("avx512", "avx10", "amx")  # LLVM's names for what an AVX2 processor lacks
AVX2 = {
    "ONEDNN_MAX_CPU_ISA": "AVX2",  # oneDNN is in PyTorch and TensorFlow
    "ATEN_CPU_CAPABILITY": "avx2",  # PyTorch's own loops
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
    # JAX, and TensorFlow where it compiles; but not their matrix products: the library for them, YNNPACK, has no switch. XLA
    # can do without it and is held altogether then, but takes up to 1.6 times as long.
    "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",
    "NPY_DISABLE_CPU_FEATURES": " ".join(f for f in NUMPY_CHOOSES if f.startswith(("AVX512", "X86_V4"))),
    # Numba takes the features from here; another NUMBA_CPU_NAME alone leaves AVX-512 on.
    "NUMBA_CPU_FEATURES": ",".join(
        ("+" if has and not name.startswith(WIDER) else "-") + name for name, has in sorted(FEATURES.items())
    ),
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW,-AVX512CD,-AVX512DQ",  # its copies and searches
}


def caches() -> dict[str, int]:
    """Bytes of the first core's caches L1d, L2 and L3, as far as Linux or macOS tells."""
    if platform.system() == "Darwin":
        asked = {label: subprocess.run(["sysctl", "-n", key], capture_output=True, text=True, check=False).stdout.strip()
                 for label, key in SYSCTL.items()}  # fmt: skip
        return {label: int(size) for label, size in asked.items() if size.isdecimal()}
    found = {}
    for folder in sorted(CACHES.glob("index*")):
        try:
            level, kind, size = ((folder / file).read_text().strip() for file in ("level", "type", "size"))
        except OSError:  # as on many ARM machines
            continue
        if kind != "Instruction":
            found[f"L{level}{'d' if kind == 'Data' else ''}"] = int(size.removesuffix("K")) * 1024
    return found


def widest() -> int:
    """Bytes of the processor's vector registers."""
    from lstm_engine.kernels.vectors import widths  # imports Numba

    return widths()[-1]


def used() -> int:
    """Bytes of the engine's vectors: the processor's, or LSTM_ENGINE_VECTOR_BYTES."""
    from lstm_engine.kernels.vectors import BYTES  # imports Numba

    return BYTES


def vectors() -> dict[str, Any]:
    """For the page: bytes of the processor's vectors and of those that are used, and the label of a narrower run or ""."""
    label = f"AVX2, emulated on {name()}" if narrowed() else ""
    return {"processor_bytes": widest(), "used_bytes": used(), "label": label}


def narrowed() -> bool:
    """Whether AVX-512 is to be left out. ValueError for other narrower vectors, to which peers cannot be held."""
    if (used(), widest()) == (32, 64):
        return True
    if used() < widest():
        raise ValueError(
            f"LSTM_ENGINE_VECTOR_BYTES={used()} on a processor with vectors of {widest()} bytes: peers can be held to 32 "
            "bytes (AVX2) on a processor with 64 (AVX-512) only; unset it, or set 32 there"
        )
    return False


@contextmanager
def peers_held() -> Iterator[None]:
    """Where the engine's vectors are narrowed to AVX2, processes that are started meanwhile are held to it too."""
    settings = AVX2 if narrowed() else {}
    before = {variable: os.environ.get(variable) for variable in settings}
    os.environ |= settings
    try:
        yield
    finally:
        for variable, value in before.items():
            os.environ.pop(variable)
            os.environ |= {} if value is None else {variable: value}


def used_avx512(seconds: float) -> bool:
    """Whether a thread of this process had something in AVX-512's registers within the last seconds.

    Linux notes it whenever a thread stops running. Other systems do not tell: False.
    """
    for status in TASKS.glob("*/arch_status"):
        try:
            label, milliseconds = status.read_text().split()
        except (OSError, ValueError):  # the thread has ended, or its processor has no AVX-512
            continue
        if label == "AVX512_elapsed_ms:" and 0 <= int(milliseconds) < 1e3 * seconds:
            return True
    return False
