"""study gap: rates before test speakers, one folder that goes on after a stop, and a page whose words follow the numbers."""

import json
import os
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from experiments.reports.scores import class_mean_interval
from experiments.study.gap import report
from experiments.study.gap import study as module
from experiments.study.gap.settings import Plan, Settings
from experiments.study.gap.study import study, train
from experiments.study.gap.training import trial
from experiments.study.tasks.late_digits import Condition, clips_of

TINY = {"units": 3, "sequences": 32, "halved_every": 16, "quietest": 0.1, "traced": 2, "rates": (0.03,)}
CELLS = ("rnn", "chrono")
PLAN = Plan(gaps=(0, 4), others=(Condition(first=3),), choice_seeds=(100,))


def shrink(m):
    """Trainings of two steps, each of which counts as learnt."""
    m.setattr(module, "Settings", partial(Settings, **TINY, further_rates=(0.001,), guesses=0.0))
    m.setattr(module, "FULL", PLAN)
    m.setattr(module, "QUICK", Plan((0,), (), (100,)))
    m.setattr(module, "QUICK_CELLS", ("lstm1",))


@pytest.fixture
def small(monkeypatch):
    shrink(monkeypatch)


@pytest.fixture
def plain_page(monkeypatch):
    """For tests that do not ask for the picture: drawing takes longer than all else."""
    monkeypatch.setattr(report, "picture", lambda numbers: Figure())


@pytest.fixture(scope="module")
def whole(digit_corpus, tmp_path_factory):
    """The folder of a whole study, two cells with two seeds, and what it returned. Not to be changed."""
    folder = tmp_path_factory.mktemp("gap")
    with pytest.MonkeyPatch.context() as m:
        shrink(m)
        return folder, study(digit_corpus, folder, cells=CELLS, seeds=2)


def first_of(rows, cell):
    """The row of a cell without a gap."""
    return next(row for row in rows if (row.choice.cell, row.choice.condition) == (cell, Condition()))


# -- the study ---------------------------------------------------------------------------------------------------------


def test_the_study_writes_its_numbers_tables_and_page(whole, digit_corpus):
    folder, numbers = whole
    assert [(row["cell"], row["condition"]) for row in numbers["rows"]] == [
        (cell, words) for words in ("as spoken", "4 frames of silence", "the first 3 frames") for cell in CELLS
    ]
    assert json.loads((folder / "gap.json").read_text()) == json.loads(json.dumps(numbers))
    table = pd.read_csv(folder / "trainings.csv")
    assert table.groupby(["cell", "condition"]).size().tolist() == [2] * 6
    assert table["accuracy"].tolist() == [seed for row in numbers["rows"] for seed in row["by_seed"]]
    files = [json.loads(path.read_text()) for path in (folder / "results").glob("*.json")]
    assert numbers["seconds"] == pytest.approx(sum(one["seconds"] for one in files))
    assert (folder / "gap.png").read_bytes().startswith(b"\x89PNG")
    page = (folder / "report.html").read_text()
    assert f"Made by: lstm-engine study gap --digits {digit_corpus} --seeds 2 --cell rnn --cell chrono." in page
    assert "from 0.03 (for the SimpleRNN also 0.001)" in page
    assert "quick run" not in page


def test_the_interval_is_of_the_seeds_mean_over_speakers(whole, digit_corpus):
    folder, numbers = whole
    row = numbers["rows"][0]
    files = [folder / "results" / f"final-rnn-gap0-rate{row['rate']}-{seed}.json" for seed in (0, 1)]
    right = np.array([[int(answer) for answer in json.loads(file.read_text())["right"]] for file in files])
    _, ask = clips_of(str(digit_corpus))
    assert row["by_seed"] == right.mean(axis=1).tolist()
    assert row["accuracy"] == pytest.approx(right.mean())
    assert row["seeds_learnt"] == 2  # all count as learnt here: guesses is 0
    assert row["interval_95"] == list(class_mean_interval(right.mean(axis=0), ask.sexes, ask.speakers))


def test_the_test_speakers_are_asked_when_every_rate_is_chosen(small, digit_corpus, tmp_path, monkeypatch):
    order = []
    for name in ("trial", "final"):
        real = getattr(module, name)

        def noted(*arguments, real=real, name=name):
            order.append(name)
            return real(*arguments)

        monkeypatch.setattr(module, name, noted)
    train(digit_corpus, tmp_path, cells=CELLS, seeds=1)
    assert order == ["trial"] * 9 + ["final"] * 6


def test_what_is_done_is_not_trained_again_and_more_seeds_are(small, digit_corpus, tmp_path):
    _, rows, *_ = train(digit_corpus, tmp_path, cells=CELLS, seeds=1)
    (before,) = first_of(rows, "rnn").results
    kept = tmp_path / "results" / f"final-rnn-gap0-rate{before['rate']}-0.json"
    kept.write_text(json.dumps(json.loads(kept.read_text()) | {"right": "1" * 80}))
    _, rows, *_ = train(digit_corpus, tmp_path, cells=CELLS, seeds=2)
    assert first_of(rows, "rnn").results[0]["right"] == "1" * 80  # as it lay there
    _, rows, *_, command = train(digit_corpus, tmp_path, cells=CELLS, seeds=1)  # less than what stands there
    assert len(first_of(rows, "rnn").results) == 2
    assert command.endswith("--seeds 2 --cell rnn --cell chrono")
    _, rows, *_ = train(digit_corpus, tmp_path, cells=CELLS, seeds=1, force=True)
    assert [result["right"] for result in first_of(rows, "rnn").results] == [before["right"]]


def test_a_folder_of_other_clips_settings_or_cells_is_refused(small, digit_corpus, other_test_speakers, tmp_path):
    train(digit_corpus, tmp_path, seeds=1, cells=("lstm1",))
    with pytest.raises(FileExistsError, match="there and now: clips "):
        train(other_test_speakers, tmp_path, seeds=1, cells=("lstm1",))
    with pytest.raises(FileExistsError, match="training silence drawn and constant"):
        train(digit_corpus, tmp_path, seeds=1, cells=("lstm1",), silence="constant")
    with pytest.raises(FileExistsError, match="plan gaps"):
        train(digit_corpus, tmp_path, seeds=1, quick=True)


def test_more_cells_go_into_the_folder_and_those_that_it_has_stay_in_the_report(small, digit_corpus, tmp_path):
    train(digit_corpus, tmp_path, cells=("lstm1",), seeds=2)
    _, rows, arrived, *_, command = train(digit_corpus, tmp_path, cells=("lstm0",), seeds=1)
    counts = {row.choice.cell: len(row.results) for row in rows if row.choice.condition == Condition()}
    assert list(counts.items()) == [("lstm0", 1), ("lstm1", 2)]
    assert {(one["cell"], one["gap"]) for one in arrived} == {(c, g) for c in ("lstm0", "lstm1") for g in (0, 4)}
    assert command.endswith("--seeds 2 --cell lstm0 --cell lstm1")
    _, rows, *_ = train(digit_corpus, tmp_path, cells=("lstm0",), seeds=1, force=True)
    assert {row.choice.cell for row in rows} == {"lstm0"}


def test_the_plan_has_every_gap_and_condition_and_a_quick_one_few():
    assert module.FULL.gaps == (0, 10, 20, 50, 100, 200, 500, 1000)
    assert [c.key for c in module.FULL.others] == ["reversed", "first20", "first10"]
    assert min(module.FULL.choice_seeds) >= 100
    assert len(module.FULL.choice_seeds) >= 2
    assert (module.QUICK.gaps, module.QUICK.others, module.QUICK_CELLS) == ((0, 20), (), ("rnn", "lstm1"))


def test_a_quick_run_has_one_seed_and_says_so(small, plain_page, digit_corpus, tmp_path):
    numbers = study(digit_corpus, tmp_path, seeds=3, quick=True)
    assert [len(row["by_seed"]) for row in numbers["rows"]] == [1]
    page = (tmp_path / "report.html").read_text()
    assert "A quick run" in page
    assert f"Made by: lstm-engine study gap --digits {digit_corpus} --quick." in page


# -- words and tables --------------------------------------------------------------------------------------------------


def row(name, gap, accuracy, learnt=True, condition=None):
    return {
        "cell": name, "name": name, "gap": gap, "learnt": learnt, "accuracy": accuracy, "rate": 0.01, "held_out": accuracy,
        "condition": condition or (f"{gap} frames" if gap else "as spoken"), "seeds_learnt": 2 if learnt else 0,
        "by_seed": [accuracy - 0.01, accuracy + 0.01],
        "interval_95": [accuracy - 0.05, accuracy + 0.04],
    }  # fmt: skip


RESULT = {
    "rows": [
        row("A", 0, 0.9), row("B", 0, 0.6), row("A", 1000, 0.7), row("B", 20, 0.1, learnt=False),
        row("B", 0, 0.3, condition="the first 10 frames"),
    ]
}  # fmt: skip


def test_words_say_how_far_each_cell_came():
    assert report.verdict(RESULT) == (
        "A: 90% right as spoken, 70% after 1,000 silent frames. "
        "B: 60% right as spoken; after 20 silent frames it learns nothing with any of the rates."
    )
    assert report.verdict({"rows": [row("A", 0, 0.9)]}) == "A: 90% right as spoken."
    some = {"rows": [row("A", 0, 0.9), row("A", 50, 0.5) | {"seeds_learnt": 1}]}
    assert report.verdict(some) == "A: 90% right as spoken, 50% after 50 silent frames, 1 of 2 learnt it."
    assert report.accuracies(some).loc["A", "50 frames"] == "0.500 (0.490 to 0.510, 1 of 2 learnt it)"


def test_tables_tell_what_was_learnt_what_was_not_and_what_was_not_tried():
    shown = report.accuracies(RESULT)
    assert shown.loc["A"].tolist() == ["0.900 (0.890 to 0.910)", "0.700 (0.690 to 0.710)", "-", "-"]
    assert shown.loc["B", "20 frames"] == "0.100 (0.090 to 0.110) *"
    assert report.rates(RESULT).loc["B"].tolist() == ["0.01 (0.600)", "-", "none (0.100 at best)", "0.01 (0.300)"]
    assert report.intervals(RESULT).loc["A", "as spoken"] == "0.850 to 0.940"
    assert report.narrow(RESULT).loc["20 frames"].tolist() == ["-", "0.100 *"]


def test_the_gradient_s_table_is_of_the_seeds_mean():
    arrived = [
        {"cell": "gru", "gap": gap, "log10": value, "seconds": 0.0}
        for gap, value in ((0, 0), (0, 0), (10, -2), (10, -4))
    ]
    result = {"gradient": report.gradients(arrived)}
    assert report.arrivals(result).loc["GRU"].tolist() == ["0.0", "-3.0"]


# -- the command -------------------------------------------------------------------------------------------------------


def test_the_command_shows_the_table_and_where_the_report_is(small, plain_page, lstm_engine, digit_corpus, tmp_path):
    options = ["--cell", "chrono", "--seeds", 1, "--jobs", 1]
    shown = lstm_engine("study", "gap", "--digits", digit_corpus, *options, "--out", tmp_path / "o")
    assert shown.code == 0
    assert "LSTM, chrono, told the gap" in " ".join(shown.out.split())
    assert "Report:" in shown.out


def test_json_is_the_result_and_nothing_else(small, plain_page, lstm_engine, digit_corpus, tmp_path):
    options = ["--cell", "chrono", "--quick", "--silence", "constant", "--jobs", 1, "--json"]
    shown = lstm_engine("study", "gap", "--digits", digit_corpus, *options, "--out", tmp_path / "o")
    result = json.loads(shown.out)
    assert [row["cell"] for row in result["rows"]] == ["chrono"]
    assert result["command"].endswith("--quick --cell chrono --silence constant")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--cell", "lstm"], "there is no cell lstm: choose from rnn"),
        (["--silence", "loud"], "silence must be drawn or constant, got 'loud'"),
    ],
)
def test_what_is_not_there_is_one_line(lstm_engine, digit_corpus, tmp_path, options, words):
    shown = lstm_engine("study", "gap", "--digits", digit_corpus, "--out", tmp_path / "o", *options)
    assert shown.code == 2
    assert words in shown.err
    assert shown.err.count("\n") == 1
    assert not (tmp_path / "o").exists()


def test_a_folder_without_the_corpus_is_told_what_belongs_there(lstm_engine, tmp_path):
    shown = lstm_engine("study", "gap", "--digits", tmp_path, "--out", tmp_path / "o")
    assert shown.code == 2
    assert (
        "has no sad.npz and no metadata.csv: name the folder of the Spoken Arabic Digit corpus (UCI Machine"
        in shown.err
    )
    assert shown.err.count("\n") == 1
    assert not (tmp_path / "o").exists()


# -- the real thing ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_real_digits_are_kept_by_forget_bias_1_through_twenty_frames_and_not_by_bias_0():
    folder = os.environ.get("LSTM_ENGINE_DATA", Path(__file__).parents[4].parent / "shared" / "data")
    folder = Path(folder) / "spoken_arabic_digits"
    if not folder.is_dir():
        pytest.skip(f"real data missing: no {folder} (set LSTM_ENGINE_DATA to the folder above it)")
    accuracy = {
        cell: trial(str(folder), cell, Condition(20), Settings(), 0.01, 100)["accuracy"] for cell in ("lstm0", "lstm1")
    }
    assert accuracy["lstm1"] > 0.4
    assert accuracy["lstm0"] < 0.15
