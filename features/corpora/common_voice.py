"""Common Voice (Ardila et al. 2020): a TSV lists the clips in clips/, their speakers (client_id) and the sex they state.

Labels are male, female and other up to release 16.1, male_masculine, female_feminine and further ones from 17.0 on; many
cells are blank. The sentences hold unpaired quotation marks, so the files cannot be read as CSV.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from features.audio import SOUND_EXTENSIONS
from features.corpora.settling import PARTS, note_absent, note_unlisted, settled, with_stated_sex
from features.corpora.utterances import Utterance
from features.csv_files import BadTable, tab_rows

WHOLE = "validated.tsv"
COLUMNS = ("client_id", "path", "gender")


def fits(path: Path) -> bool:
    """Whether `path` is one of the lists, a .tsv with client_id, or a language's folder with clips/ and the lists."""
    if path.is_file():
        with path.open("rb") as file:
            return path.suffix.lower() == ".tsv" and COLUMNS[0].encode() in file.readline().split(b"\t")[0]
    return (path / "clips").is_dir() and bool(_published(path))


def read(path: Path) -> list[Utterance]:
    """The clips of a folder by train.tsv, dev.tsv and test.tsv, which give the split, or else by validated.tsv, without one.

    For a .tsv file: its clips, without a split. The speaker is the client_id. Raises BadTable, FileNotFoundError; ValueError
    if there is no clip.
    """
    lists = {path: ""} if path.is_file() else _published(path)
    clips = next(iter(lists)).parent / "clips"
    if not clips.is_dir():
        raise FileNotFoundError(f"{path} lists clips, but there is no folder {clips}")
    files = {entry.name for entry in os.scandir(clips) if entry.name.lower().endswith(SOUND_EXTENSIONS)}
    named: set[str] = set()
    absent: list[str] = []

    def rows() -> Iterator[Utterance]:
        for tsv, split in lists.items():
            seen: set[str] = set()
            for line, (client, name, gender) in tab_rows(tsv, COLUMNS):
                if not name.lower().endswith(SOUND_EXTENSIONS):  # as in the first releases
                    name = f"{name}.mp3"
                if name in seen:
                    raise BadTable(tsv, f"{name} is in the file twice", line, "path")
                seen.add(name)
                if name in files:
                    yield Utterance(clips / name, client or None, gender, split)
                elif name not in named:
                    absent.append(name)
            named.update(seen)

    stated = with_stated_sex(rows(), path)
    metadata = ", ".join(tsv.name for tsv in lists)
    note_absent(absent, path, metadata)
    note_unlisted(len(files - named), path, metadata)
    return settled(stated, path)


def _published(folder: Path) -> dict[Path, str]:
    parts = {folder / f"{part}.tsv": part for part in PARTS}
    return {tsv: part for tsv, part in parts.items() if tsv.is_file()} or (
        {folder / WHOLE: ""} if (folder / WHOLE).is_file() else {}
    )
