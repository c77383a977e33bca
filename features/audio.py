"""Decode a recording into checked samples, or raise a `BadClip` that says what is wrong with the file.

For everything that measures a voice. The contract: the samples that `read_clip` returns are one channel of finite numbers,
complete, audible and long enough for the pitch search, so that no later step has to check them again.
"""

import hashlib
import math
import os
import shlex
import stat
import struct
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from features.decoding import Recording

# The endings of sound files in folders; what a file holds is found by its first bytes, whatever its name.
EXTENSIONS = (  # always read
    ".aif", ".aifc", ".aiff", ".au", ".bwf", ".caf", ".flac", ".mp2", ".mp3", ".oga", ".ogg", ".opus", ".rf64", ".snd",
    ".sph", ".w64", ".wav", ".wave",
)  # fmt: skip
PYAV_EXTENSIONS = (  # read if PyAV is installed: pip install av
    ".3g2", ".3ga", ".3gp", ".3gpp", ".aac", ".amr", ".asf", ".awb", ".m4a", ".m4b", ".m4v", ".mka", ".mkv", ".mov", ".mp4",
    ".spx", ".tta", ".weba", ".webm", ".wma", ".wmv", ".wv",
)  # fmt: skip
SOUND_EXTENSIONS = (  # all of them, and sound that is not read
    *EXTENSIONS, *PYAV_EXTENSIONS,
    ".ac3", ".amb", ".ape", ".avi", ".dct", ".ds2", ".dss", ".dts", ".dvf", ".flv", ".gsm", ".mid", ".mp1", ".mpc",
    ".mpeg", ".mpg", ".msv", ".nsp", ".ofr", ".oma", ".pcm", ".qcp", ".ra", ".raw", ".rm", ".shn", ".silk",
    ".sln", ".tak", ".vm1", ".voc", ".vox", ".wve",
)  # fmt: skip
RATES_HZ = (4_000, 192_000)  # lower is not speech, higher is a broken header (2^31 - 1 would resample to one sample)
SHORTEST_S = 0.06  # three periods of the lowest pitch searched, 50 Hz: the least that a pitch needs (Boersma 1993)
SILENCE_DBFS = -60.0  # of the standard deviation, so a constant is silent too; every clip of LibriSpeech lies above -36
PAST_S = 0.1  # a stretch may end so far behind the end of its file before that is worth a word
DECODERS_RAISE = (RuntimeError, OSError, TypeError, ValueError, MemoryError, OverflowError, IndexError, struct.error)
LOUDEST = 10.0  # float files may exceed full scale (1.0) a little; 20 dB above it, the scale itself is wrong


class Reason(StrEnum):
    """Why a clip has no features: the code in the column `reason` of failed.csv and of a manifest."""

    MISSING = "missing"  # no such file
    NOT_A_FILE = "not_a_file"  # a folder, a pipe, a device
    UNREADABLE = "unreadable"  # the system refuses to read it: permissions, a broken disk
    EMPTY = "empty"  # 0 bytes, or no sample between start and end
    UNDECODABLE = "undecodable"  # not a recording, or in a format that is not supported
    TRUNCATED = "truncated"  # less sound than its header promises
    RATE = "rate"  # a sampling rate outside RATES_HZ
    NOT_FINITE = "not_finite"  # NaN or infinity in the samples, or in the numbers measured on them
    OUT_OF_RANGE = "out_of_range"  # a sample beyond LOUDEST
    TOO_SHORT = "too_short"  # below SHORTEST_S
    TOO_LONG = "too_long"  # longer than one clip may be
    SILENT = "silent"  # below SILENCE_DBFS, perhaps because its channels cancel each other
    UNMEASURABLE = "unmeasurable"  # the recipe raised an error that none of the reasons above covers
    CRASHED = "crashed"  # the process that measured it ended, twice


class BadClip(ValueError):
    """A recording that cannot be measured.

    reason: a `Reason`. name: the file. detail: a sentence for the user. `str(error)` is "name: detail".
    """

    def __init__(self, reason: Reason | str, name: str | Path, detail: str) -> None:
        super().__init__(reason, str(name), detail)  # all three, so that the error can be pickled by a worker process
        self.reason, self.name, self.detail = Reason(reason), shown(name), detail

    def __str__(self) -> str:
        return f"{self.name}: {self.detail}"


class Doubt(UserWarning):
    """A recording is read, but the file does not say whether that is all. name: the file; detail: a sentence for the user."""

    def __init__(self, name: str | Path, detail: str) -> None:
        super().__init__(f"{shown(name)}: {detail}")
        self.name, self.detail = shown(name), detail


def readable(path: str | Path) -> bool:
    """Whether a file with such a name is read here: always for EXTENSIONS, with PyAV installed for PYAV_EXTENSIONS."""
    ending = Path(path).suffix.lower()
    return ending in EXTENSIONS or (ending in PYAV_EXTENSIONS and find_spec("av") is not None)


def read_clip(
    path: str | Path, start_s: float = 0.0, end_s: float | None = None, longest_s: float = math.inf
) -> tuple[np.ndarray, int]:
    """Decode and check a recording (see EXTENSIONS) from `start_s` to `end_s` seconds (None: to its end).

    Returns (samples, rate): samples (n,) float64, the mean of the channels, full scale 1.0; rate in Hz. Raises BadClip; a
    stretch longer than `longest_s` seconds is refused before it is decoded. A `Doubt` is a warning: the file does not say
    how long it is, or it ends before the stretch does. What is cut just between two frames of a file that is nothing but
    frames (MP3 without a table, AAC, AMR, a live WebM) looks whole.
    """
    path = Path(path)
    with _opened(path) as file:
        rate = file.samplerate
        start = round(start_s * rate)
        stop = file.frames if end_s is None else min(round(end_s * rate), file.frames)
        if stop - start > longest_s * rate:
            seconds = f"{(stop - start) / rate:,.1f} s"
            detail = f"it lasts {seconds}, more than the {longest_s:g} s that one clip may last"
            raise BadClip("too_long", path, f"{detail}: cut it into clips (features --window)")
        if stop <= start and (start_s or end_s is not None):
            raise BadClip(
                "empty", path, f"it lasts {file.frames / rate:.2f} s: {_stretch(start_s, end_s)} holds no sound"
            )
        file.skip(start)
        channels = file.read(stop - start)  # (n, channels)
        if file.lacks(stop - start - len(channels)):
            raise _truncated(path)
        if end_s is not None and end_s - file.frames / rate > PAST_S:
            _doubt(path, f"it lasts {file.frames / rate:.2f} s: only a part of {_stretch(start_s, end_s)} is there")
    try:
        samples = check_samples(channels, rate, path)
    except BadClip as bad:
        raise BadClip(bad.reason, path, f"{bad.detail}; {file.doubt}" if file.doubt else bad.detail) from None
    _doubt(path, file.doubt)
    return samples, rate


def read_stretches(path: str | Path, seconds: float) -> Iterator[tuple[np.ndarray, int]]:
    """Decode a recording of any length, one stretch of `seconds` at a time: (channels (n, c) float64, rate in Hz).

    A rest shorter than half a stretch is joined to the stretch before it. Only the file is checked here: pass each stretch
    to `check_samples`. Raises BadClip, at the latest after the last stretch if the file is truncated; warns as `read_clip`.
    """
    path = Path(path)
    with _opened(path) as file:
        rate, read = file.samplerate, 0
        stretch = file.read(n := round(seconds * rate))  # (n, c)
        while True:
            read += len(stretch)
            following = file.read(n)
            if len(following) < n / 2:
                break
            yield stretch, rate
            stretch = following
        yield np.concatenate([stretch, following]), rate
        if file.lacks(file.frames - read - len(following)):
            raise _truncated(path)
    _doubt(path, file.doubt)


def check_samples(channels: np.ndarray, rate: int, name: str | Path) -> np.ndarray:
    """The checks that `read_clip` makes after decoding, for samples from another source; returns the mean of the channels.

    channels (n,) or (n, c) float with full scale 1.0, rate in Hz -> samples (n,) float64. Raises BadClip.
    """
    _check_rate(rate, name)
    if np.size(channels) == 0:
        raise BadClip("empty", name, "it holds no sound (0 samples)")
    channels = np.asarray(channels, float).reshape(len(channels), -1)  # (n, channels)
    if not np.isfinite(channels).all():
        raise BadClip("not_finite", name, "it holds samples that are NaN or infinity")
    if (peak := np.abs(channels).max()) > LOUDEST:
        raise BadClip(
            "out_of_range", name, f"its largest sample is {peak:.3g}, but full scale is 1.0: is it scaled wrongly?"
        )
    if len(channels) < SHORTEST_S * rate:
        raise BadClip(
            "too_short",
            name,
            f"it lasts {len(channels) / rate:.3f} s and is too short: at least {SHORTEST_S} s are needed",
        )
    samples: np.ndarray = channels.mean(axis=1)  # (n,)
    floor = 10 ** (SILENCE_DBFS / 20)
    if samples.std() < floor:
        cancelled = "; its channels cancel each other: keep one of them" if (channels.std(axis=0) > floor).any() else ""
        raise BadClip("silent", name, f"it is silent (below {SILENCE_DBFS:.0f} dB of full scale){cancelled}")
    return samples


def content_hash(samples: np.ndarray) -> str:
    """SHA-256 of the decoded samples (n,) as little-endian float32.

    The same sound has the same hash under any file name and in any lossless format.
    """
    return hashlib.sha256(np.asarray(samples, "<f4").tobytes()).hexdigest()


def duration(path: str | Path) -> float:
    """Length of a recording in seconds, from its header; it is decoded if that only estimates it. Raises BadClip."""
    with _opened(Path(path)) as file:
        return float(file.frames / file.samplerate)


@contextmanager
def _opened(path: Path) -> Iterator[Recording]:
    """The file, checked to be one, with a rate that speech has. Errors inside the block become a BadClip too."""
    _check_file(path)
    try:
        with Recording(path) as file:
            _check_rate(file.samplerate, path)
            if file.layout.missing:
                raise _truncated(path)
            yield file
    except BadClip:
        raise
    except DECODERS_RAISE as error:
        raise _undecodable(path, error) from error


def _check_file(path: Path) -> None:
    """Raise BadClip unless the path is a readable, regular file that is not empty: opening a pipe could block for ever."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            kind = "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"
            raise BadClip("not_a_file", path, f"it is {kind}, not a recording")
        with path.open("rb") as raw:
            if not raw.read(1):
                raise BadClip("empty", path, "the file is empty (0 bytes)")
    except FileNotFoundError as error:
        raise BadClip("missing", path, "there is no such file") from error
    except OSError as error:
        raise BadClip("unreadable", path, f"it cannot be read ({error.strerror})") from error


def _check_rate(rate: int, name: str | Path) -> None:
    if not RATES_HZ[0] <= rate <= RATES_HZ[1]:
        low, high = RATES_HZ
        raise BadClip("rate", name, f"its sampling rate is {rate:,} Hz; speech is recorded at {low:,} to {high:,} Hz")


def _stretch(start_s: float, end_s: float | None) -> str:
    return f"the stretch from {start_s:g} s to " + ("the end" if end_s is None else f"{end_s:g} s")


def _doubt(path: Path, words: str) -> None:
    if words:
        warnings.warn(Doubt(path, words), stacklevel=3)


def _truncated(path: Path, words: str = "the file holds less sound than it promises") -> BadClip:
    return BadClip(
        "truncated", path, f"it breaks off: {words}; fetch it again, or keep what there is: {conversion(path)}"
    )


def _undecodable(path: Path, error: Exception) -> BadClip:
    message = getattr(error, "error_string", str(error)).rstrip(".") or type(error).__name__  # without the path
    if "lost sync" in message:  # the decoder's message for a truncated FLAC
        return _truncated(path, f"it is cut or damaged ({message})")
    if "Unspecified internal error" in message:
        message = "it is damaged"
    if "regular file" in message:  # libsndfile's misleading message for a file that is nothing like its ending
        message = f"it holds no sound, although its name ends in {path.suffix}"
    return BadClip(
        "undecodable", path, f"it cannot be decoded: {message}; if it is sound, convert it: {conversion(path)}"
    )


def conversion(path: str | Path) -> str:
    """The command that makes a WAV of one channel of a recording, with the file names quoted for the shell."""
    path = Path(path)
    wav = path.with_suffix(".wav") if path.suffix.lower() != ".wav" else path.with_name(f"{path.stem}-1.wav")
    names = [str(name) if name.is_absolute() or not str(name).startswith("-") else f"./{name}" for name in (path, wav)]
    if os.name == "nt":
        return subprocess.list2cmdline(["ffmpeg", "-i", names[0], "-ac", "1", names[1]])
    source, target = (shlex.quote(name) if name.isprintable() else f"$'{shown(name)}'" for name in names)
    return f"ffmpeg -i {source} -ac 1 {target}"


def shown(name: str | Path) -> str:
    r"""A file name that can be printed: bytes that are not UTF-8 as \xe9, then with a backslash before ' and \ too."""
    name = str(name)
    if name.isprintable():
        return name
    printable = name.replace("\\", "\\\\").replace("'", "\\'")
    return "".join(c if c.isprintable() else repr(os.fsencode(c))[2:-1] for c in printable)
