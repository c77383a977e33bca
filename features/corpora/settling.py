"""What every corpus's reader does last: keep what is stated, keep speakers apart, and count what was left out.

For the readers beside this file. Real metadata has blanks, people listed under both sexes, and people in two parts; the
contract of `settled` is that none of it reaches a table.
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
    """The clips that can be used, sorted by path. `sex` comes in as the corpus's own word, `split` in its own part.

    Left out, each with a UserWarning that counts them: clips whose sex is not stated; speakers listed under both sexes;
    and, of a speaker in two parts, the clips in the earlier one, so that whoever is tested on is not learnt from.
    Raises ValueError when nothing is left.
    """
    kept = _in_one_part(_of_one_sex(with_stated_sex(utterances, source), source), source)
    if not kept:
        raise ValueError(
            f"{source}: no clip is left whose speaker is stated as male or female (recordings end in "
            f"{', '.join(EXTENSIONS)})"
        )
    return sorted(kept, key=lambda u: (u.path.as_posix(), u.start_s))


def from_the_first_part(utterances: list[Utterance]) -> list[Utterance]:
    """Without a train part the first part that is there is learnt from: its split is "", to be split by speaker."""
    present = [part for part in PARTS if any(u.split == part for u in utterances)]
    if present[:1] in ([], ["train"]):
        return utterances
    return [replace(u, split="") if u.split == present[0] else u for u in utterances]


def with_stated_sex(utterances: Iterable[Utterance], source: Path) -> list[Utterance]:
    """The clips whose sex is stated as male or female, in one of the words that corpora have for it."""
    kept: list[Utterance] = []
    left_out: Counter[str] = Counter()
    for u in utterances:
        word = u.sex.strip().lower()
        if sex := SEX_WORDS.get(word):
            kept.append(replace(u, sex=sex))
        else:
            left_out[repr(word) if word else "blank"] += 1
    if left_out:
        seen = ", ".join(f"{count} {word}" for word, count in left_out.most_common(5))
        _note(
            f"{source}: {left_out.total()} of {len(kept) + left_out.total()} clips left out, "
            f"their sex is neither male nor female ({seen})"
        )
    return kept


def note_unlisted(count: int, source: Path, metadata: str) -> None:
    """Say how many recordings the metadata does not name; nothing when there are none."""
    if count:
        _note(f"{source}: recordings left out, not named in {metadata}: {count}")


def note_absent(absent: list[str], source: Path, metadata: str) -> None:
    """Say how many of the files that the metadata names are not there; nothing when all are."""
    if absent:
        _note(f"{source}: files named in {metadata} but not there: {len(absent)} (the first: {absent[0]})")


def _of_one_sex(utterances: list[Utterance], source: Path) -> list[Utterance]:
    sexes: dict[str | None, set[str]] = {}
    for u in utterances:
        sexes.setdefault(u.speaker, set()).add(u.sex)
    both = {speaker for speaker, stated in sexes.items() if len(stated) > 1 and speaker is not None}
    kept = [u for u in utterances if u.speaker not in both]
    if both:
        count = len(utterances) - len(kept)
        _note(
            f"{source}: clips left out, their speakers stated as male in some and as female in others: {count} "
            f"(speakers: {len(both)})"
        )
    return kept


def _in_one_part(utterances: list[Utterance], source: Path) -> list[Utterance]:
    last: dict[str, int] = {}  # the part in which a speaker is kept: the one that is furthest from training
    for u in utterances:
        if u.speaker is not None and u.split:
            last[u.speaker] = max(last.get(u.speaker, 0), PARTS.index(u.split))
    kept = [u for u in utterances if u.speaker is None or not u.split or PARTS.index(u.split) == last[u.speaker]]
    if count := len(utterances) - len(kept):
        _note(f"{source}: clips left out, their speakers stand in a later part too (of train, dev, test): {count}")
    return kept


def _note(message: str) -> None:
    warnings.warn(message, UserWarning, stacklevel=3)
