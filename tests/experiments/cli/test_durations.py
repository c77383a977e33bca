"""What a command says beforehand of the time that it takes follows from the amount of its work."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from experiments.cli import durations
from features.corpora import Utterance


@pytest.fixture
def tables(tmp_path):
    for sex in ("male", "female"):
        (tmp_path / f"{sex}_features.csv").write_text("pitch\n" + "1\n" * 500)
    return tmp_path


def test_trainings_on_tables_take_longer_with_more_rows_seeds_and_keras(tables):
    assert durations.rows_in(tables) == 1000
    assert durations.of_tables(tables, 20, "steps") == ""
    assert durations.of_tables(tables, 400, "steps") == "about 2 minutes"
    assert durations.of_tables(tables, 20, "steps", trainings=5, keras=True) == "about 3 minutes"
    assert durations.of_epochs_study(tables, None, 200, 5) == "about 10 minutes"


def test_digits_by_target():
    assert durations.of_digits(["digit"], 6600, 8, keras=False) == "about 40 s"
    assert durations.of_digits(["digit", "sex"], 6600, 8, keras=True) == "about 4 minutes"


def test_an_extraction_by_the_lengths_of_some_clips(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(16000 * 21), 16000)
    clips = [Utterance(tmp_path / "a.wav", None, "male")] * 600  # 210 minutes
    assert durations.of_sound(clips, "frames", None, 1, 1) == "about 60 s"
    assert durations.of_sound(clips, "frames", "pyin", 1, 1) == "about 30 minutes"
    assert durations.of_sound(clips, "frames", None, 3, 1) == "about 3 minutes"
    windows = [Utterance(Path("none.wav"), None, "male", start_s=5, end_s=26)] * 600
    assert durations.of_sound(windows, "frames", None, 1, 1) == "about 60 s"


def test_nothing_is_said_where_there_is_no_data(tmp_path):
    assert durations.of_tables(tmp_path / "none", 400, "steps") == ""
    assert durations.of_frames(tmp_path, 40) == ""
    assert durations.of_corpus(tmp_path / "none", None, "all", "frames", 1) == ""
    assert durations.of_sound([Utterance(tmp_path / "none.wav", None, "male")], "frames", None, 1, 1) == ""
