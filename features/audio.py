"""Decode a recording into checked samples, or raise a `BadClip` that says what is wrong with the file.

For everything that measures a voice. The contract: the samples that `read_clip` returns are one channel of finite numbers,
complete, audible and long enough for the pitch search, so that no later step has to check them again.
"""

import hashlib
import math
import os
import re
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import soundfile as sf

from features.containers import Container, demuxer

# The endings of sound files in folders; what a file holds is found by its first bytes, whatever its name.
EXTENSIONS = (  # always read
    ".aif", ".aifc", ".aiff", ".au", ".bwf", ".caf", ".flac", ".mp2", ".mp3", ".oga", ".ogg", ".opus", ".rf64", ".snd",
    ".w64", ".wav", ".wave",
)  # fmt: skip
PYAV_EXTENSIONS = (  # read if PyAV is installed: pip install av
    ".3g2", ".3gp", ".3gpp", ".aac", ".amr", ".asf", ".awb", ".m4a", ".m4b", ".m4v", ".mka", ".mkv", ".mov", ".mp4",
    ".spx", ".tta", ".weba", ".webm", ".wma", ".wmv", ".wv",
)  # fmt: skip
SOUND_EXTENSIONS = (  # all of them, and sound that is not read
    *EXTENSIONS, *PYAV_EXTENSIONS,
    ".ac3", ".amb", ".ape", ".avi", ".dct", ".ds2", ".dss", ".dts", ".dvf", ".flv", ".gsm", ".mid", ".mp1", ".mpc",
    ".mpeg", ".mpg", ".msv", ".nist", ".nsp", ".ofr", ".oma", ".pcm", ".qcp", ".ra", ".raw", ".rm", ".shn", ".silk",
    ".sln", ".sph", ".tak", ".vm1", ".voc", ".vox", ".wve",
)  # fmt: skip
RATES_HZ = (4_000, 192_000)  # lower is not speech, higher is a broken header (2^31 - 1 would resample to one sample)
SHORTEST_S = 0.06  # three periods of the lowest pitch searched, 50 Hz: the least that a pitch needs (Boersma 1993)
SILENCE_DBFS = -60.0  # of the standard deviation, so a constant is silent too; every clip of LibriSpeech lies above -36
CUT = "it breaks off: the file holds less sound than its header promises"
UNKNOWN = 2**63 - 1  # libsndfile's number of frames for a FLAC that was written to a pipe
BLOCK = 1 << 20  # frames decoded at once when they are only counted or skipped
LOUDEST = 10.0  # float files may exceed full scale (1.0) a little; 20 dB above it, the scale itself is wrong
_STDERR = threading.Lock()  # file descriptor 2 belongs to the process: only one thread at a time may redirect it


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
        self.reason, self.name, self.detail = Reason(reason), str(name), detail

    def __str__(self) -> str:
        return f"{self.name}: {self.detail}"


def readable(path: str | Path) -> bool:
    """Whether a file with such a name is read here: always for EXTENSIONS, with PyAV installed for PYAV_EXTENSIONS."""
    ending = Path(path).suffix.lower()
    return ending in EXTENSIONS or (ending in PYAV_EXTENSIONS and find_spec("av") is not None)


def read_clip(
    path: str | Path, start_s: float = 0.0, end_s: float | None = None, longest_s: float = math.inf
) -> tuple[np.ndarray, int]:
    """Decode and check a WAV, FLAC, OGG, MP3, AIFF, WebM or MP4 file from `start_s` to `end_s` seconds (None: to its end).

    Returns (samples, rate): samples (n,) float64, the mean of the channels, full scale 1.0; rate in Hz. Raises BadClip; a
    stretch longer than `longest_s` seconds is refused before it is decoded.

    Three kinds of truncated file cannot be detected: an OGG, whose length is wherever it ends; an MP3 without a Xing or
    Info block, whose length libsndfile estimates from the first bit rate; and a WebM that states no length.
    """
    path = Path(path)
    _check_file(path)
    try:
        with _opened(path) as file:
            rate = file.samplerate
            _check_rate(rate, path)
            start = round(start_s * rate)
            stop = file.frames if end_s is None else min(round(end_s * rate), file.frames)
            if stop - start > longest_s * rate:
                seconds = f"{(stop - start) / rate:,.1f} s"
                detail = f"it lasts {seconds}, more than the {longest_s:g} s that one clip may last"
                raise BadClip("too_long", path, f"{detail}: cut it into clips (features --window)")
            if file.format in ("MP3", Container.format):  # seeking is not exact, so decode everything before the start
                _skip(file, start)
            else:
                file.seek(min(start, file.frames))
            channels = _read(file, max(stop - start, 0))  # (n, channels)
            cut = _is_cut(file, path, missing=stop - start - len(channels))
    except BadClip:
        raise
    except (RuntimeError, OSError, TypeError, ValueError, MemoryError) as error:  # libsndfile raises all of these
        raise _undecodable(path, error) from error
    if cut:
        raise BadClip("truncated", path, CUT)
    return check_samples(channels, rate, path), rate


def read_stretches(path: str | Path, seconds: float) -> Iterator[tuple[np.ndarray, int]]:
    """Decode a recording of any length, one stretch of `seconds` at a time: (channels (n, c) float64, rate in Hz).

    A rest shorter than half a stretch is joined to the stretch before it. Only the file is checked here: pass each stretch
    to `check_samples`. Raises BadClip; a truncated file is detected after its last stretch.
    """
    path = Path(path)
    _check_file(path)
    try:
        with _opened(path) as file:
            rate, read = file.samplerate, 0
            _check_rate(rate, path)
            stretch = _read(file, n := round(seconds * rate))  # (n, c)
            while True:
                read += len(stretch)
                following = _read(file, n)
                if len(following) < n / 2:
                    break
                yield stretch, rate
                stretch = following
            yield np.concatenate([stretch, following]), rate
            cut = _is_cut(file, path, missing=file.frames - read - len(following))
    except BadClip:
        raise
    except (RuntimeError, OSError, TypeError, ValueError, MemoryError) as error:
        raise _undecodable(path, error) from error
    if cut:
        raise BadClip("truncated", path, CUT)


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
    """Length of a recording in seconds, from its header; MP3, WebM and MP4 are decoded, for their headers only estimate it.

    Raises BadClip.
    """
    path = Path(path)
    _check_file(path)
    try:
        with _opened(path) as file:
            frames = _skip(file, file.frames) if file.format == "MP3" else file.frames
            return float(frames / file.samplerate)
    except BadClip:
        raise
    except (RuntimeError, OSError, TypeError, ValueError) as error:
        raise _undecodable(path, error) from error


@contextmanager
def _silenced() -> Iterator[None]:
    """Send file descriptor 2 to /dev/null: decoders print warnings there, and their real errors become a BadClip."""
    with _STDERR:
        try:
            stderr = os.dup(2)
        except OSError:  # it is closed, so nothing would be printed
            yield
            return
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            os.close(null)


class _Recording(sf.SoundFile):
    """A SoundFile that is not seekable when it is an MP3.

    After each read soundfile seeks to the current place, and the MP3 decoder then continues with a moment of silence.
    """

    def seekable(self) -> bool:
        return self.format != "MP3" and bool(super().seekable())


def _opened(path: Path) -> sf.SoundFile | Container:
    with path.open("rb") as raw:
        kind = demuxer(raw.read(12))
    if kind is not None:
        return Container(path, kind)
    with _silenced():
        file = _Recording(path)
    if file.frames == UNKNOWN:
        file.close()
        raise BadClip(
            "undecodable", path, "its header does not state its length: write it to a file again, not to a pipe"
        )
    return file


def _read(file: sf.SoundFile | Container, count: int) -> np.ndarray:
    """The next `count` frames, or as many as there are: (n, channels) float64."""
    with _silenced():
        return np.asarray(file.read(count, always_2d=True))


def _skip(file: sf.SoundFile | Container, count: int) -> int:
    """Decode and drop the next `count` frames, or as many as there are; returns their number."""
    skipped = 0
    while frames := len(_read(file, min(count - skipped, BLOCK))):
        skipped += frames
    return skipped


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


def _is_cut(file: sf.SoundFile | Container, path: Path, missing: int) -> bool:
    """Whether the file is shorter than its header promises; `missing` of the promised frames could not be decoded."""
    if isinstance(file, Container):
        return file.cut
    if file.format == "MP3":  # without this block the number of frames is only an estimate from the bit rate
        with path.open("rb") as raw:
            head = raw.read(1 << 18)
        return missing > 0 and (b"Xing" in head or b"Info" in head)
    # For a truncated WAV libsndfile reports the frames that exist; only its log shows the promised size. Sizes near
    # 2^32 are written by streams, which do not know their length yet.
    promise = re.search(r"^data : (\d+) \(should be (\d+)\)", file.extra_info, re.MULTILINE)
    return missing > 0 or (promise is not None and int(promise[2]) < int(promise[1]) < 0xFFFF_F000)


def _check_rate(rate: int, name: str | Path) -> None:
    if not RATES_HZ[0] <= rate <= RATES_HZ[1]:
        low, high = RATES_HZ
        raise BadClip("rate", name, f"its sampling rate is {rate:,} Hz; speech is recorded at {low:,} to {high:,} Hz")


def _undecodable(path: Path, error: Exception) -> BadClip:
    message = getattr(error, "error_string", str(error)).rstrip(".") or type(error).__name__  # without the path
    if "lost sync" in message:  # the decoder's message for a truncated FLAC
        return BadClip("truncated", path, f"it breaks off or is damaged ({message})")
    if "regular file" in message:  # libsndfile's misleading message for a file that is nothing like its ending
        message = f"it holds no sound, although its name ends in {path.suffix}"
    return BadClip("undecodable", path, f"it cannot be decoded: {message}")
