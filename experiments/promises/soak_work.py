"""The work of a soak: one call each of training, extraction, predict, stream and trace, the same sizes for ever.

The sizes change from call to call, as a user's do, but they are drawn from the same ranges at the end as at the beginning.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

import lstm_engine as le

SECONDS = 1.0  # of a synthetic clip
MOST = {"sequences": 64, "steps": 60, "units": 16}  # of a batch that is fitted


def jobs(folder: Path, seed: int) -> dict[str, Callable[[], object]]:
    """The five jobs by their names. They write into `folder` only, and replace there what they wrote before."""
    rng = np.random.default_rng(seed)
    networks = {units: network(units) for units in range(1, MOST["units"] + 1)}
    clips = _clips(folder / "corpus")

    def batch() -> tuple[np.ndarray, np.ndarray]:
        n, steps = (int(rng.integers(1, MOST[name] + 1)) for name in ("sequences", "steps"))
        return rng.standard_normal((n, steps, 3)).astype(np.float32), rng.integers(0, 2, n)  # (N, T, D), (N,)

    def chosen() -> le.Sequential:
        return networks[int(rng.integers(1, MOST["units"] + 1))]

    def train() -> None:
        for _ in range(20):
            chosen().fit(*batch(), batch_size=32, epochs=1, verbose=0)

    def trace() -> None:
        chosen().trace(*batch())

    def stream() -> None:
        live = chosen().stream(1)
        for x in batch()[0][0]:
            live.step(x[None])

    def extraction() -> None:
        from features.extraction import extract
        from features.recipes import recipe_named

        extract(clips, folder / "store", recipe=recipe_named("frames"), force=True)

    def predict() -> None:
        from experiments.voices.predict import predict

        answer, _ = next(iter(predict([str(clips[0].path)])))
        if answer.error:
            raise RuntimeError(f"the soak's own clip was refused: {answer.error}")

    return {"train": train, "trace": trace, "stream": stream, "extraction": extraction, "predict": predict}


def network(units: int) -> le.Sequential:
    """An LSTM of so many units, built and compiled."""
    model = le.Sequential([le.LSTM(units), le.Dense(1, activation="sigmoid")], seed=units)
    model.build((None, 3))
    model.compile("adam", "binary_crossentropy")
    return model


def _clips(corpus: Path) -> list:
    from features.corpora.folders_by_class import tutorial_folders
    from features.synth import write_corpus

    if not corpus.exists():
        write_corpus(corpus, speakers=2, test_speakers=0, clips=1, seconds=SECONDS)
    return tutorial_folders(corpus)
