"""from_keras: the engine's twin of a live Keras model, and the refusal of everything that it could not copy faithfully."""

import numpy as np
import pytest

import lstm_engine as le
from experiments import from_keras, side_by_side
from experiments.beside_keras.twins import keras_slots, to_keras

keras = pytest.importorskip("keras")
from keras import layers, losses, metrics, optimizers  # noqa: E402

T, D = 5, 3
X = np.random.default_rng(0).standard_normal((8, T, D)).astype("float32")
y = np.arange(8) % 2


def keras_model(*stack, **compiled):
    """A built Keras Sequential on (T, D), compiled if any argument of compile is given."""
    model = keras.Sequential([keras.Input((T, D)), *(stack or (layers.LSTM(4), layers.Dense(1, activation="sigmoid")))])
    if compiled:
        model.compile(**({"optimizer": "adam", "loss": "binary_crossentropy"} | compiled))
    return model


@pytest.mark.parametrize(
    "stack",
    [
        lambda: (layers.LSTM(4), layers.Dense(1, activation="sigmoid")),
        lambda: (
            layers.LSTM(4, return_sequences=True),
            layers.Dropout(0.5),
            layers.LSTM(3),
            layers.Dense(2, "softmax"),
        ),
    ],
    ids=["the tutorial's", "a stack"],
)
def test_the_twin_predicts_what_the_keras_model_predicts(stack):
    theirs = keras_model(*stack())
    ours = from_keras(theirs)
    assert [layer.name for layer in ours.layers] == [layer.name for layer in theirs.layers]
    # float32 on both sides, products summed in another order
    np.testing.assert_allclose(ours.predict(X, verbose=0), np.asarray(theirs(X)), atol=1e-6)


def test_the_twin_does_not_share_its_weights_with_the_keras_model():
    theirs = keras_model()
    before = np.asarray(theirs(X))
    ours = from_keras(theirs)
    ours.set_weights([w + 1 for w in ours.get_weights()])
    np.testing.assert_array_equal(np.asarray(theirs(X)), before)


def test_engine_to_keras_and_back_is_the_same_model():
    model = le.Sequential([le.LSTM(4), le.Dropout(0.2), le.Dense(1, activation="sigmoid")], seed=3)
    model.compile(le.SGD(0.1, momentum=0.9, nesterov=True), "binary_crossentropy", metrics=["accuracy"])
    model.build((T, D))
    back = from_keras(to_keras(model))
    for ours, original in zip(back.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, original)
    np.testing.assert_array_equal(back.predict(X, verbose=0), model.predict(X, verbose=0))
    assert [layer.config() for layer in back.layers if layer.name != "dropout"] == [
        layer.config() for layer in model.layers if layer.name != "dropout"
    ]
    assert back.layers[1].rate == 0.2
    assert back.optimizer.config() == pytest.approx(model.optimizer.config())  # Keras keeps the rate in float32


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        ("adam", le.Adam()),
        (lambda: optimizers.Adam(0.01, beta_1=0.8, beta_2=0.9, epsilon=1e-4), le.Adam(0.01, 0.8, 0.9, 1e-4)),
        (lambda: optimizers.SGD(0.5, momentum=0.9, nesterov=True), le.SGD(0.5, 0.9, True)),
    ],
)
def test_optimizer_loss_and_metrics_are_carried_over(optimizer, expected):
    optimizer = optimizer if isinstance(optimizer, str) else optimizer()
    twin = from_keras(keras_model(optimizer=optimizer, loss=losses.BinaryCrossentropy(), metrics=["accuracy"]))
    assert type(twin.optimizer) is type(expected)
    assert twin.optimizer.config() == pytest.approx(expected.config())
    assert (twin.loss.name, [m.name for m in twin.metrics]) == ("binary_crossentropy", ["accuracy"])


@pytest.mark.parametrize(
    "loss",
    ["mse", "MeanSquaredError", losses.MeanSquaredError(), losses.mean_squared_error],
    ids=["name", "class name", "object", "function"],
)
def test_a_loss_may_be_a_name_an_object_or_a_function(loss):
    assert from_keras(keras_model(loss=loss)).loss.name == "mean_squared_error"


def test_the_options_of_a_loss_and_of_metrics_are_carried_over_and_back():
    loss = losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.1)
    measured = [metrics.BinaryAccuracy("right", threshold=0.25), metrics.MeanAbsoluteError(), "mse"]
    theirs = keras_model(loss=loss, metrics=measured)
    ours = from_keras(theirs)
    assert ours.loss.config() == {"from_logits": True, "label_smoothing": 0.1}
    assert ours.metrics == [
        le.metrics.BinaryAccuracy("right", threshold=0.25), le.metrics.MeanAbsoluteError(), le.metrics.get("mse"),
    ]  # fmt: skip
    expected = theirs.evaluate(X, y, verbose=0, return_dict=True)
    assert ours.evaluate(X, y, verbose=0, return_dict=True) == pytest.approx(expected, rel=1e-6)
    assert to_keras(ours).evaluate(X, y, verbose=0, return_dict=True) == pytest.approx(expected, rel=1e-6)


def test_a_model_that_was_not_compiled_gives_a_twin_that_is_not():
    assert from_keras(keras_model()).optimizer is None


def test_a_model_in_the_middle_of_its_training_goes_on_with_its_moments():
    theirs = keras_model(metrics=["accuracy"])
    theirs.fit(X, y, batch_size=4, epochs=1, verbose=0)
    ours = from_keras(theirs)
    assert ours.optimizer.iterations == 2
    assert set(ours.optimizer.slots) == set(keras_slots(theirs, list(ours.weights)))
    assert all(np.any(slot) for slot in ours.optimizer.slots.values())
    result = side_by_side(ours, theirs, X, y, steps=3, batch_size=4)
    assert result.ok, result


REFUSED_LAYERS = {
    "Conv1D": lambda: [layers.Conv1D(4, 2), layers.LSTM(4)],
    "stateful=True": lambda: [layers.LSTM(4, stateful=True)],
    "activation='silu'": lambda: [layers.LSTM(4, activation="silu")],
    "activation='gelu'": lambda: [layers.LSTM(4), layers.Dense(1, activation="gelu")],
    "kernel_regularizer=OrthogonalRegularizer": lambda: [layers.LSTM(4, kernel_regularizer="orthogonal_regularizer")],
    "bias_constraint": lambda: [layers.LSTM(4, bias_constraint="non_neg")],
    "noise_shape": lambda: [layers.LSTM(4), layers.Dropout(0.1, noise_shape=(1, 4))],
    "mixed_bfloat16": lambda: [layers.LSTM(4, dtype="mixed_bfloat16")],
    "float32, float64": lambda: [layers.LSTM(4, dtype="float64"), layers.Dense(1)],
}


@pytest.mark.parametrize("named", REFUSED_LAYERS)
def test_a_layer_that_the_engine_would_run_otherwise_is_refused_by_name(named):
    stateful = {"batch_size": 8} if named == "stateful=True" else {}
    model = keras.Sequential([keras.Input((T, D), **stateful), *REFUSED_LAYERS[named]()])
    with pytest.raises(ValueError, match=named):
        from_keras(model)


REFUSED_COMPILATIONS = {
    "Adagrad": lambda: {"optimizer": "adagrad"},
    "amsgrad=True": lambda: {"optimizer": optimizers.Adam(amsgrad=True)},
    "'hinge'": lambda: {"loss": "hinge"},
    "hinge": lambda: {"loss": losses.Hinge()},
    "ignore_class=0": lambda: {"loss": losses.SparseCategoricalCrossentropy(ignore_class=0)},
    "reduction='sum'": lambda: {"loss": losses.BinaryCrossentropy(reduction="sum")},
    "function": lambda: {"loss": lambda y, p: p},
    "curve='PR'": lambda: {"metrics": [metrics.AUC(curve="PR")]},
    "TopK": lambda: {"metrics": [metrics.TopKCategoricalAccuracy()]},
    "weighted_metrics": lambda: {"weighted_metrics": ["accuracy"]},
}


@pytest.mark.parametrize("named", REFUSED_COMPILATIONS)
def test_a_compilation_that_the_engine_would_train_otherwise_is_refused_by_name(named):
    model = keras_model(**REFUSED_COMPILATIONS[named]())
    with pytest.raises(ValueError, match=named):
        from_keras(model)


def test_a_loss_of_your_own_is_not_taken_for_keras_s_of_the_same_name():
    def binary_crossentropy(y, p):
        return p

    with pytest.raises(ValueError, match="not in the engine"):
        from_keras(keras_model(loss=binary_crossentropy))


@pytest.mark.parametrize("model", [lambda: keras.Sequential([layers.LSTM(4)]), lambda: keras.Model(), lambda: "model"])
def test_what_is_no_built_sequential_is_refused(model):
    with pytest.raises(ValueError, match=r"built keras\.Sequential"):
        from_keras(model())


def test_a_functional_model_with_shared_layers_states_and_two_outputs_trains_as_keras_does():
    a, b = keras.Input((3, 2), name="a"), keras.Input((4,), name="b")
    _, h, c = layers.LSTM(3, return_state=True, name="l")(a)
    shared = layers.Dense(3)
    y = layers.LSTM(3, return_sequences=True)(a, initial_state=[shared(h), shared(c)])
    theirs = keras.Model([a, b], [y, layers.Dense(2, name="out")(b)])
    theirs.compile("adam", ["mse", "mae"], loss_weights=[1.0, 0.5], metrics=[["mae"], ["mse"]])
    ours = from_keras(theirs)
    back = to_keras(ours)
    rng = np.random.default_rng(0)
    x = [rng.standard_normal((8, *shape)) for shape in ((3, 2), (4,))]
    targets = [rng.standard_normal((8, *shape)) for shape in ((3, 3), (2,))]
    for p, q, r in zip(*(m.predict(x, verbose=0) for m in (ours, theirs, back)), strict=True):
        np.testing.assert_allclose(p, q, rtol=0, atol=1e-6)
        np.testing.assert_allclose(r, q, rtol=0, atol=1e-6)
    logs = [m.fit(x, targets, epochs=2, shuffle=False, verbose=0).history for m in (ours, theirs)]
    assert logs[0].keys() == logs[1].keys()
    for name, values in logs[1].items():
        np.testing.assert_allclose(logs[0][name], values, rtol=1e-5, err_msg=name)


def test_the_weight_of_one_loss_comes_over_and_goes_back():
    theirs = keras_model(loss_weights=[2.0])
    ours = from_keras(theirs)
    p = [model.evaluate(X, y, verbose=0) for model in (theirs, ours, to_keras(ours))]
    assert p == pytest.approx([p[0]] * 3, rel=1e-6)


def test_a_graph_with_masks_a_dot_and_a_dict_of_outputs_comes_over():
    ids = keras.Input((4,))
    x = keras.layers.Embedding(5, 3, mask_zero=True)(ids)
    h = keras.layers.GRU(3, return_sequences=True)(x)
    scores = keras.layers.Activation("softmax")(keras.layers.Dot(axes=2)([h, h]))
    outputs = {"b": keras.layers.Dense(1)(scores), "a": keras.layers.Dense(1)(h)}
    theirs = keras.Model(ids, outputs)
    theirs.compile("sgd", {"b": keras.losses.Huber(0.5), "a": "mae"})
    ours = from_keras(theirs)
    assert ours.output_names == ["a", "b"]
    assert [target.loss.config() for target in ours.targets] == [{}, {"delta": 0.5}]
    rows = np.array([[1, 2, 0, 0], [4, 3, 2, 0]])
    p = theirs.predict(rows, verbose=0)
    for name, one in ours.predict(rows, verbose=0).items():
        np.testing.assert_allclose(one, p[name], rtol=0, atol=1e-6)
