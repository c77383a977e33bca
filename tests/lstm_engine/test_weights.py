"""What a file keeps, so that training goes on as if it had never stopped; and what it refuses."""

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import lstm_engine as le

rng = np.random.default_rng(0)
X, y = rng.standard_normal((24, 5, 3)), rng.integers(0, 2, 24)


def model():
    m = le.Sequential(
        [
            le.Masking(np.float32(-1)),
            le.Bidirectional(le.LSTM(4, return_sequences=True, dropout=0.2, recurrent_dropout=0.3)),
            le.Dropout(0.2),
            le.GRU(3, dropout=0.1, seed=np.int64(1), kernel_regularizer=le.regularizers.L2(np.float32(0.01))),
            le.Dense(1, "sigmoid", bias_initializer=le.initializers.Constant(np.float32(0.5))),
        ],
        seed=np.int64(4),
    )
    m.compile(le.AdamW(le.schedules.CosineDecay(1e-2, 20), clipnorm=1.0), "binary_crossentropy", metrics=["AUC"])
    return m


def test_training_goes_on_from_a_file_dropout_and_all(tmp_path):
    whole, first = model(), model()
    whole.fit(X, y, epochs=3, verbose=0)
    first.fit(X, y, epochs=2, verbose=0)
    first.save(tmp_path / "m.safetensors")
    resumed = le.load(tmp_path / "m.safetensors")
    history = resumed.fit(X, y, epochs=3, initial_epoch=2, verbose=0)
    assert history.epoch == [2]
    for ours, other in zip(resumed.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, other)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.pop("optimizer/velocity/dense/bias"), "slot velocity/dense/bias is missing, the model needs"),
        (
            lambda t: t.update({"optimizer/momentum/dense/bias": np.zeros(2, "f")}),
            r"momentum/dense/bias has shape \(2,\).*\(1,\)",
        ),
    ],
)
def test_a_damaged_optimizer_is_named(tmp_path, change, words):
    from safetensors import safe_open

    path = tmp_path / "m.safetensors"
    m = model()
    m.fit(X, y, verbose=0)
    m.save(path)
    with safe_open(path, framework="numpy") as file:
        header = file.metadata()
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, header)
    with pytest.raises(ValueError, match=words):
        le.load(path)


def test_class_weights_weigh_the_training_part_alone():
    """As in Keras: what early stopping watches is not weighed."""
    m = model()
    history = m.fit(X, y, epochs=1, verbose=0, validation_split=0.25, class_weight={0: 1, 1: 9}).history
    loss, _ = m.evaluate(X[18:], y[18:], verbose=0)
    assert history["val_loss"] == [pytest.approx(loss)]
    plain = model().fit(X, y, epochs=1, verbose=0, validation_split=0.25).history
    assert history["loss"][0] > 2 * plain["loss"][0]


def test_the_padding_s_content_does_not_matter_even_when_it_is_nan():
    mask = np.arange(5) < np.array([5, 3] * 12)[:, None]
    broken = np.where(mask[..., None], X, np.nan)
    for backend in ("numpy", "numba"):
        m = le.Sequential([le.LSTM(4), le.Dense(1, "sigmoid")], seed=0, backend=backend)
        m.compile("adam", "binary_crossentropy")
        loss, gradients = m.gradients(X, y, mask=mask)
        same, also = m.gradients(broken, y, mask=mask)
        assert same == loss
        for name, gradient in gradients.items():
            np.testing.assert_array_equal(gradient, also[name])


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda m: m.fit(X, y, epochs=2.5), ValueError, "epochs must be a whole number"),
        (lambda m: m.fit(X, y, verbose="loud"), ValueError, "verbose must be"),
        (lambda m: m.fit(X, y, callbacks=le.EarlyStopping), TypeError, "instances of lstm_engine.Callback"),
        (lambda m: m.fit(X, y, validation_data=X), ValueError, "got: ndarray"),
        (lambda m: m.fit(X, y, class_weight={"a": 1}), ValueError, "from class number to weight"),
        (
            lambda m: m.fit(X, np.zeros((24, 5)), class_weight={0: 1}),
            ValueError,
            r"expects y of shape .*got \(samples, 5\)",
        ),
        (lambda m: le.losses.class_weights(np.zeros((24, 5)), {0: 1}), ValueError, "one class a sample"),
        (lambda m: m.fit(X, y, sample_weight=np.full(24, np.nan)), ValueError, r"sample_weight\[0\] is nan"),
        (lambda m: m.layers[1](np.ones((2, 4, 7))), ValueError, r"takes 3 features, got x of shape \(samples, 4, 7\)"),
        (
            lambda m: m.layers[4].set_weights([np.ones(3)]),
            ValueError,
            r"kernel \(3, 1\), bias \(1,\); got shapes \(3,\)",
        ),
        (lambda m: le.LSTM(3, name="a/b"), ValueError, "without '/'"),
        (lambda m: le.Masking("a"), ValueError, "mask_value must be a number"),
        (lambda m: le.regularizers.L2(-1), ValueError, "l2 must be a number of at least 0"),
        (lambda m: le.initializers.VarianceScaling(mode="fan"), ValueError, "mode must be one of fan_in"),
        (
            lambda m: le.Sequential([le.LSTM(2, input_shape=(4, 3)), le.TimeDistributed(le.Dense(2))]),
            ValueError,
            "return_sequences=True",
        ),
    ],
)
def test_what_does_not_fit_is_named(call, error, words):
    m = model()
    m.build((5, 3))
    with pytest.raises(error, match=words):
        call(m)


def test_a_list_is_refused_by_a_layer_that_returns_it_in_reverse():
    m = le.Sequential([le.LSTM(2, return_sequences=True, go_backwards=True), le.LSTM(2)])
    with pytest.raises(ValueError, match="lstm returns sequences in reverse"):
        m.predict([X[0], X[1, :3]])
    m.predict(X, verbose=0)
    le.Sequential([le.LSTM(2, go_backwards=True)]).predict([X[0], X[1, :3]], verbose=0)


def test_untruncated_draws_reach_beyond_two_deviations():
    drawn = le.initializers.VarianceScaling(1.0, "fan_in", "untruncated_normal").draw((100, 400), rng) * 10
    assert abs(drawn.std() - 1) < 0.02
    assert np.abs(drawn).max() > 3
