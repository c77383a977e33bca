"""Sequences of different lengths: fitting a list is fitting the padded array with a mask, and little of it is padding."""

import numpy as np
import pytest

import lstm_engine as le
from lstm_engine.samples import POOL, Samples, pad

rng = np.random.default_rng(0)
LENGTHS = [5, 2, 7, 1, 4, 7, 3, 0]
ROWS = [rng.standard_normal((n, 3)) for n in LENGTHS]
MASK = np.arange(7) < np.array(LENGTHS)[:, None]  # (8, 7)
y = np.array([1, 0, 0, 1, 1, 0, 1, 0])


def model(*layers, loss="binary_crossentropy", backend="auto"):
    m = le.Sequential([*(layers or [le.LSTM(4)]), le.Dense(1, "sigmoid")], seed=0, dtype="float64", backend=backend)
    m.compile("adam", loss, metrics=["accuracy"])
    return m


def test_a_list_is_its_padded_array_with_a_mask():
    listed, padded, order = model(), model(), [[[0, 1, 2], [3, 4, 5], [6, 7]]] * 2
    a = listed.fit(ROWS, y, epochs=2, order=order, verbose=0).history
    b = padded.fit(pad(ROWS), y, epochs=2, order=order, verbose=0, mask=MASK).history
    for name in a:
        np.testing.assert_allclose(a[name], b[name], rtol=1e-12)
    for ours, other in zip(listed.get_weights(), padded.get_weights(), strict=True):
        np.testing.assert_allclose(ours, other, rtol=1e-12, atol=1e-14)


def test_predictions_come_in_the_order_of_the_list():
    m = model()
    m.build((None, 3))
    alone = np.concatenate([m(row[None]) for row in ROWS[:-1]])
    together = m.predict(ROWS, batch_size=3, verbose=0)
    np.testing.assert_allclose(together[:-1], alone, rtol=1e-12)
    nothing = m(np.zeros((1, 1, 3)), mask=[[False]])  # a sequence without steps leaves the initial state
    np.testing.assert_allclose(together[-1:], nothing, rtol=1e-12)


def test_a_network_of_steps_predicts_a_list_and_learns_from_one():
    m = model(le.GRU(4, return_sequences=True), loss="mean_squared_error")
    targets = [row.sum(axis=1) for row in ROWS]
    m.fit(ROWS, targets, epochs=1, verbose=0)
    predicted = m.predict(ROWS, batch_size=3, verbose=0)
    assert [p.shape for p in predicted] == [(n, 1) for n in LENGTHS]
    errors = [((p[:, 0] - t) ** 2) for p, t in zip(predicted, targets, strict=True)]
    assert m.evaluate(ROWS, targets, batch_size=8, verbose=0)[0] == pytest.approx(np.concatenate(errors).mean())


def test_evaluate_and_validation_take_lists():
    m = model(le.Bidirectional(le.LSTM(3)))
    history = m.fit(ROWS, y, epochs=1, verbose=0, validation_data=(ROWS[:4], y[:4])).history
    loss, accuracy = m.evaluate(ROWS[:4], y[:4], batch_size=2, verbose=0)
    assert history["val_loss"] == [pytest.approx(loss)]
    assert history["val_accuracy"] == [accuracy]
    split = model().fit(ROWS, y, epochs=1, verbose=0, validation_split=0.25).history
    assert set(split) == {"loss", "accuracy", "val_loss", "val_accuracy"}


def test_masking_and_the_lengths_both_hold():
    rows = [row.copy() for row in ROWS]
    rows[2][3] = -1.0
    m = model(le.Masking(-1.0), le.LSTM(4))
    m.build((None, 3))
    mask = MASK.copy()
    mask[2, 3] = False
    plain = model()
    plain.build((None, 3))
    plain.set_weights(m.get_weights())
    np.testing.assert_allclose(m.predict(rows, verbose=0), plain.predict(pad(rows), mask=mask, verbose=0), rtol=1e-12)


def test_batches_hold_every_row_once_and_like_lengths_together():
    lengths = rng.integers(1, 100, 2000)
    samples = Samples([np.zeros((n, 1)) for n in lengths], "float32")
    batches = samples.batches(32, np.random.default_rng(1))
    assert sorted(np.concatenate(batches)) == list(range(2000))
    padded = sum(lengths[b].max() * len(b) for b in batches) / lengths.sum()
    assert padded < 1 + 2 / POOL + 0.03  # a pool's lengths fall into POOL parts, and the last batch of a pool is short
    assert [len(b) for b in samples.batches(32, None)] == [32] * 62 + [16]
    np.testing.assert_array_equal(np.concatenate(samples.batches(32, None)), np.arange(2000))
    assert not np.array_equal(batches[0], samples.batches(32, np.random.default_rng(2))[0])


def test_a_masked_step_s_content_changes_nothing():
    x, other = pad(ROWS), pad(ROWS)
    other[~MASK] = 1e6
    m = model(le.Bidirectional(le.LSTM(3, return_sequences=True)), le.GRU(3))
    loss, gradients = m.gradients(x, y, mask=MASK)
    same, also = m.gradients(other, y, mask=MASK)
    assert loss == same
    for name, gradient in gradients.items():
        np.testing.assert_array_equal(gradient, also[name])


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda m: m.fit(pad(ROWS), y, mask=MASK[:, :5]), ValueError, r"mask must have shape \(8, 7\).*\(8, 5\)"),
        (lambda m: m.predict(pad(ROWS), mask=MASK[:3]), ValueError, r"mask must have shape \(8, 7\).*\(3, 7\)"),
        (lambda m: m.fit(ROWS, y, mask=MASK), ValueError, "is masked by their lengths"),
        (
            lambda m: m.fit([*ROWS[:2], np.zeros((4, 2))], y[:3]),
            ValueError,
            r"X\[0\] \(5, 3\), X\[2\] \(4, 2\)",
        ),
        (lambda m: m.fit(ROWS, y[:3]), ValueError, r"same number of samples.*8.*3"),
        (
            lambda m: m.fit(ROWS, [np.zeros(n + 1) for n in LENGTHS]),
            ValueError,
            r"y of every step.*\[5, 2, .*\[6, 3",
        ),
        (lambda m: m.fit([np.zeros(3), np.zeros(2)], y[:2]), TypeError, "rows of different lengths"),
        (lambda m: m.fit(np.array(ROWS, dtype=object), y), TypeError, "array of numbers"),
        (lambda m: m.predict([row[:, :2] for row in ROWS]), ValueError, "built for X of shape"),
    ],
)
def test_what_does_not_fit_is_named(call, error, words):
    m = model()
    m.build((None, 3))
    with pytest.raises(error, match=words):
        call(m)
