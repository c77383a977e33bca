"""Lesson 8: the right answers to its exercises, what it says of a voice, and what becomes of sounds that are none."""

import html
import io
import itertools
import re

import numpy as np
import pytest
import soundfile as sf
from scipy.special import expit, logit

pytest.importorskip("anywidget", reason='needs anywidget: pip install -e ".[lessons]"')

from experiments.lessons import voice
from experiments.lessons.solutions.lesson_8 import answer_1, answer_2, answer_3
from experiments.lessons.voice import FORWARD, NETWORK, heard, log_odds, made_up
from experiments.microscope.interventions import silence
from experiments.voices.predict import predict
from features.frames import LOG_F0

pytestmark = pytest.mark.slow  # it judges voices and draws the microscope


def without(frames, unit):
    return log_odds(frames, network=silence(NETWORK, FORWARD, unit))


def test_the_right_answers_are_right_and_speak_of_the_voice_above(lesson):
    defined = lesson(8, answer_1=answer_1, answer_2=answer_2, answer_3=answer_3)
    assert [defined[f"check_{n}"].state for n in (1, 2, 3)] == ["right", "right", "right"]
    unit, tips = answer_1(defined["frames"]), answer_3(defined["frames"], -12, 12)
    assert f"leans most on unit {unit} of the forward half" in defined["yours"]
    assert f"It tips at {tips:+.1f} semitones" in defined["yours"]
    assert f"if {answer_2(voice.MODEL.frame_log_odds(defined['frames']))} of its" in defined["yours"]
    shown = re.search(r"srcdoc='(.*?)'", defined["frame"].text, re.DOTALL)[1]
    assert html.unescape(shown) == defined["microscope"]  # the page in its frame is the page


def test_what_one_might_think_is_wrong(lesson):
    defined = lesson(
        8,
        answer_1=lambda frames: max(
            range(voice.UNITS), key=lambda u: without(frames, u)
        ),  # the other pull counts as much
        answer_2=lambda z: int(np.ceil(len(z) / 2)),  # more than half of the pieces: but they are not equally sure
        answer_3=lambda frames, low, high: 12 * np.log2(165 / np.exp(np.median(frames[:, LOG_F0]))),  # where men's ends
    )
    assert [defined[f"check_{n}"].state for n in (1, 2, 3)] == ["wrong", "wrong", "wrong"]


def test_fewer_pieces_never_turn_the_vote():
    """Against every choice of pieces, on votes short enough to try them all."""
    for seed in range(20):
        z = np.random.default_rng(seed).standard_normal(8) + 0.5
        fewest = min(
            sum(flip)
            for flip in itertools.product((0, 1), repeat=8)
            if (z * (1 - 2 * np.array(flip))).sum() * z.sum() < 0
        )
        assert answer_2(z) == fewest


@pytest.mark.parametrize(("sex", "f0"), [("male", 110.0), ("female", 230.0)])
def test_the_answer_is_predicts_and_the_vote_of_all_pieces(tmp_path, sex, f0):
    judgement, frames, wrong = heard("a.wav", made_up(sex, f0))
    (tmp_path / "a.wav").write_bytes(made_up(sex, f0))
    ((prediction, _),) = predict([str(tmp_path / "a.wav")])
    assert (judgement.label, judgement.probability) == (prediction.label, prediction.probability)
    assert (judgement.label, wrong) == (sex, [])
    assert judgement.f0_hz == pytest.approx(f0, rel=0.25)  # a speaker's own mood: within 4 semitones
    # float64 all along but for the network's float32, whose rounding is the same in both
    assert log_odds(frames) == pytest.approx(logit(judgement.probability), abs=1e-9)
    assert expit(logit(judgement.p[~np.isnan(judgement.p)]).mean()) == pytest.approx(judgement.probability, abs=1e-12)


def test_only_the_pitch_is_moved():
    frames = heard("a.wav", made_up("male", 120.0))[1]
    octave = frames.copy()
    octave[:, LOG_F0] = np.log(2 * np.exp(frames[:, LOG_F0]))
    before = frames.copy()
    assert log_odds(frames, 12) == pytest.approx(log_odds(octave), abs=1e-4)  # log F0 in float32 rounds to 5e-7
    np.testing.assert_array_equal(frames, before)


def test_nothing_of_a_voice_stays_on_the_disk(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    judge = voice.judge_file
    monkeypatch.setattr(voice, "judge_file", lambda file, model: seen.append(file.exists()) or judge(file, model))
    heard("../../elsewhere/me.wav", made_up("male", 120.0))
    assert seen == [True]
    assert list(tmp_path.iterdir()) == []


def wav(samples):
    sound = io.BytesIO()
    sf.write(sound, samples, 16_000, format="WAV")
    return sound.getvalue()


@pytest.mark.parametrize(
    "sound",
    [
        b"",
        b"these are words, not sound",
        wav(np.zeros(32_000)),
        wav(0.3 * np.sin(2 * np.pi * 150 * np.arange(32_000) / 16_000)),
    ],
    ids=["nothing yet", "words", "silence", "a tone"],
)
def test_a_sound_without_a_voice_stops_what_needs_one_and_nothing_else(lesson, sound):
    defined = lesson(8, name="x.wav", sound=sound, recorder=None, source=None, file=None, throat=None, height=None)
    assert "curve" not in defined
    assert defined["check_2"].state == "open"
