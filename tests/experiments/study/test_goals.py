"""When a task counts as solved: each goal at the edge of its criterion."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from experiments.study.goals import BothSets, MostRecent, OnATestSet, errors, fresh
from experiments.study.tasks.adding import Adding
from experiments.study.tasks.long_lags import LongLag
from experiments.study.tasks.reber import EmbeddedReber
from experiments.study.tasks.two_sequences import TwoSequences

TASK = Adding(30)


@dataclass
class Oracle:
    """Answers rightly, but for the sequences numbered in `wrong`, and off by `off`."""

    wrong: tuple = ()
    off: float = 0.0

    def answer(self, drawn):
        p = drawn.y + self.off
        p[list(self.wrong)] += 1
        return p


def rng():
    return np.random.default_rng(0)


def met_after(goal, answer, n):
    """After how many sequences the goal is met, when `answer(k, y)` is the answer to the k-th of n."""
    watch = goal.watch(TASK, rng())
    for k, batch in zip(range(n), watch.batches(1), strict=False):
        if watch.met(k + 1, batch, answer(k, batch.y), None):
            return k + 1
    return None


def test_most_recent_needs_its_count():
    assert met_after(MostRecent(20), lambda k, y: y, 40) == 20


def test_most_recent_forgets_a_wrong_one_after_its_count():
    assert met_after(MostRecent(20), lambda k, y: y + (k == 6), 40) == 27  # 20 right ones after the seventh


def test_most_recent_lets_so_many_wrong_ones_pass():
    two_of_20 = lambda k, y: y + (k % 10 == 0)  # noqa: E731
    assert met_after(MostRecent(20, wrong=1), two_of_20, 200) is None
    assert met_after(MostRecent(20, wrong=2), two_of_20, 200) == 20


def test_most_recent_holds_the_mean_error_to_its_limit():
    assert met_after(MostRecent(20, error=0.01), lambda k, y: y + 0.011, 200) is None  # right, but not near enough
    assert met_after(MostRecent(20, error=0.01), lambda k, y: y + 0.009, 200) == 20


def test_errors_are_those_at_the_ends():
    task = LongLag(4)
    drawn = task.draw(3, rng())
    p = drawn.y.copy()
    p[0, 0] = 9.0  # an earlier step
    p[1, -1, 0] += 0.5
    np.testing.assert_allclose(errors(p, drawn), [0, 0.5 / 5, 0], atol=1e-7)


def sets(goal):
    """Training and test set whose y are all symbols that may come, so that an oracle is right."""
    watch = goal.watch(EmbeddedReber(), rng())
    watch.sets = [replace(s, y=s.possible.astype("float32")) for s in watch.sets]
    return watch


def test_both_sets_looks_every_so_often():
    watch = sets(BothSets(8, every=4))
    batch = watch.sets[0].take(slice(2))
    assert [n for n in range(2, 18, 2) if watch.met(n, batch, None, Oracle())] == [4, 8, 12, 16]


@pytest.mark.parametrize("part", [0, 1], ids=["train", "test"])
def test_both_sets_is_not_met_while_one_string_is_wrong(part):
    watch = sets(BothSets(8, every=2))
    bad = watch.sets[part]
    batch = bad.take(slice(2))
    assert watch.met(2, batch, None, Oracle())
    bad.possible[3, 1] = ~bad.possible[3, 1]
    assert not watch.met(2, batch, None, Oracle())


def test_strings_to_learn_from_are_picked_from_the_training_set():
    watch = BothSets(5, every=1).watch(EmbeddedReber(), rng())
    known = {x.tobytes() for x in watch.sets[0].as_list()}
    batches = watch.batches(4)
    seen = {x.tobytes() for _ in range(30) for x in next(batches).as_list()}
    assert seen == known


def test_a_test_set_must_be_right_and_near_enough():
    task = TwoSequences(30, 3)
    for goal, network, met in (
        (OnATestSet(10, every=1), Oracle(off=0.19), True),
        (OnATestSet(10, every=1), Oracle(wrong=(4,)), False),
        (OnATestSet(10, wrong=1, every=1), Oracle(wrong=(4,)), True),
        (OnATestSet(10, wrong=1, every=1), Oracle(wrong=(4, 6)), False),
        (OnATestSet(10, error=0.01, every=1), Oracle(off=0.011), False),
        (OnATestSet(10, error=0.01, every=1), Oracle(off=0.009), True),
    ):
        watch = goal.watch(task, rng())
        assert watch.met(1, next(watch.batches(1)), None, network) is met


def test_fresh_batches_do_not_repeat_and_are_the_seed_s():
    one, again = (fresh(TASK, 4, rng()) for _ in range(2))
    seen = set()
    for _ in range(600):  # more than are drawn at once
        batch = next(one)
        assert len(batch) == 4
        seen |= {x.tobytes() for x in batch.as_list()}
        np.testing.assert_array_equal(batch.x, next(again).x)
    assert len(seen) == 2400
