"""A model that travels, on a corpus that it has not seen: measured by the model's own recipe, leaks refused, judged.

For the command `evaluate --corpus`. The contract: a clip or a speaker that the model has learnt from is never counted; a
clip that cannot be measured is never guessed, and is told.
"""

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from experiments.reports.run import Run
from experiments.voices import evaluation_report
from experiments.voices.baselines import Baselines
from experiments.voices.evaluation import evaluate_clips
from features import corpora
from features.clips import Clips, read_clips
from features.extraction import Progress, extract
from features.leaks import known, prints, refuse_known
from features.recipes import recipe_from, stamp_differences
from features.store import MANIFEST, open_store

CLIPS = "clips"  # the folder, in that of the run, where the corpus's clips are measured


class Answering(Protocol):
    """What is judged: log-odds of male (N,) for N clips, before any temperature."""

    def log_odds(self, clips: Clips) -> np.ndarray: ...


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate_corpus` found: the result as JSON values, notes for the reader, and how many clips failed."""

    result: dict[str, Any]
    notes: list[str]
    failed: int


def for_evaluation(clips: Clips, corpus: str) -> dict[str, Any]:
    """What a model's metadata must hold to be evaluated later: the baselines of its training clips, and their prints.

    corpus: whose names the speakers' are, such as "librispeech" (see `features.leaks.prints`).
    """
    return {"baselines": Baselines.fit(clips).as_json(), "trained_on": prints(clips, corpus)}


def evaluate_corpus(
    model: Answering,
    metadata: dict[str, Any],
    corpus: str | Path,
    out: str | Path,
    kind: str | None = None,
    part: str = "all",
    speakers_of: str | None = None,
    allow_known: bool = False,
    jobs: int = 1,
    force: bool = False,
    progress: Progress = lambda done, total, seconds: None,
    say: Callable[[str], None] = lambda text: None,
) -> Evaluation:
    """Judge a model on a corpus, or on clips that `features` has measured; report.html, result.json and tables into `out`.

    metadata: the model's: recipe, temperature, uncertain (the least probability of the likelier sex that is an answer),
    baselines, trained_on.
    kind: what the folder is, where it is not plain. part: "all", or a part as the corpus names it, such as "dev".
    speakers_of: whose names the speakers' are, if not those of a published corpus that was recognised. allow_known leaves
    what the model has learnt from out instead of refusing it. Raises Leak; ValueError for a model that lacks something
    of this, clips of another recipe, a part that is not there, or clips of one sex only.
    """
    if missing := {"recipe", "temperature", "uncertain", "baselines", "trained_on"} - metadata.keys():
        raise ValueError(f"the model does not say {', '.join(sorted(missing))}: train it again with this version")
    out, corpus, trained_on = Path(out), Path(corpus), metadata["trained_on"]
    begun = out.is_dir() and {path.name for path in out.iterdir()} <= {CLIPS}  # and not finished: it is gone on with
    run = Run(out, force or begun)
    if (corpus / MANIFEST).exists():
        clips, failed = measured_before(corpus, metadata["recipe"], part), 0
        names = open_store(corpus).corpus or corpus.resolve().name
    else:
        found, place = corpora.detect(corpus, kind)
        utterances = found.as_stated(place)
        utterances = [utterances[n] for n in of_part([u.split for u in utterances], part)]
        say(corpora.summary(found, place, utterances))
        recipe = recipe_from(metadata["recipe"], "the model")
        names = corpora.names_of(found, place)
        begin = partial(extract, utterances, out / CLIPS, jobs, progress, recipe=recipe, say=say, corpus=names)
        try:
            made = begin()
        except FileExistsError:  # of other clips or by another recipe: only then is what was measured thrown away
            if not force:
                raise
            made = begin(force=True)
        clips, failed = read_clips(out / CLIPS), len(made.failed)
    names = speakers_of or names
    new = np.array([why == "" for why in known(clips, names, trained_on)])
    notes = notes_on(clips, failed, int((~new).sum()), (corpus / "SYNTHETIC.txt").exists())
    if allow_known:
        clips = clips.take(new)
    refuse_known(clips, names, trained_on)

    baselines = Baselines.from_json(metadata["baselines"])
    scores = {"LSTM": model.log_odds(clips)} | baselines.scores(clips)
    band = (1 - metadata["uncertain"], metadata["uncertain"])
    result, rows = evaluate_clips(scores, clips, metadata["temperature"], band, baselines.f0.hz)
    evaluation_report.write(run, result, rows, notes, "lstm-engine evaluate --corpus")
    run.write_config("evaluate --corpus", corpus=str(corpus), kind=kind, part=part, allow_known=allow_known)
    return Evaluation(result, notes, failed)


def of_part(splits: Sequence[str], part: str) -> np.ndarray:
    """The row numbers of a part; of "all", every one. Raises ValueError, with what there is, where it has no clip."""
    rows = np.arange(len(splits)) if part == "all" else np.flatnonzero(np.array(splits) == part)
    if not len(rows):
        there = ", ".join(f"{name} ({count})" for name, count in sorted(Counter(splits).items()) if name)
        raise ValueError(f"no clip is in the part {part!r}: there is {there or 'no division into parts'}, or take all")
    return rows


def measured_before(folder: Path, stamp: dict[str, Any], part: str) -> Clips:
    """A part of a store, measured as the model's clips were. ValueError for other settings; other versions only warn."""
    clips = read_clips(folder)
    same = {"versions": clips.stamp["versions"]}
    if words := stamp_differences(clips.stamp, stamp | same):
        raise ValueError(
            f"{folder} was not measured as the model's clips were ({'; '.join(words)}): name the recordings instead"
        )
    if words := stamp_differences(clips.stamp, stamp):
        warnings.warn(
            f"{folder} and the model's clips were measured by other versions: {'; '.join(words)}", stacklevel=3
        )
    return clips.take(of_part(clips.splits.tolist(), part))


def notes_on(clips: Clips, failed: int, heard: int, synthetic: bool) -> list[str]:
    """What the reader must know of these clips, `heard` of which the model has learnt from."""
    notes = []
    if synthetic:
        notes.append("These voices are synthetic: the figures describe a source-filter model, not people.")
    if failed:
        notes.append(
            f"{failed:,} of {failed + len(clips):,} clips could not be measured and are not counted: see {CLIPS}/failed.csv."
        )
    if heard:
        notes.append(
            f"{heard:,} of {len(clips):,} clips are left out: the model has learnt from them or from their speakers."
        )
    return notes
