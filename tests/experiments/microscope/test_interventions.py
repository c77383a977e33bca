"""Interventions: what an edited model says is what a loop over the equations gives in which the gate or unit is changed."""

from copy import copy

import numpy as np
import pytest

import lstm_engine as le
from experiments.microscope.interventions import force, from_step, silence
from lstm_engine.gradient_check import unit_scale

N, T, D, H = 2, 6, 3, 4
EXACT = 1e-12  # float64: a few hundred roundings, relative to numbers of size 1


def model(*layers, **options):
    return unit_scale(le.Sequential([le.Input((None, D)), *layers], seed=0, dtype="float64", **options))


@pytest.fixture
def x():
    return np.random.default_rng(1).standard_normal((N, T, D))


def both_ways(backend="auto"):
    return model(le.Bidirectional(le.LSTM(H, return_sequences=True)), le.Dropout(0.5), le.Dense(1), backend=backend)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def loop(net, x, change, name="lstm", reverse=False):
    """(N, T, H) h as others hear it, by the equations; change(t, gates, heard) returns both as they should be at step t."""
    W, U, b = (net.weights[f"{name}/{k}"] for k in ("kernel", "recurrent_kernel", "bias"))
    out = np.zeros((N, T, H))
    for n in range(N):
        c, h = np.zeros(H), np.zeros(H)
        for t in reversed(range(T)) if reverse else range(T):
            _, hear = change(t, {}, np.ones(H))
            z = dict(zip("ifgo", np.split(x[n, t] @ W + (h * hear) @ U + b, 4), strict=True))
            gates = {k: np.tanh(v) if k == "g" else sigmoid(v) for k, v in z.items()}
            gates, hear = change(t, gates, np.ones(H))
            c = gates["f"] * c + gates["i"] * gates["g"]
            h = gates["o"] * np.tanh(c)
            out[n, t] = h * hear
    return out


def unchanged(t, gates, heard):
    return gates, heard


def silenced(unit, start=0):
    return lambda t, gates, heard: (gates, np.where((np.arange(H) == unit) & (t >= start), 0, heard))


def forced(gate, value, unit=None, start=0):
    def change(t, gates, heard):
        if t >= start and gates:
            gates = gates | {gate: np.where((np.arange(H) == unit) | (unit is None), value, gates[gate])}
        return gates, heard

    return change


def answer(net, forward, backward):
    return np.concatenate([forward, backward], axis=-1) @ net.weights["dense/kernel"] + net.weights["dense/bias"]


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_nobody_hears_a_silenced_unit(backend, direction, x):
    net = both_ways(backend)
    f = loop(net, x, silenced(2) if direction == "forward" else unchanged, "bidirectional/forward_lstm")
    b = loop(net, x, silenced(2) if direction == "backward" else unchanged, "bidirectional/backward_lstm", reverse=True)
    found = silence(net, f"bidirectional/{direction}_lstm", 2)
    assert found.layers[0].backends() == {backend}
    np.testing.assert_allclose(found(x), answer(net, f, b), rtol=0, atol=EXACT)
    assert np.abs(found(x) - net(x)).max() > 1e-3  # the unit had something to say


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize(("gate", "value"), [("i", 0.1), ("f", 0.999), ("g", -0.5), ("o", 0.5)])
@pytest.mark.parametrize("unit", [None, 1])
def test_a_forced_gate_is_the_value_at_every_step(backend, gate, value, unit, x):
    net = both_ways(backend)
    f = loop(net, x, forced(gate, value, unit), "bidirectional/forward_lstm")
    b = loop(net, x, unchanged, "bidirectional/backward_lstm", reverse=True)
    found = force(net, "bidirectional/forward_lstm", gate, value, unit)
    np.testing.assert_allclose(found(x), answer(net, f, b), rtol=0, atol=EXACT)
    held = found.trace(x)["bidirectional/forward_lstm"][gate][..., slice(None) if unit is None else unit]
    np.testing.assert_allclose(held, value, rtol=EXACT)


def test_the_model_itself_stays_as_it_is(x):
    net = both_ways()
    before = net.get_weights()
    silence(net, "bidirectional/forward_lstm", 0)
    force(net, "bidirectional/forward_lstm", "f", 0.5)
    for was, now in zip(before, net.get_weights(), strict=True):
        np.testing.assert_array_equal(was, now)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("start", range(T))
def test_from_a_step_on_goes_on_from_the_state(backend, start, x):
    net = model(le.LSTM(H, return_sequences=True), le.Dense(1), backend=backend)
    dense, bias = net.weights["dense/kernel"], net.weights["dense/bias"]
    forgets = from_step(net, force(net, "lstm", "f", 0.01), x, start)
    np.testing.assert_allclose(forgets, loop(net, x, forced("f", 0.01, start=start)) @ dense + bias, rtol=0, atol=EXACT)
    deaf = from_step(net, silence(net, "lstm", 1), x, start)
    np.testing.assert_allclose(deaf, loop(net, x, silenced(1, start)) @ dense + bias, rtol=0, atol=EXACT)


@pytest.mark.parametrize("start", [0, 3, T - 1])
def test_a_backward_direction_is_changed_before_it_comes_to_the_step(start, x):
    net = both_ways()
    changed = force(force(net, "bidirectional/forward_lstm", "o", 0.9), "bidirectional/backward_lstm", "o", 0.9)
    f = loop(net, x, forced("o", 0.9, start=start), "bidirectional/forward_lstm")
    b = loop(net, x, forced("o", 0.9, start=start), "bidirectional/backward_lstm", reverse=True)
    np.testing.assert_allclose(from_step(net, changed, x, start), answer(net, f, b), rtol=0, atol=EXACT)


def test_one_answer_at_the_end_is_the_last_states(x):
    for net in (
        model(le.LSTM(H), le.Dense(1)),
        model(le.Bidirectional(le.LSTM(H)), le.Dense(1)),
        model(le.LSTM(H, return_sequences=True), le.LSTM(H), le.Dense(1)),
    ):
        np.testing.assert_allclose(from_step(net, net.twin(), x, 2), net(x), rtol=0, atol=EXACT)


MASKED = {
    "the last states": [le.LSTM(H)],
    "every step": [le.LSTM(H, return_sequences=True)],
    "both ways": [le.Bidirectional(le.LSTM(H, return_sequences=True)), le.LSTM(H)],
}


@pytest.mark.parametrize("layers", MASKED)
@pytest.mark.parametrize("start", range(1, T))
def test_a_masked_step_stays_masked_on_either_side_of_the_step(layers, start, x):
    x[1, 4:] = x[0, 1] = 0
    net = model(le.Masking(), *map(copy, MASKED[layers]), le.Dense(1))
    np.testing.assert_allclose(from_step(net, net.twin(), x, start), net(x), rtol=0, atol=EXACT)


def test_a_change_passes_over_masked_steps(x):
    """A forget gate that is held from step 3 on wipes the cell at steps 3 and 5, and not at step 4, which is masked."""
    x[:, 4] = 0
    net = model(le.Masking(), le.LSTM(H), le.Dense(1))
    W, U, b = (net.weights[f"lstm/{k}"] for k in ("kernel", "recurrent_kernel", "bias"))
    c, h = np.zeros((N, H)), np.zeros((N, H))
    for t in (0, 1, 2, 3, 5):
        i, f, g, o = np.split(x[:, t] @ W + h @ U + b, 4, axis=-1)
        c = (0.01 if t >= 3 else sigmoid(f)) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
    expected = h @ net.weights["dense/kernel"] + net.weights["dense/bias"]
    np.testing.assert_allclose(from_step(net, force(net, "lstm", "f", 0.01), x, 3), expected, rtol=0, atol=EXACT)


def test_a_unit_below_two_directions_is_silent_in_both(x):
    net = model(le.LSTM(H, return_sequences=True), le.Bidirectional(le.LSTM(2)), le.Dense(1))
    edited = silence(net, "lstm", 3).weights
    assert not edited["bidirectional/forward_lstm/kernel"][3].any()
    assert not edited["bidirectional/backward_lstm/kernel"][3].any()
    assert edited["bidirectional/backward_lstm/kernel"][2].any()


def test_what_cannot_be_done_is_said(x):
    net = both_ways()
    name = "bidirectional/forward_lstm"
    summed = model(le.Bidirectional(le.LSTM(H), merge_mode="sum"), le.Dense(1))
    bare = model(le.LSTM(H, use_bias=False), le.Dense(1))
    top = model(le.LSTM(H))
    for said, act in {
        "there is no recurrent layer 'lstm', but bidirectional/forward_lstm, bidirectional/backward_lstm": lambda: (
            silence(net, "lstm", 0)
        ),
        "has the units 0 to 3, got 4": lambda: silence(net, name, 4),
        "has the units 0 to 3, got -1": lambda: force(net, name, "f", 0.5, -1),
        "merges its directions by 'sum'": lambda: silence(summed, name, 0),
        "lstm is the model's output": lambda: silence(top, "lstm", 0),
        "gate must be one of i, f, g, o, got 'c'": lambda: force(net, name, "c", 0.5),
        "gate f lies strictly between 0 and 1, got 1": lambda: force(net, name, "f", 1),
        "gate g lies strictly between -1 and 1, got -1": lambda: force(net, name, "g", -1),
        "must be an LSTM with a bias": lambda: force(bare, "lstm", "f", 0.5),
        "t must be a step of x, 0 to 5, got 6": lambda: from_step(net, net, x, T),
    }.items():
        with pytest.raises(ValueError, match=said):
            act()
