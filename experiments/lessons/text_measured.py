"""The numbers of lesson 9, over several seeds: python -m experiments.lessons.text_measured [--seeds 3] [--json]

Held-out bits per letter of the network and of tables of letters, the share of written words that occur in the training text,
the seconds until the first words, and what carried state and the length of the window change.
"""

import argparse
import json
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from experiments.lessons import letters

WINDOWS = (10, 25, 50)


def network(seed: int) -> dict[str, Any]:
    """One training, as in the lesson, measured."""
    began, processor = time.perf_counter(), time.process_time()
    learner = letters.Learner(seed=seed)
    for _ in learner.train():
        pass
    model = learner.reader()
    first = letters.write(model, "\n", 100, temperature=0.5)
    seconds, processor = time.perf_counter() - began, time.process_time() - processor
    known = {t: letters.known(letters.write(model, "\n", 20_000, t, seed)) for t in (0.3, 0.5, 0.7, 1.0)}
    return {
        "seed": seed, "bits": float(letters.bits(model).mean()), "known": known, "seconds": seconds, "processor": processor,
        "first words": first,
    }  # fmt: skip


def windows(seed: int) -> Iterator[dict[str, Any]]:
    """Small networks, trained with and without carried state; read in one go, and in pieces of the window."""
    for window in WINDOWS:
        for carried in (True, False):
            model = letters.small(window, carried, epochs=20, seed=seed)
            read = {"in one go": 0, "in windows": window}
            measured = {name: float(letters.bits(model, restart=restart).mean()) for name, restart in read.items()}
            yield {"seed": seed, "window": window, "carried": carried, **measured}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result: dict[str, Any] = {
        "letters": {"training": len(letters.TRAINING), "held out": len(letters.HELD_OUT)},
        "tables": {order: letters.table_bits(order) for order in range(1, 7)},
        "networks": [network(seed) for seed in range(options.seeds)],
        "windows": [row for seed in range(options.seeds) for row in windows(seed)],
    }
    print(json.dumps(result, indent=1) if options.json else text(result))


def text(result: dict[str, Any]) -> str:
    """The result in lines."""
    lines = [f"{order} letters: {bits:.3f} bits per held-out letter" for order, bits in result["tables"].items()]
    for row in result["networks"]:
        known = ", ".join(f"{share:.1%} at {t}" for t, share in row["known"].items())
        lines.append(
            f"network, seed {row['seed']}: {row['bits']:.3f} bits; {row['seconds']:.0f} s until the first words "
            f"({row['processor']:.0f} s of processor time); known words {known}"
        )
    for window in WINDOWS:
        for carried in (True, False):
            rows = [r for r in result["windows"] if (r["window"], r["carried"]) == (window, carried)]
            means = {name: np.mean([row[name] for row in rows]) for name in ("in one go", "in windows")}
            lines.append(
                f"window {window}, {'state carried' if carried else 'from zeros'}: {means['in one go']:.3f} bits in one go, "
                f"{means['in windows']:.3f} in windows"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
