"""study memory: a grid of trainings, a page whose words follow from the numbers; a stopped study goes on."""

import json

import pandas as pd
import pytest
from matplotlib.figure import Figure

from experiments.study.memory import points, report
from experiments.study.memory.points import Point
from experiments.study.memory.study import study, train
from experiments.study.tasks import recall

ONE = {"tasks": ("recall",), "cells": ("rnn", "peephole")}


@pytest.fixture
def small_command(small, monkeypatch):
    """The command itself, with the small settings."""
    monkeypatch.setattr("experiments.study.memory.study.Settings", lambda: small)
    monkeypatch.setattr("experiments.study.memory.search.Settings", lambda: small)
    return small


@pytest.fixture
def unseen(monkeypatch):
    """For tests that do not ask for pictures: drawing takes longer than all else."""
    for name in ("success", "curves", "gradients", "reach"):
        monkeypatch.setattr(report.drawing, name, lambda *given: Figure())


# -- the grid ----------------------------------------------------------------------------------------------------------


def test_the_grid_is_every_cell_on_every_task_at_every_lag():
    grid = points.points()
    assert len(set(grid)) == len(grid) == 4 * (5 * 5 + 4)  # the one with peepholes goes a lag less far
    assert len({p.what for p in grid}) == len(grid)
    assert points.points(("it",), ("rnn",)) == [Point("it", "rnn", lag) for lag in (10, 25, 50, 100, 200)]
    assert len(points.points(quick=True)) == 2 * 3 * 2


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"tasks": ("it", "copy")}, "there is no task copy: choose of adding, order, recall, it"),
        ({"cells": ("lstm",)}, "there is no cell lstm: choose of rnn, gru, lstm0, lstm1, peephole, chrono"),
    ],
)
def test_what_is_not_there_is_refused(asked, said):
    with pytest.raises(ValueError, match=said):
        points.points(**asked)


# -- one training ------------------------------------------------------------------------------------------------------


def test_a_training_says_what_was_left_of_a_gradient_before_and_after_it(small):
    found = train(Point("recall", "lstm1", 10), small, 0)
    assert found["sequences"] == 32
    assert found["rate"] == 0.01
    for when in ("before", "after"):
        assert {len(found[when][name]) for name in ("h", "c", "along")} == {10}
    assert found["before"]["along"] != found["after"]["along"]
    assert found["before"] == train(Point("recall", "lstm1", 10), small, 0)["before"]


def test_a_cell_that_is_not_the_engine_s_is_trained_without_its_gradients(small):
    found = train(Point("recall", "peephole", 10), small, 0)
    assert found["sequences"] == 32
    assert found["before"] is found["after"] is None


# -- the study ---------------------------------------------------------------------------------------------------------


def test_the_study_writes_its_table_page_pictures_and_numbers(small, tmp_path):
    result = study(tmp_path, **ONE, seeds=2, settings=small)
    assert [(p["cell"], p["lag"], p["solved"]) for p in result["points"]] == [
        ("rnn", 10, 2), ("rnn", 25, 2), ("peephole", 10, 2), ("peephole", 25, 2),
    ]  # fmt: skip
    assert json.loads((tmp_path / "memory.json").read_text()) == json.loads(json.dumps(result))
    table = pd.read_csv(tmp_path / "trainings.csv")
    assert table["seed"].tolist() == [0, 1] * 4
    assert (table["sequences_if_solved"] == 32).all()
    for name in ("success", "curves", "gradients_recall", "reach"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    page = (tmp_path / "report.html").read_text()
    assert "at most 32 of the 32 most recent sequences wrong" in page
    assert "2 of 2 (34 to 100 %)" in page  # Wilson's interval
    assert "Made by: lstm-engine study memory --task recall --cell rnn --cell peephole --seeds 2. " in page
    assert "quick run" not in page


def test_what_is_done_is_not_trained_again_and_all_is_reported(small, unseen, tmp_path):
    study(tmp_path, **ONE, seeds=1, settings=small)
    kept = tmp_path / "results" / "recall-rnn-10-0.json"
    kept.write_text(json.dumps(json.loads(kept.read_text()) | {"sequences": 7}))
    result = study(tmp_path, ("recall",), ("rnn",), seeds=2, settings=small)
    assert [(p["cell"], p["lag"], p["seeds"]) for p in result["points"]] == [
        ("rnn", 10, 2), ("rnn", 25, 2), ("peephole", 10, 1), ("peephole", 25, 1),
    ]  # fmt: skip
    assert result["points"][0]["sequences_of_solved"]["low"] == 7  # as it lay there
    assert len(result["commands"]) == 2


def test_results_of_other_settings_are_refused(small, unseen, tmp_path, monkeypatch):
    study(tmp_path, **ONE, seeds=1, settings=small)
    monkeypatch.setattr(recall, "LIMIT", 0.4)
    monkeypatch.setattr(recall.Recall, "within", 0.4)
    with pytest.raises(FileExistsError, match=r"recall-rnn-10 task within 0\.3 and 0\.4"):
        study(tmp_path, **ONE, seeds=1, settings=small)
    assert study(tmp_path, **ONE, seeds=1, settings=small, force=True)["points"][0]["seeds"] == 1


def test_a_quick_run_is_few_points_and_says_so(small, unseen, tmp_path):
    result = study(tmp_path, seeds=9, quick=True, settings=small)
    assert [(p["task"], p["cell"], p["lag"], p["seeds"]) for p in result["points"]] == [
        (task, cell, 10, 2) for task in ("order", "it") for cell in ("rnn", "lstm1", "chrono")
    ]
    page = (tmp_path / "report.html").read_text()
    assert "was a quick run: two tasks" in page
    assert "Made by: lstm-engine study memory --quick. " in page


# -- words -------------------------------------------------------------------------------------------------------------


def point(cell, lag, solved, task="it", seeds=3):
    return {"task": task, "cell": cell, "lag": lag, "solved": solved, "seeds": seeds}


def test_the_longest_lag_is_the_last_before_the_first_that_a_seed_failed_at():
    result = {
        "points": [
            *(point("rnn", lag, solved) for lag, solved in ((10, 3), (25, 3), (50, 2), (100, 3))),
            *(point("gru", lag, 0) for lag in (10, 25)),
            point("rnn", 10, 3, task="adding"),
        ]
    }
    table = report.longest(result)
    assert table.loc["SimpleRNN"].tolist() == ["10", "25"]
    assert table.loc["GRU"].tolist() == ["-", "none"]
    assert report.verdict(result).endswith("SimpleRNN: 10 to 25; GRU: none.")


def test_keras_s_words_set_its_distance_beside_the_engine_s_from_itself():
    sequences = {"engine": [1000, 1400, None], "reversed": [1100, 1400, 900], "keras": [1000, 1600, 800]}
    words = report.keras_words({"sequences": sequences, "first_point_apart": {"keras": 3e-7, "reversed": 2e-7}})
    assert "Keras needs on average 100 sequences more or fewer than the engine" in words
    assert "with its batches reversed 50; from one seed to another the engine's differ by up to 400" in words
    assert "3e-07 (2e-07 for the control)" in words


# -- the command -------------------------------------------------------------------------------------------------------


def test_the_command_shows_the_table_and_where_the_report_is(small_command, unseen, lstm_engine, tmp_path):
    command = ["study", "memory", "--task", "it", "--cell", "gru", "--seeds", 1, "--jobs", 1, "--out", tmp_path]
    shown = lstm_engine(*command)
    assert shown.code == 0
    assert "GRU: 25." in shown.out
    assert f"Report: {tmp_path / 'report.html'}" in shown.out
    assert json.loads(lstm_engine(*command, "--json").out)["points"][1]["solved"] == 1


def test_the_search_writes_a_row_for_each_training(small_command, lstm_engine, tmp_path):
    shown = lstm_engine("study", "memory", "--tune", "--task", "it", "--cell", "gru", "--jobs", 1, "--out", tmp_path)
    assert shown.code == 0
    table = pd.read_csv(tmp_path / "rates.csv")
    assert len(table) == 2 * 4 * 2  # lags, rates, seeds
    assert (table["sequences"] == 32).all()
    assert set(table["seed"]) == {100, 101}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--cell", "elman"], "there is no cell elman: choose of rnn, gru"),
        (["--tune", "--quick"], "leave --quick and --keras out"),
    ],
)
def test_bad_usage_is_one_line(lstm_engine, tmp_path, options, said):
    shown = lstm_engine("study", "memory", *options, "--out", tmp_path / "o")
    assert shown.code == 2
    assert said in shown.err
    assert not (tmp_path / "o").exists()
