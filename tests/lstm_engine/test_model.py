"""Sequential: Keras's verbs, every parameter's gradient, and its errors when something does not fit."""

import json

import numpy as np
import pytest

import lstm_engine as le
from lstm_engine.gradient_check import loss_along, unit_scale


def data(n=24, T=6, D=3, classes=2, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, T, D)), rng.integers(0, classes, n)


def binary_model(**options):
    model = le.Sequential([le.LSTM(5), le.Dense(1, activation="sigmoid")], **{"seed": 0} | options)
    model.compile(le.Adam(0.01), "binary_crossentropy", metrics=["accuracy"])
    return model


# -- gradients ---------------------------------------------------------------------------------------------------------

LAST = {
    "binary_crossentropy": le.Dense(3, activation="sigmoid"),
    "categorical_crossentropy": le.Dense(3, activation="softmax"),
    "sparse_categorical_crossentropy": le.Dense(3, activation="softmax"),
    "mean_squared_error": le.Dense(3, activation="tanh"),
}


@pytest.mark.parametrize("loss", LAST)
def test_every_parameter_s_gradient_is_the_complex_step(rel, loss):
    """Through two LSTMs, a Dense layer and the loss. The kernels' gradients are those of the readable cells."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((4, 5, 2))
    y = rng.integers(0, 3, 4) if loss.startswith("sparse") else rng.dirichlet(np.ones(3), 4)
    head = type(LAST[loss])(**LAST[loss].config())
    layers = [le.LSTM(4, return_sequences=True), le.Dropout(0.5), le.LSTM(3), le.Dense(4, activation="relu"), head]
    model = le.Sequential([le.Input((5, 2)), *layers], seed=0, dtype="float64", backend="numpy")
    model.compile("sgd", loss)
    f, point = loss_along(unit_scale(model), X, y, dropout="off")
    point = {name: a.astype(complex) for name, a in point.items()}
    _, gradients = model.gradients(X, y)
    _, compiled = model.twin(backend="numba").gradients(X, y)
    for name, w in model.weights.items():
        exact = np.empty_like(w)
        for at in np.ndindex(w.shape):
            point[name][at] += 1e-30j
            exact[at] = f(point).imag / 1e-30
            point[name][at] = w[at]
        # ten steps of some ten roundings of 1e-16 each, relative to whole arrays
        assert rel(gradients[name], exact) < 1e-14, name
        assert rel(compiled[name], exact) < 1e-13, name


def test_gradients_move_no_weight_and_ignore_dropout():
    X, y = data()
    model = le.Sequential([le.LSTM(5), le.Dropout(0.9), le.Dense(1, activation="sigmoid")], seed=0)
    model.compile("adam", "binary_crossentropy")
    first, second = model.gradients(X, y), model.gradients(X, y)
    assert first[0] == second[0] == pytest.approx(model.evaluate(X, y, verbose=0), rel=1e-6)


def test_gradient_is_zero_where_the_loss_is_clipped():
    """As Keras on JAX: beyond probability 1e-7 the clipped loss is flat."""
    model = le.Sequential([le.Dense(1, activation="sigmoid")], dtype="float64")
    model.compile("sgd", "binary_crossentropy")
    model.build((1,))
    model.set_weights([[[1.0]], [0.0]])
    for logit, flat in ((-17.0, True), (-15.0, False)):
        _, gradients = model.gradients([[logit]], [1])
        assert (gradients["dense/bias"][0] == 0) == flat


# -- training ----------------------------------------------------------------------------------------------------------


def test_a_small_problem_is_learnt():
    X, _ = data(200, 12, 2)
    y = (X[:, :3, 0].sum(axis=1) > 0).astype(int)  # decided by what came first
    model = binary_model()
    model.fit(X, y, epochs=150, verbose=0)
    assert model.evaluate(X, y, verbose=0)[1] > 0.95  # guessing gives about 0.5


def test_the_same_seed_is_the_same_run():
    X, y = data()
    runs = []
    for seed in (3, 3, 4):
        model = le.Sequential([le.LSTM(5), le.Dropout(0.3), le.Dense(1, activation="sigmoid")], seed=seed)
        model.compile("adam", "binary_crossentropy")
        model.fit(X, y, epochs=2, batch_size=5, verbose=0)
        runs.append(model.predict(X, verbose=0))
    np.testing.assert_array_equal(runs[0], runs[1])
    assert (runs[0] != runs[2]).any()


def test_two_fits_of_one_epoch_are_one_fit_of_two():
    X, y = data()
    one, two = binary_model(), binary_model()
    one.fit(X, y, epochs=2, batch_size=5, verbose=0)
    two.fit(X, y, epochs=1, batch_size=5, verbose=0)
    two.fit(X, y, epochs=1, batch_size=5, verbose=0)
    np.testing.assert_array_equal(one.predict(X, verbose=0), two.predict(X, verbose=0))


def test_order_gives_the_batches():
    X, y = data(6)
    order = [[np.array([5, 1]), np.array([0, 2, 3, 4])], [np.arange(6)]]
    fitted, stepped = binary_model(), binary_model()
    fitted.fit(X, y, epochs=2, order=order, verbose=0)
    for epoch in order:
        for batch in epoch:
            stepped.train_on_batch(X[batch], y[batch])
    for a, b in zip(fitted.get_weights(), stepped.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_epoch_loss_is_the_mean_over_samples_with_the_last_smaller_batch():
    X, y = data(10)
    model = binary_model()
    model.compile(le.SGD(0.0), "binary_crossentropy", metrics=["accuracy"])  # weights that do not move
    history = model.fit(X, y, batch_size=4, verbose=0).history
    loss, accuracy = model.evaluate(X, y, batch_size=10, verbose=0)
    assert history["loss"] == [pytest.approx(loss, rel=1e-6)]
    assert history["accuracy"] == [pytest.approx(accuracy)]


def test_validation_split_takes_the_end_before_shuffling():
    X, y = data(10)
    model, same = binary_model(), binary_model()
    history = model.fit(X, y, validation_split=0.3, verbose=0).history
    expected = same.fit(X[:7], y[:7], validation_data=(X[7:], y[7:]), verbose=0).history
    assert history == expected
    assert set(history) == {"loss", "accuracy", "val_loss", "val_accuracy"}


def test_y_may_be_a_column():
    X, y = data()
    flat, column = binary_model(), binary_model()
    assert flat.train_on_batch(X, y) == column.train_on_batch(X, y[:, None])


def test_dropout_keeps_the_mean_and_draws_anew():
    layer = le.Dropout(0.25, seed=1)
    layer.build((1000,), "float64", "numpy", np.random.default_rng(0))
    x = np.ones((200, 1000))
    first, _, scale = layer.forward(x, training=True)
    second, _, _ = layer.forward(x, training=True)
    assert set(np.unique(first)) == {0.0, 1 / 0.75}
    assert abs(first.mean() - 1) < 5 * np.sqrt(0.25 / 0.75 / x.size)  # five standard errors
    assert (first != second).any()
    np.testing.assert_array_equal(layer.backward(scale, x)[0], scale)
    np.testing.assert_array_equal(layer.forward(x, training=False)[0], x)


def test_dropout_of_everything_is_zero():
    layer = le.Dropout(1.0)
    layer.build((3,), "float32", "numpy", np.random.default_rng(0))
    assert not layer.forward(np.ones((2, 3), np.float32), training=True)[0].any()


def test_callbacks_are_called_at_every_epoch_and_batch(capsys):
    calls = []

    class Listener(le.Callback):
        def on_epoch_begin(self, epoch, logs):
            calls.append(("begin", epoch))

        def on_train_batch_end(self, batch, logs):
            calls.append(("batch", batch, sorted(logs)))

        def on_epoch_end(self, epoch, logs):
            calls.append(("end", epoch, self.model.loss.name))

    X, y = data(6)
    binary_model().fit(X, y, batch_size=3, epochs=1, callbacks=[Listener()], verbose=0)
    logs = ["accuracy", "loss"]
    assert calls == [("begin", 0), ("batch", 0, logs), ("batch", 1, logs), ("end", 0, "binary_crossentropy")]
    assert capsys.readouterr().out == ""


def test_verbose_prints_keras_lines(capsys):
    X, y = data(6)
    model = binary_model()
    model.fit(X, y, epochs=2, verbose=2)
    model.evaluate(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Epoch 1/2"
    assert lines[1].startswith("1/1 ━")
    assert "loss: " in lines[1]
    assert "accuracy: " in lines[4]


def test_a_callback_can_stop_training():
    class Stopper(le.Callback):
        def on_epoch_end(self, epoch, logs):
            self.model.stop_training = epoch == 1

    X, y = data(6)
    model = binary_model()
    assert model.fit(X, y, epochs=5, callbacks=Stopper(), verbose=0).epoch == [0, 1]
    assert model.fit(X, y, epochs=3, verbose=0).epoch == [0, 1, 2]


def test_a_callback_that_would_never_be_called_is_refused():
    class Keras(le.Callback):
        def on_test_begin(self, logs): ...

    X, y = data(6)
    with pytest.raises(TypeError, match="on_test_begin, which is never called"):
        binary_model().fit(X, y, callbacks=[Keras()], verbose=0)
    with pytest.raises(TypeError, match="callbacks are instances"):
        binary_model().fit(X, y, callbacks=[print], verbose=0)


def test_a_metric_is_logged_under_the_name_it_was_given():
    X, y = data(6)
    model = binary_model()
    model.compile("adam", "binary_crossentropy", metrics=["acc"])
    assert list(model.fit(X, y, verbose=0).history) == ["loss", "acc"]


def test_keras_defaults_may_be_written_out():
    le.LSTM(3, kernel_constraint=None, use_cudnn="auto", trainable=True)
    le.Dense(1, activity_regularizer=None)
    with pytest.raises(TypeError, match="LSTM has no kernel_constraint="):
        le.LSTM(3, kernel_constraint="max_norm")


def test_a_refused_layer_leaves_the_model_as_it_was():
    model = le.Sequential([le.LSTM(2, input_shape=(4, 2))])
    with pytest.raises(ValueError, match="return_sequences"):
        model.add(le.LSTM(2))
    model.add(le.Dense(1))
    assert [layer.name for layer in model.layers] == ["lstm", "dense"]


def test_weights_that_do_not_all_fit_change_nothing():
    model = binary_model()
    model.build((6, 3))
    before = model.get_weights()
    with pytest.raises(ValueError, match="dense/bias holds real numbers"):
        model.set_weights([*(w + 1 for w in before[:-1]), np.array(["x"])])
    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_built_layer_is_not_read_beyond_its_weights():
    layer = le.LSTM(4)
    layer.build((6, 3), "float32", "auto", np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"takes 3 features, got x of shape \(samples, 7, 400\)"):
        le.Sequential([layer]).build((7, 400))


def test_a_prediction_keeps_no_tape_alive():
    model = le.Sequential([le.LSTM(64)])
    assert model.predict(np.zeros((8, 40, 1)), verbose=0).base is None


def test_what_could_not_be_read_back_is_not_saved(tmp_path):
    model = binary_model()
    model.build((6, 3))
    for metadata, words in (({"a": float("nan")}, "JSON compliant"), ([1], "a dict of JSON values")):
        with pytest.raises(ValueError, match=words):
            model.save(tmp_path / "m.safetensors", metadata=metadata)
    model.weights["dense/bias"][0] = np.nan
    with pytest.raises(ValueError, match="dense/bias holds NaN"):
        model.save(tmp_path / "m.safetensors")
    assert not list(tmp_path.iterdir())


# -- names, summary, results -------------------------------------------------------------------------------------------


def test_layers_are_named_and_counted_per_model():
    for _ in range(2):  # a second model starts from the beginning
        model = le.Sequential([le.LSTM(2, return_sequences=True), le.LSTM(2), le.Dense(1), le.Dense(1)])
        assert [layer.name for layer in model.layers] == ["lstm", "lstm_1", "dense", "dense_1"]


def test_gradients_are_named_by_layer_and_weight():
    X, y = data()
    model = binary_model()
    _, gradients = model.gradients(X, y)
    names = ["lstm/kernel", "lstm/recurrent_kernel", "lstm/bias", "dense/kernel", "dense/bias"]
    assert list(gradients) == names == list(model.weights)
    assert [w.shape for w in model.get_weights()] == [(3, 20), (5, 20), (20,), (5, 1), (1,)]


def test_results_have_keras_types():
    X, y = data()
    model = binary_model()
    assert isinstance(model.evaluate(X, y, verbose=0), list)
    assert list(model.evaluate(X, y, verbose=0, return_dict=True)) == ["loss", "accuracy"]
    assert model.predict(X, verbose=0).shape == (24, 1)
    assert model.predict(X, verbose=0).dtype == np.float32
    model.compile("adam", "mse")
    assert isinstance(model.evaluate(X, y, verbose=0), float)


def test_summary_shows_shapes_parameters_and_backends(capsys):
    model = le.Sequential([le.Input((112, 1)), le.LSTM(64), le.Dense(1)], backend="numpy")
    model.summary()
    out = capsys.readouterr().out
    assert "lstm (LSTM)" in out
    assert "(None, 64)    16,896" in out  # 4·64·(1 + 64 + 1), as Keras counts
    assert "numpy" in out
    assert "Total params: 16,961" in out


def test_input_shape_may_stand_in_the_first_layer_or_come_with_the_data():
    shown, unknown = le.Sequential([le.LSTM(3, input_shape=(6, 3))], seed=1), le.Sequential([le.LSTM(3)], seed=1)
    assert shown.built
    assert not unknown.built
    X, _ = data()
    np.testing.assert_array_equal(shown.predict(X, verbose=0), unknown.predict(X, verbose=0))


def test_forget_bias_starts_at_one_and_the_recurrent_kernel_has_orthonormal_rows():
    model = le.Sequential([le.LSTM(7, input_shape=(6, 3))], dtype="float64")
    W, U, b = model.get_weights()
    np.testing.assert_array_equal(b, np.repeat([0.0, 1.0, 0.0, 0.0], 7))
    np.testing.assert_allclose(U @ U.T, np.eye(7), rtol=0, atol=1e-14)
    assert np.abs(W).max() <= np.sqrt(6 / (3 + 28))


# -- refusals ----------------------------------------------------------------------------------------------------------


def test_two_dimensional_x_is_refused_with_both_reshapes():
    with pytest.raises(ValueError, match=r"\(samples, 112\).*reshape\(-1, 112, 1\).*reshape\(-1, 1, 112\)"):
        binary_model().fit(np.zeros((5, 112)), np.zeros(5), verbose=0)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda m, X, y: m.fit(X, y[:-1]), ValueError, r"same number of samples.*\(24, 6, 3\).*\(23,\)"),
        (
            lambda m, X, y: m.fit(X[..., :2], y),
            ValueError,
            r"built for X of shape \(samples, 6, 3\), got \(samples, 6, 2\)",
        ),
        (lambda m, X, y: m.predict(X[:0]), ValueError, "at least one sample"),
        (lambda m, X, y: m.predict(X[:, :0]), ValueError, "at least one timestep"),
        (lambda m, X, y: m.fit(X.astype(str), y), TypeError, "array of numbers"),
        (lambda m, X, y: m.fit(X, np.array(["male"] * 24)), TypeError, "male is 1"),
        (lambda m, X, y: m.fit(X, y + 1), ValueError, "targets from 0 to 1, got values from 1.0 to 2.0"),
        (lambda m, X, y: m.fit(X, np.zeros((24, 2))), ValueError, r"y of shape \(samples, 1\) .*, got \(samples, 2\)"),
        (lambda m, X, y: m.fit(X, y, batch_size=0), ValueError, "batch_size must be a whole number of at least 1"),
        (lambda m, X, y: m.fit(X, y, validation_split=0.99), ValueError, "leaves one side empty"),
        (lambda m, X, y: m.fit(X, y, epochs=2, order=[[np.arange(24)]]), ValueError, "1 epoch, but epochs=2"),
        (
            lambda m, X, y: m.fit(X, y, epochs=2, order=[[[0]], [[0, 1], [2, 24]]]),
            ValueError,
            r"order\[1\]\[1\] has row 24, but there are 24 samples",
        ),
        (lambda m, X, y: m.fit(X, y, order=[[[0, -25]]]), ValueError, r"order\[0\]\[0\] has row -25"),
        (lambda m, X, y: m.set_weights(m.get_weights()[::-1]), ValueError, r"lstm/kernel \(3, 20\)"),
        (lambda m, X, y: m.compile("adam"), ValueError, "needs a loss"),
        (
            lambda m, X, y: m.compile("adagrad", "binary_crossentropy"),
            ValueError,
            "'adagrad' is not in the engine; it has adam",
        ),
        (lambda m, X, y: m.fit(X, y, validation_data=(X, y, y, y)), ValueError, "tuple of 4 items"),
        (lambda m, X, y: m.fit(X, y, validation_data=5), ValueError, "got: int$"),
        (lambda m, X, y: m.compile("adam", ["mse", "mse"]), ValueError, "one item for each of the outputs dense"),
        (lambda m, X, y: m.compile("adam", "hinge"), ValueError, "'hinge' is not in the engine"),
        (lambda m, X, y: m.compile("adam", "mse", metrics=["f1"]), ValueError, "'f1' is not in the engine"),
    ],
)
def test_what_does_not_fit_is_named(call, error, words):
    X, y = data()
    model = binary_model()
    model.build((6, 3))
    with pytest.raises(error, match=words):
        call(model, X, y)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: le.LSTM(0), ValueError, "units must be a whole number of at least 1, got 0"),
        (lambda: le.Dense(4, activation="gelu"), ValueError, "'gelu' is not in the engine"),
        (lambda: le.Dropout(1.5), ValueError, "rate must lie in"),
        (lambda: le.Adam(-1), ValueError, "learning_rate"),
        (lambda: le.Adam(amsgrad=True), TypeError, "amsgrad"),
        (lambda: le.Sequential(dtype="float16"), ValueError, "float32, float64"),
        (lambda: le.Sequential(backend="gpu"), ValueError, "auto, numba, numpy"),
        (lambda: le.Sequential(["LSTM"]), TypeError, "takes layers"),
        (lambda: le.Sequential([le.LSTM(2, name="a"), le.Dense(1, name="a")]), ValueError, "both be named 'a'"),
        (lambda: le.Sequential([le.LSTM(2, input_shape=(4, 2)), le.LSTM(2)]), ValueError, r"return_sequences=True"),
        (lambda: le.Sequential().build((3, 2)), ValueError, "no layers"),
        (lambda: binary_model().save("nowhere"), ValueError, "no weights to save"),
        (lambda: le.Sequential([le.LSTM(2)]).fit(np.ones((2, 2, 2)), [0, 1]), ValueError, "compile the model first"),
    ],
)
def test_what_cannot_be_made_is_named(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_class_numbers_outside_the_classes_are_refused():
    X, _ = data()
    model = le.Sequential([le.LSTM(3), le.Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match="whole class numbers from 0 to 2"):
        model.fit(X, np.full(24, 3), verbose=0)


# -- files -------------------------------------------------------------------------------------------------------------


def test_a_saved_model_comes_back_whole_and_trains_on_as_if_never_left(tmp_path):
    X, y = data()
    model = binary_model(dtype="float64")
    model.fit(X, y, epochs=2, verbose=0)
    model.save(tmp_path / "voice.safetensors", metadata={"labels": ["female", "male"]})
    back = le.load(tmp_path / "voice.safetensors")
    assert back.metadata == {"labels": ["female", "male"]}
    np.testing.assert_array_equal(back.predict(X, verbose=0), model.predict(X, verbose=0))
    model.fit(X, y, epochs=2, verbose=0)
    back.fit(X, y, epochs=2, verbose=0)
    np.testing.assert_array_equal(back.predict(X, verbose=0), model.predict(X, verbose=0))


def test_a_model_saves_over_an_older_one_and_leaves_no_other_file(tmp_path):
    model = binary_model()
    model.build((6, 3))
    model.save(tmp_path / "m.safetensors")
    model.save(tmp_path / "m.safetensors", metadata={"second": True})
    assert le.load(tmp_path / "m.safetensors").metadata == {"second": True}
    assert [p.name for p in tmp_path.iterdir()] == ["m.safetensors"]


def test_a_failed_save_leaves_the_old_file(tmp_path):
    model = binary_model()
    model.build((6, 3))
    model.save(tmp_path / "m.safetensors", metadata={"old": 1})
    with pytest.raises(ValueError, match="metadata must be a dict of JSON values"):
        model.save(tmp_path / "m.safetensors", metadata={"not json": object()})
    assert le.load(tmp_path / "m.safetensors").metadata == {"old": 1}


def damaged(tmp_path, change):
    from safetensors import safe_open
    from safetensors.numpy import save_file

    model = binary_model()
    model.build((6, 3))
    path = tmp_path / "m.safetensors"
    model.save(path)
    with safe_open(path, framework="numpy") as file:
        header, tensors = file.metadata(), {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
    change(header, tensors)
    save_file(tensors, path, header)
    return path


def set_nan(header, tensors):
    tensors["weights/lstm/bias"][3] = np.nan


def wrong_shape(header, tensors):
    tensors["weights/lstm/bias"] = np.zeros(7, np.float32)


def unknown_layer(header, tensors):
    architecture = json.loads(header["architecture"])
    architecture["layers"][0]["class"] = "Lambda"
    header["architecture"] = json.dumps(architecture)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (set_nan, "weight lstm/bias holds NaN"),
        (wrong_shape, r"weight lstm/bias has shape \(7,\).*needs \(20,\)"),
        (unknown_layer, "cannot be used: layer 'Lambda' is not in the engine"),
        (lambda header, tensors: tensors.pop("weights/dense/kernel"), "weight dense/kernel is missing"),
        (lambda header, tensors: header.update(format="other"), "not saved by this engine"),
    ],
)
def test_a_file_that_is_not_right_says_what_is_wrong(tmp_path, change, words):
    path = damaged(tmp_path, change)
    with pytest.raises(ValueError, match=words):
        le.load(path)


def test_a_file_that_is_no_model_or_not_there_says_so(tmp_path):
    (tmp_path / "noise").write_bytes(b"\x00" * 100)
    with pytest.raises(ValueError, match="not a safetensors file"):
        le.load(tmp_path / "noise")
    with pytest.raises(FileNotFoundError, match="no model file"):
        le.load(tmp_path / "absent")
