"""How the settings of the frames' network were chosen: by folds of the training speakers, the baselines on the same folds.

`python -m experiments.voices.search CORPUS` prints a line of JSON for each candidate. The corpus's other speakers are taken
out before anything else happens.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from experiments.reports.scores import balanced_accuracy
from experiments.voices.baselines import Baselines
from experiments.voices.clip_model import Settings, train
from features import corpora
from features.clips import Clips, read_variants
from features.dataset import speaker_folds
from features.extraction import extract
from features.recipes import frames_recipe

VARIANTS, FOLDS = 8, 5
UNHEARD = 2  # variants that no network learns from: changed as those it learns from, by other draws
LEARNT = VARIANTS - UNHEARD
CHOSEN = Settings()
CANDIDATES: dict[str, tuple[Settings, int]] = {
    "every frame answers": (CHOSEN, LEARNT),
    "the last states answer": (replace(CHOSEN, answer="last"), LEARNT),
    "not augmented": (CHOSEN, 0),
    "the microphone left in": (replace(CHOSEN, per_clip=False), LEARNT),
    "half as many stretches": (replace(CHOSEN, crops=2), LEARNT),
    "stretches of 4 s, half as many": (replace(CHOSEN, crop_s=4.0, crops=2), LEARNT),
    "16 units": (replace(CHOSEN, units=16), LEARNT),
    "64 units": (replace(CHOSEN, units=64), LEARNT),
}


def measured(
    corpus: str | Path, work: str | Path, jobs: int = -1, pitch: str = "yin", variants: int = VARIANTS
) -> list[Clips]:
    """The corpus by the recipe `frames` and variants of it; what is in the folder `work` is not measured again."""
    layout, place = corpora.detect(corpus)
    clips, names = layout.read(place), corpora.names_of(layout, place)
    extract(clips, work, jobs, recipe=frames_recipe(pitch), corpus=names, variants=variants)
    return read_variants(work)


def out_of_fold(
    answer: Callable[[np.ndarray, np.ndarray], Sequence[np.ndarray]], clips: Clips, seed: int, folds: int = FOLDS
) -> list[np.ndarray]:
    """Scores (N,) for every clip by who learnt from the other folds: `answer(learn, hold)` gives those of mask `hold`."""
    fold, scores = speaker_folds(clips.labels, clips.speakers, folds, seed, clips.paths), []
    for k in range(folds):
        for n, own in enumerate(answer(fold != k, fold == k)):
            if k == 0:
                scores.append(np.zeros(len(clips)))
            scores[n][fold == k] = own
    return scores


def by_network(variants: Sequence[Clips], settings: Settings, learnt: int, seed: int) -> list[np.ndarray]:
    """Out-of-fold log-odds (N,) of the clips and of each unheard variant, by networks that learnt from `learnt` variants."""

    def answer(learn: np.ndarray, hold: np.ndarray) -> list[np.ndarray]:
        model, _ = train(variants[0].take(learn), settings, seed, [v.take(learn) for v in variants[1 : 1 + learnt]])
        return [model.log_odds(v.take(hold)) for v in (variants[0], *variants[1 + LEARNT :])]

    return out_of_fold(answer, variants[0], seed)


def by_baselines(variants: Sequence[Clips], seed: int) -> dict[str, list[np.ndarray]]:
    """The same of the threshold on F0 and of the logistic regression, {name: [of the clips, of the unheard variants]}."""

    def answer(learn: np.ndarray, hold: np.ndarray) -> list[np.ndarray]:
        both = Baselines.fit(variants[0].take(learn))
        asked = (variants[0], *variants[1 + LEARNT :])
        return [own for v in asked for own in both.scores(v.take(hold)).values()]

    scores = out_of_fold(answer, variants[0], seed)
    return {"threshold on F0": scores[::2], "logistic regression": scores[1::2]}


def figures(labels: np.ndarray, scores: Sequence[Sequence[np.ndarray]]) -> dict[str, Any]:
    """Balanced accuracy on the clips, mean and each seed's, and on the changed clips; scores[seed] as made above."""
    accuracy = [[balanced_accuracy(labels, (z > 0).astype(int)) for z in own] for own in scores]
    return {
        "clips": float(np.mean([own[0] for own in accuracy])),
        "each": [own[0] for own in accuracy],
        "changed": float(np.mean(changed)) if (changed := [own[1:] for own in accuracy])[0] else None,
    }


def search(variants: Sequence[Clips], names: Sequence[str], seeds: int) -> Iterator[dict[str, Any]]:
    """A line of figures for each baseline and each candidate named."""
    labels = variants[0].labels
    baselines = [by_baselines(variants, seed) for seed in range(seeds)]
    for name in baselines[0]:
        yield {"candidate": name} | figures(labels, [own[name] for own in baselines])
    for name in names:
        started, (settings, learnt) = time.perf_counter(), CANDIDATES[name]
        scores = [by_network(variants, settings, learnt, seed) for seed in range(seeds)]
        yield {"candidate": name} | figures(labels, scores) | {"seconds": time.perf_counter() - started}


def main() -> None:
    """python -m experiments.voices.search CORPUS: the table of candidates, by speakers that they have not heard."""
    parser = argparse.ArgumentParser(prog="python -m experiments.voices.search", description=main.__doc__)
    parser.add_argument("corpus", help="folder of a corpus; of its speakers those of the split `train` are looked at")
    parser.add_argument("--work", default="runs/voice_search", help="folder for what is measured")
    parser.add_argument("--seeds", type=int, default=2, help="draws of folds and networks")
    parser.add_argument("--only", action="append", choices=list(CANDIDATES), help="this candidate; may be repeated")
    parser.add_argument("--pitch", default="yin", choices=["yin", "pyin"])
    parser.add_argument(
        "--no-variants", action="store_true", help="the clips as they are alone, which is soon measured"
    )
    options = parser.parse_args()
    try:
        variants = measured(
            options.corpus, options.work, pitch=options.pitch, variants=0 if options.no_variants else VARIANTS
        )
        train_rows = np.isin(variants[0].splits, ["train", ""])
        possible = [name for name, (_, learnt) in CANDIDATES.items() if learnt < len(variants)]
        for line in search([v.take(train_rows) for v in variants], options.only or possible, options.seeds):
            print(json.dumps(line), flush=True)
    except (ValueError, OSError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
