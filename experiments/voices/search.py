"""Compares settings of the frames' network, and its baselines, on speakers and corpora that they were not trained on.

`python -m experiments.voices.search CORPUS --judge TABLE` prints a line of JSON for each candidate: cross-validation over the
training speakers, and a training on all of them heard on each other corpus. Speakers of CORPUS outside the split `train` are
removed first. The candidate to take is the one with the highest `worst`, by `mean` where these are equal.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from experiments.reports.scores import balanced_accuracy
from experiments.voices.baselines import Baselines
from experiments.voices.clip_model import ClipModel, Settings, train
from experiments.voices.joined import joined
from experiments.voices.measure import corpus_source, measure
from features.clips import Clips, read_variants
from features.dataset import speaker_folds
from features.recipes import frames_recipe

VARIANTS, FOLDS = 8, 5
UNHEARD = 2  # variants that no network is trained on: changed by the same steps, with other random draws
LEARNT = VARIANTS - UNHEARD
MEMBERS = 4  # networks that answer together: each a draw of its own


@dataclass(frozen=True)
class Candidate:
    """Settings of a network, the number of variants it learns from, and how many such networks are joined."""

    settings: Settings
    learnt: int = LEARNT
    members: int = MEMBERS

    def trained(self, variants: Sequence[Clips], seed: int) -> ClipModel:
        """The model of one draw; no two draws share a network."""
        models = [
            train(variants[0], self.settings, seed * self.members + k, variants[1 : 1 + self.learnt])[0]
            for k in range(self.members)
        ]
        return joined(models, self.settings)


def but(**changes: Any) -> Candidate:
    """CHOSEN with other settings."""
    return replace(CHOSEN, settings=replace(CHOSEN.settings, **changes))


CHOSEN = Candidate(Settings(units=20))
CANDIDATES: dict[str, Candidate] = {
    "chosen": CHOSEN,
    "every mean removed, the pitch left alone": Candidate(
        Settings(removed=20, roused=0, whispered=0, stretched=0, hidden=0), members=1
    ),
    "every mean removed": but(removed=20),
    "no mean removed": but(removed=0),
    "pitch never moved": but(roused=0),
    "pitch never taken away": but(whispered=0),
    "envelope never stretched": but(stretched=0),
    "no coefficient hidden": but(hidden=0),
    "one network of 32 units": Candidate(Settings(), members=1),
    "one network of 64 units": Candidate(Settings(units=64), members=1),
    "the last states answer": but(answer="last"),
    "not augmented": replace(CHOSEN, learnt=0),
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


def by_network(variants: Sequence[Clips], candidate: Candidate, seed: int) -> list[np.ndarray]:
    """Out-of-fold log-odds (N,) of the clips and of each UNHEARD variant."""

    def answer(learn: np.ndarray, hold: np.ndarray) -> list[np.ndarray]:
        model = candidate.trained([v.take(learn) for v in variants], seed)
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


def shares(labels: np.ndarray, z: np.ndarray) -> dict[str, float]:
    """Balanced accuracy by clip, and the share of each sex that is right; z (N,) above 0 for male."""
    male, female = float((z[labels == 1] > 0).mean()), float((z[labels == 0] <= 0).mean())
    return {"balanced_accuracy": (male + female) / 2, "male": male, "female": female}


def means(of_seeds: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([each[name] for each in of_seeds])) for name in of_seeds[0]}


def ranked(line: dict[str, Any], labels: np.ndarray, scores: Sequence[Sequence[np.ndarray]]) -> dict[str, Any]:
    """A candidate's line with the figures of the folds and, over them and the judges, the worst and the mean."""
    line |= figures(labels, scores) | {"folds": means([shares(labels, z) for z, *_ in scores])}
    each = [line["folds"], *line["judges"].values()]
    line["worst"] = min(one["balanced_accuracy"] for one in each)
    return line | {
        "mean": float(np.mean([one["balanced_accuracy"] for one in each])),
        "worst_sex": min(min(one["male"], one["female"]) for one in each),
    }


def search(
    variants: Sequence[Clips], names: Sequence[str], seeds: int, judges: Mapping[str, Clips] | None = None
) -> Iterator[dict[str, Any]]:
    """A line of figures for each baseline and each candidate named, by folds and on each judge, a corpus of its own."""
    labels, judges = variants[0].labels, judges or {}
    baselines = [by_baselines(variants, seed) for seed in range(seeds)]
    fitted = Baselines.fit(variants[0])
    by_judge = {judge: list(fitted.scores(clips).values()) for judge, clips in judges.items()}
    for k, name in enumerate(baselines[0]):
        heard = {judge: shares(judges[judge].labels, scores[k]) for judge, scores in by_judge.items()}
        yield ranked({"candidate": name, "judges": heard}, labels, [of_seed[name] for of_seed in baselines])
    for name in names:
        started, candidate = time.perf_counter(), CANDIDATES[name]
        scores = [by_network(variants, candidate, seed) for seed in range(seeds)]
        models = [candidate.trained(variants, seed) for seed in range(seeds if judges else 0)]
        heard = {
            judge: means([shares(clips.labels, model.log_odds(clips)) for model in models])
            for judge, clips in judges.items()
        }
        line = ranked({"candidate": name, "judges": heard}, labels, scores)
        yield line | {"seconds": time.perf_counter() - started}


def other_corpora(tables: Sequence[str | Path], work: str | Path, pitch: str = "yin") -> dict[str, Clips]:
    """The clips of each judge by the name of its table's folder, measured into folders beside `work`."""
    names = [Path(table).resolve().parent.name for table in tables]
    return {
        name: measured(table, f"{work}_{name}", pitch=pitch, variants=0)[0]
        for name, table in zip(names, tables, strict=True)
    }


def main() -> None:
    """Balanced accuracy of each candidate on speakers that it was not trained on."""
    parser = argparse.ArgumentParser(prog="python -m experiments.voices.search", description=main.__doc__)
    parser.add_argument("corpus", help="folder of a corpus; only speakers of its split `train` are used")
    parser.add_argument("--work", default="runs/voice_search", help="folder for the measured features")
    parser.add_argument("--seeds", type=int, default=2, help="how many random draws of folds and weights")
    parser.add_argument(
        "--only", action="append", choices=list(CANDIDATES), help="this candidate only; may be repeated"
    )
    parser.add_argument(
        "--judge", action="append", default=[], help="table of another corpus that chooses with the folds"
    )
    parser.add_argument("--pitch", default="yin", choices=["yin", "pyin"])
    parser.add_argument("--no-variants", action="store_true", help="measure the clips only, which is faster")
    options = parser.parse_args()
    try:
        variants = measured(
            options.corpus, options.work, pitch=options.pitch, variants=0 if options.no_variants else VARIANTS
        )
        train_rows = np.isin(variants[0].splits, ["train", ""])
        possible = [name for name, candidate in CANDIDATES.items() if candidate.learnt < len(variants)]
        judges = other_corpora(options.judge, options.work, options.pitch)
        for line in search([v.take(train_rows) for v in variants], options.only or possible, options.seeds, judges):
            print(json.dumps(line), flush=True)
    except (ValueError, OSError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
