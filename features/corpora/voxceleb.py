"""VoxCeleb 1 and 2 (Nagrani et al. 2017, Chung et al. 2018): vox1_meta.csv, vox2_meta.csv, and a folder for each speaker.

Tabs separate the cells of the first table. The second was published with commas and padded cells, and also with tabs.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from features.corpora.searching import recordings
from features.corpora.settling import PARTS, note_unlisted, settled
from features.corpora.utterances import Utterance
from features.csv_files import BadTable, read_sheet, tab_rows

ID_COLUMN = {"vox1_meta.csv": "VoxCeleb1 ID", "vox2_meta.csv": "VoxCeleb2 ID"}


def fits(path: Path) -> bool:
    return any((path / name).is_file() for name in ID_COLUMN)


def read(root: Path) -> list[Utterance]:
    """The recordings in a folder idNNNNN, at any depth under `root`. split: the table's Set, dev or test.

    Raises BadTable; ValueError if there is no clip.
    """
    tables = [root / name for name in ID_COLUMN if (root / name).is_file()]
    speakers: dict[str, tuple[str, str]] = {}  # id: (sex, set)
    for table in tables:
        for line, (speaker, sex, part) in _rows(table):
            if part not in PARTS:
                raise BadTable(table, f"expected dev or test, got {part!r}", line, "Set")
            if speakers.setdefault(speaker, (sex, part)) != (sex, part):
                raise BadTable(table, f"speaker {speaker} is listed above with another sex or set", line)
    clips, unlisted = [], 0
    for path in recordings(root):
        folder = next((part for part in path.parts[::-1] if re.fullmatch(r"id\d{5}", part)), "")
        if folder in speakers:
            clips.append(Utterance(path, folder, *speakers[folder]))
        else:
            unlisted += 1
    note_unlisted(unlisted, root, " and ".join(table.name for table in tables))
    return settled(clips, root)


def _rows(table: Path) -> Iterator[tuple[int, list[str]]]:
    columns = (ID_COLUMN[table.name], "Gender", "Set")
    with table.open("rb") as file:
        tabs = b"\t" in file.readline()
    if tabs:
        yield from tab_rows(table, columns)
    else:
        sheet = read_sheet(table, columns)
        for line, row in zip(sheet.lines, sheet.dicts(), strict=True):
            yield line, [row[name].strip() for name in columns]
