"""The compiled twin against the readable pair: same tape, same gradients, whatever the shape, mask or dtype."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numba as nb
import numpy as np
import pytest

from lstm_engine import kernels  # noqa: F401
from lstm_engine.backend import one_thread_pool, pair, resolve
from lstm_engine.cells import lstm as readable
from lstm_engine.kernels import lstm as compiled

TAPE = ("gates", "tanh_c", "h", "c")
GRADIENTS = ("x", "W", "U", "b", "h0", "c0", "z", "c", "h")
# a sum of T·B terms that differ by some units in the last place: a few eps in float64; float32's tanh adds 4e-7 itself
TOLERANCE = {"float64": 1e-13, "float32": 5e-6}


def run(module, inputs, up, **options):
    with one_thread_pool({"numba"}):
        tape = module.lstm_forward(*inputs, **options)
        return tape, module.lstm_backward(tape, **up)


def random_upstream(T, B, H, dtype):
    rng = np.random.default_rng(9)
    return {
        "dh": rng.standard_normal((T, B, H)).astype(dtype),
        "dh_T": rng.standard_normal((B, H)).astype(dtype),
        "dc_T": rng.standard_normal((B, H)).astype(dtype),
    }


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "shape", [(1, 1, 1, 1), (3, 1, 2, 5), (5, 3, 1, 7), (20, 8, 4, 8), (12, 33, 6, 16), (4, 18, 5, 160)]
)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("dropped", [False, True])
def test_kernels_equal_the_readable_pair(unit_scale, rel, shape, dtype, masked, dropped):
    T, B, _, H = shape
    rng = np.random.default_rng(1)
    mask = rng.random((T, B)) > 0.3 if masked else None
    if masked:
        mask[:, 0] = True  # so that something is left to compare
    options = {
        "mask": mask,
        "recurrent_dropout": ((rng.random((4, B, H)) > 0.3) / 0.7).astype(dtype) if dropped else None,
    }
    inputs, up = unit_scale(*shape, dtype), random_upstream(T, B, H, dtype)
    tape, grads = run(compiled, inputs, up, **options)
    reference, expected = run(readable, inputs, up, **options)
    for name in TAPE:
        assert getattr(tape, name).dtype == dtype
        assert rel(getattr(tape, name), getattr(reference, name)) < TOLERANCE[dtype], name
    for name in GRADIENTS:
        if np.any(getattr(expected, name)):
            assert rel(getattr(grads, name), getattr(expected, name)) < TOLERANCE[dtype], name
        else:
            assert not np.any(getattr(grads, name)), name


@pytest.mark.parametrize("given", ["dh", "dh_T", "dc_T"])
def test_an_upstream_gradient_left_out_is_zero(unit_scale, rel, given):
    inputs = unit_scale(6, 4, 3, 8)
    up = {given: random_upstream(6, 4, 8, "float64")[given]}
    _, grads = run(compiled, inputs, up)
    _, expected = run(readable, inputs, up)
    assert rel(grads.U, expected.U) < 1e-13


def test_backward_leaves_its_arguments_alone(unit_scale):
    inputs, up = unit_scale(6, 4, 3, 8), random_upstream(6, 4, 8, "float64")
    before = {name: a.copy() for name, a in up.items()}
    run(compiled, inputs, up)
    for name, a in up.items():
        np.testing.assert_array_equal(a, before[name])


@pytest.mark.skipif(nb.config.NUMBA_NUM_THREADS < 2, reason="one core: there is no second thread to compare with")
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_bits_do_not_depend_on_the_number_of_threads(unit_scale, dtype):
    inputs, up = unit_scale(30, 13, 5, 24, dtype), random_upstream(30, 13, 24, dtype)
    results = []
    for threads in (1, 2):
        nb.set_num_threads(threads)
        results.append(run(compiled, inputs, up)[1])
    nb.set_num_threads(nb.config.NUMBA_NUM_THREADS)
    for name in GRADIENTS:
        np.testing.assert_array_equal(getattr(results[0], name), getattr(results[1], name))


def test_two_python_threads_may_call_at_once(unit_scale):
    inputs, up = unit_scale(20, 8, 4, 16), random_upstream(20, 8, 16, "float64")
    expected = run(compiled, inputs, up)[1].W
    with ThreadPoolExecutor(4) as pool:
        for grads in pool.map(lambda _: run(compiled, inputs, up)[1], range(40)):
            np.testing.assert_array_equal(grads.W, expected)


@nb.njit
def compiled_tanh(x, y):
    for j in range(len(x)):
        y[j] = compiled.tanh(x[j])


def test_float32_tanh_is_within_4e_minus_7():
    x = np.linspace(-20, 20, 2_000_001, dtype=np.float32)
    y = np.empty_like(x)
    compiled_tanh(x, y)
    assert np.abs(y - np.tanh(x.astype(np.float64))).max() < 4e-7
    assert np.abs(y).max() <= 1.0


def test_tanh_keeps_nan_and_saturates_at_infinity():
    x = np.array([np.nan, np.inf, -np.inf, 0.0], np.float32)
    y = np.empty_like(x)
    compiled_tanh(x, y)
    assert np.isnan(y[0])
    np.testing.assert_allclose(y[1:], [1.0, -1.0, 0.0], atol=4e-7)


def test_nan_in_a_sequence_reaches_its_gradient_and_no_other_sequence(unit_scale):
    x, W, U, b, h0, c0 = unit_scale(5, 8, 3, 16, "float32")
    x[2, 5] = np.nan
    tape = compiled.lstm_forward(x, W, U, b, h0, c0)
    assert np.isnan(tape.h[-1, 5]).all()
    assert np.isfinite(np.delete(tape.h, 5, axis=1)).all()


def test_mixed_dtypes_are_refused_by_name(unit_scale):
    inputs = unit_scale(3, 2, 2, 4)
    inputs[0] = inputs[0].astype(np.float32)
    with pytest.raises(TypeError, match=r"float32.*float64.*numpy"):
        compiled.lstm_forward(*inputs)


def test_a_cell_without_kernel_says_which_backend_to_use():
    with pytest.raises(ValueError, match=r'no numba kernel for gru.*backend="numpy"'):
        pair("gru", "numba")
    assert resolve("gru", "auto") == "numpy"
    assert resolve("lstm", "auto") == "numba"


def test_an_unknown_backend_is_refused():
    with pytest.raises(ValueError, match="'cuda' is not one of auto, numba, numpy"):
        resolve("lstm", "cuda")


@pytest.mark.parametrize("module", [readable, compiled])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({0: (4, 2, 9)}, r"W must have shape \(9, 16\).*\(3, 16\)"),
        ({2: (4, 8)}, r"U must have shape \(4, 16\)"),
        ({3: (2,)}, r"b must have shape \(16,\)"),
        ({5: (1, 4)}, r"c0 must have shape \(2, 4\)"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_and_not_read_beyond(unit_scale, module, change, words):
    inputs = unit_scale(4, 2, 3, 4)
    for at, shape in change.items():
        inputs[at] = np.zeros(shape)
    with pytest.raises(ValueError, match=words):
        module.lstm_forward(*inputs)


@pytest.mark.parametrize("module", [readable, compiled])
def test_masks_and_upstream_gradients_that_do_not_fit_are_refused(unit_scale, module):
    inputs = unit_scale(4, 2, 3, 4)
    with pytest.raises(ValueError, match="mask must have shape"):
        module.lstm_forward(*inputs, mask=np.ones((2, 1), bool))
    with pytest.raises(ValueError, match="dh must have shape"):
        module.lstm_backward(module.lstm_forward(*inputs), dh=np.ones((1, 2, 4)))


def blas_threads():
    from threadpoolctl import threadpool_info

    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_blas_has_its_threads_back_when_the_last_of_several_leaves():
    with one_thread_pool({"numba"}):
        pass  # everything is loaded now
    before = blas_threads()
    first, second = one_thread_pool({"numba"}), one_thread_pool({"numba"})
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert set(blas_threads()) == {1}
    second.__exit__(None, None, None)
    assert blas_threads() == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_is_told_instead_of_ended():
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
