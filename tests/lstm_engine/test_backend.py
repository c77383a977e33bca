"""Which backend runs a cell, one pool of threads at a time, and no kernel in a forked process."""

import os
import subprocess
import sys

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import lstm_engine as le
from lstm_engine import backend
from lstm_engine.backend import one_thread_pool, resolve


def test_activations_without_kernel_say_which_backend_to_use():
    with pytest.raises(ValueError, match=r"no numba kernel for gru with activation='relu'.*backend=\"numpy\""):
        resolve("gru", "numba", {"activation": "relu"})
    assert resolve("gru", "auto", {"activation": "relu"}) == "numpy"
    with pytest.raises(ValueError, match=r"for lstm with activation='relu', recurrent_activation='tanh'; use"):
        le.LSTM(2, activation="relu", recurrent_activation="tanh").build((3, 2), "float64", "numba", None)
    with pytest.raises(ValueError, match="kernel for lattice; use"):
        resolve("lattice", "numba")
    assert {resolve(cell, "auto") for cell in ("lstm", "gru", "simple_rnn")} == {"numba"}


def test_an_unknown_backend_is_refused():
    with pytest.raises(ValueError, match="'cuda' is not one of auto, numba, numpy"):
        resolve("lstm", "cuda")


def blas_threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_blas_has_its_threads_back_when_the_last_of_several_leaves():
    with threadpool_limits(2, "blas"):
        first, second = one_thread_pool({"numba"}), one_thread_pool({"numba"})
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert blas_threads() == {1}
        second.__exit__(None, None, None)
        assert blas_threads() == {2}


def test_kernels_are_refused_in_a_process_forked_from_one_that_ran_them(monkeypatch):
    monkeypatch.setattr(backend._Pool, "forked", True)
    with pytest.raises(RuntimeError, match=r'"spawn".*backend="numpy"'), one_thread_pool({"numba"}):
        pass
    with one_thread_pool({"numpy"}):
        pass


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_gets_an_error_and_does_not_end():
    code = """
import os, sys, numpy as np, lstm_engine as le
model = le.Sequential([le.LSTM(3)])
model.predict(np.ones((8, 4, 2)), verbose=0)
if (child := os.fork()) == 0:
    try:
        model.predict(np.ones((8, 4, 2)), verbose=0)
    except RuntimeError as error:
        os._exit(7 if 'spawn' in str(error) and 'numpy' in str(error) else 1)
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "7", done.stderr
