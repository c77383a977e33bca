"""`lstm-engine train` on a folder of frames: train the network on some speakers and evaluate it on the others."""

import warnings
from collections.abc import Callable
from dataclasses import asdict, replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from experiments.microscope import watching_report
from experiments.microscope.watching import Watch, probe
from experiments.reports import page, pictures
from experiments.reports.run import Run, versions
from experiments.voices import clip_model, evaluation_report
from experiments.voices.clip_model import SURE, Settings
from experiments.voices.cross_corpus import for_evaluation
from experiments.voices.evaluation import evaluate_model, fit_temperature
from experiments.voices.inside import epochs
from experiments.voices.inside.look import hear
from experiments.voices.search import FOLDS, out_of_fold
from features.clips import Clips, read_variants
from features.dataset import speaker_counts, speaker_folds
from features.leaks import refuse_leaks
from features.recipes import recipe_from
from features.store import MANIFEST, open_store

LEAST_SPEAKERS = 3  # of each sex: one to hold out, and two for the folds that the logistic regression needs


def fits(folder: str | Path) -> bool:
    """Whether a folder is a store of the recipe `frames` (and does not hold the tutorial's tables)."""
    return (Path(folder) / MANIFEST).is_file() and open_store(folder).stamp["recipe"] == "frames"


def train(
    data: str | Path, out: str | Path, seed: int = 0, force: bool = False,
    progress: Callable[[int, int], None] | None = None, keep_epochs: bool = False, watch: str | Path | None = None,
    **settings: Any,
) -> dict[str, Any]:  # fmt: skip
    """Train on the training speakers of a folder that `features --recipe frames` wrote, with its variants if it has any.

    Writes model.safetensors, history.csv, watched.csv, config.json, curves.png and an evaluation's files (result.json,
    clips.csv, errors.csv, report.html) into out; returns the evaluation's result. keep_epochs: also write each epoch's model,
    epochs/00.safetensors, ...; watch: a recording; gates.html shows the gates of each epoch's network on it. settings: fields
    of `Settings` to change. The temperature is fitted on out-of-fold answers for the training speakers, by at most five
    folds. Raises ValueError, Leak, BadClip.
    """
    variants = read_variants(data)
    learnt, held_out = sides(variants[0], seed)
    learn, test = [v.take(learnt) for v in variants], variants[0].take(held_out)
    refuse_leaks(learn[0], test)
    if watch is not None:  # its errors must come before the training, not after
        heard = hear(watch, recipe_from(learn[0].stamp, str(data)))
    chosen, run = replace(Settings(), **settings), Run(out, force)
    folds = min(FOLDS, *speaker_counts(learn[0].labels, learn[0].speakers, learn[0].paths).values())
    trainings = count()  # one for each fold, and the last on all training speakers

    def trained(on: list[Clips], **options: Any) -> tuple[clip_model.ClipModel, list[dict[str, float]]]:
        before = next(trainings)
        update = progress and (lambda done, total: progress(before * total + done, (1 + folds) * total))
        return clip_model.train(on[0], chosen, seed, on[1:], update, **options)

    def answer(in_fold: np.ndarray, out_of_it: np.ndarray) -> list[np.ndarray]:
        model, _ = trained([v.take(in_fold) for v in learn])
        return [model.log_odds(learn[0].take(out_of_it))]

    temperature = fit_temperature(out_of_fold(answer, learn[0], seed, folds)[0], learn[0].labels)
    stored = for_evaluation(learn[0], open_store(data).corpus or Path(data).resolve().name)
    stored |= {"temperature": temperature, "uncertain": SURE, "versions": versions()}
    folder, digits = run.folder / "epochs", max(2, len(str(chosen.epochs)))

    def keep(epoch: int, model: clip_model.ClipModel) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        clip_model.save(model, folder / f"{epoch:0{digits}d}.safetensors", learn[0], chosen, **stored)

    for earlier in [*epochs.kept(folder).values(), run.folder / "gates.html"]:
        earlier.unlink(missing_ok=True)
    watching = _watching(learn[0], chosen, seed)
    options = {"after_epoch": keep} if keep_epochs or watch else {}
    model, history = trained(learn, callbacks=[watching], **options)
    clip_model.save(model, run.folder / "model.safetensors", learn[0], chosen, **stored)
    result, rows = evaluate_model(model, stored, test)
    table = pd.DataFrame(history, index=pd.RangeIndex(1, chosen.epochs + 1, name="epoch"))
    run.write("history.csv", table.to_csv())
    run.write("watched.csv", watching.table().to_csv(index=False))
    curves = pictures.training_curves(table.add_prefix("engine_"), {"engine": "engine"})
    run.write("curves.png", pictures.png(curves))
    run.write_config("train", data=str(data), seed=seed, variants=len(variants) - 1, **asdict(chosen))
    speakers, copies = len(set(learn[0].speakers) - {None}), page.counted(len(variants) - 1, "randomly changed variant")
    others = page.counted(speakers, "other speaker")
    notes = [
        f"Trained on {page.counted(len(learn[0]), 'clip')} of {others}, with {copies} of each.",
        f"The temperature was fitted on out-of-fold answers for those speakers, by {folds} more trainings.",
    ]
    parts = [page.heading("Learning")]
    if watch is not None:
        run.write("gates.html", epochs.page(heard, folder, table))
        parts.append(page.link("gates.html", f"Every gate, epoch by epoch, on the recording {Path(watch).name}"))
    parts.append(pictures.inline(curves, "By frame. Look for where the lines flatten: from there on little is learnt."))
    parts += watching_report.parts(watching.table())
    evaluation_report.write(run, result, rows, notes, "lstm-engine train", parts)
    return result | {"run": str(run.folder)}


def _watching(clips: Clips, settings: Settings, seed: int) -> Watch:
    """A `Watch` on one stretch of each of some clips, cut as in an epoch."""
    rows, prepare = probe(clips.labels), clip_model.Preparation.fit(clips.sequences, settings.removed)
    prepared = [[prepare(clips.sequences[n])] for n in rows]
    once = replace(settings, crops=1)
    return Watch(*clip_model.batches(prepared, prepare, clips.labels[rows], once, np.random.default_rng(seed)))


def sides(clips: Clips, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(N,) bool each: the clips to train on, and those to evaluate on.

    By the corpus's split: `train` against the others; if there are others besides `test`, test is left to `evaluate`. Without
    a split, a fifth of the speakers of each sex is held out. ValueError if only some of the clips have a split.
    """
    if unknown := sum(speaker is None for speaker in clips.speakers):
        warnings.warn(
            f"the speaker of {unknown} of {len(clips)} clips is unknown, so one person may be both in the training clips and "
            "in the held-out clips: the score is too optimistic for new voices",
            stacklevel=3,
        )
    names = set(clips.splits.tolist())
    if len(names) == 1 and names <= {"", "train"}:
        speakers = speaker_counts(clips.labels, clips.speakers, clips.paths)
        least = min(speakers.values())
        if least < LEAST_SPEAKERS:
            there = " and ".join(f"{count} {sex}" for sex, count in speakers.items())
            raise ValueError(
                f"the speakers are {there} (a recording without a name counts as one); at least {LEAST_SPEAKERS} of each "
                "sex are needed to hold some out, 20 for a useful score"
            )
        held_out = speaker_folds(clips.labels, clips.speakers, min(least, FOLDS), seed, clips.paths) == 0
        return ~held_out, held_out
    if not names & {"", "train"} or {"", "train"} <= names or ("" in names and names != {"", "test"}):
        raise ValueError(
            f"the clips' splits are {sorted(names)}: expected train and dev for every clip, or none at all"
        )
    learnt = np.isin(clips.splits, ["", "train"])
    others = names - {"", "train"}
    return learnt, ~learnt if others == {"test"} else ~learnt & (clips.splits != "test")
