"""Sound files whose headers lie, whose samples are no numbers, or that are no sound."""

import io
import os
import struct
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import soundfile

from features.synth import draw_speaker, speak
from tests.hostile.cases import Case

RATE = 16_000


@cache
def voice() -> Path:
    """A recording that any model answers for."""
    from tempfile import mkdtemp

    path = Path(mkdtemp(prefix="hostile-voice-")) / "voice.wav"
    path.write_bytes(encoded("WAV"))
    return path


@cache
def spoken() -> np.ndarray:
    """A second and a half of a synthetic voice."""
    rng = np.random.default_rng(0)
    return speak(draw_speaker("male", "m", rng), 1.5, rng, RATE)


def encoded(kind: str, subtype: str | None = None, x: np.ndarray | None = None) -> bytes:
    """The voice, or other samples, in a kind of file."""
    buffer = io.BytesIO()
    soundfile.write(buffer, spoken() if x is None else x, RATE, format=kind, subtype=subtype)
    return buffer.getvalue()


def field(kind: str, at: int, form: str, value: int) -> Callable[[], bytes]:
    """A number in a header, changed."""

    def content() -> bytes:
        whole = bytearray(encoded(kind))
        struct.pack_into(form, whole, at, value)
        return bytes(whole)

    return content


def converted(ending: str, *options: str) -> bytes:
    """The voice as FFmpeg writes it."""
    out = voice().with_name(f"voice.{ending}")
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", voice(), *options, out], check=True)
    return out.read_bytes()


def _chunks() -> bytes:
    """A WAV with 200,000 empty chunks before its samples."""
    whole = encoded("WAV")
    return whole[:12] + b"junk\0\0\0\0" * 200_000 + whole[12:]


def _atoms(depth: int = 20_000) -> bytes:
    """An MP4 whose boxes lie in each other."""
    whole = converted("m4a")
    nested = b"".join(struct.pack(">I4s", 8 * (depth - n), b"moov") for n in range(depth))
    return whole[:32] + nested + whole[32:]


def _sample(value: float) -> bytes:
    x = np.zeros(RATE)
    x[::7] = 0.1
    x[100] = value
    return encoded("WAV", "FLOAT", x)


WAV, FLAC, OGG, MP3 = (lambda kind=kind: encoded(kind) for kind in ("WAV", "FLAC", "OGG", "MP3"))
FILES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "empty": ("a.wav", lambda: b""),
    "text": ("a.wav", lambda: b"hello, this is no sound"),
    "noise": ("a.mp3", lambda: np.random.default_rng(0).bytes(50_000)),
    "HTML": ("a.ogg", lambda: b"<!doctype html><html>404"),
    "a zip": ("a.flac", lambda: b"PK\x03\x04" + bytes(1000)),
    "WAV: 0 channels": ("a.wav", field("WAV", 22, "<H", 0)),
    "WAV: 65,535 channels": ("a.wav", field("WAV", 22, "<H", 65_535)),
    "WAV: 0 Hz": ("a.wav", field("WAV", 24, "<I", 0)),
    "WAV: 2^31 Hz": ("a.wav", field("WAV", 24, "<I", 2**31 - 1)),
    "WAV: 1 Hz": ("a.wav", field("WAV", 24, "<I", 1)),
    "WAV: 0 bits": ("a.wav", field("WAV", 34, "<H", 0)),
    "WAV: 64 bits": ("a.wav", field("WAV", 34, "<H", 64)),
    "WAV: unknown codec": ("a.wav", field("WAV", 20, "<H", 0x1234)),
    "WAV: cut in half": ("a.wav", lambda: WAV()[:16_000]),
    "WAV: header alone": ("a.wav", lambda: WAV()[:44]),
    "WAV: cut in its header": ("a.wav", lambda: WAV()[:30]),
    "WAV: a format chunk of 4 GB": ("a.wav", field("WAV", 16, "<I", 2**32 - 1)),
    "WAV: NaN": ("a.wav", lambda: _sample(float("nan"))),
    "WAV: infinity": ("a.wav", lambda: _sample(float("inf"))),
    "WAV: 1e30": ("a.wav", lambda: _sample(1e30)),
    "WAV: 10 samples": ("a.wav", lambda: encoded("WAV", x=np.ones(10) * 0.1)),
    "FLAC: cut in half": ("a.flac", lambda: FLAC()[: len(FLAC()) // 2]),
    "FLAC: header alone": ("a.flac", lambda: FLAC()[:60]),
    "FLAC: 2^36 samples stated": ("a.flac", lambda: _flac_of(2**36 - 1)),
    "FLAC: metadata of 16 MB stated": ("a.flac", lambda: FLAC()[:4] + b"\x04\xff\xff\xff" + FLAC()[42:]),
    "OGG: cut in half": ("a.ogg", lambda: OGG()[: len(OGG()) // 2]),
    "OGG: header alone": ("a.ogg", lambda: OGG()[:58]),
    "OGG: pages of noise": ("a.ogg", lambda: OGG()[:58] + np.random.default_rng(1).bytes(20_000)),
    "MP3: ID3 of 256 MB stated": ("a.mp3", lambda: b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f" + bytes(2000)),
    "MP3: header alone": ("a.mp3", lambda: MP3()[:4]),
    "MP3: a stream of frame marks": ("a.mp3", lambda: b"\xff\xfb\x90\x00" * 20_000),
    "WebM: cut in half": ("a.webm", lambda: (c := converted("webm"))[: len(c) // 2]),
    "WebM: header alone": ("a.webm", lambda: converted("webm")[:60]),
    "WebM: an element of 2^56 bytes": (
        "a.webm",
        lambda: b"\x1a\x45\xdf\xa3\x01\xff\xff\xff\xff\xff\xff\xfe" + bytes(5000),
    ),
    "M4A: cut in half": ("a.m4a", lambda: (c := converted("m4a"))[: len(c) // 2]),
    "M4A: boxes in each other": ("a.m4a", _atoms),
    "M4A: a box of 2^63 bytes": (
        "a.m4a",
        lambda: b"\0\0\0\x1cftypM4A \0\0\0\0M4A mp42isom\0\0\0\0\0\0\0\x01moov\x7f\xff\xff\xff\xff\xff\xff\xff",
    ),
    "AIFF: header alone": ("a.aiff", lambda: encoded("AIFF")[:40]),
    "CAF: cut in half": ("a.caf", lambda: encoded("CAF", "PCM_16")[:10_000]),
    "a playlist": ("a.mp3", lambda: b"#EXTM3U\nfile:///etc/passwd\n"),
    "an SDP that calls a host": ("a.webm", lambda: b"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\n"),
    "a list of files to join": ("a.m4a", lambda: b"ffconcat version 1.0\nfile /etc/passwd\n"),
    "HLS": ("a.aac", lambda: b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/x.ts\n"),
}
READ: dict[str, tuple[str, Callable[[], bytes]]] = {  # with an answer, perhaps "no speech", or a note
    "RF64: 2^63 bytes stated": (
        "a.wav",
        lambda: (
            b"RF64\xff\xff\xff\xffWAVEds64\x1c\0\0\0"
            + b"\xff" * 7
            + b"\x7f"
            + b"\xff" * 7
            + b"\x7f"
            + bytes(12)
            + WAV()[12:40]
            + b"\xff" * 4
            + WAV()[44:]
        ),
    ),
    "WAV: 200,000 empty chunks": ("a.wav", _chunks),
    "WAV: silence": ("a.wav", lambda: encoded("WAV", x=np.zeros(RATE))),
    "WAV: 4 GB stated": ("a.wav", field("WAV", 40, "<I", 2**32 - 16)),
}


def _flac_of(count: int) -> bytes:
    whole = bytearray(FLAC())
    whole[21] = (whole[21] & 0xF0) | (count >> 32)
    struct.pack_into(">I", whole, 22, count & 0xFFFFFFFF)
    return bytes(whole)


def _file(name: str, content: Callable[[], bytes]) -> Callable[[Path], list[object]]:
    def make(folder: Path) -> list[object]:
        (path := folder / name).write_bytes(content())
        return ["predict", path, "--json"]

    return make


def _place(make: Callable[[Path], object]) -> Callable[[Path], list[object]]:
    def made(folder: Path) -> list[object]:
        make(path := folder / "a.wav")
        return ["predict", path, "--json"]

    return made


PLACES: dict[str, Callable[[Path], object]] = {
    "a folder": Path.mkdir,
    "a pipe": os.mkfifo,
    "a device without end": lambda path: path.symlink_to("/dev/zero"),
    "a device without content": lambda path: path.symlink_to("/dev/null"),
    "a link to itself": lambda path: path.symlink_to(path),
    "no file": lambda path: None,
}


def cases() -> Iterator[Case]:
    for name, (file, content) in FILES.items():
        yield Case("sound", name, "command", _file(file, content))
    for name, (file, content) in READ.items():
        yield Case("sound", name, "command", _file(file, content), refused=False)
    for name, make in PLACES.items():
        yield Case("sound", name, "command", _place(make))


VALID = {"command": _file("a.wav", WAV)}
