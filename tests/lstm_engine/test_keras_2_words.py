"""Each word of Keras 2 that the engine takes: the numbers of Keras 3's word, one warning that has this word."""

import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import lstm_engine as le
from lstm_engine import keras_2_words

rng = np.random.default_rng(0)
X, y = rng.standard_normal((6, 3, 2)), np.array([0, 1, 1, 0, 1, 0.0])
Y = np.eye(3)[[0, 1, 2, 0, 1, 2]]


@pytest.fixture(autouse=True)
def first_time():
    """Every test sees the warnings of a new process."""
    keras_2_words.warn.cache_clear()


def model(optimizer="sgd", units=1, first=None, metrics=("accuracy",)):
    layers = [
        first or le.LSTM(3, input_shape=(3, 2)),
        le.Dense(units, activation="sigmoid" if units == 1 else "softmax"),
    ]
    made = le.Sequential(layers, seed=0, dtype="float64", backend="numpy")
    made.compile(optimizer, "binary_crossentropy" if units == 1 else "categorical_crossentropy", metrics=list(metrics))
    return made


def trained(optimizer="sgd", **how):
    m = model(optimizer)
    m.fit(X, y, **({"batch_size": 2, "verbose": 0} | how))
    return m.get_weights()


def batches():
    while True:
        yield from ((X[k : k + 2], y[k : k + 2]) for k in (0, 2, 4))


def fit_generator(verb, **how):
    m = model()
    getattr(m, verb)(batches(), steps_per_epoch=3, epochs=2, verbose=0, **how)
    return m.get_weights()


def with_rate(word):
    m = model(le.SGD(0.5))
    setattr(m.optimizer, word, 0.1)
    m.fit(X, y, epochs=2, verbose=0)
    return [*m.get_weights(), getattr(m.optimizer, word)]


def stateful(layer):
    m = model(first=layer)
    return [m.predict(X[:2], verbose=0), m.predict(X[:2], verbose=0)]


def plateau(**how):
    m = model()
    callback = le.ReduceLROnPlateau("loss", patience=1, factor=0.5, **how)
    return m.fit(X, y, epochs=5, verbose=0, callbacks=[callback]).history["learning_rate"]


def stopped(monitor):
    m = model()
    callback = le.EarlyStopping(monitor, patience=1)
    return m.fit(X, y, epochs=9, verbose=0, callbacks=[callback], validation_data=(X, y)).epoch


def graph(**words):
    x = le.Input((3,))
    tensors = {"x": x, "y": le.Dense(2)(x)}
    made = le.Model(**{word: tensors[name] for word, name in words.items()}, seed=0, backend="numpy")
    return made.predict(X[:, :, 0], verbose=0)


def history(name, metrics=("accuracy",)):
    how = {"validation_data": (X, y), "callbacks": [le.ReduceLROnPlateau("loss")]}
    return model(metrics=metrics).fit(X, y, epochs=2, verbose=0, **how).history[name]


def saved(folder: Path, filepath, **how):
    how = {"callbacks": [le.ModelCheckpoint(folder / filepath, **how)], "validation_data": (X, y)}
    model().fit(X, y, epochs=2, verbose=0, **how)
    return [sorted(file.name for file in folder.iterdir())]


def epsilon(kind, **how):
    return trained(kind(0.1, **how))


LATER = le.schedules.InverseTimeDecay(0.5, 1, 0.25)
# Keras 2's word, with Keras 3's; and what the warning says to write.
WORDS = {
    "lr of Adam": (lambda _: trained(le.Adam(lr=0.1)), lambda _: trained(le.Adam(learning_rate=0.1)),
                   "write Adam(learning_rate=...)"),
    "decay beside lr": (lambda _: trained(le.SGD(lr=0.5, decay=0.25)), lambda _: trained(le.SGD(LATER)),
                        "lr and decay are words of Keras 2: write SGD(lstm_engine.schedules.InverseTimeDecay(lr, 1, decay))"),
    "decay=0 beside lr": (lambda _: trained(le.SGD(lr=0.5, decay=0.0)), lambda _: trained(le.SGD(0.5)),
                          "write SGD(learning_rate=...)"),
    "epsilon=None of Adam": (lambda _: epsilon(le.Adam, epsilon=None), lambda _: epsilon(le.Adam), "leave it out"),
    "epsilon=None of RMSprop": (lambda _: epsilon(le.RMSprop, epsilon=None), lambda _: epsilon(le.RMSprop), "1e-7"),
    "optimizer.lr": (lambda _: with_rate("lr"), lambda _: with_rate("learning_rate"), "write optimizer.learning_rate"),
    "Model(input=, output=)": (lambda _: graph(input="x", output="y"), lambda _: graph(inputs="x", outputs="y"),
                               "write Model(inputs=...)"),
    "nb_epoch": (lambda _: trained(nb_epoch=3), lambda _: trained(epochs=3), "write fit(epochs=...)"),
    "batch_input_shape": (lambda _: stateful(le.LSTM(3, batch_input_shape=(2, 3, 2), stateful=True)),
                          lambda _: stateful(le.LSTM(3, input_shape=(3, 2), stateful=True)),
                          "write Input(batch_shape=...) as the model's first item"),
    "batch_size of a layer": (lambda _: stateful(le.LSTM(3, batch_size=2, input_shape=(3, 2))),
                              lambda _: stateful(le.LSTM(3, input_shape=(3, 2))), "write Input(batch_shape=...)"),
    "input_dim of a recurrent layer": (lambda _: stateful(le.LSTM(3, input_dim=2, input_length=3)),
                                       lambda _: stateful(le.LSTM(3, input_shape=(3, 2))), "write Input((T, D))"),
    "fit_generator": (lambda _: fit_generator("fit_generator"), lambda _: fit_generator("fit"),
                      "write model.fit(generator, ...)"),
    "evaluate_generator": (lambda _: model().evaluate_generator(batches(), 3),
                           lambda _: model().evaluate(batches(), steps=3, verbose=0), "write model.evaluate("),
    "predict_generator": (lambda _: model().predict_generator(batches(), 3),
                          lambda _: model().predict(batches(), steps=3, verbose=0), "write model.predict("),
    "predict_proba": (lambda _: model().predict_proba(X), lambda _: model().predict(X, verbose=0), "write model.predict(X)"),
    "predict_classes of one output": (lambda _: model().predict_classes(X),
                                      lambda _: (model().predict(X, verbose=0) > 0.5).astype("int32"),
                                      'write (model.predict(X) > 0.5).astype("int32")'),
    "predict_classes of several": (lambda _: model(units=3).predict_classes(X),
                                   lambda _: model(units=3).predict(X, verbose=0).argmax(axis=-1),
                                   "write model.predict(X).argmax(axis=-1)"),
    "ReduceLROnPlateau(epsilon=)": (lambda _: plateau(epsilon=1.0), lambda _: plateau(min_delta=1.0),
                                    "write ReduceLROnPlateau(min_delta=...)"),
    "ModelCheckpoint(period=1)": (lambda path: saved(path, "{epoch}.keras", period=1),
                                  lambda path: saved(path, "{epoch}.keras"), "leave it out"),
    "val_acc to watch": (lambda _: stopped("val_acc"), lambda _: stopped("val_accuracy"), "write 'val_accuracy'"),
    "val_acc in a file's name": (lambda path: saved(path, "{epoch}-{val_acc:.2f}.keras"),
                                 lambda path: saved(path, "{epoch}-{val_accuracy:.2f}.keras"), "write 'val_accuracy'"),
    "history['acc']": (lambda _: history("acc"), lambda _: history("accuracy"), "write 'accuracy'"),
    "history['val_acc']": (lambda _: history("val_acc"), lambda _: history("val_accuracy"), "write 'val_accuracy'"),
    "history['lr']": (lambda _: history("lr"), lambda _: history("learning_rate"), "write 'learning_rate'"),
} | {
    f"{word} of fit": (lambda _, word=word: trained(**{word: 2}), lambda _: trained(), "leave it out")
    for word in keras_2_words.QUEUE
}  # fmt: skip


def said(messages):
    return [str(w.message) for w in messages]


@pytest.mark.parametrize("case", WORDS)
def test_a_word_of_keras_2_gives_the_numbers_of_keras_3_s_and_warns_once(case, tmp_path):
    old, new, advice = WORDS[case]
    folders = [tmp_path / "old", tmp_path / "again", tmp_path / "new"]
    for folder in folders:
        folder.mkdir()
    with pytest.warns(UserWarning, match=re.escape(advice)) as messages:
        found = old(folders[0])
    assert len(said(messages)) == len(set(said(messages)))
    assert {Path(w.filename) for w in messages} == {Path(__file__)}  # the caller's line, not the engine's
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        old(folders[1])
        expected = new(folders[2])
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_words_change_something_where_they_should():
    """Else the comparisons above would say nothing."""
    assert (trained(le.SGD(0.5))[0] != trained(le.SGD(0.01))[0]).all()
    assert (trained(le.SGD(0.5))[0] != trained(le.SGD(LATER))[0]).all()
    assert (trained(epochs=3)[0] != trained()[0]).all()
    assert plateau(min_delta=1.0) != plateau()
    assert len(stopped("val_accuracy")) < 9


def test_fit_s_metrics_keep_the_name_that_compile_gave_them():
    """As in Keras 3: metrics=["acc"] is acc in the history, and then no name of Keras 2."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(history("acc", metrics=["acc"])) == 2
        with pytest.raises(KeyError, match="acc"):
            history("acc", metrics=["mse"])
        with pytest.raises(KeyError, match="accuracy"):
            history("accuracy", metrics=["acc"])


def test_what_has_two_values_is_refused():
    with pytest.raises(TypeError, match="nb_epoch and epochs are one argument of fit: give epochs alone"):
        model().fit(X, y, epochs=2, nb_epoch=3)
    with pytest.raises(TypeError, match="lr and learning_rate are one argument of Adam: give learning_rate alone"):
        le.Adam(0.1, lr=0.2)
    with pytest.raises(TypeError, match="nb_epoch and epochs are one argument of fit: give epochs alone"):
        model().fit_generator(batches(), 3, 2, nb_epoch=3)
    with pytest.raises(ValueError, match=r"the input's shape, the batch first, as \(N, T, D\), got 3"):
        le.LSTM(2, batch_input_shape=3)
    x = le.Input((3,))
    both = le.Model(x, [le.Dense(2)(x), le.Dense(2)(x)])
    with pytest.raises(ValueError, match=r"predict_classes is for one output: take \.argmax"):
        both.predict_classes(np.ones((2, 3)))


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    ("said", "shapes"),
    [
        (
            {"input_shape": (3, 2), "batch_input_shape": (6, 3, 4)},
            r"input_shape \(3, 2\) and batch_input_shape \(3, 4\)",
        ),
        ({"batch_input_shape": (6, 3, 2), "input_dim": 4}, r"batch_input_shape \(3, 2\) and input_dim \(None, 4\)"),
        ({"input_shape": (3, 2), "input_dim": 2, "input_length": 4}, r"input_shape \(3, 2\) and input_dim \(4, 2\)"),
    ],
)
def test_two_input_shapes_that_differ_are_refused(said, shapes):
    with pytest.raises(ValueError, match=f"got {shapes}, which are different input shapes: give input_shape alone"):
        le.LSTM(2, **said)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_two_input_shapes_that_agree_are_put_together():
    assert le.LSTM(2, input_shape=(3, 2), input_dim=2).input_shape == (3, 2)
    assert le.LSTM(2, batch_input_shape=(6, None, 2), input_dim=2, input_length=3).input_shape == (3, 2)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("said", [{"input_shape": (3, 2)}, {"batch_input_shape": (6, 3, 2)}])
def test_an_input_layer_takes_the_shape_under_its_older_names(said):
    made = le.Sequential([le.layers.InputLayer(**said), le.LSTM(2)])
    assert made.built
    assert made.input_shape == (3, 2)
    with pytest.raises(ValueError, match=r"Input takes a shape \(T, D\), or a batch_shape \(N, T, D\)"):
        le.layers.InputLayer((3, 2), **said)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("lr", "decay"), [(0.1, -1), (0.1, "slow"), (0.1, np.nan), (-0.1, 0.1), (LATER, 0.1)])
def test_decay_and_lr_together_are_numbers(lr, decay):
    got = re.escape(f"lr and decay together are numbers of at least 0, got lr={lr!r} and decay={decay!r}")
    with pytest.raises(ValueError, match=got):
        le.SGD(lr=lr, decay=decay)


def test_of_lr_and_decay_one_warning_speaks():
    """Whoever follows a second one, "write SGD(learning_rate=...)", gets a decay that Keras 3 ignores."""
    with pytest.warns(UserWarning, match="decay") as messages:
        le.SGD(lr=0.5, decay=0.25)
    assert len(messages) == 1


def test_validation_is_asked_for_only_where_there_is_none():
    watch = {"verbose": 0, "callbacks": [le.EarlyStopping("val_acc")]}
    with pytest.raises(ValueError, match=r"watches 'val_acc', the logs have loss: give fit validation_data or"):
        model(metrics=()).fit(X, y, **watch)
    with pytest.raises(ValueError, match=r"watches 'val_acc', the logs have loss, val_loss$"):
        model(metrics=()).fit(X, y, validation_data=(X, y), **watch)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_callback_that_watches_a_name_of_keras_2_can_be_used_for_another_model():
    """Whose logs have that name, or Keras 3's: `monitor` stays what the caller gave."""
    callback = le.EarlyStopping("val_acc", patience=1)
    for metrics in (["accuracy"], ["acc"], ["accuracy"]):
        model(metrics=metrics).fit(X, y, epochs=2, verbose=0, callbacks=[callback], validation_data=(X, y))
        assert callback.monitor == "val_acc"
        assert callback.best is not None


def test_the_warning_comes_once_a_process_also_where_every_one_is_shown():
    code = "import lstm_engine as le\nfor _ in range(3): le.Adam(lr=0.1)\nle.AdamW(lr=0.1)"
    run = subprocess.run([sys.executable, "-W", "always", "-c", code], capture_output=True, text=True, check=True)
    assert run.stderr.count("write Adam(learning_rate=...)") == run.stderr.count("write AdamW(learning_rate=...)") == 1


def test_the_page_of_differences_has_every_word():
    page = (Path(__file__).parents[2] / "docs" / "keras-parity.md").read_text("utf-8")
    table = page.partition("### Words of Keras 2")[2].partition("\n## ")[0]
    verbs = [name for name in vars(keras_2_words.Keras2Verbs) if not name.startswith("_")]
    for word in {*verbs, *(old for words in keras_2_words.ARGUMENTS.values() for old in words)}:
        assert word in table, word
