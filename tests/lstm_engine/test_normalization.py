"""LayerNormalization: means, variances and gradients over every choice of axes."""

import numpy as np
import pytest

import lstm_engine as le
from lstm_engine.gradient_check import unit_scale

SHAPE = (4, 5, 3)
X = 2 + 3 * np.random.default_rng(0).standard_normal(SHAPE)
AXES = [-1, 1, 2, -2, [1, 2], [-2, -1], [2, 1]]


def built(*arguments, dtype="float64", **options):
    layer = le.LayerNormalization(*arguments, **options)
    layer.build(SHAPE[1:], dtype, "numpy", np.random.default_rng(0))
    return layer


@pytest.mark.parametrize("axis", AXES, ids=str)
def test_numbers_have_mean_0_and_variance_1_over_the_axes(axis):
    y = built(axis, epsilon=0.0)(X)
    over = tuple(axis) if isinstance(axis, list) else axis
    np.testing.assert_allclose(y.mean(axis=over), 0, atol=1e-14)
    np.testing.assert_allclose(y.var(axis=over), 1, rtol=1e-14)


@pytest.mark.parametrize("axis", AXES, ids=str)
@pytest.mark.parametrize(("center", "scale"), [(True, True), (True, False), (False, True), (False, False)])
def test_every_gradient_is_the_derivative(axis, center, scale):
    """Along a random direction in every array, by the complex step, to 1e-13 of the gradient's length."""
    layer = unit_scale(built(axis, center=center, scale=scale), 1)
    y, _, tape = layer.forward(X)
    rng = np.random.default_rng(2)
    dy = rng.standard_normal(y.shape)
    dx, _, gradients = layer.backward(tape, dy)
    assert list(gradients) == ["gamma"] * scale + ["beta"] * center
    arrays = {"x": X, **{name: w.copy() for name, w in layer.weights.items()}}
    for name, gradient in {"x": dx, **gradients}.items():
        v = rng.standard_normal(gradient.shape)
        moved = {k: a + (1e-30j * v if k == name else 0) for k, a in arrays.items()}
        layer.weights = {k: a for k, a in moved.items() if k != "x"}
        derivative = (layer.forward(moved["x"] + 0j)[0] * dy).sum().imag / 1e-30
        assert abs((gradient * v).sum() - derivative) <= 1e-13 * np.linalg.norm(gradient) * np.linalg.norm(v), name


def test_a_shift_and_a_stretch_of_x_change_nothing():
    layer = built(epsilon=0.0)
    np.testing.assert_allclose(layer(5 * X - 7), layer(X), rtol=1e-12, atol=1e-13)


def test_numbers_that_are_all_alike_give_beta_and_no_gradient():
    layer = unit_scale(built())
    y, _, tape = layer.forward(np.full(SHAPE, 3.0))
    np.testing.assert_array_equal(y, np.broadcast_to(layer.weights["beta"], SHAPE))
    dx, _, gradients = layer.backward(tape, np.ones(SHAPE))
    assert np.isfinite(dx).all()
    assert not gradients["gamma"].any()


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"axis": 0}, ValueError, "without the batch, 0"),
        ({"axis": [1, 1]}, ValueError, "each once"),
        ({"axis": [1, -1]}, ValueError, "counted from one end"),
        ({"axis": []}, ValueError, "axis must name axes"),
        ({"axis": 1.0}, TypeError, "whole number"),
        ({"axis": True}, TypeError, "whole number"),
        ({"epsilon": -1}, ValueError, "epsilon"),
        ({"rms_scaling": True}, TypeError, "no rms_scaling=True"),
    ],
)
def test_options_that_make_no_sense_are_named(options, error, words):
    with pytest.raises(error, match=words):
        le.LayerNormalization(**options)


def test_an_axis_that_x_has_not_and_a_size_that_is_not_known_are_named():
    with pytest.raises(ValueError, match=r"axis=3, but x has 3 axes"):
        built(3)
    with pytest.raises(ValueError, match=r"needs the size of axis 1, but X is \(samples, None, 3\)"):
        le.Sequential([le.Input((None, 3)), le.LayerNormalization(1)])
    with pytest.raises(ValueError, match=r"built for \(5,\) numbers on axis 1, got \(4,\)"):
        built(1)(X[:, :4])
    with pytest.raises(ValueError, match=r"built for \(3,\) numbers on axis -1, got \(2,\)"):
        built()(X[:, :, :2])
    assert built()(X[:, :4]).shape == (4, 4, 3)


def test_a_stream_normalises_each_step_and_refuses_means_over_steps():
    net = unit_scale(le.Sequential([le.LayerNormalization(2, input_shape=(5, 3)), le.GRU(2)], dtype="float64"))
    expected, stream = net.predict(X, verbose=0), net.stream(batch=4)
    for w in net.weights.values():
        w += 1.0  # a stream has the weights of its beginning
    for t in range(5):
        y = stream.step(X[:, t])
    np.testing.assert_allclose(y, expected, rtol=1e-12)
    with pytest.raises(ValueError, match="not those of one step"):
        le.Sequential([le.LayerNormalization(1, input_shape=(5, 3)), le.GRU(2)]).stream()
