"""How weights start: from Keras's distributions, in every layer from the ones that Keras's layer has."""

import numpy as np
import pytest

import lstm_engine as le
from lstm_engine import initializers
from lstm_engine.keras_names import snake


@pytest.mark.parametrize("name", [n for n in initializers.NAMED if n != "orthogonal"])
def test_an_initializer_draws_from_keras_s_distribution(name):
    """Two samples of 65,536, ours and Keras's, in a matrix as wide as an LSTM's: a Kolmogorov-Smirnov distance of .0123 would
    come by chance once in 10,000 times. Values that do not vary must be the same.
    """
    keras, stats = pytest.importorskip("keras"), pytest.importorskip("scipy.stats")
    shape = (128, 512)
    theirs = keras.initializers.get(name)
    theirs.seed = 0
    theirs = np.asarray(theirs(shape), np.float64)
    ours = initializers.get(name).draw(shape, np.random.default_rng(0))
    if name in ("zeros", "ones", "identity"):
        np.testing.assert_array_equal(ours, theirs)
    else:
        assert stats.ks_2samp(ours.ravel(), theirs.ravel()).statistic < 0.0123
        if name not in (
            "random_normal",
            "normal",
        ):  # the others end somewhere: a cut at two deviations, or the limits of a uniform
            assert np.abs(ours).max() == pytest.approx(np.abs(theirs).max(), rel=1e-3)


def test_orthogonal_matrices_are_drawn_evenly_over_all_rotations():
    """The trace of a uniformly drawn rotation has mean 0 and variance 1; QR alone, without its signs mended, is far off."""
    rng = np.random.default_rng(0)
    traces = [np.trace(initializers.Orthogonal().draw((4, 4), rng)) for _ in range(100)]
    assert abs(np.mean(traces)) < 5 / np.sqrt(100)


@pytest.mark.parametrize(
    ("name", "arguments", "initializers_of"),
    [("LSTM", (4,), 3), ("GRU", (4,), 3), ("SimpleRNN", (4,), 3), ("Dense", (4,), 2), ("Embedding", (4, 3), 1),
     ("LayerNormalization", (), 2)],
)  # fmt: skip
def test_a_layer_begins_with_keras_s_initializers(name, arguments, initializers_of):
    keras = pytest.importorskip("keras")
    ours, theirs = getattr(le, name)(*arguments), getattr(keras.layers, name)(*arguments)
    options = [option for option in ours.options() if option.endswith("_initializer")]
    assert len(options) == initializers_of
    for option in options:
        assert getattr(ours, option) == initializers.get(snake(type(getattr(theirs, option)).__name__)), option


def test_an_initializer_with_a_seed_draws_the_same_numbers_for_every_layer():
    for make in (initializers.GlorotUniform, initializers.HeNormal, initializers.RandomNormal, initializers.RandomUniform,
                 initializers.TruncatedNormal, initializers.Orthogonal):  # fmt: skip
        first, second = (make(seed=3).draw((4, 6), np.random.default_rng(n)) for n in range(2))
        np.testing.assert_array_equal(first, second)
        assert not np.array_equal(first, make(seed=4).draw((4, 6), np.random.default_rng(0)))


def test_keras_s_names_of_initializers_are_those_that_layers_take_as_strings():
    for name, known in initializers.NAMED.items():
        assert getattr(initializers, name)() == known
