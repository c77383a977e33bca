"""A trained model on a corpus that is new to it: measured by the model's own recipe, checked for leaks, and evaluated.

For the command `evaluate --corpus`. The contract: a clip or a speaker from the model's training is never counted, and a clip
that cannot be measured is reported, not guessed.
"""

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from experiments.reports.run import Run
from experiments.voices import evaluation_report, groups
from experiments.voices.baselines import Baselines
from experiments.voices.clip_model import ClipModel
from experiments.voices.evaluation import evaluate_model
from features import corpora
from features.clips import Clips, read_clips
from features.corpora import speaker_table
from features.extraction import Progress, extract, names
from features.leaks import known, prints, refuse_known
from features.recipes import Recipe, recipe_from, stamp_differences
from features.store import MANIFEST, open_store

CLIPS = "clips"  # the folder, inside the run's, for the measured clips
TAKEN = {  # columns of the answers, which a table's column would replace
    "path", "speaker", "sex", "said", "right", "log_odds", "p", "f0_hz", "seconds", "voice_s", "abstains", "remark",
}  # fmt: skip
WRITTEN = ("result.json", "clips.csv", "errors.csv", "report.html")  # before config.json
NEEDED = {"recipe", "temperature", "uncertain", "baselines", "trained_on"}  # of a model's metadata


def for_evaluation(clips: Clips, corpus: str) -> dict[str, Any]:
    """The metadata that a model needs to be evaluated later: the baselines of its training clips, and their fingerprints.

    corpus: where the speakers' names come from, such as "librispeech" (see `features.leaks.prints`).
    """
    return {"baselines": Baselines.fit(clips).as_json(), "trained_on": prints(clips, corpus)}


def evaluate_corpus(
    model: ClipModel,
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
    by: str | None = None,
) -> tuple[dict[str, Any], int]:
    """Evaluate a model on recordings, or on a store of `features`; report.html, result.json and tables go into `out`.

    Returns the result as JSON values, with notes for the reader, and how many clips could not be measured.
    metadata: the model's, with NEEDED; its `uncertain` is the lowest probability of the likelier sex that gives an answer.
    kind: which corpus it is, if that cannot be detected. part: "all", or a part of the corpus by its name, such as "dev".
    speakers_of: where the speakers' names come from, if not from a recognised corpus. allow_known: leave out the clips that
    the model was trained on, instead of refusing them. by: a column of the corpus's table; the result then has the figures
    of each of its groups. Raises Leak; ValueError for a model without NEEDED, clips of another recipe, an unknown part, or
    clips of one sex only.
    """
    if missing := NEEDED - metadata.keys():
        raise ValueError(f"the model's metadata lacks {', '.join(sorted(missing))}: train it again with this version")
    out, corpus, trained_on = Path(out), Path(corpus), metadata["trained_on"]
    left = {CLIPS, *WRITTEN}
    begun = out.is_dir() and {path.name for path in out.iterdir()} <= left  # stopped before its end: resume it
    run = Run(out, force or begun)
    cells = {} if by is None else cells_of(corpus, kind, by)
    if (corpus / MANIFEST).exists():
        clips, failed = measured_before(corpus, metadata["recipe"], part), 0
        origin, value_of = open_store(corpus).corpus or corpus.resolve().name, {}
    else:
        layout, place = corpora.detect(corpus, kind)
        utterances = layout.as_stated(place)
        utterances = [utterances[n] for n in of_part([u.split for u in utterances], part)]
        say(corpora.summary(layout, place, utterances))
        origin = corpora.names_of(layout, place)
        recipe = recipe_from(metadata["recipe"], "the model")
        clips, failed = measured(utterances, out / CLIPS, recipe, jobs, progress, say, origin, force)
        value_of = {name: cells.get(u.path, "") for name, u in zip(names(utterances), utterances, strict=True)}
    origin = speakers_of or origin
    new = np.array([why == "" for why in known(clips, origin, trained_on)])
    notes = notes_on(clips, failed, int((~new).sum()), (corpus / "SYNTHETIC.txt").exists())
    if allow_known:
        if not new.any():
            raise ValueError(
                f"the model was trained on all {len(clips)} clips or on their speakers, so that none is left to judge it by: "
                "name other recordings"
            )
        clips = clips.take(new)
    refuse_known(clips, origin, trained_on)
    result, rows = evaluate_model(model, metadata, clips)
    if by is not None:
        rows[by] = [value_of[path] for path in rows["path"]]
        result["by"] = {"column": by, "groups": groups.grouped(rows, by)}
    run.begin()
    evaluation_report.write(run, result, rows, notes, "lstm-engine evaluate --corpus")
    run.write_config("evaluate --corpus", corpus=corpus, kind=kind, part=part, allow_known=allow_known, by=by)
    return result | {"notes": notes}, failed


def measured(
    utterances: list[corpora.Utterance], out: Path, recipe: Recipe, jobs: int, progress: Progress,
    say: Callable[[str], None], origin: str, force: bool,
) -> tuple[Clips, int]:  # fmt: skip
    """The clips, measured into the folder `out` or kept there, and how many could not be measured."""
    begin = partial(extract, utterances, out, jobs, progress, recipe=recipe, say=say, corpus=origin)
    try:
        extraction = begin()
    except FileExistsError:  # it holds other clips, or another recipe's: only then does --force remove them
        if not force:
            raise
        extraction = begin(force=True)
    return read_clips(out), len(extraction.failed)


def cells_of(corpus: Path, kind: str | None, column: str) -> dict[Path, str]:
    """{recording: its cell in a column} of a corpus's table. ValueError for a corpus without one, or without the column."""
    if (corpus / MANIFEST).exists():
        raise ValueError(f"{corpus} holds measured clips without their table's {column!r}: name the recordings' table")
    layout, place = corpora.detect(corpus, kind)
    if layout.name != "table":
        raise ValueError(
            f"{corpus} is {layout.title}, which has no table to group by {column!r}: list its clips in one"
        )
    if column.strip().lower() in TAKEN:
        raise ValueError(f"the answers have a column {column!r} of their own: group by another one")
    return speaker_table.column(place, column)


def of_part(splits: Sequence[str], part: str) -> np.ndarray:
    """The row numbers of a part, or all of them for "all". ValueError, with the parts that there are, if it has no clip."""
    rows = np.arange(len(splits)) if part == "all" else np.flatnonzero(np.array(splits) == part)
    if not len(rows):
        there = ", ".join(f"{name} ({count})" for name, count in sorted(Counter(splits).items()) if name)
        raise ValueError(f"no clip is in the part {part!r}: there is {there or 'no division into parts'}, or take all")
    return rows


def measured_before(folder: Path, stamp: dict[str, Any], part: str) -> Clips:
    """A part of a store. ValueError if its settings differ from the model's (`stamp`); other versions only warn."""
    clips = read_clips(folder)
    if words := stamp_differences(clips.stamp, stamp | {"versions": clips.stamp["versions"]}):
        raise ValueError(
            f"{folder} was not measured as the model's clips were ({'; '.join(words)}): name the recordings instead"
        )
    if words := stamp_differences(clips.stamp, stamp):
        warnings.warn(
            f"{folder} and the model's clips were measured by other versions: {'; '.join(words)}", stacklevel=3
        )
    return clips.take(of_part(clips.splits.tolist(), part))


def notes_on(clips: Clips, failed: int, heard: int, synthetic: bool) -> list[str]:
    """What the reader must know of these clips; heard: how many of them, or of their speakers, the model was trained on."""
    all_clips = failed + len(clips)
    notes = {
        "These voices are synthetic: the figures describe a source-filter model, not people.": synthetic,
        f"{failed:,} of {all_clips:,} clips could not be measured and are not counted: see {CLIPS}/failed.csv.": failed,
        f"{heard:,} of {len(clips):,} clips are left out: the model was trained on them or on their speakers.": heard,
    }
    return [note for note, holds in notes.items() if holds]
