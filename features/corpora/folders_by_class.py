"""A folder for each class, such as Male and Female, and inside it a folder for each speaker: the tutorial's layout.

A folder's name is read as words: Male, males, Men, M; Male Test, female_training, test-women. The parts may also be folders
above the classes, train/Male and test/Male, or the only folders inside them, Male/train and Male/test.
"""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

from features.audio import EXTENSIONS, SOUND_EXTENSIONS, shown
from features.corpora.notes import note
from features.corpora.searching import ARCHIVE, ZIPPED, Found, counted_kinds, note_left_out, search
from features.corpora.settling import NAMED, PART_WORDS, SEX_WORDS, some
from features.corpora.utterances import SEXES, Utterance

BY_HAND = "name the two folders with --male DIR --female DIR (and perhaps --male-test DIR --female-test DIR)"


def fits(path: Path) -> bool:
    return path.is_dir() and {sex for sex, _ in _layout(path)} == set(SEXES)


def tutorial_folders(root: str | Path) -> list[Utterance]:
    """Read the folders of both classes in `root`, and those of their parts (names in any case, see above).

    Raises FileNotFoundError, ValueError. UserWarnings count what is left out.
    """
    root = _folder(root)
    layout = _layout(root)
    for folders in layout.values():
        if len(folders) > 1:
            names = " and ".join(repr(str(folder.relative_to(root))) for folder in folders)
            raise ValueError(f"{root} has both {names}, which mean the same: keep one, or {BY_HAND}")
    if missing := [sex.capitalize() for sex in SEXES if sex not in {sex for sex, _ in layout}]:
        names = ", ".join(sorted(p.name for p in root.iterdir() if p.is_dir())) or "none"
        raise FileNotFoundError(
            f"{root} has no folder {' and no folder '.join(missing)} (its folders: {names}): {BY_HAND}"
        )
    for part in dict.fromkeys(part for _, part in layout):
        if len({sex for sex, other in layout if other == part}) < len(SEXES):
            raise ValueError(f"there is a {part or 'training'} folder for one sex only: give both, or neither")
    folders = [(folder, sex, part) for (sex, part), (folder, *_) in layout.items()]
    outside = search(root, {folder for folder, *_ in folders})
    if sounds := outside.recordings + [p for paths in outside.left_out.values() for p in paths if _is_sound(p)]:
        says = f"left out, in no folder of a class: {counted_kinds(sounds, root)}"
        note(root, "outside_the_classes", len(sounds), says)
    if archives := [path for reason in (ARCHIVE, ZIPPED) for path in outside.left_out.get(reason, [])]:
        says = f"archives beside the folders of the classes are not opened: {counted_kinds(archives, root)}"
        note(root, "archive", len(archives), says, decide=False)
    return _of_classes(folders)


def class_folders(
    male: str | Path, female: str | Path, male_test: str | Path | None = None, female_test: str | Path | None = None
) -> list[Utterance]:
    """Read one folder for each class. A folder inside it is a speaker; clips directly inside it have no known speaker.

    Clips of the two test folders get the split "test", the others "", or the part whose folder they are in. Raises
    FileNotFoundError, ValueError. UserWarnings count what is left out.
    """
    if (male_test is None) != (female_test is None):
        raise ValueError("there is a test folder for one sex only: give both, or neither")
    classes = [(male, "male", ""), (female, "female", ""), (male_test, "male", "test"), (female_test, "female", "test")]
    return _of_classes([(_folder(folder), sex, part) for folder, sex, part in classes if folder is not None])


def _of_classes(folders: list[tuple[Path, str, str]]) -> list[Utterance]:
    """The clips of folders, each with its sex and part."""
    real = [folder.resolve() for folder, *_ in folders]
    for inner in real:
        if outer := next((o for o in real if o in inner.parents), None):
            raise ValueError(f"{inner} belongs to two of the folders: it lies inside {outer}, and none of them may")
    if twice := [folder for folder, count in Counter(real).items() if count > 1]:
        raise ValueError(f"{twice[0]} belongs to two of the folders: each must be another one")
    clips = [clip for folder, sex, part in folders for clip in _clips(folder, sex, part)]
    if {clip.split for clip in clips} & {"train", "dev"}:  # then what states no part is to train on
        clips = [replace(clip, split=clip.split or "train") for clip in clips]
    return clips


def _clips(folder: Path, sex: str, part: str) -> list[Utterance]:
    found = search(folder)
    note_left_out(found, folder)
    inside = [p.name.lower() for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")]
    in_parts = not part and bool(inside) and all(name in PART_WORDS for name in inside)

    def clip(path: Path) -> Utterance:
        above = path.relative_to(folder).parts[:-1]
        split = PART_WORDS[above[0].lower()] if in_parts and above else part
        names = above[in_parts:]
        # male/speaker1 and female/speaker1 are two people
        return Utterance(path, f"{sex}/{shown(names[0])}" if names else None, sex, split)

    clips = [clip(path) for path in found.recordings]
    if not clips:
        raise ValueError(
            f"no {sex} clip in {folder}: expected files ending in {', '.join(EXTENSIONS)}{_instead(found, folder)}"
        )
    speakers = {u.speaker for u in clips}
    without = [p for p in _speaker_folders(folder, in_parts) if f"{sex}/{shown(p.name)}" not in speakers]
    if without:
        lost = some([_without_words(p, found) for p in without], shown=NAMED)
        says = f"{sex} speakers without a recording that is read: {len(without)} ({lost})"
        note(folder, "speakers_lost", len(without), says, names=[f"{sex}/{shown(p.name)}" for p in without])
    return clips


def _speaker_folders(folder: Path, in_parts: bool) -> list[Path]:
    above = [p for p in sorted(folder.iterdir()) if p.is_dir()] if in_parts else [folder]
    folders = [p for a in above for p in sorted(a.iterdir()) if p.is_dir() and not p.name.startswith(".")]
    return list({p.name: p for p in folders}.values())


def _without_words(speaker: Path, found: Found) -> str:
    """ "eve (.m4a 2)", "zoe (empty)"."""
    left_out = [p for paths in found.left_out.values() for p in paths if speaker in (p, *p.parents)]
    files = Counter(p.suffix.lower() or ("closed" if p.is_dir() else "no ending") for p in left_out)
    kinds = ", ".join(f"{kind} {count}" for kind, count in files.items())
    other = any(speaker in p.parents for p in found.other)
    return f"{shown(speaker.name)} ({kinds or ('no sound' if other else 'empty')})"


def _instead(found: Found, folder: Path) -> str:
    paths = [p for paths in found.left_out.values() for p in paths]
    return f"; it holds {counted_kinds(paths, folder)}" if paths else ""


def _is_sound(path: Path) -> bool:
    return path.suffix.lower() in SOUND_EXTENSIONS


def _layout(root: Path) -> dict[tuple[str, str], list[Path]]:
    """{(sex, part): folders} in `root`, or in folders of `root` that are named like a part."""
    layout: dict[tuple[str, str], list[Path]] = {}
    for folder in _folders(root):
        sex, part = _words(folder.name)
        if sex:
            layout.setdefault((sex, part), []).append(folder)
        elif part:
            for inner in _folders(folder):
                if _words(inner.name)[0] and not _words(inner.name)[1]:
                    layout.setdefault((_words(inner.name)[0], part), []).append(inner)
    return dict(sorted(layout.items(), key=lambda item: (item[0][1], SEXES.index(item[0][0]))))


def _folders(root: Path) -> list[Path]:
    try:
        return sorted(p for p in root.iterdir() if p.is_dir())
    except OSError:  # it may not be opened: the search tells
        return []


def _words(name: str) -> tuple[str, str]:
    """(sex, part) that a folder's name states, "" for neither: "Male Test" and "testMale" are ("male", "test")."""
    words = [word.lower() for word in re.split(r"[\W_]+|(?<=[a-z])(?=[A-Z])", name) if word]
    sexes = [SEX_WORDS[word] for word in words if word in SEX_WORDS]
    parts = [PART_WORDS[word] for word in words if word in PART_WORDS]
    if len(sexes) + len(parts) != len(words) or len(sexes) > 1 or len(parts) > 1:
        return "", ""
    return "".join(sexes), "".join(parts)


def _folder(path: str | Path) -> Path:
    if not Path(path).is_dir():
        raise FileNotFoundError(f"{path} is not a folder")
    return Path(path)
