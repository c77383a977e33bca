"""What does not fit into memory is refused before the work starts."""

import pytest

import lstm_engine as le
from experiments.reports import memory
from experiments.tutorial.task import voice_model


def test_an_estimate_counts_weights_four_times():
    model = le.Sequential([le.LSTM(500)])
    model.build((None, 3))
    assert memory.of_training(1, 3, 500, 1) == pytest.approx(4 * 4 * model.count_params(), rel=0.01)


def test_more_than_is_free_is_refused_with_both_numbers(monkeypatch):
    monkeypatch.setattr(memory, "free_memory_mib", lambda: 1024)
    with pytest.raises(MemoryError, match=r"100,000 units need about 612.1 GiB of memory, 1\.0 GiB are free"):
        voice_model(units=100_000)
    monkeypatch.setattr(memory, "free_memory_mib", lambda: None)  # a system that does not tell
    memory.require(2**60, "anything")
