"""Where the clips are and who speaks in them: folders or a table become one sorted list of `Utterance`.

For extraction. Nothing is decoded here. The contract: the same files give the same list, and a sex that the corpus does
not state as male or female is left out, never guessed.
"""

import math
import warnings
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from features.audio import EXTENSIONS, BadClip, duration
from features.csv_files import BadTable, Sheet, read_sheet, unguard

SEXES = ("male", "female")


@dataclass(frozen=True)
class Utterance:
    """A stretch of a recording, in seconds; `end_s` None is its end, `speaker` None unknown, `split` "" not given."""

    path: Path
    speaker: str | None
    sex: str
    split: str = ""
    start_s: float = 0.0
    end_s: float | None = None


def tutorial_folders(root: str | Path) -> list[Utterance]:
    """The tutorial's layout: folders Male and Female in `root`, and perhaps Male Test and Female Test (in any case)."""
    root = _folder(root)
    folders: dict[str, Path] = {}
    for folder in sorted(p for p in root.iterdir() if p.is_dir()):
        if folder.name.lower() in folders:
            raise ValueError(f"{root} has both {folders[folder.name.lower()].name!r} and {folder.name!r}: keep one")
        folders[folder.name.lower()] = folder
    if missing := [name for name in ("Male", "Female") if name.lower() not in folders]:
        found = ", ".join(sorted(f.name for f in folders.values())) or "none"
        raise FileNotFoundError(f"{root} has no folder {' and no folder '.join(missing)} (folders there: {found})")
    return class_folders(folders["male"], folders["female"], folders.get("male test"), folders.get("female test"))


def class_folders(
    male: str | Path, female: str | Path, male_test: str | Path | None = None, female_test: str | Path | None = None
) -> list[Utterance]:
    """One folder for a class. A folder inside it is a speaker; clips straight inside it have no known speaker.

    Clips of the two test folders get split "test", the others "". Raises FileNotFoundError or ValueError, saying why.
    """
    if (male_test is None) != (female_test is None):
        raise ValueError("a test folder for one sex only: give both, or neither")
    classes = [(male, "male", ""), (female, "female", ""), (male_test, "male", "test"), (female_test, "female", "test")]
    utterances = [u for folder, sex, split in classes if folder is not None for u in _clips(folder, sex, split)]
    twice = [path for path, count in Counter(u.path.resolve() for u in utterances).items() if count > 1]
    if twice:
        raise ValueError(f"{twice[0]} belongs to two of the folders given: they must not hold each other")
    return utterances


def table(csv_path: str | Path) -> list[Utterance]:
    """A CSV with columns path, speaker, sex and, if you like, split, start_s, end_s; other columns are ignored.

    Paths are relative to the CSV. Rows whose sex is neither male nor female are left out, with a UserWarning that
    counts them. Raises BadTable.
    """
    sheet = read_sheet(csv_path, required=("path", "speaker", "sex"))
    every = parse_utterances(sheet)
    utterances = sorted((u for u in every if u.sex in SEXES), key=lambda u: (u.path.as_posix(), u.start_s))
    if not utterances:
        raise BadTable(sheet.path, "no row has the sex male or female", column="sex")
    if left_out := Counter(u.sex for u in every if u.sex not in SEXES):
        seen = ", ".join(f"{count} {sex!r}" for sex, count in left_out.most_common(5))
        message = (
            f"{sheet.path}: {left_out.total()} of {len(every)} rows left out, their sex is neither male nor female"
        )
        warnings.warn(f"{message} ({seen})", UserWarning, stacklevel=2)
    return [replace(u, path=sheet.path.parent / u.path) for u in utterances]


def windows(utterances: Iterable[Utterance], seconds: float, least: float | None = None) -> list[Utterance]:
    """Consecutive stretches of `seconds`; the rest is kept when it lasts `least` s (default: half), or is all there is.

    A file that cannot be opened stays whole, so that extraction reports it.
    """
    least = seconds / 2 if least is None else least
    if not 0 < least <= seconds:
        raise ValueError(
            f"windows of {seconds:g} s, rests of at least {least:g} s: both must be above 0, no rest longer than the window"
        )
    cut: list[Utterance] = []
    for u in utterances:
        try:
            end = min(math.inf if u.end_s is None else u.end_s, duration(u.path))
        except BadClip:
            cut.append(u)
            continue
        count = max(math.floor((end - u.start_s - least) / seconds + 1e-9) + 1, 1)  # 1e-9: 2 * 5.3 + 4.0 is 14.6
        for start in (round(u.start_s + k * seconds, 6) for k in range(count)):
            cut.append(replace(u, start_s=start, end_s=min(round(start + seconds, 6), end)))
    return cut


def parse_utterances(sheet: Sheet) -> list[Utterance]:
    """The rows of a sheet with columns path, speaker, sex (split, start_s, end_s), as they stand. Raises BadTable."""
    utterances = []
    for row, line in zip(sheet.dicts(), sheet.lines, strict=True):
        if not row["path"]:
            raise BadTable(sheet.path, "an empty cell where a path belongs", line, "path")
        times = {name: _seconds(row.get(name, ""), sheet.path, line, name) for name in ("start_s", "end_s")}
        start, end = times["start_s"] or 0.0, times["end_s"]
        if end is not None and end <= start:
            raise BadTable(sheet.path, f"the clip ends at {end} s but starts at {start} s", line, "end_s")
        path, speaker = Path(unguard(row["path"])), unguard(row["speaker"]) or None
        split = row.get("split", "").strip().lower()
        utterances.append(Utterance(path, speaker, row["sex"].strip().lower(), split, start, end))
    return utterances


def _clips(folder: str | Path, sex: str, split: str) -> list[Utterance]:
    folder = _folder(folder)
    clips = [p.relative_to(folder) for p in folder.rglob("*") if p.suffix.lower() in EXTENSIONS and p.is_file()]
    clips = [p for p in clips if not any(part.startswith(".") for part in p.parts)]  # ._x.wav is no recording
    if not clips:
        raise ValueError(f"no {sex} clip in {folder}: expected files ending in {', '.join(EXTENSIONS)}")
    # male/speaker1 and female/speaker1 are two people
    return [
        Utterance(folder / p, f"{sex}/{p.parts[0]}" if len(p.parts) > 1 else None, sex, split) for p in sorted(clips)
    ]


def _folder(path: str | Path) -> Path:
    if not Path(path).is_dir():
        raise FileNotFoundError(f"{path} is not a folder")
    return Path(path)


def _seconds(cell: str, path: Path, line: int, column: str) -> float | None:
    if not cell.strip():
        return None
    try:
        seconds = float(cell)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise BadTable(path, f"{cell!r} where a time in seconds belongs", line, column)
    return seconds
