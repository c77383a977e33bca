"""to_keras and from_keras over the whole surface: a network goes there and back, and both sides train alike."""

import numpy as np
import pytest

import lstm_engine as le
from experiments import from_keras, side_by_side
from experiments.beside_keras.twins import loss_and_gradients, to_keras

keras = pytest.importorskip("keras")
rng = np.random.default_rng(0)
X, y = rng.standard_normal((16, 6, 3)).astype("float32"), rng.integers(0, 2, 16).astype("float32")
X[:, 4:] *= rng.random((16, 1, 1)) > 0.5  # half of the sequences end in two masked steps

NETWORKS = {
    "stacked": lambda: [
        le.GRU(5, return_sequences=True, kernel_regularizer="l2"),
        le.LSTM(4, go_backwards=True, use_bias=False),
    ],
    "bidirectional and masked": lambda: [
        le.Masking(),
        le.Bidirectional(le.LSTM(4, return_sequences=True), "ave"),
        le.Bidirectional(le.GRU(3, reset_after=False), merge_mode="mul"),
    ],
    "two different ways": lambda: [
        le.Bidirectional(le.LSTM(4), backward_layer=le.LSTM(4, go_backwards=True, recurrent_activation="hard_sigmoid")),
    ],
    "steps": lambda: [
        le.SimpleRNN(4, activation="relu", return_sequences=True),
        le.TimeDistributed(le.Dense(3, "softplus")),
        le.SimpleRNN(2, recurrent_regularizer=le.regularizers.L1(0.1)),
    ],
}
OPTIMIZERS = {
    "stacked": lambda: le.AdamW(1e-2, weight_decay=0.1, clipnorm=0.5),
    "bidirectional and masked": lambda: le.RMSprop(1e-2, momentum=0.5, centered=True, global_clipnorm=1.0),
    "two different ways": lambda: le.Adam(le.schedules.CosineDecay(1e-2, 20)),
    "steps": lambda: le.SGD(1e-2, momentum=0.9, nesterov=True, clipvalue=0.1),
}


def network(name):
    model = le.Sequential([*NETWORKS[name](), le.Dense(1, "sigmoid")], seed=1)
    model.compile(OPTIMIZERS[name](), "binary_crossentropy", metrics=["accuracy", le.metrics.AUC(num_thresholds=50)])
    model.build((6, 3))
    return model


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_comes_back_from_keras_as_it_was(name):
    model = network(name)
    back = from_keras(to_keras(model))
    assert [layer.name for layer in back.layers] == [layer.name for layer in model.layers]
    for ours, original in zip(back.layers, model.layers, strict=True):
        assert ours.config() == original.config()
    for option, value in model.optimizer.config().items():
        kept = back.optimizer.config()[option]
        assert kept == (value if isinstance(value, dict) else pytest.approx(value))  # Keras keeps rates in float32
    assert [m.name for m in back.metrics] == ["accuracy", "auc"]
    np.testing.assert_array_equal(back.predict(X, verbose=0), model.predict(X, verbose=0))


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_trains_as_its_twin(name):
    model = network(name)
    result = side_by_side(model, to_keras(model), X, y, steps=3, batch_size=8)
    assert result.ok, result


@pytest.mark.parametrize("name", NETWORKS)
def test_in_float64_a_twin_is_exact(name, float64_keras):
    """A batch of 16: over a power of two Keras's float32 mean is exact. 1e-9 is far from float32's 1e-7."""
    model = le.Sequential([*NETWORKS[name](), le.Dense(1, "tanh")], seed=1, dtype="float64")
    model.compile("sgd", "mean_squared_error")
    model.build((6, 3))
    _, _, theirs = loss_and_gradients(to_keras(model), X.astype("float64"), y.astype("float64"))
    _, ours = model.gradients(X, y)
    for (what, gradient), other in zip(ours.items(), theirs, strict=True):
        assert np.linalg.norm(gradient - other) <= 1e-9 * np.linalg.norm(other), what


def test_balanced_accuracy_has_no_keras_twin():
    model = le.Sequential([le.LSTM(2, input_shape=(6, 3)), le.Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy", metrics=["balanced_accuracy"])
    with pytest.raises(ValueError, match="Keras has no balanced accuracy"):
        to_keras(model)
