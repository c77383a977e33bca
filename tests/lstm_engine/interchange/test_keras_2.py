"""Files of Keras 1 and 2, byte layouts as those wrote them: another hard_sigmoid, old names and defaults, layers for a GPU.

The files are made by hand from the formats of Keras 2.0.5, 2.2.4 and tf.keras 2.8; files of these versions in public
repositories have the same attributes and names.
"""

import json
import re
import warnings

import numpy as np
import pytest

import lstm_engine as le
from lstm_engine.activations import ACTIVATIONS

h5py = pytest.importorskip("h5py")

T, D, H = 5, 3, 4
ORTHOGONAL = {"class_name": "Orthogonal", "config": {"seed": None, "gain": 1.0}}
ZEROS = {"class_name": "Zeros", "config": {}}
UNIFORM = {
    "class_name": "VarianceScaling",
    "config": {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform", "seed": None},
}


def weights_of(cell, seed=0, gates=None, reset_after=False):
    gates = gates or {"LSTM": 4, "GRU": 3}[cell]
    rng = np.random.default_rng(seed)
    bias = (2, gates * H) if reset_after else (gates * H,)
    shapes = {"kernel": (D, gates * H), "recurrent_kernel": (H, gates * H), "bias": bias}
    return {name: (rng.standard_normal(shape) / np.sqrt(shape[0])).astype("float32") for name, shape in shapes.items()}


def dense(seed=1):
    rng = np.random.default_rng(seed)
    return {"kernel": rng.standard_normal((H, 1)).astype("float32"), "bias": np.ones(1, "float32")}


def layer_2_0(cell, **options):
    """A recurrent layer's config as Keras 2.0 to 2.2 wrote it."""
    config = {
        "name": f"{cell.lower()}_1", "trainable": True, "batch_input_shape": [None, T, D], "dtype": "float32",
        "return_sequences": False, "return_state": False, "go_backwards": False, "stateful": False, "unroll": False,
        "implementation": 0, "units": H, "activation": "tanh", "recurrent_activation": "hard_sigmoid", "use_bias": True,
        "kernel_initializer": UNIFORM, "recurrent_initializer": ORTHOGONAL,
        "bias_initializer": ZEROS, "kernel_regularizer": None, "recurrent_regularizer": None, "bias_regularizer": None,
        "activity_regularizer": None, "kernel_constraint": None, "recurrent_constraint": None, "bias_constraint": None,
        "dropout": 0.0, "recurrent_dropout": 0.0,
    }  # fmt: skip
    config |= {"unit_forget_bias": True} if cell == "LSTM" else {}
    return {"class_name": cell, "config": config | options}


DENSE_2_0 = {
    "class_name": "Dense",
    "config": {
        "name": "dense_1", "trainable": True, "units": 1, "activation": "sigmoid", "use_bias": True,
        "kernel_initializer": UNIFORM, "bias_initializer": ZEROS, "kernel_regularizer": None, "bias_regularizer": None,
        "activity_regularizer": None, "kernel_constraint": None, "bias_constraint": None,
    },
}  # fmt: skip
TRAINING_2_0 = {
    "loss": "binary_crossentropy", "metrics": ["accuracy"], "sample_weight_mode": None, "loss_weights": None,
    "optimizer_config": {
        "class_name": "Adam",
        "config": {"lr": 0.002, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-08, "decay": 0.0, "amsgrad": False},
    },
}  # fmt: skip


def write(path, stored, config=None, training=None, version="2.0.5", tf=False):
    """A file with these weights by layer; with a config a whole model, else weights alone. tf: names of tf.keras."""
    with h5py.File(path, "w") as file:
        top = file.create_group("model_weights") if config else file
        if version:
            for group in {top, file}:
                group.attrs["keras_version"] = version.encode()
                group.attrs["backend"] = b"tensorflow"
        if config:
            file.attrs["model_config"] = json.dumps(config).encode()
        if training:
            file.attrs["training_config"] = json.dumps(training).encode()
        top.attrs["layer_names"] = [name.encode() for name in stored]
        for layer, arrays in stored.items():
            cell = f"{layer}/{layer}_cell" if tf and "recurrent_kernel" in arrays else layer
            names = [f"{cell}/{name}:0" for name in arrays]
            group = top.create_group(layer)
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, array in zip(names, arrays.values(), strict=True):
                group[name] = array
    return path


def recurrence(cell, x, w, σ):
    """The last h, written out once more: one sample, one step at a time."""
    h, c = np.zeros((len(x), H)), np.zeros((len(x), H))
    for t in range(x.shape[1]):
        z, u = x[:, t] @ w["kernel"], h @ w["recurrent_kernel"]
        if cell == "LSTM":
            i, f, g, o = np.split(z + u + w["bias"], 4, axis=1)
            c = σ(f) * c + σ(i) * np.tanh(g)
            h = σ(o) * np.tanh(c)
        elif w["bias"].ndim == 1:  # reset before the product
            z = z + w["bias"]
            update, reset = σ(z[:, :H] + u[:, :H]), σ(z[:, H : 2 * H] + u[:, H : 2 * H])
            new = np.tanh(z[:, 2 * H :] + (reset * h) @ w["recurrent_kernel"][:, 2 * H :])
            h = update * h + (1 - update) * new
        else:
            z, u = z + w["bias"][0], u + w["bias"][1]
            update, reset = σ(z[:, :H] + u[:, :H]), σ(z[:, H : 2 * H] + u[:, H : 2 * H])
            h = update * h + (1 - update) * np.tanh(z[:, 2 * H :] + reset * u[:, 2 * H :])
    return h


def old_hard_sigmoid(z):
    return np.clip(0.2 * z + 0.5, 0, 1)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def test_the_hard_sigmoid_of_keras_2_and_its_slope():
    forward, backward = ACTIVATIONS["hard_sigmoid_keras2"]
    z = np.linspace(-4, 4, 1001)
    np.testing.assert_allclose(forward(z), old_hard_sigmoid(z), rtol=0, atol=1e-16)
    by_step = forward(z + 1e-30j).imag / 1e-30
    np.testing.assert_allclose(backward(forward(z), np.ones_like(z)), by_step, rtol=0, atol=1e-15)
    assert np.abs(forward(z) - ACTIVATIONS["hard_sigmoid"].forward(z)).max() > 0.08  # not Keras 3's


@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
@pytest.mark.parametrize("named", [True, False], ids=["the config says hard_sigmoid", "the config says nothing"])
def test_a_whole_model_before_2_3_has_the_gates_that_it_was_trained_with(cell, named, x, tmp_path):
    config = layer_2_0(cell)
    if not named:
        del config["config"]["recurrent_activation"]
    stored = {f"{cell.lower()}_1": weights_of(cell), "dropout_1": {}, "dense_1": dense()}
    dropout = {"class_name": "Dropout", "config": {"name": "dropout_1", "trainable": True, "rate": 0.2}}
    model_config = {"class_name": "Sequential", "config": [config, dropout, DENSE_2_0]}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = le.load_model(write(tmp_path / "m.h5", stored, model_config, TRAINING_2_0))
    assert model.layers[0].recurrent_activation == "hard_sigmoid_keras2"
    h = recurrence(cell, x.astype(float), weights_of(cell), old_hard_sigmoid)
    expected = sigmoid(h @ dense()["kernel"] + 1)
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=0, atol=1e-6)
    assert model.optimizer.learning_rate == 0.002
    assert [metric.name for metric in model.metrics] == ["accuracy"]


def test_a_model_of_tf_keras_2_keeps_its_sigmoid(x, tmp_path):
    config = layer_2_0("LSTM", recurrent_activation="sigmoid", time_major=False, implementation=2)
    first = {
        "class_name": "InputLayer",
        "config": {
            "batch_input_shape": [None, T, D],
            "dtype": "float32",
            "sparse": False,
            "ragged": False,
            "name": "i",
        },
    }
    model_config = {"class_name": "Sequential", "config": {"name": "old", "layers": [first, config, DENSE_2_0]}}
    training = TRAINING_2_0 | {
        "metrics": [[{"class_name": "MeanMetricWrapper", "config": {"name": "accuracy", "dtype": "float32"}}]],
        "loss": {"class_name": "BinaryCrossentropy", "config": {
            "reduction": "auto", "name": "binary_crossentropy", "from_logits": True, "label_smoothing": 0.0, "axis": -1,
        }},
        "optimizer_config": {"class_name": "SGD", "config": {
            "name": "SGD", "learning_rate": 0.5, "decay": 0.0, "momentum": 0.0, "nesterov": False,
        }},
    }  # fmt: skip
    stored = {"lstm_1": weights_of("LSTM"), "dense_1": dense()}
    model = le.load_model(write(tmp_path / "m.h5", stored, model_config, training, "2.8.0", tf=True))
    h = recurrence("LSTM", x.astype(float), weights_of("LSTM"), sigmoid)
    expected = sigmoid(h @ dense()["kernel"] + 1)
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=0, atol=1e-6)
    assert (model.optimizer.learning_rate, model.loss.from_logits, model.name) == (0.5, True, "old")


@pytest.mark.parametrize("word", ["lr", "learning_rate"])
def test_decay_of_a_file_of_keras_2_divides_the_rate(word, tmp_path):
    config = {"class_name": "SGD", "config": {word: 0.5, "decay": 0.25, "momentum": 0.9, "nesterov": True}}
    layers = [layer_2_0("LSTM", recurrent_activation="sigmoid", batch_input_shape=[None, T, D]), DENSE_2_0]
    whole = {"class_name": "Sequential", "config": layers}
    stored = {"lstm_1": weights_of("LSTM"), "dense_1": dense()}
    model = le.load_model(write(tmp_path / "m.h5", stored, whole, TRAINING_2_0 | {"optimizer_config": config}))
    assert model.optimizer.learning_rate == 0.5
    model.optimizer.iterations = 2
    assert model.optimizer.learning_rate == 0.5 / 1.5


def test_a_graph_of_keras_2_names_its_calls_in_lists(x, tmp_path):
    def row(kind, name, config, *nodes):
        return {"class_name": kind, "name": name, "config": config | {"name": name}, "inbound_nodes": list(nodes)}

    encoder = layer_2_0("LSTM", return_state=True)["config"]
    decoder = layer_2_0("LSTM", return_sequences=True)["config"]
    rows = [
        row("InputLayer", "input_1", {"batch_input_shape": [None, T, D], "dtype": "float32", "sparse": False}),
        row("InputLayer", "input_2", {"batch_input_shape": [None, None, D], "dtype": "float32", "sparse": False}),
        row("LSTM", "lstm_1", encoder, [["input_1", 0, 0, {}]]),
        row("LSTM", "lstm_2", decoder, [["input_2", 0, 0, {}], ["lstm_1", 0, 1, {}], ["lstm_1", 0, 2, {}]]),
        row("Dense", "dense_1", DENSE_2_0["config"], [["lstm_2", 0, 0, {}]]),
    ]
    ends = {"input_layers": [["input_1", 0, 0], ["input_2", 0, 0]], "output_layers": [["dense_1", 0, 0]]}
    newer = json.loads(json.dumps(rows))  # tf.keras 2.4 and later
    newer[3]["inbound_nodes"] = [[["input_2", 0, 0, {"initial_state": [["lstm_1", 0, 1], ["lstm_1", 0, 2]]}]]]
    stored = {
        "input_1": {},
        "input_2": {},
        "lstm_1": weights_of("LSTM"),
        "lstm_2": weights_of("LSTM", 2),
        "dense_1": dense(),
    }
    gates = {"recurrent_activation": "hard_sigmoid_keras2"}
    _, h, c = le.LSTM(H, return_state=True, **gates)(le.Input((T, D)))
    first, second = le.Input((T, D)), le.Input((None, D))
    _, h, c = le.LSTM(H, return_state=True, **gates)(first)
    y = le.LSTM(H, return_sequences=True, **gates)(second, initial_state=[h, c])
    expected = le.Model([first, second], le.Dense(1, "sigmoid")(y))
    expected.set_weights([w for arrays in stored.values() for w in arrays.values()])
    for name, layers in (("a.h5", rows), ("b.h5", newer)):
        config = {"class_name": "Model", "config": {"name": "model_1", "layers": layers} | ends}
        model = le.load_model(write(tmp_path / name, stored, config, version="2.2.4"))
        np.testing.assert_array_equal(model.predict([x, x], verbose=0), expected.predict([x, x], verbose=0))


# -- weights alone ---------------------------------------------------------------------------------------------------


def model_with(gates=None, cell=le.LSTM, **options):
    given = {"recurrent_activation": gates} if gates else {}
    return le.Sequential([le.Input((T, D)), cell(H, **given, **options), le.Dense(1)])


@pytest.mark.parametrize(
    ("version", "gates", "words"),
    [
        (
            "2.2.4",
            None,
            r"weights alone .* Keras 2\.2\.4\. Before Keras 2\.3 .* lstm here are sigmoid.*hard_sigmoid_keras2",
        ),
        ("2.2.4-tf", None, r"Keras 2\.2\.4-tf"),
        ("", None, "of an unknown version"),
        ("2.2.4", "hard_sigmoid", r"clip\(0\.2 z \+ 0\.5, 0, 1\); that of lstm here"),
        ("2.8.0", "hard_sigmoid", r"clip\(0\.2 z \+ 0\.5, 0, 1\); that of lstm here"),
        ("2.2.4", "hard_sigmoid_keras2", None),
        ("2.3.1", None, None),
        ("2.8.0", None, None),
        ("3.0.0", "hard_sigmoid", None),
    ],
)
def test_weights_alone_say_when_the_gates_may_have_been_others(version, gates, words, tmp_path):
    path = write(tmp_path / "w.h5", {"lstm_1": weights_of("LSTM"), "dense_1": dense()}, version=version)
    model = model_with(gates)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        model.load_weights(path)
    assert np.array_equal(model.weights["lstm/kernel"], weights_of("LSTM")["kernel"])
    assert len(said) == (words is not None)
    if words:
        assert said[0].filename == __file__
        assert re.search(words, str(said[0].message))


def test_a_whole_models_weights_say_that_the_gates_were_others(tmp_path):
    config = {"class_name": "Sequential", "config": [layer_2_0("LSTM"), DENSE_2_0]}
    path = write(tmp_path / "m.h5", {"lstm_1": weights_of("LSTM"), "dense_1": dense()}, config)
    with pytest.warns(
        UserWarning, match=r"says that the gates of lstm were hard_sigmoid, here they are sigmoid.*load_model"
    ):
        model_with().load_weights(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model_with("hard_sigmoid_keras2").load_weights(path)


def as_cudnn(w, gates):
    """What CuDNNLSTM or CuDNNGRU holds for these weights: each gate's kernel in cuDNN's order, two biases in one."""
    kernel = np.concatenate([k.T.reshape(D, H) for k in np.split(w["kernel"], gates, axis=1)], axis=1)
    recurrent = np.concatenate([u.T for u in np.split(w["recurrent_kernel"], gates, axis=1)], axis=1)
    b = w["bias"]
    bias = b.reshape(-1) if b.ndim == 2 else np.concatenate([0.25 * b, 0.75 * b])
    return {"kernel": kernel, "recurrent_kernel": recurrent, "bias": bias}


@pytest.mark.parametrize(("cell", "gates"), [("LSTM", 4), ("GRU", 3)])
def test_layers_for_a_gpu_become_the_usual_ones(cell, gates, x, tmp_path):
    w = weights_of(cell, reset_after=cell == "GRU")
    stored = {f"{cell.lower()}_1": as_cudnn(w, gates), "dense_1": dense()}
    config = layer_2_0(cell)
    for option in (
        "activation",
        "recurrent_activation",
        "dropout",
        "recurrent_dropout",
        "unroll",
        "implementation",
        "use_bias",
    ):
        del config["config"][option]  # which the CuDNN layers do not have
    config["class_name"] = f"CuDNN{cell}"
    whole = {"class_name": "Sequential", "config": [config, DENSE_2_0]}
    model = le.load_model(write(tmp_path / "m.h5", stored, whole, version="2.2.4"))
    h = recurrence(cell, x.astype(float), w, sigmoid)
    np.testing.assert_allclose(model.predict(x, verbose=0), sigmoid(h @ dense()["kernel"] + 1), rtol=0, atol=1e-6)
    alone = model_with(cell=getattr(le, cell))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        alone.load_weights(write(tmp_path / "w.h5", stored, version="2.2.4"))
    np.testing.assert_allclose(alone.layers[0].weights["kernel"], w["kernel"])
    if cell == "GRU":
        with pytest.raises(ValueError, match=r"CuDNNGRU, which is a GRU with reset_after=True"):
            model_with(cell=le.GRU, reset_after=False).load_weights(tmp_path / "w.h5")


def test_keras_1_stored_every_gate_by_itself(tmp_path):
    gates = {f"lstm_1_{kind}_{gate}": np.zeros((H, H), "float32") for gate in "icfo" for kind in "WU"}
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.attrs["layer_names"] = [b"lstm_1"]
        file.create_group("lstm_1").attrs["weight_names"] = [name.encode() for name in gates]
        for name, w in gates.items():
            file[f"lstm_1/{name}"] = w
    with pytest.raises(ValueError, match=r"Keras 1 stored every gate by itself.*Keras 2\.3"):
        le.Sequential([le.Input((T, D)), le.LSTM(H)]).load_weights(tmp_path / "w.h5")


def test_the_optimizers_state_of_keras_2_is_left_with_a_warning(tmp_path):
    config = {"class_name": "Sequential", "config": [layer_2_0("LSTM"), DENSE_2_0]}
    path = write(tmp_path / "m.h5", {"lstm_1": weights_of("LSTM"), "dense_1": dense()}, config, TRAINING_2_0)
    with h5py.File(path, "a") as file:
        names = [f"training/Adam/Variable_{n}:0" for n in range(11)]
        file.create_group("optimizer_weights").attrs["weight_names"] = [name.encode() for name in names]
        for name in names:
            file[f"optimizer_weights/{name}"] = np.zeros(3, "float32")
    with pytest.warns(UserWarning, match="optimizer's state .* starts anew"):
        assert le.load_model(path).optimizer.iterations == 0
