"""What lesson 6 shows on its synthetic voices holds, its cited figures are docs/results.md's; its exercises' answers."""

from pathlib import Path

import numpy as np
import pytest

from experiments import lessons
from experiments.lessons.solutions import lesson_6 as solution

pytestmark = pytest.mark.slow  # it trains its networks


@pytest.fixture(scope="module")
def voices(lesson):
    return lesson(6, answer_1=solution.answer_1, answer_2=solution.answer_2)


def test_the_tutorials_first_column_is_the_index(voices):
    assert list(voices["columns"][:3]) == ["Unnamed: 0", "pitch", "mfcc1"]
    assert len(voices["columns"]) == 112


def test_the_step_first_shown_is_named_rightly(voices):
    """Step 37 is column 36 of 112, so mfcc35, the second moment of the fourth coefficient: mfcc34 is that one's first."""
    assert voices["columns"][36] == "mfcc35"
    assert voices["where"] == "coefficient C3 at moment 1"


def test_no_speaker_is_in_two_folds_and_every_clip_is_in_one(voices):
    for name in np.unique(voices["speakers"]):
        assert len(np.unique(voices["by_speaker"][voices["speakers"] == name])) == 1
    assert [(voices["by_clip"] == k).sum() for k in range(3)] == [24, 24, 24]


def test_read_as_moments_the_same_table_says_more_of_new_speakers(voices):
    steps, _, standardised = (unseen[-1] for _, unseen in voices["readings"].values())
    assert standardised > steps + 0.1
    for training, unseen in voices["readings"].values():
        assert training[-1] > unseen[-1]


def test_a_coin_is_learnt_by_heart_where_speakers_are_on_both_sides(voices):
    """Guessing gives 0.5; 72 answers and six tosses leave it within 0.1 (12 speakers a toss: 0.5 / √72 = 0.06)."""
    by_speaker, by_clip = voices["coins"]
    assert by_speaker == pytest.approx(0.5, abs=0.1)
    assert by_clip > by_speaker + 0.1
    y = voices["tossed"](0)
    assert all(y[voices["by_speaker"] == k].mean() == 0.5 for k in range(3))


def test_the_figures_on_people_are_those_of_the_results_page():
    (file,) = lessons.FOLDER.glob("lesson_6_*.py")
    cited = [
        line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip().startswith("| (N, 11")
    ]
    results = (Path(__file__).parents[3] / "docs" / "results.md").read_text(encoding="utf-8").splitlines()
    assert len(cited) == 3
    for line in cited:
        assert line in results


def test_the_right_answers_are_right(voices):
    assert (voices["check_1"].state, voices["check_2"].state) == ("right", "right")


def test_misconceptions_are_wrong(lesson, voices):
    """That the numbers lie moment by moment, and that reading as moments leaves the distances as they were."""
    answered = lesson(
        6,
        answer_1=lambda s: divmod(s - 3, 10)[::-1],
        answer_2=lambda reading, column: 111 - column,
        **{name: voices[name] for name in ("by_pitch", "readings", "coins", "tossed")},  # not trained again
    )
    assert (answered["check_1"].state, answered["check_2"].state) == ("wrong", "wrong")
