"""study lstm1997: rows, trainings and a page whose words follow from the numbers; a stopped study goes on."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from experiments.study import solving
from experiments.study.goals import BothSets, MostRecent, OnATestSet
from experiments.study.lstm1997 import experiments, report
from experiments.study.lstm1997.cell import Cell1997
from experiments.study.lstm1997.experiments import EXPERIMENTS, MUST, SETUPS, Paper, Setup, setups
from experiments.study.lstm1997.modern import Modern
from experiments.study.lstm1997.study import study, train, training
from experiments.study.tasks import adding
from experiments.study.tasks.adding import Adding
from experiments.study.tasks.temporal_order import TemporalOrder

EASY = Setup(
    "4", "4-easy", Adding(24), MostRecent(40, wrong=40), Modern(24, units=3), Paper("a net", 93, 60, 1), 80, quick=True,
    old=Cell1997(2, 1, 0.5, (-1.0, -2.0)),
)  # fmt: skip
NEVER = Setup(
    "6a", "6a-never", TemporalOrder(2, T=20), MostRecent(40, error=0.0), Modern(20, units=3), Paper("a net", 156, 30, 1),
    80,
)  # fmt: skip


@pytest.fixture
def small(monkeypatch):
    """Two rows, of which the first is met at once, and the second never."""
    monkeypatch.setattr(experiments, "SETUPS", (EASY, NEVER))
    monkeypatch.setattr(solving, "TESTED", 30)
    monkeypatch.setattr(solving, "POINT", 20)


@pytest.fixture
def undrawn(monkeypatch):
    """For tests that do not ask for the picture: drawing takes longer than all else."""
    monkeypatch.setattr(report, "picture", lambda rows: Figure())


# -- rows --------------------------------------------------------------------------------------------------------------


def test_the_must_rows_are_those_of_experiments_1_4_and_6():
    assert [s.key for s in setups((), "modern", False)] == ["1", "4-T100", "4-T500", "4-T1000", "6a", "6b"]
    assert [s.key for s in setups((), "modern", True)] == ["1", "4-T100", "6a", "6b"]
    assert [s.key for s in setups((), "1997", False)] == ["4-T100", "6a", "6b"]
    assert set(MUST) < set(EXPERIMENTS) == {"1", "2a", "2b", "2c", "3a", "3b", "3c", "4", "5", "6a", "6b"}


def test_keys_name_one_row_and_one_file():
    keys = [s.key for s in SETUPS]
    assert len(set(keys)) == len(keys)
    assert all(set(key) <= set("0123456789abcTNSq-p") for key in keys)


def test_a_limit_leaves_room_for_what_is_not_counted():
    assert all(s.limit >= s.paper.sequences + s.goal.leads for s in SETUPS)


def test_the_paper_s_numbers_of_weights_follow_from_its_networks():
    """A hidden unit hears the inputs and the hidden units, an output the cells; biases differ (the paper's table 10)."""
    biased = {"1": "gates", "2c": "none", "3a": "hidden", "3b": "hidden", "3c": "hidden"}
    for s in SETUPS:
        if s.experiment not in ("2a", "2b"):  # those have one cell without an output gate
            blocks, size = (int(word) for word in s.paper.network.removesuffix(" (best)").split(" blocks of "))
            hidden, D, K = 2 * blocks + blocks * size, s.task.features, s.task.outputs
            biases = {"none": 0, "gates": 2 * blocks, "hidden": hidden, "all": hidden + K}
            count = biases[biased.get(s.experiment, "all")]
            assert s.paper.weights == hidden * (D + hidden) + blocks * size * K + count, s.key


@pytest.mark.parametrize(
    ("keys", "goal"),
    [
        ("1", BothSets()),
        ("2", MostRecent(10_000, leads=10_000)),
        ("3a ST1", OnATestSet()),
        ("3a ST2", OnATestSet(error=0.01)),
        ("3b ST1", OnATestSet(wrong=5)),
        ("3b ST2", OnATestSet(wrong=5, error=0.04)),
        ("3c", OnATestSet(error=0.015)),
        ("4", MostRecent(error=0.01)),
        ("5-140", MostRecent(wrong=139)),
        ("5-13", MostRecent(wrong=12)),
        ("6", MostRecent(error=0.1)),
    ],
)
def test_goals_are_the_paper_s(keys, goal):
    start, _, end = keys.partition(" ")
    rows = [s for s in SETUPS if s.key.startswith(start) and s.key.endswith(end)]
    assert rows
    assert all(s.goal == goal for s in rows)


@pytest.mark.parametrize(
    ("experiments_", "cell", "words"),
    [
        (("7",), "modern", "there is no experiment 7: choose from 1, 2a"),
        (("4",), "gru", "--cell must be modern or 1997, got 'gru'"),
        (("1",), "1997", "--cell 1997 has nothing for experiment 1: it has 4, 6a, 6b"),
    ],
)
def test_what_is_not_there_is_refused(experiments_, cell, words):
    with pytest.raises(ValueError, match=words):
        setups(experiments_, cell, False)


# -- one training ------------------------------------------------------------------------------------------------------


def test_a_training_that_meets_its_goal_ends_there_and_is_tested(small):
    result = training(EASY, "modern", 0)
    assert result["sequences"] == result["trained"] == 40
    assert 0 <= result["wrong"] <= 30
    assert result["weights"] == 4 * 3 * (2 + 3 + 1) + 4
    assert [n for n, _ in result["curve"]] == [20, 40]
    assert result["seconds"] > 0


def test_a_training_that_is_done_before_a_point_of_its_curve_has_one_of_what_there_was(small, monkeypatch):
    monkeypatch.setattr(solving, "POINT", 500)
    (point,) = training(EASY, "modern", 0)["curve"]
    assert point[0] == 40
    assert 0 < point[1] < 1


def test_a_training_that_does_not_ends_at_its_limit(small):
    result = training(NEVER, "modern", 0)
    assert result["sequences"] is None
    assert result["wrong"] is None
    assert result["trained"] == 80
    assert training(replace(NEVER, old=Cell1997(1, 1, 0.1, (-1.0,))), "1997", 0)["trained"] == 4 * 80


def test_a_seed_gives_one_training_and_another_one_another(small):
    one, again, other = (training(EASY, cell, seed) for cell, seed in (("1997", 1), ("1997", 1), ("1997", 2)))
    assert one["curve"] == again["curve"] != other["curve"]


def test_sequences_that_the_paper_does_not_count_are_not_counted(small):
    result = training(replace(EASY, goal=MostRecent(40, wrong=40, leads=40)), "modern", 0)
    assert (result["sequences"], result["trained"]) == (0, 40)


# -- the study ---------------------------------------------------------------------------------------------------------


def test_the_study_writes_its_table_page_and_numbers(small, tmp_path):
    numbers = study(tmp_path, ("4", "6a"), seeds=2)
    easy, never = numbers["rows"]
    assert (easy["solved"], easy["within"]) == (2, 2)
    assert easy["sequences_of_solved"] == {"mean": 40.0, "low": 40, "high": 40}
    assert (never["solved"], never["sequences_of_solved"], never["wrong_of_solved"]) == (0, None, None)
    assert json.loads((tmp_path / "lstm1997.json").read_text()) == json.loads(json.dumps(numbers))
    table = pd.read_csv(tmp_path / "trainings.csv")
    assert table["seed"].tolist() == [0, 1, 0, 1]
    assert table["sequences_if_solved"].tolist()[:2] == [40, 40]
    assert table["sequences_if_solved"].isna().tolist() == [False, False, True, True]
    page = (tmp_path / "report.html").read_text()
    assert "in no more sequences than the paper needed: 4 (adding, T = 24, 2 of 2)" in page
    assert ". And with no seed within its limit: 6a (temporal order, 2 symbols, T = 20, 0 of 2)" in page
    assert "<th>sequences, of those that solved it</th>" in page
    assert "<th>wrong of 30, of those that solved it</th>" in page
    assert "2 of 2 (34 to 100\u00a0%)" in page  # Wilson's interval
    assert "quick run" not in page
    assert "chrono initialisation" in page
    assert "Made by: lstm-engine study lstm1997 --experiment 4 --experiment 6a --seeds 2. " in page


def test_what_is_done_is_not_trained_again_and_more_seeds_are(small, tmp_path):
    train(tmp_path, ("4",), seeds=1)
    kept = tmp_path / "results" / "4-easy-modern-0.json"
    kept.write_text(json.dumps(json.loads(kept.read_text()) | {"sequences": 7}))
    _, (row, _), *_ = train(tmp_path, ("4", "6a"), seeds=2)
    assert row.results[0]["sequences"] == 7  # as it lay there
    assert len(row.results) == 2


def test_both_cells_go_into_one_folder_and_other_settings_do_not(small, tmp_path, monkeypatch):
    train(tmp_path, ("4",), seeds=1)
    _, rows, *_ = train(tmp_path, ("4",), seeds=1, cell="1997")
    assert [(row.cell, row.setup.settings(row.cell).words) for row in rows] == [
        ("modern", "3 units"),
        ("1997", "2 blocks of 1"),
    ]
    with pytest.raises(FileExistsError, match=r"4-easy, modern network forget_bias None and 1\.0"):
        train(tmp_path, ("4",), seeds=1, forget_bias=1.0)
    with pytest.raises(ValueError, match="the cell of 1997 has no forget gate"):
        train(tmp_path, ("4",), seeds=1, cell="1997", forget_bias=1.0)


def test_all_that_the_folder_holds_is_reported(small, tmp_path):
    train(tmp_path, ("4", "6a"), seeds=3)
    train(tmp_path, ("4",), seeds=1, cell="1997")
    _, rows, *_ = train(tmp_path, ("4",), seeds=1)  # less than what stands there
    assert [(row.setup.key, row.cell, len(row.results)) for row in rows] == [
        ("4-easy", "modern", 3),
        ("6a-never", "modern", 3),
        ("4-easy", "1997", 1),
    ]
    _, rows, *_ = train(tmp_path, ("4",), seeds=1, force=True)
    assert [(row.setup.key, row.cell, len(row.results)) for row in rows] == [("4-easy", "modern", 1)]


def test_the_page_of_a_folder_of_two_commands_has_both_cells_and_names_both(small, undrawn, tmp_path):
    study(tmp_path, ("4", "6a"), seeds=3)
    numbers = study(tmp_path, ("4",), seeds=1, cell="1997")
    table = pd.read_csv(tmp_path / "trainings.csv")
    assert table.groupby(["experiment", "cell"], sort=False).size().tolist() == [3, 3, 1]
    assert numbers["words"].startswith("The modern LSTM meets")
    assert "The cell of 1997 meets" in numbers["words"]
    commands = (
        "--experiment 4 --experiment 6a --seeds 3; lstm-engine study lstm1997 --experiment 4 --seeds 1 --cell 1997. "
    )
    assert commands in (tmp_path / "report.html").read_text()


def test_a_row_that_stands_there_by_other_settings_is_refused_though_not_asked_for(small, tmp_path):
    train(tmp_path, ("6a",), seeds=1)
    with pytest.raises(FileExistsError, match=r"6a-never, modern network forget_bias None and 1\.0"):
        train(tmp_path, ("4",), seeds=1, forget_bias=1.0)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ((Adding, "within", 0.05), r"4-easy, modern task within 0\.04 and 0\.05"),
        ((adding, "EARLY", 9), "4-easy, modern task draws"),
        ((solving, "TESTED", 31), "4-easy, modern tested 30 and 31"),
    ],
    ids=["criterion", "generator", "test"],
)
def test_results_of_a_task_that_was_another_one_are_not_taken(small, tmp_path, monkeypatch, changed, words):
    train(tmp_path, ("4",), seeds=1)
    monkeypatch.setattr(*changed)
    with pytest.raises(FileExistsError, match=words):
        train(tmp_path, ("4",), seeds=1)


def test_the_page_says_how_forget_gates_start_and_what_makes_it_again(small, undrawn, tmp_path):
    study(tmp_path / "one", ("4",), seeds=1, forget_bias=1.0)
    study(tmp_path / "old", ("4",), seeds=1, cell="1997")
    one, old = ((tmp_path / name / "report.html").read_text() for name in ("one", "old"))
    assert "start with the bias 1, whatever the task" in one
    assert "chrono" not in one + old
    assert "--experiment 4 --seeds 1 --forget-bias 1. " in one
    assert "--experiment 4 --seeds 1 --cell 1997. " in old


def test_a_quick_run_is_short_and_says_so(small, undrawn, tmp_path):
    numbers = study(tmp_path, seeds=10, quick=True)
    assert [(row["key"], row["seeds"]) for row in numbers["rows"]] == [("4-easy", 2)]
    page = (tmp_path / "report.html").read_text()
    assert "a quick run, with two seeds" in page
    assert "Made by: lstm-engine study lstm1997 --quick. " in page
    *_, commands = train(tmp_path / "one", seeds=1, quick=True)
    assert commands == ["lstm-engine study lstm1997 --quick --seeds 1"]


# -- words -------------------------------------------------------------------------------------------------------------


def row(solved, within, key="4", seeds=3):
    return {"experiment": key, "task": "t", "seeds": seeds, "solved": solved, "within": within, "cell": "1997"}


@pytest.mark.parametrize(
    ("solved", "within", "words"),
    [
        (3, 3, "with every seed, in no more sequences than the paper needed: 4 (t, 3 of 3)."),
        (3, 2, "with every seed, but some need more sequences than the paper's network: 4 (t, 3 of 3)."),
        (2, 2, "with some seeds only: 4 (t, 2 of 3)."),
        (0, 0, "with no seed within its limit: 4 (t, 0 of 3)."),
    ],
)
def test_words_follow_the_numbers(solved, within, words):
    assert report.verdict({"rows": [row(solved, within)]}) == f"The cell of 1997 meets the paper's criterion {words}"


def test_the_means_are_of_the_seeds_that_got_there():
    results = [
        {"sequences": n, "wrong": w, "trained": 0, "weights": 9, "seconds": s, "curve": []}
        for n, w, s in ((30, 2, 1.0), (None, None, 3.0), (70, 1, 2.0))
    ]
    summary = report.summary(report.Row(EASY, "modern", results))
    assert summary["sequences_of_solved"] == {"mean": 50.0, "low": 30, "high": 70}
    assert summary["wrong_of_solved"] == {"mean": 1.5, "low": 1, "high": 2}
    assert (summary["solved"], summary["within"], summary["seconds"]) == (2, 1, 2.0)  # 60 are the paper's
    shown = report.frame({"rows": [summary]}).iloc[0]
    assert shown["sequences, of those that solved it"] == "50 (30 to 70)"
    assert shown["its sequences"] == "60"


def test_where_the_paper_has_several_networks_all_of_their_range_is_shown():
    results = [{"sequences": 9, "wrong": None, "trained": 9, "weights": 9, "seconds": 1.0, "curve": []}]
    reber = next(s for s in SETUPS if s.key == "1")
    shown = report.frame({"rows": [report.summary(report.Row(reber, "modern", results))]}).iloc[0]
    assert shown["its sequences"] == "8,440 to 39,740"
    assert shown["its trials solved"] == "97 to 100 %"


# -- the command -------------------------------------------------------------------------------------------------------


def test_the_command_shows_the_table_and_where_the_report_is(small, undrawn, lstm_engine, tmp_path):
    shown = lstm_engine("study", "lstm1997", "--experiment", "4", "--seeds", 1, "--jobs", 1, "--out", tmp_path / "o")
    assert shown.code == 0
    assert "40 (40 to 40)" in shown.out
    assert "Report:" in shown.out


def test_json_is_the_result_and_nothing_else(small, undrawn, lstm_engine, tmp_path):
    shown = lstm_engine(
        "study", "lstm1997", "--experiment", "6a", "--seeds", 1, "--jobs", 1, "--out", tmp_path / "o", "--json"
    )
    assert json.loads(shown.out)["rows"][0]["solved"] == 0


@pytest.mark.parametrize("bias", ["nan", "inf", "-inf"])
def test_a_bias_that_is_not_finite_is_one_line(lstm_engine, tmp_path, bias):
    shown = lstm_engine("study", "lstm1997", "--forget-bias", bias, "--out", tmp_path / "o")
    assert shown.code == 2
    assert f"must be a finite number, got {bias}" in shown.err
    assert not (tmp_path / "o").exists()


def test_a_wrong_experiment_is_one_line(lstm_engine, tmp_path):
    shown = lstm_engine("study", "lstm1997", "--experiment", "9", "--out", tmp_path / "o")
    assert shown.code == 2
    assert "there is no experiment 9" in shown.err
    assert not (tmp_path / "o").exists()


# -- the real thing ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("key", "cell"), [("4-T100", "modern"), ("6a", "modern"), ("6a", "1997")])
def test_a_seed_meets_the_criterion_in_as_many_sequences_as_the_paper_or_fewer(key, cell):
    setup = next(s for s in SETUPS if s.key == key)
    result = training(setup, cell, 100)
    assert result["sequences"] is not None
    assert result["sequences"] <= setup.paper.sequences * (2 if cell == "1997" else 1)  # the paper's figure is a mean
    assert result["wrong"] < np.ceil(0.01 * solving.TESTED)
