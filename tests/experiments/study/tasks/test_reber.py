"""The embedded Reber grammar: its strings, what may come next, and when an answer counts as right."""

import re

import numpy as np
import pytest

from experiments.study.tasks.reber import SYMBOLS, EmbeddedReber, embedded, sequences, training_and_test


@pytest.fixture(scope="module")
def strings():
    rng = np.random.default_rng(0)
    return [embedded(rng) for _ in range(3000)]


def accepts(text):
    """Whether the inner grammar has the string: a walk by the paper's figure, both arrows of every node."""
    arrows = ["0B1", "1T2", "1P3", "2S2", "2X4", "3T3", "3V5", "4X3", "4S6", "5P4", "5V6", "6E7"]
    states = {0}
    for symbol in text:
        states = {int(b) for a, s, b in arrows if int(a) in states and s == symbol}
    return states == {7}


def test_a_string_is_a_reber_string_between_two_like_symbols(strings):
    for text, _ in strings:
        assert re.fullmatch(r"B(T.*T|P.*P)E", text)
        assert accepts(text[2:-2])


def test_both_branches_and_every_symbol_occur(strings):
    assert {text[1] for text, _ in strings} == {"T", "P"}
    assert {s for text, _ in strings for s in text} == set(SYMBOLS)
    assert min(len(text) for text, _ in strings) == 9  # BTBTXSETE


def test_what_might_come_is_exactly_what_strings_with_the_same_beginning_have(strings):
    follow = {}
    for text, might in strings:
        for t in range(1, 8):  # short beginnings, which come often
            follow.setdefault(text[:t], [set(), set()])
            follow[text[:t]][0].add(text[t])
            follow[text[:t]][1].add(frozenset(might[t]))
    often = [
        (seen, told) for start, (seen, told) in follow.items() if sum(t.startswith(start) for t, _ in strings) > 40
    ]
    assert len(often) > 30
    assert all(told == {frozenset(seen)} for seen, told in often)


def test_the_network_reads_all_but_the_last_symbol_and_is_asked_for_the_next(strings):
    drawn = sequences(strings[:50])
    for (text, might), x, y, possible, n in zip(strings, drawn.x, drawn.y, drawn.possible, drawn.lengths, strict=False):
        assert "".join(SYMBOLS[k] for k in x[:n].argmax(1)) == text[:-1]
        assert "".join(SYMBOLS[k] for k in y[:n].argmax(1)) == text[1:]
        assert [{SYMBOLS[k] for k in np.flatnonzero(row)} for row in possible[:n]] == [set(m) for m in might[1:]]


def test_right_needs_every_possible_symbol_above_all_others_at_every_step():
    task = EmbeddedReber()
    drawn = task.draw(5, np.random.default_rng(1))
    p = 0.2 + 0.1 * drawn.possible
    assert task.right(p, drawn).all()
    p[1, 0, np.flatnonzero(drawn.possible[1, 0])[0]] = 0.1  # one of two that may come
    p[2, drawn.lengths[2] - 1, 0] = 0.9  # B never comes last
    p[3, drawn.lengths[3] :] = 0.5  # behind the end
    np.testing.assert_array_equal(task.right(p, drawn), [True, False, False, True, True])


def test_no_test_string_is_among_those_learnt_from():
    train, test = training_and_test(256, np.random.default_rng(0))
    assert len(train) == len(test) == 256
    assert not {x.tobytes() for x in train.as_list()} & {x.tobytes() for x in test.as_list()}
