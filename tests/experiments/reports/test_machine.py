"""What reports say of a machine that did something else."""

import os

from experiments.reports import machine


def test_a_busy_machine_is_named_with_its_load_and_cores():
    (note,) = machine.busy(3.14, 1, "Measure again.")
    assert note == "Other programs were running when this began (load 3.1 on 1 core). Measure again."


def test_a_quiet_machine_and_one_that_does_not_tell_get_no_note(monkeypatch):
    monkeypatch.delattr(os, "getloadavg", raising=False)  # as on Windows
    assert machine.load() is None
    assert machine.busy(None, 2, "Measure again.") == machine.busy(0.3, 2, "Measure again.") == []
