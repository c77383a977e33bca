"""Temporal order: symbols, places and classes are those of Hochreiter & Schmidhuber 1997, section 5.6."""

import numpy as np
import pytest

from experiments.study.seeds import digest_of_task
from experiments.study.tasks.temporal_order import SYMBOLS, TemporalOrder

N = 3000
PLACES = {2: [(10, 20), (50, 60)], 3: [(10, 20), (33, 43), (66, 76)]}


def strings(drawn):
    return ["".join(SYMBOLS[s] for s in x[:n].argmax(axis=1)) for x, n in zip(drawn.x, drawn.lengths, strict=True)]


@pytest.fixture(scope="module", params=[2, 3])
def task_and_drawn(request):
    task = TemporalOrder(request.param)
    return task, task.draw(N, np.random.default_rng(0))


def test_a_sequence_begins_with_E_ends_with_B_and_has_the_relevant_symbols_in_their_places(task_and_drawn):
    task, drawn = task_and_drawn
    found = [set() for _ in PLACES[task.relevant]]
    for text in strings(drawn):
        assert text[0] == "E"
        assert text[-1] == "B"
        assert set(text[1:-1]) <= set("abcdXY")
        places = [k + 1 for k, symbol in enumerate(text) if symbol in "XY"]  # counted from 1
        assert len(places) == task.relevant
        for place, seen in zip(places, found, strict=True):
            seen.add(place)
    assert found == [set(range(low, high + 1)) for low, high in PLACES[task.relevant]]


def test_lengths_are_from_100_to_110(task_and_drawn):
    assert set(task_and_drawn[1].lengths) == set(range(100, 111))


def test_the_class_is_the_order_of_X_and_Y(task_and_drawn):
    task, drawn = task_and_drawn
    orders = ["".join(s for s in text if s in "XY") for text in strings(drawn)]
    assert drawn.y.shape == (N, 2**task.relevant)
    assert (drawn.y.sum(axis=1) == 1).all()
    classes = drawn.y.argmax(axis=1)
    names = [{o for o, c in zip(orders, classes, strict=True) if c == k} for k in range(2**task.relevant)]
    wanted = sorted(set(orders))  # XX before XY before YX before YY
    assert len(wanted) == 2**task.relevant
    assert names == [{order} for order in wanted]


def test_every_step_shows_one_symbol(task_and_drawn):
    _, drawn = task_and_drawn
    np.testing.assert_array_equal(drawn.x.sum(axis=2), drawn.mask)


def test_right_needs_every_output_within_three_tenths():
    task = TemporalOrder(2)
    drawn = task.draw(3, np.random.default_rng(0))
    p = drawn.y.copy()
    p[1, (drawn.y[1].argmax() + 1) % 4] = 0.31  # one wrong output of four
    p[2] = 0.71 * drawn.y[2]
    np.testing.assert_array_equal(task.right(p, drawn), [True, False, True])


def test_shorter_sequences_keep_the_proportions():
    assert TemporalOrder(2, T=50).places == ((5, 10), (25, 30))
    drawn = TemporalOrder(2, T=50).draw(200, np.random.default_rng(0))
    assert set(drawn.lengths) == set(range(50, 56))


@pytest.mark.parametrize("relevant", [2, 3])
def test_the_shortest_sequences_still_have_E_first_and_every_relevant_symbol(relevant):
    for text in strings(TemporalOrder(relevant, T=10).draw(200, np.random.default_rng(0))):
        assert text[0] == "E"
        assert text[-1] == "B"
        assert sum(symbol in "XY" for symbol in text) == relevant


def test_sequences_are_those_that_results_were_made_from():
    assert digest_of_task(TemporalOrder(2, T=20)) == "264f6b615cce"
    assert digest_of_task(TemporalOrder(3)) == "ab41adeccccb"


@pytest.mark.parametrize(("given", "said"), [({"relevant": 4}, "2 relevant symbols"), ({"T": 9}, "T must be 10")])
def test_what_cannot_be_is_refused(given, said):
    with pytest.raises(ValueError, match=said):
        TemporalOrder(**given)
