"""`lstm-engine train` on a folder of frames: train the network on some speakers and evaluate it on the others."""

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from experiments.microscope import watching_report
from experiments.microscope.watching import Watch, probe
from experiments.reports import page, pictures
from experiments.reports.checkpoints import Trainings, digest, read_json, trainings
from experiments.reports.run import versions
from experiments.voices import clip_model, evaluation_report
from experiments.voices.clip_model import SURE, Settings
from experiments.voices.cross_corpus import for_evaluation
from experiments.voices.evaluation import evaluate_model, fit_temperature
from experiments.voices.inside import epochs
from experiments.voices.inside.look import Heard, hear
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
    every: int | None = None, say: Callable[[str], None] = lambda text: None, **settings: Any,
) -> dict[str, Any]:  # fmt: skip
    """Train on the training speakers of a folder that `features --recipe frames` wrote, with its variants if it has any.

    Writes model.safetensors, history.csv, watched.csv, config.json, curves.png and an evaluation's files (result.json,
    clips.csv, errors.csv, report.html) into out; returns the evaluation's result. keep_epochs: also write each epoch's model,
    epochs/00.safetensors, ...; watch: a recording; gates.html shows the gates of each epoch's network on it. settings: fields
    of `Settings` to change. The temperature is fitted on out-of-fold answers for the training speakers, by at most five
    folds. A run that was stopped goes on from its last checkpoint (one every `every` epochs), and say(text) tells so. Raises
    ValueError, Leak, BadClip, and the errors of `checkpoints.trainings`.
    """
    variants = read_variants(data)
    learnt, held_out = sides(variants[0], seed)
    learn, test = [v.take(learnt) for v in variants], variants[0].take(held_out)
    refuse_leaks(learn[0], test)
    heard = None
    if watch is not None:  # its errors must come before the training, not after
        heard = hear(watch, recipe_from(learn[0].stamp, str(data)))
    chosen = replace(Settings(), **settings)
    clip_model.require_memory(chosen)
    folds = min(FOLDS, *speaker_counts(learn[0].labels, learn[0].speakers, learn[0].paths).values())
    options = settings | {"keep_epochs": keep_epochs, "watch": watch and os.path.abspath(watch)}
    arguments = {"task": "voices", "data": os.path.abspath(data), "seed": seed, "options": options}
    facts = {
        "data": Path(data),
        "seed": seed,
        "variants": len(variants) - 1,
        **asdict(chosen),
        "keep_epochs": keep_epochs,
    }
    facts |= {"watch": watch and Path(watch).name}
    facts |= {"examples": digest([*_examples([*learn, test]), *([heard.samples] if heard else [])])}
    with trainings(out, "train", facts, arguments, count=1 + folds, force=force, every=every, say=say) as kept:
        if kept.done:
            result = read_json(kept.run.folder / "result.json")
            del result["notes"]
        else:
            work = _Work(kept, learn, chosen, seed, folds, progress)
            temperature = fit_temperature(out_of_fold(work.answer, learn[0], seed, folds)[0], learn[0].labels)
            stored = for_evaluation(learn[0], open_store(data).corpus or Path(data).resolve().name)
            stored |= {"temperature": temperature, "uncertain": SURE, "versions": versions()}
            result = work.finish(test, stored, heard, keep_epochs)
            kept.write_config()
    return result | {"run": str(kept.run.folder)}


def _examples(sides: Sequence[Clips]) -> Iterator[Any]:
    """All that a training reads of clips, for a digest."""
    for clips in sides:
        yield from (clips.sequences, clips.labels, [str(name) for name in clips.speakers], list(map(str, clips.paths)))


@dataclass
class _Work:
    """The trainings of one run: one for each fold of the speakers, and the last on all of them; and what they leave.

    learn: the clips, and their variants.
    """

    kept: Trainings
    learn: list[Clips]
    settings: Settings
    seed: int
    folds: int
    progress: Callable[[int, int], None] | None
    begun: int = 0  # trainings

    def train(
        self, name: str, on: list[Clips], watch: Watch | None = None, **options: Any
    ) -> tuple[clip_model.ClipModel, list[dict[str, float]]]:
        before, total = self.begun, 1 + self.folds
        self.begun += 1
        update = self.progress and (lambda done, of: self.progress(before * of + done, total * of))
        with self.kept.training(name, self.settings.epochs, watch) as keep:
            callbacks = [watch] if watch else []
            options |= {"callbacks": callbacks, "keep": keep}
            return clip_model.train(on[0], self.settings, self.seed, on[1:], update, **options)

    def answer(self, in_fold: np.ndarray, out_of_it: np.ndarray) -> list[np.ndarray]:
        model, _ = self.train(f"fold_{self.begun}", [v.take(in_fold) for v in self.learn])
        return [model.log_odds(self.learn[0].take(out_of_it))]

    def finish(self, test: Clips, stored: dict[str, Any], heard: Heard | None, keep_epochs: bool) -> dict[str, Any]:
        """The training on all speakers, its evaluation on `test`, and all files but config.json. stored: for the model's."""
        run, learnt, settings = self.kept.run, self.learn[0], self.settings
        folder, digits = run.folder / "epochs", max(2, len(str(settings.epochs)))

        def keep(epoch: int, model: clip_model.ClipModel) -> None:
            folder.mkdir(parents=True, exist_ok=True)
            clip_model.save(model, folder / f"{epoch:0{digits}d}.safetensors", learnt, settings, **stored)

        watch, options = watching(learnt, settings, self.seed), {}
        if keep_epochs or heard:
            run.begin()
            options["after_epoch"] = keep
        model, history = self.train("all", self.learn, watch, **options)
        run.begin()
        for earlier, path in epochs.kept(folder).items():
            if not options or earlier > settings.epochs:
                path.unlink()
        (run.folder / "gates.html").unlink(missing_ok=True)
        clip_model.save(model, run.folder / "model.safetensors", learnt, settings, **stored)
        result, rows = evaluate_model(model, stored, test)
        table = pd.DataFrame(history, index=pd.RangeIndex(1, settings.epochs + 1, name="epoch"))
        run.write("history.csv", table.to_csv())
        run.write("watched.csv", watch.table().to_csv(index=False))
        curves = pictures.training_curves(table.add_prefix("engine_"), {"engine": "engine"})
        run.write("curves.png", pictures.png(curves))
        parts = [page.heading("Learning")]
        if heard is not None:
            run.write("gates.html", epochs.page(heard, folder, table))
            words = f"Every gate, epoch by epoch, on the recording {Path(heard.file).name}"
            parts.append(page.link("gates.html", words))
        parts.append(
            pictures.inline(curves, "By frame. Look for where the lines flatten: from there on little is learnt.")
        )
        parts += watching_report.parts(watch.table())
        evaluation_report.write(run, result, rows, self.notes(), "lstm-engine train", parts)
        return result

    def notes(self) -> list[str]:
        learnt, changed = self.learn[0], page.counted(len(self.learn) - 1, "randomly changed variant")
        others = page.counted(len(set(learnt.speakers) - {None}), "other speaker")
        return [
            f"Trained on {page.counted(len(learnt), 'clip')} of {others}, with {changed} of each.",
            f"The temperature was fitted on out-of-fold answers for those speakers, by {self.folds} more trainings.",
        ]


def watching(clips: Clips, settings: Settings, seed: int) -> Watch:
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
