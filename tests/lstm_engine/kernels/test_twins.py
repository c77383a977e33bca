"""The compiled twins against the readable pairs: same tape, same gradients, whatever the shape, mask or dtype."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numba as nb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lstm_engine as le
from lstm_engine.backend import compiled, one_thread_pool
from lstm_engine.kernels import gru, lstm, rows, simple_rnn

# a sum of T·B terms that differ by some units in the last place: a few eps in float64; float32's tanh adds 4e-7 itself
TOLERANCE = {"float64": 1e-13, "float32": 5e-6}
LAYERS = {"lstm": le.LSTM, "gru": le.GRU, "gru, reset before": le.GRU, "simple_rnn": le.SimpleRNN}
ALL_CELLS = pytest.mark.parametrize("cell", LAYERS)


@pytest.fixture(autouse=True)
def exactly_as_many_threads_as_are_set(monkeypatch):
    monkeypatch.setattr(rows, "ALWAYS_ALL", True)


def random_upstream(cell, T, B, H, dtype="float64"):
    rng = np.random.default_rng(9)
    shapes = {"dh": (T, B, H), "dh_T": (B, H)} | ({"dc_T": (B, H)} if cell == "lstm" else {})
    return {name: rng.standard_normal(shape).astype(dtype) for name, shape in shapes.items()}


def random_mask(kind, T, B):
    """None; holes, with a sequence that has no step at all; or padding after 1 to T steps."""
    rng = np.random.default_rng(1)
    holes = rng.random((T, B)) > 0.3
    holes[:, B // 2] = B == 1  # so that something is left to compare
    return {"none": None, "holes": holes, "padding": np.arange(T)[:, None] < rng.integers(1, T + 1, B)}[kind]


def run(cell, backend, inputs, up, **options):
    layer = LAYERS[cell]
    functions = compiled(layer.cell) if backend == "numba" else layer.pair
    with one_thread_pool({"numba"}):
        tape = functions.forward(*inputs, **options)
        return tape, functions.backward(tape, **up)


def arrays(result):
    return {name: a for name, a in vars(result).items() if isinstance(a, np.ndarray) and a.dtype != bool}


@ALL_CELLS
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "shape",
    [(1, 1, 1, 1), (3, 1, 2, 5), (5, 3, 1, 7), (20, 8, 4, 8), (12, 33, 6, 16), (4, 18, 5, 160), (10, 300, 2, 5)],
)  # the last has rows enough for its weight gradients to be sums of sums
@pytest.mark.parametrize("masked", ["none", "holes", "padding"])
@pytest.mark.parametrize("dropped", [False, True])
def test_kernels_equal_the_readable_pair(unit_scale, rel, cell, shape, dtype, masked, dropped):
    nb.set_num_threads(nb.config.NUMBA_NUM_THREADS)  # so that workers share a batch
    T, B, _, H = shape
    kept = np.random.default_rng(2).random((LAYERS[cell].gates, B, H)) > 0.3
    options = {
        "mask": random_mask(masked, T, B),
        "recurrent_dropout": (kept / 0.7).astype(dtype) if dropped else None,
    }
    inputs, up = unit_scale(*shape, dtype, cell=cell), random_upstream(cell, T, B, H, dtype)
    compiled, readable = (run(cell, backend, inputs, up, **options) for backend in ("numba", "numpy"))
    for ours, reference in zip(compiled, readable, strict=True):
        for name, expected in arrays(reference).items():
            a = getattr(ours, name)
            assert a.dtype == dtype
            if np.any(expected):
                assert rel(a, expected) < TOLERANCE[dtype], name
            else:
                assert not np.any(a), name


@ALL_CELLS
def test_masked_steps_are_recorded_as_zero(unit_scale, cell):
    mask = random_mask("holes", 6, 9)
    tape, grads = run(cell, "numba", unit_scale(6, 9, 3, 8, cell=cell), random_upstream(cell, 6, 9, 8), mask=mask)
    recorded = {"gates", "tanh_c", "inner"} & arrays(tape).keys()
    for a in [*(getattr(tape, name) for name in recorded), grads.z, grads.x]:
        assert not a[~mask].any()
        assert a[mask].any(axis=-1).all()


@ALL_CELLS
def test_what_lies_under_a_mask_is_not_read(unit_scale, cell):
    mask, inputs, up = random_mask("padding", 6, 9), unit_scale(6, 9, 3, 8, cell=cell), random_upstream(cell, 6, 9, 8)
    _, expected = run(cell, "numba", inputs, up, mask=mask)
    inputs[0][~mask] = np.nan
    _, grads = run(cell, "numba", inputs, up, mask=mask)
    for name, a in arrays(grads).items():
        np.testing.assert_array_equal(a, getattr(expected, name), err_msg=name)


@ALL_CELLS
@pytest.mark.parametrize("name", ["dh", "dh_T", "dc_T"])
def test_an_upstream_gradient_left_out_is_zero(unit_scale, rel, cell, name):
    inputs, up = unit_scale(6, 4, 3, 8, cell=cell), random_upstream(cell, 6, 4, 8)
    if name in up:
        grads, expected = (run(cell, backend, inputs, {name: up[name]})[1] for backend in ("numba", "numpy"))
        assert rel(grads.U, expected.U) < 1e-13


@ALL_CELLS
def test_backward_leaves_its_arguments_alone(unit_scale, cell):
    inputs, up = unit_scale(6, 4, 3, 8, cell=cell), random_upstream(cell, 6, 4, 8)
    before = [a.copy() for a in (*inputs, *up.values())]
    run(cell, "numba", inputs, up)
    for a, b in zip((*inputs, *up.values()), before, strict=True):
        np.testing.assert_array_equal(a, b)


@ALL_CELLS
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("masked", ["none", "holes"])
def test_the_bits_do_not_depend_on_the_number_of_threads(unit_scale, cell, dtype, masked):
    """Without a mask there are rows enough, 2370, for weight gradients to be sums of sums; with holes there are not."""
    inputs, up = unit_scale(30, 79, 5, 24, dtype, cell=cell), random_upstream(cell, 30, 79, 24, dtype)
    bits = set()
    for threads in range(1, min(4, nb.config.NUMBA_NUM_THREADS) + 1):
        nb.set_num_threads(threads)
        tape, grads = run(cell, "numba", inputs, up, mask=random_mask(masked, 30, 79))
        bits.add(b"".join(a.tobytes() for result in (tape, grads) for _, a in sorted(arrays(result).items())))
    assert len(bits) == 1


@pytest.mark.slow
def test_the_bits_are_the_same_on_four_threads_too():
    """The test above in a process of its own that may have four threads, however many cores there are."""
    test = f"{__file__}::test_the_bits_do_not_depend_on_the_number_of_threads"
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", test]
    done = subprocess.run(command, env=os.environ | {"NUMBA_NUM_THREADS": "4"}, capture_output=True, text=True)
    assert "16 passed" in done.stdout, done.stdout + done.stderr


def test_gradients_that_vanish_to_denormals_are_zero_and_the_caller_s_own_denormals_stay(unit_scale):
    T, B, H = 400, 2, 8
    inputs = unit_scale(T, B, 1, H, "float32")
    inputs[2] *= 0.1  # a recurrent kernel that forgets
    inputs[3][H : 2 * H] = -3.0  # and a forget gate that is shut
    _, grads = run("lstm", "numba", inputs, {"dh_T": np.ones((B, H), np.float32)})
    tiny = np.finfo(np.float32).tiny
    assert (grads.z[0] == 0).all()  # four hundred factors below one
    assert not ((grads.z != 0) & (np.abs(grads.z) < tiny)).any()
    assert np.float32(1e-30) * np.float32(1e-10) > 0  # outside kernels such numbers are still numbers


@ALL_CELLS
def test_lean_gradients_are_those_that_a_full_pass_gives(unit_scale, cell):
    inputs, up = unit_scale(12, 9, 3, 20, cell=cell), random_upstream(cell, 12, 9, 20)
    kernels = compiled(cell.split(",")[0])
    tape = kernels.forward(*inputs, mask=random_mask("holes", 12, 9))
    full, lean = kernels.backward(tape, **up), kernels.backward(tape, **up, lean=True)
    assert lean.x is None
    assert lean.h is None
    for name in ("W", "U", "b", "h0", "z"):
        np.testing.assert_array_equal(getattr(lean, name), getattr(full, name), err_msg=name)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_tape_that_a_lean_pass_has_used_up_is_refused(unit_scale, cell):
    kernels = compiled(cell)
    tape = kernels.forward(*unit_scale(3, 2, 3, 4, cell=cell))
    kernels.backward(tape, lean=True)
    with pytest.raises(ValueError, match=r"used up.*Run forward again"):
        kernels.backward(tape)


@ALL_CELLS
def test_two_python_threads_may_call_at_once(unit_scale, cell):
    inputs, up = unit_scale(20, 8, 4, 16, cell=cell), random_upstream(cell, 20, 8, 16)
    expected = run(cell, "numba", inputs, up)[1].W
    with ThreadPoolExecutor(4) as pool:
        for grads in pool.map(lambda _: run(cell, "numba", inputs, up)[1], range(20)):
            np.testing.assert_array_equal(grads.W, expected)


@ALL_CELLS
def test_nan_in_a_sequence_reaches_its_gradient_and_no_other_sequence(unit_scale, cell):
    inputs = unit_scale(5, 8, 3, 16, "float32", cell=cell)
    inputs[0][2, 5] = np.nan
    tape, grads = run(cell, "numba", inputs, random_upstream(cell, 5, 8, 16, "float32"))
    for a in (tape.h[-1], grads.h0):
        assert np.isnan(a[5]).all()
        assert np.isfinite(np.delete(a, 5, axis=0)).all()
    assert np.isnan(grads.W).all()


@ALL_CELLS
def test_mixed_dtypes_are_refused_by_name(unit_scale, cell):
    inputs = unit_scale(3, 2, 2, 4, cell=cell)
    inputs[0] = inputs[0].astype(np.float32)
    with pytest.raises(TypeError, match=r"float32.*float64.*numpy"):
        run(cell, "numba", inputs, {})


@pytest.mark.parametrize("module", [lstm, gru, simple_rnn])
def test_a_read_only_array_is_not_compiled_for_anew(unit_scale, module):
    cell = module.__name__.rsplit(".", 1)[-1]
    inputs, up = unit_scale(4, 3, 2, 5, cell=cell), random_upstream(cell, 4, 3, 5)
    run(cell, "numba", inputs, up)
    before = len(module._forward.signatures), len(module._backward.signatures), len(rows._weight_gradient.signatures)
    for a in (*inputs, *up.values()):
        a.flags.writeable = False
    run(cell, "numba", inputs, up)
    assert (
        len(module._forward.signatures),
        len(module._backward.signatures),
        len(rows._weight_gradient.signatures),
    ) == before


@ALL_CELLS
@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize(("change", "named"), [("x", "W"), ("W", "W"), ("U", "U"), ("b", "b")])
def test_arrays_that_do_not_fit_are_refused_and_not_read_beyond(unit_scale, cell, backend, change, named):
    inputs = unit_scale(4, 2, 3, 4, cell=cell)
    at = ["x", "W", "U", "b"].index(change)
    inputs[at] = np.zeros((*inputs[at].shape[:-1], 9))
    with pytest.raises(ValueError, match=rf"{named} must have shape \(.*\) beside the other arrays, got \(.*\)"):
        run(cell, backend, inputs, {})


@ALL_CELLS
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_masks_and_upstream_gradients_that_do_not_fit_are_refused(unit_scale, cell, backend):
    inputs = unit_scale(4, 2, 3, 4, cell=cell)
    with pytest.raises(ValueError, match="mask must have shape"):
        run(cell, backend, inputs, {}, mask=np.ones((2, 1), bool))
    with pytest.raises(ValueError, match="dh must have shape"):
        run(cell, backend, inputs, {"dh": np.ones((1, 2, 4))})


# -- wherever hypothesis looks ----------------------------------------------------------------------------------------

CASES = {
    "cell": st.sampled_from(list(LAYERS)),
    "T": st.integers(1, 12),
    "B": st.integers(1, 40),
    "D": st.integers(1, 6),
    "H": st.integers(1, 40),
    "seed": st.integers(0, 2**32 - 1),
    "live": st.none() | st.floats(0, 1),  # the share of steps that are not masked
    "padded": st.booleans(),  # masked steps come at the end, or anywhere
    "kept": st.none() | st.floats(0.1, 1),  # by recurrent dropout
    "upstream": st.sets(st.sampled_from(["dh", "dh_T", "dc_T"]), min_size=1),
}
OPTIONS = {"deadline": None, "derandomize": True}


def twins_agree(unit_scale, cell, T, B, D, H, seed, live, padded, kept, upstream):
    rng, inputs = np.random.default_rng([seed, 1]), unit_scale(T, B, D, H, seed=seed, cell=cell)
    mask = None if live is None else rng.random((T, B)) < live
    if padded and mask is not None:
        mask = np.sort(mask, axis=0)[::-1]
    dropout = None if kept is None else (rng.random((LAYERS[cell].gates, B, H)) < kept) / kept
    up = {name: d for name, d in random_upstream(cell, T, B, H).items() if name in upstream}
    options = {"mask": mask, "recurrent_dropout": dropout}
    compiled, readable = (run(cell, backend, inputs, up, **options) for backend in ("numba", "numpy"))
    for ours, reference in zip(compiled, readable, strict=True):
        for name, expected in arrays(reference).items():
            # relative to the largest entry: sums of B + D + H products, T steps forward and T back, a rounding of eps each
            atol = max(1e-13, 2 * T * (B + D + H) * np.finfo(float).eps) * (1 + np.abs(expected).max())
            np.testing.assert_allclose(getattr(ours, name), expected, rtol=0, atol=atol, err_msg=name)


@settings(max_examples=100, **OPTIONS)
@given(**CASES)
def test_twins_agree(unit_scale, **case):
    twins_agree(unit_scale, **case)


@pytest.mark.slow
@settings(max_examples=2000, **OPTIONS)
@given(**CASES)
def test_twins_agree_2000_times(unit_scale, **case):
    twins_agree(unit_scale, **case)
