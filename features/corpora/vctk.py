"""VCTK (Veaux et al. 2017): speaker-info.txt lists the speakers, and the files of p225 are p225_001.wav, p225_002.wav, ...

From release 0.92 on there are two microphones, p225_001_mic1.flac and p225_001_mic2.flac, and the listed ids begin with p.
"""

import re
from pathlib import Path

from features.corpora.searching import recordings
from features.corpora.settling import note_unlisted, settled
from features.corpora.utterances import Utterance, child
from features.csv_files import BadTable, utf8_text

SPEAKERS = "speaker-info.txt"


def fits(path: Path) -> bool:
    return path.is_dir() and child(path, SPEAKERS) is not None


def read(root: Path) -> list[Utterance]:
    """The recordings under `root`, without a split; only the first microphone, or every sentence would count twice.

    Raises BadTable; ValueError if there is no clip, or if a recording is in two folders (at 48 and at 16 kHz, say).
    """
    metadata = child(root, SPEAKERS)
    assert metadata is not None  # `fits` has checked it
    sexes = read_speakers(metadata)
    clips: dict[str, Utterance] = {}
    unlisted = 0
    for path in recordings(root):
        named = re.fullmatch(r"([a-z]\d+)_\d+(_mic\d)?", path.stem)
        if named is None or named[1] not in sexes:
            unlisted += 1
        elif named[2] in (None, "_mic1"):
            if path.stem in clips:
                raise ValueError(f"{path} is in {clips[path.stem].path.parent} too: remove one of the two folders")
            clips[path.stem] = Utterance(path, named[1], sexes[named[1]])
    note_unlisted(unlisted, root, metadata.name)
    return settled(clips.values(), root)


def read_speakers(path: Path) -> dict[str, str]:
    """{"p225": "M" or "F", ...} from a speaker-info.txt: a header, then id, age, sex, accent, ... Raises BadTable."""
    sexes: dict[str, str] = {}
    for number, line in enumerate(utf8_text(path).split("\n"), start=1):
        cells = line.split()
        if not cells or cells[0] == "ID":
            continue
        if len(cells) < 3:
            raise BadTable(path, f"expected id, age, sex and more, got {line.strip()!r}", number)
        speaker = f"p{cells[0]}" if cells[0].isdigit() else cells[0]  # 225 up to release 0.80
        if speaker in sexes:
            raise BadTable(path, f"speaker {speaker} is in the file twice", number)
        sexes[speaker] = cells[2]
    return sexes
