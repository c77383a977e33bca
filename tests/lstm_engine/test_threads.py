"""The number of threads that is measured: which one is chosen for given times, what trials cost, and the same bits."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numba as nb
import numpy as np
import pytest

import lstm_engine as le
from lstm_engine import threads
from lstm_engine.kernels import rows
from lstm_engine.threads import SHARE, TURN, Crew


def run(crew, calls, seconds):
    """So many calls, of which one on n threads takes seconds[n]. The numbers that were chosen."""
    chosen = []
    for _ in range(calls):
        chosen.append(crew.number)
        crew.took(chosen[-1], seconds[chosen[-1]])
    return chosen


def always(monkeypatch, *numbers):
    """Every crew takes these numbers in turn."""
    turns = itertools.cycle(numbers)
    monkeypatch.setattr(rows, "crew_of", lambda *_: SimpleNamespace(number=next(turns), took=lambda *_: None))


QUIET, BUSY = {2: 3e-4, 1: 5e-4}, {2: 8e-3, 1: 6e-4}


@pytest.mark.parametrize(("times", "best"), [(QUIET, 2), (BUSY, 1), ({2: 2e-3, 1: 3e-3}, 2), ({2: 3e-3, 1: 2e-3}, 1)])
def test_the_faster_number_is_chosen_and_trials_cost_what_they_may(times, best):
    crew = Crew(2)
    run(crew, 1000, times)
    chosen = run(crew, 10_000, times)
    lost = sum(times[n] for n in chosen) / (times[best] * len(chosen)) - 1
    assert chosen.count(best) > 0.95 * len(chosen)
    assert len(set(chosen)) == 2
    assert lost < 1.5 * SHARE


def test_long_calls_have_all_threads_but_for_one_trial():
    assert run(Crew(2), 1000, {2: 0.03, 1: 0.02}).count(2) > 990
    crew = Crew(2)
    run(crew, 1000, BUSY)
    run(crew, 10 * TURN, {2: 0.02, 1: 0.03})
    assert set(run(crew, 100, {2: 0.02, 1: 0.03})) == {2}


def test_a_machine_that_becomes_busy_is_noticed_within_a_few_calls_and_one_that_becomes_quiet_later():
    crew = Crew(2)
    run(crew, 1000, QUIET)
    assert run(crew, 2 * TURN, BUSY)[-1] == 1
    run(crew, 10_000, BUSY)
    assert run(crew, 10_000, QUIET).count(2) > 5_000


def test_after_a_short_disturbance_all_threads_are_soon_back():
    crew, clock, alone = Crew(2), 0.0, []
    while clock < 20:
        busy = clock % 1 < 0.05
        number, seconds = crew.number, (BUSY if busy else QUIET)[crew.number]
        crew.took(number, seconds)
        clock += seconds
        alone += [number == 1] * (not busy)
    assert np.mean(alone) < 0.15


def test_single_slow_calls_change_nothing():
    crew = Crew(2)
    run(crew, 100, QUIET)
    for _ in range(10):
        crew.took(crew.number, 1.0)
        assert run(crew, 20, QUIET).count(2) >= 17  # the rest is a trial


def test_a_turn_that_a_signal_s_handler_has_ended_is_not_ended_again():
    crew = Crew(2)
    run(crew, TURN - 1, QUIET)
    ends, crew._end_turn = crew._end_turn, lambda: (ends(), ends())
    chosen = crew.number
    crew.took(chosen, QUIET[chosen])
    assert crew.usual == {2: QUIET[2]}


@pytest.mark.parametrize(
    ("times", "best"), [({8: 5e-3, 4: 1e-3, 2: 1.5e-3, 1: 3e-3}, 4), ({8: 1e-4, 4: 2e-4, 2: 4e-4, 1: 8e-4}, 8)]
)
def test_of_many_threads_half_as_many_are_tried_and_so_on(times, best):
    crew = Crew(8)
    run(crew, 2000, times)
    assert run(crew, 1000, times).count(best) > 950


def test_all_powers_of_two_below_the_user_s_number_can_be_chosen():
    assert Crew(6).numbers == [6, 3, 1]
    assert set(run(Crew(1), 100, {1: 1.0})) == {1}


SHAPE = 30, 79, 5, 24  # with rows enough, 2370, for weight gradients to be sums of sums


@pytest.mark.skipif(nb.config.NUMBA_NUM_THREADS < 2, reason="needs two threads")
@pytest.mark.parametrize("layer", [le.LSTM, le.GRU, le.SimpleRNN])
def test_training_has_the_same_bits_whatever_is_chosen(monkeypatch, layer):
    T, B, D, H = SHAPE
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((B, T, D), np.float32), rng.integers(0, 2, (B, 1))
    used, bits = set(), set()
    block = rows.equal_blocks
    monkeypatch.setattr(rows, "equal_blocks", lambda B, workers: used.add(workers) or block(B, workers))
    for numbers in ([1], [2], [1, 2, 2]):
        nb.set_num_threads(2)
        always(monkeypatch, *numbers)
        model = le.Sequential([layer(H), le.Dense(1, activation="sigmoid")], seed=0)
        model.compile("adam", "binary_crossentropy")
        losses = [model.train_on_batch(x, y) for _ in range(3)]
        bits.add(b"".join(np.asarray(a).tobytes() for a in (losses, model.predict(x, verbose=0), *model.get_weights())))
        assert nb.get_num_threads() == 2
    assert used == {1, 2}
    assert len(bits) == 1


@pytest.mark.skipif(nb.config.NUMBA_NUM_THREADS < 2, reason="needs two threads")
def test_the_user_s_number_is_the_most_and_is_restored(monkeypatch):
    x = np.ones((3, 4, 2), np.float32)
    always(monkeypatch, 1)
    nb.set_num_threads(2)
    with rows.fastest_crew("of a test", x, 3, 4):
        assert nb.get_num_threads() == 1
    assert nb.get_num_threads() == 2
    with pytest.raises(OverflowError), rows.fastest_crew("of a test", x, 3, 4):
        raise OverflowError
    assert nb.get_num_threads() == 2
    monkeypatch.setattr(rows, "crew_of", lambda *_: pytest.fail("there is nothing to choose"))
    nb.set_num_threads(1)
    with rows.fastest_crew("of a test", x, 3, 4):
        assert nb.get_num_threads() == 1


@pytest.mark.skipif(nb.config.NUMBA_NUM_THREADS < 2, reason="needs two threads")
def test_the_user_s_number_is_restored_wherever_an_interrupt_comes(monkeypatch):
    always(monkeypatch, 1)
    x, nth, more = np.ones((3, 4, 2), np.float32), 0, True
    set_number = nb.set_num_threads

    def interrupted(number):
        """Raises before the nth instruction that sets the number, or after it."""
        nonlocal left
        left -= 1
        if left == 0:
            raise KeyboardInterrupt
        set_number(number)
        left -= 1
        if left == 0:
            raise KeyboardInterrupt

    set_number(2)
    monkeypatch.setattr(nb, "set_num_threads", interrupted)
    while more:
        nth += 1
        left, more = nth, False
        try:
            with rows.fastest_crew("of a test", x, 3, 4):
                pass
        except KeyboardInterrupt:
            more = True
        assert nb.get_num_threads() == 2, nth
    assert nth == 5  # twice two interrupts, and none


def test_fewer_pieces_than_threads_take_as_many_threads_as_pieces():
    nb.set_num_threads(nb.config.NUMBA_NUM_THREADS)
    with rows.fastest_crew("of one piece", np.ones((3, 1, 2), np.float32), 3, 1):
        assert nb.get_num_threads() == 1


@pytest.mark.parametrize("cell", ["lstm", "gru", "simple_rnn"])
def test_a_batch_without_sequences_is_computed(cell):
    nb.set_num_threads(nb.config.NUMBA_NUM_THREADS)
    layer = {"lstm": le.LSTM, "gru": le.GRU, "simple_rnn": le.SimpleRNN}[cell](3)
    layer.build((4, 2), "float32", "numba", np.random.default_rng(0))
    y, _, tape = layer.forward(np.ones((0, 4, 2), np.float32), training=True)
    assert y.shape == (0, 3)
    _, _, d = layer.backward(tape, y)
    assert not any(gradient.any() for gradient in d.values())


@pytest.mark.skipif(nb.config.NUMBA_NUM_THREADS < 2, reason="needs two threads")
def test_all_threads_are_taken_where_the_user_says_so(monkeypatch):
    always(monkeypatch, 1)
    monkeypatch.setattr(rows, "ALWAYS_ALL", True)
    nb.set_num_threads(2)
    with rows.fastest_crew("of a test", np.ones((3, 4, 2), np.float32), 3, 4):
        assert nb.get_num_threads() == 2


@pytest.mark.parametrize(("value", "expected"), [("", False), ("measured", False), ("all", True)])
def test_the_variable_has_two_values(monkeypatch, value, expected):
    monkeypatch.setenv("LSTM_ENGINE_THREADS", value)
    assert threads.always_all() is expected
    monkeypatch.setenv("LSTM_ENGINE_THREADS", "2")
    with pytest.raises(ValueError, match=r"LSTM_ENGINE_THREADS is '2'; it may be \"measured\".*NUMBA_NUM_THREADS"):
        threads.always_all()


def test_models_that_train_in_several_threads_at_once_do_not_change_each_other():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((8, 5, 3), np.float32), rng.integers(0, 2, (8, 1))

    def trained(number):
        nb.set_num_threads(number)
        model = le.Sequential([le.LSTM(4), le.Dense(1, activation="sigmoid")], seed=0)
        model.compile("adam", "binary_crossentropy")
        losses = [model.train_on_batch(x, y) for _ in range(300)]
        return losses, nb.get_num_threads()

    most = nb.config.NUMBA_NUM_THREADS
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(trained, [1, most, most]))
    assert [number for _, number in results] == [1, most, most]
    assert results[0][0] == results[1][0] == results[2][0]
