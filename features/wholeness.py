"""Whether a sound file is whole: what its own bytes say of its length, beside what they hold. Nothing is decoded.

For `features.audio`: decoders believe the header, or stop without a word where the file ends. Here the chunks, pages or
frames of a file are counted instead. Each kind of file has one function, which takes all its bytes and returns a `Layout`.
"""

import mmap
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from features.mpeg import adts, mpeg, skip_id3

SLACK = 64  # bytes: recorders count their header of 44 as sound, or round up
UNCOUNTED = 4096  # bytes behind the sound that are no chunk: more than a tag that another program has appended
NO_LENGTH = (
    "it does not state its length (a stream, a recorder that was stopped, or a kind of file that never does): all the sound "
    "in it is read, and whether more followed cannot be told"
)
NO_END = "its last page is not marked as the end: all the sound in the file is read, and more may have followed"
NO_CHECK = "whether it is whole is not checked in a file of this kind"
STREAMS = "it holds {} streams of sound, of which only the first is read (ffmpeg's -map 0:a:1 takes the second)"


@dataclass(frozen=True)
class Layout:
    """kind: FFmpeg's name for the container, "" if it is not known here.

    missing: bytes that the file lacks of what its header, or its last page or frame, promises. doubt: what it does not say,
    in words, or "". pyav: whether only FFmpeg's libraries read it. samples: in each channel, where they are counted. head:
    (bytes, n), to be read in place of the first n bytes, where the header is wrong.
    """

    kind: str
    missing: int = 0
    doubt: str = ""
    pyav: bool = False
    samples: int | None = None
    head: tuple[bytes, int] | None = None


def layout(path: Path) -> Layout:
    """The layout of a file that is not empty. Raises OSError; ValueError for a file of which a part would not be read."""
    state = path.stat()
    return _layout(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=8)  # the windows of a long recording are read one after the other
def _layout(path: Path, size: int, mtime_ns: int) -> Layout:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        start = skip_id3(data)
        for magic, at, look in KINDS:
            if data[start + at : start + at + len(magic)] == magic:
                return look(data) if look is _flac or not start else Layout("", doubt=NO_CHECK)
        for look in (_adts, _mpeg):
            if (found := look(data)) is not None:
                return found
        return Layout("", doubt=NO_CHECK)


# -- chunks: a name, a size, and so many bytes -------------------------------------------------------------------------


@dataclass(frozen=True)
class _Chunks:
    """How a family of files writes its chunks. sound: the name of the one with the sound, of whose bytes `extra` are none."""

    kind: str
    first: int
    header: struct.Struct
    sound: bytes
    align: int = 2
    inclusive: bool = False  # whether a size counts its own header
    extra: int = 0

    def __call__(self, data: mmap.mmap) -> Layout:
        at, wide, place = self.first, None, 0  # wide, place: the size in 64 bits of RF64, and where it stands
        while at + self.header.size <= len(data):
            name, size = self.header.unpack_from(data, at)
            if (size := size - (self.header.size if self.inclusive else 0)) < 0 and name != self.sound:
                break
            body = at + self.header.size
            if name == b"ds64" and body + 16 <= len(data):
                wide, place = struct.unpack_from("<Q", data, body + 8)[0], body + 8
            if name == b"fmt " and body + 16 <= len(data):
                codec, channels, _, _, block, bits = struct.unpack_from(f"{self.header.format[0]}HHIIHH", data, body)
                if codec in (1, 3) and bits * channels > 8 * block:  # PCM, whole numbers or floats
                    raise ValueError(f"its header contradicts itself: {channels} x {bits} bits in {block} bytes")
            if name == self.sound:
                if wide is None or size < 0xFFFF_FFFF:
                    field = struct.Struct(self.header.format[0] + self.header.format[-1])
                    return self._sound(data, body + self.extra, size - self.extra, body - field.size, field)
                return self._sound(data, body, wide, place, struct.Struct("<Q"))
            at = body + size + -size % self.align
        return Layout(self.kind, missing=max(at - len(data), 0))

    def _sound(self, data: mmap.mmap, start: int, size: int, place: int, field: struct.Struct) -> Layout:
        """The layout of a file whose sound begins at `start` and has `size` bytes, as the field at `place` says."""
        held = len(data) - start
        if _is_unknown(size):
            return Layout(self.kind, doubt=NO_LENGTH)
        if size <= SLACK < held and not self._is_chunk(data, start + max(size, 0)):  # the size of a header, or none
            there = held + self.extra + (self.header.size if self.inclusive else 0)
            true = field.pack(min(there, (1 << 8 * field.size) - 1))
            head = data[:place] + true + data[place + field.size : start]
            return Layout(self.kind, doubt=NO_LENGTH, head=(head, start))
        if size - held > SLACK and size not in (len(data), len(data) - 8):  # some state the size of the whole file
            return Layout(self.kind, missing=size - held)
        behind = start + size + -size % self.align
        another = data[behind : behind + len(self.sound)] == self.sound
        return Layout(
            self.kind, doubt=_beyond(data, behind, self.kind) if another or not self._is_chunk(data, behind) else ""
        )

    def _is_chunk(self, data: mmap.mmap, at: int) -> bool:
        """Whether another chunk begins at `at`: its name is in letters, and it fits into the file."""
        if at + self.header.size > len(data):
            return False
        name, size = self.header.unpack_from(data, at)
        return all(32 <= letter < 127 for letter in name[:4]) and 0 <= size <= len(data) - at


def _beyond(data: mmap.mmap, behind: int, kind: str) -> str:
    """The words about what follows the sound, if that is more than a tag."""
    if len(data) - behind <= UNCOUNTED:
        return ""
    beyond = f"{len(data) - behind:,} bytes behind its sound are not counted in its header and are not read"
    cure = "ffmpeg -ignore_length 1 -i reads them" if kind == "wav" else "the header is wrong"
    return f"{beyond}; if they are sound, {cure}"


def _is_unknown(size: int) -> bool:
    """Whether a size is one that streams write because they do not know it yet: 2^31 (AIFF: 2^31 - 2^24), 2^32, or -1.

    Some subtract the header's length from it, or round it down to whole samples.
    """
    return (
        0x7EFF_F000 <= size <= 0x7F00_1000
        or 0x7FFF_E000 <= size <= 0x8000_1000
        or 0xFFFF_E000 <= size <= 0xFFFF_FFFF
        or size >= 1 << 62
        or size == -1
    )


def _riff(order: str) -> _Chunks:
    return _Chunks("wav", 12, struct.Struct(f"{order}4sI"), b"data")


_W64 = bytes.fromhex("64617461f3acd3118cd100c04f8edb8a")  # "data" and the rest of its name of 16 bytes


def _au(data: mmap.mmap) -> Layout:
    start, size = struct.unpack_from(">II" if data[:1] == b"." else "<II", data, 4)
    held = len(data) - start
    if _is_unknown(size) or (size == 0 and held > SLACK):
        head = data[:8] + b"\xff" * 4 + data[12:start]  # libsndfile would find no sound of 0 bytes
        return Layout("au", doubt=NO_LENGTH, head=(head, start))
    return Layout("au", missing=size - held if size - held > SLACK else 0, doubt=_beyond(data, start + size, "au"))


def _caf(data: mmap.mmap) -> Layout:
    return _Chunks("caf", 8, struct.Struct(">4sq"), b"data", align=1, extra=4)(data)


def _nist(data: mmap.mmap) -> Layout:
    # NIST_1A, the header's length, "name -i number" lines
    head = data[:1024].decode("ascii", "replace").split("end_head")[0]
    stated = {name: int(number) for name, number in re.findall(r"^(\w+) -i (\d+)", head, re.MULTILINE)}
    size = stated.get("sample_count", 0) * stated.get("channel_count", 1) * stated.get("sample_n_bytes", 2)
    missing = int(head[7:16]) + size - len(data)
    return Layout("nistsphere", missing if missing > SLACK else 0, "" if size else NO_LENGTH)


# -- pages, packets and frames: each says how long it is ---------------------------------------------------------------


def _flac(data: mmap.mmap) -> Layout:
    # 8 bytes of heads, 10 of sizes; the rate and the number of samples are 20 and 36 bits of the next
    start = skip_id3(data)
    samples = int.from_bytes(data[start + 18 : start + 26], "big") & ((1 << 36) - 1)
    if data.find(b"fLaC\0\0\0\x22", start + 42) >= 0:
        raise ValueError("a second recording follows the first one in the file, which would not be read")
    return Layout("flac", doubt="" if samples else NO_LENGTH)


def _ogg(data: mmap.mmap) -> Layout:
    at, links, first, sounds = 0, 0, False, 0  # first: whether the page before was the first of a stream
    streams: dict[bytes, bool] = {}  # whether the last page of a stream is marked as its end
    foreign = False  # a codec that libsndfile does not read, or pictures
    while 0 <= at < len(data):
        if data[at : at + 4] != b"OggS":
            at = data.find(b"OggS", at)
            continue
        if at + 27 > len(data):
            return Layout("ogg", missing=at + 27 - len(data))
        table = data[at + 27 : at + 27 + data[at + 26]]
        begins, ends, serial = bool(data[at + 5] & 2), bool(data[at + 5] & 4), data[at + 14 : at + 18]
        streams[serial] = ends
        if begins:
            links += not first
            head = data[at + 27 + len(table) : at + 35 + len(table)]
            foreign |= not head.startswith((b"\x01vorbis", b"OpusHead", b"\x7fFLAC", b"fishead"))
            sounds += head.startswith((b"\x01vorbis", b"OpusHead", b"\x7fFLAC", b"Speex"))
        first = begins
        at += 27 + data[at + 26] + sum(table)
    doubt = "" if all(streams.values()) else NO_END
    if links == 1 < sounds and not foreign:
        doubt = "; ".join(filter(None, (doubt, STREAMS.format(sounds))))
    return Layout("ogg", max(at - len(data), 0), doubt, pyav=foreign or links > 1)


def _matroska(data: mmap.mmap) -> Layout:
    at, doubt, end = 0, "", 0
    while at < len(data):
        width = 9 - data[at].bit_length()  # the leading zeros of an element's name and of its size tell their lengths
        name, at = data[at : at + width], at + width
        if at >= len(data) or not 1 <= width <= 4:
            break
        width = 9 - data[at].bit_length()
        size = int.from_bytes(data[at : at + width], "big") & ((1 << 7 * width) - 1)
        known, at = size < (1 << 7 * width) - 1, at + width
        if name == b"\x18\x53\x80\x67":  # the segment, which holds all others
            doubt, end = ("", at + size) if known else (NO_LENGTH, len(data))
            if end > len(data):
                break
        elif known or name != b"\x1f\x43\xb6\x75":  # a live recorder's cluster has no size: its blocks follow
            at += size
    return Layout("matroska", max(max(at, end) - len(data), end - at, 0), doubt, pyav=True)


BOXES = (
    "ftyp", "moov", "mdat", "moof", "mfra", "free", "skip", "wide", "uuid", "udta", "meta", "sidx", "styp", "ssix",
    "pdin", "prft", "emsg", "pnot",
)  # fmt: skip


def _mov(data: mmap.mmap) -> Layout:
    at, last, fragments = 0, "", False
    while at + 8 <= len(data) and (name := data[at + 4 : at + 8].decode("latin-1")) in BOXES:
        last, fragments = name, fragments or name == "moof"
        size = int.from_bytes(data[at : at + 4], "big")
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        if size < 8:  # 0: to the end of the file
            break
        at += size
    doubt = NO_LENGTH if fragments and last != "mfra" else ""  # the index of the fragments stands at the end
    return Layout("mov", max(at - len(data), 0), doubt, pyav=True)


def _asf(data: mmap.mmap) -> Layout:
    head = int.from_bytes(data[16:24], "little")
    properties = data.find(bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365"), 0, head)
    packet = int.from_bytes(data[properties + 92 : properties + 96], "little") if properties >= 0 else 0
    packets = int.from_bytes(data[head + 40 : head + 48], "little")
    held = len(data) - head - 50
    if packets and packet:
        return Layout("asf", max(packets * packet - held, 0), pyav=True)
    held -= 12 if data[-12:-10] == b"$E" else 0  # the mark that ends a stream
    return Layout("asf", -held % packet if packet else max(-held, 0), NO_LENGTH, pyav=True)


AMR = {b"#!AMR\n": (13, 14, 16, 18, 20, 21, 27, 32, 6), b"#!AMR-WB\n": (18, 24, 33, 37, 41, 47, 51, 59, 61, 6)}


def _amr(data: mmap.mmap) -> Layout:
    magic = b"#!AMR\n" if data[:6] == b"#!AMR\n" else b"#!AMR-WB\n"
    at, sizes = len(magic), AMR[magic]
    while at < len(data):
        kind = data[at] >> 3 & 15
        at += sizes[kind] if kind < len(sizes) else 1
    return Layout("amr", at - len(data), NO_LENGTH, pyav=True)


def _tta(data: mmap.mmap) -> Layout:
    rate, samples = struct.unpack_from("<II", data, 10)
    frames = -(-samples // max(256 * rate // 245, 1))
    sizes = data[22 : 22 + 4 * frames]
    total = sum(int.from_bytes(sizes[k : k + 4], "little") for k in range(0, len(sizes), 4))
    return Layout("tta", max(26 + 4 * frames + total - len(data), 0), pyav=True)


def _wavpack(data: mmap.mmap) -> Layout:
    at, total, reached = 0, 0xFFFF_FFFF, 0
    while data[at : at + 4] == b"wvpk" and at + 32 <= len(data):
        size, _, total_here, first, samples = struct.unpack_from("<IIIII", data, at + 4)
        total, reached, at = (total_here if first == 0 else total), first + samples, at + 8 + size
    lacking = total != 0xFFFF_FFFF and reached < total
    doubt = NO_LENGTH if total == 0xFFFF_FFFF else ""
    return Layout("wv", max(at - len(data), int(lacking)), doubt, pyav=True)


def _mpeg(data: mmap.mmap) -> Layout | None:
    frames = mpeg(data)
    if frames is None:
        return None
    return Layout("mp3", frames.missing, "" if frames.stated else NO_LENGTH, samples=frames.samples, head=frames.head)


def _adts(data: mmap.mmap) -> Layout | None:
    missing = adts(data)
    return None if missing is None else Layout("aac", missing, NO_LENGTH, pyav=True)


KINDS: tuple[tuple[bytes, int, Callable[[mmap.mmap], Layout]], ...] = (  # first bytes, where they stand, the function
    (b"RIFF", 0, _riff("<")),
    (b"RF64", 0, _riff("<")),
    (b"BW64", 0, _riff("<")),
    (b"RIFX", 0, _riff(">")),
    (b"riff\x2e\x91\xcf\x11", 0, _Chunks("w64", 40, struct.Struct("<16sQ"), _W64, align=8, inclusive=True)),
    (b"FORM", 0, _Chunks("aiff", 12, struct.Struct(">4sI"), b"SSND", extra=8)),
    (b".snd", 0, _au),
    (b"dns.", 0, _au),
    (b"caff", 0, _caf),
    (b"NIST_1A", 0, _nist),
    (b"fLaC", 0, _flac),
    (b"OggS", 0, _ogg),
    (b"\x1aE\xdf\xa3", 0, _matroska),
    *((first, 4, _mov) for first in (b"ftyp", b"moov", b"mdat", b"wide")),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", 0, _asf),
    (b"#!AMR", 0, _amr),
    (b"TTA1", 0, _tta),
    (b"wvpk", 0, _wavpack),
)
