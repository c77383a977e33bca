"""The options of recurrent layers: how weights start, penalties, dropout, kept states, and what is refused by name."""

import re

import numpy as np
import pytest

import lstm_engine as le
from lstm_engine import initializers, regularizers

N, T, D, H = 4, 6, 3, 5
CELLS = [le.LSTM, le.GRU, le.SimpleRNN]
every_cell = pytest.mark.parametrize("cell", CELLS)


def data(shape=(N, T, D), seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def built(layer, seed=0, backend="auto"):
    layer.build((T, D), "float64", backend, np.random.default_rng(seed))
    return layer


# -- how weights start ------------------------------------------------------------------------------------------------


def test_unit_forget_bias_sets_the_forget_quarter_and_nothing_else():
    bias = built(le.LSTM(H, bias_initializer=initializers.Constant(0.3))).weights["bias"]
    np.testing.assert_array_equal(bias, np.repeat([0.3, 1.0, 0.3, 0.3], H))  # i f g o
    np.testing.assert_array_equal(built(le.LSTM(H, unit_forget_bias=False)).weights["bias"], np.zeros(4 * H))


def test_the_recurrent_kernel_of_all_gates_has_orthonormal_rows():
    U = built(le.LSTM(H)).weights["recurrent_kernel"]
    np.testing.assert_allclose(U @ U.T, np.eye(H), rtol=0, atol=1e-14)
    U = built(le.LSTM(H, recurrent_initializer=initializers.Orthogonal(gain=2.0))).weights["recurrent_kernel"]
    np.testing.assert_allclose(U @ U.T, 4 * np.eye(H), rtol=0, atol=1e-14)


def test_the_three_initializers_each_start_their_own_weight():
    c = initializers.Constant
    layer = built(le.GRU(H, kernel_initializer=c(1), recurrent_initializer=c(2), bias_initializer=c(3)))
    assert {name: set(w.ravel()) for name, w in layer.weights.items()} == {
        "kernel": {1.0}, "recurrent_kernel": {2.0}, "bias": {3.0},
    }  # fmt: skip


# -- penalties --------------------------------------------------------------------------------------------------------


@every_cell
def test_penalties_enter_the_loss_and_the_gradients_of_their_own_weights(cell):
    options = {"kernel_regularizer": "l2", "recurrent_regularizer": regularizers.L1(0.3), "bias_regularizer": "l1"}
    X, y = data(), data((N, H), 1)
    plain, penalised = (
        le.Sequential([cell(H, bias_initializer="ones", **penalties)], seed=0, dtype="float64")
        for penalties in ({}, options)
    )
    for model in (plain, penalised):
        model.compile("sgd", "mse")
    (loss, g), (loss_p, g_p) = plain.gradients(X, y), penalised.gradients(X, y)
    expected = 0.0
    for (name, w), option in zip(penalised.weights.items(), options.values(), strict=True):
        expected += regularizers.get(option).value(w)
        np.testing.assert_allclose(g_p[name] - g[name], regularizers.get(option).gradient(w), rtol=0, atol=1e-14)
    assert loss_p - loss == pytest.approx(expected, rel=1e-13)
    assert penalised.evaluate(X, y, verbose=0) == pytest.approx(loss_p, rel=1e-13)


# -- dropout ----------------------------------------------------------------------------------------------------------


def watcher(cell, **options):
    """A layer whose h shows what its input dropout let through: the sum of the features, with no memory of the last h."""
    start = {"kernel_initializer": "ones", "recurrent_initializer": "zeros", "use_bias": False}
    return built(cell(1, activation="linear", return_sequences=True, **start, **options))


def test_an_input_mask_is_held_over_all_steps_and_drawn_anew_for_every_batch():
    layer, x = watcher(le.SimpleRNN, dropout=0.5, seed=0), 2.0 ** np.arange(D) * np.ones((64, T, D))
    first, second = (layer(x, training=True)[..., 0] for _ in range(2))  # (64, T)
    assert (first == first[:, :1]).all()
    assert len(np.unique(first[:, 0])) == 2**D  # every subset of the features occurs
    assert (first != second).any()


@every_cell
def test_masks_have_keras_s_shapes_and_keep_the_mean(cell):
    gates = cell.gates
    layer = built(cell(H, dropout=0.25, recurrent_dropout=0.5))
    on_x, on_h = layer.dropout_masks((1000, T, D), np.float64)
    assert (on_x.shape, on_h.shape) == ((gates, 1000, D), (gates, 1000, H))
    assert set(np.unique(on_x)) == {0.0, 1 / 0.75}
    assert set(np.unique(on_h)) == {0.0, 2.0}
    for mask, rate in ((on_x, 0.25), (on_h, 0.5)):  # of n draws the mean strays by sqrt(rate / (1 - rate) / n)
        assert abs(mask.mean() - 1) < 5 * np.sqrt(rate / (1 - rate) / mask.size)
    for mask in (on_x, on_h):
        assert all((mask[0] != other).any() for other in mask[1:])  # every gate has its own
    alone, nothing = built(cell(H, dropout=0.25)).dropout_masks((2, T, D), np.float64)
    assert alone.shape == (1, 2, D)
    assert nothing is None


@every_cell
@pytest.mark.parametrize("option", ["dropout", "recurrent_dropout"])
def test_dropout_acts_while_training_alone(cell, option):
    layer, x = built(cell(H, **{option: 0.5})), data()
    np.testing.assert_array_equal(layer(x), layer(x))
    assert (layer(x, training=True) != layer(x)).any()


@every_cell
def test_a_layer_s_seed_makes_its_masks_and_nothing_else(cell):
    x = data()
    one, other = (built(cell(H, dropout=0.5, recurrent_dropout=0.3, seed=7), seed=s) for s in (0, 1))
    assert (one.weights["kernel"] != other.weights["kernel"]).any()
    for name, w in other.weights.items():
        w[...] = one.weights[name]
    for _ in range(2):
        np.testing.assert_array_equal(one(x, training=True), other(x, training=True))


@pytest.mark.parametrize("seed", [None, 0])
def test_two_ways_draw_masks_of_their_own_unless_they_are_given_one_seed(seed):
    """Keras copies the pattern with its seed: an LSTM or GRU of seed 0 drops the same features both ways."""
    layer = built(le.Bidirectional(le.GRU(H, dropout=0.5, seed=seed)))
    there, back = (half.dropout_masks((64, T, D), np.float64)[0] for half in (layer.forward_half, layer.backward_half))
    assert (there == back).all() == (seed is not None)


# -- states that stay -------------------------------------------------------------------------------------------------


@every_cell
def test_a_stateful_layer_goes_on_where_the_batch_before_it_ended(cell):
    layer, x = built(cell(H, stateful=True, return_sequences=True)), data()
    whole = layer(x)
    layer.reset_states()
    np.testing.assert_allclose(np.concatenate((layer(x[:, :2]), layer(x[:, 2:])), axis=1), whole, rtol=1e-12)
    assert (layer(x) != whole).any()
    layer.reset_state()
    np.testing.assert_array_equal(layer(x), whole)


def test_an_initial_state_given_to_a_stateful_layer_takes_the_kept_one_s_place():
    layer, x, h = built(le.GRU(H, stateful=True)), data(), data((N, H), 1)
    layer(x)
    np.testing.assert_array_equal(layer(x, initial_state=h), built(le.GRU(H))(x, initial_state=h))


def test_a_model_s_gradients_do_not_move_its_states_and_reset_states_forgets_them():
    two_ways = le.Bidirectional(le.GRU(H, stateful=True))
    model = le.Sequential([le.LSTM(H, stateful=True, return_sequences=True), two_ways], seed=0)
    model.compile("sgd", "mse")
    X, y = data(), data((N, 2 * H), 1)
    fresh = model(X)
    model.reset_states()
    model.gradients(X, y)
    np.testing.assert_array_equal(model(X), fresh)
    assert (model(X) != fresh).any()
    model.reset_states()
    np.testing.assert_array_equal(model(X), fresh)


@pytest.mark.parametrize("wrap", [lambda layer: layer, le.Bidirectional], ids=["one way", "two ways"])
def test_a_stateful_layer_refuses_another_batch_size(wrap):
    layer = built(wrap(le.LSTM(H, stateful=True)))
    layer(data())
    with pytest.raises(ValueError, match=r"stateful.*4 sequences.*batch of 3.*reset_states"):
        layer(data((3, T, D)))
    layer.reset_states()
    layer(data((3, T, D)))


# -- refused by name --------------------------------------------------------------------------------------------------

REFUSED = {
    "dropout of 1": (lambda: le.LSTM(H, dropout=1.0), r"dropout of 1 .*drop everything"),
    "recurrent dropout of 1": (lambda: le.GRU(H, recurrent_dropout=1), r"dropout of 1"),
    "dropout below 0": (lambda: le.LSTM(H, dropout=-0.1), r"dropout must lie in \[0, 1\], got -0.1"),
    "units of 0": (lambda: le.GRU(0), r"units must be .* at least 1, got 0"),
    "units of 2.5": (lambda: le.GRU(2.5), r"units must be a whole number.*2\.5"),
    "activation": (lambda: le.LSTM(H, activation="gelu"), r"'gelu' is not in the engine; it has .*tanh"),
    "initializer": (lambda: le.LSTM(H, kernel_initializer="magic"), r"initializer 'magic' .*glorot_uniform"),
    "regularizer": (lambda: le.LSTM(H, bias_regularizer="l3"), r"regularizer 'l3' .*l1, l2"),
    "second activation": (lambda: le.SimpleRNN(H, recurrent_activation="relu"), r"SimpleRNN has no recurrent_activation"),
    "constraint": (lambda: le.LSTM(H, kernel_constraint="max_norm"), r"LSTM has no kernel_constraint='max_norm'.*has units"),
    "forget bias of a GRU": (lambda: le.GRU(H, unit_forget_bias=True), r"GRU has no unit_forget_bias=True.*reset_after"),
    "reset_after of an LSTM": (lambda: le.LSTM(H, reset_after=True), r"LSTM has no reset_after=True.*unit_forget_bias"),
    "cuDNN": (lambda: le.LSTM(H, use_cudnn=True), r"LSTM has no use_cudnn=True"),
    "merge mode": (lambda: le.Bidirectional(le.LSTM(H), "max"), r"merge_mode must be one of 'concat'.*got 'max'"),
    "two ways of Dense": (lambda: le.Bidirectional(le.Dense(H)), r"takes an LSTM, GRU or SimpleRNN, got .*Dense"),
    "two ways alike": (
        lambda: le.Bidirectional(le.LSTM(H), backward_layer=le.LSTM(H)), r"opposite ways.*go_backwards=True",
    ),
    "two ways, one a sequence": (
        lambda: le.Bidirectional(le.LSTM(H, return_sequences=True), backward_layer=le.LSTM(H, go_backwards=True)),
        r"same return_sequences",
    ),
    "a sum of unequal units": (
        lambda: le.Bidirectional(le.LSTM(5), "sum", backward_layer=le.LSTM(7, go_backwards=True)), r"'sum'.*5 and 7",
    ),
    "states at every step": (lambda: le.TimeDistributed(le.LSTM(H, stateful=True)), r"TimeDistributed.*keeps no states"),
    "outputs at every step": (lambda: le.TimeDistributed(le.GRU(H, return_state=True)), r"TimeDistributed.*one output"),
    "a wrapper at every step": (lambda: le.TimeDistributed(le.Bidirectional(le.GRU(H))), r"TimeDistributed.*LSTM, got"),
    "states in a model": (lambda: le.Sequential([le.LSTM(H, return_state=True)]), r"LSTM would return several.*return_state"),
    "two outputs in a model": (
        lambda: le.Sequential([le.Bidirectional(le.GRU(H), merge_mode=None)]),
        r"Bidirectional would return several.*merge_mode=None",
    ),
    "no kernel for relu": (
        lambda: built(le.LSTM(H, activation="relu"), backend="numba"),
        r"no numba kernel.*activation='relu'.*backend=\"numpy\"",
    ),
    "no kernel for relu in two ways": (
        lambda: le.Sequential([le.Bidirectional(le.LSTM(H, activation="relu"), input_shape=(T, D))], backend="numba"),
        r"no numba kernel.*activation='relu'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_what_has_no_meaning_is_refused_with_both_sides_named(case):
    make, message = REFUSED[case]
    with pytest.raises((TypeError, ValueError), match=re.compile(message, re.DOTALL)):
        make()


def test_keras_s_own_defaults_are_accepted_and_change_nothing():
    defaults = {"kernel_constraint": None, "activity_regularizer": None, "use_cudnn": "auto", "implementation": 2}
    assert le.LSTM(H, **defaults).config() == le.LSTM(H).config()


def test_unroll_changes_no_number_and_refuses_what_keras_s_own_forgets():
    x, mask, h = data(), np.arange(T) < np.array([[6], [2], [0], [4]]), data((N, H), 1)
    plain, unrolled = built(le.GRU(H)), built(le.GRU(H, unroll=True))
    for options in ({}, {"mask": mask}, {"initial_state": h}):
        np.testing.assert_array_equal(unrolled(x, **options), plain(x, **options))
    with pytest.raises(ValueError, match=r"unroll=True .*zeros, not the initial state.*leave unroll out"):
        unrolled(x, mask=mask, initial_state=h)
    with pytest.raises(ValueError, match=r"unroll=True .*zero_output_for_mask"):
        built(le.GRU(H, unroll=True, zero_output_for_mask=True))(x, mask=mask)


def test_initial_states_of_another_number_or_shape_are_refused():
    lstm, gru, two = built(le.LSTM(H)), built(le.GRU(H)), built(le.Bidirectional(le.LSTM(H)))
    x, h, wrong = data(), data((N, H), 1), data((N, H + 1), 1)
    with pytest.raises(ValueError, match=r"h and c, each of shape \(4, 5\), got \(4, 5\)$"):
        lstm(x, initial_state=h)
    with pytest.raises(ValueError, match=r"h, each of shape \(4, 5\), got \(4, 6\)"):
        gru(x, initial_state=[wrong])
    with pytest.raises(ValueError, match=r"4 initial states, 2 each way, got 2"):
        two(x, initial_state=[h, h])


@pytest.mark.parametrize(
    ("mask", "shape"),
    [(np.ones((N, T - 1)), r"\(4, 5\)"), (np.ones(T), r"\(6,\)"), (np.ones((N, T, D)), r"\(4, 6, 3\)")],
)
def test_a_mask_of_another_shape_is_refused_with_both_shapes(mask, shape):
    for refuse in (
        lambda: built(le.LSTM(H))(data(), mask=mask),
        lambda: built(le.Bidirectional(le.GRU(H)))(data(), mask=mask),
        lambda: le.Sequential([le.SimpleRNN(H)])(data(), mask=mask),
    ):
        with pytest.raises(ValueError, match=rf"mask must have shape \(4, 6\).*got {shape}"):
            refuse()
