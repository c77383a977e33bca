"""Numba's cache of compiled kernels: it notices an edit of the files that they share, and compiling is announced."""

import inspect
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numba as nb
import pytest
from numba.core import event
from numba.core.caching import NullCache

import lstm_engine
from lstm_engine.kernels import adam, gru, lstm, product, rows, simple_rnn
from lstm_engine.kernels.notice import NOTICE


@pytest.mark.parametrize("module", [lstm, gru, simple_rnn])
def test_every_cached_kernel_carries_the_hash_of_the_file_its_helpers_stand_in(module):
    """Numba's cache cannot see that file; `test_an_edit_of_the_shared_file_...` shows that the hash makes it."""
    kernels = [f for f in vars(module).values() if hasattr(f, "py_func") and f.py_func.__module__ == module.__name__]
    cached = [f for f in kernels if f.targetoptions.get("parallel")]
    assert len(cached) == 2
    assert all(inspect.signature(f.py_func).parameters["helpers"].default == rows.THESE_FILES for f in cached)


def test_every_cached_function_that_the_kernels_share_carries_it_too():
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
    edited = shared.read_text(encoding="utf-8").replace('.each("tanh")', '.each("tanh") + 2.0')
    shared.write_text(edited, encoding="utf-8")
    assert value_and_hits() == ["2.761594", "0"]


def compiling(function):
    """What Numba broadcasts when it did not find the function in its cache."""
    return event.trigger_event("numba:compile", data={"dispatcher": function})


def test_compiling_a_kernel_is_announced_once_a_cell(caplog, monkeypatch):
    monkeypatch.setattr(NOTICE, "announced", set())
    for function in (product.packed, lstm._forward, lstm._backward, gru._forward, adam._update):
        with compiling(function):
            pass
    assert [message.split(":")[0] for message in caplog.messages] == [
        "compiling the LSTM's kernels",
        "compiling the GRU's kernels",
    ]


def test_functions_of_others_are_not_announced(caplog):
    def lstm_of_another_package():
        pass

    with compiling(nb.njit(lstm_of_another_package)):
        pass
    assert not caplog.messages


@pytest.mark.slow
def test_a_person_who_waits_for_kernels_reads_one_line_and_one_who_does_not_wait_none(tmp_path):
    code = """
import numpy as np, lstm_engine as le
model = le.Sequential([le.SimpleRNN(3), le.Dense(1)], seed=0)
for T in (4, 5):
    model.predict(np.ones((2, T, 2)), verbose=0)
"""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    for lines in (1, 0):  # the second process finds the kernels on disk, however slow the machine is
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("compiling the SimpleRNN's kernels") == lines, done.stderr
        assert done.stdout == ""
