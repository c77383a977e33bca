"""Record a few seconds from a microphone through sounddevice; if that is not possible, the error says why and what to do.

sounddevice comes with the extra `mic` and is imported only here. The contract: whatever is missing (the package, PortAudio, a
microphone, the permission to use it), the error names it in one sentence.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

BLOCK_S = 0.05  # how often the level is updated
ELSEWHERE = "record with another program and use `lstm-engine predict FILE`"


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
    for device in microphones:
        if device["number"] == wanted:
            return device
    there = ", ".join(f"{d['number']} {d['name']}" for d in microphones)
    other = next((f"{d['name']}, which only plays sound" for d in listed if d["number"] == wanted), "not there")
    raise ValueError(f"device {wanted} is {other}: choose one of {there}")


def record(
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
