"""Figures, errors and abstentions of clips whose answers are known; and the page that a person reads."""

import json

import numpy as np
import pandas as pd
import pytest

from experiments.reports.run import Run, to_json
from experiments.voices import evaluation_report
from experiments.voices.evaluation import evaluate_clips, rights
from features.clips import Clips
from features.frames import COLUMNS


def clip(f0_hz: float, voiced: float = 0.8, seconds: float = 2.0) -> np.ndarray:
    """(T, 23) about this pitch, voiced in this share of its frames, and as restless as speech is."""
    frames = np.zeros((round(seconds / 0.02) + 1, len(COLUMNS)), np.float32)
    frames[:, 0] = np.log(f0_hz) + 0.05 * np.resize([0, 1, 0, -1], len(frames))
    frames[:, 3:] = 5 * np.random.default_rng(0).standard_normal((len(frames), 20))
    frames[: round(voiced * len(frames)), 1] = 0.9
    return frames


def clips_of(sequences: list[np.ndarray], sexes: str, speakers: list[str | None]) -> Clips:
    n = len(sequences)
    hashes = np.array([f"{k:064x}" for k in range(n)])
    paths = np.array([f"{k}.wav" for k in range(n)])
    labels = np.array([int(sex == "m") for sex in sexes])
    return Clips(
        sequences,
        labels,
        np.array(speakers, object),
        np.full(n, ""),
        paths,
        hashes,
        COLUMNS,
        {"parameters": {"pitch": "yin"}},
    )


@pytest.fixture
def eight() -> tuple[Clips, dict[str, np.ndarray]]:
    """Speakers A, B (male), C, D (female) with two clips each. The model errs on one clip of A, of B and of C."""
    sequences = [clip(110), clip(198), clip(120), clip(125), clip(210), clip(131), clip(220, 0.02), clip(230, 0.8, 0.6)]
    model = np.array([3.0, -1.0, 0.5, -2.0, -3.0, 1.0, -0.2, -2.0])
    pitch = np.log(155 / np.array([110, 198, 120, 125, 210, 131, 220, 230]))
    return clips_of(sequences, "mmmmffff", list("AABBCCDD")), {"LSTM": model, "F0": pitch}


def test_figures_by_clip_and_by_speaker(eight):
    clips, scores = eight
    result, _ = evaluate_clips(scores, clips)
    model = result["sides"]["LSTM"]
    assert model["by_clip"]["balanced_accuracy"] == pytest.approx((2 / 4 + 3 / 4) / 2)
    assert (model["by_clip"]["male"], model["by_clip"]["female"]) == ({"right": 2, "of": 4}, {"right": 3, "of": 4})
    # mean log-odds: A 1, B -0.75, C -1, D -1.1, so that B alone is misjudged
    assert model["by_speaker"]["balanced_accuracy"] == pytest.approx((1 / 2 + 2 / 2) / 2)
    assert (result["clips"], result["speakers"], result["clips_of_unknown_speakers"]) == (8, 4, 0)


def test_the_lead_over_a_baseline_is_paired(eight):
    clips, scores = eight
    sides = evaluate_clips(scores, clips)[0]["sides"]
    lead = sides["F0"]["by_clip"]
    assert lead["balanced_accuracy"] == pytest.approx((3 / 4 + 3 / 4) / 2)
    assert lead["model_leads_by"] == pytest.approx(-1 / 8)
    assert "model_leads_by" not in sides["LSTM"]["by_clip"]
    again = evaluate_clips({"LSTM": scores["LSTM"], "twin": 2 * scores["LSTM"]}, clips)[0]["sides"]["twin"]
    assert again["by_clip"]["model_leads_by"] == 0.0
    low, high = again["by_clip"]["model_leads_by_95"]
    assert low == pytest.approx(-high, abs=0.1)  # nothing seen for either; 2,000 draws


def test_a_score_of_zero_is_wrong_whatever_the_label():
    assert rights(np.array([1, 0, 1, 0]), np.array([0.0, 0.0, 1.0, -1.0])).tolist() == [0, 0, 1, 1]


def test_errors_come_with_their_pitch_and_a_remark_the_surest_first(eight):
    clips, scores = eight
    errors = evaluate_clips(scores, clips)[0]["errors"]
    assert [(e["path"], e["sex"], e["said"], round(e["f0_hz"])) for e in errors] == [
        ("3.wav", "male", "female", 125),
        ("1.wav", "male", "female", 198),
        ("5.wav", "female", "male", 131),
    ]
    assert [e["remark"] for e in errors] == [
        "not explained by pitch: 125 Hz lies below 155 Hz",
        "high-pitched for a male label: 198 Hz",
        "low-pitched for a female label: 131 Hz",
    ]


def test_a_short_or_hardly_voiced_error_says_so():
    clips = clips_of([clip(110, 0.05), clip(120, 0.8, 0.5), clip(200)], "mmf", list("abc"))
    remarks = evaluate_clips({"LSTM": np.array([-1.0, -2.0, -3.0])}, clips)[1]["remark"]
    assert remarks.tolist() == ["hardly any voice: 0.1 s", "short: 0.5 s", ""]


def test_it_abstains_where_there_is_no_voice_or_p_is_in_the_band(eight):
    clips, scores = eight
    result, rows = evaluate_clips(scores, clips, uncertain=(0.35, 0.65))
    assert rows["abstains"].tolist() == [
        "",
        "",
        "uncertain",
        "",
        "",
        "",
        "no speech",
        "",
    ]  # σ(0.5) = .62; 0.1 s of voice
    assert result["abstentions"] == {
        "no speech": 1,
        "uncertain": 1,
        "wrong_among_them": 0,
        "balanced_accuracy_of_the_rest": pytest.approx((1 / 3 + 2 / 3) / 2),
    }


def test_the_temperature_moves_probabilities_and_no_answer(eight):
    clips, scores = eight
    plain, rows = evaluate_clips(scores, clips)
    cooled, calm = evaluate_clips(scores, clips, temperature=2.0)
    assert plain["sides"] == cooled["sides"]
    assert calm["p"].to_numpy() == pytest.approx(1 / (1 + np.exp(-rows["log_odds"].to_numpy() / 2)))
    assert cooled["calibration"]["before"] == plain["calibration"]["after"]
    assert cooled["calibration"]["after"] != plain["calibration"]["after"]


def test_people_are_listed_with_the_misjudged_first(eight):
    clips, scores = eight
    people = evaluate_clips(scores, clips)[0]["people"]
    assert [(p["speaker"], p["clips"], p["right"], p["said"]) for p in people] == [
        ("B", 2, 1, "female"),
        ("A", 2, 1, "male"),
        ("C", 2, 1, "female"),
        ("D", 2, 2, "female"),
    ]
    assert people[0]["p"] == pytest.approx(1 / (1 + np.exp(0.75)))


def test_without_speakers_there_are_no_figures_by_speaker():
    clips = clips_of([clip(110), clip(120), clip(200), clip(220)], "mmff", [None] * 4)
    result, _ = evaluate_clips({"LSTM": np.array([1.0, 1.0, -1.0, 1.0])}, clips)
    assert list(result["sides"]["LSTM"]) == ["by_clip"]
    assert (result["speakers"], result["clips_of_unknown_speakers"], result["people"]) == (0, 4, [])
    assert "4 of 4 clips is unknown" in evaluation_report.caution(result)[0]
    assert "by speaker" not in evaluation_report.sentence(result)


@pytest.mark.parametrize(
    ("z", "sexes", "words"),
    [
        ([1.0, np.nan], "mf", "expected 2 finite scores, got 2, 1 finite"),
        ([1.0], "mf", "got 1"),
        ([1.0, 1.0], "mm", "no female clip is among the 2"),
    ],
)
def test_what_cannot_be_judged_is_refused(z, sexes, words):
    with pytest.raises(ValueError, match=words):
        evaluate_clips({"LSTM": np.array(z)}, clips_of([clip(100)] * 2, sexes, ["a", "b"]))


def test_the_run_holds_a_page_and_tables_that_agree(eight, tmp_path):
    clips, scores = eight
    result, rows = evaluate_clips(scores, clips, 1.5, (0.35, 0.65))
    evaluation_report.write(Run(tmp_path), result, rows, ["2 clips <failed>."], "a test")
    assert {p.name for p in tmp_path.iterdir()} == {"clips.csv", "errors.csv", "report.html", "result.json"}
    assert json.loads((tmp_path / "result.json").read_text()) == json.loads(
        to_json(result | {"notes": ["2 clips <failed>."]})
    )
    errors = pd.read_csv(tmp_path / "errors.csv")
    assert errors["path"].tolist() == ["3.wav", "1.wav", "5.wav"]
    assert len(pd.read_csv(tmp_path / "clips.csv")) == 8
    page = (tmp_path / "report.html").read_text()
    assert "2 clips &lt;failed&gt;." in page
    assert all(f"<th>{name}</th>" in page for name in ("LSTM", "F0", "3.wav", "1.wav", "5.wav", "B"))
    assert page.count('src="data:image/svg+xml;base64,') == 3
    assert "high-pitched for a male label: 198\u00a0Hz" in page
    assert "abstain on 2 of 8 clips: 1 with too little voice, 1 with a probability between 0.35 and 0.65" in page


def test_the_sentence_says_who_is_ahead_and_how_surely(eight):
    clips, scores = eight
    words = evaluation_report.sentence(evaluate_clips(scores, clips)[0])
    assert words.startswith("On 8 clips of 4 speakers (0.00 h) the LSTM's balanced accuracy is 0.625 (95 % interval ")
    assert "F0 reaches 0.750: the LSTM is not clearly ahead (difference -0.125, " in words
