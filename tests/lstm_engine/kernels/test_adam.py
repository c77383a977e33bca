"""Adam's compiled twin: the bits of the readable update, and what it leaves alone."""

import numpy as np
import pytest

import lstm_engine as le


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("make", [le.Adam, le.AdamW], ids=lambda c: c.__name__)
def test_adams_compiled_twin_has_the_same_bits(make, dtype):
    """Also for gradients of 0, infinity and NaN, and for those whose square is a denormal."""
    rng, ours, twins = np.random.default_rng(0), {}, {}
    for name, shape in {"kernel": (13, 37), "bias": (5,)}.items():
        ours[name] = rng.standard_normal(shape).astype(dtype)
        twins[name] = ours[name].copy()
    readable, compiled = make(0.1, beta_1=0.7), make(0.1, beta_1=0.7)
    for _ in range(5):
        gradients = {name: (rng.standard_normal(w.shape) ** 9).astype(dtype) for name, w in ours.items()}
        gradients["bias"][:] = 0.0, -np.inf, np.nan, np.sqrt(np.finfo(dtype).tiny) / 8, -0.0
        with np.errstate(invalid="ignore"):
            readable.apply(ours, gradients)
        compiled.apply(twins, gradients, "numba")
    for name, w in (ours | readable.slots).items():
        np.testing.assert_array_equal(w, (twins | compiled.slots)[name], err_msg=name)


def test_adams_compiled_twin_refuses_weights_whose_copy_it_would_change():
    w = {"w": np.asfortranarray(np.ones((2, 3)))}
    with pytest.raises(ValueError, match="arrays in C's order, and would change a copy"):
        le.Adam().apply(w, {"w": np.ones((2, 3))}, "numba")
    np.testing.assert_array_equal(w["w"], 1.0)


def test_the_compiled_twin_leaves_an_update_of_ones_own_alone():
    class Sleeping(le.Adam):
        def update(self, w, g, lr, *slots):
            pass

    weights = {"w": np.ones(3)}
    Sleeping().apply(weights, {"w": np.ones(3)}, "numba")
    np.testing.assert_array_equal(weights["w"], 1.0)
