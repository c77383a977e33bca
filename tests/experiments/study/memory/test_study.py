"""study memory: a grid of trainings, a page whose words follow from the numbers; a stopped study goes on."""

import json

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from experiments.study.memory import beside_keras, drawing, report
from experiments.study.memory import study as module
from experiments.study.memory.settings import RATES, Point, points
from experiments.study.memory.study import study, train, training
from experiments.study.tasks import recall

ONE = {"tasks": ("recall",), "cells": ("rnn", "peephole")}


@pytest.fixture
def small_command(small, monkeypatch):
    """The command itself, with the small settings."""
    monkeypatch.setattr("experiments.study.memory.study.Settings", lambda: small)
    return small


@pytest.fixture
def unseen(monkeypatch):
    """For tests that do not ask for pictures: drawing takes longer than all else."""
    for name in ("success", "curves", "gradients", "reach"):
        monkeypatch.setattr(report.drawing, name, lambda *arguments: Figure())


# -- the grid ----------------------------------------------------------------------------------------------------------


def test_the_grid_is_every_cell_on_every_task_at_every_lag():
    grid = points()
    assert len(set(grid)) == len(grid) == 4 * (5 * 5 + 4)  # the one with peepholes goes a lag less far
    assert len({p.what for p in grid}) == len(grid)
    assert points(("it",), ("rnn",)) == [Point("it", "rnn", lag) for lag in (10, 25, 50, 100, 200)]
    assert len(points(quick=True)) == 2 * 3 * 2


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ({"tasks": ("it", "copy")}, "there is no task copy: choose from adding, order, recall, it"),
        ({"cells": ("lstm",)}, "there is no cell lstm: choose from rnn, gru, lstm0, lstm1, peephole, chrono"),
    ],
)
def test_what_is_not_there_is_refused(names, words):
    with pytest.raises(ValueError, match=words):
        points(**names)


# -- one training ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["lstm1", "peephole"])
def test_a_training_says_what_was_left_of_a_gradient_before_and_after_it(small, cell):
    result = training(Point("recall", cell, 10), small, 0)
    assert result["sequences"] == 32
    assert result["rate"] == 0.01
    for when in ("before", "after"):
        assert {len(result[when][name]) for name in ("h", "c", "along")} == {10}
    assert result["before"]["along"] != result["after"]["along"]
    assert result["before"] == training(Point("recall", cell, 10), small, 0)["before"]


# -- the study ---------------------------------------------------------------------------------------------------------


def test_the_study_writes_its_table_page_pictures_and_numbers(small, tmp_path):
    numbers = study(tmp_path, **ONE, seeds=2, settings=small)
    assert [(p["cell"], p["lag"], p["solved"]) for p in numbers["points"]] == [
        ("rnn", 10, 2), ("rnn", 25, 2), ("peephole", 10, 2), ("peephole", 25, 2),
    ]  # fmt: skip
    assert json.loads((tmp_path / "memory.json").read_text()) == json.loads(json.dumps(numbers))
    table = pd.read_csv(tmp_path / "trainings.csv")
    assert table["seed"].tolist() == [0, 1] * 4
    assert (table["sequences_if_solved"] == 32).all()
    for name in ("success", "curves", "gradients_recall", "reach"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    page = (tmp_path / "report.html").read_text()
    assert "at most 32 of the 32 most recent sequences wrong" in page
    assert "2 of 2 (34 to 100\u00a0%)" in page  # Wilson's interval
    assert "Made by: lstm-engine study memory --task recall --cell rnn --cell peephole --seeds 2. " in page
    assert "quick run" not in page


def counts(results):
    """Cell, lag and number of seeds of each point."""
    return [(p.cell, p.lag, len(seeds)) for p, seeds in results.items()]


def test_what_is_done_is_not_trained_again_and_all_is_reported(small, tmp_path):
    train(tmp_path, **ONE, seeds=1, settings=small)
    kept = tmp_path / "results" / "recall-rnn-10-0.json"
    kept.write_text(json.dumps(json.loads(kept.read_text()) | {"sequences": 7}))
    _, results, *_ = train(tmp_path, ("recall",), ("rnn",), seeds=2, settings=small)
    assert counts(results) == [("rnn", 10, 2), ("rnn", 25, 2), ("peephole", 10, 1), ("peephole", 25, 1)]
    assert results[Point("recall", "rnn", 10)][0]["sequences"] == 7  # as it lay there


def test_a_page_names_every_command_that_its_folder_is_of(small, unseen, tmp_path):
    study(tmp_path, **ONE, seeds=1, settings=small)
    commands = study(tmp_path, ("recall",), ("rnn",), seeds=2, settings=small)["commands"]
    assert [command.removeprefix("lstm-engine study memory --task recall ") for command in commands] == [
        "--cell rnn --cell peephole --seeds 1",
        "--cell rnn --seeds 2",
    ]


def test_results_of_other_settings_are_refused(small, tmp_path, monkeypatch):
    train(tmp_path, **ONE, seeds=1, settings=small)
    monkeypatch.setattr(recall.Recall, "within", 0.4)
    with pytest.raises(FileExistsError, match=r"recall-rnn-10 task within 0\.3 and 0\.4"):
        train(tmp_path, **ONE, seeds=1, settings=small)
    _, results, *_ = train(tmp_path, **ONE, seeds=1, settings=small, force=True)
    assert counts(results)[0] == ("rnn", 10, 1)


def test_a_quick_run_is_few_points_and_says_so(small, unseen, tmp_path):
    numbers = study(tmp_path, seeds=9, quick=True, settings=small)
    assert [(p["task"], p["cell"], p["lag"], p["seeds"]) for p in numbers["points"]] == [
        (task, cell, 10, 2) for task in ("order", "it") for cell in ("rnn", "lstm1", "chrono")
    ]
    page = (tmp_path / "report.html").read_text()
    assert "was a quick run, with few tasks" in page
    assert "Made by: lstm-engine study memory --quick. " in page


# -- words -------------------------------------------------------------------------------------------------------------


def point(cell, lag, solved, task="it", seeds=3):
    return {"task": task, "cell": cell, "lag": lag, "solved": solved, "seeds": seeds}


def test_the_longest_lag_is_the_last_before_the_first_that_a_seed_failed_at():
    numbers = {
        "points": [
            *(point("rnn", lag, solved) for lag, solved in ((10, 3), (25, 3), (50, 2), (100, 3))),
            *(point("gru", lag, 0) for lag in (10, 25)),
            point("rnn", 10, 3, task="adding"),
        ]
    }
    table = report.longest(numbers)
    assert table.loc["SimpleRNN"].tolist() == ["10", "25"]
    assert table.loc["GRU"].tolist() == ["-", "none"]
    assert report.verdict(numbers).endswith("SimpleRNN: 10 to 25; GRU: none.")


def test_keras_s_words_set_its_distance_beside_the_engine_s_from_itself():
    sequences = {"engine": [1000, 1400, None], "reversed": [1100, 1400, 900], "keras": [1000, 1600, 800]}
    words = report.keras_words({"sequences": sequences, "first_point_apart": {"keras": 3e-7, "reversed": 2e-7}})
    assert "Keras needs on average 100 sequences more or fewer than the engine" in words
    assert "with its batches reversed 50. From one seed to another the engine's numbers differ by up to 400." in words
    assert "3e-07 (2e-07 for the control)" in words
    assert "Number of seeds solved by only one of the two: 1." in words


def test_only_seeds_that_every_side_has_are_set_beside_each_other(tmp_path):
    (tmp_path / "results").mkdir()
    for side, seed in (("engine", 0), ("engine", 1), ("reversed", 0), ("reversed", 1), ("keras", 1)):
        (tmp_path / "results" / f"beside-{side}-{seed}.json").write_text(json.dumps({"seed": seed}))
    assert beside_keras.results_of(tmp_path) == {side: [{"seed": 1}] for side in ("engine", "reversed", "keras")}
    (tmp_path / "results" / "beside-keras-1.json").unlink()
    assert beside_keras.results_of(tmp_path) == {}


@pytest.mark.parametrize("cell", ["lstm1", "peephole"])
def test_a_training_that_diverged_has_no_gradient_after_it(small, monkeypatch, cell):
    def diverge(network, *arguments):
        for w in network.weights.values():
            w[...] = np.nan
        return {"sequences": None}

    monkeypatch.setattr("experiments.study.solving.solve", diverge)
    result = training(Point("recall", cell, 10), small, 0)
    assert result["before"] is not None
    assert result["after"] is None


def test_the_drawn_theory_is_a_power_of_what_was_measured():
    measured = {"h": [1.0, 0.5, 0.2], "radius": 2.0, "slope": 0.25}
    (_, h, _), (_, theory, _), (_, bound, _) = drawing.lines(measured)
    np.testing.assert_array_equal(h, [1, 0.5, 0.2])
    np.testing.assert_allclose(theory, [1, 0.5, 0.25])
    np.testing.assert_allclose(bound, [1, 2, 4])


def test_what_reaches_the_first_step_is_the_cell_s_where_there_is_one():
    assert drawing.reach_of({"before": {"h": [1.0, 0.3], "c": [1.0, 0.7]}}, "before") == 0.7
    assert drawing.reach_of({"before": {"h": [1.0, 0.3]}}, "before") == 0.3


# -- the command -------------------------------------------------------------------------------------------------------


def test_the_command_shows_the_table_and_where_the_report_is(small_command, unseen, lstm_engine, tmp_path):
    command = ["study", "memory", "--task", "it", "--cell", "lstm0", "--seeds", 1, "--jobs", 1, "--out", tmp_path]
    shown = lstm_engine(*command)
    assert shown.code == 0
    assert "LSTM, forget bias 0: 25." in shown.out
    assert f"Report: {tmp_path / 'report.html'}" in shown.out
    assert json.loads(lstm_engine(*command, "--json").out)["points"][1]["solved"] == 1


def test_the_search_tries_every_rate_and_the_second_seed_those_that_solved(
    small_command, lstm_engine, tmp_path, monkeypatch
):
    def trial(point, rate, settings, seed):
        return {"sequences": 32 if rate == 0.01 else None, "curve": [[32, 0.5]], "seconds": 0.1}

    monkeypatch.setattr(module, "trial", trial)
    shown = lstm_engine("study", "memory", "--tune", "--task", "it", "--cell", "gru", "--jobs", 1, "--out", tmp_path)
    assert shown.code == 0
    table = pd.read_csv(tmp_path / "rates.csv")
    assert sorted(zip(table["lag"], table["rate"], table["seed"], strict=True)) == [
        *sorted((lag, rate, seed) for lag in (10, 25) for rate in RATES for seed in (100, 101)[: 1 + (rate == 0.01)])
    ]


def test_a_training_of_the_search_is_one_of_its_rate_s_and_is_not_tested(small):
    result = module.trial(Point("it", "lstm0", 10), 0.02, small, 100)
    assert result["sequences"] == 32
    assert result["wrong"] is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--cell", "elman"], "there is no cell elman: choose from rnn, gru"),
        (["--tune", "--quick"], "leave --quick and --keras out"),
    ],
)
def test_bad_usage_is_one_line(lstm_engine, tmp_path, options, words):
    shown = lstm_engine("study", "memory", *options, "--out", tmp_path / "o")
    assert shown.code == 2
    assert words in shown.err
    assert not (tmp_path / "o").exists()
