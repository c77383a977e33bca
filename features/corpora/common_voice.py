"""Common Voice (Ardila et al. 2020): a TSV names each clip in clips/, who speaks (client_id) and what they say of their sex.

Labels are male, female and other up to release 16.1, male_masculine, female_feminine and further ones from 17.0 on; many
cells are blank. The sentences hold single quotation marks, so the files are no CSV.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from features.audio import EXTENSIONS
from features.corpora.settling import PARTS, note_absent, note_unlisted, settled, with_stated_sex
from features.corpora.utterances import Utterance
from features.csv_files import BadTable, tab_rows

WHOLE = "validated.tsv"
COLUMNS = ("client_id", "path", "gender")


def fits(path: Path) -> bool:
    """A .tsv file beside a folder clips, or the folder of a language that holds both."""
    if path.is_file():
        return path.suffix.lower() == ".tsv"
    return (path / "clips").is_dir() and bool(_published(path))


def read(path: Path) -> list[Utterance]:
    """Of a folder: train.tsv, dev.tsv and test.tsv, which are the split, or else validated.tsv, without one.

    Of a .tsv file: that file, without a split. speaker: the client_id. Raises BadTable, FileNotFoundError; ValueError when
    there is no clip.
    """
    lists = {path: ""} if path.is_file() else _published(path)
    clips = next(iter(lists)).parent / "clips"
    if not clips.is_dir():
        raise FileNotFoundError(f"{path} names clips, but there is no folder {clips}")
    there = {entry.name for entry in os.scandir(clips) if entry.name.lower().endswith(EXTENSIONS)}
    named: set[str] = set()
    absent: list[str] = []

    def rows() -> Iterator[Utterance]:
        for tsv, split in lists.items():
            seen: set[str] = set()
            for line, (client, name, gender) in tab_rows(tsv, COLUMNS):
                name = name if name.lower().endswith(EXTENSIONS) else f"{name}.mp3"  # the first releases left it away
                if name in seen:
                    raise BadTable(tsv, f"{name} stands in the file twice", line, "path")
                seen.add(name)
                if name in there:
                    yield Utterance(clips / name, client or None, gender, split)
                elif name not in named:
                    absent.append(name)
            named.update(seen)

    stated = with_stated_sex(rows(), path)
    metadata = ", ".join(tsv.name for tsv in lists)
    note_absent(absent, path, metadata)
    note_unlisted(len(there - named), path, metadata)
    return settled(stated, path)


def _published(folder: Path) -> dict[Path, str]:
    parts = {folder / f"{part}.tsv": part for part in PARTS}
    return {tsv: part for tsv, part in parts.items() if tsv.is_file()} or (
        {folder / WHOLE: ""} if (folder / WHOLE).is_file() else {}
    )
