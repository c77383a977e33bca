"""The six harnesses without atheris: their seeds are valid, and the same changes are refused in words every time."""

import random
from pathlib import Path

import pytest

from tests.fuzz import findings, structure
from tests.fuzz.__main__ import covered, tried
from tests.fuzz.doors import DOORS, Door, tree_of


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
def test_seeds_are_read_and_changed_seeds_are_read_or_refused(door, tmp_path):
    seeds = list(door.seeds())
    for n, seed in enumerate(seeds):
        (folder := tmp_path / str(n)).mkdir()
        door.enter(seed, folder)
    rng = random.Random(0)
    for _ in range(12):
        seed = rng.choice(seeds)
        tree = tree_of(seed)
        at = rng.randrange(len(seed))
        changed = seed[:at] + rng.randbytes(3) + seed[at + rng.randrange(5) :]
        if tree is not None:
            changed = structure.json.dumps(structure.mutated(tree, rng)).encode()
        assert findings.fault(door, changed) is None, changed


def test_a_fault_is_told_by_its_place_and_kept_once_with_its_shortest_input(tmp_path):
    def enter(data: bytes, folder: Path) -> None:
        if b"!" in data:
            raise KeyError(data)
        raise ValueError("x" * len(data))

    door = Door("odd", lambda: iter(()), enter)
    assert findings.fault(door, b"short") is None  # refused in words
    assert findings.fault(door, b"long" * 1000) is not None
    one, other = findings.fault(door, b"a!"), findings.fault(door, b"!")
    assert one == other
    assert one.startswith("KeyError: ")
    assert [findings.keep(tmp_path, one, data) for data in (b"a!", b"!", b"aa!")] == [True, False, False]
    assert {path.read_bytes() for path in tmp_path.iterdir() if path.suffix != ".txt"} == {b"!"}


def test_numbers_of_a_run_come_from_the_fuzzers_log():
    log = "#2\tINITED cov: 40 ft: 41 corp: 1/1b\n#900\tNEW    cov: 358 ft: 753 corp: 152/9Kb lim: 99\n"
    assert covered(log) == (358, 753)
    assert tried(log) == 900  # the fuzzer crashed
    assert tried(log + "Done 71710 runs\nstat::number_of_executed_units: 71710\n") == 71710
