"""The command: clones in a folder, what is missing, exit codes, the page, and the page of the documentation."""

import json
import re
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

from experiments.laboratory.others import __main__ as command
from experiments.laboratory.others import courses, process, report
from experiments.laboratory.others.passes import PASSES, PRINTED, PROVED, STEPS, UNJUDGED, WRONG, Pass
from experiments.reports.run import Run

from .test_adapters import CS231N

DOCS = Path(__file__).parents[4] / "docs" / "others.md"


@pytest.fixture
def clone(repository, monkeypatch):
    """A clone of somebody/lstm, the only repository that is known."""
    folder, commit = repository({"layers.py": CS231N})
    files = {"layers.py": (*STEPS["lstm"], "sigmoid")}
    only = Pass("somebody/lstm", commit, "lstm", "lstm_backward", files, partial(courses.cs231n, cell="lstm"))
    other = Pass("nobody/gru", "0" * 40, "gru", "gru_backward", {}, None)
    monkeypatch.setattr(report, "PASSES", [only, other])
    monkeypatch.setattr(report, "REPOSITORIES", ("somebody/lstm", "nobody/gru"))
    monkeypatch.setattr(process, "PASSES", [only])
    return folder


@pytest.fixture
def in_process(monkeypatch):
    """Verdicts from this process, which knows the stand-in."""

    def judged(repository, folder):
        where = report.clone_of(repository, folder)
        if where is None:
            return report.Judged(repository, [], report.how_to_get(repository, folder))
        return report.Judged(repository, process.main(where, repository))

    monkeypatch.setattr(report, "judged", judged)


def run(*words):
    import typer

    app = typer.Typer()
    app.command()(command.main)
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.mark.parametrize("name", ["somebody+lstm", "lstm", "somebody/lstm"])
def test_a_clone_is_found_by_its_folder_s_name(clone, tmp_path, name):
    (folder := tmp_path / "clones" / name).parent.mkdir(parents=True)
    clone.rename(folder)
    assert report.clone_of("somebody/lstm", tmp_path / "clones") == folder


def test_a_folder_of_the_name_without_the_commit_is_no_clone(clone, monkeypatch):
    monkeypatch.setattr(report, "PASSES", [Pass("somebody/lstm", "0" * 40, "lstm", "", {}, None)])
    assert report.clone_of("somebody/lstm", clone.parent) is None


def test_every_pass_has_a_line_and_a_missing_clone_the_command_that_gets_it(clone, in_process):
    shown = run(clone.parent)
    assert re.search(r"^proved +LSTM somebody/lstm  lstm_backward: all 14 rows within \de-1\d$", shown.output, re.M)
    assert f"git clone https://github.com/nobody/gru {clone.parent / 'nobody+gru'}" in shown.output
    assert (
        "1 verdict: 1 proved, 0 wrong, 0 cannot be judged; as docs/others.md says. 1 repository missing."
        in shown.output
    )
    assert shown.exit_code == 0


def test_one_clone_is_judged_alone(clone, in_process):
    shown = run(clone, "--json")
    result = json.loads(shown.stdout)
    assert result["ok"] is True
    assert result["missing"] == {}
    assert [p["repository"] for p in result["passes"]] == ["somebody/lstm"]


def test_another_verdict_than_stated_ends_in_1(clone, in_process, monkeypatch):
    monkeypatch.setattr(process, "disagreements", lambda subject, verdict: ["proved, stated: wrong"])
    shown = run(clone)
    assert "not as docs/others.md says: proved, stated: wrong" in shown.output
    assert shown.exit_code == 1


def test_a_folder_without_clones_ends_in_2(tmp_path):
    (empty := tmp_path / "empty").mkdir()
    shown = run(empty)
    assert shown.output.count("missing  ") == len(report.REPOSITORIES)
    assert shown.exit_code == 2


def test_a_path_that_is_not_there_ends_in_2_and_leaves_no_folder(tmp_path):
    shown = run(tmp_path / "nowhere", "--out", tmp_path / "page")
    assert "is not there: name a folder with clones" in shown.stderr
    assert shown.exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_the_code_runs_in_a_process_of_its_own(clone):
    assert report.judged("somebody/lstm", clone).results == []  # that process knows the public repositories alone


def test_the_page_shows_verdicts_and_missing_clones(clone, in_process, tmp_path):
    written = report.write_page(report.judge_all(clone.parent), Run(tmp_path / "run"))
    html = written.read_text()
    assert "1 verdict: 1 proved, 0 wrong" in html
    assert "No clone: git clone https://github.com/nobody/gru" in html
    assert json.loads((tmp_path / "run" / "passes.json").read_text())["counts"]["proved"] == 1


def test_the_documentation_s_table_states_every_pass_as_the_command_expects_it():
    rows = [line.strip("|").split(" | ") for line in DOCS.read_text().splitlines() if line.startswith("| ")]
    stated = [
        (re.sub(r"\[(.+)\]\(.+\)", r"\1", repository.strip()), commit, name, verdict)
        for repository, commit, name, verdict, *_ in (row for row in rows if len(row) > 3)
    ][1:]
    words = {PROVED: "proved", WRONG: "**wrong**", UNJUDGED: UNJUDGED}
    expected = [
        (
            p.repository,
            p.commit[:7],
            f"{p.cell.upper()} `{p.name}`",
            words[p.expected] + "; forward: no tanh(c)" * bool(p.forward),
        )
        for p in PASSES
    ]
    expected += [(n.repository, n.commit[:7], 'LSTM "Expected Output"', "**wrong**") for n in PRINTED]
    assert stated == expected


def test_enough_is_judged():
    assert len(report.REPOSITORIES) >= 15
    assert sum(p.expected != UNJUDGED for p in PASSES) >= 20
    assert all(p.finding.mends for p in PASSES if p.expected == WRONG)
