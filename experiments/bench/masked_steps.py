"""What masked steps cost in the compiled kernels: `python -m experiments.bench.masked_steps`.

A training step's recurrent part, forward and backward, of every cell at the shape of spoken digits: without a mask, with
half of the steps masked in two ways, and cut to half. Masked steps should cost nothing: the time of a case, relative to the
time without a mask, should be its share of live steps. On a busy machine set NUMBA_NUM_THREADS=1 before the command, because
threads then wait for each other.
"""

import time

import numpy as np
from rich.console import Console
from rich.table import Table

import lstm_engine as le
from lstm_engine.activations import Array
from lstm_engine.backend import compiled, one_thread_pool
from lstm_engine.gradient_check import unit_scale

CELLS = {"lstm": le.LSTM, "gru": le.GRU, "simple_rnn": le.SimpleRNN}
T, B, D, H = 93, 64, 13, 64


def cases(rng: np.random.Generator) -> dict[str, tuple[int, Array | None]]:
    """Each with the number of its steps, and the mask (T, B)."""
    lengths = rng.permutation(np.linspace(1, T, B).round())  # uniform on 1..T, in no order
    return {
        "no mask": (T, None),
        "1 to 93 steps, padded": (T, np.arange(T)[:, None] < lengths),
        "47 steps, no mask": (47, None),
        "random holes": (T, rng.random((T, B)) < 0.5),
    }


def measure(cell: str, repeats: int = 200) -> dict[str, tuple[float, float, float]]:
    """By case: the share of live steps, and the median and the tenth percentile of its milliseconds.

    The cases take turns, so that a busy moment slows all of them; on a busy machine the tenth percentile is more reliable.
    """
    rng, kernels, layer = np.random.default_rng(0), compiled(cell), CELLS[cell](H)
    layer.build((T, D), "float32", "numpy", rng)
    x = rng.standard_normal((T, B, D), np.float32)
    weights, states = unit_scale(layer, rng).get_weights(), [np.zeros((B, H), np.float32) for _ in layer.state_names]
    dh_T = rng.standard_normal((B, H)).astype(np.float32)
    chosen = cases(rng)
    times = np.empty((repeats, len(chosen)))  # seconds
    with one_thread_pool({"numba"}):
        for turn in times:
            for n, (steps, mask) in enumerate(chosen.values()):
                start = time.perf_counter()
                kernels.backward(kernels.forward(x[:steps], *weights, *states, mask=mask), dh_T=dh_T)
                turn[n] = time.perf_counter() - start
    live = [steps / T if mask is None else float(mask.mean()) for steps, mask in chosen.values()]
    tenth, median = 1e3 * np.percentile(times[repeats // 10 :], [10, 50], axis=0)  # the first turns compile
    return dict(zip(chosen, zip(live, median, tenth, strict=True), strict=True))


def main() -> None:
    """Prints the table."""
    table = Table(title=f"forward and backward, T={T} D={D} H={H} B={B}, float32, ms")
    for column in ("cell", "steps", "live", "median", "share", "tenth", "share"):
        table.add_column(column, justify="left" if column in ("cell", "steps") else "right")
    for cell in CELLS:
        rows = measure(cell)
        _, median, tenth = rows["no mask"]
        for name, (live, ms, best) in rows.items():
            figures = f"{live:.2f}", f"{ms:.2f}", f"{ms / median:.2f}", f"{best:.2f}", f"{best / tenth:.2f}"
            table.add_row(cell, name, *figures, end_section=name == "random holes")
    Console().print(table)


if __name__ == "__main__":
    main()
