"""What the engine answers to names and arguments of Keras that it lacks; needs no Keras."""

import importlib
import importlib.util
import pickle
import re
import subprocess
import sys

import numpy as np
import pytest

import lstm_engine as le
from lstm_engine import absent


@pytest.fixture(scope="module")
def model():
    model = le.Sequential([le.Input((3, 2)), le.LSTM(2), le.Dense(1)], name="adding", backend="numpy")
    model.compile("adam", "mse")
    return model


IMPORTS = {
    "from lstm_engine.layers import Conv1D": "Keras's Conv1D is not in the engine, which is about recurrence: a convolution",
    "from lstm_engine import Conv1D": "a convolution over k steps is a Dense over windows",
    "from lstm_engine.layers import LSTMCell": "whole layers: take LSTM, GRU or SimpleRNN",
    "from lstm_engine.layers import CuDNNLSTM": "is of Keras 1 or 2, and not in Keras 3 either: LSTM and GRU",
    "from lstm_engine.layers import LTSM": "lstm_engine.layers has no LTSM: did you mean LSTM?",
    "from lstm_engine.layers import Adam": "lstm_engine.layers has no Adam: it is lstm_engine.optimizers.Adam",
    "from lstm_engine.layers.core import Dense": "from lstm_engine.layers import LSTM, Dense",
    "import lstm_engine.layers.embeddings": "from lstm_engine.layers import LSTM, Dense",
    "from lstm_engine.datasets import imdb": "downloads nothing: keras.datasets.imdb.load_data",
    "import lstm_engine.datasets.mnist": "np.load",
    "from lstm_engine import datasets, layers": "downloads nothing",
    "from lstm_engine.callbacks import TensorBoard": "CSVLogger writes",
    "from lstm_engine.optimizers.schedules import CosineDecays": "did you mean CosineDecay?",
    "from lstm_engine.ops import mean": "whose arrays are NumPy's",
    "from lstm_engine.keras.layers import LSTM": "from lstm_engine.layers import LSTM",
    "import lstm_engine.applications.vgg16": "features of each frame",
}


@pytest.mark.parametrize("statement", IMPORTS)
def test_an_import_that_fails_says_what_is_missing_and_a_way(statement):
    with pytest.raises(ImportError, match=re.escape(IMPORTS[statement])):
        exec(statement)


def test_an_attribute_that_is_missing_says_the_same():
    for owner in (le, le.layers, le.optimizers):
        assert not hasattr(owner, "Conv1D")
        with pytest.raises(AttributeError, match="a Dense over windows"):
            owner.Conv1D  # noqa: B018
    with pytest.raises(AttributeError, match=r"backend\.epsilon is not in the engine: it is 1e-7"):
        le.backend.epsilon()
    with pytest.raises(AttributeError, match="did you mean LSTM"):
        le.LTSM  # noqa: B018


def test_what_is_no_name_of_keras_fails_as_python_s_names_do():
    for name in ("zzz", "__wrapped__", "_repr_html_"):
        with pytest.raises(AttributeError, match=f"module 'lstm_engine.layers' has no attribute '{name}'"):
            getattr(le.layers, name)
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'lstm_engine\.zzz'"):
        importlib.import_module("lstm_engine.zzz")
    with pytest.raises(ImportError, match="cannot import name 'zzz'"):
        exec("from lstm_engine import zzz")


def test_who_only_asks_whether_a_module_is_there_is_told_no():
    for name in ("lstm_engine.datasets", "lstm_engine.layers.Conv1D", "lstm_engine.layers.core", "lstm_engine.zzz"):
        assert importlib.util.find_spec(name) is None


def test_keras_s_places_lead_to_the_engine_s_names():
    from lstm_engine.callbacks import EarlyStopping
    from lstm_engine.layers import LSTM, Input
    from lstm_engine.models import Model, Sequential
    from lstm_engine.optimizers.schedules import ExponentialDecay, LearningRateSchedule
    from lstm_engine.regularizers import l1_l2, l2

    assert (LSTM, Input, Model, Sequential, EarlyStopping) == (
        le.LSTM,
        le.Input,
        le.Model,
        le.Sequential,
        le.EarlyStopping,
    )
    assert issubclass(ExponentialDecay, LearningRateSchedule)
    assert (l2(0.1), l1_l2(0.2, 0.1)) == (le.regularizers.L2(0.1), le.regularizers.L1L2(0.2, 0.1))
    assert le.keras.layers.LSTM is le.LSTM  # after `import lstm_engine as tf`
    assert (le.Layer, le.Optimizer, le.Metric) == (le.layers.Layer, le.optimizers.Optimizer, le.metrics.Metric)


def test_the_first_import_of_a_program_may_be_that_of_a_place():
    code = "import lstm_engine.optimizers.schedules as schedules; schedules.CosineDecay; schedules.Conv1D"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "Keras's Conv1D is not in the engine" in run.stderr.splitlines()[-1]


def test_every_answer_is_a_sentence_and_what_it_names_of_the_engine_is_there():
    for place, answers in absent.table().items():
        for name in answers:
            sentence = absent.sentence(place, name)
            assert re.match(r"Keras's [\w.]+ (is|stands) ", sentence), sentence
            assert not sentence.endswith("."), sentence
            for path in re.findall(r"lstm_engine((?:\.\w+)+)", sentence):
                module, _, name = f"lstm_engine{path}".rpartition(".")
                assert hasattr(importlib.import_module(module), name) or importlib.import_module(f"{module}.{name}")


# -- objects -------------------------------------------------------------------------------------------------------------


def test_objects_answer_for_what_keras_s_objects_have(model):
    asked = {
        (model, "trainable_variables"): "arrays by name", (model.layers[0], "kernel"): 'layer.weights["kernel"]',
        (model, "to_yaml"): "model.save writes", (model.optimizer, "variables"): "slots",
        (model, "pop"): "Sequential(model.layers[:-1])", (le.losses.Huber(), "call"): "values(y, p)",
    }  # fmt: skip
    for (owner, name), way in asked.items():
        assert not hasattr(owner, name)
        with pytest.raises(AttributeError, match=re.escape(way)):
            getattr(owner, name)
    with pytest.raises(AttributeError, match="'Sequential' object has no attribute 'zzz'"):
        model.zzz  # noqa: B018


def test_a_property_that_fails_says_why_itself():
    with pytest.raises(AttributeError, match="has not been called on an Input"):
        le.LSTM(2).output  # noqa: B018


def test_objects_that_answer_can_be_pickled(model):
    again = pickle.loads(pickle.dumps(model))
    X = np.ones((1, 3, 2))
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))


def test_a_subclass_whose_method_would_never_be_called_is_refused():
    with pytest.raises(TypeError, match=r"Mine.call would never be called. .*forward\(x, training"):
        type("Mine", (le.Layer,), {"call": lambda self, x: x})
    with pytest.raises(TypeError, match=r"Mine.call would never be called. .*write Model\(inputs, outputs\)"):
        type("Mine", (le.Model,), {"call": lambda self, x: x})
    for base, method, way in (
        (le.Loss, "call", "has values(y, p) and gradient(y, p)"), (le.Metric, "update_state", "has counts(y, p)"),
        (le.Initializer, "__call__", "has draw(shape, rng)"), (le.Regularizer, "__call__", "has value(w) and gradient(w)"),
    ):  # fmt: skip
        with pytest.raises(TypeError, match=f"Mine.{method} would never be called.*{re.escape(way)}"):
            type("Mine", (base,), {method: lambda self, *_: None})


def test_a_model_has_a_name_and_finds_its_layers(model):
    assert model.name == "adding"
    assert model.get_layer("dense") is model.get_layer(index=1) is model.layers[1]
    assert model.layers[1].count_params() == 3
    with pytest.raises(ValueError, match=r"no layer 'gru'; there are \['lstm', 'dense'\]"):
        model.get_layer("gru")
    with pytest.raises(ValueError, match="a name or an index"):
        model.get_layer()


def test_metrics_names_say_what_evaluate_returns(model):
    model.compile("sgd", "binary_crossentropy", metrics=["mse", "accuracy"])
    X, y = np.ones((2, 3, 2)), [0, 1]
    values = model.evaluate(X, y, verbose=0)
    assert dict(zip(model.metrics_names, values, strict=True)) == model.evaluate(X, y, verbose=0, return_dict=True)


def test_a_model_that_is_not_trainable_keeps_its_weights():
    model = le.Sequential([le.Input((3,)), le.Dense(2), le.Dense(1)])
    with pytest.raises(ValueError, match=r"set model\.trainable = False once"):
        le.Sequential(trainable=False)
    model.trainable = False
    assert [layer.trainable for layer in model.layers] == [False, False]


# -- arguments -----------------------------------------------------------------------------------------------------------


REFUSED = {
    "LSTM(inner_activation=)": (lambda m: le.LSTM(2, inner_activation="relu"), "it is recurrent_activation"),
    "LSTM(output_dim=)": (lambda m: le.LSTM(2, output_dim=2), "it is units"),
    "LSTM(batch_shape=)": (lambda m: le.LSTM(2, batch_shape=(1, 3, 2)), r"Input\(batch_shape=\(N, T, D\)\)"),
    "LSTM(input_length=)": (lambda m: le.LSTM(2, input_length=3), "any number of steps fits"),
    "Dense(kernel_constraint=)": (
        lambda m: le.Dense(2, kernel_constraint="non_neg"),
        "limit the weights after each batch",
    ),
    "Adam(amsgrad=True)": (lambda m: le.Adam(amsgrad=True), "amsgrad=True"),
    "compile(weighted_metrics=)": (
        lambda m: m.compile("sgd", "mse", weighted_metrics=["mse"]),
        "metrics are not weighted",
    ),
    "compile(steps_per_execution=4)": (lambda m: m.compile("sgd", "mse", steps_per_execution=4), "a step is one batch"),
    "compile(zzz=)": (lambda m: m.compile("sgd", "mse", zzz=1), "compile has no zzz=1"),
    "fit(samples_per_epoch=)": (
        lambda m: m.fit(np.ones((2, 3, 2)), [0, 1], samples_per_epoch=2),
        "it is steps_per_epoch",
    ),
    "ModelCheckpoint(period=2)": (
        lambda m: le.ModelCheckpoint("x.keras", period=2),
        r"save_freq=period \* the batches",
    ),
    "fit_generator(max_q_size=)": (lambda m: m.fit_generator(iter([]), max_q_size=9), "max_q_size: leave it out"),
    "Nadam(schedule_decay=)": (lambda m: le.Nadam(schedule_decay=0.004), "the numbers are those of Keras 3"),
    "ReduceLROnPlateau(zzz=)": (lambda m: le.ReduceLROnPlateau(zzz=1), "ReduceLROnPlateau has no zzz=1"),
    "predict(callbacks=)": (lambda m: m.predict(np.ones((2, 3, 2)), callbacks=[1]), "fit has them"),
    "Input(sparse=True)": (lambda m: le.Input((3,), sparse=True), "arrays are dense"),
    "Input(optional=True)": (lambda m: le.Input((3,), optional=True), "every input is given"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_argument_that_is_not_here_is_refused_with_what_to_write(case, model):
    call, way = REFUSED[case]
    optimizer = model.optimizer
    with pytest.raises(TypeError, match=way):
        call(model)
    assert model.optimizer is optimizer  # a call that fails changes nothing


def test_arguments_of_keras_that_change_nothing_pass(model):
    model.compile("adam", "mse", run_eagerly=True, jit_compile=False, steps_per_execution=1, weighted_metrics=None)
    X = np.ones((2, 3, 2))
    model.predict(X, verbose=0, callbacks=None)
    model.evaluate(X, [0, 1], verbose=0, callbacks=[])
    model.summary(line_length=80, expand_nested=True)
    assert le.Input((None,), batch_size=4, dtype="int32", sparse=False, name="ids").shape == (None, None)
    assert le.Sequential([le.Dense(2, input_dim=3, activity_regularizer=None)]).input_shape == (3,)


def test_an_input_of_whole_numbers_takes_no_fractions():
    """Keras cuts them off."""
    model = le.Sequential([le.Input((2,), dtype="int32"), le.Dense(1, kernel_initializer="ones")])
    assert model.predict(np.array([[2, 3]]), verbose=0) == 5
    with pytest.raises(ValueError, match=r"input_layer is an Input of whole numbers .*, got 1\.5"):
        model.predict(np.array([[2, 1.5]]), verbose=0)
    with pytest.raises(ValueError, match="Input's dtype is one of float32, float64, int32, int64, got 'string'"):
        le.Input((2,), dtype="string")
    le.Input((2,), dtype=np.int64)


def test_decay_is_ignored_with_a_warning_as_in_keras_3():
    with pytest.warns(UserWarning, match=r"decay is ignored, as in Keras 3: .*InverseTimeDecay\(rate, 1, decay\)"):
        assert le.SGD(0.1, decay=1e-6).learning_rate == 0.1


def test_an_activation_may_be_given_as_the_function():
    assert le.Dense(2, activation=le.activations.relu).activation == "relu"
    assert le.LSTM(2, activation=le.activations.tanh).activation == "tanh"
    assert le.activations.get("sigmoid") is le.activations.sigmoid
    with pytest.raises(ValueError, match="is not in the engine; it has"):
        le.Dense(2, activation=np.sin)


def test_a_finder_that_a_notebook_has_wrapped_still_answers(monkeypatch):
    """marimo puts a function around every finder's find_spec."""
    (finder,) = [finder for finder in sys.meta_path if isinstance(finder, absent.Finder)]
    right = finder.find_spec
    monkeypatch.setattr(finder, "find_spec", lambda *args, **options: right(*args, **options), raising=False)
    with pytest.raises(ImportError, match="Keras's Conv1D is not in the engine"):
        exec("from lstm_engine.layers import Conv1D")
    assert importlib.util.find_spec("lstm_engine.layers.Conv1D") is None
