"""Whole models in Keras's files: Keras's open here, ours open in Keras, both go on training with the same numbers."""

import contextlib
import json
import re
import zipfile

import numpy as np
import pytest

import lstm_engine as le
from lstm_engine.interchange import keras_files

keras = pytest.importorskip("keras")
h5py = pytest.importorskip("h5py")
from keras import layers  # noqa: E402

T, D = 5, 3
WHOLE = [".keras", ".h5", ".hdf5"]
# Two float32 implementations of five steps at unit scale: some 10 roundings of 6e-8.
CLOSE = {"rtol": 0, "atol": 1e-6}


def stack(L):
    return [
        L.Masking(),
        L.LSTM(4, return_sequences=True, name="first"),
        L.Bidirectional(L.GRU(2, return_sequences=True), merge_mode="sum", name="both"),
        L.TimeDistributed(L.Dense(3, activation="relu", kernel_regularizer="l2")),
        L.SimpleRNN(3, go_backwards=True),
        L.Dense(1, activation="sigmoid"),
    ]


def graph(L, make_input, make_model):
    """An encoder that hands its states to a decoder, a layer that is called twice, two inputs and two outputs."""
    read, write = make_input((T, D), name="read"), make_input((None, 2), name="write")
    _, h, c = L.LSTM(2, return_state=True, name="encoder")(read)
    decoder = L.LSTM(2, return_sequences=True, return_state=True, name="decoder")
    y, _, _ = decoder(write, initial_state=[h, c])
    again = L.Dense(2, name="again")
    return make_model([read, write], [L.TimeDistributed(L.Dense(2), name="steps")(y), again(again(y))])


@pytest.fixture(scope="module")
def row_of_keras():
    model = keras.Sequential([keras.Input((T, D)), *stack(layers)])
    rng = np.random.default_rng(1)
    model.set_weights([rng.standard_normal(w.shape) / np.sqrt(w.shape[0]) for w in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def graph_of_keras():
    model = graph(layers, keras.Input, keras.Model)
    rng = np.random.default_rng(1)
    model.set_weights([rng.standard_normal(w.shape) for w in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def two_inputs():
    rng = np.random.default_rng(2)
    return [rng.standard_normal((4, T, D)).astype("float32"), rng.standard_normal((4, 3, 2)).astype("float32")]


def same_weights(a, b):
    return all(np.array_equal(v, w) for v, w in zip(a.get_weights(), b.get_weights(), strict=True))


@pytest.fixture(scope="module")
def masked():
    """Sequences of which two have steps for Masking."""
    x = np.random.default_rng(9).standard_normal((4, T, D)).astype("float32")
    x[:2, 3:] = 0.0
    return x


@pytest.fixture(scope="module")
def of_row(row_of_keras, masked):
    """What Keras computes: once for all tests, for it compiles every layer."""
    return np.asarray(row_of_keras(masked))


@pytest.fixture(scope="module")
def of_graph(graph_of_keras, two_inputs):
    return [np.asarray(y) for y in graph_of_keras(two_inputs)]


def calls(model):
    """Which output of which call of which layer every call reads, in a Keras model's config."""
    text = json.dumps([(row["name"], row["inbound_nodes"]) for row in model.get_config()["layers"]])
    return re.findall(r'"keras_history": \[.*?\]', text)


# -- the same model on both sides ------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", WHOLE)
def test_a_model_of_keras_opens_with_its_layers_options_and_weights(row_of_keras, of_row, suffix, masked, tmp_path):
    row_of_keras.save(path := tmp_path / f"m{suffix}")
    model = le.load_model(path)
    assert [type(layer).__name__ for layer in model.layers] == [type(layer).__name__ for layer in row_of_keras.layers]
    assert [layer.name for layer in model.layers] == [layer.name for layer in row_of_keras.layers]
    assert same_weights(model, row_of_keras)
    np.testing.assert_allclose(model(masked), of_row, **CLOSE)
    assert model.optimizer is None


class OfTheWriter(keras.initializers.Initializer):
    def get_config(self):
        return {}


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_every_option_that_keras_writes_is_read(suffix, tmp_path):
    def options(L, initializers, regularizers):
        return [
            L.Masking(mask_value=-1.0),
            L.Bidirectional(
                L.LSTM(
                    4, activation="softsign", recurrent_activation="hard_sigmoid", unit_forget_bias=False, dropout=0.1,
                    recurrent_initializer=initializers.Orthogonal(2.0), kernel_regularizer=regularizers.L1L2(0.5, 0.25),
                    return_sequences=True, seed=3,
                ),
                merge_mode="mul",
                backward_layer=L.LSTM(4, go_backwards=True, return_sequences=True, recurrent_dropout=0.5),
            ),
            L.Bidirectional(L.SimpleRNN(2, return_sequences=True, activation="relu", use_bias=False)),
            L.GRU(3, return_sequences=True, reset_after=False, zero_output_for_mask=True, unroll=True, name="own_name"),
            L.TimeDistributed(L.Dense(2, "elu", kernel_initializer=initializers.RandomNormal(0.5, 2.0))),
            L.Dropout(0.25, seed=4),
            L.SimpleRNN(2, go_backwards=True, bias_initializer="ones", kernel_initializer="he_normal"),
            L.Dense(1, trainable=False, kernel_initializer=initializers.VarianceScaling(2.0, "fan_out", "uniform")),
        ]  # fmt: skip

    theirs = keras.Sequential([keras.Input((T, D)), *options(layers, keras.initializers, keras.regularizers)])
    theirs.save(path := tmp_path / f"m{suffix}")
    model = le.load_model(path)
    expected = le.Sequential([le.Input((T, D)), *options(le.layers, le.initializers, le.regularizers)])
    assert [layer.config() for layer in model.layers] == [layer.config() for layer in expected.layers]
    assert [layer.name for layer in model.layers] == [layer.name for layer in theirs.layers]
    assert same_weights(model, theirs)
    theirs.layers[-1].kernel_initializer = OfTheWriter()
    theirs.save(path)
    assert same_weights(le.load_model(path), theirs)  # it has done its work
    with pytest.raises(ValueError, match="OfTheWriter is not Keras's own"):
        le.model_from_json(theirs.to_json())


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_graph_of_keras_opens_and_goes_back(graph_of_keras, of_graph, two_inputs, suffix, tmp_path):
    graph_of_keras.save(path := tmp_path / f"m{suffix}")
    model = le.load_model(path)
    assert same_weights(model, graph_of_keras)
    for mine, theirs in zip(model(two_inputs), of_graph, strict=True):
        np.testing.assert_allclose(mine, theirs, **CLOSE)
    model.save(path := tmp_path / f"back{suffix}")
    back = keras.models.load_model(path)
    assert same_weights(model, back)
    assert calls(back) == calls(graph_of_keras)


def test_masks_that_keras_writes_as_operations_are_the_layers_own(tmp_path):
    """Keras 3 writes how a mask is computed (NotEqual, Any) into a graph, and hands it to the layer as an argument."""

    def build(L, make_input, make_model):
        x, ids = make_input((T, D), name="x"), make_input((T,), name="ids")
        a = L.LSTM(2, return_sequences=True)(L.Masking(mask_value=-1.0, name="m")(x))
        b = L.Dense(2)(L.Embedding(9, 2, mask_zero=True)(ids))
        return make_model([x, ids], [L.GRU(2)(a), L.Bidirectional(L.LSTM(2))(b)])

    theirs = build(layers, keras.Input, keras.Model)
    rng = np.random.default_rng(0)
    x, ids = rng.standard_normal((4, T, D)).astype("float32"), rng.integers(1, 9, (4, T))
    x[:2, 3:], ids[1:3, 2:] = -1.0, 0
    for suffix in (".keras", ".h5"):
        theirs.save(path := tmp_path / f"m{suffix}")
        model = le.load_model(path)
        for mine, other in zip(model([x, ids]), theirs([x, ids]), strict=True):
            np.testing.assert_allclose(mine, other, **CLOSE)
    model.save(tmp_path / "back.keras")
    back = keras.models.load_model(tmp_path / "back.keras")
    assert sum("not_equal" in text for text in calls(back)) == sum("not_equal" in text for text in calls(theirs))
    inputs = keras.Input((T, D))
    mask = keras.ops.any(keras.ops.not_equal(inputs, 2.0), axis=-1)
    keras.Model(inputs, layers.LSTM(2)(layers.Masking()(inputs), mask=mask)).save(tmp_path / "own.keras")
    with pytest.raises(ValueError, match="a mask that is not its input's own"):
        le.load_model(tmp_path / "own.keras")
    keras.Model(inputs, layers.Dense(2)(inputs + 1.0)).save(tmp_path / "own.keras")
    with pytest.raises(ValueError, match="layer add is a Add, which is not Keras's own"):
        le.load_model(tmp_path / "own.keras")


def test_a_model_inside_a_model_is_refused_with_a_way(tmp_path):
    x = keras.Input((D,))
    inner = keras.Model(x, layers.Dense(1)(x), name="inner")
    y = keras.Input((D,))
    keras.Model(y, inner(y)).save(tmp_path / "m.keras")
    with pytest.raises(ValueError, match=r"layer inner is a model inside the model.* call its layers one by one"):
        le.load_model(tmp_path / "m.keras")


@pytest.mark.parametrize("suffix", WHOLE)
def test_a_model_of_ours_opens_in_keras_and_here(suffix, ours, tmp_path):
    model = ours(stack(le))
    model.compile(le.Adam(1e-3, clipnorm=1.0), "mse", metrics=["accuracy", le.metrics.AUC(num_thresholds=50)])
    model.save(path := tmp_path / f"m{suffix}", metadata={"labels": ["a", "b"]})
    theirs, back = keras.models.load_model(path), le.load_model(path)
    assert same_weights(model, theirs)
    assert same_weights(model, back)
    assert type(theirs.optimizer).__name__ == "Adam"
    assert theirs.optimizer.clipnorm == back.optimizer.clipnorm == 1.0
    assert [metric.name for metric in back.metrics] == ["accuracy", "auc"]
    assert back.metrics[1].num_thresholds == 50
    assert (back.metadata, back.seed) == ({"labels": ["a", "b"]}, 0)


def test_a_graph_of_ours_keeps_the_losses_weights_and_metrics_of_its_outputs(two_inputs, tmp_path):
    model = graph(le.layers, le.Input, le.Model)
    model.compile("adam", ["mse", le.losses.Huber(0.5)], [1.0, 0.25], [["mae"], ["mse", "accuracy"]])
    model.save(tmp_path / "m.keras")
    back = le.load_model(tmp_path / "m.keras")
    assert [(t.name, t.weight, t.loss.config(), [m.name for m in t.metrics]) for t in back.targets] == [
        ("steps", 1.0, {}, ["steps_mae"]), ("again", 0.25, {"delta": 0.5}, ["again_mse", "again_accuracy"])
    ]  # fmt: skip
    theirs = keras.models.load_model(tmp_path / "m.keras")
    assert theirs._compile_loss._user_loss_weights == [1.0, 0.25]
    assert theirs._compile_loss._user_loss[1]._fn_kwargs == {"delta": 0.5}  # Keras reads it, but does not write it


def schedules_of(L):
    return keras.optimizers.schedules if L is keras.optimizers else le.schedules


OPTIMIZERS = {
    "adam": lambda L: L.Adam(schedules_of(L).ExponentialDecay(1e-2, 10, 0.5)),
    "rmsprop": lambda L: L.RMSprop(1e-3, momentum=0.5, centered=True),
    "sgd": lambda L: L.SGD(1e-2, momentum=0.9, nesterov=True),
    "adamw": lambda L: L.AdamW(1e-3, weight_decay=0.01),
    "nadam": lambda L: L.Nadam(1e-3),
}


@pytest.mark.slow  # Keras compiles two training steps an optimizer
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_training_goes_on_with_the_same_numbers_on_the_other_side(optimizer, tmp_path):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((16, T, D)).astype("float32"), rng.random((16, 1)).astype("float32")
    theirs = keras.Sequential([keras.Input((T, D)), layers.LSTM(3), layers.Dense(1, activation="sigmoid")])
    theirs.compile(OPTIMIZERS[optimizer](keras.optimizers), keras.losses.BinaryCrossentropy(), metrics=["accuracy"])
    theirs.fit(X, y, batch_size=4, epochs=2, shuffle=False, verbose=0)
    theirs.save(tmp_path / "theirs.keras")
    ours = le.load_model(tmp_path / "theirs.keras")
    assert ours.optimizer.iterations == 8

    def trained(model):
        return model.fit(X, y, batch_size=4, epochs=2, shuffle=False, verbose=0).history["loss"]

    # 8 steps of two float32 implementations: each some 10 roundings of 6e-8, of losses near 0.7
    np.testing.assert_allclose(trained(ours), trained(theirs), rtol=5e-6)
    ours.save(tmp_path / "ours.keras")
    ours.save(tmp_path / "ours.h5")
    opened = keras.models.load_model(tmp_path / "ours.keras")
    assert int(opened.optimizer.iterations) == 16
    expected = trained(le.load_model(tmp_path / "ours.keras"))
    assert trained(le.load_model(tmp_path / "ours.h5")) == expected  # the legacy format keeps the state as well
    for stored, variable in zip(keras_files.variables_of(ours, True).values(), opened.optimizer.variables, strict=True):
        np.testing.assert_array_equal(stored, np.asarray(variable))
    if optimizer in ("adam", "rmsprop"):  # Keras compiles one more training step
        np.testing.assert_allclose(trained(opened), trained(le.load_model(tmp_path / "ours.keras")), rtol=5e-6)


def test_a_file_of_ours_goes_on_with_the_seed_and_the_masks_that_would_have_come(ours, x, tmp_path):
    model = ours([le.LSTM(3, dropout=0.3), le.Dropout(0.2), le.Dense(1)])
    model.compile("adam", "mse")
    y = np.zeros((len(x), 1))
    model.fit(x, y, batch_size=2, verbose=0)
    for suffix in WHOLE:
        model.save(tmp_path / f"m{suffix}")
    expected = model.fit(x, y, batch_size=2, epochs=2, verbose=0).history["loss"]
    for suffix in WHOLE:
        assert le.load(tmp_path / f"m{suffix}").fit(x, y, batch_size=2, epochs=2, verbose=0).history["loss"] == expected


def test_weights_alone_keep_the_optimizers_state_as_keras_does(ours, x, tmp_path):
    stack, y = [le.LSTM(3), le.Dense(1)], np.zeros((len(x), 1))
    model = ours(stack)
    model.compile("adam", "mse")
    model.fit(x, y, verbose=0)
    model.save_weights(tmp_path / "m.weights.h5")
    fresh, trained = ours([le.LSTM(3), le.Dense(1)], seed=1), ours([le.LSTM(3), le.Dense(1)], seed=1)
    for other in (fresh, trained):
        other.compile("adam", "mse")
    trained.fit(x, y, epochs=3, verbose=0)
    for other, steps in ((fresh, 0), (trained, 1)):  # Keras leaves out the state before an optimizer's first step
        other.load_weights(tmp_path / "m.weights.h5")
        assert same_weights(other, model)
        assert other.optimizer.iterations == steps
    assert all(np.array_equal(trained.optimizer.slots[n], slot) for n, slot in model.optimizer.slots.items())


def test_json_and_configs_go_both_ways(ours, row_of_keras):
    model = ours(stack(le))
    model.compile(le.SGD(0.1), "mse", metrics=["accuracy"])
    kinds = [type(layer).__name__ for layer in model.layers]
    for other in (
        le.model_from_json(row_of_keras.to_json()),
        le.model_from_json(model.to_json()),
        keras.models.model_from_json(model.to_json()),
        le.Sequential.from_config(model.get_config()),
        keras.Sequential.from_config(model.get_config()),
        le.Sequential.from_config(row_of_keras.get_config()),
    ):
        assert [type(layer).__name__ for layer in other.layers] == kinds
        assert [w.shape for w in other.get_weights()] == [w.shape for w in model.get_weights()]
    again = le.model_from_json(model.to_json())
    assert (again.optimizer.learning_rate, again.loss.name) == (0.1, "mean_squared_error")
    assert again.weights["first/kernel"].any()  # drawn, not zeros


def test_a_stateful_model_goes_when_its_batch_size_is_known(ours, x, tmp_path):
    model = ours([le.LSTM(2, stateful=True), le.Dense(1)])
    with pytest.raises(ValueError, match=r"lstm is stateful.*batch size"):
        model.save(tmp_path / "m.keras")
    model.predict(x, verbose=0)
    model.save(tmp_path / "m.keras")
    theirs = keras.models.load_model(tmp_path / "m.keras")
    assert theirs.input_shape == (len(x), T, D)
    assert le.load_model(tmp_path / "m.keras").layers[0].stateful


def test_a_layer_that_is_not_trainable_stays_so(ours, x, tmp_path):
    model = ours([le.LSTM(2, trainable=False), le.Dense(1)])
    model.compile("adam", "mse")
    model.fit(x, np.zeros((len(x), 1)), verbose=0)
    model.save(tmp_path / "m.keras")
    theirs, back = keras.models.load_model(tmp_path / "m.keras"), le.load_model(tmp_path / "m.keras")
    assert (theirs.layers[0].trainable, back.layers[0].trainable) == (False, False)
    assert set(back.optimizer.slots) == set(model.optimizer.slots)
    assert int(theirs.optimizer.iterations) == 1


def test_compile_false_leaves_out_what_compile_said_in_every_format(ours, tmp_path):
    model = ours([le.LSTM(2), le.Dense(1)])
    model.compile("adam", "mse")
    for suffix in (*WHOLE, ".safetensors"):
        model.save(tmp_path / f"m{suffix}")
        assert le.load_model(tmp_path / f"m{suffix}", compile=False).optimizer is None
        assert le.load_model(tmp_path / f"m{suffix}").loss.name == "mean_squared_error"
    model.save(tmp_path / "n.keras", include_optimizer=False)
    assert le.load_model(tmp_path / "n.keras").optimizer is None


# -- names of files --------------------------------------------------------------------------------------------------


def test_a_name_for_weights_is_no_name_for_a_model(ours, tmp_path):
    model = ours([le.LSTM(2)])
    with pytest.raises(ValueError, match=r"save_weights\('m.weights.h5'\), or .* model.save\('m.keras'\)"):
        model.save(tmp_path / "m.weights.h5")
    model.save_weights(tmp_path / "m.weights.h5")
    with pytest.raises(ValueError, match=r"holds weights alone.*load_weights"):
        le.load_model(tmp_path / "m.weights.h5")
    assert [path.name for path in tmp_path.iterdir()] == ["m.weights.h5"]


def test_overwrite_false_keeps_a_file_and_metadata_goes_by_name(ours, tmp_path):
    model = ours([le.LSTM(2)])
    for name, verb in (("m.keras", model.save), ("m.h5", model.save), ("m.weights.h5", model.save_weights)):
        verb(tmp_path / name)
        before = (tmp_path / name).read_bytes()
        with pytest.raises(FileExistsError, match="overwrite=False"):
            verb(tmp_path / name, overwrite=False)
        assert (tmp_path / name).read_bytes() == before
    with pytest.raises(TypeError, match="metadata="):
        model.save(tmp_path / "m.safetensors", {"labels": 2})


def test_what_the_file_starts_with_tells_the_format(row_of_keras, tmp_path):
    row_of_keras.save(tmp_path / "m.h5")  # as Keras 2.0 to 2.11 wrote .keras
    (tmp_path / "m.h5").rename(tmp_path / "m.keras")
    assert same_weights(le.load_model(tmp_path / "m.keras"), row_of_keras)
    (tmp_path / "folder.keras").mkdir()
    with pytest.raises(FileNotFoundError, match="SavedModel"):
        le.load_model(tmp_path / "folder.keras")
    with pytest.raises(FileNotFoundError, match="no file"):
        le.load_model(tmp_path / "absent.h5")
    (tmp_path / "noise.h5").write_bytes(b"noise")
    with pytest.raises(ValueError, match="cannot be read"):
        le.load_model(tmp_path / "noise.h5")


def test_layers_are_found_by_name_and_those_that_do_not_fit_are_skipped(ours, tmp_path):
    stored = ours([le.LSTM(4, name="a"), le.Dense(2, name="b")], seed=1)
    stored.save_weights(tmp_path / "m.h5")
    stored.save_weights(tmp_path / "m.weights.h5")
    model = ours([le.LSTM(4, name="a"), le.Dense(3, name="c")])
    before = model.get_weights()
    model.load_weights(tmp_path / "m.h5", by_name=True)
    assert np.array_equal(model.weights["a/kernel"], stored.weights["a/kernel"])
    assert np.array_equal(model.weights["c/kernel"], before[3])
    with pytest.raises(ValueError, match=r"legacy \.h5"):
        model.load_weights(tmp_path / "m.weights.h5", by_name=True)
    for name in ("m.h5", "m.weights.h5"):
        model.set_weights(before)
        with pytest.warns(UserWarning, match="c differ"):
            model.load_weights(tmp_path / name, skip_mismatch=True)
        assert np.array_equal(model.weights["a/bias"], stored.weights["a/bias"])
        assert np.array_equal(model.weights["c/bias"], before[4])


def test_without_h5py_the_error_says_how_to_install_it(ours, monkeypatch, tmp_path):
    model = ours([le.LSTM(2)])
    model.save(tmp_path / "m.keras")
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    for act in (lambda: model.save(tmp_path / "n.keras"), lambda: le.load_model(tmp_path / "m.keras")):
        with pytest.raises(ModuleNotFoundError, match=r"pip install 'lstm-engine\[interop\]'"):
            act()


# -- what is refused -------------------------------------------------------------------------------------------------


def edited(path, change, member="config.json"):
    """The archive with a changed config."""
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(contents[member])
    contents[member] = json.dumps(change(config) or config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)


def set_layer(**entries):
    return lambda config: config["config"]["layers"][1].update(entries)


def set_option(**entries):
    return lambda config: config["config"]["layers"][1]["config"].update(entries)


def lambda_layer(config):
    code = {"class_name": "__lambda__", "config": {"value": ["4wEAAAA=", None, None]}}
    config["config"]["layers"][1] = {"class_name": "Lambda", "module": "keras.layers", "config": {"function": code}}


def add_optimizer(**config):
    return lambda whole: whole["compile_config"]["optimizer"]["config"].update(config)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda_layer, "Lambda: it holds Python code, and nothing in a file is executed"),
        (set_layer(class_name="system", module="os", registered_name="system"), "system, which is not Keras's own"),
        (set_layer(module="my.package", registered_name="mine>Layer"), "mine>Layer, which is not Keras's own.*custom_obj"),
        (set_layer(module="keras.src.ops.numpy"), "not Keras's own"),
        (set_layer(class_name="Conv1D"), "lstm is Keras's Conv1D, which is not in the engine; it has .*LSTM"),
        (set_option(activation={"class_name": "function", "config": "f", "registered_name": "pkg>f"}), "activation 'pkg>f'"),
        (set_option(activation="swish9"), "layer lstm: activation 'swish9' is not in the engine"),
        (set_option(kernel_constraint={"class_name": "MaxNorm", "config": {}}), "kernel_constraint=.*does not have"),
        (set_option(kernel_regularizer={"class_name": "OrthogonalRegularizer", "config": {}}), "OrthogonalRegularizer"),
        (set_option(dtype={"class_name": "DTypePolicy", "config": {"name": "mixed_float16"}}), "computes in mixed_float16"),
        (set_option(units=10**9), "more than the file has numbers for"),
        (set_option(units="4"), "layer lstm: LSTM takes int as units"),
        (set_option(lora_rank=4), "lora_rank=4"),
        (lambda c: c["config"]["layers"].extend(c["config"]["layers"][1:] * 1000), "at most 500 layers"),
        (lambda c: c["config"]["layers"][0]["config"].update(batch_shape=[None, -5, 3]), "shape"),
        (lambda c: c.update(class_name="Transformer"), "no model of Keras's, but 'Transformer'"),
        (lambda c: c.update(registered_name="pkg>Model"), "no model of Keras's, but 'pkg>Model'"),
        (lambda c: [1], "no model of Keras's"),
        (lambda c: c["compile_config"].update(loss={"class_name": "Mine", "config": {}}), "loss Mine .* compile=False"),
        (lambda c: c["compile_config"].update(weighted_metrics=["mae"]), "weighted_metrics.* compile=False"),
        (lambda c: c["compile_config"]["optimizer"].update(class_name="Lion"), "optimizer is a Lion.* compile=False"),
        (add_optimizer(amsgrad=True), "amsgrad=True.* compile=False"),
        (add_optimizer(learning_rate={"class_name": "Mine", "config": {}}), "follows Mine"),
    ],
)  # fmt: skip
def test_what_is_no_plain_configuration_of_the_engine_is_refused_by_name(ours, change, words, tmp_path):
    model = ours([le.LSTM(4), le.Dense(1)])
    model.compile("adam", "mse")
    model.save(path := tmp_path / "m.keras")
    edited(path, change)
    with pytest.raises(ValueError, match=re.compile(words, re.S)) as error:
        le.load_model(path)
    assert "m.keras" in str(error.value)


def test_a_file_that_does_not_say_the_optimizer_has_rmsprop_as_in_keras(ours, tmp_path):
    path, model = tmp_path / "m.keras", ours([le.LSTM(2), le.Dense(1)])
    model.compile("adam", "mse")
    model.save(path)
    edited(path, lambda config: config["compile_config"].pop("optimizer") and None)
    with pytest.warns(UserWarning, match="does not say the optimizer"):
        loaded = le.load_model(path)
    assert type(loaded.optimizer) is le.RMSprop
    assert (loaded.optimizer.iterations, loaded.optimizer.slots) == (0, {})
    assert same_weights(loaded, model)


def test_a_layer_of_the_callers_own_is_taken_from_custom_objects_alone(ours, tmp_path):
    class Halve(le.layers.Layer):
        def forward(self, x, training=False, mask=None, initial_state=None, taped=True):
            return x / 2, [], None

        def backward(self, tape, dy, dstates=None, want_dx=True):
            return dy / 2, [], {}

    model = ours([le.LSTM(4), le.Activation("linear"), le.Dense(1)])
    model.save(path := tmp_path / "m.keras")
    own = {"class_name": "Halve", "module": "mine", "registered_name": "mine>Halve", "config": {"name": "halve"}}
    edited(path, lambda config: config["config"]["layers"].__setitem__(2, own))
    with pytest.raises(ValueError, match="mine>Halve"):
        le.load_model(path)
    opened = le.load_model(path, custom_objects={"Halve": Halve})
    assert type(opened.layers[1]) is Halve


def test_a_metric_of_the_callers_own_is_taken_from_custom_objects_alone(ours, tmp_path):
    class r2_keras(le.metrics.MeanSquaredError):
        name = "r2_keras"

    model = ours([le.LSTM(4), le.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    model.save(path := tmp_path / "m.keras")
    edited(path, lambda config: config["compile_config"].update(metrics=["mae", "r2_keras"]))
    with pytest.raises(ValueError, match=r"metric 'r2_keras'.*compile=False"):
        le.load_model(path)
    assert type(le.load_model(path, custom_objects={"r2_keras": r2_keras}).metrics[1]) is r2_keras


def test_an_archive_with_odd_members_or_too_much_in_it_is_refused(ours, tmp_path):
    ours([le.LSTM(2)]).save(path := tmp_path / "m.keras")
    whole = path.read_bytes()
    for name, content, words in (
        ("../../evil", b"", "evil"), ("/etc/passwd", b"", "passwd"), ("config.json", b"{}", "twice"),
    ):  # fmt: skip
        path.write_bytes(whole)
        with (
            zipfile.ZipFile(path, "a") as archive,
            pytest.warns() if words == "twice" else pytest.MonkeyPatch.context(),
        ):
            archive.writestr(name, content)
        with pytest.raises(ValueError, match=words):
            le.load_model(path)
    for name in ("config.json", "model.weights.h5"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for member in ("metadata.json", "config.json", "model.weights.h5"):
                archive.writestr(member, b" " * 2**25 if member == name else b"{}")
        with pytest.raises(ValueError, match=f"{name} would unpack to 33,554,432 bytes"):
            le.load_model(path)


def test_a_config_that_nests_without_end_is_refused(ours, tmp_path):
    ours([le.LSTM(2)]).save(path := tmp_path / "m.keras")
    with zipfile.ZipFile(path) as archive:
        weights = archive.read("model.weights.h5")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "[" * 100_000)
        archive.writestr("model.weights.h5", weights)
    with pytest.raises(ValueError, match="no JSON that can be read"):
        le.load_model(path)


def test_arrays_that_declare_more_than_the_file_has_are_refused(ours, tmp_path):
    ours([le.LSTM(32)]).save(path := tmp_path / "m.h5")
    with h5py.File(path, "a") as file:
        for n in range(200):  # the same bytes under many names
            file[f"model_weights/lstm/more{n}"] = file["model_weights/lstm/lstm/kernel"]
    with pytest.raises(ValueError, match=r"arrays declare .* bytes, the file has"):
        le.load_model(path)


def test_what_keras_lacks_is_refused_when_writing(ours, tmp_path):
    model = ours([le.LSTM(2, recurrent_activation="hard_sigmoid_keras2")])
    with pytest.raises(ValueError, match=r"no hard_sigmoid_keras2.*safetensors"):
        model.save(tmp_path / "m.keras")
    model = ours([le.LSTM(2), le.Dense(1)])
    model.compile("adam", "binary_crossentropy", metrics=["balanced_accuracy"])
    with pytest.raises(ValueError, match=r"balanced_accuracy.*include_optimizer=False"):
        model.save(tmp_path / "m.keras")
    model.weights["lstm/bias"][0] = np.nan
    with pytest.raises(ValueError, match="lstm/bias holds NaN"):
        model.save(tmp_path / "m.h5", include_optimizer=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore:the optimizer's state")
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_damaged_file_is_one_clear_error(ours, suffix, tmp_path):
    model, path, rng = ours([le.LSTM(2), le.Dense(1)]), tmp_path / f"m{suffix}", np.random.default_rng(0)
    model.compile("adam", "mse")
    model.save(path)
    whole = path.read_bytes()
    for n in range(60):
        broken = bytearray(whole)
        for at in rng.integers(0, len(whole), 8):
            broken[at] = rng.integers(256)
        path.write_bytes(bytes(broken) if n % 3 else whole[: rng.integers(1, len(whole))])
        with contextlib.suppress(ValueError):
            assert all(np.isfinite(w).all() for w in le.load_model(path).get_weights())
