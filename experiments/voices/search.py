"""Compares settings of the frames' network, and its baselines, by cross-validation over the training speakers.

`python -m experiments.voices.search CORPUS` prints a line of JSON for each candidate. Speakers outside the split `train` are
removed first.
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
from experiments.voices.measure import corpus_source, measure
from features.clips import Clips, read_variants
from features.dataset import speaker_folds
from features.recipes import frames_recipe

VARIANTS, FOLDS = 8, 5
UNHEARD = 2  # variants that no network is trained on: changed by the same steps, with other random draws
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
    """The corpus and its variants, measured by the recipe `frames` into `work`; what `work` holds is not measured again."""
    measure(corpus_source(corpus), work, jobs=jobs, recipe=frames_recipe(pitch), variants=variants)
    return read_variants(work)


def out_of_fold(
    answer: Callable[[np.ndarray, np.ndarray], Sequence[np.ndarray]], clips: Clips, seed: int, folds: int = FOLDS
) -> list[np.ndarray]:
    """Scores (N,) for every clip, by a model trained on the other folds.

    answer(learn, hold) trains on the clips of mask `learn` (N,) and returns arrays of scores, each for the clips of `hold`.
    """
    fold = speaker_folds(clips.labels, clips.speakers, folds, seed, clips.paths)
    by_fold = [answer(fold != k, fold == k) for k in range(folds)]
    scores = [np.zeros(len(clips)) for _ in by_fold[0]]
    for k, parts in enumerate(by_fold):
        for whole, part in zip(scores, parts, strict=True):
            whole[fold == k] = part
    return scores


def by_network(variants: Sequence[Clips], settings: Settings, learnt: int, seed: int) -> list[np.ndarray]:
    """Out-of-fold log-odds (N,) of the clips and of each UNHEARD variant, by networks trained on `learnt` variants."""

    def answer(learn: np.ndarray, hold: np.ndarray) -> list[np.ndarray]:
        model, _ = train(variants[0].take(learn), settings, seed, [v.take(learn) for v in variants[1 : 1 + learnt]])
        return [model.log_odds(v.take(hold)) for v in (variants[0], *variants[1 + LEARNT :])]

    return out_of_fold(answer, variants[0], seed)


def by_baselines(variants: Sequence[Clips], seed: int) -> dict[str, list[np.ndarray]]:
    """The same of the threshold on F0 and of the logistic regression: {name: [of the clips, of each UNHEARD variant]}."""

    def answer(learn: np.ndarray, hold: np.ndarray) -> list[np.ndarray]:
        baselines = Baselines.fit(variants[0].take(learn))
        held_out = (variants[0], *variants[1 + LEARNT :])
        return [scores for v in held_out for scores in baselines.scores(v.take(hold)).values()]

    scores = out_of_fold(answer, variants[0], seed)
    return {"threshold on F0": scores[::2], "logistic regression": scores[1::2]}


def figures(labels: np.ndarray, scores: Sequence[Sequence[np.ndarray]]) -> dict[str, Any]:
    """Balanced accuracy on the clips (mean, and each seed's) and on the UNHEARD variants; scores[seed] as `by_network`'s."""
    accuracy = [[balanced_accuracy(labels, (z > 0).astype(int)) for z in of_seed] for of_seed in scores]
    each, changed = [clips for clips, *_ in accuracy], [variants for _, *variants in accuracy]
    return {"clips": float(np.mean(each)), "each": each, "changed": float(np.mean(changed)) if changed[0] else None}


def search(variants: Sequence[Clips], names: Sequence[str], seeds: int) -> Iterator[dict[str, Any]]:
    """A line of figures for each baseline and each candidate named."""
    labels = variants[0].labels
    baselines = [by_baselines(variants, seed) for seed in range(seeds)]
    for name in baselines[0]:
        yield {"candidate": name} | figures(labels, [of_seed[name] for of_seed in baselines])
    for name in names:
        started, (settings, learnt) = time.perf_counter(), CANDIDATES[name]
        scores = [by_network(variants, settings, learnt, seed) for seed in range(seeds)]
        yield {"candidate": name} | figures(labels, scores) | {"seconds": time.perf_counter() - started}


def main() -> None:
    """Balanced accuracy of each candidate on speakers that it was not trained on."""
    parser = argparse.ArgumentParser(prog="python -m experiments.voices.search", description=main.__doc__)
    parser.add_argument("corpus", help="folder of a corpus; only speakers of its split `train` are used")
    parser.add_argument("--work", default="runs/voice_search", help="folder for the measured features")
    parser.add_argument("--seeds", type=int, default=2, help="how many random draws of folds and weights")
    parser.add_argument(
        "--only", action="append", choices=list(CANDIDATES), help="this candidate only; may be repeated"
    )
    parser.add_argument("--pitch", default="yin", choices=["yin", "pyin"])
    parser.add_argument("--no-variants", action="store_true", help="measure the clips only, which is faster")
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
