"""Sounds that are not voices are refused, each with its reason; a voice is found however it was recorded."""

import numpy as np
import pytest

from features.frames import frames
from features.speech import ENOUGH_S, FRAME_S, LEAST_S, find_speech, runs, voiced_runs
from features.synth import draw_speaker, speak

RATE = 16_000
TIME = np.arange(4 * RATE) / RATE  # (n,) s


def heard(x):
    """The speech found in samples (n,) mixed with room noise 50 dB softer."""
    room = np.random.default_rng(0).standard_normal(len(x))
    return find_speech(frames(0.1 * x / x.std() + 0.1 * 10 ** (-50 / 20) * room, RATE), "yin")


def seconds(speech):
    return speech.voice.sum() * FRAME_S


def harmonics(f0):
    """(n,) ten partials 1/k of a pitch f0 (n,) in Hz."""
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(f0, len(TIME))) / RATE
    return sum(np.sin(k * phase) / k for k in range(1, 11))


@pytest.fixture(scope="module", params=["male", "female"])
def voice(request):
    """(n,) 4 s of a synthetic voice."""
    rng = np.random.default_rng(3)
    return speak(draw_speaker(request.param, "s", rng), 4.0, rng).astype(float)


def test_a_voice_is_found_where_it_sounds(voice):
    quiet = np.zeros(2 * RATE)
    speech = heard(np.concatenate([quiet, voice, quiet]))
    spoken = np.flatnonzero(speech.voice) * FRAME_S
    assert speech.tone == ""
    assert seconds(speech) > 1.0
    assert spoken[0] > 1.96  # a pitch frame of 64 ms may look 32 ms ahead
    assert spoken[-1] < 6.04


@pytest.mark.parametrize("snr", [20, 10])
def test_a_voice_is_found_in_noise(voice, snr):
    noise = np.random.default_rng(1).standard_normal(len(voice))
    assert seconds(heard(voice / voice.std() + 10 ** (-snr / 20) * noise)) > ENOUGH_S


def test_the_level_of_a_recording_changes_nothing(voice):
    one, other = (find_speech(frames(gain * voice, RATE), "yin").voice for gain in (1.0, 0.01))
    np.testing.assert_array_equal(one, other)


def test_each_pitch_has_its_own_rule():
    """pYIN's probability is below 0.4 in most frames of a clear voice, where YIN's periodicity is above."""
    rng = np.random.default_rng(3)
    x = speak(draw_speaker("male", "s", rng), 1.5, rng)
    by = {pitch: frames(x, RATE, pitch) for pitch in ("yin", "pyin")}
    found = {pitch: find_speech(rows, pitch).voice.sum() for pitch, rows in by.items()}
    assert found["pyin"] > 0.7 * found["yin"] > 0
    assert find_speech(by["pyin"], "yin").voice.sum() < 0.7 * found["yin"]
    room = np.random.default_rng(2).standard_normal(RATE)
    assert not find_speech(frames(0.1 * room, RATE, "pyin"), "pyin").voice.any()


@pytest.mark.parametrize("slope", [0, 1, 2])
def test_noise_is_no_voice(slope):
    white = np.fft.rfft(np.random.default_rng(2).standard_normal(len(TIME)))
    coloured = np.fft.irfft(white * np.maximum(np.fft.rfftfreq(len(TIME), 1 / RATE), 20) ** (-slope / 2))
    assert seconds(heard(coloured)) < LEAST_S


def test_clicks_are_no_voice():
    clicks = np.zeros(len(TIME))
    clicks[np.random.default_rng(0).integers(0, len(clicks), 30)] = 1
    assert seconds(heard(clicks)) < LEAST_S


@pytest.mark.parametrize("mains", [50, 60])
def test_a_hum_is_no_voice(mains):
    assert seconds(heard(harmonics(mains))) == 0


def test_a_held_tone_is_recognised_by_its_pitch():
    speech = heard(np.sin(2 * np.pi * 200 * TIME))
    assert not speech.voice.any()
    assert speech.tone == "its pitch stands still at 200 Hz: a tone or a hum, not speech"


def test_a_melody_is_recognised_by_its_steps():
    notes = 130 * 2 ** (np.array([0, 4, 7, 12, 9, 5, 2, 0]) / 12)  # Hz, half a second each
    speech = heard(harmonics(np.repeat(notes, len(TIME) // len(notes))))
    assert not speech.voice.any()
    assert "moves in steps" in speech.tone


def test_vibrato_is_recognised_by_its_constant_spectrum():
    speech = heard(harmonics(200 * 2 ** (np.sin(2 * np.pi * 3 * TIME) / 12)))
    assert not speech.voice.any()
    assert "hardly changes" in speech.tone


def rows(voicing, f0, energy):
    """(T, 23) frames with these columns, (T,) each, and a flat spectrum."""
    return np.column_stack([np.log(f0), voicing, energy, np.zeros((len(f0), 20))])


@pytest.mark.parametrize(("pause_s", "tone"), [(None, "it sounds for 4.0 s without a break"), (0.2, "")])
def test_what_glides_and_changes_is_a_voice_only_if_it_breaks_off(pause_s, tone):
    t = np.arange(200) * FRAME_S
    voicing = np.ones(200) if pause_s is None else (t % 1.0 >= pause_s).astype(float)
    x = rows(voicing, 150 * 2 ** (0.5 * np.sin(2 * np.pi * 0.7 * t)), np.full(200, -20.0))
    x[:, 3:] = np.random.default_rng(0).normal(0, 5, (200, 20))
    speech = find_speech(x, "yin")
    assert speech.tone.startswith(tone)
    assert speech.voice.any() == (tone == "")


def test_a_voice_is_what_goes_on_smoothly_for_four_frames():
    on, f0, energy = np.zeros(44), np.full(44, 100.0), np.full(44, -20.0)
    on[2:5] = 1  # three frames: too short
    on[8:12] = 1  # four
    on[14:22] = 1  # eight, with a jump of an octave in their middle: four and four
    f0[18:22] = 200
    on[24:30] = 1  # six, with a swell of 6 dB after the second: two and four
    energy[26:30] = -14
    on[32:38] = 1  # six, with a jump in their middle: three and three
    f0[35:38] = 200
    on[40:44] = 1  # four, where the search for a pitch ends
    f0[40:44] = 61
    kept = voiced_runs(rows(on, f0, energy), 0.4)
    assert list(np.flatnonzero(kept)) == [*range(8, 12), *range(14, 22), *range(26, 30)]


def test_a_sound_more_than_35_db_softer_is_not_the_voice():
    energy = np.r_[np.full(40, -20.0), np.full(10, -56.0)]
    kept = voiced_runs(rows(np.ones(50), np.full(50, 100.0), energy), 0.4)
    assert kept[:40].all()
    assert not kept[40:].any()


def test_runs_are_where_they_begin_and_have_ended():
    assert runs(np.array([1, 1, 0, 0, 1], bool)).tolist() == [[0, 2], [4, 5]]
    assert runs(np.zeros(3, bool)).shape == (0, 2)
