"""Which backend runs a cell, one pool of threads at a time, and no kernel in a forked process."""

import os
import signal
import subprocess
import sys

import numpy as np
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


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("before", ["model(x[:1])", "model.stream().step(x[0, :1])", "with one_thread(): pass"])
def test_a_forked_process_gets_an_error_too_where_only_the_calling_thread_had_computed(before):
    """GNU OpenMP has begun all the same, and would end it."""
    code = f"""
import os, numpy as np, lstm_engine as le
from lstm_engine.backend import one_thread
model, x = le.Sequential([le.Input((4, 2)), le.LSTM(3), le.Dense(1)]), np.ones((8, 4, 2), np.float32)
{before}
if (child := os.fork()) == 0:
    refused = 0
    for more in (x, x[:1]):
        try:
            model(more)
        except RuntimeError as error:
            refused += 'spawn' in str(error)
    os._exit(refused)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "2", done.stderr


def interrupted_at(n, run):
    """Runs `run` and raises KeyboardInterrupt before the n-th instruction of backend.py. Whether there was an n-th one."""
    left = n

    def trace(frame, event, _):
        nonlocal left
        if frame.f_code.co_filename != backend.__file__:
            return None
        frame.f_trace_opcodes = True
        left -= event == "opcode"
        if left == 0:
            left = -1
            raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        run()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


def test_blas_has_its_threads_back_wherever_an_interrupt_comes():
    def nested():
        with one_thread_pool({"numba"}), one_thread_pool({"numba"}):
            pass

    with threadpool_limits(2, "blas"):
        n = 1
        while interrupted_at(n, nested):
            assert not backend._Pool.users, n
            assert {library.get_num_threads() for library in backend._blas(len(sys.modules))} == {2}, n
            n += 1
        assert n > 100


def test_a_user_that_is_deleted_has_left():
    with threadpool_limits(2, "blas"):
        lost = one_thread_pool({"numba"})
        lost.__enter__()
        assert blas_threads() == {1}
        del lost  # an interrupt came before the first instruction of its __exit__
        assert blas_threads() == {2}


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timer that sends a signal")
def test_a_signal_in_a_kernel_leaves_threads_and_locks_as_they_were():
    model = le.Sequential([le.LSTM(16)], seed=0)
    x = np.ones((4, 100, 2), np.float32)
    expected, cut = model(x), 0

    def timeout(*_):
        np.testing.assert_array_equal(model(x), expected)  # a handler may call the engine too
        raise TimeoutError

    with threadpool_limits(2, "blas"):
        before = signal.signal(signal.SIGALRM, timeout)
        try:
            for n in range(100):
                try:
                    signal.setitimer(signal.ITIMER_REAL, 1e-5 * (1 + n))
                    model(x)
                    signal.setitimer(signal.ITIMER_REAL, 0)
                except TimeoutError:
                    cut += 1
                assert not backend._Pool.users
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        assert blas_threads() == {2}
    assert cut
    np.testing.assert_array_equal(model(x), expected)


def test_without_a_compiler_auto_takes_numpy_and_numba_says_why(monkeypatch):
    backend.without_kernels.cache_clear()
    monkeypatch.setattr("numba.config.DISABLE_JIT", 1)
    try:
        layer = le.LSTM(2)
        layer.build((3, 2), "float32", "auto", np.random.default_rng(0))
        assert layer.backends() == {"numpy"}
        with backend.one_thread():
            assert layer(np.ones((1, 3, 2))).shape == (1, 2)
        with pytest.raises(ValueError, match=r"compiler is switched off \(NUMBA_DISABLE_JIT\); use backend=\"numpy\""):
            resolve("lstm", "numba")
    finally:
        backend.without_kernels.cache_clear()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("raise ImportError('Numba needs NumPy 2.3 or less')", "ImportError: Numba needs NumPy 2.3 or less"),
        ("import no_llvmlite", "No module named 'no_llvmlite'"),
        ("1 / 0", "ZeroDivisionError"),
    ],
)
def test_a_numba_that_cannot_be_imported_is_none(tmp_path, monkeypatch, content, reason):
    (tmp_path / "numba.py").write_text(content)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "numba", raising=False)
    backend.without_kernels.cache_clear()
    try:
        assert resolve("lstm", "auto") == "numpy"
        with pytest.raises(ValueError, match=rf"numba cannot be imported \({reason}.*backend=\"numpy\""):
            resolve("lstm", "numba")
    finally:
        backend.without_kernels.cache_clear()


def test_clearing_the_session_changes_nothing():
    model = le.Sequential([le.LSTM(2, input_shape=(3, 1))], seed=0)
    before = model.get_weights()
    assert le.backend.clear_session() is le.utils.clear_session(free_memory=False) is None
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), before, strict=True))
