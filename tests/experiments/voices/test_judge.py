"""What is said of a recording nobody has checked: an answer, a doubt, or no speech; over time; of any length and format."""

import sys
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import soundfile as sf
import soxr
from scipy.special import expit

from experiments.tutorial.prediction import Prediction
from experiments.voices import clip_model, terminal, timeline
from experiments.voices import judge as judging
from experiments.voices.judge import Judgement, judge, judge_file, judge_stretches
from experiments.voices.predict import picture_names
from features.audio import BadClip
from features.frames import ENERGY_DB, frames
from features.recipes import frames_recipe, recipe_from
from features.synth import draw_speaker, speak

RATE = 16_000
STRETCH_S = 3.0  # instead of half a minute, where a recording has several stretches


def say(sex, seconds=4.0, seed=5, rate=RATE):
    """(n,) of a synthetic voice that the model has not heard, of an ordinary height."""
    rng = np.random.default_rng(seed)
    return speak(replace(draw_speaker(sex, sex, rng), f0={"male": 115.0, "female": 220.0}[sex]), seconds, rng, rate)


@pytest.fixture
def model(voice_model):
    return clip_model.load(voice_model)


@pytest.fixture
def short_stretches(monkeypatch):
    monkeypatch.setattr(judging, "STRETCH_S", STRETCH_S)


@pytest.fixture
def altered(model):
    """The model with other metadata."""

    def alter(**changes):
        model.network.metadata |= changes
        return model

    return alter


@pytest.mark.parametrize("sex", ["male", "female"])
def test_a_clear_voice_gets_its_answer(model, sex):
    found = judge(say(sex), RATE, model)
    assert found.label == sex
    assert (found.probability > 0.8) == (sex == "male")
    assert found.why == f"probability {int(100 * max(found.probability, 1 - found.probability)) / 100:.2f}"
    assert found.seconds == 4.0
    assert 1.0 < found.voice_s < 4.0
    assert (found.f0_hz < 165) == (sex == "male")


def test_the_answer_is_the_mean_over_the_spoken_part_after_the_temperature(model):
    x = say("male")
    found = judge(x, RATE, model)
    spoken = np.flatnonzero(~np.isnan(found.f0))
    rows = recipe_from(model.network.metadata["recipe"], "it").measure(x, RATE)[
        max(spoken[0] - 10, 0) : spoken[-1] + 11
    ]
    z = model.frame_log_odds(rows)
    assert found.probability == pytest.approx(expit(z.mean() / 2.0), rel=1e-6)  # the fixture's temperature
    np.testing.assert_allclose(found.p[~np.isnan(found.p)], expit(z / 2.0), rtol=1e-6)  # float32 batches: some 1e-7


def test_an_offset_changes_no_answer_but_that_of_a_model_measured_with_it(altered):
    x = say("male")
    plain, moved = (judge(sound, RATE, altered(recipe=frames_recipe().stamp())) for sound in (x, x + 0.05))
    np.testing.assert_allclose(moved.p, plain.p, atol=1e-3)
    model = altered(recipe=frames_recipe(revision=1).stamp())
    old, rows = judge(x + 0.05, RATE, model), frames(x + 0.05, RATE, revision=1)
    np.testing.assert_array_equal(old.energy.astype(np.float32), rows[:, ENERGY_DB])
    part = ~np.isnan(old.p)
    np.testing.assert_array_equal(old.p[part], expit(model.frame_log_odds(rows[part]) / 2.0))  # bit for bit


def test_frames_are_in_step_with_the_sound(model):
    found = judge(np.concatenate([np.zeros(2 * RATE), say("female")]), RATE, model)
    assert len(found.time) == len(found.f0) == len(found.p) == len(found.energy) == 301
    np.testing.assert_allclose(found.time[:3], [0, 0.02, 0.04])
    assert np.isnan(found.f0[:98]).all()  # a pitch frame of 64 ms may look 32 ms ahead
    assert (np.diff(np.flatnonzero(~np.isnan(found.p))) == 1).all()  # the network is asked about one stretch of time
    assert found.energy[:90].max() < found.energy[110:].max() - 60


def test_silence_around_a_voice_does_not_change_the_answer(model):
    short, long = np.zeros(RATE // 2), np.zeros(5 * RATE)
    alone, among = (judge(np.concatenate([hush, say("female"), hush]), RATE, model) for hush in (short, long))
    assert among.voice_s == alone.voice_s
    assert among.probability == pytest.approx(alone.probability, rel=1e-5)  # the same frames: float32 in longer batches


def test_below_the_models_threshold_it_is_uncertain_and_says_by_how_much(altered):
    p = judge(say("male"), RATE, altered()).probability
    sure = judge(say("male"), RATE, altered(uncertain=p - 1e-6))
    unsure = judge(say("male"), RATE, altered(uncertain=0.999))
    assert sure.label == "male"
    assert unsure.label == "uncertain"
    assert unsure.probability == sure.probability
    assert unsure.why == f"probability {int(100 * p) / 100:.2f} for male, and an answer needs 1.00"


def test_too_little_voice_is_uncertain_however_sure_the_network_is(model):
    x = say("male")
    voiced = np.flatnonzero(~np.isnan(judge(x, RATE, model).f0))
    starts = [run[0] for run in np.split(voiced, np.flatnonzero(np.diff(voiced) > 1) + 1) if len(run) >= 10]
    short = np.zeros_like(x)
    short[starts[0] * 320 : starts[0] * 320 + 3_000] = x[starts[0] * 320 : starts[0] * 320 + 3_000]  # 190 ms
    found = judge(short, RATE, model)
    assert found.label == "uncertain"
    assert found.why == f"only {found.voice_s:.2f} s of voice, and 0.3 s are needed: speak for a few seconds"


@pytest.mark.parametrize(
    ("sound", "why"),
    [
        (np.zeros(RATE), "it is silent (below -60 dB of full scale)"),
        (0.1 * np.random.default_rng(0).standard_normal(2 * RATE), "no voice in it: noise, clicks, or a whisper"),
        (0.1 * np.sin(2 * np.pi * 200 * np.arange(2 * RATE) / RATE), "its pitch stands still at 200 Hz"),
    ],
)
def test_what_is_no_speech_gets_no_probability(model, sound, why):
    found = judge(sound, RATE, model)
    assert found.label == "no speech"
    assert found.why.startswith(why)
    assert found.probability is found.f0_hz is None
    assert found.voice_s == 0
    assert np.isnan(found.p).all()


def test_channels_that_cancel_each_other_are_named(model):
    x = say("male")
    assert "its channels cancel each other: keep one of them" in judge(np.c_[x, -x], RATE, model).why


@pytest.mark.parametrize("sound", [np.full(RATE, np.nan), np.full(RATE, 1e30) * np.sin(np.arange(RATE)), np.zeros(0)])
def test_what_is_no_sound_is_refused(model, sound):
    with pytest.raises(BadClip, match="the recording: "):
        judge(sound, RATE, model)


@pytest.mark.parametrize("seconds", [0.06, 0.1, 0.3])
@pytest.mark.parametrize("rate", [4_000, 8_000, 44_100, 192_000])
def test_the_shortest_recordings_at_any_rate_get_an_answer_or_none(model, seconds, rate):
    x = 0.1 * np.sin(2 * np.pi * 120 * np.arange(-(-seconds * rate // 1)) / rate)
    assert judge(x, rate, model).label in ("no speech", "uncertain")


@pytest.mark.parametrize(
    ("ending", "rate", "settings"),
    [
        ("wav", 48_000, {"subtype": "PCM_24"}),
        ("wav", 8_000, {"subtype": "ULAW"}),
        ("flac", 22_050, {}),
        ("ogg", 16_000, {"format": "OGG", "subtype": "VORBIS"}),
        ("mp3", 44_100, {}),
    ],
)
def test_rate_channels_and_format_leave_the_answer(model, tmp_path, ending, rate, settings):
    x = say("male", rate=48_000)
    plain = judge(x, 48_000, model)
    y = soxr.resample(x, 48_000, rate)
    sf.write(tmp_path / f"x.{ending}", np.c_[y, 0.5 * y], rate, **settings)
    found = judge_file(tmp_path / f"x.{ending}", model)
    assert found.label == plain.label == "male"
    assert found.seconds == pytest.approx(4.0, abs=0.1)  # an MP3 has its padding
    assert found.f0_hz == pytest.approx(plain.f0_hz, rel=0.05)


def test_a_long_recording_is_judged_in_stretches_that_vote_by_their_frames(short_stretches, model, tmp_path):
    man, woman = say("male", STRETCH_S), say("female", STRETCH_S)
    parts = [judge(x, RATE, model) for x in (man, woman)]
    sf.write(tmp_path / "x.wav", np.concatenate([man, woman]), RATE, subtype="FLOAT")
    whole = judge_file(tmp_path / "x.wav", model)
    z = np.concatenate([np.log(p.p / (1 - p.p)) for p in parts])
    assert whole.probability == pytest.approx(expit(np.nanmean(z)), rel=1e-6)
    assert whole.voice_s == pytest.approx(sum(p.voice_s for p in parts))
    assert whole.seconds == 2 * STRETCH_S
    np.testing.assert_array_equal(whole.f0, np.concatenate([p.f0 for p in parts]))
    assert (np.diff(whole.time) > 0).all()


def test_samples_and_a_file_of_them_are_judged_alike(short_stretches, model, tmp_path):
    x = say("female", 2.6 * STRETCH_S)
    sf.write(tmp_path / "x.wav", x, RATE, subtype="FLOAT")
    np.testing.assert_array_equal(judge(x, RATE, model).p, judge_file(tmp_path / "x.wav", model).p)


def test_a_stretch_without_a_voice_does_not_vote(short_stretches, model):
    x = say("male", STRETCH_S)
    hum = 0.1 * np.sin(2 * np.pi * 120 * np.arange(round(STRETCH_S * RATE)) / RATE)
    alone, among = judge(x, RATE, model), judge(np.concatenate([hum, x, np.zeros(len(x))]), RATE, model)
    assert among.probability == alone.probability
    assert among.label == "male"


@pytest.mark.slow  # minutes of sound
def test_memory_does_not_grow_with_the_length_of_a_recording(model):
    noise = 0.1 * np.random.default_rng(0).standard_normal((round(judging.STRETCH_S * 8_000), 1))  # 1.9 MB

    def peak(stretches):
        tracemalloc.start()
        judge_stretches(((noise.copy(), 8_000) for _ in range(stretches)), model, "it")
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(1)  # what libraries keep from their first call
    # Of a stretch 1,501 frames of three numbers stay, 30 kB; while they are put together and masked, a few times as much.
    assert peak(12) - peak(4) < 8 * 200_000


# -- pictures and words ------------------------------------------------------------------------------------------------


def drawn(**changes):
    """A judgement of 3 s: 120 Hz and male at first, then a pause, then 220 Hz and female."""
    time = np.arange(150) * 0.02
    f0, p = np.full(150, np.nan), np.full(150, np.nan)
    f0[10:60], f0[90:140] = 120, 220
    p[10:75], p[75:140] = 0.9, 0.1
    plain = Judgement("uncertain", 0.5, "it is so", 3.0, 2.0, 170.0, time, f0, p, np.full(150, -30.0))
    return replace(plain, **changes)


def test_a_picture_says_the_answer_and_shows_pitch_and_probability():
    fig = timeline.picture(drawn(label="male", why="probability 0.97"), "me.wav")
    assert fig.get_suptitle() == "me.wav: male\nprobability 0.97; median pitch 170 Hz in 2.0 s of voice"
    _, pitch, probability = fig.axes
    np.testing.assert_array_equal(pitch.lines[0].get_ydata(), drawn().f0)
    np.testing.assert_array_equal(probability.lines[1].get_ydata(), drawn().p)
    assert pitch.get_yscale() == "log"
    assert [label.get_text() for label in probability.texts] == ["male", "female"]


def test_a_picture_of_no_speech_says_that_nobody_was_asked():
    nothing = np.full(150, np.nan)
    fig = timeline.picture(drawn(label="no speech", probability=None, why="it is silent", f0=nothing, p=nothing), "x")
    assert fig.get_suptitle() == "x: no speech\nit is silent"
    assert "no answer: nobody speaks" in [text.get_text() for text in fig.axes[2].texts]


def test_a_name_with_dollars_is_no_formula():
    from experiments.reports.pictures import png

    assert png(timeline.picture(drawn(), "$\\bad{$.wav")).startswith(b"\x89PNG")


def test_a_plot_has_its_dots_where_they_belong(monkeypatch):
    monkeypatch.setattr(sys, "stdout", type("Terminal", (), {"encoding": "ascii"}))
    lines = terminal.plot(drawn()).splitlines()
    assert max(map(len, lines)) <= 80
    assert all(line.isascii() for line in lines)
    pitch, probability = lines[1:11], lines[15:22]
    low, high = (
        next(k for k, line in enumerate(pitch) if line[10:].strip() and line.find("*") == at) for at in (52, 14)
    )
    assert pitch[low].startswith("  220 Hz")
    assert high > low  # 120 Hz stands below 220
    assert probability[0].startswith("  male 1")
    assert probability[1].index("*") == 14  # 0.9, second of seven rows, from 0.2 of 3 s on
    assert probability[5].index("*") == 10 + 35  # 0.1, second from below, from half of the time on


def test_a_plot_uses_braille_where_the_terminal_has_it(monkeypatch):
    monkeypatch.setattr(sys, "stdout", type("Terminal", (), {"encoding": "utf-8"}))
    plot = terminal.plot(drawn())
    assert any("\u2801" <= c <= "\u28ff" for c in plot)
    assert max(map(len, plot.splitlines())) <= 80


def test_a_plot_of_no_voice_says_why_instead():
    assert terminal.plot(drawn(voice_s=0.0)) == "nothing to draw: it is so"


def test_long_recordings_are_drawn_with_fewer_points():
    few = drawn().thinned(15)
    assert len(few.time) == len(few.f0) == len(few.p) == len(few.energy) == 15
    assert few.f0[1] == 120
    assert np.isnan(few.f0[7])
    assert few.p[7] == pytest.approx(0.5)  # five frames of 0.9 and five of 0.1
    assert drawn().thinned(150).time[-1] == drawn().time[-1]


def test_pictures_of_the_same_name_do_not_meet():
    files = ["a/me.wav", "b/me.wav", "b/Me.flac", "me-2.wav", "other.wav"]
    names = picture_names(files)
    assert names == ["me.png", "me-2.png", "Me-3.png", "me-2-2.png", "other.png"]
    assert len({name.lower() for name in names}) == len(files)


def test_a_file_without_an_answer_gets_its_reason_and_no_numbers():
    good = Prediction("a.wav", 0.97, "male", 112.0, None, "probability 0.97", 3.0, 2.0)
    bad = Prediction("b[bold].wav", error="it is empty")
    none = Prediction("c.wav", None, "no speech", None, None, "it is silent", 1.0, 0.0)
    columns = [list(c.cells) for c in terminal.table([good, bad, none]).columns]
    assert columns == [
        ["a.wav", "b\\[bold].wav", "c.wav"],
        ["male", "[red]not read[/red]", "no speech"],
        ["0.970", "", ""],
        ["112 Hz", "", ""],
        ["2.0 s", "", "0.0 s"],
    ]
    assert terminal.reasons([good, bad, none]) == ["b[bold].wav: it is empty", "c.wav: it is silent"]
