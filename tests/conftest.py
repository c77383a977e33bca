"""Shared by all tests: Keras in float64 when asked for, unit-scale weights, the relative error, recordings, a browser."""

import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ["JAX_ENABLE_X64"] = "1"  # without it float64 Keras computes in float32; float32 Keras is not touched
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # of arrays this small, a second thread only keeps a core busy
# JAX keeps what it compiles, for all processes: each Keras model is compiled anew, but few of them differ.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parents[1] / ".pytest_cache" / "jax"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")

import shutil
import sys

import numpy as np
import pytest


def pytest_collection_modifyitems(items):
    """The module that compiles all kernels comes first, so that the tests beside it find them on disk: they compile once."""
    items.sort(key=lambda item: item.path.name != "test_twins.py" or item.path.parent.name != "kernels")


@pytest.fixture(autouse=True)
def one_thread():
    """Kernels too run on one thread, unless a test sets their number."""
    if "numba" in sys.modules:
        sys.modules["numba"].set_num_threads(1)


GATES = {"lstm": 4, "gru": 3, "gru, reset before": 3, "simple_rnn": 1}


@pytest.fixture(scope="session")
def unit_scale():
    """x, W, U, b and the initial states of a cell: kernel N(0, 1/D), orthogonal recurrent kernel, the rest N(0, 1).

    At this scale all terms of a gradient count, and T steps amplify rounding little.
    """

    def draw(T, B, D, H, dtype="float64", seed=0, cell="lstm"):
        rng, GH = np.random.default_rng(seed), GATES[cell] * H
        W = rng.standard_normal((D, GH)) / np.sqrt(D)
        U = np.linalg.qr(rng.standard_normal((GH, H)))[0].T
        x, b = rng.standard_normal((T, B, D)), rng.standard_normal((2, GH) if cell == "gru" else GH)
        states = rng.standard_normal((2 if cell == "lstm" else 1, B, H))
        return [np.ascontiguousarray(a, dtype) for a in (x, W, U, b, *states)]

    return draw


@pytest.fixture
def rel():
    """Norm-wise relative error ‖a - b‖ / ‖b‖; b must not be zero, or nothing would be compared."""

    def error(a, b):
        assert a.shape == b.shape
        scale = np.linalg.norm(b)
        assert scale > 0
        return np.linalg.norm(a - b) / scale

    return error


@pytest.fixture
def float64_keras():
    """Keras with float64 as its float type, and float32 again afterwards."""
    keras = pytest.importorskip("keras")
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield keras
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real recordings and tables, never copied into the project; a test without it is skipped."""
    root = Path(__file__).parents[1]
    folder = Path(os.environ.get("LSTM_ENGINE_DATA", root.parent / "shared" / "data"))
    for name in ("tutorial_sample", "tutorial_csv", "librispeech_251"):
        if not (folder / name).is_dir():
            pytest.skip(f"real data missing: no {name} in {folder} (set LSTM_ENGINE_DATA to its folder)")
    return folder


@pytest.fixture(scope="module")  # not longer: its driver is an event loop, beside which marimo runs no notebook
def chromium():
    """chromium(*arguments): starts Chromium without a window. A test without it, or without its driver, is skipped."""
    playwright = pytest.importorskip("playwright.sync_api", reason='needs playwright: pip install -e ".[browser]"')
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("needs Chromium on the PATH: apt install chromium")
    with playwright.sync_playwright() as driver:
        yield lambda *arguments: driver.chromium.launch(executable_path=program, args=["--no-sandbox", *arguments])


@pytest.fixture(scope="module")
def browser(chromium):
    own = chromium()
    yield own
    own.close()
