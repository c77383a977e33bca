import contextlib
import os
import pickle
import struct
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from features.audio import BadClip, Doubt, check_samples, conversion, duration, read_clip, read_stretches
from features.wholeness import layout

RATE = 16_000
TONE = 0.3 * np.sin(2 * np.pi * 150 * np.arange(RATE) / RATE)  # (16000,) 1 s


def wav(samples=TONE, channels=1, rate=RATE, promised=None):
    """The bytes of a 16-bit WAV whose header may say what is not so."""
    data = (np.asarray(samples) * 32767).astype("<i2").tobytes()
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * channels * 2 & 0xFFFFFFFF, channels * 2, 16)
    size = len(data) if promised is None else promised
    return (
        b"RIFF"
        + struct.pack("<I", 36 + len(data))
        + b"WAVEfmt \x10\0\0\0"
        + form
        + b"data"
        + struct.pack("<I", size)
        + data
    )


def encoded(tmp_path, ending, samples=TONE, **settings):
    path = tmp_path / f"whole.{ending}"
    sf.write(path, samples, RATE, **settings)
    return path.read_bytes()


@pytest.mark.parametrize(("ending", "error"), [("wav", 1 / 32768), ("flac", 1 / 32768), ("ogg", 0.05), ("mp3", 0.05)])
def test_a_clip_is_decoded_whatever_its_format(tmp_path, ending, error):
    # 16 bits round by half a step each way; the two lossy codecs only have to be recognisable.
    sf.write(tmp_path / f"clip.{ending}", TONE, RATE)
    samples, rate = read_clip(tmp_path / f"clip.{ending}")
    assert (rate, samples.shape, samples.dtype) == (RATE, TONE.shape, np.float64)
    assert np.abs(samples - TONE)[200:-200].max() <= error
    assert duration(tmp_path / f"clip.{ending}") == 1.0


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3"])
def test_a_stretch_of_a_clip_is_what_the_whole_clip_has_there(tmp_path, ending):
    chirp = 0.3 * np.sin(2 * np.pi * (100 + 50 * np.arange(3 * RATE) / RATE) * np.arange(3 * RATE) / RATE)
    sf.write(tmp_path / f"clip.{ending}", chirp, RATE)
    whole, _ = read_clip(tmp_path / f"clip.{ending}")
    stretch, _ = read_clip(tmp_path / f"clip.{ending}", 1.25, 2.0)
    np.testing.assert_allclose(stretch, whole[20_000:32_000], atol=1e-7)  # decoders work in float32


def test_a_stretch_that_is_too_long_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    sf.write(tmp_path / "long.wav", TONE, RATE)
    assert len(read_clip(tmp_path / "long.wav", longest_s=1.0)[0]) == RATE
    assert len(read_clip(tmp_path / "long.wav", 0.25, 0.75, longest_s=0.5)[0]) == RATE // 2
    monkeypatch.setattr(sf.SoundFile, "read", None)
    with pytest.raises(BadClip, match=r"it lasts 1\.0 s, more than the 0\.9 s .*--window") as refused:
        read_clip(tmp_path / "long.wav", longest_s=0.9)
    assert refused.value.reason == "too_long"


def test_a_flac_without_a_stated_length_is_read_and_said_so(tmp_path):
    # The 36 bits from the 22nd byte of a FLAC's first block on are the number of samples, 0 where it was not known.
    content = bytearray(encoded(tmp_path, "flac"))
    content[21:26] = bytes([content[21] & 0xF0, 0, 0, 0, 0])
    (tmp_path / "piped.flac").write_bytes(content)
    assert duration(tmp_path / "piped.flac") == 1.0
    for read in (read_clip, lambda path: next(iter(list(read_stretches(path, 1.0))))):
        with pytest.warns(Doubt, match="does not state its length"):
            assert len(read(tmp_path / "piped.flac")[0]) == RATE
    with pytest.warns(Doubt):
        assert len(read_clip(tmp_path / "piped.flac", 0.25, 0.75)[0]) == RATE // 2


def test_what_lies_before_a_stretch_of_an_mp3_is_decoded_a_block_at_a_time(tmp_path, monkeypatch):
    chirp = 0.3 * np.sin(2 * np.pi * (100 + 50 * np.arange(3 * RATE) / RATE) * np.arange(3 * RATE) / RATE)
    sf.write(tmp_path / "clip.mp3", chirp, RATE)
    whole, _ = read_clip(tmp_path / "clip.mp3")
    monkeypatch.setattr("features.decoding.BLOCK", 1000)
    read, counts = sf.SoundFile.read, []
    monkeypatch.setattr(sf.SoundFile, "read", lambda self, n, **how: counts.append(n) or read(self, n, **how))
    stretch, _ = read_clip(tmp_path / "clip.mp3", 1.5, 2.0)
    np.testing.assert_allclose(stretch, whole[24_000:32_000], atol=1e-7)  # decoders work in float32
    assert sorted(set(counts)) == [0, 1000, 8000]
    assert duration(tmp_path / "clip.mp3") == 3.0


def test_stretches_of_an_mp3_follow_each_other_without_a_gap(tmp_path):
    sf.write(tmp_path / "clip.mp3", np.tile(TONE, 3), RATE)
    stretches = [channels[:, 0] for channels, _ in read_stretches(tmp_path / "clip.mp3", 0.7)]
    np.testing.assert_allclose(np.concatenate(stretches), read_clip(tmp_path / "clip.mp3")[0], atol=1e-7)


@pytest.mark.parametrize("read", [read_clip, duration, lambda path: list(read_stretches(path, 0.5))])
def test_messages_of_a_decoder_are_hidden_and_other_output_is_not(tmp_path, capfd, read):
    content = bytearray(encoded(tmp_path, "mp3", np.tile(TONE, 5)))
    content[4000:4300] = np.random.default_rng(0).bytes(300)
    (tmp_path / "damaged.mp3").write_bytes(content)
    with contextlib.suppress(RuntimeError), sf.SoundFile(tmp_path / "damaged.mp3") as file:
        file.read()
    assert "resync" in capfd.readouterr().err
    with contextlib.suppress(BadClip):
        read(tmp_path / "damaged.mp3")
    os.write(2, b"heard")
    assert capfd.readouterr().err == "heard"


def test_channels_are_averaged(tmp_path):
    sf.write(tmp_path / "stereo.wav", np.stack([TONE, 0.5 * TONE], axis=1), RATE, subtype="DOUBLE")
    np.testing.assert_allclose(read_clip(tmp_path / "stereo.wav")[0], 0.75 * TONE, rtol=1e-15)


@pytest.mark.parametrize("promised", [0, 0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFF - 36])
def test_a_stream_whose_header_does_not_know_its_length_is_read(tmp_path, promised):
    (tmp_path / "stream.wav").write_bytes(wav(promised=promised))
    with pytest.warns(Doubt, match="does not state its length"):
        assert len(read_clip(tmp_path / "stream.wav")[0]) == RATE


@pytest.mark.parametrize("more", [2, 44])
def test_a_header_that_counts_itself_as_sound_is_no_cut(tmp_path, more):
    (tmp_path / "phone.wav").write_bytes(wav(promised=2 * RATE + more))
    assert len(read_clip(tmp_path / "phone.wav")[0]) == RATE


def test_sound_that_the_header_does_not_count_is_said(tmp_path):
    (tmp_path / "x.wav").write_bytes(wav(promised=RATE))
    with pytest.warns(Doubt, match=r"16,000 bytes behind its sound .* ffmpeg -ignore_length 1"):
        assert len(read_clip(tmp_path / "x.wav")[0]) == RATE // 2


SIZES = {  # of each kind of file the bytes before the field with the length of its sound, which is 0 in a killed recorder's
    "aiff": (b"SSND", 4),
    "au": (b".snd" + bytes([0, 0, 0, 24]), 4),
    "caf": (b"data", 8),
    "w64": (bytes.fromhex("64617461f3acd3118cd100c04f8edb8a"), 8),
    "rf64": (b"ds64" + bytes([28, 0, 0, 0]), 16),
}


@pytest.mark.parametrize("kind", SIZES)
def test_every_container_tells_its_cut_and_is_read_without_its_length(tmp_path, kind):
    path = tmp_path / f"x.{kind}"
    sf.write(path, TONE, RATE, format=kind.upper(), subtype="PCM_16")
    whole, (before, width) = path.read_bytes(), SIZES[kind]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(read_clip(path)[0]) == RATE
    path.write_bytes(whole[: round(0.55 * len(whole))])
    with pytest.raises(BadClip, match=r"breaks off.*ffmpeg -i") as cut:
        read_clip(path)
    assert cut.value.reason == "truncated"
    at = whole.index(before) + len(before)
    path.write_bytes(whole[:at] + bytes(width) + whole[at + width :])
    with pytest.warns(Doubt):
        assert abs(len(read_clip(path)[0]) - RATE) <= 8  # what follows the sound may be taken for it


def test_a_cut_sphere_file_is_told(tmp_path):
    sf.write(tmp_path / "x.sph", TONE, RATE, format="NIST", subtype="PCM_16")
    assert len(read_clip(tmp_path / "x.sph")[0]) == RATE
    (tmp_path / "x.sph").write_bytes((tmp_path / "x.sph").read_bytes()[:20_000])
    with pytest.raises(BadClip, match="breaks off"):
        read_clip(tmp_path / "x.sph")


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_an_ogg_without_its_last_page_is_told(tmp_path, subtype):
    path = tmp_path / "x.ogg"
    sf.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 3 * RATE), RATE, format="OGG", subtype=subtype)
    whole = path.read_bytes()
    path.write_bytes(whole[: round(0.55 * len(whole))])
    with pytest.raises(BadClip, match="breaks off"):
        read_clip(path)
    path.write_bytes(whole[: whole.rindex(b"OggS")])
    with pytest.warns(Doubt, match="not marked as the end"):
        read_clip(path)


@pytest.mark.parametrize(
    ("content", "missing"),
    [
        (b"#!AMR\n" + (b"\x3c" + bytes(31)) * 3, 0),
        (b"#!AMR\n" + (b"\x3c" + bytes(31)) * 3 + b"\x3c" + bytes(10), 21),
        (b"#!AMR-WB\n" + (b"\x44" + bytes(60)) * 2 + b"\x44", 60),
        ((b"\xff\xf1\x50\x40\x02\x1f\xfc" + bytes(9)) * 3, 0),  # ADTS frames of 16 bytes
        ((b"\xff\xf1\x50\x40\x02\x1f\xfc" + bytes(9)) * 3 + b"\xff\xf1\x50\x40\x02\x1f\xfc", 9),
        (b"\0\0\0\x10ftypM4A 0000" + b"\0\0\1\0mdat" + bytes(100), 148),
        (b"\x1aE\xdf\xa3\x80\x18\x53\x80\x67\xff\x1f\x43\xb6\x75\xff\xa3\x88" + bytes(3), 5),  # a live recorder's WebM
    ],
)
def test_what_the_last_frame_of_a_file_lacks_is_counted(tmp_path, content, missing):
    (tmp_path / "x").write_bytes(content)
    assert layout(tmp_path / "x").missing == missing


def floats(tmp_path, samples):
    return encoded(tmp_path, "wav", samples, subtype="FLOAT")


BROKEN = {
    "nothing there": ("missing", "x.wav", None),
    "zero bytes": ("empty", "x.wav", lambda _: b""),
    "a header alone": ("empty", "x.wav", lambda _: wav([])),
    "words": ("undecodable", "x.wav", lambda _: b"these are words, not sound"),
    "a raw file": ("undecodable", "x.raw", lambda _: b"\1\2" * 9000),
    "webm named wav": ("undecodable", "x.wav", lambda _: b"\x1aE\xdf\xa3" + bytes(900)),
    "no channel": ("undecodable", "x.wav", lambda _: wav(channels=0)),
    "cut wav": ("truncated", "x.wav", lambda _: wav()[:20_000]),
    "cut flac": (
        "truncated",
        "x.flac",
        lambda p: (b := encoded(p, "flac", TONE + 0.01 * np.sin(np.arange(RATE) ** 2)))[: len(b) // 2],
    ),
    "cut mp3": ("truncated", "x.mp3", lambda p: (b := encoded(p, "mp3"))[: len(b) // 2]),
    "nan": ("not_finite", "x.wav", lambda p: floats(p, np.where(np.arange(RATE) == 99, np.nan, TONE))),
    "infinity": ("not_finite", "x.wav", lambda p: floats(p, np.where(np.arange(RATE) == 99, np.inf, TONE))),
    "a sample of 1e30": ("out_of_range", "x.wav", lambda p: floats(p, np.where(np.arange(RATE) == 99, 1e30, TONE))),
    "floats on the scale of 16 bits": ("out_of_range", "x.wav", lambda p: floats(p, TONE * 32768)),
    "zeros": ("silent", "x.wav", lambda _: wav(np.zeros(RATE))),
    "a constant": ("silent", "x.wav", lambda _: wav(np.full(RATE, 0.5))),
    "61 dB down": ("silent", "x.wav", lambda p: floats(p, TONE / TONE.std() * 10 ** (-61 / 20))),
    "stereo in anti-phase": ("silent", "x.wav", lambda p: encoded(p, "wav", np.stack([TONE, -TONE], axis=1))),
    "a rate of 2^31 - 1": ("rate", "x.wav", lambda _: wav(rate=2**31 - 1)),
    "a rate of 100 Hz": ("rate", "x.wav", lambda _: wav(rate=100)),
    "59 ms": ("too_short", "x.wav", lambda _: wav(TONE[:944])),
}


@pytest.mark.parametrize(("reason", "name", "make"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_clip_is_refused_by_name_and_reason(tmp_path, reason, name, make):
    if make is not None:
        (tmp_path / name).write_bytes(make(tmp_path))
    with pytest.raises(BadClip) as caught:
        read_clip(tmp_path / name)
    assert caught.value.reason == reason
    assert str(tmp_path / name) in str(caught.value)


def test_what_lies_just_inside_the_limits_is_accepted(tmp_path):
    for name, content in {
        "quiet": floats(tmp_path, TONE / TONE.std() * 10 ** (-59 / 20)),
        "short": wav(TONE[:960]),
        "above full scale": floats(tmp_path, TONE / TONE.max() * 1.5),
        "telephone": wav(rate=8000),
    }.items():
        (tmp_path / f"{name}.wav").write_bytes(content)
        read_clip(tmp_path / f"{name}.wav")


def test_a_stretch_after_the_end_is_told_with_the_length_of_the_file(tmp_path):
    (tmp_path / "x.wav").write_bytes(wav())
    with pytest.raises(BadClip, match=r"it lasts 1\.00 s: the stretch from 2 s to 3 s holds no sound") as caught:
        read_clip(tmp_path / "x.wav", 2.0, 3.0)
    assert caught.value.reason == "empty"
    with pytest.warns(Doubt, match=r"it lasts 1\.00 s: only a part of the stretch from 0\.5 s to 3 s"):
        assert len(read_clip(tmp_path / "x.wav", 0.5, 3.0)[0]) == RATE // 2


@pytest.mark.skipif(sys.platform != "linux", reason="file names are text elsewhere")
def test_a_name_that_is_no_utf_8_is_read_and_shown(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9's.wav"))
    path.write_bytes(wav())
    assert len(read_clip(path)[0]) == RATE
    path.write_bytes(b"words, not sound")
    with pytest.raises(BadClip) as refused:
        read_clip(path)
    cure = str(refused.value).encode().decode().split("convert it: ")[1]  # printable wherever UTF-8 is
    named = subprocess.run(
        ["bash", "-c", cure.replace("ffmpeg -i", "printf %s")], stdout=subprocess.PIPE, check=True
    ).stdout
    assert named.startswith(os.fsencode(path))


def test_the_cure_quotes_names_for_the_shell():
    assert conversion("my voice.m4a") == "ffmpeg -i 'my voice.m4a' -ac 1 'my voice.wav'"
    assert conversion("-x.wav") == "ffmpeg -i ./-x.wav -ac 1 ./-x-1.wav"


def test_variable_bit_rate_without_a_table_is_read_to_its_end(tmp_path):
    # Loud noise first: the bit rate of the first frame promises less than half of the sound, and libsndfile believes it.
    quiet = np.concatenate([np.random.default_rng(0).uniform(-0.9, 0.9, RATE // 2), 0.1 * np.tile(TONE, 4)])
    whole = encoded(tmp_path, "mp3", quiet, bitrate_mode="VARIABLE", compression_level=0.5)
    tag = max(whole.find(b"Xing"), whole.find(b"Info"))
    content = whole[whole.find(whole[:2], tag + 50) :]
    (tmp_path / "x.mp3").write_bytes(content)
    assert sf.info(tmp_path / "x.mp3").frames < 0.8 * len(quiet)
    with pytest.warns(Doubt):
        assert len(read_clip(tmp_path / "x.mp3")[0]) == pytest.approx(len(quiet), abs=4 * 576)
    assert duration(tmp_path / "x.mp3") == pytest.approx(4.5, abs=0.2)
    (tmp_path / "two.mp3").write_bytes(whole + whole)  # the first one's table counts half of the frames
    assert duration(tmp_path / "two.mp3") == pytest.approx(9, abs=0.2)
    (tmp_path / "x.mp3").write_bytes(content[: len(content) * 55 // 100 | 1])
    with pytest.raises(BadClip, match="breaks off"):
        read_clip(tmp_path / "x.mp3")


def test_an_mp3_whose_length_is_a_guess_is_not_called_cut(tmp_path):
    # Variable bit rate, and the first frame (the one that tells the length) taken away: libsndfile's guess is far off.
    gated = np.tile(np.concatenate([np.zeros(RATE), TONE]), 5)
    whole = encoded(tmp_path, "mp3", gated, bitrate_mode="VARIABLE", compression_level=0.5)
    tag = max(whole.find(b"Xing"), whole.find(b"Info"))
    (tmp_path / "x.mp3").write_bytes(whole[whole.find(whole[:2], tag + 50) :])
    assert sf.info(tmp_path / "x.mp3").frames > 1.1 * len(gated)
    with pytest.warns(Doubt):
        assert len(read_clip(tmp_path / "x.mp3")[0]) == pytest.approx(len(gated), abs=4 * 576)  # MP3 frames hold 576
    assert duration(tmp_path / "x.mp3") == pytest.approx(10, abs=0.2)


@pytest.mark.parametrize("ending", ["mp3", "flac"])
def test_a_second_recording_in_a_file_is_not_left_out_in_silence(tmp_path, ending):
    sf.write(tmp_path / "other", TONE, 2 * RATE, format=ending)
    joined = encoded(tmp_path, ending) + (tmp_path / "other").read_bytes()
    (tmp_path / "x").write_bytes(joined)
    with pytest.raises(BadClip, match=r"follow.*ffmpeg -i"):
        read_clip(tmp_path / "x")


@pytest.mark.parametrize("stated", [1, 36, 32_000 + 500 + 44])
def test_a_size_that_is_that_of_the_header_or_of_the_file_is_no_cut(tmp_path, stated):
    content = wav(promised=stated)
    content = content[:36] + b"JUNK" + struct.pack("<I", 492) + bytes(492) + content[36:]
    (tmp_path / "x.wav").write_bytes(content)
    with contextlib.nullcontext() if stated > 36 else pytest.warns(Doubt, match="does not state its length"):
        assert len(read_clip(tmp_path / "x.wav")[0]) == RATE


def test_sound_that_a_header_leaves_out_is_said(tmp_path):
    au = encoded(tmp_path, "au")
    (tmp_path / "half.au").write_bytes(au[:8] + struct.pack(">I", 16_000) + au[12:])
    whole = wav()
    (tmp_path / "two.wav").write_bytes(whole + whole[36:])
    for name, samples in (("half.au", 8_000), ("two.wav", 16_000)):
        with pytest.warns(Doubt, match="bytes behind its sound"):
            assert len(read_clip(tmp_path / name)[0]) == samples


def test_an_mp3_begins_at_its_first_frame_whatever_stands_before(tmp_path):
    (tmp_path / "x.mp3").write_bytes(bytes(300_000) + encoded(tmp_path, "mp3"))
    assert len(read_clip(tmp_path / "x.mp3")[0]) == pytest.approx(RATE, abs=1152)
    (tmp_path / "x.mp3").write_bytes(b"no sound" * 999 + encoded(tmp_path, "mp3")[:300][-200:])
    assert layout(tmp_path / "x.mp3").kind == ""  # one frame at the end of something else is no MP3


def test_a_bad_clip_keeps_its_reason_when_it_is_pickled():
    bad = pickle.loads(pickle.dumps(BadClip("silent", "a.wav", "it is silent")))
    assert (bad.reason, str(bad)) == ("silent", "a.wav: it is silent")


@pytest.mark.skipif(os.name != "posix", reason="there are no pipes in folders")
@pytest.mark.parametrize(("make", "words"), [(Path.mkdir, "it is a folder"), (os.mkfifo, "it is a pipe or a device")])
def test_what_is_no_file_is_not_opened(tmp_path, make, words):
    make(tmp_path / "x.wav")
    with pytest.raises(BadClip, match=words) as caught:
        read_clip(tmp_path / "x.wav")
    assert caught.value.reason == "not_a_file"


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
@pytest.mark.parametrize("closed", ["x.wav", "."], ids=["the file", "its folder"])
def test_an_unreadable_file_has_another_reason_than_a_damaged_one(tmp_path, monkeypatch, closed):
    (tmp_path / "x.wav").write_bytes(wav())
    tmp_path.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    (tmp_path / closed).chmod(0)
    try:
        assert reason_for_nobody("x.wav") == "unreadable"
    finally:
        tmp_path.chmod(0o755)


def reason_for_nobody(name):
    """Why a user without root's rights cannot read a file; root may read every file."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        with pytest.raises(BadClip) as refused:
            read_clip(name)
        return refused.value.reason
    finally:
        if root:
            os.seteuid(0)


def test_a_reason_that_is_not_in_the_list_is_no_reason():
    with pytest.raises(ValueError, match="bored"):
        BadClip("bored", "a.wav", "it is boring")


# -- a recording in stretches ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("length", "stretches"), [(1.0, [1.0]), (2.0, [2.0]), (2.9, [2.9]), (3.0, [2.0, 1.0]), (7.5, [2, 2, 2, 1.5])]
)
def test_stretches_are_the_whole_recording_and_nothing_twice(tmp_path, length, stretches):
    x = np.random.default_rng(0).uniform(-0.5, 0.5, (round(length * 8_000), 2))
    sf.write(tmp_path / "x.wav", x, 8_000, subtype="DOUBLE")
    parts = [part for part, rate in read_stretches(tmp_path / "x.wav", 2.0) if rate == 8_000]
    assert [len(part) / 8_000 for part in parts] == stretches
    np.testing.assert_array_equal(np.concatenate(parts), x)


@pytest.mark.parametrize("ending", ["wav", "flac", "mp3"])
def test_a_recording_that_breaks_off_is_noticed_at_its_end(tmp_path, ending):
    whole = encoded(tmp_path, ending, np.random.default_rng(0).uniform(-0.5, 0.5, 5 * RATE))
    (tmp_path / f"cut.{ending}").write_bytes(whole[: len(whole) // 2])
    stretches = read_stretches(tmp_path / f"cut.{ending}", 1.0)
    with pytest.raises(BadClip, match="breaks off") as refused:
        list(stretches)
    assert refused.value.reason == "truncated"


def test_an_empty_recording_is_one_empty_stretch(tmp_path):
    sf.write(tmp_path / "x.wav", np.zeros(0), 8_000)
    ((part, rate),) = read_stretches(tmp_path / "x.wav", 1.0)
    with pytest.raises(BadClip, match="0 samples"):
        check_samples(part, rate, "x.wav")
