"""Anything that makes batches trains a network as the arrays of its rows do, in the same order."""

import threading
import tracemalloc
import types

import numpy as np
import pytest

import lstm_engine as le
from lstm_engine import feeding
from lstm_engine.utils import PyDataset

RNG = np.random.default_rng(0)
X = RNG.standard_normal((20, 4, 2)).astype(np.float32)
Y = RNG.integers(0, 2, 20).astype(np.float32)
W = RNG.uniform(0.5, 2, 20).astype(np.float32)
ROWS = [np.arange(n, min(n + 6, 20)) for n in range(0, 20, 6)]  # 6, 6, 6, 2
QUIET = {"verbose": 0}


def network(*, returns=False):
    layers = [le.Input((4, 2)), le.LSTM(3, return_sequences=returns), le.Dense(1, "sigmoid")]
    model = le.Sequential(layers, seed=0, backend="numpy")
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model


def pieces(*parts):
    for rows in ROWS:
        yield tuple(part[rows] for part in parts)


def endless(*parts):
    while True:
        yield from pieces(*parts)


class Own(PyDataset):
    """Batches that are made on demand, with a note of every call."""

    def __init__(self, *parts):
        super().__init__()
        self.parts, self.calls = parts or (X, Y), []

    def __len__(self):
        return len(ROWS)

    def __getitem__(self, k):
        self.calls.append(k)
        return tuple(part[ROWS[k]] for part in self.parts)

    def on_epoch_begin(self):
        self.calls.append("begin")

    def on_epoch_end(self):
        self.calls.append("end")


class Again:
    """What can be passed through again and again, and does not know its length."""

    def __init__(self, *parts):
        self.parts = parts or (X, Y)

    def __iter__(self):
        return pieces(*self.parts)


class Listed(Again):
    def __len__(self):
        return len(ROWS)


class LikeTensorFlow:
    """A dataset that hands out arrays under the name that TensorFlow's has."""

    def as_numpy_iterator(self):
        return pieces(X, Y)

    def __iter__(self):
        raise AssertionError("its tensors are not asked for")

    def __len__(self):
        raise TypeError("the number of batches is unknown")


class Tensor:
    """An array that NumPy reads by its `__array__`, as PyTorch's are."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, dtype)


class LikePyTorch:
    """A loader: lists of tensors, a new list each pass."""

    def __iter__(self):
        return iter([[Tensor(x), Tensor(y)] for x, y in pieces(X, Y)])

    def __len__(self):
        return len(ROWS)


class Duck:
    """A Sequence that is not derived from the engine's."""

    def __len__(self):
        return len(ROWS)

    def __getitem__(self, k):
        return X[ROWS[k]], Y[ROWS[k]]


def by_rows(epochs=2, **options):
    return network().fit(X, Y, epochs=epochs, order=[ROWS] * epochs, **QUIET, **options).history


@pytest.mark.parametrize("make", [Own, Again, Listed, LikeTensorFlow, LikePyTorch, Duck])
def test_batches_of_any_kind_train_as_their_rows(make):
    model = network()
    assert model.fit(make(), epochs=2, shuffle=False, **QUIET).history == by_rows()
    rows = network()
    rows.set_weights(model.get_weights())
    assert model.evaluate(make(), **QUIET) == rows.evaluate(X, Y, 6, **QUIET)
    np.testing.assert_array_equal(model.predict(make(), **QUIET), rows.predict(X, 6, **QUIET))


def test_a_generator_trains_as_its_rows():
    assert network().fit(endless(X, Y), epochs=2, steps_per_epoch=4, **QUIET).history == by_rows()
    assert network().fit(pieces(X, Y), **QUIET).history == by_rows(1)
    weighted = network().fit(pieces(X, Y, W), **QUIET).history
    assert weighted == by_rows(1, sample_weight=W)
    model = network()
    expected = model.predict(X, 6, **QUIET)
    np.testing.assert_array_equal(model.predict((x for x in pieces(X)), **QUIET), expected)
    np.testing.assert_array_equal(model.predict((x[0] for x in pieces(X)), **QUIET), expected)
    np.testing.assert_array_equal(model.predict(endless(X, Y), steps=2, **QUIET), expected[:12])
    assert model.evaluate(endless(X, Y), steps=4, **QUIET) == model.evaluate(X, Y, 6, **QUIET)
    assert model.evaluate(X, Y, 6, steps=2, **QUIET) == model.evaluate(X[:12], Y[:12], 6, **QUIET)


def test_steps_go_on_where_the_last_epoch_stopped():
    steps = [[ROWS[0], ROWS[1], ROWS[2]], [ROWS[3]], [ROWS[0], ROWS[1], ROWS[2]]]
    expected = network().fit(X, Y, epochs=3, order=steps, **QUIET).history
    for data in ((Again(),), (Own(),), (X, Y, 6)):
        with pytest.warns(UserWarning, match="the data ran out after 1 of 3 steps"):
            history = network().fit(*data, epochs=3, steps_per_epoch=3, shuffle=False, **QUIET).history
        assert history == expected
    halves = network().fit(X, Y, epochs=3, order=[ROWS[:2], ROWS[2:], ROWS[:2]], **QUIET).history
    for data in ((Again(),), (Own(),), (X, Y, 6), (endless(X, Y),)):  # a pass that ends with an epoch: no warning
        assert network().fit(*data, epochs=3, steps_per_epoch=2, shuffle=False, **QUIET).history == halves


def test_a_generator_that_ends_early_ends_the_training_with_a_warning():
    model = network()
    with pytest.warns(UserWarning, match="come to its end: training stops before epoch 2"):
        assert model.fit(pieces(X, Y), epochs=5, **QUIET).history == by_rows(1)
    with pytest.warns(UserWarning, match="data") as seen:
        history = network().fit(pieces(X, Y), epochs=5, steps_per_epoch=3, **QUIET)
    assert [str(w.message) for w in seen] == [
        "the data ran out after 1 of 3 steps",
        "the data has come to its end: training stops before epoch 3",
    ]
    assert history.epoch == [0, 1]


def test_a_generator_is_read_no_further_than_it_is_trained_on():
    taken = []
    source = (taken.append(n) or batch for n, batch in enumerate(endless(X, Y)))
    network().fit(source, epochs=2, steps_per_epoch=3, **QUIET)
    assert taken == list(range(6))
    network().fit(source, steps_per_epoch=1, **QUIET)  # and goes on in the next fit
    assert taken == list(range(7))


def test_batches_are_not_collected():
    big = np.zeros((64, 4, 2000), np.float32)  # 2 MB

    def made():
        for _ in range(12):
            yield big + 1, np.zeros(64)

    model = le.Sequential([le.LSTM(1), le.Dense(1)], seed=0, backend="numpy")
    model.compile("sgd", "mean_squared_error")
    tracemalloc.start()
    model.fit(made(), **QUIET)
    model.evaluate(made(), **QUIET)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 * big.nbytes  # the first batch, the one at work, its copies by steps; not all twelve


def test_a_dataset_is_shuffled_by_batches_and_told_of_every_epoch():
    data = Own()
    network().fit(data, epochs=2, **QUIET)
    first, second = data.calls[1:5], data.calls[7:11]
    assert data.calls == ["begin", *first, "end", "begin", *second, "end"]
    assert sorted(first) == sorted(second) == [0, 1, 2, 3]
    assert first != second != [0, 1, 2, 3]
    again = Own()
    network().fit(again, epochs=2, **QUIET)
    assert again.calls == data.calls  # the order follows from the seed


def test_a_dataset_without_an_end_needs_steps():
    class Endless(Own):
        num_batches = None

        def __getitem__(self, k):
            return super().__getitem__(k % 4)

    assert network().fit(Endless(), epochs=2, steps_per_epoch=4, **QUIET).history == by_rows()
    with pytest.raises(ValueError, match="Endless without an end needs a number of steps"):
        network().fit(Endless(), **QUIET)
    assert list(zip(range(3), iter(Endless()), strict=False))[2][1][0].shape == (6, 4, 2)


def test_workers_change_no_number_and_say_so():
    with pytest.warns(UserWarning, match=r"workers=4 .* change nothing here"):
        PyDataset(workers=4)
    with pytest.raises(NotImplementedError, match="PyDataset needs __len__"):
        len(list(PyDataset()))


@pytest.mark.parametrize("make", [Own, Again, lambda: (X, Y), lambda: [X, Y], lambda: (X, Y, np.ones(20))])
def test_validation_data_may_be_anything(make):
    split = network().fit(X, Y, 6, 2, shuffle=False, validation_data=(X, Y), **QUIET).history
    history = network().fit(Own(), epochs=2, shuffle=False, validation_data=make(), **QUIET).history
    for name, values in split.items():  # another batch size adds up in another order
        np.testing.assert_allclose(history[name], values, rtol=1e-6)


def test_validation_begins_anew_at_every_epoch_and_is_read_for_its_steps():
    part = by_rows(validation_data=(X[:12], Y[:12]), validation_batch_size=6)
    for data in (Own(), Again(), (X, Y)):
        size = {"validation_batch_size": 6} if isinstance(data, tuple) else {}
        assert by_rows(validation_data=data, validation_steps=2, **size) == part
    turning = (batch for _ in range(2) for batch in [*pieces(X, Y)][:2])
    assert by_rows(validation_data=turning, validation_steps=2) == part
    with pytest.raises(ValueError, match="come to its end: there is no batch left"):
        by_rows(3, validation_data=pieces(X, Y), validation_steps=2)


def test_validation_data_goes_before_validation_split():
    options = {"validation_data": (X[:5], Y[:5]), "epochs": 1, "shuffle": False}
    assert network().fit(X, Y, 6, validation_split=0.5, **options, **QUIET).history == by_rows(
        **options | {"shuffle": True}
    )


def test_validation_freq_says_after_which_epochs():
    for freq, epochs in ((1, 4), (2, 2), ([1, 4], 2), ((3,), 1)):
        history = by_rows(4, validation_data=(X, Y), validation_freq=freq)
        assert (len(history["loss"]), len(history["val_loss"])) == (4, epochs), freq


def test_params_have_the_steps_once_they_are_known():
    seen = []
    watch = le.LambdaCallback(on_epoch_begin=lambda epoch, logs: seen.append(watch.params["steps"]))
    for x, steps in ((Again(), None), (Listed(), None), (Own(), None), (endless(X, Y), 3)):
        network().fit(x, epochs=2, steps_per_epoch=steps, callbacks=watch, **QUIET)
    assert seen == [None, 4, 4, 4, 4, 4, 3, 3]


def test_the_bar_of_an_unknown_number_of_steps(capsys):
    network().fit(Again(), verbose=2)
    assert capsys.readouterr().out.splitlines()[1].startswith("4/4 ━━━━━━━━━━━━━━━━━━━━ ")
    assert le.callbacks.progress_line(3, None, 0.3, {}) == "3/? ━ 0.3s 100ms/step"


def test_what_a_generator_raises_comes_out_after_the_steps_that_it_fed():
    def failing():
        yield from [*pieces(X, Y)][:2]
        raise OSError("the disk is gone")

    model, threads = network(), threading.active_count()
    with pytest.raises(OSError, match="the disk is gone"):
        model.fit(failing(), **QUIET)
    trained = network()
    trained.fit(X, Y, order=[ROWS[:2]], **QUIET)
    for ours, expected in zip(model.get_weights(), trained.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, expected)
    assert model.epochs_done == 0
    assert threading.active_count() == threads
    model.fit(X, Y, **QUIET)  # and it can be trained on


def test_a_model_without_weights_is_built_for_the_first_batch():
    shapes = []
    model = le.Sequential([le.LSTM(3), le.Dense(1, "sigmoid")], seed=0, backend="numpy")
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    begun = le.LambdaCallback(on_train_begin=lambda logs: shapes.extend(w.shape for w in model.get_weights()))
    assert model.fit(pieces(X, Y), callbacks=begun, **QUIET).history == by_rows(1)
    assert shapes[0] == (2, 12)


def test_classes_are_weighed_in_batches_too():
    weights = {0: 0.5, 1: 3.0}
    for data in (pieces(X, Y), Own()):
        assert network().fit(data, class_weight=weights, shuffle=False, **QUIET).history == by_rows(
            1, class_weight=weights
        )


def test_a_model_of_several_inputs_and_outputs_takes_batches():
    a, b = le.Input((4, 2), name="a"), le.Input((4, 2), name="b")
    h = le.LSTM(3)
    ends = [le.Dense(1, name="p")(h(a)), le.Dense(2, name="q")(h(b))]
    Q = RNG.standard_normal((20, 2))

    def fitted(*data, **options):
        model = le.Model([a, b], ends, seed=0, backend="numpy")
        model.set_weights([np.cos(np.arange(w.size)).reshape(w.shape) for w in model.get_weights()])
        model.compile("sgd", "mean_squared_error")
        return model, model.fit(*data, **options, **QUIET).history

    model, expected = fitted([X, 2 * X], [Y, Q], order=[ROWS])
    listed = (([X[rows], 2 * X[rows]], [Y[rows], Q[rows]]) for rows in ROWS)
    named = (({"a": X[rows], "b": 2 * X[rows]}, {"p": Y[rows], "q": Q[rows]}) for rows in ROWS)
    assert fitted(listed)[1] == fitted(named)[1] == expected
    for ours, whole in zip(
        model.predict((((X[rows], 2 * X[rows]),) for rows in ROWS), **QUIET),
        model.predict([X, 2 * X], 6, **QUIET),
        strict=True,
    ):
        np.testing.assert_array_equal(ours, whole)


def test_predictions_of_other_lengths_are_a_list():
    model = network(returns=True)
    out = model.predict(iter([X[:2], X[:3, :2]]), **QUIET)
    assert [p.shape for p in out] == [(4, 1)] * 2 + [(2, 1)] * 3
    rows = model.predict(iter([([X[0], X[1, :2]], [0, 1])]), **QUIET)
    assert [p.shape for p in rows] == [(4, 1), (2, 1)]


def test_frames_are_read_by_position():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": X[:, 0, 0], "b": Y.astype(int), "c": Y > 0}, index=RNG.permutation(20))
    wanted = np.column_stack([X[:, 0, 0], Y, Y])
    model = lambda: le.Sequential([le.Dense(1, "sigmoid")], seed=0, backend="numpy")  # noqa: E731
    series = pd.Series(Y, index=frame.index[::-1])
    for y in (series, series.to_frame(), series.astype("Int64")):
        ours, theirs = model(), model()
        for m in (ours, theirs):
            m.compile("adam", "binary_crossentropy", metrics=["accuracy"])
        a = ours.fit(frame, y, validation_split=0.25, sample_weight=pd.Series(W), **QUIET).history
        assert a == theirs.fit(wanted, Y, validation_split=0.25, sample_weight=W, **QUIET).history
        np.testing.assert_array_equal(ours.predict(frame, **QUIET), theirs.predict(wanted, **QUIET))
        assert ours.train_on_batch(frame, y) == theirs.train_on_batch(wanted, Y)


def sexes():
    pd = pytest.importorskip("pandas")
    return pd.DataFrame({"pitch": [1.0, 2.0], "sex": ["m", "f"]})


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (
            lambda m: m.fit(pieces(X, Y), Y),
            ValueError,
            r"y cannot be given beside a generator: its batches are \(x, y\)",
        ),
        (lambda m: m.fit(Own(), sample_weight=W), ValueError, "sample_weight cannot be given beside an Own"),
        (
            lambda m: m.fit(Own(), batch_size=6),
            ValueError,
            "batch_size cannot be given beside an Own: it makes the batches",
        ),
        (lambda m: m.fit(Again(), validation_split=0.2), ValueError, "validation_split cannot .* give validation_data"),
        (lambda m: m.fit(Again(), mask=X[..., 0] > 0), ValueError, "mask cannot be given beside an Again"),
        (lambda m: m.fit(Again(), order=[ROWS]), ValueError, "order cannot be given beside"),
        (lambda m: m.evaluate(Again(), Y), ValueError, "y cannot be given beside"),
        (lambda m: m.predict(Again(), batch_size=2), ValueError, "batch_size cannot be given beside"),
        (lambda m: m.fit(X), ValueError, "y is missing: the loss compares"),
        (
            lambda m: m.fit([*pieces(X, Y)]),
            ValueError,
            r"y is missing: .*list of batches \(x, y\) give iter\(batches\)",
        ),
        (lambda m: m.fit(iter([])), ValueError, "a list_iterator gave no batch"),
        (lambda m: m.predict(iter([])), ValueError, "a list_iterator gave no batch"),
        (lambda m: m.fit(pieces(X)), ValueError, r"batch 0: it has x alone"),
        (lambda m: m.fit(iter([(X, Y, W, W)])), ValueError, r"batch 0 must be x, \(x, y\) or .*got a tuple of 4"),
        (lambda m: m.fit(iter([(X, Y[:3])])), ValueError, "batch 0: X and y must have the same number of samples"),
        (lambda m: m.fit(iter([(X, Y), (X[..., :1], Y)])), ValueError, "batch 1: .*built for|batch 1: .*features"),
        (lambda m: m.fit(iter([(X[:, 0], Y)])), ValueError, r"batch 0: .*expects X of shape \(samples, timesteps"),
        (lambda m: m.fit(iter([("text", Y)])), TypeError, "batch 0: X must be an array of numbers"),
        (lambda m: m.fit(X, Y, steps_per_epoch=0), ValueError, "number of steps must be a whole number of at least 1"),
        (lambda m: m.fit(X, Y, order=[ROWS], steps_per_epoch=2), ValueError, "leave steps_per_epoch out"),
        (lambda m: m.fit(X, Y, order=[[]]), ValueError, r"order\[0\] needs batches of at least one row"),
        (lambda m: m.fit(X, Y, order=[[[0], []]]), ValueError, r"order\[0\] needs batches of at least one row"),
        (lambda m: m.fit(X, Y, validation_steps=2), ValueError, "validation_steps and .* need validation_data"),
        (
            lambda m: m.fit(X, Y, validation_data=Own(), validation_batch_size=3),
            ValueError,
            "validation_batch_size cannot",
        ),
        (lambda m: m.fit(X, Y, epochs=2, validation_data=pieces(X, Y)), ValueError, "once: give validation_steps"),
        (lambda m: m.fit(X, Y, validation_data=X), ValueError, r"validation_data is \(X, y\) .*got: ndarray"),
        (lambda m: m.fit(X, Y, validation_freq=0, validation_data=(X, Y)), ValueError, "validation_freq must be"),
        (lambda m: m.fit(sexes(), Y[:2]), TypeError, "column 'sex' of X holds .*, not numbers"),
        (lambda m: m.fit(X[:2], sexes()["sex"]), TypeError, "y holds .*, not numbers"),
        (lambda m: m.fit(sexes()[["pitch"]], Y[:2]), ValueError, "probably want X.reshape"),
    ],
)
def test_what_cannot_be_fed_is_named_and_nothing_moves(call, error, words):
    model = network()
    model.history = before = types.SimpleNamespace()
    weights = model.get_weights()
    with pytest.raises(error, match=words):
        call(model)
    if "batch 1" not in words and "order" not in words:  # found where the epoch begins
        assert model.history is before
        for ours, old in zip(model.get_weights(), weights, strict=True):
            np.testing.assert_array_equal(ours, old)


def test_an_uncompiled_model_says_so_before_it_draws_a_batch():
    taken = []
    with pytest.raises(ValueError, match=r"^compile the model first"):
        le.Sequential([le.LSTM(2)]).fit(taken.append(n) for n in range(3))
    assert not taken


def test_arrays_are_no_batches():
    pd = pytest.importorskip("pandas")
    for x in (X, [X[0], X[1]], (X,), {"a": X}, pd.DataFrame(X[0]), Tensor(X), "text", None, 3):
        assert not feeding.is_batches(x), x
    for x in (Own(), Again(), Duck(), pieces(X), iter([X]), zip([X], [Y], strict=True)):
        assert feeding.is_batches(x), x
