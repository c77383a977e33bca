"""What is masked does not matter: neither the numbers at masked steps, nor NaN, nor a label that is no class."""

import numpy as np
import pytest

import lstm_engine as le

N, T, D = 4, 5, 2
MASK = np.array([[1, 1, 1, 0, 0], [1, 0, 1, 1, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]], bool)
JUNK = [np.nan, np.inf, -np.inf]


def rows():
    rng = np.random.default_rng(0)
    return rng.standard_normal((N, T, D)).astype(np.float32), rng.random((N, T, 1)).astype(np.float32)


def with_junk(a, mask=MASK):
    out = a.copy()
    out[~mask] = np.resize(JUNK, out[~mask].shape)
    return out


def cleared(a):
    return np.where(MASK[..., None], a, np.float32(0))


def per_step():
    yield [le.Dense(3, "tanh"), le.LSTM(3, return_sequences=True), le.Dense(1)]
    yield [le.TimeDistributed(le.Dense(3)), le.Dense(3, "relu"), le.GRU(3, return_sequences=True), le.Dense(1)]
    yield [le.Dense(3), le.Bidirectional(le.SimpleRNN(2, return_sequences=True)), le.TimeDistributed(le.Dense(1))]
    yield [le.Dense(1, "sigmoid")]


def network(layers, loss="mse", metrics=()):
    model = le.Sequential(layers, seed=0)
    model.compile(le.Adam(0.01), loss, metrics=list(metrics))
    return model


@pytest.mark.parametrize("which", range(4))
def test_nan_at_masked_steps_trains_as_zeros_do(which):
    x, y = rows()
    trained = []
    for x_, y_ in ((cleared(x), cleared(y)), (with_junk(x), with_junk(y))):
        model = network(list(per_step())[which])
        loss = model.fit(x_, y_, mask=MASK, epochs=2, batch_size=2, verbose=0).history["loss"]
        trained.append([loss, model.evaluate(x_, y_, mask=MASK, verbose=0), *model.get_weights()])
        trained[-1].append(model.predict(x_, mask=MASK, verbose=0))
    for a, b in zip(*trained, strict=True):
        assert np.isfinite(a).all()
        np.testing.assert_array_equal(a, b)


def test_nan_at_masked_steps_in_a_network_of_several_inputs_and_outputs():
    a, b = le.Input((T, D)), le.Input((T, D))
    one, two = le.Dense(2)(a), le.Dense(2)(b)
    outputs = [le.Dense(1)(le.LSTM(2, return_sequences=True)(h)) for h in (one, two)]
    (x, y), masks = rows(), [MASK, MASK[::-1]]
    model = le.Model([a, b], outputs, seed=0)
    model.compile("sgd", "mse")
    xs, ys = ([with_junk(of, mask) for mask in masks] for of in (x, y))
    assert np.isfinite(model.train_on_batch(xs, ys, mask=masks)).all()
    assert all(np.isfinite(w).all() for w in model.get_weights())


@pytest.mark.parametrize("label", [np.nan, -1.0, 99.0])
@pytest.mark.parametrize("loss", ["sparse_categorical_crossentropy", "binary_crossentropy"])
def test_a_label_at_a_masked_step_may_be_anything(loss, label):
    x, _ = rows()
    sparse = loss.startswith("sparse")
    y = np.where(MASK, np.arange(T) % 2, label).astype(np.float32)
    last = (2, "softmax") if sparse else (1, "sigmoid")
    clean, junk = (network([le.GRU(3, return_sequences=True), le.Dense(*last)], loss, ["accuracy"]) for _ in range(2))
    losses = [model.train_on_batch(x, y_, mask=MASK) for model, y_ in ((clean, np.where(MASK, y, 0)), (junk, y))]
    assert losses[0] == losses[1]
    y[0, 0] = label
    with pytest.raises(ValueError, match=r"expects|y\[0\]\[0\] is nan: sample 0, step 0"):
        junk.train_on_batch(x, y, mask=MASK)


def test_targets_of_one_number_a_sequence_are_not_masked():
    x, _ = rows()
    model = network([le.LSTM(3), le.Dense(1)])
    with pytest.raises(ValueError, match=r"y\[0\] is nan: sample 0, and so are 3 more"):
        model.train_on_batch(x, np.full(N, np.nan), mask=MASK)


def test_finite_numbers_at_masked_steps_reach_layers_without_masks():
    """As in Keras: Dense computes masked steps like others."""
    x, _ = rows()
    model = network([le.Dense(2)])
    y = model.predict(x, mask=MASK, verbose=0)
    np.testing.assert_array_equal(y, model.predict(x, verbose=0))


def test_a_loop_of_ones_own_may_have_nan_at_masked_steps():
    x, _ = rows()
    model = network(next(per_step()))
    model.build((T, D))
    p, mask, tapes = model.forward(with_junk(x), mask=MASK)
    gradients = model.backward(tapes, np.where(mask[..., None], p, 0)).weights
    assert all(np.isfinite(g).all() for g in gradients.values())


def test_the_trace_of_nan_at_masked_steps_is_that_of_zeros():
    x, y = rows()
    model = network(next(per_step()))
    clean, junk = (
        model.trace(x_, y_, mask=MASK) for x_, y_ in ((cleared(x), cleared(y)), (with_junk(x), with_junk(y)))
    )
    assert clean.loss == junk.loss
    for name, g in clean.grad.items():
        np.testing.assert_array_equal(g, junk.grad[name])
