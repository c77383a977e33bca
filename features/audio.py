"""A recording becomes samples that can be trusted, or a `BadClip` that says in words what is wrong with it.

For everything that measures a voice. The contract: what `read_clip` returns is one channel of finite numbers, complete,
audible and long enough for the pitch search, so that no later step has to ask again.
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
from pathlib import Path

import numpy as np
import soundfile as sf

from features.containers import Container, demuxer

EXTENSIONS = (".aif", ".aiff", ".flac", ".mp3", ".oga", ".ogg", ".opus", ".wav")
RATES_HZ = (4_000, 192_000)  # below is not speech, above is a broken header (2^31 - 1 would resample to one sample)
SHORTEST_S = 0.06  # three periods of the lowest pitch searched, 50 Hz: the least for a pitch (Boersma 1993)
SILENCE_DBFS = -60.0  # of the spread around the mean, so a constant is silence; LibriSpeech lies above -36
CUT = "it breaks off: there is less sound in the file than its header promises"
UNKNOWN = 2**63 - 1  # frames of a FLAC that was written to a pipe, as libsndfile has it
BLOCK = 1 << 20  # frames decoded at once where they are not kept
LOUDEST = 10.0  # float files may pass full scale (1.0) a little; 20 dB above it the scale itself is wrong
_DESCRIPTOR_2 = threading.Lock()  # there is one: two threads that took it away could not both put it back


class Reason(StrEnum):
    """Why a clip has no features: the code that stands in failed.csv and in a manifest."""

    MISSING = "missing"  # there is no such file
    NOT_A_FILE = "not_a_file"  # a folder, a pipe, a device
    UNREADABLE = "unreadable"  # the system does not let it be read: permissions, a broken disk
    EMPTY = "empty"  # 0 bytes, or no sample in the stretch
    UNDECODABLE = "undecodable"  # no recording, or of a kind that is not read here
    TRUNCATED = "truncated"  # less sound than its header promises
    RATE = "rate"  # a sampling rate outside RATES_HZ
    NOT_FINITE = "not_finite"  # NaN or infinity among its samples, or among what was measured
    OUT_OF_RANGE = "out_of_range"  # samples above LOUDEST
    TOO_SHORT = "too_short"  # below SHORTEST_S
    TOO_LONG = "too_long"  # longer than is measured in one piece
    SILENT = "silent"  # below SILENCE_DBFS, also where channels cancel each other
    UNMEASURABLE = "unmeasurable"  # the recipe raised an error that none of the above foresees
    CRASHED = "crashed"  # it ended the process that measured it, twice


class BadClip(ValueError):
    """A recording that cannot become a row.

    `reason` is a Reason, `name` the file, `detail` the sentence for the person; `str()` is "name: detail".
    """

    def __init__(self, reason: Reason | str, name: str | Path, detail: str) -> None:
        super().__init__(reason, str(name), detail)  # all three, so that it survives the way back from a worker process
        self.reason, self.name, self.detail = Reason(reason), str(name), detail

    def __str__(self) -> str:
        return f"{self.name}: {self.detail}"


def read_clip(
    path: str | Path, start_s: float = 0.0, end_s: float | None = None, longest_s: float = math.inf
) -> tuple[np.ndarray, int]:
    """Samples of a WAV, FLAC, OGG, MP3, AIFF, WebM or MP4 file between two times in seconds (`None`: to its end).

    Returns (samples (n,) float64 with full scale 1.0, the mean of the channels; rate in Hz). Raises BadClip, for a stretch
    above `longest_s` before it is decoded. A cut OGG is not noticed, its length is where it ends; nor is a cut MP3 without
    a Xing or Info block, whose length libsndfile guesses from its first bit rate; nor a cut WebM that states no length.
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
                raise BadClip(
                    "too_long", path,
                    f"it lasts {seconds}, more than the {longest_s:g} s that are measured in one piece: cut it into clips "
                    "(features --window)",
                )  # fmt: skip
            if file.format in (
                "MP3",
                Container.format,
            ):  # a seek lands somewhere near, so decode what is before, drop it
                _skip(file, start)
            else:
                file.seek(min(start, file.frames))
            channels = _read(file, max(stop - start, 0))  # (n, channels)
            cut = _is_cut(file, path, missing=stop - start - len(channels))
    except BadClip:
        raise
    except (RuntimeError, OSError, TypeError, ValueError, MemoryError) as error:  # libsndfile's ways to say no
        raise _undecodable(path, error) from error
    if cut:
        raise BadClip("truncated", path, CUT)
    return check_samples(channels, rate, path), rate


def read_stretches(path: str | Path, seconds: float) -> Iterator[tuple[np.ndarray, int]]:
    """A recording of any length, a stretch of so many seconds at a time: (channels (n, c) float64, rate in Hz).

    A rest of less than half a stretch comes with the one before. Nothing but the file is checked: give each stretch to
    `check_samples`. Raises BadClip, for a file that breaks off only at its end.
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
    """The mean of the channels, checked: what `read_clip` does after decoding, for samples that come from elsewhere.

    channels (n,) or (n, channels) float, full scale 1.0, rate in Hz -> samples (n,) float64. Raises BadClip.
    """
    _check_rate(rate, name)
    if np.size(channels) == 0:
        raise BadClip("empty", name, "there is no sound in it (0 samples)")
    channels = np.asarray(channels, float).reshape(len(channels), -1)  # (n, channels)
    if not np.isfinite(channels).all():
        raise BadClip("not_finite", name, "it holds samples that are not numbers (NaN or infinity)")
    if (peak := np.abs(channels).max()) > LOUDEST:
        raise BadClip("out_of_range", name, f"its loudest sample is {peak:.3g} where full scale is 1.0: wrong scale?")
    if len(channels) < SHORTEST_S * rate:
        raise BadClip("too_short", name, f"{len(channels) / rate:.3f} s is too short: it needs {SHORTEST_S} s of voice")
    samples: np.ndarray = channels.mean(axis=1)  # (n,)
    floor = 10 ** (SILENCE_DBFS / 20)
    if samples.std() < floor:
        cancelled = "; its channels cancel each other: keep one of them" if (channels.std(axis=0) > floor).any() else ""
        raise BadClip("silent", name, f"it is silent (below {SILENCE_DBFS:.0f} dB of full scale){cancelled}")
    return samples


def content_hash(samples: np.ndarray) -> str:
    """SHA-256 of decoded samples (n,) as little-endian float32: the same sound under another name or in another lossless
    format has the same.
    """
    return hashlib.sha256(np.asarray(samples, "<f4").tobytes()).hexdigest()


def duration(path: str | Path) -> float:
    """Seconds in a recording, as its header says; MP3, WebM and MP4, where that is an estimate, are decoded. BadClip."""
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
def _hushed() -> Iterator[None]:
    """Decoders print notes of their own on descriptor 2, past Python: what counts of them becomes a BadClip."""
    with _DESCRIPTOR_2:
        try:
            kept = os.dup(2)
        except OSError:  # it is closed: nobody listens
            yield
            return
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(nowhere)


class _Recording(sf.SoundFile):
    """After each read soundfile seeks to where it is, and a decoder of MP3 goes on from there with a moment of silence."""

    def seekable(self) -> bool:
        return self.format != "MP3" and bool(super().seekable())


def _opened(path: Path) -> sf.SoundFile | Container:
    with path.open("rb") as raw:
        kind = demuxer(raw.read(12))
    if kind is not None:
        return Container(path, kind)
    with _hushed():
        file = _Recording(path)
    if file.frames == UNKNOWN:
        file.close()
        raise BadClip(
            "undecodable", path, "its header does not say how long it is: write it to a file again, not to a pipe"
        )
    return file


def _read(file: sf.SoundFile | Container, count: int) -> np.ndarray:
    """The next `count` frames, or as many as there are: (n, channels) float64."""
    with _hushed():
        return np.asarray(file.read(count, always_2d=True))


def _skip(file: sf.SoundFile | Container, count: int) -> int:
    """Decode the next `count` frames, or as many as there are, and drop them; how many there were."""
    skipped = 0
    while found := len(_read(file, min(count - skipped, BLOCK))):
        skipped += found
    return skipped


def _check_file(path: Path) -> None:
    """A regular file, not empty, that may be read: opening anything else could wait for ever (a pipe) or say little."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            kind = "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"
            raise BadClip("not_a_file", path, f"this is {kind}, not a recording")
        with path.open("rb") as raw:
            if not raw.read(1):
                raise BadClip("empty", path, "the file is empty (0 bytes)")
    except FileNotFoundError as error:
        raise BadClip("missing", path, "there is no such file") from error
    except OSError as error:
        raise BadClip("unreadable", path, f"it cannot be read ({error.strerror})") from error


def _is_cut(file: sf.SoundFile | Container, path: Path, missing: int) -> bool:
    """Whether the header promised more than is there, where `missing` frames of those announced did not come."""
    if isinstance(file, Container):
        return file.cut
    if file.format == "MP3":  # without this block in front the number of frames is a guess from the bit rate
        with path.open("rb") as raw:
            head = raw.read(1 << 18)
        return missing > 0 and (b"Xing" in head or b"Info" in head)
    # Of a cut WAV libsndfile announces what is there; only its log tells. 2^32 - 1 is a stream's "not known yet".
    promise = re.search(r"^data : (\d+) \(should be (\d+)\)", file.extra_info, re.MULTILINE)
    return missing > 0 or (promise is not None and int(promise[2]) < int(promise[1]) < 0xFFFF_F000)


def _check_rate(rate: int, name: str | Path) -> None:
    if not RATES_HZ[0] <= rate <= RATES_HZ[1]:
        low, high = RATES_HZ
        raise BadClip(
            "rate", name, f"a sampling rate of {rate:,} Hz is no recording of speech ({low:,} to {high:,} Hz)"
        )


def _undecodable(path: Path, error: Exception) -> BadClip:
    said = getattr(error, "error_string", str(error)).rstrip(".") or type(error).__name__  # without the path again
    if "lost sync" in said:  # what a FLAC says where it is cut
        return BadClip("truncated", path, f"it breaks off or is damaged ({said})")
    if "regular file" in said:  # what is said of a file that is there, when it is nothing like its name
        said = f"there is nothing in it that sounds, whatever its name ends in ({path.suffix})"
    return BadClip("undecodable", path, f"it cannot be decoded: {said}")
