"""What a study of epochs trains: the tutorial's tables in two readings, and clips as frames.

All have a constant learning rate, so that the point at epoch E is where a training of E epochs ends. With frames a fold of
the training speakers is held out: a study evaluates its held-out speakers many times, and the corpus's test speakers should
be used once.
"""

import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from experiments.reports.page import counted
from experiments.reports.scores import balanced_accuracy
from experiments.study.seeds import digest_of_files
from experiments.tutorial.task import VoiceTask, batches, read_task, recipe_of, voice_model
from experiments.voices import clip_model
from experiments.voices.baselines import f0_scores, f0_statistic, f0_threshold
from experiments.voices.clip_model import ClipModel, Settings, logit
from features.clips import Clips, read_clips
from features.dataset import LABELS, speaker_folds
from features.leaks import refuse_leaks
from features.store import MANIFEST, open_store
from features.tables import features_path, rows_path

FOLDS = 5
BATCH_SIZE = 32  # the tutorial's

Answers = dict[str, tuple[np.ndarray, np.ndarray]]  # of each part: labels (N,), log-odds of male (N,)
AfterEpoch = Callable[[int, Answers], None]


@dataclass(frozen=True)
class Subject:
    """What is trained: `train(seed, epochs, after_epoch)` calls after_epoch with the network's answers after every epoch.

    title and held_out are for readers. threshold: a threshold on pitch in words, and its balanced accuracy on the same
    held-out speakers. made_from: what the rows depend on except epochs and seed, as JSON values.
    """

    name: str
    title: str
    held_out: str
    threshold: tuple[str, float]
    synthetic: bool
    made_from: dict[str, Any]
    train: Callable[[int, int, AfterEpoch], None]


# -- the tutorial's tables ---------------------------------------------------------------------------------------------


def table_subjects(folder: str | Path) -> list[Subject]:
    """The tutorial's reading, raw, and the reading that suits the tables best: the network and the split of `compare`."""
    _, synthetic = recipe_of(folder)
    files = [path(p) for sex in LABELS for p in [features_path(folder, sex)] for path in (Path, rows_path)]
    subjects = []
    for name, title, reading, scale in (
        ("112x1", "(N, 112, 1) raw", "steps", False),
        ("11x11", "(N, 11, 11) standardised", "frames", True),
    ):
        task = read_task(folder, reading, scale)
        hz, predicted = task.pitch_baseline(task.held_out)
        subjects.append(
            Subject(
                name, title,
                held_out=f"{len(task.held_out)} clips of {_people(task.held_out.speakers)}; {len(task.train)} to learn from",
                threshold=(f"pitch below {hz:.0f} Hz", balanced_accuracy(task.held_out.labels, predicted)),
                synthetic=synthetic,
                made_from={"data": digest_of_files(files), "batch_size": BATCH_SIZE},
                train=partial(train_on_tables, task),
            )
        )  # fmt: skip
    return subjects


def train_on_tables(task: VoiceTask, seed: int, epochs: int, after_epoch: AfterEpoch) -> None:
    """The tutorial's network and training, on the batches that `compare` gives it."""
    model = voice_model(seed=seed)
    parts = {part: (task.inputs(v), v.labels) for part, v in (("train", task.train), ("held_out", task.held_out))}
    X, y = parts["train"]
    for epoch, order in enumerate(batches(len(y), BATCH_SIZE, epochs, seed), start=1):
        model.fit(X, y, order=[order], verbose=0)
        after_epoch(epoch, {k: (labels, logit(model.predict(x, verbose=0)[:, 0])) for k, (x, labels) in parts.items()})


# -- clips as frames ---------------------------------------------------------------------------------------------------


def frames_subject(folder: str | Path) -> Subject:
    """Clips as frames, held out by folds of the training speakers; the speakers of other splits are not used."""
    recipe = open_store(folder).stamp["recipe"]
    if recipe != "frames":
        raise ValueError(f"{folder} was measured by the recipe {recipe}: --frames needs one by the recipe frames")
    clips = read_clips(folder)
    clips = clips.take(np.isin(clips.splits, ("train", "")))
    if unknown := sum(s is None for s in clips.speakers):
        warnings.warn(
            f"the speaker of {unknown} of {len(clips)} clips is unknown, so the same person may be heard in training and "
            "held out: the held-out curve will be better than on new voices",
            stacklevel=2,
        )
    fold = speaker_folds(clips.labels, clips.speakers, FOLDS, seed=0, paths=clips.paths)
    f0, predicted = f0_statistic(clips), np.zeros(len(clips), int)
    for k in range(FOLDS):
        refuse_leaks(clips.take(fold != k), clips.take(fold == k))
        threshold_hz = f0_threshold(f0[fold != k], clips.labels[fold != k])
        predicted[fold == k] = f0_scores(f0[fold == k], threshold_hz) > 0
    settings = Settings(removed=len(clips.columns), roused=0, whispered=0, stretched=0, hidden=0, last_rate=1.0)
    trained = {name: value for name, value in asdict(settings).items() if name != "epochs"}  # which the study sets
    return Subject(
        "frames", "frames (not augmented)",
        held_out=f"one of {FOLDS} folds of {len(clips)} clips of {_people(clips.speakers)}, another with each seed",
        threshold=("F0 threshold", balanced_accuracy(clips.labels, predicted)),
        synthetic=(Path(folder) / "SYNTHETIC.txt").exists(),
        made_from={"data": digest_of_files([Path(folder) / MANIFEST]), "settings": trained},
        train=partial(train_on_frames, clips, fold, settings),
    )  # fmt: skip


def train_on_frames(
    clips: Clips, fold: np.ndarray, settings: Settings, seed: int, epochs: int, after_epoch: AfterEpoch
) -> None:
    """The network of `clip_model` at a constant rate, with fold `seed` (modulo FOLDS) of the clips held out."""
    held_out = fold == seed % FOLDS
    parts = {"train": clips.take(~held_out), "held_out": clips.take(held_out)}

    def ask(epoch: int, model: ClipModel) -> None:
        if epoch > 0:
            after_epoch(epoch, {name: (part.labels, model.log_odds(part)) for name, part in parts.items()})

    clip_model.train(parts["train"], replace(settings, epochs=epochs), seed, after_epoch=ask)


def _people(speakers: np.ndarray) -> str:
    """ "50 speakers", or "unknown speakers"."""
    return "unknown speakers" if any(s is None for s in speakers) else counted(len(set(speakers)), "speaker")
