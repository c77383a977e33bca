"""MP3 and AAC files are frames one after the other, and nothing else need say how many: here they are counted.

For `features.wholeness`. libsndfile takes the length from a first frame that holds no sound but a table (Xing, Info), and
guesses it from the first bit rate where there is none; a guess too small ends the recording in silence.
"""

import mmap
import struct
from dataclasses import dataclass

KBPS = {  # by (MPEG version is 1, layer), index 1 to 14 of the header
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}  # by version's two bits
SAME = 0xFFFE_0C00  # the bits of a header that all frames of a recording share: sync, version, layer, rate
FARTHEST = 1 << 20  # bytes of something else that may stand before the first frame
CLOSE = 2  # frames by which a table may differ from the frames: some count the table itself


@dataclass(frozen=True)
class Frames:
    """missing: bytes that the last frame lacks, or 1 if the table promises more frames. samples: in each channel. stated:
    whether a table states their number.

    head: (bytes, n), to be read in place of the first n bytes: a table with the true number of frames, where the file's own
    is missing or wrong; nothing, in place of what stands before the first frame.
    """

    missing: int
    samples: int
    stated: bool
    head: tuple[bytes, int] | None


def skip_id3(data: mmap.mmap) -> int:
    """Where the file begins behind its ID3v2 tags."""
    at = 0
    while data[at : at + 3] == b"ID3" and at + 10 <= len(data):
        size = 0
        for seven_bits in data[at + 6 : at + 10]:
            size = size << 7 | seven_bits & 127
        at += 10 + size + (10 if data[at + 5] & 16 else 0)
    return at


def frame_length(header: int) -> int:
    """Bytes of the MPEG audio frame with these first 32 bits, 0 if they are no header (or one without a bit rate)."""
    version, layer, rate, kind = header >> 19 & 3, 4 - (header >> 17 & 3), header >> 10 & 3, header >> 12 & 15
    if header >> 21 != 0x7FF or version == 1 or layer == 4 or rate == 3 or not 1 <= kind <= 14:
        return 0
    bits, padding = KBPS[version == 3, layer][kind - 1] * 1000, header >> 9 & 1
    if layer == 1:
        return (12 * bits // RATES[version][rate] + padding) * 4
    return (72 if layer == 3 and version != 3 else 144) * bits // RATES[version][rate] + padding


def mpeg(data: mmap.mmap) -> Frames | None:
    """The frames of an MP3 (or MP2) file; None if it is none."""
    start = _first(data)
    if start is None:
        return None
    header = int.from_bytes(data[start : start + 4], "big")
    table = _table(data, start, header)
    count, at = _count(data, start + (frame_length(header) if table is not None else 0), header)
    missing, samples = max(at - len(data), 0), count * _samples(header)
    if _goes_on(data, at):
        raise ValueError("frames of another kind follow its last one, perhaps of another sampling rate")
    junk = (b"", start) if start > skip_id3(data) else None
    if table is not None and abs(count - table) <= CLOSE:
        return Frames(missing, samples, True, junk)
    if table is not None and count < table:
        return Frames(max(missing, 1), samples, True, junk)
    skipped = start + (frame_length(header) if table is not None else 0)
    head = (_xing(header, count), skipped) if header >> 17 & 3 == 1 else None  # layer III alone has such a table
    return Frames(missing, samples, False, head)


def _samples(header: int) -> int:
    """Samples of a frame, in each channel."""
    if header >> 17 & 3 == 3:  # layer I
        return 384
    return 576 if header >> 17 & 3 == 1 and header >> 19 & 3 != 3 else 1152


def _first(data: mmap.mmap) -> int | None:
    """Where the first frame begins that another one follows, of the same kind; at the start of the file one is enough."""
    at = start = skip_id3(data)
    while (at := data.find(b"\xff", at, start + FARTHEST)) >= 0:
        header = int.from_bytes(data[at : at + 4], "big")
        if (length := frame_length(header)) and _follows(data, at + length, header):
            return at if at == start or at + length < len(data) else None
        at += 1
    return None


def _follows(data: mmap.mmap, at: int, header: int) -> bool:
    if at >= len(data):
        return True
    following = int.from_bytes(data[at : at + 4], "big")
    return (following ^ header) & SAME == 0 and frame_length(following) > 0


def _goes_on(data: mmap.mmap, at: int) -> bool:
    """Whether three frames of one kind, one after the other, stand somewhere behind `at`."""
    while (at := data.find(b"\xff", at)) >= 0:
        header = int.from_bytes(data[at : at + 4], "big")
        second = at + frame_length(header)
        third = second + frame_length(int.from_bytes(data[second : second + 4], "big"))
        if at < second < third < len(data) and _follows(data, second, header) and _follows(data, third, header):
            return True
        at += 1
    return False


def _count(data: mmap.mmap, at: int, header: int) -> tuple[int, int]:
    """(number of whole frames, where the last one ends, which may lie behind the end of the file)."""
    count, end = 0, at
    while at + 4 <= len(data):
        here = int.from_bytes(data[at : at + 4], "big")
        length = frame_length(here) if (here ^ header) & SAME == 0 else 0
        if not length or (at > end and not _follows(data, at + length, header)):  # not a frame, or not after a gap
            at = data.find(b"\xff", at + 1)
            if at < 0:
                break
            continue
        at = end = at + length
        count += at <= len(data)
    return count, end


def _table(data: mmap.mmap, start: int, header: int) -> int | None:
    """The number of frames in the table of the first frame, -1 if it does not say; None if the frame is no table."""
    frame = data[start : start + frame_length(header)]
    at = 4 + _side_information(header)
    for place in (at, at + 2):  # behind a checksum
        if frame[place : place + 4] in (b"Xing", b"Info"):
            flags = int.from_bytes(frame[place + 4 : place + 8], "big")
            return int.from_bytes(frame[place + 8 : place + 12], "big") if flags & 1 else -1
    return int.from_bytes(frame[50:54], "big") if frame[36:40] == b"VBRI" else None


def _side_information(header: int) -> int:
    """Bytes between a frame's header and its sound."""
    mono, first_version = header >> 6 & 3 == 3, header >> 19 & 3 == 3
    return (17 if mono else 32) if first_version else (9 if mono else 17)


def _xing(header: int, frames: int) -> bytes:
    """A frame without sound that states the number of frames."""
    header = (header | 1 << 16) & ~(15 << 12 | 1 << 9) | 8 << 12  # no checksum, no padding, a bit rate with room for it
    table = b"Xing" + struct.pack(">II", 1, frames)
    return (header.to_bytes(4, "big") + bytes(_side_information(header)) + table).ljust(frame_length(header), b"\0")


def adts(data: mmap.mmap) -> int | None:
    """Bytes that the last frame of an AAC file (ADTS) lacks; None if it is none."""
    at, count = skip_id3(data), 0
    while at + 7 <= len(data) and data[at] == 0xFF and data[at + 1] & 0xF6 == 0xF0:
        length = (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
        if length < 7:
            break
        at, count = at + length, count + 1
    if not count:
        return None
    return max(at - len(data), 7 - (len(data) - at) if 0 < len(data) - at < 7 else 0)
