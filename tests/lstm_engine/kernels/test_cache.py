"""Numba's cache of compiled kernels: it notices an edit of the files that they share, and compiling is announced."""

import inspect
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numba as nb
import pytest
from numba.core import event
from numba.core.caching import NullCache

import lstm_engine
from lstm_engine.kernels import gru, lstm, product, rows, simple_rnn
from lstm_engine.kernels.notice import NOTICE

CACHED = {  # by module
    lstm: {"_forward", "_backward"},
    gru: {"_forward", "_backward"},
    simple_rnn: {"_forward", "_backward"},
    product: {"_pack", "_pack_transposed"},
    rows: {"_weight_gradient", "_input_gradient"},
}


@pytest.mark.parametrize("module", CACHED)
def test_every_cached_kernel_carries_the_hash_of_the_files_its_helpers_stand_in(module):
    """Numba's cache cannot see those files; `test_an_edit_of_the_shared_file_...` shows that the hash makes it.

    One that makes panels once did not: after an edit of a vector's width its old panels gave wrong gradients.
    """
    functions = [f for f in vars(module).values() if hasattr(f, "py_func") and f.py_func.__module__ == module.__name__]
    cached = {f.py_func.__name__: f for f in functions if not isinstance(f._cache, NullCache)}
    assert set(cached) == CACHED[module]
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


def test_the_kernels_of_a_training_step_are_announced_with_their_number_and_the_seconds_so_far(caplog, monkeypatch):
    """Each takes two seconds. The last one is compiled a minute later, as for another dtype: the seconds begin anew."""
    monkeypatch.setattr(NOTICE, "last", -1000.0)
    clock = iter([0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 68, 69, 69, 70])
    monkeypatch.setattr(time, "perf_counter", clock.__next__)
    for function in (product._pack, lstm._forward, gru._backward, rows._weight_gradient, lstm._forward):
        with compiling(function), compiling(rows.slot):
            pass
    assert [message.split("; later")[0] for message in caplog.messages] == [
        "compiling kernels, 1 of 4: the matrix product (0 s so far",
        "compiling kernels, 2 of 4: the LSTM's forward pass (2 s so far",
        "compiling kernels, 3 of 4: the GRU's backward pass (4 s so far",
        "compiling kernels, 4 of 4: the weights' gradients (6 s so far",
        "compiling kernels, 2 of 4: the LSTM's forward pass (0 s so far",
    ]


def test_functions_of_others_are_not_announced(caplog):
    def _forward():
        pass

    with compiling(nb.njit(_forward)):
        pass
    assert not caplog.messages


@pytest.mark.slow
def test_a_person_who_waits_for_kernels_reads_a_line_for_each_and_one_who_does_not_wait_none(tmp_path):
    code = """
import numpy as np, lstm_engine as le
model = le.Sequential([le.SimpleRNN(3), le.Dense(1)], seed=0)
for T in (4, 5):
    model.predict(np.ones((2, T, 2)), verbose=0)
"""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    for lines in (2, 0):  # the second process finds the kernels on disk, however slow the machine is
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("compiling kernels, ") == lines, done.stderr
        assert done.stdout == ""
