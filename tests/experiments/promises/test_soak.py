"""A soak's rows, and the slopes that are drawn from them."""

import pytest

from experiments.promises import soak
from experiments.promises.soak import Row


def row(start: int, seconds: float, resident: float) -> Row:
    return Row(start, seconds, int(seconds), resident, 5.0, 12, 3)


def test_a_leak_of_a_mib_a_second_shows_as_3600_an_hour_and_a_steady_process_as_none():
    growing = [row(1, s, 100.0 + s) for s in range(0, 100, 5)]
    steady = [row(2, s, 900.0 if s < 10 else 200.0) for s in range(0, 100, 5)]  # settles within its first half
    found = {(s.start, s.quantity): s for s in soak.slopes([*growing, *steady])}
    assert found[1, "resident"].per_hour == pytest.approx(3600)
    assert found[2, "resident"].per_hour == pytest.approx(0, abs=1e-6)
    assert found[2, "resident"].most == 200
    assert found[1, "handles"].per_hour == pytest.approx(0, abs=1e-6)


def test_a_soak_goes_on_in_the_same_table_after_a_row_that_was_cut(tmp_path, monkeypatch):
    ran = []
    monkeypatch.setattr("experiments.promises.soak_work.jobs", lambda folder, seed: {"one": lambda: ran.append(seed)})
    soak.soak(tmp_path, minutes=1e-5)
    with (tmp_path / soak.TABLE).open("a") as file:
        file.write("1,77")
    rows = soak.soak(tmp_path, minutes=1e-5)
    assert [r.start for r in rows] == [1, 2]
    assert ran == [1, 2]
    assert soak.report(rows, tmp_path).startswith("| start |")
    assert soak.read(tmp_path / soak.TABLE) == rows
