"""The last step of every reader: drop clips without a stated sex, keep speakers apart, and count what was left out.

For the other modules in this folder. Published metadata has blank cells, speakers with both sexes, and speakers in two parts;
the contract of `settled` is that none of these clips reaches a table.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from features.audio import EXTENSIONS
from features.corpora.notes import note
from features.corpora.utterances import Utterance

SEX_WORDS = dict.fromkeys(("male", "m", "males", "man", "men", "male_masculine"), "male")
SEX_WORDS |= dict.fromkeys(("female", "f", "females", "woman", "women", "female_feminine"), "female")
UNSTATED = ("other", "unknown", "n/a", "na", "none", "nan", "?", "-")
UNSTATED += ("diverse", "intersex", "transgender", "non-binary", "nonbinary", "do_not_wish_to_say")
NAMED = 200  # speakers who are lost are named, up to so many
PARTS = ("train", "dev", "test")
PART_WORDS = dict.fromkeys(("train", "training"), "train") | dict.fromkeys(("test", "testing"), "test")
PART_WORDS |= dict.fromkeys(("dev", "development", "val", "valid", "validation"), "dev")


def settled(utterances: Iterable[Utterance], source: Path) -> list[Utterance]:
    """The usable clips, sorted by path. On input `sex` is the corpus's word and `split` the part that the corpus states.

    Left out, each with a UserWarning that counts the clips: clips whose sex is not stated; speakers with both sexes; and, of
    a speaker in two parts, the clips in the earlier part, so that no test speaker is in the training part. Raises ValueError
    if no clip is left.
    """
    kept = _in_one_part(of_one_sex(with_stated_sex(utterances, source), source), source)
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
        says = f"{left_out.total()} of {len(kept) + left_out.total()} clips left out, "
        says += f"their sex is neither male nor female ({words})"
        strange = left_out.keys() - {"blank", *map(repr, UNSTATED)}  # perhaps a word for male or female after all
        note(source, "sex_not_stated", left_out.total(), says, decide=bool(strange))
    return kept


def note_unlisted(count: int, source: Path, metadata: str) -> None:
    """Warn how many recordings the metadata does not list, if there are any."""
    if count:
        note(source, "not_listed", count, f"recordings left out, not listed in {metadata}: {count}", decide=False)


def note_absent(absent: list[str], source: Path, metadata: str) -> None:
    """Warn how many of the files that the metadata lists do not exist, if there are any."""
    if absent:
        says = f"files listed in {metadata} that do not exist: {len(absent)} (the first: {absent[0]})"
        note(source, "missing", len(absent), says)


def of_one_sex(utterances: list[Utterance], source: Path) -> list[Utterance]:
    """The clips of speakers who are listed as male only or as female only; a UserWarning names the others."""
    both = speakers_of_both_sexes(utterances)
    kept = [u for u in utterances if u.speaker not in both]
    if both:
        count = len(utterances) - len(kept)
        says = f"clips left out, their speakers are listed as male and as female: {count} (speakers: {some(both)})"
        note(source, "speakers_of_both_sexes", len(both), says, names=both)
    return kept


def speakers_of_both_sexes(utterances: Iterable[Utterance]) -> list[str]:
    sexes: dict[str, set[str]] = {}
    for u in utterances:
        if u.speaker is not None:
            sexes.setdefault(u.speaker, set()).add(u.sex)
    return [speaker for speaker, stated in sexes.items() if len(stated) > 1]


def some(names: Sequence[object], shown: int = 3) -> str:
    """ "anna, tom, zoe and 2 more"."""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(map(str, names[:shown])) + more


def _in_one_part(utterances: list[Utterance], source: Path) -> list[Utterance]:
    last: dict[str, int] = {}  # number of the part in which a speaker is kept: the last of train, dev, test
    for u in utterances:
        if u.speaker is not None and u.split:
            last[u.speaker] = max(last.get(u.speaker, 0), PARTS.index(u.split))
    kept = [u for u in utterances if u.speaker is None or not u.split or PARTS.index(u.split) == last[u.speaker]]
    if count := len(utterances) - len(kept):
        says = f"clips left out, their speakers are in a later part too (of train, dev, test): {count}"
        note(source, "speakers_in_two_parts", count, says, decide=False)
    return kept
