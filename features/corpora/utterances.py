"""`Utterance`, a clip and its speaker, into which every corpus is read."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from features.audio import BadClip, duration

SEXES = ("male", "female")


@dataclass(frozen=True)
class Utterance:
    """A clip: the recording at `path` from `start_s` to `end_s` seconds (None: to its end).

    speaker: None if unknown. sex: "male" or "female". split: the corpus's part, such as "train", "" if it states none.
    """

    path: Path
    speaker: str | None
    sex: str
    split: str = ""
    start_s: float = 0.0
    end_s: float | None = None


SHORTEST_S = 0.02  # one period of the deepest voice


def windows(utterances: Iterable[Utterance], seconds: float, least: float | None = None) -> list[Utterance]:
    """Cut clips into consecutive windows of `seconds`; a rest is kept if it lasts `least` s or more (default: half a window).

    A clip shorter than that is kept whole. So is a file that cannot be opened: extraction reports it. Raises ValueError
    unless 0 < least <= seconds, and for windows shorter than SHORTEST_S.
    """
    least = seconds / 2 if least is None else least
    if not 0 < least <= seconds:
        raise ValueError(
            f"got windows of {seconds:g} s and rests of at least {least:g} s: both must be above 0, and the rest no longer "
            "than the window"
        )
    if seconds < SHORTEST_S:
        raise ValueError(f"got windows of {seconds:g} s: the shortest that can be measured last {SHORTEST_S:g} s")
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


def child(folder: Path, name: str) -> Path | None:
    """The entry of `folder` with this name in any case, or None."""
    return next((p for p in sorted(folder.iterdir()) if p.name.lower() == name.lower()), None)
