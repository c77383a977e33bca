"""The compiled twin against the readable pair wherever hypothesis looks: any shape, mask, dropout and upstream gradient."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lstm_engine.backend import one_thread_pool
from lstm_engine.cells import lstm as readable
from lstm_engine.kernels import lstm as compiled

CASES = {
    "T": st.integers(1, 12),
    "B": st.integers(1, 19),
    "D": st.integers(1, 6),
    "H": st.integers(1, 40),
    "seed": st.integers(0, 2**32 - 1),
    "live": st.none() | st.floats(0, 1),  # the share of steps that are not masked
    "kept": st.none() | st.floats(0.1, 1),  # by recurrent dropout
    "given": st.sets(st.sampled_from(["dh", "dh_T", "dc_T"]), min_size=1),
}
OPTIONS = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture], "derandomize": True}


def twins_agree(unit_scale, T, B, D, H, seed, live, kept, given):
    rng = np.random.default_rng(seed)
    inputs = unit_scale(T, B, D, H, seed=seed)
    mask = None if live is None else rng.random((T, B)) < live
    dropout = None if kept is None else (rng.random((4, B, H)) < kept) / kept
    upstream = {n: rng.standard_normal((T, B, H) if n == "dh" else (B, H)) for n in given}
    tapes, gradients = [], []
    for module in (compiled, readable):
        with one_thread_pool({"numba"}):
            tapes.append(module.lstm_forward(*inputs, mask=mask, recurrent_dropout=dropout))
            gradients.append(module.lstm_backward(tapes[-1], **upstream))
    for pair, names in (
        (tapes, ("gates", "tanh_c", "h", "c")),
        (gradients, ["x", "W", "U", "b", "h0", "c0", "z", "c", "h"]),
    ):
        for name in names:
            ours, expected = (getattr(side, name) for side in pair)
            # sums of at most T B H ~ 10⁴ products: a few hundred roundings of 1e-16, relative to the largest entry
            np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-13 * (1 + np.abs(expected).max()), err_msg=name)


@settings(max_examples=60, **OPTIONS)
@given(**CASES)
def test_twins_agree(unit_scale, T, B, D, H, seed, live, kept, given):
    twins_agree(unit_scale, T, B, D, H, seed, live, kept, given)


@pytest.mark.slow
@settings(max_examples=2000, **OPTIONS)
@given(**CASES)
def test_twins_agree_2000_times(unit_scale, T, B, D, H, seed, live, kept, given):
    twins_agree(unit_scale, T, B, D, H, seed, live, kept, given)
