"""The tutorial's layout: a folder for each class, Male and Female, and inside it a folder for each speaker."""

from collections import Counter
from pathlib import Path

from features.audio import EXTENSIONS
from features.corpora.utterances import Utterance, child, recordings


def fits(path: Path) -> bool:
    return path.is_dir() and all(child(path, name) is not None for name in ("Male", "Female"))


def tutorial_folders(root: str | Path) -> list[Utterance]:
    """Read the folders Male and Female in `root`, and Male Test and Female Test if they exist (names in any case).

    Raises FileNotFoundError, ValueError.
    """
    root = _folder(root)
    folders: dict[str, Path] = {}
    for folder in sorted(p for p in root.iterdir() if p.is_dir()):
        if folder.name.lower() in folders:
            raise ValueError(f"{root} has both {folders[folder.name.lower()].name!r} and {folder.name!r}: keep one")
        folders[folder.name.lower()] = folder
    if missing := [name for name in ("Male", "Female") if name.lower() not in folders]:
        names = ", ".join(sorted(f.name for f in folders.values())) or "none"
        raise FileNotFoundError(f"{root} has no folder {' and no folder '.join(missing)} (its folders: {names})")
    return class_folders(folders["male"], folders["female"], folders.get("male test"), folders.get("female test"))


def class_folders(
    male: str | Path, female: str | Path, male_test: str | Path | None = None, female_test: str | Path | None = None
) -> list[Utterance]:
    """Read one folder for each class. A folder inside it is a speaker; clips directly inside it have no known speaker.

    Clips of the two test folders get the split "test", the others "". Raises FileNotFoundError, ValueError.
    """
    if (male_test is None) != (female_test is None):
        raise ValueError("there is a test folder for one sex only: give both, or neither")
    classes = [(male, "male", ""), (female, "female", ""), (male_test, "male", "test"), (female_test, "female", "test")]
    utterances = [u for folder, sex, split in classes if folder is not None for u in _clips(folder, sex, split)]
    twice = [path for path, count in Counter(u.path.resolve() for u in utterances).items() if count > 1]
    if twice:
        raise ValueError(f"{twice[0]} belongs to two of the folders: none of them may lie inside another")
    return utterances


def _clips(folder: str | Path, sex: str, split: str) -> list[Utterance]:
    folder = _folder(folder)
    clips = [p.relative_to(folder) for p in recordings(folder)]
    if not clips:
        raise ValueError(f"no {sex} clip in {folder}: expected files ending in {', '.join(EXTENSIONS)}")
    # male/speaker1 and female/speaker1 are two people
    return [Utterance(folder / p, f"{sex}/{p.parts[0]}" if len(p.parts) > 1 else None, sex, split) for p in clips]


def _folder(path: str | Path) -> Path:
    if not Path(path).is_dir():
        raise FileNotFoundError(f"{path} is not a folder")
    return Path(path)
