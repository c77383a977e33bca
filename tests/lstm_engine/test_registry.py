"""A reader's own classes beside the engine's: which class a name in a file means, and what a file cannot hold."""

from dataclasses import dataclass

import numpy as np
import pytest

import lstm_engine as le
from lstm_engine import loadable, registry

rng = np.random.default_rng(0)
X, y = rng.standard_normal((8, 4, 3)), rng.integers(0, 2, 8)


class Square(le.layers.Layer):
    def __init__(self, factor=1.0, **general):
        super().__init__(**general)
        self.factor = factor

    def forward(self, x, training=False, mask=None, initial_state=None, taped=True):
        return self.factor * x * x, [], x

    def backward(self, tape, dy, dstates=None, want_dx=True):
        return 2 * self.factor * tape * dy, [], {}


class TimesTen(le.LSTM):
    """A reader's own LSTM, ten times too large."""

    def forward(self, *args, **more):
        h, states, tape = super().forward(*args, **more)
        return 10 * h, states, tape


TimesTen.__name__ = "LSTM"


@dataclass
class Halving(le.schedules.Schedule):
    start: float = 0.1

    def __call__(self, step):
        return self.start / 2**step


@dataclass(kw_only=True)
class MeanOutput(le.metrics.Metric):
    name: str = "mean_output"

    def counts(self, y, p):
        return np.array([p.sum(), p.size])


class Signs(le.optimizers.Optimizer):
    def __init__(self, learning_rate=0.01, power=1.0, **general):
        super().__init__(learning_rate, **general)
        self.power = power

    def update(self, w, g, lr, *slots):
        w -= lr * np.sign(g) ** self.power


@dataclass(frozen=True)
class Ramp(le.initializers.Initializer):
    top: float = 1.0

    def draw(self, shape, rng):
        return np.linspace(0, self.top, int(np.prod(shape))).reshape(shape)


@dataclass(frozen=True)
class Fourth(le.regularizers.Regularizer):
    factor: float = 0.1

    def value(self, w):
        return self.factor * (w**4).sum()

    def gradient(self, w):
        return 4 * self.factor * w**3


OWN = [Square, Halving, MeanOutput, Signs, Ramp, Fourth]


@pytest.fixture(autouse=True)
def nothing_registered(monkeypatch):
    monkeypatch.setattr(registry, "_registered", {})


def model(*layers, dtype="float64", optimizer="sgd", metrics=None):
    m = le.Sequential([le.Input((4, 3)), *layers, le.Dense(1)], seed=0, dtype=dtype, backend="numpy")
    m.compile(optimizer, "mse", metrics=metrics)
    return m


def own_model():
    m = model(
        le.LSTM(4, kernel_initializer=Ramp(0.5), bias_regularizer=Fourth(0.3)),
        Square(0.5),
        optimizer=Signs(Halving(0.2), power=3),
        metrics=[MeanOutput()],
    )
    m.fit(X, y, verbose=0)
    return m


def test_defining_a_class_takes_nobody_s_place(tmp_path):
    trained = model(le.LSTM(4))
    trained.save(tmp_path / "m.safetensors")
    loaded = le.load(tmp_path / "m.safetensors", "numpy")
    assert type(loaded.layers[0]) is le.LSTM
    np.testing.assert_array_equal(loaded.predict(X, verbose=0), trained.predict(X, verbose=0))
    twin = trained.twin()
    assert type(twin.layers[0]) is le.LSTM
    np.testing.assert_allclose(twin(X), trained.predict(X, verbose=0), rtol=1e-12)  # another order of summing


def test_the_twin_of_an_own_lstm_is_that_lstm():
    own = model(TimesTen(4))
    assert type(own.twin().layers[0]) is TimesTen
    np.testing.assert_allclose(own.twin()(X), own.predict(X, verbose=0), rtol=1e-12)
    two_ways = le.Bidirectional(TimesTen(4, kernel_initializer=Ramp()))
    assert [type(half) for half in two_ways.parts.values()] == [TimesTen, TimesTen]


def test_a_name_of_the_engine_s_is_a_clash():
    with pytest.raises(ValueError, match="the engine has a layer named LSTM: give your class LSTM another name"):
        le.register(TimesTen)
    with pytest.raises(ValueError, match="optimizer named Adam"):
        le.register(type("ADAM", (le.Adam,), {}))  # files write optimizers without capitals
    with pytest.raises(TypeError, match=r"takes a class derived from Layer, Loss, Metric, .*got <class 'int'>"):
        le.register(int)


def test_an_own_class_by_a_name_of_the_engine_s_is_not_written(tmp_path):
    for m in (model(TimesTen(4)), model(le.Bidirectional(TimesTen(4)))):
        with pytest.raises(ValueError, match=r"your layer LSTM, .*has the name of the engine's LSTM.*another name"):
            m.save(tmp_path / "m.safetensors")
    assert not list(tmp_path.iterdir())


def test_another_class_of_a_registered_name_is_a_clash_and_a_class_defined_again_is_not():
    le.register(Square)
    again = type("Square", (Square,), {"__module__": Square.__module__, "__qualname__": "Square"})
    assert le.register(again) is again
    assert registry.find("layer", "Square") is again
    other = type("Square", (Square,), {"__module__": "elsewhere"})
    with pytest.raises(ValueError, match="another layer named Square is registered"):
        le.register(other)
    registry._registered.clear()
    both = model(Square(), other())
    with pytest.raises(ValueError, match="two classes named Square"):
        loadable.check(both)


def same_training(a, b):
    for m in (a, b):
        m.fit(X, y, epochs=2, verbose=0)
    for ours, other in zip(a.get_weights(), b.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, other)


@pytest.mark.parametrize("how", ["registered", "custom_objects"])
def test_own_classes_come_back_from_a_file_and_train_on(tmp_path, how):
    m = own_model()
    m.save(tmp_path / "m.safetensors")
    if how == "registered":
        for cls in OWN:
            assert le.register(cls) is cls
        loaded = le.load(tmp_path / "m.safetensors", "numpy")
    else:
        loaded = le.load(tmp_path / "m.safetensors", "numpy", custom_objects={cls.__name__: cls for cls in OWN})
    assert loaded.layers[1].factor == 0.5
    assert loaded.layers[0].kernel_initializer == Ramp(0.5)
    assert loaded.optimizer.learning_rate == 0.2 / 2**m.optimizer.iterations
    assert type(loaded.metrics[0]) is MeanOutput
    same_training(m, loaded)


def test_custom_objects_come_before_all_others_and_for_one_load(tmp_path):
    """As in Keras: {"LSTM": Mine} says which class the name means in this file."""
    model(le.LSTM(4)).save(tmp_path / "m.safetensors")
    assert type(le.load(tmp_path / "m.safetensors", "numpy", custom_objects={"LSTM": TimesTen}).layers[0]) is TimesTen
    assert type(le.load(tmp_path / "m.safetensors", "numpy").layers[0]) is le.LSTM
    with pytest.raises(TypeError, match=r"custom_objects\['f'\] takes a class derived from Layer"):
        le.load(tmp_path / "m.safetensors", "numpy", custom_objects={"f": len})


def test_a_file_with_a_class_that_is_not_known_says_how_to_make_it_known(tmp_path):
    own_model().save(tmp_path / "m.safetensors")
    with pytest.raises(ValueError, match=r"'Ramp' is not in the engine.*le.register\(Ramp\).*custom_objects=\{"):
        le.load(tmp_path / "m.safetensors", "numpy")


def test_own_classes_are_proved_without_being_registered():
    m = own_model()
    m.set_weights([w + 0.5 * rng.standard_normal(w.shape) for w in m.get_weights()])
    report = le.gradcheck(m, X, y[:, None])
    assert report.ok, report
    assert m.trace(X, y)["lstm"].f.shape == (8, 4, 4)


class Applied(Square):
    def __init__(self, function, **general):
        super().__init__(**general)
        self.function = function


class Private(Square):
    def __init__(self, factor, **general):
        super().__init__(**general)
        self._factor = factor
        del self.factor


class Forgetful(MeanOutput):
    def __init__(self, beta=1.0):
        super().__init__()
        self.beta = beta

    def config(self):
        return {"name": self.name}


class Doubling(Square):
    def config(self):
        return {"factor": 2 * self.factor}


class Plain(le.schedules.Schedule):
    def __init__(self, rate):
        self.rate = rate

    def __call__(self, step):
        return self.rate


class Hiding(Plain):
    def __init__(self, rate):
        self._rate = rate


class Third(le.regularizers.Regularizer):
    def __init__(self, factor):
        self.factor = factor

    def value(self, w):
        return self.factor * (w**4).sum()

    def gradient(self, w):
        return 4 * self.factor * w**3


@dataclass(frozen=True)
class Steps(le.initializers.Initializer):
    def draw(self, shape, rng):
        return np.arange(np.prod(shape)).reshape(shape) / 10.0


def test_a_class_that_keeps_its_arguments_under_their_names_needs_no_config(tmp_path):
    m = model(le.Dense(2, kernel_regularizer=Third(0.5)), optimizer=le.SGD(Plain(0.1)))
    m.save(tmp_path / "m.safetensors")
    loaded = le.load(tmp_path / "m.safetensors", "numpy", custom_objects={"Plain": Plain, "Third": Third})
    assert loaded.optimizer.learning_rate == 0.1
    assert loaded.layers[0].kernel_regularizer.factor == 0.5


FOREIGN = {
    "regularizer": lambda: model(le.Dense(2, kernel_regularizer=Third(0.5))),
    "initializer": lambda: model(le.Dense(2, kernel_initializer=Steps())),
    "schedule": lambda: model(optimizer=le.SGD(Plain(0.1))),
    "optimizer": lambda: model(optimizer=type("Mine", (le.SGD,), {})(0.1)),
}


@pytest.mark.parametrize("kind", FOREIGN)
@pytest.mark.parametrize("name", ["m.keras", "m.h5"])
def test_keras_s_files_are_not_written_with_a_class_that_keras_does_not_have(tmp_path, kind, name):
    pytest.importorskip("h5py")
    m = FOREIGN[kind]()
    with pytest.raises(ValueError, match=r"your own class, which Keras does not have: save as \.safetensors"):
        m.save(tmp_path / name)
    assert not list(tmp_path.iterdir())
    m.save_weights(tmp_path / "m.weights.h5")  # weights alone name no class
    m.load_weights(tmp_path / "m.weights.h5")


UNFIT = {
    "an array": (
        lambda: model(Square(np.ones(3))),
        r"layer square\['config'\]\['factor'\] is an array \(3,\), which a file",
    ),
    "a function": (lambda: model(Applied(len)), r"\['function'\] is builtin_function_or_method.*cannot hold"),
    "numbers as keys": (lambda: model(Square({0: 1.0})), r"has the key 0: a file's keys are strings"),
    "hidden": (lambda: model(Private(2.0)), r"Private.config\(\) raises .*AttributeError.*attribute of the same name"),
    "incomplete": (lambda: model(metrics=[Forgetful(2.0)]), r"metric mean_output would come back without its beta"),
    "another": (lambda: model(Doubling(3.0)), r"layer doubling would come back another"),
    "no dataclass": (lambda: model(optimizer=le.SGD(Hiding(0.1))), r"rate could not be loaded again.*dataclass"),
}


@pytest.mark.parametrize("what", UNFIT)
def test_what_would_not_come_back_is_named_and_no_file_is_written(tmp_path, what, monkeypatch):
    make, words = UNFIT[what]
    m = make()
    monkeypatch.setattr(Square, "forward", lambda self, x, *a, **k: (x, [], x))
    with pytest.raises(ValueError, match=words):
        m.save(tmp_path / "m.safetensors", metadata={"a": 1})
    assert not list(tmp_path.iterdir())
    assert m.metadata == {}


def test_numpy_s_numbers_come_back_as_numbers(tmp_path):
    m = model(Square(np.float32(0.5)), le.Dropout(np.float64(0.25), seed=np.int64(3)))
    m.save(tmp_path / "m.safetensors")
    loaded = le.load(tmp_path / "m.safetensors", "numpy", custom_objects={"Square": Square})
    assert loaded.layers[0].factor == 0.5
    assert loaded.layers[1].config() == {"rate": 0.25, "seed": 3}


def test_what_the_reader_gave_as_metadata_is_not_kept_by_reference(tmp_path):
    m, metadata = model(), {"labels": ["a"]}
    m.save(tmp_path / "m.safetensors", metadata=metadata)
    metadata["labels"].append("b")
    assert m.metadata == {"labels": ["a"]}


def test_a_stateful_model_goes_on_from_its_file_and_in_its_twin(tmp_path):
    m = model(le.LSTM(4, stateful=True, return_sequences=True), le.Bidirectional(le.GRU(2, stateful=True)))
    m.predict(X, batch_size=8, verbose=0)
    m.save(tmp_path / "m.safetensors")
    loaded, twin = le.load(tmp_path / "m.safetensors", "numpy"), m.twin()
    goes_on = m.predict(X, batch_size=8, verbose=0)
    np.testing.assert_array_equal(loaded.predict(X, batch_size=8, verbose=0), goes_on)
    np.testing.assert_allclose(twin.predict(X, batch_size=8, verbose=0), goes_on, rtol=1e-12)
    m.reset_states()
    assert np.abs(m.predict(X, batch_size=8, verbose=0) - goes_on).max() > 1e-3
