"""What browsers and phones record, WebM and MP4 (M4A): decoded by PyAV, that is by FFmpeg's libraries.

For `features.audio` alone, to which a `Container` is what a `soundfile.SoundFile` is: a rate, a number of frames, and `read`.
PyAV comes with the extra `lessons` and is imported when such a file is met.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

BLOCK = 1 << 20  # frames decoded at once to be counted
SHORT_S = 0.1  # by which sound is less than promised where it is cut; codecs add and drop some hundredths at the ends


def demuxer(head: bytes) -> str | None:
    """FFmpeg's name of the kind of container that a file with these first bytes is; None for any other file."""
    if head.startswith(b"\x1aE\xdf\xa3"):
        return "matroska"
    return "mov" if head[4:8] == b"ftyp" else None


def pyav() -> ModuleType:
    """The package. ValueError, with what to do, without it."""
    try:
        import av
    except ModuleNotFoundError:
        raise ValueError(
            "it is WebM or MP4, as browsers and phones record, and reading those takes PyAV: pip install av, or convert it "
            "to WAV or FLAC"
        ) from None
    return av


class Container:
    """An open file with one stream of sound at least; `samplerate` in Hz. ValueError where it cannot be decoded.

    Only the demuxer that its first bytes name is tried: among FFmpeg's others are some that follow addresses in a file.
    """

    format = "CONTAINER"

    def __init__(self, path: Path, kind: str) -> None:
        av = pyav()
        self._path, self._kind, self._at, self._ended = path, kind, 0, False
        with _told(av):
            self._file = av.open(str(path), format=kind, metadata_errors="ignore")
        if not self._file.streams.audio:
            self.close()
            raise ValueError("there is no sound in it, perhaps pictures alone")
        stream = self._file.streams.audio[0]
        self.samplerate, self._channels = int(stream.codec_context.sample_rate), stream.codec_context.channels
        alone = len(self._file.streams) == 1
        if stream.duration is not None:
            self._promised_s = float(stream.duration * stream.time_base)
        else:  # of a film it would be the pictures' length; a browser that wrote before it knew has stated none
            self._promised_s = (self._file.duration or 0) / 1e6 if alone else 0.0
        self._decoded = self._decode(av, stream)
        self._rest: np.ndarray | None = None  # (k, channels) decoded and not yet read

    def __enter__(self) -> "Container":
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()

    def read(self, count: int, always_2d: bool = True) -> np.ndarray:
        """The next `count` frames, or as many as there are: (n, channels) float64."""
        parts: list[np.ndarray] = []
        missing = count
        while missing > 0 and not self._ended:
            part, self._rest = self._rest if self._rest is not None else next(self._decoded, None), None
            if part is None:
                self._ended = True
                break
            if len(part) > missing:
                part, self._rest = part[:missing], part[missing:]
            parts.append(part)
            missing -= len(part)
        self._at += count - missing
        return np.concatenate(parts).astype(float) if parts else np.empty((0, self._channels))

    @cached_property
    def frames(self) -> int:
        """How many there are. No header says it to the frame, so the file is decoded to be counted."""
        if self._ended:
            return self._at
        with Container(self._path, self._kind) as again:
            while len(again.read(BLOCK)):
                pass
            return again._at

    @property
    def cut(self) -> bool:
        """Whether the header promised more than is there; False where it does not say how long the sound is."""
        return self._promised_s - self.frames / self.samplerate > SHORT_S

    def _decode(self, av: ModuleType, stream: Any) -> Iterator[np.ndarray]:
        """The sound, one (k, channels) float32 after the other, whatever the codec's own kind of number."""
        to_float = av.AudioResampler(format="fltp")
        with _told(av):
            for frame in self._file.decode(stream):
                for part in to_float.resample(frame):
                    yield part.to_ndarray().T


@contextmanager
def _told(av: ModuleType) -> Iterator[None]:
    """FFmpeg's errors are of a dozen kinds, some of them an EOFError: all become a ValueError in its words."""
    try:
        yield
    except av.FFmpegError as error:
        raise ValueError(f"it breaks off or is damaged ({error.strerror})") from error
