"""A call that fails changes nothing: weights, optimizer, generators, states, history and counts are what they were."""

import copy

import numpy as np
import pytest

import lstm_engine as le

rng = np.random.default_rng(0)
N, T, D = 8, 4, 3
X, y = rng.standard_normal((N, T, D)), rng.integers(0, 2, N)


def model():
    """Stateful, with dropout, compiled and trained: everything that a call could move."""
    m = le.Sequential(
        [le.LSTM(3, stateful=True, dropout=0.2, recurrent_dropout=0.2, return_sequences=True), le.Dropout(0.3), le.GRU(2),
         le.Dense(1, "sigmoid")],
        seed=0, backend="numpy",
    )  # fmt: skip
    m.compile(le.Adam(0.01), "binary_crossentropy", metrics=["accuracy", "AUC"])
    m.fit(X, y, epochs=2, batch_size=N, verbose=0)
    return m


def everything(m):
    """Copies of all that a model is."""
    return {
        "weights": m.get_weights(),
        "optimizer": (type(m.optimizer).__name__, m.optimizer.iterations, m.optimizer.learning_rate),
        "slots": copy.deepcopy(m.optimizer.slots),
        "loss": m.loss.name,
        "metrics": [metric.name for metric in m.metrics],
        "generators": [part.rng.bit_generator.state for part in m.parts.values()],
        "states": [getattr(part, "states", None) for part in m.parts.values()],
        "layers": [(type(layer).__name__, layer.name, layer.built) for layer in m.layers],
        "history": copy.deepcopy(m.history.history),
        "counts": (m.epochs_done, m.stop_training, m.input_shape, m.metadata),
        "next order": m.epoch_rng().random(),
    }


class Stops(le.Callback):
    def on_train_begin(self, logs):
        raise ValueError("stops before the first step")


class Unheard(le.Callback):
    def on_predict_begin(self, logs): ...


class Broken(le.layers.Layer):
    def forward(self, x, training=False, mask=None, initial_state=None, taped=True):
        return x, [], None

    def initial_weights(self, input_shape, rng):
        raise ValueError("no weights for you")


def wrong_stream(m):
    plain = le.Sequential([le.LSTM(3), le.Dense(1)], seed=0)
    plain.build((T, D))
    plain.stream().step(np.ones((2, D)))


NAN = np.full(N, np.nan)
CALLS = {
    "add: another layer's width": lambda m: m.add(le.LSTM(2)),
    "add: a name twice": lambda m: m.add(le.Dense(2, name="dense")),
    "add: no layer": lambda m: m.add("dense"),
    "add: a layer that cannot be built": lambda m: m.add(Broken()),
    "build: another width": lambda m: m.build((T, D + 1)),
    "compile: optimizer": lambda m: m.compile("adamm", "mse"),
    "compile: loss": lambda m: m.compile("sgd", "msee"),
    "compile: metric": lambda m: m.compile("sgd", "mse", metrics=["accuracy", "acuracy"]),
    "set_weights: one too few": lambda m: m.set_weights(m.get_weights()[:-1]),
    "set_weights: the last one's shape": lambda m: m.set_weights([*(w + 1 for w in m.get_weights()[:-1]), np.ones(9)]),
    "load_weights: no file": lambda m: m.load_weights("nowhere.weights.h5"),
    "fit: width": lambda m: m.fit(X[..., :2], y, verbose=0),
    "fit: numbers of samples": lambda m: m.fit(X, y[:-1], verbose=0),
    "fit: shape of y": lambda m: m.fit(X, np.ones((N, 2)), verbose=0),
    "fit: y outside [0, 1]": lambda m: m.fit(X, y + 1, verbose=0),
    "fit: y outside [0, 1] in a later batch": lambda m: m.fit(X, np.where(np.arange(N) == N - 1, 2, y), 4, verbose=0),
    "fit: shape of sample_weight": lambda m: m.fit(X, y, sample_weight=np.ones((N, 3)), verbose=0),
    "fit: NaN in sample_weight": lambda m: m.fit(X, y, sample_weight=NAN, verbose=0),
    "fit: class_weight": lambda m: m.fit(X, y, class_weight={"a": 1}, verbose=0),
    "fit: mask": lambda m: m.fit(X, y, mask=np.ones((N, T + 1)), verbose=0),
    "fit: epochs": lambda m: m.fit(X, y, epochs=0, verbose=0),
    "fit: batch_size": lambda m: m.fit(X, y, batch_size=0, verbose=0),
    "fit: verbose": lambda m: m.fit(X, y, verbose=7),
    "fit: order": lambda m: m.fit(X, y, order=[[[0, N]]], verbose=0),
    "fit: validation_split": lambda m: m.fit(X, y, validation_split=1.0, verbose=0),
    "fit: validation y": lambda m: m.fit(X, y, N, validation_data=(X, np.ones((N, 2))), verbose=0),
    "fit: validation x": lambda m: m.fit(X, y, N, validation_data=(X[..., :1], y), verbose=0),
    "fit: validation y of another kind": lambda m: m.fit(X, y, N, validation_data=(X, y + 5), verbose=0),
    "fit: no callback": lambda m: m.fit(X, y, callbacks=[print], verbose=0),
    "fit: a hook that is never called": lambda m: m.fit(X, y, callbacks=[Unheard()], verbose=0),
    "fit: a callback that raises first": lambda m: m.fit(X, y, callbacks=[Stops()], verbose=0),
    "fit: a batch size that the kept states do not have": lambda m: m.fit(X, y, batch_size=4, verbose=0),
    "train_on_batch: shape of y": lambda m: m.train_on_batch(X, np.ones((N, 2))),
    "train_on_batch: width": lambda m: m.train_on_batch(X[..., :2], y),
    "train_on_batch: kept states": lambda m: m.train_on_batch(X[:4], y[:4]),
    "evaluate: shape of y": lambda m: m.evaluate(X, np.ones((N, 2)), verbose=0),
    "evaluate: kept states": lambda m: m.evaluate(X[:3], y[:3], verbose=0),
    "predict: no features": lambda m: m.predict(X[..., 0], verbose=0),
    "predict: kept states": lambda m: m.predict(X[:3], verbose=0),
    "predict: words": lambda m: m.predict([["a"]], verbose=0),
    "gradients: shape of y": lambda m: m.gradients(X, np.ones((N, 2))),
    "trace: width": lambda m: m.trace(X[..., :1]),
    "gradcheck: float32": lambda m: le.gradcheck(m, X, y),
    "call: width": lambda m: m(X[..., :1]),
    "stream: stateful shape": wrong_stream,
    "twin: no kernel": lambda m: m.twin("float16", "numba"),
}


@pytest.fixture(scope="module")
def trained():
    return model()


@pytest.mark.parametrize("call", CALLS)
def test_a_call_that_fails_changes_nothing(trained, call):
    m = trained
    before = everything(m)
    with pytest.raises((ValueError, TypeError, OSError)):
        CALLS[call](m)
    after = everything(m)
    for what, value in before.items():
        assert np.array_equal(value, after[what]) if isinstance(value, float) else same(value, after[what]), what


def same(a, b):
    if isinstance(a, np.ndarray):
        return np.array_equal(a, b)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return a == b


def test_a_metric_that_cannot_count_is_found_before_the_weights_move():
    m = le.Sequential([le.LSTM(3), le.Dense(3, "softmax")], seed=0, backend="numpy")
    m.compile("adam", "sparse_categorical_crossentropy", metrics=["AUC"])
    m.build((T, D))
    before = m.get_weights()
    with pytest.raises(ValueError, match="AUC compares y with every output"):
        m.train_on_batch(X, rng.integers(0, 3, N))
    assert m.optimizer.iterations == 0
    assert same(m.get_weights(), before)


def test_a_network_whose_third_layer_cannot_be_built_is_as_before():
    m = le.Sequential([le.LSTM(3), le.Dense(2), Broken()], seed=0, backend="numpy")
    with pytest.raises(ValueError, match="no weights for you"):
        m.build((T, D))
    assert [layer.built for layer in m.layers] == [False] * 3
    assert m.input_shape is None
    m = le.Sequential(m.layers[:2], seed=0, backend="numpy")
    m.build((T, D))
    other = le.Sequential([le.LSTM(3), le.Dense(2)], seed=0, backend="numpy")
    other.build((T, D))
    assert same(m.get_weights(), other.get_weights())


def test_what_was_trained_before_a_late_failure_stays():
    class Late(le.Callback):
        def on_epoch_end(self, epoch, logs):
            if epoch == 1:
                raise ValueError("in the second epoch")

    m = model()
    m.reset_states()
    done, steps = m.epochs_done, m.optimizer.iterations
    with pytest.raises(ValueError, match="second epoch"):
        m.fit(X, y, epochs=4, batch_size=N, verbose=0, callbacks=[Late()])
    assert (m.epochs_done, m.optimizer.iterations) == (done + 2, steps + 2)
    assert m.history.history["loss"][0] > 0
