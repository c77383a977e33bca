"""Two epochs from every kind of data, beside Keras on the same objects: the same losses and accuracies to 1e-6 in float32."""

import numpy as np
import pytest

import lstm_engine as le

keras = pytest.importorskip("keras")

RNG = np.random.default_rng(0)
X = RNG.standard_normal((20, 4, 2)).astype(np.float32)
Y = RNG.integers(0, 2, (20, 1)).astype(np.float32)
W = RNG.uniform(0.5, 2, 20).astype(np.float32)
ROWS = [np.arange(n, min(n + 6, 20)) for n in range(0, 20, 6)]  # 6, 6, 6, 2


class Made(keras.utils.PyDataset):
    """Keras's own class, which the engine takes as it takes its own."""

    def __init__(self, *parts):
        super().__init__()
        self.parts = parts

    def __len__(self):
        return len(ROWS)

    def __getitem__(self, k):
        return tuple(part[ROWS[k]] for part in self.parts)


def endless(*parts):
    while True:
        yield from Made(*parts)


def twice():
    """Two batches again and again: Keras begins each validation from a generator with its first two batches."""
    while True:
        yield from [Made(X, Y)[0], Made(X, Y)[1]]


@pytest.fixture(scope="module")
def both():
    """The engine's model and Keras's with the same weights; gradient descent keeps nothing from one fit to the next."""
    ours = le.Sequential([le.Input((4, 2)), le.LSTM(3), le.Dense(1, "sigmoid")], seed=0)
    theirs = keras.Sequential([keras.Input((4, 2)), keras.layers.LSTM(3), keras.layers.Dense(1, "sigmoid")])
    ours.compile(le.SGD(0.5), "binary_crossentropy", metrics=["accuracy"])
    theirs.compile(keras.optimizers.SGD(0.5), "binary_crossentropy", metrics=["accuracy"])
    return ours, theirs, ours.get_weights()


CASES = {
    "a generator": lambda: ((endless(X, Y),), {"steps_per_epoch": 3}),
    "a generator that ends": lambda: (((batch for batch in Made(X, Y)),), {"epochs": 1}),
    "a generator with weights": lambda: ((endless(X, Y, W),), {"steps_per_epoch": 4}),
    "a PyDataset": lambda: ((Made(X, Y),), {}),
    "a PyDataset with weights of classes": lambda: ((Made(X, Y),), {"class_weight": {0: 0.5, 1: 2.0}}),
    "a PyDataset in parts": lambda: ((Made(X, Y),), {"steps_per_epoch": 2}),
    "a PyDataset that runs out": lambda: ((Made(X, Y),), {"steps_per_epoch": 3}),
    "arrays in parts": lambda: ((X, Y, 6), {"steps_per_epoch": 2}),
    "validation from a PyDataset": lambda: ((X, Y, 6), {"validation_data": Made(X, Y)}),
    "a part of a PyDataset": lambda: ((X, Y, 6), {"validation_data": Made(X, Y), "validation_steps": 2}),
    "validation from a generator": lambda: ((X, Y, 6), {"validation_data": twice(), "validation_steps": 2}),
    "a part of arrays": lambda: (
        (X, Y, 6),
        {"validation_data": (X, Y, W), "validation_steps": 2, "validation_batch_size": 6},
    ),
    "every second epoch": lambda: ((X, Y, 6), {"validation_data": (X, Y), "validation_freq": 2}),
    "these epochs": lambda: ((Made(X, Y),), {"validation_data": (X, Y), "validation_freq": [1]}),
}


@pytest.mark.slow  # Keras compiles a step for every form of a batch
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("case", CASES)
def test_two_epochs_beside_keras(both, case):
    *models, weights = both
    histories = []
    for model in models:
        model.set_weights(weights)
        data, options = CASES[case]()
        if case == "validation from a PyDataset" and model is models[0]:
            assert options["validation_data"].num_batches == 4
        histories.append(model.fit(*data, **{"epochs": 2, "shuffle": False, "verbose": 0} | options))
    ours, theirs = histories
    assert ours.epoch == theirs.epoch
    assert ours.params == theirs.params
    assert ours.history.keys() == theirs.history.keys()
    for name, values in theirs.history.items():
        np.testing.assert_allclose(ours.history[name], values, rtol=1e-6, atol=0, err_msg=name)
    for w, expected in zip(models[0].get_weights(), models[1].get_weights(), strict=True):
        np.testing.assert_allclose(w, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.slow
def test_evaluate_and_predict_beside_keras(both):
    ours, theirs, weights = both
    for model in (ours, theirs):
        model.set_weights(weights)
    for make, steps in (
        (lambda: Made(X, Y), None),
        (lambda: Made(X, Y), 2),
        (lambda: endless(X, Y), 3),
        (lambda: iter_of(Made(X, Y)), None),
    ):
        a, b = (model.evaluate(make(), steps=steps, verbose=0) for model in (ours, theirs))
        np.testing.assert_allclose(a, b, rtol=1e-6)
        a, b = (model.predict(make(), steps=steps, verbose=0) for model in (ours, theirs))
        np.testing.assert_allclose(a, b, rtol=1e-6, strict=True)


def iter_of(batches):
    yield from batches
