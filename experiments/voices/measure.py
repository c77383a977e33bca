"""From recordings to features, for the command `features`: find the clips that the user names, and measure them.

`source_of` and `corpus_source` find clips; `measure` writes a store of features, and tables for the tutorial's recipe.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from features import copies, corpora
from features.checking import speakers_lost, with_notes
from features.corpora import Note, Utterance
from features.corpora.notes import note
from features.extraction import Extraction, extract
from features.recipes import Recipe, recipe_named
from features.store import open_store
from lstm_engine.files import write_atomically


@dataclass(frozen=True)
class Source:
    """Clips to measure, and the folder they come from.

    names: where the speakers' names come from (`corpora.names_of`). kind: the name of a recognised corpus, else None;
    summary: what is in it, in a sentence, else "". notes: what reading it told.
    """

    clips: list[Utterance]
    folder: Path
    names: str = ""
    kind: str | None = None
    summary: str = ""
    notes: Sequence[Note] = ()


def source_of(
    root: str | Path | None = None, kind: str | None = None, male: Path | None = None, female: Path | None = None,
    male_test: Path | None = None, female_test: Path | None = None, table: Path | None = None,
    window_s: float | None = None, least_s: float | None = None,
) -> Source:  # fmt: skip
    """The clips of a corpus, of two folders, or of a table. ValueError unless exactly one source is named.

    window_s: cut clips into windows of this length; a shorter last window is kept from least_s on.
    """
    named = [root is not None, male is not None or female is not None, table is not None]
    if sum(named) != 1 or (male is None) != (female is None):
        raise ValueError("name one source: a folder with Male and Female in it, or --male with --female, or --table")
    if (male_test or female_test) and male is None:
        raise ValueError("--male-test and --female-test go with --male and --female; a folder has its own Test folders")
    if kind is not None and root is None:
        raise ValueError("--corpus says what a folder is: name the folder too")
    if root is not None:
        source = corpus_source(root, kind)
    elif table is not None:
        clips, notes = with_notes(lambda: corpora.table(table))
        source = Source(clips, table.parent, table.resolve().parent.name, notes=notes)
    else:
        clips, notes = with_notes(lambda: corpora.class_folders(male, female, male_test, female_test))
        source = Source(clips, male.parent, notes=notes)
    if not any(os.path.lexists(clip.path) for clip in source.clips):
        raise FileNotFoundError(
            f"none of the {len(source.clips)} files that {root or table} lists is there (the first: {source.clips[0].path}): "
            "paths are relative to the folder of the table"
        )
    return source if window_s is None else replace(source, clips=corpora.windows(source.clips, window_s, least_s))


def corpus_source(root: str | Path, kind: str | None = None) -> Source:
    """The clips of a corpus. kind: which of `corpora.CORPORA` it is; detected unless given. ValueError if it is none."""
    corpus, place = corpora.detect(root, kind)
    clips, notes = with_notes(lambda: corpus.read(place))
    folder = place.parent if place.is_file() else place
    says = corpora.summary(corpus, place, clips)
    return Source(clips, folder, corpora.names_of(corpus, place), corpus.name, says, notes)


def chosen_recipe(name: str, pitch: str | None = None, deltas: bool = False, variants: int = 0) -> Recipe:
    """The recipe of that name with its options. ValueError for an option or for variants that the recipe does not have."""
    if variants and name != "frames":
        raise ValueError("--variants goes with --recipe frames: the tutorial's recipe has no variants")
    return recipe_named(name, **({"pitch": pitch} if pitch is not None else {}), **({"deltas": True} if deltas else {}))


def measure(source: Source, out: str | Path, **options: Any) -> Extraction:
    """Measure the source's clips into the folder `out`; options: those of `features.extraction.extract`.

    A corpus of synthetic voices is marked by SYNTHETIC.txt, and so are the features.
    """
    result = extract(source.clips, out, corpus=source.names, **options)
    mark = source.folder / "SYNTHETIC.txt"
    if mark.exists():
        write_atomically(Path(out) / mark.name, mark.read_bytes())
    return result


def tell_losses(out: str | Path, known: int) -> None:
    """Warn which speakers have no measured clip, and which clips are left out of tables and training as copies.

    known: so many copies were told before; the same number is not told again.
    """
    entries = list(open_store(out).manifest)
    for finding in speakers_lost((entry.speaker, not entry.reason) for entry in entries):
        note(out, finding.kind, finding.count, finding.says, names=finding.names)
    entries = [entry for entry in entries if not entry.reason]
    why = copies.left_out((e.sha256 for e in entries), (e.sex for e in entries), (e.split for e in entries))
    if (why != "").sum() != known:
        copies.tell(why, [entry.path for entry in entries], out)
