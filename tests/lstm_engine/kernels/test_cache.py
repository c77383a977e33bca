"""Numba's cache of compiled kernels: it notices an edit of the files that they share, and compiling is announced."""

import inspect
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from numba.core.caching import NullCache

import lstm_engine
from lstm_engine.kernels import gru, lstm, product, rows, simple_rnn


@pytest.mark.parametrize("module", [lstm, gru, simple_rnn])
def test_every_cached_kernel_carries_the_hash_of_the_file_its_helpers_stand_in(module):
    """Numba's cache cannot see that file; `test_an_edit_of_the_shared_file_...` shows that the hash makes it."""
    kernels = [f for f in vars(module).values() if hasattr(f, "py_func") and f.py_func.__module__ == module.__name__]
    cached = [f for f in kernels if f.targetoptions.get("parallel")]
    assert len(cached) == 2
    assert all(inspect.signature(f.py_func).parameters["helpers"].default == rows.THESE_FILES for f in cached)


def test_so_does_every_cached_function_that_they_share():
    """`packed_transposed` once did not: after an edit of a vector's width its old panels gave wrong gradients."""
    shared = [f for module in (product, rows) for f in vars(module).values() if hasattr(f, "py_func")]
    cached = {f.py_func.__name__: f for f in shared if not isinstance(f._cache, NullCache)}
    assert {"packed", "packed_transposed", "_weight_gradient", "_input_gradient"} <= set(cached)
    for name, f in cached.items():
        assert inspect.signature(f.py_func).parameters["helpers"].default == product.THESE_FILES, name


@pytest.mark.slow
def test_an_edit_of_the_shared_file_compiles_kernels_anew(tmp_path):
    shutil.copytree(
        Path(lstm_engine.__file__).parent, tmp_path / "lstm_engine", ignore=shutil.ignore_patterns("__pycache__")
    )
    code = """
import numpy as np
from lstm_engine.kernels import simple_rnn
h = simple_rnn.simple_rnn_forward(*(np.full((1,) * n, 0.5) for n in (3, 2, 2, 1, 2))).h
print(round(float(h[0, 0, 0]), 6), sum(simple_rnn._forward.stats.cache_hits.values()))
"""
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "cache")}

    def value_and_hits():
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return done.stdout.split()

    assert value_and_hits() == ["0.761594", "0"]  # tanh(0.25 + 0.25 + 0.5)
    assert value_and_hits() == ["0.761594", "1"]
    shared = tmp_path / "lstm_engine" / "kernels" / "vectors.py"
    edited = shared.read_text(encoding="utf-8").replace('x.each("tanh")', 'x.each("tanh") + 2.0')
    shared.write_text(edited, encoding="utf-8")
    assert value_and_hits() == ["2.761594", "0"]


def test_a_cells_first_call_announces_that_it_compiles_when_it_takes_long(monkeypatch, caplog):
    class AtOnce:
        """A timer whose time has come when it starts."""

        def __init__(self, seconds, function, arguments):
            self.start = lambda: function(*arguments)

        def cancel(self):
            pass

    monkeypatch.setattr("threading.Timer", AtOnce)
    for _ in range(2):
        with rows.guarded("cell of this test"):
            pass
    assert caplog.messages == ["compiling the cell of this test's kernels, once on this machine: some ten seconds ..."]


@pytest.mark.slow
def test_a_person_who_waits_for_kernels_reads_one_line(tmp_path):
    code = """
import numpy as np, lstm_engine as le
model = le.Sequential([le.LSTM(3), le.Dense(1)], seed=0)
for T in (4, 5):
    model.predict(np.ones((2, T, 2)), verbose=0)
"""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("compiling the LSTM's kernels") == 1
    assert done.stdout == ""
