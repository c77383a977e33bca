"""The compiled twins against the readable pairs wherever hypothesis looks: any cell, shape, mask, dropout."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lstm_engine as le
from lstm_engine.backend import compiled, one_thread_pool

PAIRS = {layer.cell: layer.pair for layer in (le.LSTM, le.GRU, le.SimpleRNN)}
GATES = {"lstm": 4, "gru": 3, "gru, reset before": 3, "simple_rnn": 1}
CASES = {
    "cell": st.sampled_from(list(GATES)),
    "T": st.integers(1, 12),
    "B": st.integers(1, 40),
    "D": st.integers(1, 6),
    "H": st.integers(1, 40),
    "seed": st.integers(0, 2**32 - 1),
    "live": st.none() | st.floats(0, 1),  # the share of steps that are not masked
    "padded": st.booleans(),  # those at the end, or holes
    "kept": st.none() | st.floats(0.1, 1),  # by recurrent dropout
    "given": st.sets(st.sampled_from(["dh", "dh_T", "dc_T"]), min_size=1),
}
OPTIONS = {"deadline": None, "derandomize": True}


def twins_agree(cell, T, B, D, H, seed, live, padded, kept, given):
    rng, G = np.random.default_rng(seed), GATES[cell]
    W, U = rng.standard_normal((D, G * H)) / np.sqrt(D), np.linalg.qr(rng.standard_normal((G * H, H)))[0].T
    b = rng.standard_normal((2, G * H) if cell == "gru" else G * H)
    inputs = [rng.standard_normal((T, B, D)), W, U, b, *rng.standard_normal((2 if cell == "lstm" else 1, B, H))]
    mask = None if live is None else rng.random((T, B)) < live
    if padded and mask is not None:
        mask = np.sort(mask, axis=0)[::-1]
    dropout = None if kept is None else (rng.random((G, B, H)) < kept) / kept
    given = given if cell == "lstm" else given - {"dc_T"}
    upstream = {n: rng.standard_normal((T, B, H) if n == "dh" else (B, H)) for n in given}
    results = []
    name = cell.split(",")[0]
    for runs in (compiled(name), PAIRS[name]):
        with one_thread_pool({"numba"}):
            tape = runs.forward(*inputs, mask=mask, recurrent_dropout=dropout)
            results.append((tape, runs.backward(tape, **upstream)))
    for ours, reference in zip(*results, strict=True):
        for name, expected in vars(reference).items():
            if isinstance(expected, np.ndarray):
                # sums of at most T B H ~ 2·10⁴ products: a few hundred roundings of 1e-16, relative to the largest entry
                atol = 1e-13 * (1 + np.abs(expected).max())
                np.testing.assert_allclose(getattr(ours, name), expected, rtol=0, atol=atol, err_msg=name)


@settings(max_examples=100, **OPTIONS)
@given(**CASES)
def test_twins_agree(cell, T, B, D, H, seed, live, padded, kept, given):
    twins_agree(cell, T, B, D, H, seed, live, padded, kept, given)


@pytest.mark.slow
@settings(max_examples=2000, **OPTIONS)
@given(**CASES)
def test_twins_agree_2000_times(cell, T, B, D, H, seed, live, padded, kept, given):
    twins_agree(cell, T, B, D, H, seed, live, padded, kept, given)
