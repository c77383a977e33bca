"""A run's folder and its page: nothing replaced by accident, no half-written file, and HTML that stands alone."""

import json
import os
import re

import numpy as np
import pandas as pd
import pytest

from experiments.reports import page, pictures
from experiments.reports.machine import machine
from experiments.reports.run import Run, footer, versions


def outside(page: str) -> list[str]:
    """What a browser would fetch to show the page: any link, script, style sheet or picture that is not in it."""
    fetched = re.findall(r"""(?:src|href|srcset|poster|action)\s*=\s*["']?([^"'\s>]*)|url\(([^)]*)\)""", page)
    return [a or b for a, b in fetched if not (a or b).startswith("data:")] + re.findall(r"<link|<script|@import", page)


def test_a_folder_with_a_run_in_it_is_replaced_only_by_force(tmp_path):
    Run(tmp_path / "new" / "run").write_config("first")
    with pytest.raises(FileExistsError, match="--force"):
        Run(tmp_path / "new" / "run")
    assert json.loads((tmp_path / "new" / "run" / "config.json").read_text())["command"] == "first"
    Run(tmp_path / "new" / "run", force=True).write_config("second")
    assert json.loads((tmp_path / "new" / "run" / "config.json").read_text())["command"] == "second"


def test_a_folder_of_other_things_keeps_them(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match=r"is not empty.*--force"):
        Run(tmp_path)
    Run(tmp_path, force=True).write("report.html", "page")
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_the_folder_is_made_with_its_first_file(tmp_path):
    run = Run(tmp_path / "new" / "run")
    assert not any(tmp_path.iterdir())
    run.write("report.html", "page")
    assert (tmp_path / "new" / "run" / "report.html").read_text() == "page"


@pytest.mark.parametrize("folder", ["a file", "a file/run"])
def test_a_file_where_the_folder_would_be_is_refused_before_the_work(tmp_path, folder):
    (tmp_path / "a file").write_text("mine")
    with pytest.raises(FileExistsError, match="a file is a file: name a folder"):
        Run(tmp_path / folder)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_refused_before_the_work(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError, match="cannot be written to"):
        Run(tmp_path / "run")


def test_text_bytes_and_json_come_back_as_written(tmp_path):
    run = Run(tmp_path)
    assert run.write("a.txt", "σ ∘ ü\n").read_text(encoding="utf-8") == "σ ∘ ü\n"
    assert run.write("deep/b.bin", b"\x00\xff").read_bytes() == b"\x00\xff"
    assert json.loads(run.write_json("c.json", {"p": [0.1, None]}).read_text()) == {"p": [0.1, None]}
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == ["a.txt", "b.bin", "c.json"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    run = Run(tmp_path)
    run.write("report.html", "old")

    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="no space"):
        run.write("report.html", "new")
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"report.html": "old"}


def test_config_says_command_settings_and_versions(tmp_path):
    config = json.loads(Run(tmp_path).write_config("train", epochs=3, data=tmp_path / "x").read_text())
    made = {"command": "train", "settings": {"epochs": 3, "data": "x"}, "versions": versions(), "machine": machine()}
    assert config == made
    assert config["versions"]["numpy"] == np.__version__


def test_what_no_number_depends_on_stands_beside_the_settings(tmp_path):
    text = Run(tmp_path).write_config("train", {"engine": [1.5]}, data=tmp_path / "x").read_text()
    assert str(tmp_path) not in text
    around = json.loads((tmp_path / "surroundings.json").read_text())
    assert around["data"] == {"data": str(tmp_path / "x")}
    assert around["seconds"] == {"engine": [1.5]}
    assert around["folder"] == str(tmp_path)
    assert around["threads"]["kernels"] >= 1


def test_a_page_escapes_what_comes_from_files():
    evil = "<script>alert('x')</script> & {braces} {title}"
    frame = pd.DataFrame({evil: [evil]}, index=[evil])
    parts = [page.heading(evil), page.paragraph(evil), page.table(frame)]
    html = page.page(evil, parts, evil)
    assert "<script" not in html
    assert html.count("&lt;script&gt;") == 2 + 2 + 3 + 1  # title twice; heading, paragraph; column, row, cell; footer
    assert html.count("{braces} {title}") == 8


def test_a_page_stands_alone():
    fig = pictures.by_sex([0.1, 0.9], [0, 1], 0.5, "p", "t")
    html = page.page("A title", [page.heading("One"), pictures.inline(fig, "a picture")], footer("a test"))
    assert html.startswith("<!doctype html>")
    assert re.search(r'<img alt="a picture" width="\d+" src="data:image/svg\+xml;base64,', html)
    assert outside(html) == []
    assert outside('<img src="https://x/y.png"><link href=z>') == ["https://x/y.png", "z", "<link"]


def test_a_table_shows_each_column_in_its_format():
    frame = pd.DataFrame({"loss": [0.123456], "n": [7]}, index=pd.Index([1], name="epoch"))
    shown = page.table(frame, {"loss": "{:.2f}"})
    assert ">0.12<" in shown
    assert ">7<" in shown
    assert frame["loss"][1] == 0.123456


def test_the_footer_says_how_the_page_was_made():
    assert footer("lstm-engine train").startswith("Made by: lstm-engine train.")
    assert f"numpy {np.__version__}" in footer("x")


def test_a_run_that_is_being_replaced_has_no_config(tmp_path):
    Run(tmp_path).write_config("first")
    run = Run(tmp_path, force=True)
    assert (tmp_path / "config.json").exists()  # nothing is lost before the first file is written
    run.begin()
    assert not (tmp_path / "config.json").exists()
