"""Refuse leaks: speakers or recordings that are in the training part and in the test part.

Within one corpus the clips of both parts are compared (`refuse_leaks`). A trained model stores fingerprints of its training
data (`prints`): eight bytes for each clip and each speaker, from which one can test whether a clip or a speaker was in the
training data, and learn nothing else.

Speakers are compared by their exact names: "0123" and "123" are two people, and so is one name in two corpora. Recordings
are compared by their decoded samples, whatever the file's name or format; a lossy copy is not detected, and another stretch
of a recording only within one corpus, if its speaker is unknown.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from features.clips import Clips

PRINT = (
    8  # bytes: the chance that any of a million clips matches the print of one of a million others is 1 in 18 million
)


class Leak(ValueError):
    """The same speaker or recording is in the training and in the test part, so the score would be too good."""


def refuse_leaks(train: Clips, test: Clips) -> None:
    """Raise Leak, naming up to three cases with their files, if a speaker or a recording is in both parts.

    Stretches of one recording, of an unknown speaker, count as one voice.
    """
    for what, many, keys_of, advice in (
        ("speaker", "speakers", lambda clips: clips.speakers, "split by speaker"),
        ("recording", "recordings", lambda clips: clips.hashes, "take the copies out of one side"),
        (
            "recording of an unknown speaker",
            "recordings of unknown speakers",
            _unnamed,
            "take its stretches out of one side",
        ),
    ):
        # {speaker, hash or path: path of its first clip}, of either part
        trained, tested = (dict(zip(keys_of(c)[::-1], c.paths[::-1], strict=True)) for c in (train, test))
        both = sorted(key for key in tested if key in trained and key is not None)
        if both:
            count = f"a {what} is" if len(both) == 1 else f"{len(both)} {many} are"
            name = "{!r}: " if what == "speaker" else ""
            shown = (f"{name.format(k)}{trained[k]} in training, {tested[k]} in the test" for k in both[:3])
            raise Leak(f"{count} on both sides ({'; '.join(shown)}{_more(both)}): {advice}")


def _unnamed(clips: Clips) -> list[str | None]:
    """(N,) the clip's path if its speaker is unknown, else None."""
    return [path if name is None else None for path, name in zip(clips.paths, clips.speakers, strict=True)]


def prints(clips: Clips, corpus: str) -> dict[str, str]:
    """The fingerprints that a model stores of its training clips, as JSON values: `corpus`, `clips` and `speakers`.

    `corpus` is the corpus that the speakers' names belong to (corpora.names_of), so that "103" of LibriSpeech is not taken
    for "103" of another corpus. The prints are sorted, joined and encoded in base64.
    """
    speakers = {_speaker_print(corpus, name) for name in clips.speakers if name is not None}
    return {"corpus": corpus, "clips": _packed({_clip_print(h) for h in clips.hashes}), "speakers": _packed(speakers)}


def known(clips: Clips, corpus: str, stored: Mapping[str, str]) -> np.ndarray:
    """(N,) str: "recording" if the clip has a print in `stored` (see `prints`), "speaker" if its speaker has one, or "".

    corpus: the corpus of `clips`, as for `prints`.
    """
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
    """Raise Leak, naming up to three, if the model with the prints `stored` was trained on a clip or on its speaker."""
    kinds = known(clips, corpus, stored)
    leaked = [n for n, kind in enumerate(kinds) if kind]
    if not leaked:
        return
    shown = "; ".join(
        f"{clips.paths[n]}, the recording itself" if kinds[n] == "recording" else
        f"{clips.paths[n]}, speaker {clips.speakers[n]!r}"
        for n in leaked[:3]
    )  # fmt: skip
    raise Leak(
        f"the model was trained on {len(leaked)} of the {len(clips)} clips or their speakers ({shown}{_more(leaked)}): "
        "choose a part that it was not trained on with --part, or leave these clips out with --allow-known"
    )


def _more(cases: Sequence[Any]) -> str:
    return f"; and {len(cases) - 3} more" if len(cases) > 3 else ""


def _clip_print(content_hash: str) -> bytes:
    return bytes.fromhex(content_hash)[:PRINT]


def _speaker_print(corpus: str, name: str) -> bytes:
    return hashlib.sha256(f"{corpus}\n{name}".encode()).digest()[:PRINT]


def _packed(fingerprints: set[bytes]) -> str:
    return base64.b64encode(b"".join(sorted(fingerprints))).decode("ascii")


def _unpacked(text: str) -> set[bytes]:
    raw = base64.b64decode(text)
    return {raw[k : k + PRINT] for k in range(0, len(raw), PRINT)}
