"""WebM and MP4 as browsers and phones record them: their sound is read, or refused with the same errors as any other clip."""

import builtins
import io
import warnings

import numpy as np
import pytest
import soundfile as sf

from features import containers
from features.audio import BadClip, Doubt, duration, read_clip, read_stretches
from features.frames import LOG_F0, frames
from features.speech import find_speech
from features.synth import draw_speaker, speak

av = pytest.importorskip("av", reason="needs PyAV: pip install av")
RATE = 48_000  # Opus knows no other but parts of it
KINDS = {"webm": ("webm", "libopus"), "m4a": ("ipod", "aac")}


@pytest.fixture(scope="module")
def voice():
    """(n,) 3 s of a synthetic voice."""
    rng = np.random.default_rng(2)
    return speak(draw_speaker("female", "f", rng), 3.0, rng, RATE)


def encoded(samples, ending="webm", seekable=True):
    """The bytes of samples (n,) in a container; without seeking its writer cannot go back and say how long it became."""
    kind, codec = KINDS[ending]
    target = io.BytesIO()
    if not seekable:
        target.seek = None
    with av.open(target, "w", format=kind) as file:
        stream = file.add_stream(codec, rate=RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None].astype(np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = RATE, 0
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            file.mux(packet)
    return target.getvalue()


@pytest.fixture(params=KINDS)
def recorded(request, voice, tmp_path):
    path = tmp_path / f"clip.{request.param}"
    path.write_bytes(encoded(voice, request.param))
    return path


def test_what_was_encoded_comes_back(recorded, voice):
    samples, rate = read_clip(recorded)
    assert (rate, samples.dtype, samples.ndim) == (RATE, np.float64, 1)
    assert abs(len(samples) - len(voice)) <= 1024  # at most one frame of AAC, which fills its last one with silence
    n = min(len(samples), len(voice))
    # Not shifted, and the same but for what a codec leaves out: some 10 dB below the voice in its hissing parts.
    assert np.corrcoef(samples[:n], voice[:n])[0, 1] > 0.9
    decoded, original = (frames(x[:n].astype(float), RATE) for x in (samples, voice))
    voiced = find_speech(original, "yin").voice & find_speech(decoded, "yin").voice
    assert voiced.sum() > 0.9 * find_speech(original, "yin").voice.sum()
    assert np.median(np.abs(decoded[voiced, LOG_F0] - original[voiced, LOG_F0])) < 0.01  # a sixth of a semitone


def test_the_file_name_does_not_matter(recorded):
    named = recorded.with_suffix(".wav")
    named.write_bytes(recorded.read_bytes())
    np.testing.assert_array_equal(read_clip(named)[0], read_clip(recorded)[0])


def test_a_stretch_is_what_the_whole_has_there(recorded):
    whole, _ = read_clip(recorded)
    np.testing.assert_array_equal(read_clip(recorded, 1.25, 2.0)[0], whole[60_000:96_000])
    np.testing.assert_array_equal(read_clip(recorded, 2.5)[0], whole[120_000:])
    assert duration(recorded) == len(whole) / RATE


def test_stretches_follow_each_other_without_a_gap(recorded, monkeypatch):
    whole, _ = read_clip(recorded)
    opened, opening = [], containers.Container.__init__
    monkeypatch.setattr(containers.Container, "__init__", lambda *where: opened.append(where) or opening(*where))
    stretches = [channels[:, 0] for channels, rate in read_stretches(recorded, 0.7) if rate == RATE]
    np.testing.assert_array_equal(np.concatenate(stretches), whole)
    assert len(opened) == 1  # whoever has read it to its end does not decode it again to count it


def test_a_recording_without_a_stated_length_is_read_to_its_end(voice, tmp_path):
    (tmp_path / "live.webm").write_bytes(encoded(voice, seekable=False))
    with av.open(str(tmp_path / "live.webm")) as file:
        assert file.duration is None
    with pytest.warns(Doubt, match="does not state its length"):
        samples, _ = read_clip(tmp_path / "live.webm")
    assert abs(len(samples) - len(voice)) <= 960  # the last of Opus's frames of 20 ms


def test_channels_are_averaged(voice, tmp_path):
    with av.open(str(tmp_path / "two.webm"), "w") as file:
        stream = file.add_stream("libopus", rate=RATE, layout="stereo")
        both = np.stack([voice, np.zeros_like(voice)])  # (2, n)
        frame = av.AudioFrame.from_ndarray(both, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts = RATE, 0
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            file.mux(packet)
    assert [channels.shape[1] for channels, _ in read_stretches(tmp_path / "two.webm", 1.0)] == [2, 2, 2]
    samples, _ = read_clip(tmp_path / "two.webm")
    assert samples.std() == pytest.approx(voice.std() / 2, rel=0.1)  # a lossy codec keeps the level within a decibel


def test_streams_that_are_not_read_are_said_and_each_has_its_own_length(voice, tmp_path):
    with av.open(str(tmp_path / "two.webm"), "w") as file:
        streams = [file.add_stream("libopus", rate=RATE, layout="mono") for _ in range(2)]
        for stream in streams:
            frame = av.AudioFrame.from_ndarray(voice[None].astype(np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = RATE, 0
            for packet in [*stream.encode(frame), *stream.encode(None)]:
                file.mux(packet)
    with pytest.warns(Doubt, match="holds 2 streams of sound"):
        read_clip(tmp_path / "two.webm")
    content = (tmp_path / "two.webm").read_bytes()
    for hole in (slice(len(content) // 2, None), slice(len(content) // 3, len(content) // 2)):
        damaged = np.frombuffer(content, np.uint8).copy()
        damaged[hole] = 0  # a download that reserved its space, or lost a part
        (tmp_path / "x.webm").write_bytes(damaged.tobytes())
        with pytest.raises(BadClip, match="breaks off"):
            read_clip(tmp_path / "x.webm")


def pictures_alone():
    target = io.BytesIO()
    with av.open(target, "w", format="webm") as file:
        stream = file.add_stream("libvpx", rate=10)
        stream.width = stream.height = 32
        for packet in [*stream.encode(av.VideoFrame(32, 32, "yuv420p")), *stream.encode(None)]:
            file.mux(packet)
    return target.getvalue()


BROKEN = {
    "cut webm": ("truncated", lambda v: (b := encoded(v))[: len(b) // 2], "it breaks off"),
    "cut m4a": ("undecodable", lambda v: (b := encoded(v, "m4a"))[: len(b) // 2], "breaks off or is damaged"),
    "webm whose head alone is right": (
        "undecodable",
        lambda v: encoded(v)[:64] + bytes(5000),
        "breaks off or is damaged",
    ),
    "m4a whose head alone is right": ("undecodable", lambda v: b"\0\0\0\x1cftypM4A " + b"x" * 5000, "is damaged"),
    "pictures": ("undecodable", lambda v: pictures_alone(), "it holds no sound"),
    "silence": ("silent", lambda v: encoded(0 * v), "it is silent"),
    "30 ms": ("too_short", lambda v: encoded(v[:1440]), "is too short"),
}


@pytest.mark.parametrize(("reason", "make", "words"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_container_is_refused_with_its_reason(voice, tmp_path, capfd, reason, make, words):
    (tmp_path / "x.bin").write_bytes(make(voice))
    with pytest.raises(BadClip, match=words) as caught:
        read_clip(tmp_path / "x.bin")
    assert caught.value.reason == reason
    assert capfd.readouterr().err == ""  # FFmpeg's messages are not printed


PHONES = {  # FFmpeg's name of the container, the codec, options, and whether it states no length
    "fragments": ("mp4", "aac", {"movflags": "frag_keyframe+empty_moov"}, False),
    "live": ("webm", "libopus", {"live": "1"}, True),
    "adts": ("adts", "aac", {}, True),
    "asf": ("asf", "wmav2", {}, False),
    "wv": ("wv", "wavpack", {}, False),
    "tta": ("tta", "tta", {}, False),
    "alac": ("caf", "alac", {}, False),
}


@pytest.mark.parametrize(("kind", "codec", "options", "stateless"), PHONES.values(), ids=PHONES.keys())
def test_every_container_is_read_to_its_end_and_tells_its_cut(tmp_path, voice, kind, codec, options, stateless):
    path = tmp_path / "12:30.sound"  # to FFmpeg this would be an address
    with av.open(f"file:{path}", "w", format=kind, options=options) as file:
        stream = file.add_stream(codec, rate=RATE, layout="mono")
        stream.bit_rate = 64_000
        frame = av.AudioFrame.from_ndarray(voice[None].astype(np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = RATE, 0
        for part in av.AudioResampler(format=stream.format, layout="mono", rate=RATE).resample(frame):
            for packet in stream.encode(part):
                file.mux(packet)
        for packet in stream.encode(None):
            file.mux(packet)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        samples, _ = read_clip(path)
    assert len(samples) / RATE == pytest.approx(3.0, abs=0.1)
    assert [w.category for w in said] == [Doubt] * stateless
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 55 // 100])
    with pytest.raises(BadClip, match=r"breaks off.*ffmpeg -i"):
        read_clip(path)


def test_without_pyav_it_says_what_to_install(recorded, monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **more):
        if name == "av":
            raise ModuleNotFoundError("No module named 'av'")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    for read in (read_clip, duration, lambda path: next(read_stretches(path, 1.0))):
        with pytest.raises(BadClip, match=r"pip install av") as caught:
            read(recorded)
        assert caught.value.reason == "undecodable"
        assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_predict_gives_the_same_answer_as_for_the_wav(recorded, voice, tmp_path):
    from experiments.voices.clip_model import load
    from experiments.voices.judge import judge_file
    from experiments.voices.pretrained import SHIPPED

    sf.write(tmp_path / "same.wav", voice, RATE)
    model = load(SHIPPED)
    container, wav = judge_file(recorded, model), judge_file(tmp_path / "same.wav", model)
    assert container.label == wav.label == "female"
    assert container.f0_hz == pytest.approx(wav.f0_hz, rel=0.01)
