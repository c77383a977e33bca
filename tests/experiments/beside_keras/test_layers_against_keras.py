"""Random layers beside Keras: outputs, last states, every gradient; and what both refuse, or the engine alone.

`python -m experiments.beside_keras.random_layers` draws more of the same layers.
"""

import numpy as np
import pytest

import lstm_engine as le

pytest.importorskip("keras")
jax = pytest.importorskip("jax")

from experiments.beside_keras.jax_by_numpy import call  # noqa: E402
from experiments.beside_keras.random_layers import SHAPES, TOLERANCE, LayerCase, compare, error, make, random_cases  # noqa: E402
from experiments.beside_keras.twins import exact_tanh  # noqa: E402

pytestmark = pytest.mark.usefixtures("keras")


def agrees(case):
    for kind, e in compare(case):
        assert e is None or e <= TOLERANCE, f"{kind} is off by {e:.1e} at {case}"


def test_fifty_layers_compute_what_keras_computes():
    for case in random_cases(50, seed=0):
        agrees(case)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 5))
def test_four_hundred_more_layers_compute_what_keras_computes(seed):
    for case in random_cases(100, seed):
        agrees(case)


def test_the_same_seed_draws_the_same_cases_and_every_option_is_drawn():
    first, again, other = (list(random_cases(300, seed)) for seed in (0, 0, 1))
    assert first == again
    assert first != other
    text = str(first)
    for drawn in ("LSTM", "GRU", "SimpleRNN", "Bidirectional", "backward_layer", "'unroll': True", "'stateful': True"):
        assert drawn in text
    assert {case.mask for case in first} == {"none", "holes", "right", "left", "empty rows", "empty"}
    assert {case.shape for case in first} == set(SHAPES)


PLAIN = LayerCase(("GRU", {"units": 5, "reset_after": False}), (4, 6, 3, 5), "holes", True, False, "numpy", 0)


def test_the_comparison_sees_a_gradient_that_is_off_by_a_millionth(monkeypatch):
    agrees(PLAIN)
    right = le.GRU.backward

    def wrong(*args):
        dx, dstates, gradients = right(*args)
        return dx, dstates, gradients | {"recurrent_kernel": gradients["recurrent_kernel"] * (1 + 1e-6)}

    monkeypatch.setattr(le.GRU, "backward", wrong)
    with pytest.raises(AssertionError, match=r"gradient recurrent_kernel is off by 1\.0e-06"):
        agrees(PLAIN)


def test_keras_run_by_numpy_is_keras_compiled(keras):
    options = {"return_sequences": True, "go_backwards": True, "recurrent_activation": "hard_sigmoid"}
    layer = exact_tanh(keras.layers.LSTM(5, **options))
    rng = np.random.default_rng(0)
    x, mask = rng.standard_normal((4, 6, 3)), rng.random((4, 6)) < 0.6
    layer.build(x.shape)
    seeds = [v.value for v in layer.non_trainable_variables]

    def gradients(x, weights):
        out, pull = jax.vjp(
            lambda *a: layer.stateless_call(a[1], seeds, a[0], mask=jax.numpy.asarray(mask))[0], x, weights
        )
        return out, pull(jax.numpy.cos(out))

    args = x, [v.value for v in layer.trainable_variables]
    pairs = zip(jax.tree.leaves(call(gradients, *args)), jax.tree.leaves(jax.jit(gradients)(*args)), strict=True)
    assert all(error(a, np.asarray(b)) < 1e-14 for a, b in pairs)


# -- what is refused ---------------------------------------------------------------------------------------------------

LSTM = {"units": 3}
X = np.ones((2, 4, 3))
STATE, OTHER = np.ones((2, 3)), np.ones((2, 4))
BACK = ("LSTM", LSTM | {"go_backwards": True})


def wrap(**options):
    return "Bidirectional", {"layer": ("LSTM", LSTM), **options}


# (layer, input, what the call is given, word in the engine's message)
BOTH = [
    (("LSTM", {"units": 0}), X, {}, "units"),
    (("LSTM", {"units": 2.5}), X, {}, "units"),
    (("LSTM", LSTM | {"activation": "no"}), X, {}, "activation 'no'"),
    (("LSTM", LSTM | {"bias_initializer": "no"}), X, {}, "initializer 'no'"),
    (("LSTM", LSTM | {"kernel_regularizer": "no"}), X, {}, "regularizer 'no'"),
    (("LSTM", LSTM | {"peephole": True}), X, {}, "peephole"),
    (("LSTM", LSTM | {"reset_after": True}), X, {}, "reset_after"),
    (("SimpleRNN", LSTM | {"recurrent_activation": "tanh"}), X, {}, "recurrent_activation"),
    (("Dropout", {"rate": 1.5}), X, {}, "rate"),
    (("LSTM", LSTM), X[0], {}, "samples, timesteps, features"),
    (("LSTM", LSTM), X[:, :0], {}, "at least one timestep"),
    (("LSTM", LSTM), X, {"mask": np.ones((2, 3), bool)}, r"\(2, 4\).*\(2, 3\)"),
    (("LSTM", LSTM), X, {"initial_state": [STATE]}, "h and c"),
    (("LSTM", LSTM), X, {"initial_state": [OTHER, OTHER]}, r"\(2, 3\).*\(2, 4\)"),
    (("LSTM", LSTM), X, {"constants": 1}, "constants"),
    (("TimeDistributed", {"layer": ("Dense", LSTM)}), X[0], {}, "samples, timesteps, features"),
    (wrap(merge_mode="max"), X, {}, "merge_mode.*'max'"),
    (wrap(backward_layer=("LSTM", LSTM)), X, {}, "opposite ways"),
    (("Bidirectional", {"layer": BACK}), X, {}, "opposite ways"),
    (wrap(backward_layer=("LSTM", BACK[1] | {"stateful": True})), X, {}, "the same stateful"),
    (wrap(backward_layer=("LSTM", BACK[1] | {"units": 4}), merge_mode="sum"), X, {}, "3 and 4"),
    (wrap(), X, {"initial_state": [STATE, STATE]}, "4 initial states"),
    (wrap(backward_layer=("GRU", BACK[1])), X, {"initial_state": [STATE] * 3}, "initial states"),
    (("Bidirectional", {"layer": ("Dense", LSTM)}), X, {}, "Dense"),
    (("Bidirectional", {"layer": wrap()}), X, {}, "Bidirectional"),
]

# What the engine refuses on purpose though Keras runs it, and why.
ENGINE = [
    (("LSTM", LSTM | {"dropout": 1.0}), X, {}, "dropout of 1"),  # Keras then drops nothing
    (("LSTM", LSTM | {"recurrent_dropout": -0.1}), X, {}, "recurrent_dropout"),  # Keras takes the nearest of 0 and 1
    (("LSTM", LSTM | {"dropout": 2.0}), X, {}, "dropout"),
    (("LSTM", LSTM | {"implementation": 1}), X, {}, "implementation"),  # the engine has one reading of input dropout
    (("LSTM", LSTM | {"kernel_constraint": "max_norm"}), X, {}, "kernel_constraint"),  # not in the engine
    (("LSTM", LSTM | {"activity_regularizer": "l2"}), X, {}, "activity_regularizer"),
    (("LSTM", LSTM | {"activation": "gelu"}), X, {}, "activation 'gelu'"),  # no gradient from its output alone
    (("LSTM", LSTM | {"dtype": "float32"}), X, {}, "dtype"),  # a model has one
    (("GRU", LSTM), X, {"initial_state": [STATE, STATE]}, "initial_state for h"),  # Keras leaves the second out
    (("LSTM", LSTM), X, {"mask": np.ones((2, 4, 1), bool)}, "mask"),  # a mask has one value a step
    (("Masking", {}), X[0], {}, "samples, timesteps, features"),  # Keras masks any axis but the last
    (wrap(weights=[np.ones(3)]), X, {}, "weights"),  # set_weights does this
    (("LSTM", LSTM | {"unroll": True}), X, {"mask": X[..., 0] < 0, "initial_state": [STATE, STATE]}, "unroll"),
]


@pytest.mark.parametrize(("spec", "x", "given", "word"), BOTH)
def test_what_keras_refuses_is_refused_with_a_reason(keras, spec, x, given, word):
    with pytest.raises((TypeError, ValueError), match=word):
        make(le, spec)(x, **given)
    with pytest.raises((TypeError, ValueError, IndexError)):
        make(keras.layers, spec)(x, **given)


@pytest.mark.parametrize(("spec", "x", "given", "word"), ENGINE)
def test_what_the_engine_refuses_on_purpose_keras_runs(keras, spec, x, given, word):
    with pytest.raises((TypeError, ValueError), match=word):
        make(le, spec)(x, **given)
    assert call(lambda x: make(keras.layers, spec)(x, **given), x) is not None
