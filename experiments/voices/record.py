"""Record your own voice: a few seconds from a microphone, a check of the recording, and the model's answer.

For the command `record`. The contract: the recording is kept only in a file that the user names, and a silent, overdriven or
very quiet recording is reported, because the answer would then depend on the recording rather than on the voice. Whatever is
missing (the package sounddevice of the extra `mic`, PortAudio, a microphone, the permission to use it), the error names it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import soundfile as sf

from experiments.voices.clip_model import ClipModel
from experiments.voices.judge import Judgement, judge
from features.audio import SILENCE_DBFS
from features.whole_files import replacing

BLOCK_S = 0.05  # how often the level is updated
ELSEWHERE = "record with another program and use `lstm-engine predict FILE`"
CONSENT = "Record only people who have agreed to it. Nothing is kept without --save."
KINDS = {".wav": "PCM_16", ".flac": "PCM_16", ".ogg": "VORBIS"}
FAINT_DBFS = -45.0  # level of the loudest tenth; speech close to a microphone has about -25
CLIPPED, MOST_CLIPPED = 0.99, 1e-3  # a sample this close to full scale is clipped; a larger share of them is audible
MUTED = "your microphone may be muted, or the system's privacy settings block it"


@dataclass(frozen=True)
class Sound:
    """samples (n, channels) float32, full scale 1.0; rate in Hz; the device's name; lost: whether some sound was lost."""

    samples: np.ndarray
    rate: int
    device: str
    lost: bool


def sounddevice() -> ModuleType:
    """The module. ModuleNotFoundError if it is not installed, OSError if the PortAudio library cannot be loaded."""
    try:
        import sounddevice
    except ModuleNotFoundError:
        raise ModuleNotFoundError("recording needs the package sounddevice: pip install sounddevice") from None
    except OSError as error:
        raise OSError(
            f"recording needs the PortAudio library, and it cannot be loaded ({error}). Debian and Ubuntu: sudo apt "
            "install libportaudio2; Fedora: sudo dnf install portaudio; macOS: brew install portaudio"
        ) from None
    return sounddevice


def devices() -> list[dict[str, Any]]:
    """Every sound device: number, name, channels in and out, rate in Hz, and whether it is the default microphone."""
    sd = sounddevice()
    try:
        listed, default = list(sd.query_devices()), int(sd.default.device[0])  # -1: no default microphone
    except sd.PortAudioError as error:
        raise OSError(f"the sound devices cannot be listed ({error}): {ELSEWHERE}") from None
    return [
        {
            "number": number,
            "name": device["name"],
            "inputs": device["max_input_channels"],
            "outputs": device["max_output_channels"],
            "rate_hz": round(device["default_samplerate"]),
            "default": number == default,
        }
        for number, device in enumerate(listed)
    ]


def choose(listed: list[dict[str, Any]], wanted: int | None) -> dict[str, Any]:
    """The device with number `wanted`, or the default microphone, or the first. OSError or ValueError if there is none."""
    microphones = [device for device in listed if device["inputs"]]
    if not microphones:
        others = ", ".join(f"{d['number']} {d['name']}" for d in listed)
        what = f"; these devices only play sound: {others}" if others else "; this machine has no sound device at all"
        raise OSError(f"no microphone was found{what}. Connect one, or {ELSEWHERE}")
    if wanted is None:
        return next((device for device in microphones if device["default"]), microphones[0])
    if chosen := [device for device in microphones if device["number"] == wanted]:
        return chosen[0]
    there = ", ".join(f"{d['number']} {d['name']}" for d in microphones)
    other = next((f"{d['name']}, which only plays sound" for d in listed if d["number"] == wanted), "not there")
    raise ValueError(f"device {wanted} is {other}: choose one of {there}")


def listen(
    seconds: float, microphone: dict[str, Any], hear: Callable[[float, np.ndarray], None] = lambda at, block: None
) -> Sound:
    """Record from a microphone of `choose` at its own rate; `hear(seconds so far, block (n, channels))` is called meanwhile.

    Raises OSError if the microphone cannot be opened or stops.
    """
    sd, rate = sounddevice(), microphone["rate_hz"]
    wanted, step = round(seconds * rate), round(BLOCK_S * rate)
    blocks: list[np.ndarray] = []
    got, lost = 0, False
    try:
        with _opened(sd, microphone) as stream:
            while got < wanted:
                block, overflowed = stream.read(min(step, wanted - got))  # (n, channels)
                blocks.append(block)
                got, lost = got + len(block), lost or bool(overflowed)
                hear(got / rate, block)
    except sd.PortAudioError as error:
        raise OSError(
            f"the microphone {microphone['name']} cannot be used ({error}): perhaps another program uses it, or the "
            "system's privacy settings block it; --list-devices shows the others"
        ) from None
    return Sound(np.concatenate(blocks), rate, microphone["name"], lost)


def _opened(sd: ModuleType, microphone: dict[str, Any]) -> Any:
    """A stream of one channel, or of all channels if the device does not offer one."""
    options = {"device": microphone["number"], "samplerate": microphone["rate_hz"], "dtype": "float32"}
    try:
        return sd.InputStream(channels=1, **options)
    except sd.PortAudioError:
        return sd.InputStream(channels=microphone["inputs"], **options)


def record(
    recorder: Callable[[], Sound], model: ClipModel, save: str | Path | None = None, force: bool = False
) -> tuple[Sound, Judgement]:
    """The sound that `recorder` records, and the model's answer for it. save: a file for the sound, of one of KINDS.

    Raises before the recording starts: FileExistsError for an existing file, unless force replaces it; ValueError or
    FileNotFoundError for a name that cannot be written. Afterwards BadClip for samples that are no sound (NaN, wrong scale).
    """
    if save is not None:
        check_place(Path(save), force)
    sound = recorder()
    if save is not None:
        write(Path(save), sound)
    return sound, judge(sound.samples, sound.rate, model)


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
    """Root mean square of samples (n,) or (n, channels) about their offset, in dB of full scale, at least -120."""
    return float(20 * np.log10(max(np.sqrt(np.var(x, axis=0, dtype=float).mean()), 1e-6)))


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
