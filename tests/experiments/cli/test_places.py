"""Surroundings that are not ideal, as the command line meets them."""

import os
import pickle
import sys
import warnings

import pytest

from experiments.cli import places
from features.processes import set_apart


@pytest.mark.parametrize("threads", ["0", "-1", "two", "100000"])
def test_threads_that_numba_cannot_have_are_refused_by_name(lstm_engine, monkeypatch, threads):
    monkeypatch.setenv("NUMBA_NUM_THREADS", threads)
    with pytest.raises(ValueError, match=r"NUMBA_NUM_THREADS is .*: set it to a number from 1 to 1,024, or unset it"):
        places.prepare()


def test_notes_stay_notes_where_warnings_are_errors(monkeypatch):
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    monkeypatch.setattr(sys, "warnoptions", ["error", "ignore::ImportWarning"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        places.prepare()
        assert all(kept[0] != "error" for kept in warnings.filters)
    assert sys.warnoptions == ["ignore::ImportWarning"]  # workers get these
    assert "PYTHONWARNINGS" not in os.environ


def test_damaged_code_of_another_library_is_removed_and_said(tmp_path):
    caching = pytest.importorskip("numba.core.caching")
    for name in ("a.nbi", "a.1.nbc"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises((EOFError, pickle.UnpicklingError)) as failed:
        caching.IndexDataCacheFile(str(tmp_path), "a", None).load("key")
    assert places.dropped(failed.value) == (
        f"compiled code in {tmp_path} was damaged, and is removed: the same command compiles it again"
    )
    assert list(tmp_path.iterdir()) == []
    assert places.dropped(ValueError("another")) == ""


def test_workers_do_not_look_into_the_working_folder(monkeypatch):
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    with set_apart():
        assert os.environ["PYTHONSAFEPATH"] == "1"
    assert "PYTHONSAFEPATH" not in os.environ


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["train", "x", "--epochs", 10**23], "less than or equal to 1000000"),
        (["train", "x", "--units", 10**8], "less than or equal to 1000000"),
        (["features", "x", "--jobs", 100_000], "expected 1 to 256, or -1 for one per core"),
        (["bench", "--shapes", "100000x1000x1000x100000"], "GiB are free: choose fewer units"),
    ],
)
def test_sizes_that_nobody_means_are_refused_at_once(lstm_engine, tmp_path, command, said):
    shown = lstm_engine(*command, "--out", tmp_path / "out")
    assert shown.code == 2
    assert said in " ".join(shown.err.replace("│", " ").split())
    assert not (tmp_path / "out").exists()
