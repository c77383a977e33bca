"""Open a sound file and decode it piece by piece: by libsndfile, or by PyAV what only FFmpeg's libraries read.

For `features.audio`, which turns every error here into a `BadClip`. What decides is the file's first bytes, not its name.
"""

import io
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf

from features.containers import Container
from features.wholeness import layout

UNKNOWN = 2**63 - 1  # libsndfile's number of frames for a FLAC that was written to a pipe
BLOCK = 1 << 20  # frames decoded at once when they are only counted or skipped
SHORT_S = 0.1  # an MP3 that lacks more than this is truncated: its decoder drops some hundredths at the start
_STDERR = threading.Lock()  # file descriptor 2 belongs to the process: only one thread at a time may redirect it


class Recording:
    """An open sound file; `samplerate` in Hz. Raises OSError, and ValueError or RuntimeError if it cannot be decoded.

    subtype: the coding, by libsndfile's name or FFmpeg's.
    doubt: what the file does not say about its length, in words, or "".
    """

    def __init__(self, path: Path) -> None:
        self._path, self._position, self._ended = path, 0, False
        self._source: Spliced | None = None
        self.layout = layout(path)
        self._file = self._opened()
        self.doubt = "; ".join(filter(None, (self.layout.doubt, getattr(self._file, "doubt", ""))))
        self.samplerate, self.channels = int(self._file.samplerate), self._file.channels
        self.subtype: str = self._file.subtype

    def __enter__(self) -> "Recording":
        return self

    def __exit__(self, *error: Any) -> None:
        self._file.close()
        if self._source is not None:
            self._source.close()

    @cached_property
    def frames(self) -> int:
        """Samples in each channel. A file that does not state them is decoded once more, to count them."""
        if self._file.frames != UNKNOWN:
            return int(self._file.frames)
        if self._ended:
            return self._position
        with Recording(self._path) as again:
            again.skip(UNKNOWN)
            return again._position

    def read(self, count: int) -> np.ndarray:
        """The next `count` frames, or as many as there are: (n, channels) float64."""
        with silenced():
            read = np.asarray(self._file.read(count, always_2d=True))
        self._position, self._ended = self._position + len(read), len(read) < count
        return read

    def skip(self, count: int) -> None:
        """Pass over `count` frames, or as many as there are. Where seeking is not exact, they are decoded."""
        if not isinstance(self._file, Container) and self._file.seekable():
            self._position = self._file.seek(min(self._position + count, self.frames))
            return
        end = self._position + count
        while len(self.read(min(end - self._position, BLOCK))):
            pass

    def lacks(self, missing: int) -> bool:
        """Whether less was decoded than the file promises; `missing` of the frames that it states could not be."""
        if isinstance(self._file, Container):
            # without a stated length it would be compared with an estimate
            return not self.layout.doubt and self._file.cut
        return missing > (SHORT_S * self.samplerate if self.layout.kind == "mp3" else 0)

    def _opened(self) -> sf.SoundFile | Container:
        kind = self.layout.kind
        if self.layout.pyav:
            return Container(self._path, kind)
        try:
            file = self._by_libsndfile()
        except sf.LibsndfileError as error:  # it does not know the codec, perhaps, which FFmpeg's libraries may
            if kind and find_spec("av") is None and "encoding" in error.error_string:
                raise ValueError(f"{error.error_string.rstrip('.')} (PyAV may know it: pip install av)") from error
            if not kind or find_spec("av") is None:
                raise
            return Container(self._path, kind)
        stops_early = self.layout.samples and file.frames + SHORT_S * file.samplerate < self.layout.samples
        if stops_early or (kind == "wav" and file.subtype.startswith("MPEG")):  # of those it only estimates the length
            file.close()
            return Container(self._path, kind)
        return file

    def _by_libsndfile(self) -> sf.SoundFile:
        kind, head = self.layout.kind, self.layout.head
        source: Any = os.fsencode(self._path) if os.name == "posix" else self._path  # bytes: a name may be no UTF-8
        if head is not None:
            source = self._source = Spliced(self._path, *head)
        with silenced():
            # After each read of a seekable file soundfile seeks to the current place: an MP3 then continues with a moment
            # of silence, and a FLAC of unknown length ends with an error.
            exact = kind != "mp3" and not (kind == "flac" and self.layout.doubt)
            return (sf.SoundFile if exact else _Forward)(source)


class _Forward(sf.SoundFile):
    """A file that is not to be sought in."""

    def seekable(self) -> bool:
        return False


class Spliced(io.RawIOBase):
    """The file at `path`, to be read, with `head` in place of its first `skipped` bytes."""

    def __init__(self, path: Path, head: bytes, skipped: int) -> None:
        self._head, self._file, self._at = head, path.open("rb"), 0
        self._shift = len(head) - skipped
        self._size = path.stat().st_size + self._shift

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = (0, self._at, self._size)[whence] + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        if self._at < len(self._head):
            part = self._head[self._at : self._at + len(buffer)]
        else:
            self._file.seek(self._at - self._shift)
            part = self._file.read(len(buffer))
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)

    def close(self) -> None:
        self._file.close()
        super().close()


@contextmanager
def silenced() -> Iterator[None]:
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
