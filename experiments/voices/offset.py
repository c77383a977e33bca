"""What an offset or a slow drift of the samples changes in the answers: `python -m experiments.voices.offset CORPUS`

Judges the readings of a part that the model has not heard, unchanged and with 5 % of full scale added. docs/voices.md has the
table.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from experiments.voices import clip_model
from experiments.voices.cross_corpus import of_part
from experiments.voices.judge import judge
from experiments.voices.measure import corpus_source
from experiments.voices.pretrained import SHIPPED
from features.audio import read_clip

SIZE = 0.05  # of full scale
ADDED: dict[str, Callable[[np.ndarray], np.ndarray]] = {  # t (n,) in s
    "an offset": np.ones_like,
    "a negative offset": lambda t: -np.ones_like(t),
    "an offset that settles within a second": lambda t: np.exp(-t / 0.3),
    "a drift of 0.5 Hz": lambda t: np.sin(2 * np.pi * 0.5 * t),
    "a drift of 10 Hz": lambda t: np.sin(2 * np.pi * 10 * t),
}


def changes(corpus: str | Path, model_file: str | Path, part: str) -> dict[str, tuple[int, float]]:
    """{what is added: (labels changed, the largest change of p)} over the readings of a part."""
    clips, model = corpus_source(corpus).clips, clip_model.load(model_file)
    moved: dict[str, list[tuple[bool, float]]] = {name: [] for name in ADDED}
    for n in of_part([clip.split for clip in clips], part):
        x, rate = read_clip(clips[n].path, clips[n].start_s, clips[n].end_s)
        plain = judge(x, rate, model)
        for name, added in ADDED.items():
            found = judge(x + SIZE * added(np.arange(len(x)) / rate), rate, model)
            p, q = (np.nan if j.probability is None else j.probability for j in (plain, found))
            moved[name].append((found.label != plain.label, abs(p - q)))
    return {name: (sum(c for c, _ in rows), float(np.nanmax([d for _, d in rows]))) for name, rows in moved.items()}


def main() -> None:
    """How many labels an offset and a drift change, as a table in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m experiments.voices.offset", description=main.__doc__)
    parser.add_argument("corpus", help="a corpus that `features` reads, such as librispeech_251/metadata.csv")
    parser.add_argument("--model", default=str(SHIPPED))
    parser.add_argument("--part", default="dev", help="the readings of this split")
    options = parser.parse_args()
    print("| added, 5 % of full scale | labels changed | largest change of p |\n|---|---|---|")
    for name, (labels, p) in changes(options.corpus, options.model, options.part).items():
        print(f"| {name} | {labels} | {p:.3f} |")


if __name__ == "__main__":
    main()
