"""Vectors: rows that end within one, and tanh as the kernels compute it, beside NumPy's."""

import numba as nb
import numpy as np
import pytest

from lstm_engine.kernels import rows, vectors

three_tanhs = vectors.pointwise(lambda *xs: vectors.tanh(*xs), reads=[3], writes=[3])


@nb.njit
def compiled_tanh(x, y):
    """A row holds three times as many numbers as a vector call sees: two are divided together, one alone."""
    three_tanhs(x.shape[1] // 3, np.arange(len(x)), (x, y))


def test_float32_tanh_is_within_4e_minus_7():
    x = np.random.default_rng(0).permuted(np.linspace(-20, 20, 3_000_000, dtype=np.float32)).reshape(10, -1)
    y = np.empty_like(x)
    compiled_tanh(x, y)
    assert np.abs(y - np.tanh(x.astype(np.float64))).max() < 4e-7
    assert np.abs(y).max() <= 1.0


def test_float64_tanh_is_the_math_librarys():
    x = np.linspace(-20, 20, 30_003).reshape(1, -1)
    y = np.empty_like(x)
    compiled_tanh(x, y)
    np.testing.assert_allclose(y, np.tanh(x), rtol=4e-16)  # two libraries, each within an ulp


def test_tanh_keeps_nan_and_saturates_at_infinity():
    x = np.tile(np.array([[np.nan, np.inf, -np.inf, 0.0]], np.float32), 3)  # the three that meet are alike
    y = np.empty_like(x)
    compiled_tanh(x, y)
    assert np.isnan(y[np.isnan(x)]).all()
    np.testing.assert_array_equal(y[0, 1:4], [1.0, -1.0, 0.0])


@nb.njit
def compiled_copy(H, some, x, y):
    rows.copy_rows(H, some, (x, y))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_row_of_any_length_is_written_to_its_end_and_no_further(dtype):
    x = np.arange(1.0, 127, dtype=dtype).reshape(3, 42)
    for H in range(43):  # up to two vectors of 64 bytes, and a tail
        y = np.zeros_like(x)
        compiled_copy(H, np.array([2, 0]), x, y)
        np.testing.assert_array_equal(y[[0, 2], :H], x[[0, 2], :H])
        assert np.count_nonzero(y) == 2 * H
