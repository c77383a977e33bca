"""Progress without a terminal: few lines on stderr, with the time that is left, and nothing on stdout."""

import json

import pytest

from experiments.cli import shared


class Clock:
    now = 0.0


@pytest.fixture
def told(monkeypatch):
    """told(title, (seconds, done), ..., total=): the lines of a stage whose updates come at these times."""

    def lines(title, *updates, total, **options):
        clock, printed = Clock(), []
        monkeypatch.setattr(shared, "monotonic", lambda: clock.now)
        monkeypatch.setattr(shared.err_console, "print", lambda text, **_: printed.append(text))
        with shared.stages(**options) as stage:
            update = stage(title)
            for clock.now, done in updates:
                update(done, total)
        return printed

    return lines


def test_a_line_comes_as_soon_as_the_time_is_known_and_then_every_ten_seconds(told):
    by_second = ((second, second) for second in range(1, 41))  # one of 40 a second
    assert told("Training", *by_second, total=40) == [
        "Training: 3 of 40, about 40 s left",
        "Training: 13 of 40, about 30 s left",
        "Training: 23 of 40, about 20 s left",
        "Training: 33 of 40, about 10 s left",
    ]


def test_short_work_is_silent(told):
    assert told("Training", *((second, second) for second in range(1, 9)), total=8) == []


def test_what_was_done_before_does_not_count_for_the_time_that_is_left(told):
    assert told("Training", (0, 80), (60, 90), (61, 91), total=100) == ["Training: 90 of 100, about 60 s left"]


def test_the_time_that_is_left_is_told_by_what_follows_the_first_update(told):
    updates = (60, 1), (70, 2), (160, 11)  # the first includes what is done once: compiling, starting Keras
    assert told("Training", *updates, total=101) == [
        "Training: 1 of 101",
        "Training: 2 of 101",
        "Training: 11 of 101, about 15 minutes left",
    ]


def test_bytes_are_shown_as_megabytes(told):
    updates = (0, 0), (30, 100e6)
    assert told("Download", *updates, total=3e9, scale=1e6, unit=" MB") == ["Download: 100 of 3,000 MB"]


def test_a_download_of_unknown_length_is_silent(told):
    assert told("Download", (1, 5), (30, 9), total=None) == []


def test_what_a_command_takes_is_said_first(told):
    assert told("Training", total=1, takes="a minute") == ["This takes a minute, on two quiet cores."]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1, "10 s"), (84, "80 s"), (90, "2 minutes"), (60 * 89, "89 minutes"), (3600 * 2, "2 hours")],
)
def test_a_time_in_words(seconds, words):
    assert shared.in_words(seconds) == words


def test_json_is_all_that_a_command_with_progress_prints(lstm_engine, noise_tables, tmp_path, monkeypatch):
    monkeypatch.setattr(shared, "EVERY_S", 0.0)
    monkeypatch.setattr(shared, "FIRST_S", 0.0)
    monkeypatch.setattr("experiments.tutorial.training.write_report", lambda *_: None)
    options = ("--units", 2, "--epochs", 3, "--out", tmp_path / "run", "--json")
    shown = lstm_engine("train", noise_tables, *options)
    assert json.loads(shown.out)["clips"] == 24
    assert "Training: 2 of 3" in shown.err


def test_a_colon_is_no_picture(capsys):
    shared.print_line("ffmpeg -map 0:a:1")
    assert capsys.readouterr().out == "ffmpeg -map 0:a:1\n"
