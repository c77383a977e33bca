"""The last step of every reader: drop clips without a stated sex, keep speakers apart, and count what was left out.

For the other modules in this folder. Published metadata has blank cells, speakers with both sexes, and speakers in two parts;
the contract of `settled` is that none of these clips reaches a table.
"""

import warnings
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from features.audio import EXTENSIONS
from features.corpora.utterances import Utterance

SEX_WORDS = {"m": "male", "male": "male", "f": "female", "female": "female"}
SEX_WORDS |= {"male_masculine": "male", "female_feminine": "female"}  # Common Voice from 17.0 on
PARTS = ("train", "dev", "test")


def settled(utterances: Iterable[Utterance], source: Path) -> list[Utterance]:
    """The usable clips, sorted by path. On input `sex` is the corpus's word and `split` the part that the corpus states.

    Left out, each with a UserWarning that counts the clips: clips whose sex is not stated; speakers with both sexes; and, of
    a speaker in two parts, the clips in the earlier part, so that no test speaker is in the training part. Raises ValueError
    if no clip is left.
    """
    kept = _in_one_part(_of_one_sex(with_stated_sex(utterances, source), source), source)
    if not kept:
        raise ValueError(
            f"{source}: no clip is left whose speaker is stated as male or female (recordings end in "
            f"{', '.join(EXTENSIONS)})"
        )
    return sorted(kept, key=lambda u: (u.path.as_posix(), u.start_s))


def from_the_first_part(utterances: list[Utterance]) -> list[Utterance]:
    """If there is no train part, the first part becomes the training data: its split is set to "", to be split by speaker."""
    present = [part for part in PARTS if any(u.split == part for u in utterances)]
    if present[:1] in ([], ["train"]):
        return utterances
    return [replace(u, split="") if u.split == present[0] else u for u in utterances]


def with_stated_sex(utterances: Iterable[Utterance], source: Path) -> list[Utterance]:
    """The clips whose sex is stated as male or female, in one of SEX_WORDS; `sex` is set to male or female."""
    kept: list[Utterance] = []
    left_out: Counter[str] = Counter()
    for u in utterances:
        word = u.sex.strip().lower()
        if sex := SEX_WORDS.get(word):
            kept.append(replace(u, sex=sex))
        else:
            left_out[repr(word) if word else "blank"] += 1
    if left_out:
        words = ", ".join(f"{count} {word}" for word, count in left_out.most_common(5))
        _note(
            f"{source}: {left_out.total()} of {len(kept) + left_out.total()} clips left out, "
            f"their sex is neither male nor female ({words})"
        )
    return kept


def note_unlisted(count: int, source: Path, metadata: str) -> None:
    """Warn how many recordings the metadata does not list, if there are any."""
    if count:
        _note(f"{source}: recordings left out, not listed in {metadata}: {count}")


def note_absent(absent: list[str], source: Path, metadata: str) -> None:
    """Warn how many of the files that the metadata lists do not exist, if there are any."""
    if absent:
        _note(f"{source}: files listed in {metadata} that do not exist: {len(absent)} (the first: {absent[0]})")


def _of_one_sex(utterances: list[Utterance], source: Path) -> list[Utterance]:
    sexes: dict[str | None, set[str]] = {}
    for u in utterances:
        sexes.setdefault(u.speaker, set()).add(u.sex)
    both = {speaker for speaker, stated in sexes.items() if len(stated) > 1 and speaker is not None}
    kept = [u for u in utterances if u.speaker not in both]
    if both:
        count = len(utterances) - len(kept)
        _note(
            f"{source}: clips left out, their speakers are listed as male and as female: {count} "
            f"(speakers: {len(both)})"
        )
    return kept


def _in_one_part(utterances: list[Utterance], source: Path) -> list[Utterance]:
    last: dict[str, int] = {}  # number of the part in which a speaker is kept: the last of train, dev, test
    for u in utterances:
        if u.speaker is not None and u.split:
            last[u.speaker] = max(last.get(u.speaker, 0), PARTS.index(u.split))
    kept = [u for u in utterances if u.speaker is None or not u.split or PARTS.index(u.split) == last[u.speaker]]
    if count := len(utterances) - len(kept):
        _note(f"{source}: clips left out, their speakers are in a later part too (of train, dev, test): {count}")
    return kept


def _note(message: str) -> None:
    warnings.warn(message, UserWarning, stacklevel=3)
