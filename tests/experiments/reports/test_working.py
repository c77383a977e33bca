"""A folder that one process works in, and signals that end work in a line."""

import os
import signal

import pytest

from experiments.reports.working import Stopped, after_the_batch, alone, ends_told
from features.whole_files import alone_in

posix = pytest.mark.skipif(os.name != "posix", reason="os.kill ends the process on Windows")


def tell_me(number):
    os.kill(os.getpid(), number)


@posix
def test_a_second_process_is_refused_and_the_first_may_ask_twice(tmp_path):
    with alone_in(tmp_path), pytest.raises(BlockingIOError, match="another process is writing into"):  # noqa: SIM117
        with alone(tmp_path):
            pass
    with alone(tmp_path):
        with alone(tmp_path):
            pass
        with pytest.raises(BlockingIOError), alone_in(tmp_path):
            pass
    with alone_in(tmp_path):  # it is free again
        pass


def test_a_folder_is_made_and_goes_again_unless_something_is_written(tmp_path):
    with alone(tmp_path / "a" / "b"):
        assert (tmp_path / "a" / "b").is_dir()
    assert not any(tmp_path.iterdir())
    with pytest.raises(ValueError, match="refused"), alone(tmp_path / "a" / "b"):
        raise ValueError("refused")
    assert not any(tmp_path.iterdir())
    with alone(tmp_path / "a" / "b"):
        (tmp_path / "a" / "b" / "x").touch()
    assert (tmp_path / "a" / "b" / "x").exists()


def test_temporary_files_of_killed_processes_go_and_nothing_else(tmp_path):
    for name in (".model.safetensors.x1y2.tmp", ".report.html.77.tmp", ".hidden", "mine.tmp"):
        (tmp_path / name).touch()
    with alone(tmp_path):
        assert sorted(path.name for path in tmp_path.iterdir()) == [".hidden", "mine.tmp"]


def test_where_no_folder_can_be_the_writer_says_so(tmp_path):
    (tmp_path / "file").touch()
    with alone(tmp_path / "file" / "run"):
        pass


@posix
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_both_signals_end_a_block_and_are_told_apart(number, code):
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(KeyboardInterrupt), ends_told() as heard:
        tell_me(number)
    assert heard.exit_code == code
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == before


@posix
def test_a_training_hears_the_first_signal_when_it_likes_and_the_second_at_once():
    with ends_told(), after_the_batch() as heard:
        assert heard.signal is None
        tell_me(signal.SIGTERM)
        assert heard.exit_code == 143
        with pytest.raises(Stopped):
            tell_me(signal.SIGINT)


@posix
def test_who_does_not_hear_a_signal_goes_on_not_hearing_it():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell starts what runs in the background
    try:
        with ends_told(), after_the_batch() as heard:
            tell_me(signal.SIGINT)
            assert heard.signal is None
    finally:
        signal.signal(signal.SIGINT, before)
