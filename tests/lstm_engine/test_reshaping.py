"""Flatten, Reshape, Permute, RepeatVector: where every number goes, and what stands at each gradient."""

import warnings

import numpy as np
import pytest

import lstm_engine as le
from lstm_engine.gradient_check import unit_scale

X = np.random.default_rng(0).standard_normal((4, 2, 3))
LAYERS = {
    "Flatten": (lambda: le.Flatten(), X, X.reshape(4, 6)),
    "Reshape": (lambda: le.Reshape((3, 2)), X, X.reshape(4, 3, 2)),
    "Reshape with -1": (lambda: le.Reshape((-1, 1, 3)), X, X.reshape(4, 2, 1, 3)),
    "Permute": (lambda: le.Permute((2, 1)), X, X.transpose(0, 2, 1)),
    "Permute of three": (lambda: le.Permute((3, 1, 2)), X[..., None], X[..., None].transpose(0, 3, 1, 2)),
    "RepeatVector": (lambda: le.RepeatVector(3), X[:, 0], np.stack([X[:, 0]] * 3, axis=1)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_every_number_goes_where_it_belongs(name):
    make, x, expected = LAYERS[name]
    y = make()(x)
    np.testing.assert_array_equal(y, expected)
    assert make().output_shape(x.shape[1:]) == y.shape[1:]
    kept = x.copy()
    y += 1  # y is a new array
    np.testing.assert_array_equal(x, kept)


@pytest.mark.parametrize("name", LAYERS)
def test_the_gradient_leads_back(name):
    """These layers are linear: <dy, f(v)> = <dx, v> for every v."""
    make, x, expected = LAYERS[name]
    layer, rng = make(), np.random.default_rng(1)
    _, _, tape = layer.forward(x)
    dy, v = rng.standard_normal(expected.shape), rng.standard_normal(x.shape)
    dx, states, gradients = layer.backward(tape, dy)
    assert dx.shape == x.shape
    assert not states
    assert not gradients
    assert (dy * layer.forward(v)[0]).sum() == pytest.approx((dx * v).sum(), rel=1e-13)


@pytest.mark.parametrize("name", LAYERS)
def test_a_mask_ends_here_with_a_warning_as_in_keras(name):
    make, x, _ = LAYERS[name]
    with pytest.warns(UserWarning, match="got steps with a mask and drops it"):
        assert make().output_mask(x, np.ones(x.shape[:2], bool)) is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert make().output_mask(x, None) is None


@pytest.mark.parametrize("name", LAYERS)
def test_a_stream_is_refused_by_name(name):
    make, x, _ = LAYERS[name]
    net = le.Sequential([le.Input(x.shape[1:]), make()])
    with pytest.raises(ValueError, match=f"{type(make()).__name__}.*lays out a whole sequence"):
        net.stream()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: le.Reshape((4, 2))(X), r"reshape makes \(samples, 4, 2\) of 6 numbers a sample.*\(samples, 2, 3\)"),
        (lambda: le.Reshape((-1, 4))(X), r"\(samples, -1, 4\) of 6 numbers"),
        (lambda: le.Reshape((-1, -1)), "one may be -1"),
        (lambda: le.Reshape((0, 2)), "target_shape"),
        (lambda: le.Reshape(6), "target_shape"),
        (lambda: le.Permute((1, 3)), "counted from 1"),
        (lambda: le.Permute((0, 1)), "counted from 1"),
        (lambda: le.Permute((2, 1))(X[:, 0]), r"dims \(2, 1\), but X is \(samples, 3\)"),
        (lambda: le.RepeatVector(3)(X), r"\(samples, features\), but X is \(samples, 2, 3\).*return_sequences=False"),
        (lambda: le.RepeatVector(0), "RepeatVector's n"),
        (lambda: le.Flatten("channels_first"), "channels_last"),
        (lambda: le.Sequential([le.Input((None, 3)), le.Flatten(), le.Dense(1)]), "sequences of one length"),
        (lambda: le.Sequential([le.Input((None, 3)), le.Permute((2, 1)), le.LSTM(1)]), "sequences of one length"),
        (lambda: le.Sequential([le.Input((None, 3)), le.Reshape((2, -1)), le.GRU(1)]), "sequences of one length"),
    ],
)
def test_what_does_not_fit_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_steps_may_be_any_number_where_a_reshape_keeps_them():
    net = le.Sequential([le.Input((None, 6)), le.Reshape((-1, 3)), le.LSTM(2)], dtype="float64")
    x = np.random.default_rng(2).standard_normal((2, 3, 6))
    np.testing.assert_array_equal(net.predict(x, verbose=0), net.layers[1].forward(x.reshape(2, 6, 3))[0])
    assert net.predict(x[:, :1], verbose=0).shape == (2, 2)


def test_a_flattened_sequence_of_another_length_is_refused_with_both_shapes():
    net = le.Sequential([le.LSTM(4, return_sequences=True, input_shape=(5, 3)), le.Flatten(), le.Dense(1)])
    with pytest.raises(ValueError, match=r"\(samples, 5, 3\), got \(samples, 4, 3\): <Dense dense> takes 20 features"):
        net.predict(np.ones((2, 4, 3)), verbose=0)


def test_an_encoder_and_decoder_are_proved_and_kept_in_a_file(tmp_path):
    """The addition example's network: the last state, repeated, decoded, and a Dense at every step."""
    net = le.Sequential(
        [le.LSTM(4, input_shape=(5, 3)), le.RepeatVector(3), le.LSTM(4, return_sequences=True),
         le.TimeDistributed(le.Dense(2)), le.Activation("softmax")], dtype="float64",
    )  # fmt: skip
    net.compile("adam", "categorical_crossentropy")
    x, y = (
        np.random.default_rng(3).standard_normal((4, 5, 3)),
        np.eye(2)[np.random.default_rng(4).integers(0, 2, (4, 3))],
    )
    assert le.gradcheck(unit_scale(net), x, y, tol=1e-13).ok
    net.fit(x, y, verbose=0)
    net.save(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(le.load(tmp_path / "m.safetensors").predict(x, verbose=0), net.predict(x, verbose=0))
    assert net.trace(x, y).by_now is None  # no step of the decoder is the answer to the input's beginning


def test_a_mask_does_not_reach_the_decoder():
    net = le.Sequential([le.GRU(4, input_shape=(5, 3)), le.RepeatVector(2), le.GRU(2)], dtype="float64")
    x, mask = np.random.default_rng(5).standard_normal((4, 5, 3)), np.arange(5) < np.array([[1], [3], [5], [2]])
    np.testing.assert_allclose(net(x, mask=mask)[0], net(x[:1, :1])[0], rtol=1e-13)


def test_a_stream_lays_out_a_step_anew_and_has_the_weights_of_its_beginning():
    layers = [le.TimeDistributed(le.Dense(4, input_shape=(3,))), le.TimeDistributed(le.Reshape((2, 2)))]
    layers += [le.TimeDistributed(le.Flatten()), le.SimpleRNN(2)]
    net = unit_scale(le.Sequential([le.Input((5, 3)), *layers], dtype="float64"))
    x = np.random.default_rng(9).standard_normal((4, 5, 3))
    expected, stream = net.predict(x, verbose=0), net.stream(batch=4)
    for w in net.weights.values():
        w += 1.0
    for t in range(5):
        y = stream.step(x[:, t])
    np.testing.assert_allclose(y, expected, rtol=1e-12)


@pytest.mark.parametrize("activation", ["tanh", "relu", "softmax", None])
def test_an_activation_by_itself_is_that_of_a_dense(activation):
    apart = le.Sequential([le.Dense(3, input_shape=(2, 3)), le.Activation(activation)], seed=0, dtype="float64")
    whole = le.Sequential([le.Dense(3, activation, input_shape=(2, 3))], seed=0, dtype="float64")
    whole.set_weights(apart.get_weights())
    y = np.random.default_rng(6).standard_normal((4, 2, 3))
    results = []
    for net in (apart, whole):
        net.compile("sgd", "mse")
        loss, gradients = net.gradients(X, y)
        results.append([loss, *gradients.values()])
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match="'swish' is not in the engine"):
        le.Activation("swish")


INSIDE = {
    "Flatten": (lambda: le.Flatten(), (2, 3), (6,)),
    "Reshape": (lambda: le.Reshape((3, -1)), (2, 3), (3, 2)),
    "Permute": (lambda: le.Permute((2, 1)), (2, 3), (3, 2)),
    "RepeatVector": (lambda: le.RepeatVector(2), (3,), (2, 3)),
    "LayerNormalization": (lambda: le.LayerNormalization([1, 2]), (2, 3), (2, 3)),
    "Activation": (lambda: le.Activation("tanh"), (2, 3), (2, 3)),
    "Embedding": (lambda: le.Embedding(2, 3), (2,), (2, 3)),
}


@pytest.mark.parametrize("name", INSIDE)
def test_a_time_distributed_layer_treats_every_step_by_itself(name):
    make, step, out = INSIDE[name]
    outer = le.TimeDistributed(make())
    outer.build((5, *step), "float64", "numpy", np.random.default_rng(0))
    assert outer.output_shape((5, *step)) == (5, *out)
    x = np.random.default_rng(7).standard_normal((4, 5, *step))
    x = (x > 0).astype(float) if name == "Embedding" else x
    y, _, tape = outer.forward(x)
    for t in range(5):
        np.testing.assert_allclose(y[:, t], outer.layer.forward(x[:, t])[0], rtol=1e-14)
    dy = np.random.default_rng(8).standard_normal(y.shape)
    dx, _, gradients = outer.backward(tape, dy)
    assert (dx is None) == (name == "Embedding")
    parts = [outer.layer.backward(outer.layer.forward(x[:, t])[2], dy[:, t]) for t in range(5)]
    if dx is not None:
        np.testing.assert_allclose(dx, np.stack([part[0] for part in parts], axis=1), rtol=1e-12, atol=1e-14)
    for key, g in gradients.items():
        np.testing.assert_allclose(g, sum(part[2][key] for part in parts), rtol=1e-12, atol=1e-14)
