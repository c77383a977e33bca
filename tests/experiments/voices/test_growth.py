"""The measurement of a growing store, on a small one; the kills, 20 of them, are slow."""

import os

import pytest

from experiments.voices.growth import WORDS, growth


@pytest.mark.parametrize(
    "kills",
    [
        0,
        pytest.param(
            20, marks=[pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="process groups are killed")]
        ),
    ],
)
def test_one_clip_more_is_one_clip_measured_and_no_kill_changes_a_byte(tmp_path, kills):
    found = growth(tmp_path, clips=10, seconds=0.5, kills=kills)
    assert (found["clips"], found["measured"], found["kept"], found["all"]) == (10, 1, 10, 11)
    assert found["same"]
    assert found["survived"] == kills
    assert "with 1 clip more, 1 measured, 10 kept" in WORDS.format_map(found)
