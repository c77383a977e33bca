"""A network to try the microscope on: an LSTM of 64 units that has learnt one paragraph, letter by letter.

    python -m experiments.microscope.example --out runs/letters
    lstm-engine inspect --model runs/letters/model.safetensors --data runs/letters/paragraph.txt

The paragraph is ours. The network learns it by heart, so that its gates are easy to read; it knows no other text.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

import lstm_engine as le
from experiments.reports.run import Run

PARAGRAPH = """\
an lstm reads one letter at a time. its cell is a memory that flows past the gates: the forget gate decides how much of it \
stays, the input gate how much of the new letter is written, and the output gate how much the rest of the network sees. \
when a word begins, some units open; when it ends, they close. other units count, or wait for a comma, or for the end. \
look for rows of one colour: that is memory
"""
STEPS, SHIFT = 40, 3  # of a training sequence, and from one to the next


def train(units: int = 64, epochs: int = 30) -> le.Sequential:
    """A network that has read the paragraph in pieces; its metadata names the characters, so that `inspect` reads texts."""
    characters = "".join(sorted(set(PARAGRAPH)))
    K = len(characters)
    numbers = np.array([characters.index(ch) for ch in PARAGRAPH])  # (T,)
    starts = range(0, len(numbers) - STEPS, SHIFT)
    X = np.stack([np.eye(K)[numbers[at : at + STEPS]] for at in starts])  # (N, STEPS, K)
    y = np.stack([numbers[at + 1 : at + STEPS + 1] for at in starts])  # (N, STEPS)
    layers = le.Input((None, K)), le.LSTM(units, return_sequences=True), le.Dense(K, activation="softmax")
    model = le.Sequential(list(layers), seed=0)
    model.compile(le.optimizers.Adam(5e-3), "sparse_categorical_crossentropy")
    model.fit(X, y, epochs=epochs, batch_size=16, verbose=0)
    model.metadata = {"characters": characters}
    return model


def main(
    out: Annotated[Path, typer.Option(help="Folder for model.safetensors and paragraph.txt.")] = Path("runs/letters"),
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier run in the same folder.")] = False,
) -> None:
    """Train the network on one paragraph (some seconds) and write both. Example: python -m experiments.microscope.example"""
    try:
        run = Run(out, force)
    except OSError as error:
        raise SystemExit(f"error: {error}") from None
    run.write("paragraph.txt", PARAGRAPH)
    train().save(out / "model.safetensors")
    print(f"Wrote {out}: lstm-engine inspect --model {out}/model.safetensors --data {out}/paragraph.txt")


if __name__ == "__main__":
    typer.run(main)
