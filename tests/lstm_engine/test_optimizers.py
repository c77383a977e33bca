"""Optimizers: three steps by hand, and hundreds beside Keras."""

import json

import numpy as np
import pytest

import lstm_engine as le
from lstm_engine import optimizers
from lstm_engine.schedules import CosineDecay, ExponentialDecay, PiecewiseConstantDecay

GRADIENTS = (0.5, -1.0, 2.0)  # of one scalar weight, three steps


def three_steps(optimizer):
    w = {"w": np.array([1.0])}
    path = []
    for g in GRADIENTS:
        optimizer.apply(w, {"w": np.array([g])})
        path.append(w["w"][0])
    return path


def test_sgd_by_hand():
    np.testing.assert_allclose(three_steps(le.SGD(0.1)), [0.95, 1.05, 0.85], rtol=1e-15)


def test_momentum_by_hand():
    # m: -0.05, -0.05·0.9 + 0.1 = 0.055, 0.055·0.9 - 0.2 = -0.1505
    np.testing.assert_allclose(three_steps(le.SGD(0.1, momentum=0.9)), [0.95, 1.005, 0.8545], rtol=1e-15)


def test_nesterov_by_hand():
    # w += 0.9 m - 0.1 g with the same m
    expected = np.cumsum([-0.045 - 0.05, 0.0495 + 0.1, -0.13545 - 0.2]) + 1
    np.testing.assert_allclose(three_steps(le.SGD(0.1, momentum=0.9, nesterov=True)), expected, rtol=1e-15)


def test_adam_by_hand():
    w, m, v, path = 1.0, 0.0, 0.0, []
    for t, g in enumerate(GRADIENTS, start=1):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        w -= 0.01 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / (np.sqrt(v) + 1e-7)
        path.append(w)
    np.testing.assert_allclose(three_steps(le.Adam(0.01)), path, rtol=1e-14)
    assert path[0] == pytest.approx(1 - 0.01, rel=1e-6)  # the first step is the learning rate, whatever the gradient


def test_adam_has_keras_epsilon_not_the_papers():
    """For gradients near epsilon the two placements part: with Keras's, ε is added before the bias correction."""
    w = {"w": np.array([0.0])}
    le.Adam(1.0).apply(w, {"w": np.array([1e-6])})
    keras_step = np.sqrt(0.001) * 1e-6 / (np.sqrt(0.001 * 1e-12) + 1e-7)
    np.testing.assert_allclose(w["w"][0], -keras_step, rtol=1e-10)
    assert keras_step < 0.25 < 1e-6 / (1e-6 + 1e-7)  # Algorithm 1 would step 0.91


def test_an_optimizer_belongs_to_one_model():
    optimizer = le.Adam()
    optimizer.apply({"w": np.zeros(2)}, {"w": np.ones(2)})
    with pytest.raises(ValueError, match="this optimizer trains other weights already"):
        optimizer.apply({"w": np.zeros(2)}, {"w": np.ones(2)})


def test_rmsprop_by_hand():
    w, v, path = 1.0, 0.0, []
    for g in GRADIENTS:
        v = 0.9 * v + 0.1 * g * g
        w -= 0.01 * g / np.sqrt(v + 1e-7)
        path.append(w)
    np.testing.assert_allclose(three_steps(le.RMSprop(0.01)), path, rtol=1e-14)


def test_weights_decay_before_the_step_and_not_through_the_gradient():
    # with SGD: w = w - 0.1·0.5·w - 0.1·g
    expected, w = [], 1.0
    for g in GRADIENTS:
        w = w - 0.05 * w - 0.1 * g
        expected.append(w)
    np.testing.assert_allclose(three_steps(le.SGD(0.1, weight_decay=0.5)), expected, rtol=1e-14)


@pytest.mark.parametrize(
    ("clip", "steps"),
    [
        ({"clipvalue": 1.0}, {"a": [1.0, 0.3], "b": [-1.0, 0.0]}),
        ({"clipnorm": 2.0}, {"a": np.divide([3, 0.3], np.sqrt(9.09) / 2), "b": [-2.0, 0.0]}),
        ({"global_clipnorm": 2.0}, {"a": np.divide([3, 0.3], np.sqrt(25.09) / 2), "b": [-8 / np.sqrt(25.09), 0.0]}),
        ({"global_clipnorm": 6.0}, {"a": [3.0, 0.3], "b": [-4.0, 0.0]}),  # within the limit: untouched
    ],
)
def test_clipping_by_hand(clip, steps):
    weights = {"a": np.zeros(2), "b": np.zeros(2)}
    le.SGD(1.0, **clip).apply(weights, {"a": np.array([3.0, 0.3]), "b": np.array([-4.0, 0.0])})
    for name, step in steps.items():
        np.testing.assert_allclose(weights[name], np.negative(step), rtol=1e-14)


def test_gradients_of_zero_are_clipped_to_zero_and_an_infinite_one_shows():
    weights = {"a": np.ones(2), "b": np.ones(2)}
    optimizer = le.SGD(1.0, global_clipnorm=1.0)
    optimizer.apply(weights, {"a": np.zeros(2), "b": np.zeros(2)})
    assert np.array_equal(weights["a"], np.ones(2))
    optimizer.apply(weights, {"a": np.array([np.inf, 0]), "b": np.ones(2)})
    assert np.isnan([*weights["a"], *weights["b"]]).all()  # as in Keras: the step has no meaning


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("Adam", {"learning_rate": 0.01}),
        ("Adam", {"learning_rate": 0.003, "beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-3}),
        ("SGD", {"learning_rate": 0.1}),
        ("SGD", {"learning_rate": 0.01, "momentum": 0.9}),
        ("SGD", {"learning_rate": 0.01, "momentum": 0.9, "nesterov": True}),
        ("SGD", {"learning_rate": 0.1, "momentum": 0.5, "clipnorm": 0.3, "weight_decay": 0.02}),
        ("RMSprop", {}),
        ("RMSprop", {"learning_rate": 0.01, "rho": 0.8, "momentum": 0.7, "epsilon": 1e-5, "clipvalue": 0.1}),
        ("RMSprop", {"centered": True, "momentum": 0.3, "weight_decay": 0.1}),
        ("Adam", {"global_clipnorm": 0.5, "weight_decay": 0.1}),
        ("AdamW", {"learning_rate": 0.02}),
        ("Nadam", {"learning_rate": 0.02}),
        ("Nadam", {"beta_1": 0.7, "beta_2": 0.95, "epsilon": 1e-4, "weight_decay": 0.05, "clipnorm": 0.3}),
        ("AdamW", {"weight_decay": 0.3, "clipnorm": 0.1}),
    ],
)
def test_200_steps_beside_keras(float64_keras, rel, name, arguments):
    keras = float64_keras
    rng = np.random.default_rng(0)
    start = {"lstm/kernel": rng.standard_normal((3, 8)), "dense/bias": rng.standard_normal(4)}
    theirs = [keras.Variable(w, dtype="float64") for w in start.values()]
    ours = {name: w.copy() for name, w in start.items()}
    optimizer, reference = getattr(le, name)(**arguments), getattr(keras.optimizers, name)(**arguments)
    for _ in range(200):
        gradients = {name: rng.standard_normal(w.shape) * 10.0 ** rng.integers(-7, 1) for name, w in ours.items()}
        optimizer.apply(ours, gradients)
        reference.apply([keras.ops.convert_to_tensor(g) for g in gradients.values()], theirs)
    for w, variable in zip(ours.values(), theirs, strict=True):
        assert rel(w, np.asarray(variable)) < 1e-12


SCHEDULES = [
    (
        CosineDecay(0.1, 10, alpha=0.1),
        1e-7,
    ),  # JAX's Keras takes the cosine in float32
    (ExponentialDecay(0.1, 3, 0.5, staircase=True), 1e-12),
    (PiecewiseConstantDecay([2, 9], [0.1, 0.05, 0.01]), 1e-12),
]


@pytest.mark.parametrize(("schedule", "tolerance"), SCHEDULES, ids=repr)
def test_a_schedule_gives_each_step_its_rate_as_in_keras(float64_keras, rel, schedule, tolerance):
    """Adam with decay, so that both places that use the rate see it. Our config is Keras's own, from the file on."""
    keras = float64_keras
    optimizer = optimizers.from_config(
        json.loads(json.dumps(optimizers.to_config(le.Adam(schedule, weight_decay=0.1))))
    )
    assert optimizer.config() == le.Adam(schedule, weight_decay=0.1).config()
    reference = keras.optimizers.Adam.from_config(optimizer.config())
    rng = np.random.default_rng(1)
    ours = {"w": rng.standard_normal((3, 8))}
    theirs = keras.Variable(ours["w"].copy(), dtype="float64")
    for step in range(15):
        assert optimizer.learning_rate == schedule(step)
        gradient = rng.standard_normal((3, 8))
        optimizer.apply(ours, {"w": gradient})
        reference.apply([keras.ops.convert_to_tensor(gradient)], [theirs])
    assert rel(ours["w"], np.asarray(theirs)) < tolerance


def test_float32_weights_keep_float32_slots_and_steps():
    for optimizer in (le.SGD(momentum=0.9), le.RMSprop(momentum=0.1, centered=True), le.AdamW(clipnorm=0.1)):
        weights = {"w": np.ones(3, np.float32)}
        optimizer.apply(weights, optimizer.clipped({"w": np.ones(3, np.float32)}))
        assert {a.dtype for a in (*weights.values(), *optimizer.slots.values())} == {np.dtype("float32")}
        assert optimizer.clipped({"w": np.ones(3, np.float32)})["w"].dtype == np.float32


def test_nadam_in_float32_corrects_v_by_the_factor_that_it_was_made_with():
    # v = g² (1 - β₂) and v̂ = v / (1 - β₂) with one rounded β₂: then v̂ is g² to rounding, and m̂ for g = 1 the number below.
    optimizer, w = le.Nadam(1.0), np.zeros(1, "float32")
    optimizer.apply({"w": w}, {"w": np.ones(1, "float32")})
    mu, mu_next = (0.9 * (1 - 0.5 * 0.96**t) for t in (1, 2))
    m_hat = mu_next * 0.1 / (1 - mu * mu_next) + (1 - mu) / (1 - mu)
    np.testing.assert_allclose(w, -m_hat, rtol=1e-6)  # ten roundings of 6e-8; with two different β₂ it is 6.5e-6 off


def test_nadam_goes_on_from_its_slots_and_the_number_of_steps_alone():
    """Its product of all μ follows from the number of steps: a file that holds the slots holds everything."""
    rng = np.random.default_rng(2)
    gradients = [{"w": rng.standard_normal(3)} for _ in range(7)]
    whole, weights = le.Nadam(0.1), {"w": np.ones(3)}
    for g in gradients[:4]:
        whole.apply(weights, g)
    again, copies = le.Nadam(0.1), {"w": weights["w"].copy()}
    again.iterations, again.slots = whole.iterations, {name: slot.copy() for name, slot in whole.slots.items()}
    for g in gradients[4:]:
        whole.apply(weights, g)
        again.apply(copies, g)
    assert np.array_equal(weights["w"], copies["w"])
    whole.iterations, again.iterations = 2, 2  # set back, as by a file that is loaded
    for optimizer, w in ((whole, weights), (again, copies)):
        optimizer.apply(w, gradients[0])
        assert optimizer.product(3, np.float64) == le.Nadam().product(3, np.float64)
    assert np.array_equal(weights["w"], copies["w"])


@pytest.mark.parametrize("settings", [{}, {"beta_1": 0.5}, {"beta_2": 0.9}])
@pytest.mark.parametrize("kind", [le.Adam, le.AdamW, le.Nadam])
def test_no_factor_is_kept_from_a_step_in_another_dtype_or_with_other_settings(kind, settings):
    """The rate 0.5 is the same number in both dtypes."""
    used = kind(0.5)
    used.apply({"w": np.ones(3, np.float32)}, {"w": np.full(3, 0.3, np.float32)})
    again = used.fresh()
    for name, value in settings.items():
        setattr(again, name, value)
    weights, expected = {"w": np.ones(3)}, {"w": np.ones(3)}
    again.apply(weights, {"w": np.full(3, 0.3)})
    kind(0.5, **settings).apply(expected, {"w": np.full(3, 0.3)})
    assert np.array_equal(weights["w"], expected["w"])


@pytest.mark.parametrize(
    "gradients",
    [{"a": np.ones(2)}, {"a": np.ones(2), "b": np.ones(3)}, {"a": np.ones(2), "b": np.ones(1)},
     {"a": np.ones(2), "b": np.ones(2), "c": np.ones(2)}],
)  # fmt: skip
def test_gradients_that_do_not_fit_the_weights_move_none_of_them(gradients):
    optimizer, weights = le.Adam(0.1), {"a": np.ones(2), "b": np.ones(2)}
    with pytest.raises(ValueError, match=r"gradients must have the names and shapes of the weights, \{'a': \(2,\)"):
        optimizer.apply(weights, gradients)
    assert all((w == 1).all() for w in weights.values())
    assert not optimizer.slots
    optimizer.apply({"c": np.ones(1)}, {"c": np.ones(1)})  # it trains none yet


def test_after_a_read_only_array_its_copy_can_be_trained():
    optimizer, w = le.SGD(0.1), np.ones(2)
    w.flags.writeable = False
    with pytest.raises(ValueError, match=r"w cannot be trained: the array is read-only \(np\.array\(w\) copies it\)"):
        optimizer.apply({"w": w}, {"w": np.ones(2)})
    copied = {"w": np.array(w)}
    optimizer.apply(copied, {"w": np.ones(2)})
    np.testing.assert_allclose(copied["w"], 0.9)


def test_the_rate_can_be_set_while_training_but_not_a_schedules():
    optimizer = le.SGD(0.1)
    optimizer.learning_rate = 0.5
    w = {"w": np.zeros(1)}
    optimizer.apply(w, {"w": np.ones(1)})
    assert (w["w"], optimizer.config()["learning_rate"]) == (-0.5, 0.5)
    with pytest.raises(TypeError, match="follows the schedule ExponentialDecay"):
        le.SGD(ExponentialDecay(0.1, 3, 0.5)).learning_rate = 0.5


@pytest.mark.parametrize("name", optimizers.OPTIMIZERS)
def test_a_config_is_keras_s_and_makes_the_same_optimizer_again(name):
    keras = pytest.importorskip("keras")
    ours = optimizers.get(name)
    assert optimizers.from_config(optimizers.to_config(ours)).config() == ours.config()
    theirs = keras.optimizers.get(name).get_config()
    # the default of every argument is Keras's (which holds the rate in float32)
    assert ours.config() == pytest.approx({key: theirs[key] for key in ours.config()})
    rest = {key: value for key, value in theirs.items() if key not in ours.config()}
    assert type(ours)(**rest).config() == ours.config()  # Keras's other arguments at their default change nothing


@pytest.mark.parametrize(
    ("make", "error", "named"),
    [
        (lambda: le.Adam(amsgrad=True), TypeError, "Adam has no amsgrad=True"),
        (lambda: le.SGD(use_ema=True), TypeError, "use_ema"),
        (lambda: le.RMSprop(gradient_accumulation_steps=2), TypeError, "gradient_accumulation_steps=2"),
        (lambda: le.SGD(rate=0.1), TypeError, "it has learning_rate, momentum, nesterov, weight_decay, clipnorm"),
        (lambda: le.SGD(clipnorm=1.0, clipvalue=2.0), ValueError, "only one of .* got clipnorm=1.0, clipvalue=2.0"),
        (lambda: le.SGD(clipnorm=-1.0), ValueError, "clipnorm must be a number of at least 0, got -1.0"),
        (lambda: le.SGD(momentum=1.5), ValueError, "momentum must be a number from 0 to 1, got 1.5"),
        (lambda: le.RMSprop(rho=float("nan")), ValueError, "rho"),
        (lambda: le.AdamW(weight_decay=None), ValueError, "weight_decay must be a number"),
        (lambda: le.SGD("fast"), ValueError, "learning_rate must be a number of at least 0, got 'fast'"),
        (lambda: le.SGD(lambda: 0.1), ValueError, "learning_rate"),
        (lambda: optimizers.get("lion"), ValueError, "'lion' is not in the engine; it has adam, adamw, nadam, rmsprop"),
    ],
)
def test_what_the_engine_does_not_have_is_refused_by_name(make, error, named):
    with pytest.raises(error, match=named):
        make()
