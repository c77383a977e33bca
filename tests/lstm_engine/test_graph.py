"""Graphs: several inputs and outputs, states handed from layer to layer, shared layers."""

import copy
import pickle

import numpy as np
import pytest

import lstm_engine as le
from lstm_engine.graph import Edge

N, S, T, D, H = 4, 5, 3, 2, 3


def encoder_and_decoder(**how):
    """The tutorial's network: the encoder's last states are the decoder's first; the decoder answers every step."""
    source, target = le.Input((S, D), name="source"), le.Input((T, D), name="target")
    _, h, c = le.LSTM(H, return_state=True, name="encoder")(source)
    decoder, head = le.LSTM(H, return_sequences=True, return_state=True, name="decoder"), le.Dense(D, name="head")
    y, _, _ = decoder(target, initial_state=[h, c])
    model = le.Model([source, target], head(y), seed=0, **how)
    return model, decoder, head


def two_heads(**how):
    """One LSTM read by two outputs, and one Dense called twice."""
    x, z = le.Input((T, D), name="x"), le.Input((D,), name="z")
    _, h, c = le.LSTM(H, return_state=True, name="lstm")(x)
    shared = le.Dense(2, activation="tanh", name="shared")
    last = le.Dense(1, name="last")
    return le.Model([x, z], [last(shared(h)), shared(c), le.Dense(1, name="of_z")(z)], seed=0, **how)


def data(model, seed=0):
    rng = np.random.default_rng(seed)
    x = [rng.standard_normal((N, *shape)) for shape in model.input_shape]
    p = model.predict(x, verbose=0)
    y = [rng.standard_normal(a.shape) for a in p] if isinstance(p, list) else rng.standard_normal(p.shape)
    return x, y


@pytest.mark.parametrize("make", [lambda: encoder_and_decoder(dtype="float64")[0], lambda: two_heads(dtype="float64")])
def test_every_gradient_of_a_graph_is_that_of_the_complex_step(make):
    model = le.gradient_check.unit_scale(make())
    x, y = data(model)
    model.compile("adam", "mse")
    report = le.gradcheck(model, x, y, elements=None)
    assert report.ok
    assert report.max_rel_error < 1e-13
    names = {row.parameter for row in report.rows}
    assert {f"x/{name}" for name in model.graph.inputs} <= names


def test_the_gradient_of_a_layer_with_two_readers_is_the_sum_of_theirs(rel):
    model = two_heads(dtype="float64")
    x, y = data(model)
    parts = []
    for weights in ([1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 1.0, 0.0]):
        model.compile("sgd", "mse", loss_weights=weights)
        parts.append(model.gradients(x, y)[1])
    for name in ("lstm/kernel", "shared/kernel"):
        assert rel(parts[0][name] + parts[1][name], parts[2][name]) < 1e-15
        assert np.linalg.norm(parts[0][name]) > 0 < np.linalg.norm(parts[1][name])


def test_an_encoder_and_a_decoder_answer_step_by_step_as_the_whole_model_does():
    model, decoder, head = encoder_and_decoder()
    x, _ = data(model)
    encoder = le.Model(model.input[0], model.layers[2].output[1:])
    states = [le.Input((H,)), le.Input((H,))]
    step = le.Input((1, D))
    y, h, c = decoder(step, initial_state=states)
    stepper = le.Model([step, *states], [head(y), h, c])
    h, c = encoder.predict(x[0], verbose=0)
    answers = []
    for t in range(T):
        y, h, c = stepper.predict([x[1][:, t : t + 1], h, c], verbose=0)
        answers.append(y)
    np.testing.assert_allclose(np.concatenate(answers, axis=1), model.predict(x, verbose=0), rtol=0, atol=1e-6)
    model.compile("sgd", "mse")
    before = encoder.predict(x[0], verbose=0)[0]
    model.fit(x, answers[0].repeat(T, axis=1), verbose=0)  # the layers are shared: what is trained here changes there
    assert np.abs(encoder.predict(x[0], verbose=0)[0] - before).max() > 0


def test_layers_and_weights_have_keras_order_and_logs_keras_names():
    model = two_heads()
    assert [layer.name for layer in model.layers] == ["x", "lstm", "shared", "z", "last", "of_z"]
    x, y = data(model)
    model.compile("sgd", {"last": "mse", "shared": "mse", "of_z": "mse"}, metrics={"of_z": ["accuracy"]})
    logs = model.evaluate(dict(zip("xz", x, strict=True)), y, verbose=0, return_dict=True)
    assert list(logs) == ["loss", "last_loss", "shared_loss", "of_z_loss", "of_z_accuracy"]
    assert model.evaluate(x, y, verbose=0) == list(logs.values())
    assert model.train_on_batch(x, y, return_dict=True) == pytest.approx(logs)


def test_evaluate_lists_the_metrics_in_compile_s_order_and_those_of_several_outputs_by_name():
    """As Keras 3.15 on JAX does."""
    row = le.Sequential([le.Input((2,)), le.Dense(1)])
    row.compile("sgd", "mse", metrics=["mse", "mae"])
    assert row.metrics_names == ["loss", "mse", "mae"]
    model = two_heads()
    model.compile("sgd", "mse", metrics=[["mse", "mae"], None, ["mae"]])
    names = ["loss", "last_loss", "shared_loss", "of_z_loss", "last_mae", "last_mse", "of_z_mae"]
    assert model.metrics_names == names
    x, y = data(model)
    logs = model.evaluate(x, y, verbose=0, return_dict=True)
    assert model.evaluate(x, y, verbose=0) == [logs[name] for name in names]


def test_a_saved_graph_loads_and_goes_on(tmp_path):
    model = two_heads()
    x, y = data(model)
    model.compile("adam", "mse", loss_weights=[1.0, 0.5, 0.0], metrics=[["accuracy"], None, None])
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "m.safetensors")
    again = le.load(tmp_path / "m.safetensors")
    for one, other in zip(model.predict(x, verbose=0), again.predict(x, verbose=0), strict=True):
        np.testing.assert_array_equal(one, other)
    assert model.fit(x, y, verbose=0).history == again.fit(x, y, verbose=0).history


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model)), lambda m: m.twin("float32")]
)
def test_a_copy_of_a_graph_is_the_same_network_with_its_own_weights(copied):
    model, _, _ = encoder_and_decoder()
    x, _ = data(model)
    other = copied(model)
    np.testing.assert_allclose(other.predict(x, verbose=0), model.predict(x, verbose=0), rtol=0, atol=1e-6)
    other.weights["head/bias"][:] = 7.0
    assert not np.any(model.weights["head/bias"] == 7.0)
    assert other.output.shape == model.output.shape


def test_the_trace_of_a_graph_has_every_call_of_a_layer():
    x = le.Input((T, D))
    shared = le.LSTM(H, return_sequences=True, name="lstm")
    model = le.Model(x, shared(le.Dense(D)(shared(le.Dense(D)(x)))), seed=0, dtype="float64") if D == H else None
    model = model or le.Model(
        x, shared(le.Dense(D, name="b")(shared(le.Dense(D, name="a")(x)))), seed=0, dtype="float64"
    )
    model.compile("sgd", "mse")
    X = np.random.default_rng(0).standard_normal((N, T, D))
    trace = model.trace(X, np.zeros((N, T, H)))
    assert list(trace.layers) == ["lstm", "lstm@2"]
    np.testing.assert_array_equal(trace["lstm@2"].h, trace.p)
    of_W = sum(
        np.einsum("ntd,ntg->dg", part.x, part.grad.z_f) for part in trace.layers.values()
    )  # the sum of both calls
    np.testing.assert_allclose(of_W, trace.grad["lstm/kernel"][:, H : 2 * H], rtol=1e-13)


def test_arrays_that_are_given_stand_in_for_a_node():
    model = two_heads()
    x, _ = data(model)
    x = [a.astype("float32") for a in x]
    h = np.ones((N, H), "float32")
    p, _, _ = model.forward(x, given={Edge("lstm", 1): (h, None)})
    np.testing.assert_array_equal(p[0], model.layers[4](model.layers[2](h)))
    np.testing.assert_array_equal(p[1], model.forward(x)[0][1])


def wrong_input():
    return le.Model(le.Input((T, D)), le.Dense(1)(le.Input((T, D))))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (wrong_input, ValueError, "not among the model's inputs"),
        (lambda: le.Model(le.Input((T, D)), np.ones(3)), TypeError, "inputs and outputs are Tensors"),
        (lambda: le.Input((T, D)) + 1, TypeError, "takes no arithmetic"),
        (lambda: np.ones(3) + le.Input((T, D)), TypeError, "takes no arithmetic"),
        (lambda: np.tanh(le.Input((T, D))), TypeError, "Tensor"),
        (lambda: le.LSTM(H)([le.Input((T, D)), le.Input((T, D))]), ValueError, "reads one Tensor, got 2"),
        (lambda: le.LSTM(H)(le.LSTM(H)(le.Input((T, D)))), ValueError, "return_sequences=True"),
        (lambda: le.LSTM(H)(le.Input((T, D)), initial_state=[le.Input((H,))]), ValueError, "needs initial states of shapes"),
        (lambda: le.Dense(H)(le.Input((T, D)), initial_state=[le.Input((H,))]), TypeError, "has no states"),
        (lambda: le.LSTM(H)(le.Input((T, D)), mask=np.ones((1, T))), TypeError, "takes no mask="),
        (lambda: le.layers.Add()([le.Input((T, D))] * 2, mask=[None] * 2), TypeError, "takes no mask="),
        (lambda: le.Dropout(0.5)(le.Input((T, D)), training=True), TypeError, "fit drops, predict does not"),
        (lambda: le.Bidirectional(le.LSTM(H, dropout=0.5))(le.Input((T, D)), training=False), TypeError, "fit drops"),
        (lambda: le.LSTM(H)(le.Input((T, D)), initial_state=[np.ones((1, H))] * 2), TypeError, "Tensors alone, or arrays"),
    ],
)  # fmt: skip
def test_a_graph_that_cannot_be_made_is_named(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_data_that_do_not_fit_the_inputs_are_named():
    model = two_heads()
    x, y = data(model)
    model.compile("sgd", "mse")
    for bad, words in (
        (x[0], "list of 2 arrays"),
        ({"x": x[0]}, "inputs are x, z"),
        ([x[0], x[1][:2]], "same number of samples, got x 4, z 2"),
        ([x[0], x[1][:, :1]], r"\(samples, 2\), got \(samples, 1\)"),
    ):
        with pytest.raises(ValueError, match=words):
            model.fit(bad, y, verbose=0)
    with pytest.raises(ValueError, match=r"one item for each of the outputs last, shared, of_z, got \[an array \(4, "):
        model.fit(x, y[:2], verbose=0)
    with pytest.raises(ValueError, match="mask must be a list, one or None for each of the inputs x, z"):
        model.predict(x, mask=np.ones((4, T)), verbose=0)


def test_the_summary_says_what_each_node_reads(capsys):
    encoder_and_decoder()[0].summary()
    lines = capsys.readouterr().out.splitlines()
    assert "Connected to" in lines[0]
    (decoder,) = [line for line in lines if line.startswith("decoder")]
    assert decoder.endswith("target, encoder[1], encoder[2]")


@pytest.mark.parametrize("after", [False, True])
def test_a_layer_that_is_not_trainable_keeps_its_weights_and_its_penalties_do_not_count(after, tmp_path, rel):
    frozen = le.LSTM(H, kernel_regularizer="l2", trainable=after)
    model = le.Sequential([le.Input((T, D)), frozen, le.Dense(1)], seed=0)
    frozen.trainable = False  # as scripts do it after the model is made
    model.compile(le.Adam(0.1), "mse")
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((N, T, D)), rng.standard_normal((N, 1))
    before = model.get_weights()
    loss = model.fit(X, y, verbose=0).history["loss"][0]
    for old, new in zip(before[:3], model.get_weights()[:3], strict=True):
        np.testing.assert_array_equal(new, old)
    assert rel(model.weights["dense/kernel"], before[3]) > 0.01
    head = le.Sequential([le.Input((H,)), le.Dense(1)])
    head.set_weights(before[3:])
    head.compile("sgd", "mse")
    assert loss == pytest.approx(head.evaluate(frozen(X.astype("float32")), y, verbose=0), rel=1e-6)
    model.save(tmp_path / "m.safetensors")
    assert not le.load(tmp_path / "m.safetensors").layers[0].trainable


def test_every_layer_without_arguments_of_its_own_is_saved(tmp_path):
    a = le.Input((3, 4))
    x = [layer([a, a]) for layer in (le.layers.Add(), le.layers.Average(), le.layers.Multiply(), le.layers.Maximum())]
    x = [*x, le.layers.Subtract()([a, a]), le.layers.Minimum()([a, a]), le.layers.Concatenate()([a, a])]
    model = le.Model(a, le.layers.Flatten()(le.layers.Concatenate()(x)))
    model.save(tmp_path / "model.npz")
    again = le.load(tmp_path / "model.npz")
    rows = np.random.default_rng(0).normal(size=(2, 3, 4))
    assert np.array_equal(again.predict(rows, verbose=0), model.predict(rows, verbose=0))


def by_names(*names):
    """A model whose outputs are a dict with these names in this order."""
    x = le.Input((T, D))
    of = {"b": le.Dense(1, name="b")(x), "a": le.Dense(2, name="a")(x)}
    return le.Model(x, {name: of[name] for name in names}, seed=0)


def test_a_dict_of_outputs_is_read_in_the_order_of_the_names_and_comes_back_as_a_dict():
    model = by_names("b", "a")
    assert list(model.weights) == list(by_names("a", "b").weights) == ["a/kernel", "a/bias", "b/kernel", "b/bias"]
    x = np.ones((2, T, D), "float32")
    called, predicted = model(x), model.predict(x, verbose=0)
    assert list(called) == list(predicted) == ["a", "b"]
    assert all(np.array_equal(called[name], predicted[name]) for name in "ab")
    x = le.Input((T, D))
    assert {name: item.shape for name, item in model(x).items()} == {"a": (None, T, 2), "b": (None, T, 1)}
    model.compile("sgd", {"a": "mse", "b": "mae"}, metrics=[])
    assert model.metrics_names == ["loss", "a_loss", "b_loss"]
    with pytest.raises(ValueError, match="loss has a, the model's outputs are a, b: give each one"):
        model.compile("sgd", {"a": "mse"})


def test_a_sequential_without_weights_is_built_by_the_tensor_that_it_is_called_on():
    row = le.Sequential([le.LSTM(H, return_sequences=True), le.LSTM(2)], seed=0)
    x = le.Input((T, D))
    model = le.Model(x, le.Dense(1)(row(x)), seed=0)
    rows = np.ones((2, T, D), "float32")
    assert np.array_equal(model.predict(rows, verbose=0), model.layers[-1](row.predict(rows, verbose=0)))
    with pytest.raises(ValueError, match="called on 1, input_layer, got 2"):
        row([x, x])


def test_evaluate_returns_the_metrics_of_one_output_in_the_order_of_compile():
    x = le.Input((D,))
    model = le.Model(x, le.Dense(1)(x), seed=0)
    model.compile("sgd", "mse", metrics=["mse", "mae", "accuracy"])
    rows, y = np.ones((3, D)), np.zeros((3, 1))
    logs = model.evaluate(rows, y, verbose=0, return_dict=True)
    assert model.evaluate(rows, y, verbose=0) == [logs[name] for name in ("loss", "mse", "mae", "accuracy")]


def test_a_call_without_dropout_may_say_training_and_a_model_is_called_on_a_dict_of_tensors():
    x, z = le.Input((T, D), name="x"), le.Input((2,), name="z")
    inner = le.Model([x, z], le.layers.Concatenate()([le.LSTM(H)(x, training=False), z]), seed=0)
    inner.compile("sgd", "mse", loss_weights=[np.float32(2)])
    assert inner.targets[0].weight == 2.0
    b, a = le.Input((2,), name="b"), le.Input((T, D), name="a")
    outer = le.Model([a, b], inner({"z": b, "x": a}), seed=0)
    rows = [np.ones((2, T, D)), np.ones((2, 2))]
    assert np.array_equal(outer.predict(rows, verbose=0), inner.predict(rows, verbose=0))
    with pytest.raises(ValueError, match="x has z, the model's inputs are x, z"):
        inner({"z": b})
    with pytest.raises(ValueError, match=r"x has a, and the model no named inputs yet: .* Input\(shape, name=...\)"):
        le.Sequential([le.LSTM(2)]).predict({"a": np.ones((1, 3, 2))})


def test_the_weight_of_one_loss_is_a_number_or_a_list_and_is_saved(tmp_path):
    x = le.Input((D,))
    model = le.Model(x, le.Dense(1)(x), seed=0)
    rows, y = np.ones((2, D)), np.zeros((2, 1))
    model.compile("sgd", "mse")
    once = model.evaluate(rows, y, verbose=0)
    for weight in (2.0, [2.0]):
        model.compile("sgd", "mse", loss_weights=weight)
        assert model.evaluate(rows, y, verbose=0) == 2 * once
    for name in ("m.npz", "m.keras"):
        model.save(tmp_path / name)
        assert le.load_model(tmp_path / name).evaluate(rows, y, verbose=0) == 2 * once
