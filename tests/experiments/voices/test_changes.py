"""More than one voice in a recording: where it changes, and what is said of the stretches."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import soundfile as sf

from experiments.voices import changes, clip_model, terminal, timeline
from experiments.voices import judge as judging
from experiments.voices.changes import Part, Segment, joined, likelihood_ratio, parts, words
from experiments.voices.judge import Judgement, judge, judge_file
from experiments.voices.predict import answer_of
from features.synth import draw_speaker, speak

RATE = 16_000
LABELS = {"1": "male", "0": "female"}


def say(sex, seconds=2.5):
    """(n,) of a synthetic voice that the model has not heard."""
    rng = np.random.default_rng(5)
    return speak(replace(draw_speaker(sex, sex, rng), f0={"male": 115.0, "female": 220.0}[sex]), seconds, rng, RATE)


@pytest.fixture(scope="module")
def model(voice_model):
    return clip_model.load(voice_model)


@pytest.mark.parametrize("order", [("male", "female"), ("female", "male")])
def test_a_man_and_a_woman_are_two_voices_and_the_change_has_its_time(model, order):
    found = judge(np.concatenate([say(sex) for sex in order]), RATE, model)
    assert found.label == "more than one voice"
    assert [part.label for part in found.parts] == list(order)
    first, second = found.parts
    assert (first.start_s, second.end_s) == (0.0, 5.0)
    assert first.end_s == second.start_s == pytest.approx(2.5, abs=0.8)  # a small model, and a pause there
    assert all((part.probability > 0.8) == (part.label == "male") for part in found.parts)
    assert found.why == words(found.parts)


@pytest.mark.parametrize("sex", ["male", "female"])
def test_one_voice_is_one_also_after_a_pause(model, sex):
    found = judge(np.concatenate([say(sex), np.zeros(RATE), say(sex)]), RATE, model)
    assert (found.label, found.parts) == (sex, ())


def test_changes_are_found_in_every_stretch_of_a_long_recording_and_between_them(model, monkeypatch, tmp_path):
    monkeypatch.setattr(judging, "STRETCH_S", 5.0)
    turns = ["male", "female", "male", "male", "female"]  # 2.5 s each: at 2.5 s, at 5 s between stretches, at 10 s
    sf.write(tmp_path / "x.wav", np.concatenate([say(sex) for sex in turns]), RATE)
    found = judge_file(tmp_path / "x.wav", model).parts
    assert [part.label for part in found] == ["male", "female", "male", "female"]
    np.testing.assert_allclose([part.start_s for part in found], [0, 2.5, 5, 10], atol=0.5)


def test_the_likelihood_ratio_is_that_of_gaussians_with_full_covariances(monkeypatch):
    monkeypatch.setattr(changes, "FLOOR", 0.0)
    rng = np.random.default_rng(0)
    y = np.r_[rng.normal(0, 1, (60, 3)), rng.normal(0.5, 2, (80, 3))]
    on = rng.random(140) < 0.8
    low, at, high = np.array([0, 10]), np.array([60, 70]), np.array([140, 130])
    got = likelihood_ratio(y, on, low, at, high)

    def size(a, b):
        rows = y[a:b][on[a:b]]
        return len(rows) * np.linalg.slogdet(np.cov(rows.T, bias=True))[1]

    expected = [(size(a, c) - size(a, b) - size(b, c)) / 2 for a, b, c in zip(low, at, high, strict=True)]
    np.testing.assert_allclose(got, expected, rtol=1e-9)  # sums of 140 squares
    assert got[0] > got[1]  # the first border is where the numbers change


def test_a_change_needs_evidence_on_both_sides():
    man, woman, breath = Segment(0, 100, 80, 3.0), Segment(100, 200, 80, -3.0), Segment(200, 220, 10, 2.0)
    assert joined([man, woman]) == [man, woman]
    (first, last) = joined([man, woman, breath])  # 20 of log-odds are not enough for a third
    assert first == man
    assert (last.start, last.stop, last.voiced) == (100, 220, 90)
    assert last.z == pytest.approx((80 * -3 + 10 * 2) / 90)
    assert joined([man, replace(man, start=110, stop=210)]) == [Segment(0, 210, 160, 3.0)]  # two of one sex are one
    assert joined([]) == []


def test_between_stretches_a_change_lies_in_the_middle_of_the_pause():
    found = parts([Segment(10, 200, 150, 2.0), Segment(220, 390, 150, -1.0)], 8.0, LABELS)
    assert [(p.start_s, p.end_s, p.label) for p in found] == [(0.0, 4.2, "male"), (4.2, 8.0, "female")]
    assert [p.probability for p in found] == pytest.approx([0.8808, 0.2689], abs=1e-4)  # 1 / (1 + exp(-z))
    assert words(found) == "0-4.2 s male 0.88, 4.2-8 s female 0.73"
    assert words(found * 3) == f"{words(found * 2)}, and 2 more"
    assert parts([Segment(10, 200, 150, 4.0)], 8.0, LABELS) == parts([], 8.0, LABELS) == ()


# -- pictures and words ------------------------------------------------------------------------------------------------


def two():
    """A judgement of 3 s: 120 Hz and male up to 1.5 s, then 220 Hz and female."""
    time = np.arange(150) * 0.02
    f0, p = np.where(time < 1.5, 120.0, 220.0), np.where(time < 1.5, 0.9, 0.1)
    voices = (Part(0.0, 1.5, "male", 0.97), Part(1.5, 3.0, "female", 0.05))
    return Judgement(
        "more than one voice", 0.5, words(voices), 3.0, 3.0, 170.0, time, f0, p, np.full(150, -30.0), voices
    )


def test_the_answer_has_its_stretches_and_no_single_probability_or_pitch():
    answer = answer_of("a.wav", two())
    assert answer.probability is answer.pitch_hz is None
    assert answer.parts[1] == {"start_s": 1.5, "end_s": 3.0, "label": "female", "probability": 0.05}
    cells = [list(c.cells) for c in terminal.table([answer]).columns]
    assert cells == [["a.wav"], ["more than one voice"], [""], [""], ["3.0 s"]]
    assert terminal.reasons([answer]) == ["a.wav: 0-1.5 s male 0.97, 1.5-3 s female 0.95"]


def test_pictures_and_plots_name_the_voice_of_each_stretch(monkeypatch):
    fig = timeline.picture(two(), "a.wav")
    assert fig.get_suptitle() == "a.wav: more than one voice\n0-1.5 s male 0.97, 1.5-3 s female 0.95"
    assert {"male", "female"} <= {text.get_text() for text in fig.axes[2].texts}
    assert all(1.5 in line.get_xdata() for line in (ax.lines[-1] for ax in fig.axes))
    monkeypatch.setattr(sys, "stdout", type("Terminal", (), {"encoding": "ascii"}))
    last = terminal.plot(two()).splitlines()[-1]
    assert last == f"   voice |{'male':<35}|female"
