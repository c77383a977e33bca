"""Windows of a series: Keras's own windows, gathered a batch at a time, as often as one likes."""

import tracemalloc
import types

import numpy as np
import pytest

import lstm_engine as le
from lstm_engine.windows import timeseries_dataset_from_array

RNG = np.random.default_rng(0)
DATA, TARGETS = RNG.standard_normal((40, 3)), RNG.standard_normal(40)


class Listed(list):
    """What Keras asks of Grain, for lists."""

    source = classmethod(lambda cls, items: cls(items))

    def to_iter_dataset(self):
        return self

    def batch(self, size, batch_fn):
        return Listed(batch_fn(self[n : n + size]) for n in range(0, len(self), size))


def stack(items):
    return tuple(map(np.stack, zip(*items, strict=True))) if isinstance(items[0], tuple) else np.stack(items)


@pytest.fixture
def keras_s_windows(monkeypatch):
    """Keras's function with its own arithmetic of indices; lists stand in for Grain, which makes its batches."""
    pytest.importorskip("keras")
    from keras.src.utils import timeseries_dataset_utils as module

    zipped = types.SimpleNamespace(ZipMapDataset=lambda parts: Listed(zip(*parts, strict=True)))
    monkeypatch.setattr(module, "grain", types.SimpleNamespace(MapDataset=Listed, experimental=zipped))
    monkeypatch.setattr(module, "make_batch", stack)
    return lambda *args, **options: module.timeseries_dataset_from_array(*args, **options, format="grain")


@pytest.mark.parametrize(
    "options",
    [
        {"sequence_length": 5},
        {"sequence_length": 5, "batch_size": 7},
        {"sequence_length": 1, "sequence_stride": 3, "batch_size": None},
        {"sequence_length": 4, "sampling_rate": 3, "sequence_stride": 2, "batch_size": 4},
        {"sequence_length": 4, "sampling_rate": 2, "start_index": 5, "end_index": 30, "batch_size": 1},
        {"sequence_length": 6, "end_index": 39},
        {"sequence_length": 40},
    ],
)
@pytest.mark.parametrize("targets", [None, TARGETS, DATA[:, :2], TARGETS[:33]])
def test_windows_are_keras_s(keras_s_windows, options, targets):
    ours, theirs = timeseries_dataset_from_array(DATA, targets, **options), keras_s_windows(DATA, targets, **options)
    assert len(ours) == len(theirs)
    for batch, expected in zip(ours, theirs, strict=True):
        for a, b in zip(*(((part,) if targets is None else part) for part in (batch, expected)), strict=True):
            np.testing.assert_array_equal(a, b, strict=True)


def windows(**options):
    return timeseries_dataset_from_array(DATA, TARGETS, 5, **({"batch_size": 8} | options))


def test_a_pass_can_be_repeated_and_parts_of_it_taken():
    ds = windows()
    first, again = list(ds), list(ds)
    assert len(first) == len(ds) == 5
    for (x, y), (x_again, y_again) in zip(first, again, strict=True):
        np.testing.assert_array_equal(x, x_again)
        np.testing.assert_array_equal(y, y_again)
    (x, y), (x_next, _) = *ds.take(1), *ds.skip(1).take(1)
    assert len(ds.take(2)) == 2
    assert len(ds.skip(2)) == 3
    assert (len(ds.take(-1)), len(ds.skip(-1))) == (5, 0)  # -1 is all of them, as in TensorFlow
    np.testing.assert_array_equal(x, first[0][0])
    np.testing.assert_array_equal(x_next, first[1][0])


def test_batches_answer_numpy_as_tensorflow_s_do():
    for x, y in windows().take(1):
        assert type(x[0][:, 1].numpy()) is np.ndarray
        np.testing.assert_array_equal(y.numpy(), TARGETS[:8])
    for x, y in windows().as_numpy_iterator():
        assert type(x) is type(y) is np.ndarray


def test_shuffled_windows_keep_their_targets_and_follow_from_the_seed():
    def starts(ds):
        out = []
        for x, y in ds:
            for window, target in zip(x, y, strict=True):
                start = int(np.flatnonzero(target == TARGETS)[0])
                np.testing.assert_array_equal(window, DATA[start : start + 5])
                out.append(start)
        return out

    a, b = windows(shuffle=True, seed=1), windows(shuffle=True, seed=1)
    first, second = starts(a), starts(a)
    assert sorted(first) == sorted(second) == list(range(36))
    assert first != second != list(range(36))
    assert starts(b) == first
    assert starts(windows(shuffle=True)) != starts(windows(shuffle=True))


def test_a_pass_holds_one_batch_of_windows():
    long = np.zeros((200_000, 4), np.float32)
    ds = timeseries_dataset_from_array(long, None, 100, batch_size=16)  # all windows: 320 MB, a batch: 25.6 kB
    tracemalloc.start()
    for n, _ in enumerate(ds):
        if n == 20:
            break
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * 16 * 100 * 4 * 4


def test_a_model_learns_from_windows():
    model = le.Sequential([le.LSTM(3), le.Dense(1)], seed=0, backend="numpy")
    model.compile("adam", "mean_squared_error")
    windowed = model.fit(windows(), epochs=2, verbose=0, validation_data=windows(batch_size=4)).history
    x, y = (np.concatenate(parts) for parts in zip(*windows(), strict=True))
    again = le.Sequential([le.LSTM(3), le.Dense(1)], seed=0, backend="numpy")
    again.compile("adam", "mean_squared_error")
    assert windowed == again.fit(x, y, 8, 2, 0, shuffle=False, validation_data=(x, y), validation_batch_size=4).history
    np.testing.assert_array_equal(model.predict(windows(), verbose=0), again.predict(x, 8, verbose=0))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sequence_length": 41}, "a window spans 41 steps, but there are 40"),
        ({"sequence_length": 5, "sampling_rate": 40}, "sampling_rate=40 must be lower than"),
        ({"sequence_length": 5, "sequence_stride": 0}, "sequence_stride must be a whole number"),
        ({"sequence_length": 5, "start_index": 9, "end_index": 9}, "start_index=9 and end_index=9"),
        ({"sequence_length": 5, "start_index": -1}, "start_index=-1"),
        ({"sequence_length": 5, "end_index": 40}, "end_index=40"),
        ({"sequence_length": 5, "start_index": 20, "targets": TARGETS[:30]}, "last begins at 35, but there are 30"),
    ],
)
def test_windows_that_do_not_fit_are_named(options, words):
    with pytest.raises(ValueError, match=words):
        timeseries_dataset_from_array(DATA, **({"targets": None} | options))


def test_what_tensorflow_s_datasets_have_besides_is_named():
    with pytest.raises(AttributeError, match="Windows has no map: windows can be iterated and have take, skip"):
        windows().map(abs)
