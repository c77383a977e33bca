"""Shared by the tests of files: stacks that both `le` and `keras.layers` can build, and models with no weight at zero."""

import numpy as np
import pytest

import lstm_engine as le
from lstm_engine.gradient_check import unit_scale

T, D = 5, 3
STACKS = {
    "the tutorial's": lambda L: [L.LSTM(4), L.Dense(1, activation="sigmoid")],
    "every layer": lambda L: [
        L.Masking(),
        L.Bidirectional(L.LSTM(4, return_sequences=True, dropout=0.1), name="both"),
        L.Bidirectional(L.GRU(3, return_sequences=True, reset_after=False), merge_mode="ave"),
        L.TimeDistributed(L.Dense(3, activation="relu", kernel_regularizer="l2")),
        L.TimeDistributed(L.Dense(2)),
        L.Dropout(0.2),
        L.LSTM(2, return_sequences=True, use_bias=False, name="upper"),
        L.GRU(3, return_sequences=True, recurrent_dropout=0.2),
        L.SimpleRNN(3, go_backwards=True),
        L.Dense(2, name="a"),
        L.Dense(2, use_bias=False, name="b"),
    ],
}


@pytest.fixture(params=STACKS)
def stack(request):
    return STACKS[request.param]


@pytest.fixture
def ours():
    """A built model with these layers and weights at unit scale: no bias is zero, so none can be lost unseen."""

    def build(layers, seed=0, dtype="float32", features=D):
        return unit_scale(le.Sequential([le.Input((T, features)), *layers], seed=seed, dtype=dtype), seed)

    return build


@pytest.fixture
def x():
    return np.random.default_rng(9).standard_normal((4, T, D)).astype("float32")
