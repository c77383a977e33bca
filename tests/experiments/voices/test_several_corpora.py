"""A model on several corpora at once, and by the groups of a table's column: from the command line to the page."""

import json

import numpy as np
import pandas as pd
import pytest

from experiments.voices import evaluation_report, groups, several_corpora
from experiments.voices.cross_corpus import cells_of
from features.csv_files import BadTable
from features.synth import write_corpus


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """(a corpus with a table and a column room, a corpus of folders): four and two synthetic voices, half a second each."""
    folder = tmp_path_factory.mktemp("several")
    for name, speakers in (("a", 2), ("b", 1)):
        write_corpus(folder / name, speakers=speakers, test_speakers=0, clips=1, seconds=0.5, seed=len(name) + speakers)
    files = sorted(f.relative_to(folder / "a").as_posix() for f in (folder / "a").rglob("*.wav"))
    lines = [f"{file},s{n},{file.split('/')[0].lower()},{'loud' if n % 2 else 'calm'}" for n, file in enumerate(files)]
    (folder / "a" / "list.csv").write_text("\n".join(["path,speaker,sex,Room", *lines]))
    return folder / "a" / "list.csv", folder / "b"


def rows(sexes, right, said="", column="calm"):
    facts = {"sex": sexes, "right": right, "speaker": [f"{s}{n // 2}" for n, s in enumerate(sexes)], "room": column}
    return pd.DataFrame(facts | {"abstains": said, "f0_hz": np.linspace(100, 130, len(sexes))})


def test_groups_count_each_sex_and_what_is_answered():
    table = pd.concat(
        [
            rows(
                ["male"] * 4 + ["female"] * 4, [True] * 3 + [False] + [True] * 4, ["", "", "", "uncertain", *[""] * 4]
            ),
            rows(["male"] * 2, [True, False], column="loud"),
        ]
    )
    calm, loud = groups.grouped(table, "room")
    assert (calm["value"], calm["clips"], calm["balanced_accuracy"]) == ("calm", 8, pytest.approx(0.875))
    assert (calm["male"]["right"], calm["male"]["of"]) == (3, 4)
    assert (calm["answered"], calm["right_of_answered"]) == (pytest.approx(7 / 8), 1.0)
    assert loud["balanced_accuracy"] is loud["interval_95"] is loud["female"]["f0_hz"] is None
    assert list(groups.table([calm, loud])["female right"]) == ["4 of 4", "0 of 0"]


def test_a_page_for_several_corpora_names_the_worst(tables, tmp_path, lstm_engine, monkeypatch):
    monkeypatch.setattr(
        evaluation_report, "write", lambda run, *rest: run.write("report.html", "")
    )  # one corpus's page
    options = [word for table in tables for word in ("--corpus", table)]
    told = lstm_engine("evaluate", *options, "--by", "room", "--out", tmp_path / "run")
    assert told.code == 0, told.err
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    accuracies = {name: c["sides"]["LSTM"]["by_clip"]["balanced_accuracy"] for name, c in result["corpora"].items()}
    assert list(accuracies) == ["a", "b"]
    assert result["worst"] == min(accuracies, key=accuracies.get)
    assert result["mean"]["LSTM"] == pytest.approx(np.mean(list(accuracies.values())))
    assert [g["value"] for g in result["corpora"]["a"]["by"]["groups"]] == ["calm", "loud"]
    assert f"The LSTM is worst on {result['worst']}" in told.out
    assert "b: It has no column 'room' to group by." in told.out
    page = (tmp_path / "run" / "report.html").read_text()
    assert "a by room" in page
    assert 'href="b/report.html"' in page


def test_what_no_corpus_has_is_refused_before_anything_is_measured(tables, tmp_path):
    listed, folders = tables
    for options, words in (
        ({"parts": ["all"] * 3}, "2 corpora and 3 parts"),
        ({"by": "accent"}, "no column 'accent' to group by: the columns are path, speaker, sex, room"),
    ):
        with pytest.raises(ValueError, match=words):
            several_corpora.evaluate_corpora(None, {}, tables, tmp_path / "run", **options)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        several_corpora.evaluate_corpora(None, {}, [listed, tmp_path / "nowhere"], tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(ValueError, match="no table to group by 'room'"):
        cells_of(folders, None, "room")
    with pytest.raises(ValueError, match="a column 'P' of their own"):
        cells_of(listed, None, "P")


def test_a_recording_with_two_values_belongs_to_no_group(tables, tmp_path):
    lines = tables[0].read_text().splitlines()
    (tmp_path / "twice.csv").write_text("\n".join([*lines, lines[1].replace("calm", "loud")]))
    with pytest.raises(BadTable, match=f"line {len(lines) + 1}, column 'room': .* two values, 'calm' and 'loud'"):
        cells_of(tmp_path / "twice.csv", None, "room")


def test_corpora_of_one_name_are_told_apart(tmp_path):
    assert list(several_corpora.names([tmp_path / "x" / "voices", tmp_path / "y" / "voices"])) == ["voices", "voices-2"]


def test_reports_are_not_written_among_the_recordings(tables):
    parent = tables[1].parent
    before = sorted(parent.rglob("*"))
    for force in (False, True):
        with pytest.raises(ValueError, match="among its recordings: choose another --out"):
            several_corpora.evaluate_corpora(None, {}, tables, parent, force=force)
    assert sorted(parent.rglob("*")) == before


def test_a_group_without_a_value_has_a_name():
    assert list(groups.table(groups.grouped(rows(["male", "female"], [True, True], column=""), "room")).index) == [
        "(none given)"
    ]
