"""Who is heard in training is not heard in the test: found by the speaker's name and by the recording's content, refused.

Within one corpus the clips of both sides are at hand (`refuse_leaks`). A model that travels carries prints of what it has
learnt from: eight bytes for each clip and each speaker, which tell whether one is known and nothing else.

A speaker is a name, letter by letter: "0123" and "123" are two people, and the same name in two corpora is two. A recording
is its decoded samples, whatever the file's name or format; another stretch of it, or a lossy copy, is not noticed.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from features.clips import Clips

PRINT = 8  # bytes: that one of a million clips meets a print of a million others by chance is 1 in 18 million


class Leak(ValueError):
    """The same speaker, or the same recording, in training and in the test: the figure would be better than deserved."""


def refuse_leaks(train: Clips, test: Clips) -> None:
    """Raises Leak where a speaker or a recording is on both sides, naming up to three of them and where they are."""
    for what, field, advice in (
        ("speaker", "speakers", "split by speaker"),
        ("recording", "hashes", "take the copies out of one side"),
    ):
        # {speaker or hash: the first clip of it}, on either side
        ours, theirs = (dict(zip(getattr(c, field)[::-1], c.paths[::-1], strict=True)) for c in (train, test))
        both = sorted(key for key in theirs if key in ours and key is not None)
        if both:
            count = f"a {what} is" if len(both) == 1 else f"{len(both)} {what}s are"
            name = "{!r}: " if what == "speaker" else ""
            shown = (f"{name.format(k)}{ours[k]} in training, {theirs[k]} in the test" for k in both[:3])
            raise Leak(f"{count} on both sides ({'; '.join(shown)}{_more(both)}): {advice}")


def prints(clips: Clips, corpus: str) -> dict[str, str]:
    """What a model keeps of its training clips, as JSON values: `corpus`, and the sorted prints of clips and speakers.

    `corpus` says whose names the speakers' are, so that "103" of LibriSpeech is not taken for "103" of another corpus.
    """
    speakers = {_speaker_print(corpus, name) for name in clips.speakers if name is not None}
    return {"corpus": corpus, "clips": _packed({_clip_print(h) for h in clips.hashes}), "speakers": _packed(speakers)}


def known(clips: Clips, corpus: str, stored: Mapping[str, str]) -> np.ndarray:
    """(N,) str: "recording" or "speaker" where a clip or its speaker has a print in `stored`, "" where neither has."""
    recordings, speakers = _unpacked(stored["clips"]), _unpacked(stored["speakers"])
    return np.array(
        [
            "recording" if _clip_print(h) in recordings
            else "speaker" if name is not None and _speaker_print(corpus, name) in speakers
            else ""
            for h, name in zip(clips.hashes, clips.speakers, strict=True)
        ],
        object,
    )  # fmt: skip


def refuse_known(clips: Clips, corpus: str, stored: Mapping[str, str]) -> None:
    """Raises Leak where the model that keeps `stored` has learnt from a clip or from its speaker; names up to three."""
    why = known(clips, corpus, stored)
    met = [n for n, reason in enumerate(why) if reason]
    if not met:
        return
    shown = "; ".join(
        f"{clips.paths[n]}, the recording itself" if why[n] == "recording" else
        f"{clips.paths[n]}, speaker {clips.speakers[n]!r}"
        for n in met[:3]
    )  # fmt: skip
    raise Leak(
        f"the model has learnt from {len(met)} of the {len(clips)} clips or their speakers ({shown}{_more(met)}): "
        "name a part that it has not heard with --part, or leave these clips out with --allow-known"
    )


def _more(met: Sequence[Any]) -> str:
    return f"; and {len(met) - 3} more" if len(met) > 3 else ""


def _clip_print(content_hash: str) -> bytes:
    return bytes.fromhex(content_hash)[:PRINT]


def _speaker_print(corpus: str, name: str) -> bytes:
    return hashlib.sha256(f"{corpus}\n{name}".encode()).digest()[:PRINT]


def _packed(found: set[bytes]) -> str:
    return base64.b64encode(b"".join(sorted(found))).decode("ascii")


def _unpacked(text: str) -> set[bytes]:
    raw = base64.b64decode(text)
    return {raw[k : k + PRINT] for k in range(0, len(raw), PRINT)}
