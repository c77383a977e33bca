"""The network under Keras's verbs: its gradients by central differences, its walk, twins, and what it leaves unchanged."""

import re

import numpy as np
import pytest

import lstm_engine as le
from lstm_engine.assembly import NOT_BUILT
from lstm_engine.graph import Edge


def small_network(backend="numpy", *extra):
    """LSTM and Dense with weights of unit scale, drawn here."""
    layers = [le.LSTM(2, name="lstm"), *extra, le.Dense(1, name="dense")]
    network = le.Sequential([le.Input((3, 2)), *layers], seed=0, dtype="float64", backend=backend)
    network.compile("sgd", "mean_squared_error")
    rng = np.random.default_rng(3)
    network.set_weights([rng.standard_normal(w.shape) for w in network.get_weights()])
    return network, rng.standard_normal((4, 3, 2)), rng.standard_normal((4, 1))


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_every_gradient_is_the_central_difference(rel, backend):
    """Through the public methods alone: nothing of lstm_engine.gradient_check takes part."""
    network, X, y = small_network(backend)
    _, gradients = network.gradients(X, y)
    weights, h = network.get_weights(), 1e-4
    for k, name in enumerate(network.weights):
        differences = np.empty_like(weights[k])
        for at in np.ndindex(differences.shape):
            losses = []
            for step in (h, -h):
                moved = [w.copy() for w in weights]
                moved[k][at] += step
                network.set_weights(moved)
                losses.append(network.evaluate(X, y, verbose=0))
            differences[at] = (losses[0] - losses[1]) / (2 * h)
        assert rel(gradients[name], differences) < 1e-7, name


def test_the_layers_after_a_layer_run_on_its_output():
    network, X, _ = small_network()
    h, _, _ = network.layers[0].forward(X)
    np.testing.assert_array_equal(network.forward(None, given={Edge("lstm"): (h, None)})[0], network.forward(X)[0])
    with pytest.raises(ValueError, match=r"no node 'nope'.*lstm, dense"):
        network.forward(X, given={Edge("nope"): (h, None)})


def test_a_network_without_weights_runs_nothing():
    network = le.Sequential([le.LSTM(2), le.Dense(1)], dtype="float64")
    x = np.ones((1, 3, 2))
    with pytest.raises(ValueError, match=re.escape(NOT_BUILT)):
        network.forward(x)


def test_undisturbed_gives_back_generators_and_kept_states():
    network, X, _ = small_network("numpy", le.Dropout(0.5))
    network.layers[0].stateful = True
    network.forward(X)
    states = [state.copy() for state in network.layers[0].states]
    with network.undisturbed():
        first = network.forward(X, training=True)[0]
    with pytest.raises(ValueError, match="no node"), network.undisturbed():  # an error in the block too
        network.forward(network.forward(X, training=True)[0], given={Edge("nope"): (X, None)})
    for state, before in zip(network.layers[0].states, states, strict=True):
        np.testing.assert_array_equal(state, before)
    np.testing.assert_array_equal(network.forward(X, training=True)[0], first)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_a_twin_has_copies_of_weights_and_states(backend):
    network, X, _ = small_network()
    network.layers[0].stateful = True
    network.forward(X)
    before = network.get_weights()
    twin = network.twin(backend=backend)
    np.testing.assert_allclose(twin.forward(X)[0], network.twin().forward(X)[0], rtol=1e-13)
    twin.set_weights([0 * w for w in before])
    twin.layers[0].states[0][:] = 7
    for w, expected in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(w, expected)
    assert not (network.layers[0].states[0] == 7).any()
    with pytest.raises(ValueError, match="no weights yet"):
        le.Sequential([le.Dense(1)]).twin()


def test_one_number_per_sample_gets_one_suggestion():
    with pytest.raises(ValueError, match=r"X.reshape\(-1, 1, 1\), one timestep of one number\. \(Keras") as refused:
        le.LSTM(2)(np.ones((4, 1)))
    assert "1 timesteps" not in str(refused.value)
    with pytest.raises(ValueError, match=r"reshape\(-1, 8, 1\), 8 timesteps of one number.*, or X.reshape\(-1, 1, 8\)"):
        le.LSTM(2)(np.ones((4, 8)))
