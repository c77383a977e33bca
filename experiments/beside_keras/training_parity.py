"""A hundred optimizer steps beside Keras in float64, on the same batches.

`python -m experiments.beside_keras.training_parity` prints how far the weights are apart.

Stacked, bidirectional with a real mask, and GRU; Adam, AdamW and RMSprop with clipping and a schedule; class weights. Each
side uses its own train_on_batch. tests/experiments/beside_keras asserts that the weights stay within 1e-8 of each other.
"""

import sys
from unittest.mock import patch

import numpy as np

import lstm_engine as le
from experiments.beside_keras.random_layers import Array, Spec, make
from experiments.beside_keras.twins import exact_tanh, import_keras
from lstm_engine.gradient_check import unit_scale

HEAD = ("Dense", {"units": 1, "activation": "sigmoid"})
STACK = [("LSTM", {"units": 8, "return_sequences": True}), ("LSTM", {"units": 6}), HEAD]
MASKED = [
    ("Masking", {}), ("Bidirectional", {"layer": ("LSTM", {"units": 6})}), ("Dense", {"units": 4, "activation": "softmax"}),
]  # fmt: skip
SINGLE = [("GRU", {"units": 8, "dropout": 0.0}), HEAD]
COSINE = ("schedules.CosineDecay", {"initial_learning_rate": 0.01, "decay_steps": 80, "alpha": 0.1})
CLIPPED = {"learning_rate": COSINE, "clipnorm": 0.05}
ADAM = ("Adam", {"learning_rate": 0.01})
TRAININGS: dict[str, tuple[list[Spec], str, Spec]] = {
    "stacked LSTM, Adam": (STACK, "binary_crossentropy", ADAM),
    "Masking, Bidirectional(LSTM), Adam": (MASKED, "sparse_categorical_crossentropy", ADAM),
    "GRU, Adam": (SINGLE, "binary_crossentropy", ADAM),
    "GRU, AdamW, clipnorm, cosine": (SINGLE, "mean_squared_error", ("AdamW", CLIPPED)),
    "GRU, RMSprop, clipnorm, cosine": (SINGLE, "mean_squared_error", ("RMSprop", CLIPPED)),
}


def train_both(name: str, steps: int = 100, seed: int = 0) -> dict[str, tuple[Array, Array, Array]]:
    """By weight: its value after `steps` batches here, the same in Keras, and its value at the start.

    Half of the classes have double weight. Batches of 16, a power of two, since Keras on JAX divides by the batch in float32.
    """
    keras = import_keras("float64")
    import jax.numpy

    stack, loss, optimizer = TRAININGS[name]
    N, T, D, K = 64, 12, 3, 4
    rng = np.random.default_rng(seed)
    ours = le.Sequential([make(le, spec) for spec in stack], dtype="float64")
    theirs = keras.Sequential([keras.Input((T, D)), *(exact_tanh(make(keras.layers, spec)) for spec in stack)])
    ours.compile(make(le, optimizer), loss)
    theirs.compile(make(keras.optimizers, optimizer), loss)
    ours.build((T, D))
    unit_scale(ours, rng)
    theirs.set_weights(ours.get_weights())
    start = ours.get_weights()
    live = np.arange(T)[:, None] < rng.integers(1, T + 1, (N, 1, 1))  # (N, T, 1)
    X = rng.standard_normal((N, T, D)) * live
    y = rng.integers(0, K if loss.startswith("sparse") else 2, N)
    with patch("keras.src.ops.cos", jax.numpy.cos):  # Keras's own, in CosineDecay, computes in float32
        for _ in range(steps):
            rows = rng.choice(N, 16, replace=False)
            for model in (ours, theirs):
                model.train_on_batch(X[rows], y[rows], class_weight={0: 1.0, 1: 2.0, 2: 1.0, 3: 2.0})
    return dict(zip(ours.weights, zip(ours.get_weights(), theirs.get_weights(), start, strict=True), strict=True))


def report() -> bool:
    """Prints the distance of the weights after 100 steps of each training; True when all are within 1e-8."""
    apart = {}
    for name in TRAININGS:
        weights = train_both(name).values()
        apart[name] = max(float(np.abs(a - b).max()) for a, b, _ in weights)
        moved = max(float(np.abs(a - start).max()) for a, _, start in weights)
        print(f"{name:<36} 100 steps: weights moved by up to {moved:.1e}, and are at most {apart[name]:.1e} apart")
    return all(distance <= 1e-8 for distance in apart.values())


if __name__ == "__main__":
    sys.exit(0 if report() else 1)
