"""Kernels on disk: damaged files are compiled again, and where nothing can be kept everything runs."""

import errno
import importlib.util
import logging
import pickle

import pytest

pytest.importorskip("numba")

from lstm_engine.kernels import disk_cache

MODULE = """
from lstm_engine.kernels.disk_cache import kernel

@kernel()
def add(a, b):
    return a + b
"""


@pytest.fixture(autouse=True)
def said(caplog):
    """What the log says; each message comes once a process, so the counters begin anew."""
    caplog.set_level(logging.WARNING, "lstm_engine")
    disk_cache.say_damaged.cache_clear()
    disk_cache.say_unkept.cache_clear()
    yield lambda: " ".join(record.getMessage() for record in caplog.records)
    disk_cache.say_damaged.cache_clear()
    disk_cache.say_unkept.cache_clear()


@pytest.fixture
def run(tmp_path):
    """Loads add anew, as a new process would, calls it, and says whether it was found on disk."""
    path = tmp_path / "tiny.py"
    path.write_text(MODULE)

    def load():
        spec = importlib.util.spec_from_file_location("tiny", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        assert module.add(1, 2) == 3
        return sum(module.add.stats.cache_hits.values()) == 1

    return load


def cut(content):
    return content[: len(content) // 2]


def holed(content):
    return content[:50] + bytes(100) + content[150:]


@pytest.mark.parametrize(
    ("ending", "damage"),
    [("nbi", lambda _: b""), ("nbi", cut), ("nbc", cut), ("nbc", holed)],
    ids=["index emptied", "index cut", "code cut", "code with a hole"],
)
def test_a_damaged_file_is_said_and_compiled_again(run, tmp_path, said, ending, damage):
    assert not run()
    assert run()
    assert said() == ""
    (file,) = (tmp_path / "__pycache__").glob(f"*.{ending}")
    file.write_bytes(damage(file.read_bytes()))
    assert not run()
    assert "damaged" in said()
    assert run()


def test_numba_reads_sealed_files_too(run, tmp_path):
    run()
    (file,) = (tmp_path / "__pycache__").glob("*.nbi")
    assert isinstance(pickle.loads(file.read_bytes()), str)  # Numba's version comes first


def test_a_full_disk_costs_the_cache_alone(run, said, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(disk_cache.Sealed, "save", full)
    assert not run()
    assert "each start compiles the kernels, since" in said()
    assert "No space left on device" in said()
    assert disk_cache.keeps_nothing()


def test_without_a_folder_that_can_be_written_kernels_run(run, said, monkeypatch):
    monkeypatch.setattr(disk_cache.Cache._impl_class, "_locator_classes", [])  # Numba tries them in turn
    assert not run()
    assert not run()
    assert said().count("NUMBA_CACHE_DIR") == 1
