"""How close the engine is to Keras in float64: `python -m experiments.beside_keras.parity` prints the numbers.

The forward pass and every gradient of an LSTM at unit scale, and Adam over 200 steps. The tests check fixed bounds.
"""

import numpy as np

import lstm_engine as le
from experiments.beside_keras.random_layers import error
from experiments.beside_keras.twins import import_keras, loss_and_gradients, to_keras
from lstm_engine.gradient_check import unit_scale


def lstm_parity(D: int = 4, H: int = 32, B: int = 4, T: int = 50, seed: int = 0) -> dict[str, float]:
    """Norm-wise relative errors ‖engine - Keras‖ / ‖Keras‖ of an LSTM's output and of the gradient of every weight.

    Weights at unit scale, inputs N(0, 1). B and the two outputs are powers of two, since Keras on JAX takes means in float32.
    """
    rng = np.random.default_rng(seed)
    model = le.Sequential([le.LSTM(H), le.Dense(2)], dtype="float64")
    model.compile("sgd", "mean_squared_error")
    model.build((T, D))
    unit_scale(model, rng)
    X, y = rng.standard_normal((B, T, D)), rng.standard_normal((B, 2))
    _, predictions, reference = loss_and_gradients(to_keras(model), X, y)
    _, gradients = model.gradients(X, y)
    errors = {"forward": error(model.predict(X, verbose=0), predictions)}
    return errors | {f"gradient {n}": error(g, r) for (n, g), r in zip(gradients.items(), reference, strict=True)}


def adam_parity(steps: int = 200, seed: int = 0) -> float:
    """The relative error of weights after `steps` steps of Adam on the same random gradients of 1e-7 to 1."""
    keras = import_keras("float64")
    rng = np.random.default_rng(seed)
    start = rng.standard_normal((30, 40))
    ours, theirs = {"w": start.copy()}, [keras.Variable(start, dtype="float64")]
    optimizer, reference = le.Adam(1e-3), keras.optimizers.Adam(1e-3)
    for _ in range(steps):
        g = rng.standard_normal(start.shape) * 10.0 ** rng.integers(-7, 1, start.shape)
        optimizer.apply(ours, {"w": g})
        reference.apply([keras.ops.convert_to_tensor(g)], theirs)
    return error(ours["w"], np.asarray(theirs[0]))


def main() -> None:
    """Prints every figure."""
    import_keras("float64")
    for name, e in lstm_parity().items():
        print(f"{name:<32} {e:.1e}")
    print(f"{'Adam, 200 steps':<32} {adam_parity():.1e}")


if __name__ == "__main__":
    main()
