"""LibriSpeech (Panayotov et al. 2015): SPEAKERS.TXT lists readers and their subsets; a file's name begins with its reader.

Mini LibriSpeech and LibriTTS (Zen et al. 2019) have the same layout. All files in one flat folder are read too.
"""

import re
from pathlib import Path
from typing import NamedTuple

from features.corpora.searching import recordings
from features.corpora.settling import PARTS, note_unlisted, settled
from features.corpora.utterances import Utterance, child
from features.csv_files import BadTable, utf8_text

SPEAKERS = "SPEAKERS.TXT"


class Reader(NamedTuple):
    """A line of SPEAKERS.TXT: sex "M" or "F", the reader's subset, and the reader's name."""

    sex: str
    subset: str
    name: str


def fits(path: Path) -> bool:
    return path.is_dir() and child(path, SPEAKERS) is not None


def read(root: Path) -> list[Utterance]:
    """Files READER-CHAPTER-NUMBER.flac anywhere under `root`. split: train, dev or test, from the name of the subset.

    Raises BadTable; ValueError if there is no clip.
    """
    metadata = child(root, SPEAKERS)
    assert metadata is not None  # `fits` has checked it
    readers = read_speakers(metadata)
    clips, unlisted = [], 0
    for path in recordings(root):
        named = re.match(r"(\d+)[-_]\d+[-_]", path.name)
        if named and (reader := readers.get(named[1])):
            part = reader.subset.split("-")[0]
            clips.append(Utterance(path, named[1], reader.sex, part if part in PARTS else ""))
        else:
            unlisted += 1
    note_unlisted(unlisted, root, metadata.name)
    return settled(clips, root)


def read_speakers(path: Path) -> dict[str, Reader]:
    """{id: Reader} from a SPEAKERS.TXT, in which `;` begins a comment and `|` separates five fields. Raises BadTable."""
    readers: dict[str, Reader] = {}
    for number, line in enumerate(utf8_text(path).split("\n"), start=1):
        if not line.strip() or line.startswith(";"):
            continue
        cells = [cell.strip() for cell in line.split("|", 4)]  # one reader is called |CBW|Simon
        if len(cells) != 5:
            raise BadTable(path, f"expected id | sex | subset | minutes | name, got {line.strip()!r}", number)
        if cells[0] in readers:
            raise BadTable(path, f"reader {cells[0]} is in the file twice", number)
        readers[cells[0]] = Reader(cells[1], cells[2], cells[4])
    return readers
