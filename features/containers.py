"""What FFmpeg's libraries read, by PyAV: files of phones, browsers and Windows (M4A, 3GP, AMR, WebM, WMA), and rarer ones.

For `features.decoding` alone, which uses a `Container` like a `soundfile.SoundFile`: a rate, a number of frames, and `read`.
PyAV comes with the extra `lessons`; it is imported only when such a file is read.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from features.wholeness import STREAMS

BLOCK = 1 << 20  # frames decoded at once when they are only counted
MOST_CHANNELS = 8  # FFmpeg's frames have room for so many planes; PyAV reads beyond that room
SHORT_S = 0.1  # a file that lacks more than this is truncated; codecs add and drop some hundredths at the ends


def pyav() -> ModuleType:
    """The module `av`. Raises ValueError with the command that installs it."""
    try:
        import av
    except ModuleNotFoundError:
        raise ValueError("only PyAV reads such a file, and it is not installed (pip install av)") from None
    return av


class Container:
    """An open file with at least one audio stream; `samplerate` in Hz. Raises ValueError if it cannot be decoded.

    Only the demuxer that the first bytes name is tried, for safety: some of FFmpeg's demuxers open addresses in a file.
    """

    format = "CONTAINER"

    def __init__(self, path: Path, kind: str) -> None:
        av = pyav()
        self._path, self._kind, self._position, self._ended = path, kind, 0, False
        self._raw = None
        source: Any = f"file:{path}"  # without the prefix FFmpeg would take 12:30.m4a for an address
        if not str(path).isprintable():
            source = self._raw = path.open("rb")  # PyAV takes no name that is not UTF-8
        with _ffmpeg_errors(av):
            self._file = av.open(source, format=kind, metadata_errors="ignore")
        if not self._file.streams.audio:
            self.close()
            raise ValueError("it holds no sound, perhaps only pictures")
        stream = self._file.streams.audio[0]
        if stream.codec_context is None:
            self.close()
            raise ValueError("its codec is not known to FFmpeg")
        self.samplerate, self.channels = int(stream.codec_context.sample_rate), stream.codec_context.channels
        self.subtype = stream.codec_context.name
        sounds = len(self._file.streams.audio)
        self.doubt = STREAMS.format(sounds) if sounds > 1 else ""
        only_stream = len(self._file.streams) == 1
        if kind == "caf":
            # FFmpeg counts the silence that fills the last packet; the bytes have been counted before
            self._promised_s = 0.0
        elif stream.duration is not None:
            self._promised_s = float(stream.duration * stream.time_base)
        elif stated := re.fullmatch(r"(\d+):(\d+):([\d.]+)", stream.metadata.get("DURATION", "")):  # Matroska's tag
            hours, minutes, seconds = map(float, stated.groups())
            self._promised_s = 3600 * hours + 60 * minutes + seconds
        else:  # the file's duration; in a film it may be that of the pictures, and a live recording states none
            self._promised_s = (self._file.duration or 0) / 1e6 if only_stream else 0.0
        self._decoded = self._decode(av, stream)
        self._rest: np.ndarray | None = None  # (k, channels) decoded but not yet read

    def __enter__(self) -> "Container":
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()
        if self._raw is not None:
            self._raw.close()

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
        self._position += count - missing
        return np.concatenate(parts).astype(float) if parts else np.empty((0, self.channels))

    @cached_property
    def frames(self) -> int:
        """The number of frames. No header states it exactly, so the whole file is decoded to count them."""
        if self._ended:
            return self._position
        with Container(self._path, self._kind) as again:
            while len(again.read(BLOCK)):
                pass
            return again._position

    @property
    def cut(self) -> bool:
        """Whether the sound is shorter than the header states; False if the header states no length."""
        return self._promised_s - self.frames / self.samplerate > SHORT_S

    def _decode(self, av: ModuleType, stream: Any) -> Iterator[np.ndarray]:
        """The decoded sound in pieces (k, channels) float32, whatever sample format the codec uses."""
        to_float = av.AudioResampler(format="fltp", rate=self.samplerate)
        first = 0
        with _ffmpeg_errors(av):
            for frame in self._file.decode(stream):
                channels = frame.layout.nb_channels
                first = first or channels
                if channels > MOST_CHANNELS or channels != first:
                    many = f"it has {channels} channels, at most {MOST_CHANNELS} are read"
                    raise ValueError(f"its channels change from {first} to {channels}" if channels != first else many)
                for part in to_float.resample(frame):
                    # PyAV's to_ndarray counts the planes to the next zero in memory: of 8 channels it reads a ninth
                    planes = [np.frombuffer(plane, np.float32, part.samples) for plane in part.planes[:channels]]
                    yield np.stack(planes).T


@contextmanager
def _ffmpeg_errors(av: ModuleType) -> Iterator[None]:
    """Raise FFmpeg's errors, which have a dozen classes (EOFError among them), as a ValueError with the same message."""
    try:
        yield
    except av.FFmpegError as error:
        raise ValueError(f"it breaks off or is damaged ({error.strerror})") from error
