"""A stream says at each step what predict says of the steps so far; predict without a tape says what a pass with one does."""

import numpy as np
import pytest

import lstm_engine as le

CELLS = [
    lambda **o: le.LSTM(7, **o), lambda **o: le.GRU(7, **o), lambda **o: le.GRU(7, reset_after=False, **o),
    lambda **o: le.SimpleRNN(7, **o), lambda **o: le.LSTM(7, activation="relu", **o),
]  # fmt: skip
# a step adds up what a whole pass adds up, in the same order: the last places of a few hundred sums
TOLERANCE = 1e-13


@pytest.fixture
def x():
    return np.random.default_rng(3).standard_normal((3, 9, 2))


def model(*layers, backend="auto"):
    model = le.Sequential(layers, seed=0, dtype="float64", backend=backend)
    model.build((9, 2))
    return model


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("backend", ["auto", "numpy"])
def test_each_step_gives_what_predict_gives_for_the_steps_so_far(cell, backend, x):
    stacked = model(cell(return_sequences=True), le.Dropout(0.5), cell(), le.Dense(2, "sigmoid"), backend=backend)
    stream = stacked.stream(batch=3)
    for t in range(9):
        np.testing.assert_allclose(
            stream.step(x[:, t]), stacked.predict(x[:, : t + 1], verbose=0), rtol=0, atol=TOLERANCE
        )


def test_with_sequences_each_step_gives_the_last_of_them(x):
    tagger = model(le.GRU(5, return_sequences=True), le.TimeDistributed(le.Dense(2)))
    stream = tagger.stream(batch=3)
    steps = [stream.step(x[:, t]) for t in range(9)]
    np.testing.assert_allclose(np.stack(steps, axis=1), tagger.predict(x, verbose=0), rtol=0, atol=TOLERANCE)


def test_reset_begins_anew_with_the_weights_of_now(x):
    small = model(le.LSTM(4), le.Dense(1))
    stream = small.stream(batch=3)
    first = stream.step(x[:, 0])
    assert np.abs(stream.step(x[:, 0]) - first).max() > 1e-3
    stream.reset()
    np.testing.assert_array_equal(stream.step(x[:, 0]), first)
    small.set_weights([2 * w for w in small.get_weights()])
    stream.reset()
    np.testing.assert_allclose(stream.step(x[:, 0]), small.predict(x[:, :1], verbose=0), rtol=0, atol=TOLERANCE)


def test_what_a_step_returned_stays_as_it_was(x):
    stream = model(le.LSTM(4)).stream(batch=3)
    first = stream.step(x[:, 0])
    kept = first.copy()
    stream.step(x[:, 1])
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize(
    ("layer", "why"),
    [
        (le.Bidirectional(le.LSTM(3)), "reads a sequence from its end too"),
        (le.LSTM(3, go_backwards=True), "begins at a sequence's last step"),
        (le.Masking(0.0), "masks steps"),
    ],
)
def test_layers_that_need_the_whole_sequence_are_refused_with_the_reason(layer, why):
    layers = [layer, le.LSTM(3)] if isinstance(layer, le.Masking) else [layer]
    with pytest.raises(ValueError, match=why):
        model(*layers).stream()


def test_a_step_of_another_shape_is_refused(x):
    stream = model(le.LSTM(4)).stream()
    with pytest.raises(ValueError, match=r"shape \(1, 2\), \(batch, features\), got \(3, 2\)"):
        stream.step(x[:, 0])


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("rows", [1, 3])
def test_predict_without_a_tape_gives_what_a_pass_with_one_gives(cell, sequences, masked, rows, x):
    layer = cell(return_sequences=sequences)
    layer.build((9, 2), "float64", "auto", np.random.default_rng(0))
    x = x[:rows]
    mask = np.random.default_rng(1).random((rows, 9)) < 0.6 if masked else None
    start = [np.full((rows, 7), 0.3) for _ in layer.state_names]
    y, states, tape = layer.forward(x, False, mask, start)
    y_lean, states_lean, nothing = layer.forward(x, False, mask, start, taped=False)
    assert tape is not None
    assert nothing is None
    for a, b in zip([y, *states], [y_lean, *states_lean], strict=True):
        np.testing.assert_array_equal(a, b)  # the same code in the same order


@pytest.mark.parametrize("backend", ["auto", "numpy"])
def test_what_a_step_returned_may_be_written_into(backend, x):
    net = model(le.LSTM(4), backend=backend)
    stream = net.stream(batch=3)
    stream.step(x[:, 0])[:] = 7.0
    np.testing.assert_allclose(stream.step(x[:, 1]), net.predict(x[:, :2], verbose=0), rtol=0, atol=TOLERANCE)


def test_a_stream_keeps_its_weights_while_the_model_trains_on(x):
    net = model(le.LSTM(4, return_sequences=True), le.TimeDistributed(le.Dense(3)), le.LSTM(2), le.Dense(1))
    expected, stream = net.predict(x, verbose=0), net.stream(batch=3)
    for t in range(9):
        last = stream.step(x[:, t])
        net.set_weights([1.5 * w for w in net.get_weights()])
    np.testing.assert_allclose(last, expected, rtol=0, atol=TOLERANCE)


def test_a_step_of_any_layout_compiles_nothing_anew(x):
    from lstm_engine.kernels import lstm

    stream = model(le.LSTM(4)).stream(batch=3)
    stream.step(x[:, 0].copy())
    before = len(lstm._forward.signatures)
    read_only = x[:, 0].copy()
    read_only.flags.writeable = False
    for step in (read_only, np.asfortranarray(x[:, 0]), np.broadcast_to(x[:1, 0], (3, 2)), x[:, 0].astype(np.float32)):
        stream.step(step)
    assert len(lstm._forward.signatures) == before


def test_a_step_of_no_real_numbers_is_refused(x):
    stream = model(le.LSTM(4)).stream(batch=3)
    with pytest.raises(TypeError, match="an array of real numbers, got one of complex128"):
        stream.step(x[:, 0] + 1j)
