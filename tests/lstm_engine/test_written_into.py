"""What the engine hands out may be written to, and what it was given is never written to, nor kept."""

import numpy as np
import pytest

import lstm_engine as le

rng = np.random.default_rng(0)
N, T, D, H = 1, 5, 3, 2  # one sequence: where a copy is easily a view
X, y = rng.standard_normal((N, T, D)), rng.standard_normal((N, T, 2))
START = [rng.standard_normal((N, H)) for _ in range(2)]


def model(*layers):
    m = le.Sequential(
        layers or [le.Dropout(0.5), le.LSTM(H, return_sequences=True), le.TimeDistributed(le.Dense(2))],
        seed=0, dtype="float64", backend="numpy",
    )  # fmt: skip
    m.compile("sgd", "mse")
    m.build((T, D))
    return m


def arrays(value):
    if isinstance(value, np.ndarray):
        return [value]
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else []
    return [a for child in children for a in arrays(child)]


def traced(m):
    trace = m.trace(X, y)
    grads = [layer.grad for layer in trace.layers.values()]
    return (
        [dict(layer) for layer in trace.layers.values()]
        + [dict(g) for g in grads]
        + [trace.p, trace.by_now, dict(trace.grad)]
    )


HANDED_OUT = {
    "predict": lambda m: m.predict(X, verbose=0),
    "a call": lambda m: m(X),
    "get_weights": lambda m: m.get_weights(),
    "a layer's weights": lambda m: m.layers[1].get_weights(),
    "gradients": lambda m: m.gradients(X, y)[1],
    "evaluate": lambda m: m.evaluate(X, y, verbose=0, return_dict=True),
    "trace": traced,
    "every layer by hand": lambda m: [layer(X) for layer in m.layers[:2]],
    "states by hand": lambda m: le.LSTM(H, return_state=True, return_sequences=True)(X, initial_state=START),
}


@pytest.mark.parametrize("what", HANDED_OUT)
def test_writing_into_what_is_handed_out_changes_nothing_else(what):
    m = model()
    out = arrays(HANDED_OUT[what](m))
    before, x, start = m.predict(X, verbose=0), X.copy(), [s.copy() for s in START]
    for k, a in enumerate(out):
        others = [b.copy() for b in out[k + 1 :]]
        a[...] = 7
        for b, then in zip(out[k + 1 :], others, strict=True):
            np.testing.assert_array_equal(b, then)
    np.testing.assert_array_equal(m.predict(X, verbose=0), before)
    np.testing.assert_array_equal(X, x)
    np.testing.assert_array_equal(START, start)


@pytest.mark.parametrize("wrap", [lambda layer: layer, le.Bidirectional], ids=["one way", "two ways"])
def test_a_stateful_layer_s_memory_is_its_own(wrap):
    def again():
        layer = wrap(le.LSTM(H, stateful=True, return_state=True))
        layer.build((T, D), "float64", "numpy", np.random.default_rng(0))
        return layer

    untouched, layer = again(), again()
    start = START * (len(layer.parts))
    given = [s.copy() for s in start]
    for one in (untouched, layer):
        out = one(X, initial_state=given)
    for a in [*out, *layer.states, *given]:
        a[...] = 7
    for ours, other in zip(layer(X), untouched(X), strict=True):
        np.testing.assert_array_equal(ours, other)


def test_states_can_be_assigned_as_in_keras_and_are_copied():
    layer, other = le.GRU(H, stateful=True), le.GRU(H)
    for one in (layer, other):
        one.build((T, D), "float64", "numpy", np.random.default_rng(0))
    h = START[0].copy()
    layer.states = [h]
    h[...] = 7
    np.testing.assert_array_equal(layer(X), other(X, initial_state=START[0]))
    layer.states = None
    np.testing.assert_array_equal(layer(X), other(X))
    for wrong in ([], [START[0], START[1]], [np.ones(H)], [np.ones((N, H + 1))]):
        with pytest.raises(ValueError, match=r"gru keeps h, each of shape \(N, 2\), got"):
            layer.states = wrong
    float32 = le.GRU(H, stateful=True)
    float32.build((T, D), "float32", "numpy", rng)
    float32.states = START[:1]
    assert float32.states[0].dtype == np.float32


def test_what_is_given_is_only_read():
    m = model()
    m.compile(le.Adam(0.1), "mse", metrics=["accuracy"])
    mask, weight = np.arange(T)[None] < 4, np.ones(N)
    given = [X.copy(), y.copy(), mask, weight, *[s.copy() for s in START], *m.get_weights()]
    for a in given:
        a.flags.writeable = False
    x, target = given[:2]
    m.set_weights(given[6:])
    m.fit(x, target, sample_weight=weight, mask=mask, verbose=0, epochs=2, validation_data=(x, target))
    m.train_on_batch(x, target, sample_weight=weight, mask=mask)
    m.evaluate(x, target, verbose=0)
    m.predict(x, verbose=0)
    m.gradients(x, target, mask=mask)
    m.trace(x, target, mask=mask)
    m.layers[1](x, mask=mask, initial_state=given[4:6])
    m.stream().step(x[:, 0])
    assert all((a == b).all() for a, b in zip(given[:2], (X, y), strict=True))


def test_a_stream_hands_out_arrays_of_its_own():
    m, plain = model(le.LSTM(H), le.Dense(2)), model(le.Dropout(0.5), le.Dropout(0.5))
    first, second, step = m.stream(), m.stream(), X[:, 0].copy()
    for _ in range(3):
        out, other = first.step(step), second.step(step)
        np.testing.assert_array_equal(out, other)
        out[...] = 7
    plain.stream().step(step)[...] = 7
    np.testing.assert_array_equal(step, X[:, 0])
