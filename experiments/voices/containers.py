"""Which sound files are read wholly, by container and codec: thirty kinds, each written in six ways, and each then cut.

`python -m experiments.voices.containers --out DIR` writes the files with ffmpeg and sox, reads them with `read_clip`, and
compares the seconds with those that ffmpeg decodes. `--markdown docs/corpora.md` replaces the table there. Exit code 1 if a
file loses sound without a word, or if the cut of a file is not told.
"""

import argparse
import json
import re
import shutil
import struct
import subprocess
import sys
import warnings
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile as sf

from features.audio import PYAV_EXTENSIONS, BadClip, Doubt, read_clip
from features.synth import draw_speaker, speak
from features.whole_files import replace_file

RATE, SECONDS = 16_000, 10.0
CLOSE_S = 0.1  # codecs add and drop some hundredths at the ends
SHARE = 0.55  # of a file's bytes that are left when it is cut
BEGIN, END = "<!-- table of experiments.voices.containers -->", "<!-- end of the table -->"


class Kind(NamedTuple):
    """A container with a codec.

    ffmpeg, sox: the options that write it, None if the program cannot. also: other endings of such files. unfinished:
    ffmpeg's options for a file that does not state its length, where FFmpeg has such.
    """

    container: str
    codec: str
    ending: str
    ffmpeg: str | None = None
    sox: str | None = None
    also: str = ""
    unfinished: str = ""


FRAGMENTS = "-movflags frag_keyframe+empty_moov"
KINDS = (
    Kind("WAV", "PCM, 16 bits", ".wav", "-f wav -c:a pcm_s16le", "-t wav -b 16", ".wave .bwf"),
    Kind("WAV", "PCM, 24 bits", ".wav", "-f wav -c:a pcm_s24le", "-t wav -b 24"),
    Kind("WAV", "float", ".wav", "-f wav -c:a pcm_f32le", "-t wav -e float -b 32"),
    Kind("WAV", "A-law", ".wav", "-f wav -c:a pcm_alaw", "-t wav -e a-law"),
    Kind("WAV", "IMA ADPCM", ".wav", "-f wav -c:a adpcm_ima_wav", "-t wav -e ima-adpcm"),
    Kind("WAV", "GSM 6.10", ".wav", "-f wav -c:a libgsm_ms -ar 8000", "-t wav -e gsm-full-rate -r 8000"),
    Kind("WAV", "MP3", ".wav", "-f wav -c:a libmp3lame"),
    Kind("RF64", "PCM, 16 bits", ".rf64", "-f wav -rf64 always"),
    Kind("Wave64", "PCM, 16 bits", ".w64", "-f w64", "-t w64"),
    Kind("AIFF", "PCM, 16 bits", ".aiff", "-f aiff", "-t aiff", ".aif"),
    Kind("AIFF-C", "µ-law", ".aifc", "-f aiff -c:a pcm_mulaw", "-t aifc"),
    Kind("AU", "PCM, 16 bits", ".au", "-f au", "-t au", ".snd"),
    Kind("CAF", "PCM, 16 bits", ".caf", "-f caf -c:a pcm_s16le", "-t caf"),
    Kind("CAF", "ALAC", ".caf", "-f caf -c:a alac"),
    Kind("NIST SPHERE", "PCM, 16 bits", ".sph", None, "-t sph"),
    Kind("FLAC", "FLAC", ".flac", "-f flac", "-t flac"),
    Kind("Ogg", "Vorbis", ".ogg", "-f ogg -c:a libvorbis", "-t ogg", ".oga"),
    Kind("Ogg", "Opus", ".opus", "-f ogg -c:a libopus"),
    Kind("Ogg", "Speex", ".spx", "-f ogg -c:a libspeex"),
    Kind("MP3", "MPEG layer III", ".mp3", "-f mp3 -q:a 5", "-t mp3", "", "-f mp3 -q:a 5 -write_xing 0"),
    Kind("MP2", "MPEG layer II", ".mp2", "-f mp2", "-t mp2"),
    Kind("MP4", "AAC", ".m4a", "-f ipod -c:a aac", None, ".m4b .m4v .mp4", f"-f mp4 {FRAGMENTS} -c:a aac"),
    Kind("QuickTime", "ALAC", ".mov", "-f mov -c:a alac", None, "", f"-f mov {FRAGMENTS} -c:a alac"),
    Kind("3GP", "AAC", ".3gp", "-f 3gp -c:a aac", None, ".3g2 .3ga .3gpp", f"-f 3gp {FRAGMENTS} -c:a aac"),
    Kind("AMR", "narrow band", ".amr", None, "-t amr-nb -r 8000", ".awb"),
    Kind("ADTS", "AAC", ".aac", "-f adts -c:a aac"),
    Kind("WebM", "Opus", ".webm", "-f webm -c:a libopus", None, ".weba", "-f webm -c:a libopus -live 1"),
    Kind("Matroska", "Vorbis", ".mka", "-f matroska -c:a libvorbis", None, ".mkv", "-f matroska -c:a libvorbis -live 1"),
    Kind("ASF", "WMA 2", ".wma", "-f asf -c:a wmav2", None, ".asf .wmv"),
    Kind("WavPack", "WavPack", ".wv", "-f wv", "-t wv"),
    Kind("True Audio", "TTA", ".tta", "-f tta"),
)  # fmt: skip
SIZES = {  # the chunk that states the length of the sound, how, and how far behind its name
    ".wav": (b"data", "<I", 4),
    ".rf64": (b"ds64", "<Q", 16),
    ".w64": (bytes.fromhex("64617461f3acd3118cd100c04f8edb8a"), "<Q", 16),
    ".aiff": (b"SSND", ">I", 4),
    ".aifc": (b"SSND", ">I", 4),
    ".au": (b".snd", ">I", 8),
    ".caf": (b"data", ">Q", 4),
    ".flac": (b"fLaC", ">Q", 18),  # never overstated below: 44 samples are a real loss
}
BY_PYAV = (("WAV", "MP3"), ("CAF", "ALAC"))  # codecs that libsndfile does not know
JOINED = (".mp3", ".mp2", ".ogg", ".opus", ".spx", ".aac", ".amr")
WAYS = {
    "ffmpeg": "ffmpeg writes a file",
    "ffmpeg, pipe": "ffmpeg writes to a pipe",
    "sox": "sox writes a file",
    "sox, pipe": "sox writes to a pipe",
    "unfinished": "no length is stated: a killed recorder, variable bit rate without a table, fragments, a live recording",
    "odd": "44 bytes more are stated than there are; or two files one after the other; or two channels at 48 kHz",
}


@dataclass(frozen=True)
class Reading:
    """What became of a file.

    expected: seconds, as ffmpeg decodes it. seconds: read, None if it was refused. words: the refusal or the doubt, "" for
    neither. cut, cut_s: the words about its first part alone, "" for none, and the seconds read, None if refused.
    """

    container: str
    codec: str
    way: str
    expected: float
    seconds: float | None
    words: str
    cut: str
    cut_s: float | None = None

    @property
    def verdict(self) -> str:
        """whole, refused, said (not whole, in words), or what must not be: no cure, lost, longer."""
        if self.seconds is None:
            return "refused" if "ffmpeg -i" in self.words else "no cure"
        if abs(self.seconds - self.expected) <= CLOSE_S:
            return "whole"
        return "said" if self.words else "lost" if self.seconds < self.expected else "longer"


def write(kind: Kind, way: str, source: Path, path: Path) -> str:
    """Write the source as such a file in such a way. Returns "", or why there is none."""
    by_sox = way.startswith("sox") or kind.ffmpeg is None
    options = kind.sox if by_sox else kind.ffmpeg
    sized = kind.ending in SIZES and kind.codec not in ("ALAC", "MP3")
    if options is None or (way.startswith("ffmpeg") and by_sox):
        return f"{'sox' if way.startswith('sox') else 'ffmpeg'} does not write it"
    if kind.unfinished and (way == "unfinished" or (way == "ffmpeg, pipe" and FRAGMENTS in kind.unfinished)):
        options = kind.unfinished
    elif way == "unfinished" and not sized:
        return "it is never without its length, or always"
    if way == "odd" and not ((sized and kind.ending != ".flac") or kind.ending in JOINED):
        options += " -c 2" if by_sox else " -ac 2 -ar 48000"
    target = "-" if way.endswith("pipe") else str(path)
    before = ["sox", "-D", str(source)] if by_sox else ["ffmpeg", "-v", "error", "-y", "-i", str(source)]
    made = subprocess.run([*before, *options.split(), target], capture_output=True, check=False)
    if target == "-":
        path.write_bytes(made.stdout)
    if made.returncode:
        path.unlink(missing_ok=True)
        return f"{before[0]} does not write it: {made.stderr.decode(errors='replace').strip().splitlines()[0]}"
    if sized and (way == "unfinished" or (way == "odd" and kind.ending != ".flac")):
        path.write_bytes(resized(path.read_bytes(), kind.ending, None if way == "unfinished" else 44))
    elif way == "odd" and kind.ending in JOINED:
        again = path.read_bytes()
        path.write_bytes(again + (again[6:] if kind.ending == ".amr" else again))
    return ""


def resized(content: bytes, ending: str, more: int | None) -> bytes:
    """The file with a header that states `more` bytes of sound than there are, or (None) no number of them."""
    name, form, behind = SIZES[ending]
    at, size = content.index(name) + behind, struct.calcsize(form)
    (stated,) = struct.unpack_from(form, content, at)
    none = stated >> 36 << 36 if ending == ".flac" else 0  # the lower 36 bits of FLAC's field are the number of samples
    return content[:at] + struct.pack(form, none if more is None else stated + more) + content[at + size :]


def expected_s(path: Path) -> float:
    """Seconds of sound that ffmpeg decodes, or that were written if it decodes none."""
    command = [
        "ffmpeg",
        "-v",
        "quiet",
        "-i",
        str(path),
        "-map",
        "0:a:0",
        "-f",
        "s16le",
        "-ac",
        "1",
        "-ar",
        str(RATE),
        "-",
    ]
    decoded = len(subprocess.run(command, capture_output=True, check=False).stdout) / 2 / RATE
    return decoded or SECONDS  # ffmpeg finds nothing in a W64 or AIFF without a length


def read(path: Path) -> tuple[float | None, str]:
    """(seconds that `read_clip` reads, or None if it refuses; what it says)."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            samples, rate = read_clip(path)
        except BadClip as bad:
            return None, bad.detail
    return len(samples) / rate, "; ".join(str(w.message) for w in said if issubclass(w.category, Doubt))


def matrix(out: Path) -> tuple[list[Reading], dict[str, str]]:
    """Write, read, cut and read again every kind in every way: (readings, why there is no file, by its name)."""
    out.mkdir(parents=True, exist_ok=True)
    source = out / "voice.wav"
    rng = np.random.default_rng(3)
    sf.write(source, speak(draw_speaker("female", "f", rng), SECONDS, rng, RATE), RATE)
    readings, absent = [], {}
    for kind in KINDS:
        for way in WAYS:
            name = f"{kind.container} {kind.codec} {way}"
            path = out / f"{re.sub('[ ,.]+', '_', name)}{kind.ending}"
            if why := write(kind, way, source, path):
                absent[name] = why
                continue
            seconds, words = read(path)
            cut = path.with_name(f"cut_{path.name}")
            content = path.read_bytes()
            cut.write_bytes(content[: round(SHARE * len(content))])
            readings.append(Reading(*kind[:2], way, expected_s(path), seconds, words, *reversed(read(cut))))
    return readings, absent


def markdown(readings: list[Reading]) -> str:
    """The table of docs/corpora.md: a row for each container and codec."""
    rows = [f"| container | codec | files | by | {' | '.join(WAYS)} | cut |", "|---" * (len(WAYS) + 5) + "|"]
    for kind in KINDS:
        found = {r.way: r for r in readings if (r.container, r.codec) == kind[:2]}
        by = "PyAV" if kind.ending in PYAV_EXTENSIONS or kind[:2] in BY_PYAV else "libsndfile"
        endings = " ".join([kind.ending, *kind.also.split()])
        ways = [_cell(found.get(way)) for way in WAYS]
        told = f"{sum(bool(r.cut) for r in found.values())} of {len(found)}"
        rows.append("| " + " | ".join([kind.container, kind.codec, endings, by, *ways, told]) + " |")
    return "\n".join(rows)


def _cell(reading: Reading | None) -> str:
    if reading is None:
        return "-"
    if reading.verdict == "whole":
        return "yes, note" if reading.words else "yes"
    return {"said": "a part, told"}.get(reading.verdict, reading.verdict)


def replace_table(path: Path, table: str) -> None:
    """Put the table between the marks of a document. ValueError if it has none."""
    text = path.read_text(encoding="utf-8")
    before, found, rest = text.partition(BEGIN)
    _, closed, after = rest.partition(END)
    if not (found and closed):
        raise ValueError(f"{path} has no place for the table: expected the lines {BEGIN} and {END}")
    replace_file(path, f"{before}{BEGIN}\n\n{table}\n\n{END}{after}")


def main() -> int:
    """The command. Returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for the files and readings.json")
    parser.add_argument("--markdown", type=Path, help="document whose table is replaced")
    options = parser.parse_args()
    if missing := [tool for tool in ("ffmpeg", "sox") if shutil.which(tool) is None]:
        print(
            f"{' and '.join(missing)}: not installed, and needed to write the files (apt-get install {' '.join(missing)} "
            "libsox-fmt-all)",
            file=sys.stderr,
        )
        return 2
    readings, absent = matrix(options.out)
    replace_file(
        options.out / "readings.json", json.dumps([asdict(r) | {"verdict": r.verdict} for r in readings], indent=1)
    )
    for r in readings:
        seconds = "refused" if r.seconds is None else f"{r.seconds:.2f} s"
        print(f"{r.verdict:8}{r.container:12}{r.codec:16}{r.way:14}{seconds:>8} of {r.expected:5.2f} s  {r.words[:60]}")
        if not r.cut:
            print(f"{'':8}its first {SHARE:.0%} is read without a word")
    for name, why in absent.items():
        print(f"no file: {name}: {why}")
    counts = Counter(r.verdict for r in readings)
    told = sum(bool(r.cut) for r in readings)
    refused = sum(r.cut_s is None for r in readings)
    print(f"{len(readings)} files ({len(absent)} cannot be written): {dict(counts)}")
    print(f"cut at {SHARE:.0%}: {told} of {len(readings)} told, {refused} refused and the others read with a note")
    if options.markdown:
        replace_table(options.markdown, markdown(readings))
    return int(bool(counts.keys() - {"whole", "refused", "said"}) or told < len(readings))


if __name__ == "__main__":
    sys.exit(main())
