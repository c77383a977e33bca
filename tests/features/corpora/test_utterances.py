import csv
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from features.corpora import Utterance, table, windows


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.5, [(0.0, 0.5)]),  # shorter than a window, and all there is
        (1.0, [(0.0, 1.0)]),
        (1.4, [(0.0, 1.0)]),  # a rest of less than half a window is dropped
        (1.5, [(0.0, 1.0), (1.0, 1.5)]),
        (3.0, [(0.0, 1.0), (1.0, 2.0), (2.0, 3.0)]),
    ],
)
def test_windows_follow_each_other_and_a_rest_of_half_a_window_is_kept(tmp_path, seconds, expected):
    sf.write(tmp_path / "x.wav", np.zeros(round(8000 * seconds)), 8000)
    cut = windows([Utterance(tmp_path / "x.wav", "s", "male", "train")], 1.0)
    assert [(u.start_s, u.end_s) for u in cut] == expected
    assert {(u.path, u.speaker, u.sex, u.split) for u in cut} == {(tmp_path / "x.wav", "s", "male", "train")}


def test_windows_stay_inside_the_stretch_that_a_table_gives(tmp_path):
    sf.write(tmp_path / "x.wav", np.zeros(8000 * 9), 8000)
    cut = windows([Utterance(tmp_path / "x.wav", None, "male", "", 2.0, 4.5)], 1.0)
    assert [(u.start_s, u.end_s) for u in cut] == [(2.0, 3.0), (3.0, 4.0), (4.0, 4.5)]


def test_a_file_that_cannot_be_opened_stays_for_extraction_to_report(tmp_path):
    broken = [Utterance(tmp_path / "gone.wav", None, "male")]
    assert windows(broken, 1.0) == broken


def test_windows_of_the_real_corpus_are_the_545_rows_of_its_tables(shared_data):
    cut = windows(table(shared_data / "librispeech_251" / "metadata.csv"), 5.3, least=4.0)
    assert Counter(u.sex for u in cut) == {"male": 273, "female": 272}
    for sex in ("male", "female"):
        with (shared_data / "tutorial_csv" / f"{sex}_rows.csv").open(newline="") as file:
            expected = list(csv.DictReader(file))
        ours = [replace(u, path=u.path.relative_to(shared_data / "librispeech_251")) for u in cut if u.sex == sex]
        for n, (u, row) in enumerate(zip(ours, expected, strict=True)):
            row_of_clip = (
                str(n),
                Path(u.path).as_posix(),
                u.speaker,
                u.sex,
                u.split,
                f"{u.start_s:.2f}",
                f"{u.end_s:.2f}",
            )
            assert row_of_clip == tuple(row[k] for k in ("row", "path", "speaker", "sex", "split", "start_s", "end_s"))
