"""A microphone that behaves, and all the ways in which one does not: nobody has to speak for these."""

import builtins
import io
import json
import re
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import soundfile as sf
from rich.console import Console

from experiments.voices import clip_model, predict
from experiments.voices import record as recording
from experiments.voices.record import Sound, check_place, record, remarks
from experiments.voices.terminal import meter
from features.synth import draw_speaker, speak


class PortAudioError(Exception):
    """sounddevice's own is neither an OSError nor a ValueError either."""


def device(name, inputs=0, outputs=0, rate=44_100.0):
    return {
        "name": name, "hostapi": 0, "max_input_channels": inputs, "max_output_channels": outputs,
        "default_samplerate": rate,
    }  # fmt: skip


class FakeSoundDevice(ModuleType):
    """What this project uses of sounddevice 0.5: its devices, and streams that play `sound` into them.

    rates and channels: what a device's driver takes, where it is not everything; overflows: blocks that come with a loss.
    """

    def __init__(self, devices, sound=(0.0,), default=-1, channels=None, overflows=(), broken=None):
        super().__init__("sounddevice")
        self.PortAudioError, self.default = PortAudioError, SimpleNamespace(device=(default, -1))
        self.devices, self.sound, self.channels, self.overflows, self.broken = (
            devices,
            sound,
            channels,
            overflows,
            broken,
        )
        self.opened = []

    def query_devices(self):
        if self.broken == "query":
            raise PortAudioError("Error querying device -1")
        return self.devices

    def InputStream(self, *, device, samplerate, channels, dtype):
        own = self.devices[device]
        if self.broken == "open":
            raise PortAudioError("Error opening InputStream: Device unavailable [PaErrorCode -9985]")
        if samplerate != own["default_samplerate"]:
            raise PortAudioError("Invalid sample rate [PaErrorCode -9997]")
        if channels > own["max_input_channels"] or channels not in (self.channels or [channels]):
            raise PortAudioError("Invalid number of channels [PaErrorCode -9998]")
        self.opened.append((device, samplerate, channels, dtype))
        return _Stream(self, channels)


class _Stream:
    def __init__(self, sd, channels):
        self.sd, self.channels, self.at, self.blocks, self.buffer = sd, channels, 0, 0, None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def read(self, frames):
        if self.sd.broken == "read" and self.blocks == 3:
            raise PortAudioError("Device disconnected")
        now = np.resize(np.roll(np.asarray(self.sd.sound), -self.at), frames).astype(np.float32)
        self.buffer = np.repeat(now[:, None], self.channels, axis=1)
        self.at, self.blocks = self.at + frames, self.blocks + 1
        return self.buffer, self.blocks in self.sd.overflows


SPEAKERS, MICROPHONE = device("HDMI [out]", outputs=2), device("USB Mic", inputs=2, rate=48_000.0)


@pytest.fixture
def install(monkeypatch):
    """Puts a fake in sounddevice's place."""

    def put(*arguments, **options):
        fake = FakeSoundDevice(*arguments, **options)
        monkeypatch.setitem(sys.modules, "sounddevice", fake)
        return fake

    return put


def say(seconds, rate):
    rng = np.random.default_rng(5)
    return speak(draw_speaker("male", "m", rng), seconds, rng, rate)


# -- the microphone ----------------------------------------------------------------------------------------------------


def test_a_microphone_records_at_its_own_rate_what_it_hears(install):
    sound = np.arange(48_000, dtype=np.float32) / 48_000
    fake = install([SPEAKERS, MICROPHONE], sound, default=1)
    told = []
    got = recording.listen(1.0, recording.choose(recording.devices(), None), lambda at, block: told.append(at))
    assert fake.opened == [(1, 48_000, 1, "float32")]
    np.testing.assert_array_equal(got.samples[:, 0], sound)
    assert (got.rate, got.device, got.lost) == (48_000, "USB Mic", False)
    np.testing.assert_allclose(told, np.arange(1, 21) / 20)


def test_a_device_that_gives_only_all_its_channels_is_taken_so(install):
    fake = install([MICROPHONE], np.ones(10), channels=[2])
    got = recording.listen(0.5, recording.choose(recording.devices(), None))
    assert got.samples.shape == (24_000, 2)
    assert fake.opened == [(0, 48_000, 2, "float32")]


def test_sound_that_the_machine_lost_is_told(install):
    install([MICROPHONE], np.ones(10), overflows=[2])
    assert recording.listen(0.5, recording.choose(recording.devices(), None)).lost


def test_the_default_microphone_is_taken_or_else_the_first(install):
    install([SPEAKERS, MICROPHONE, device("Headset", inputs=1)], default=2)
    assert recording.choose(recording.devices(), None)["name"] == "Headset"
    install([SPEAKERS, MICROPHONE, device("Headset", inputs=1)], default=-1)
    assert recording.choose(recording.devices(), None)["name"] == "USB Mic"
    assert recording.choose(recording.devices(), 2)["name"] == "Headset"


@pytest.mark.parametrize(
    ("devices", "said"),
    [
        ([], "no microphone was found; this machine has no sound device at all. Connect one, or record with another"),
        ([SPEAKERS], "no microphone was found; these devices only play sound: 0 HDMI [out]. Connect one"),
    ],
)
def test_without_a_microphone_it_says_what_there_is(install, devices, said):
    install(devices)
    with pytest.raises(OSError, match=re.escape(said)):
        recording.choose(recording.devices(), None)


@pytest.mark.parametrize(
    ("wanted", "said"), [(0, "device 0 is HDMI [out], which only plays sound"), (7, "device 7 is not there")]
)
def test_a_device_that_is_no_microphone_is_refused(install, wanted, said):
    install([SPEAKERS, MICROPHONE])
    with pytest.raises(ValueError, match=re.escape(said) + ": choose one of 1 USB Mic"):
        recording.choose(recording.devices(), wanted)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("query", "the sound devices cannot be listed (Error querying device -1): record with another program"),
        ("open", "the microphone USB Mic cannot be used (Error opening InputStream: Device unavailable"),
        ("read", "the microphone USB Mic cannot be used (Device disconnected)"),
    ],
)
def test_what_portaudio_refuses_is_said_in_a_sentence(install, broken, said):
    install([MICROPHONE], broken=broken)
    with pytest.raises(OSError, match=re.escape(said)):
        recording.listen(1.0, recording.choose(recording.devices(), None))


def test_without_the_package_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(ModuleNotFoundError, match=re.escape("pip install sounddevice")):
        recording.devices()


def test_without_portaudio_it_says_how_to_get_it(monkeypatch):
    plain = builtins.__import__

    def without(name, *rest, **more):
        if name == "sounddevice":
            raise OSError("PortAudio library not found")
        return plain(name, *rest, **more)

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(OSError, match=re.escape("(PortAudio library not found). Debian and Ubuntu: sudo apt install")):
        recording.devices()


# -- what is wrong with a recording ------------------------------------------------------------------------------------


def heard(x, rate=16_000, lost=False):
    return Sound(np.asarray(x, np.float32).reshape(len(x), -1), rate, "USB Mic", lost)


def test_a_good_recording_has_no_remarks():
    assert remarks(heard(say(3.0, 16_000))) == []


@pytest.mark.parametrize(
    ("sound", "said"),
    [
        (heard(np.zeros(16_000)), "The recording is silent: your microphone may be muted"),
        (heard(10 ** (-30 / 20) * say(3.0, 16_000)), "The recording is very quiet (-"),
        (heard(np.clip(30 * say(3.0, 16_000), -1, 1)), "The recording is overdriven ("),
        (heard(say(3.0, 16_000), lost=True), "The machine was too slow and lost some of the sound"),
    ],
)
def test_a_bad_recording_is_called_so(sound, said):
    (remark,) = remarks(sound)
    assert remark.startswith(said)


# -- record ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def model(voice_model):
    return clip_model.load(voice_model)


def test_a_recording_is_judged_and_nothing_is_kept(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sound, judgement = record(lambda: heard(say(3.0, 44_100), 44_100), model)
    assert judgement.label == "male"
    assert remarks(sound) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg"])
def test_what_is_saved_is_what_was_heard_with_every_channel(model, tmp_path, ending):
    x = say(2.0, 48_000)
    record(lambda: heard(np.c_[x, 0.5 * x], 48_000), model, tmp_path / f"me.{ending}")
    saved, rate = sf.read(tmp_path / f"me.{ending}")
    assert (rate, saved.shape) == (48_000, (96_000, 2))
    # 16 bits round by half a step; Vorbis only has to be recognisable
    assert np.abs(saved - np.c_[x, 0.5 * x]).max() < (0.1 if ending == "ogg" else 1 / 32768)
    assert [path.name for path in tmp_path.iterdir()] == [f"me.{ending}"]


@pytest.mark.parametrize(
    ("place", "error", "said"),
    [
        ("me.m4a", ValueError, "a recording is saved as one of .wav, .flac, .ogg"),
        ("there/me.wav", FileNotFoundError, "there is no folder"),
        ("folder.wav", IsADirectoryError, "is a folder: name a file in it"),
        ("old.wav", FileExistsError, "is there already: choose another name for --save, or replace it with --force"),
    ],
)
def test_a_place_that_cannot_be_written_is_refused_before_anybody_speaks(model, tmp_path, place, error, said):
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "old.wav").write_text("mine")

    def recorder():
        raise AssertionError("nobody should have been asked to speak")

    with pytest.raises(error, match=re.escape(said)):
        record(recorder, model, tmp_path / place)
    assert (tmp_path / "old.wav").read_text() == "mine"


def test_force_replaces_a_recording(tmp_path):
    (tmp_path / "old.wav").write_text("mine")
    check_place(tmp_path / "old.wav", force=True)


def test_the_meter_shows_time_and_level_on_a_terminal_only(monkeypatch):
    waited = []
    monkeypatch.setattr("experiments.voices.terminal.sleep", waited.append)
    for terminal in (True, False):
        console = Console(file=io.StringIO(), force_terminal=terminal, width=80)
        with meter(console, 1.0) as hear:
            tone = np.array([[0.2], [0.0]] * 5)  # -20 dB about its offset: 40 of 60 above the floor, 3 a mark
            hear(0.5, tone)
            hear(1.0, tone)
        shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", console.file.getvalue())  # without colours
        assert ("speak in 3" in shown) == ("1.0 s  level |||||||||||||" in shown) == terminal
    assert waited == [1, 1, 1]


# -- the command -------------------------------------------------------------------------------------------------------


@pytest.fixture
def shipped(voice_model, monkeypatch):
    """The tests' model in the place of the one that is shipped."""
    monkeypatch.setattr(predict, "SHIPPED", voice_model)


def test_record_says_what_it_heard(lstm_engine, install, shipped, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    install([SPEAKERS, MICROPHONE], say(5.0, 48_000), default=1)
    outcome = lstm_engine("record", "--seconds", 3, "--plot")
    assert outcome.code == 0
    assert "Record only people who have agreed to it. Nothing is kept without --save." in outcome.err
    assert "Microphone: USB Mic." in outcome.err
    assert "your recording" in outcome.out
    assert "male" in outcome.out
    assert "probability of male" in outcome.out
    assert "not a fact about a person" in outcome.out
    assert list(tmp_path.iterdir()) == []


def test_record_tells_programs_the_same(lstm_engine, install, shipped, tmp_path):
    install([MICROPHONE], say(5.0, 48_000))
    save, out = tmp_path / "me.wav", tmp_path / "pictures"
    told = json.loads(lstm_engine("record", "--seconds", 3, "--save", save, "--out", out, "--json").out)
    assert told["label"] == "male"
    assert told["seconds"] == 3.0
    assert (told["device"], told["rate_hz"], told["remarks"], told["file"]) == ("USB Mic", 48_000, [], str(save))
    assert told["picture"] == str(out / "recording.png")
    assert (out / "recording.png").read_bytes().startswith(b"\x89PNG")
    (again,) = json.loads(lstm_engine("predict", save, "--json").out)
    assert again["probability"] == pytest.approx(told["probability"], abs=1e-3)  # 16 bits


def test_record_exits_1_and_asks_about_the_microphone_when_there_is_silence(lstm_engine, install, shipped):
    install([MICROPHONE], np.zeros(10))
    outcome = lstm_engine("record", "--seconds", 1)
    assert outcome.code == 1
    assert "no speech" in outcome.out
    assert "your microphone may be muted" in " ".join(outcome.out.split())


def test_record_lists_the_devices(lstm_engine, install):
    install([SPEAKERS, MICROPHONE], default=1)
    shown = lstm_engine("record", "--list-devices")
    assert shown.code == 0
    assert re.search(r"0 +HDMI \[out\] +no, output only +44,100", shown.out)
    assert re.search(r"1 +USB Mic +the default +48,000", shown.out)
    told = json.loads(lstm_engine("record", "--list-devices", "--json").out)
    assert [d["inputs"] for d in told] == [0, 2]
    install([])
    empty = lstm_engine("record", "--list-devices")
    assert (empty.code, empty.out) == (1, "This machine has no sound device.\n")


@pytest.mark.parametrize("command", ["record", "record --list-devices"])
def test_record_without_the_package_is_one_line(lstm_engine, shipped, monkeypatch, command):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    outcome = lstm_engine(*command.split())
    assert outcome.code == 2
    assert outcome.err.splitlines()[-1] == ("error: recording needs the package sounddevice: pip install sounddevice")


def test_record_refuses_a_model_without_frames(lstm_engine, install, trained):
    install([MICROPHONE])
    outcome = lstm_engine("record", "--model", trained.model)
    assert outcome.code == 2
    assert "reads one row a clip" in outcome.err


# -- predict with a model of frames ------------------------------------------------------------------------------------


@pytest.mark.usefixtures("undrawn")  # test_judge.py is about what a picture shows
def test_predict_draws_a_picture_of_each_file(lstm_engine, shipped, bad_clips, tmp_path):
    for folder, sex in (("a", "male"), ("b", "female")):
        (tmp_path / folder).mkdir()
        rng = np.random.default_rng(5)
        sf.write(tmp_path / folder / "me.wav", speak(draw_speaker(sex, sex, rng), 2.0, rng), 16_000)
    files, out = [tmp_path / "a" / "me.wav", tmp_path / "b" / "me.wav", bad_clips["silent"]], tmp_path / "out"
    outcome = lstm_engine("predict", *files, "--out", out, "--json")
    assert outcome.code == 0
    rows = json.loads(outcome.out)
    assert [row["picture"] for row in rows] == [str(out / name) for name in ("me.png", "me-2.png", "silent.png")]
    assert sorted(path.name for path in out.iterdir()) == ["me-2.png", "me.png", "silent.png"]
    assert [row["label"] for row in rows][2] == "no speech"
    assert "frames" not in rows[0]
    refused = lstm_engine("predict", *files, "--out", out)
    assert refused.code == 2
    assert "--force" in refused.err
    assert lstm_engine("predict", *files, "--out", out, "--force").code == 0


def test_predict_tells_every_frame_when_asked(lstm_engine, shipped, corpus):
    clip = next(corpus.glob("Male Test/*/*.wav"))
    (row,) = json.loads(lstm_engine("predict", clip, "--json", "--frames").out)
    frames = row["frames"]
    assert {name: len(own) for name, own in frames.items()} == dict.fromkeys(
        ("time_s", "f0_hz", "probability", "energy_db"), 51
    )
    assert None in frames["f0_hz"]  # JSON has no NaN


def test_predict_goes_on_after_a_file_that_cannot_be_read(lstm_engine, shipped, corpus, bad_clips):
    clip = next(corpus.glob("Male Test/*/*.wav"))
    outcome = lstm_engine("predict", bad_clips["decoded"], bad_clips["no such file"], clip, "--plot")
    assert outcome.code == 1
    assert f"{bad_clips['decoded']}: it cannot be decoded" in outcome.out
    assert "probability of male" in outcome.out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--plot", "--json"], "give one of them"),
        (["--frames"], "--frames goes with --json"),
    ],
)
def test_predict_refuses_what_would_do_nothing(lstm_engine, shipped, options, said):
    outcome = lstm_engine("predict", "x.wav", *options)
    assert outcome.code == 2
    assert said in outcome.err


@pytest.mark.parametrize("options", [["--plot"], ["--out", "{tmp}/x"], ["--json", "--frames"]])
def test_the_tutorials_model_has_nothing_over_time_and_says_so(lstm_engine, trained, corpus, tmp_path, options):
    clip = next(corpus.glob("Male/*/*.wav"))
    outcome = lstm_engine("predict", clip, "--model", trained.model, *(o.format(tmp=tmp_path) for o in options))
    assert outcome.code == 2
    assert "reads one row a clip, so it has no pitch and no probability over time to show" in outcome.err
    assert not (tmp_path / "x").exists()
