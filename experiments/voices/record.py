"""Record your own voice: a few seconds from a microphone, a check of the recording, and the model's answer.

For the command `record`. The contract: the recording is kept only in a file that the user names, and a silent, overdriven or
very quiet recording is reported, because the answer would then depend on the recording rather than on the voice.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf

from experiments.voices.clip_model import ClipModel
from experiments.voices.judge import Judgement, judge
from experiments.voices.microphone import BLOCK_S, Sound
from features.audio import SILENCE_DBFS
from features.whole_files import replacing

CONSENT = "Record only people who have agreed to it. Nothing is kept without --save."
KINDS = {".wav": "PCM_16", ".flac": "PCM_16", ".ogg": "VORBIS"}
FAINT_DBFS = -45.0  # level of the loudest tenth; speech close to a microphone has about -25
CLIPPED, MOST_CLIPPED = 0.99, 1e-3  # a sample this close to full scale is clipped; a larger share of them is audible
MUTED = "your microphone may be muted, or the system's privacy settings block it"


@dataclass(frozen=True)
class Recorded:
    """The sound, the answer, and in words what is wrong with the sound."""

    sound: Sound
    judgement: Judgement
    remarks: list[str]


def record(
    recorder: Callable[[], Sound], model: ClipModel, save: str | Path | None = None, force: bool = False
) -> Recorded:
    """The model's answer for the sound that `recorder` records. save: a file for the sound, of one of KINDS.

    Raises before the recording starts: FileExistsError for an existing file, unless force replaces it; ValueError or
    FileNotFoundError for a name that cannot be written. Afterwards BadClip for samples that are no sound (NaN, wrong scale).
    """
    if save is not None:
        check_place(Path(save), force)
    sound = recorder()
    if save is not None:
        write(Path(save), sound)
    return Recorded(sound, judge(sound.samples, sound.rate, model), remarks(sound))


def remarks(sound: Sound) -> list[str]:
    """What is wrong with a recording, a sentence each; none for a good one."""
    sentences = []
    x = sound.samples.mean(axis=1)  # (n,)
    blocks = np.array_split(x, max(1, round(len(x) / sound.rate / BLOCK_S)))
    loudest = float(np.quantile([level(block) for block in blocks], 0.9))
    clipped = float(np.mean(np.abs(sound.samples) >= CLIPPED))
    if 20 * np.log10(max(x.std(), 1e-9)) < SILENCE_DBFS:
        sentences.append(f"The recording is silent: {MUTED}.")
    elif loudest < FAINT_DBFS:
        sentences.append(
            f"The recording is very quiet ({loudest:.0f} dB of full scale): go nearer, or raise the input level; {MUTED}."
        )
    if clipped > MOST_CLIPPED:
        sentences.append(
            f"The recording is overdriven ({clipped:.1%} of it at full scale): go further away, or lower the input level."
        )
    if sound.lost:
        sentences.append("The machine was too slow and lost some of the sound: close other programs and try again.")
    return sentences


def level(x: np.ndarray) -> float:
    """Root mean square of samples in dB of full scale, at least -120."""
    return float(20 * np.log10(max(np.sqrt(np.mean(np.square(x, dtype=float))), 1e-6)))


def check_place(path: Path, force: bool) -> None:
    """Raise an error if the sound could not be written there; called before the user speaks."""
    if path.suffix.lower() not in KINDS:
        raise ValueError(f"{path}: a recording is saved as one of {', '.join(KINDS)}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent} to save the recording in: make it first")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: name a file in it")
    if path.exists() and not force:
        raise FileExistsError(f"{path} is there already: choose another name for --save, or replace it with --force")


def write(path: Path, sound: Sound) -> None:
    """Write the sound with all its channels, in one step."""
    kind = path.suffix.lower()
    with replacing(path, "wb") as file:
        sf.write(file, sound.samples, sound.rate, subtype=KINDS[kind], format=kind[1:].upper())
