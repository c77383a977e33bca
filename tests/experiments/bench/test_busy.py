"""Training steps while other programs compute."""

from contextlib import contextmanager
from dataclasses import replace

import pytest

from experiments.bench import busy, run
from experiments.bench.task import GRID, Shape
from experiments.bench.turns import Timing

TINY = Shape("tiny", 5, 2, 4, 3)


class NoTurns:
    """In place of the processes: remembers who sat, and whether burners ran."""

    sat: list = []  # noqa: RUF012 (emptied by the test)
    burning = False

    def __init__(self, seats):
        self.sat.append(([seat.label for seat in seats], self.burning))

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def time(self, shape, what, rounds, seconds, progress):
        slow = 4.0 if NoTurns.burning else 1.0
        steps = {
            "engine": 2e-3,
            "engine, 1 thread": 4e-3,
            "engine, 2 threads": 3e-3,
            "torch": 8e-3,
            "torch, 1 thread": 16e-3,
        }
        seconds = {label: [slow * s] * rounds for label, s in steps.items()}
        return Timing(what, shape, seconds, dict.fromkeys(steps, "step"), dict.fromkeys(steps, 0.0))


@pytest.fixture
def no_processes(monkeypatch):
    @contextmanager
    def burners(n):
        NoTurns.burning = True
        yield
        NoTurns.burning = False

    monkeypatch.setattr(NoTurns, "sat", [])
    monkeypatch.setattr(busy, "burners", burners)
    monkeypatch.setattr(busy, "Turns", NoTurns)


def test_all_sides_are_timed_quiet_and_then_busy(no_processes):
    """Processes are started anew under load, since a library may look at the load when it starts."""
    entries = run.under_load(
        ["engine", "torch"], run.Plan(("busy",), (TINY,), rounds=2), lambda title: lambda done, total: None
    )
    sides = ["engine", "engine, 1 thread", "engine, 2 threads", "torch", "torch, 1 thread"]
    assert NoTurns.sat == [(sides, False), (sides, True)]
    assert [(e["load"], e["sides"]["torch"]["ms"]["median"]) for e in entries] == [("quiet", 8.0), ("busy", 32.0)]
    for e in entries:
        medians = {words: share["median"] for words, share in e["ratios"].items()}
        assert medians == {
            "engine, 2 threads / 1 thread": 0.75,
            "engine / PyTorch, both by default": 0.25,
            "engine / PyTorch, 1 thread each": 0.25,
        }


def test_without_pytorch_the_engine_is_timed_alone(no_processes):
    run.under_load(["engine", "numpy"], run.Plan(("busy",), (TINY,), rounds=1), lambda title: lambda done, total: None)
    assert NoTurns.sat[0] == (["engine", "engine, 1 thread", "engine, 2 threads"], False)


def test_busy_has_shapes_of_its_own_unless_some_are_asked_for():
    assert [shape.name for shape in run.FULL.shapes_of("busy")] == ["tutorial", "structured", "frames", "digits"]
    assert run.FULL.shapes_of("train") == tuple(GRID.values())
    asked = replace(run.FULL, shapes=(TINY,))
    assert asked.shapes_of("busy") == asked.shapes_of("train") == (TINY,)


def test_the_burner_begins_and_then_multiplies(monkeypatch):
    did = []
    monkeypatch.setattr(busy.np, "matmul", lambda A, B, out: did.append((A.shape, A.nbytes + B.nbytes + out.nbytes)))
    monkeypatch.setattr(busy.signal, "signal", lambda *args: None)
    busy.burn(lambda: did.append("begun"), products=2)
    assert did == ["begun", *[((64, 64), 48 * 1024)] * 2]


@pytest.mark.slow
def test_burners_are_other_processes_that_end():
    import multiprocessing

    with busy.burners(2):
        programs = multiprocessing.active_children()
        assert len(programs) == 2
        assert all(program.is_alive() for program in programs)
    assert not any(program.is_alive() for program in programs)
