"""Recycled memory: used again when free, never while anyone holds it or a view of it."""

import numpy as np

from lstm_engine import buffers
from lstm_engine.buffers import empty

SHAPE = (300, 301)


def test_a_block_nobody_holds_is_used_again():
    address = empty(SHAPE, "float32").ctypes.data
    assert empty(SHAPE, "float32").ctypes.data == address


def test_a_block_is_not_handed_out_while_a_view_of_it_lives():
    first = empty(SHAPE, "float32")
    view = first[1:, ::2].T
    del first
    others = [empty(SHAPE, "float32") for _ in range(5)]
    assert not any(np.shares_memory(view, other) for other in others)
    assert not any(np.shares_memory(a, b) for n, a in enumerate(others) for b in others[:n])


def test_tapes_that_are_kept_stay_as_they_were(unit_scale):
    from lstm_engine.kernels.lstm import lstm_forward

    inputs = unit_scale(60, 16, 3, 32)
    kept = lstm_forward(*inputs)
    before = kept.gates.copy()
    for seed in range(1, 5):
        lstm_forward(*unit_scale(60, 16, 3, 32, seed=seed))
    np.testing.assert_array_equal(kept.gates, before)


def test_a_block_has_at_most_a_quarter_more_than_is_asked_for():
    for size in range(2**16, 2**16 * 9, 1111):
        assert size <= buffers.room(size) <= 1.25 * size
    rooms = {buffers.room(size) for size in range(2**16 + 1, 2**17 + 1)}
    assert [room / 2**16 for room in sorted(rooms)] == [1.25, 1.5, 1.75, 2]


def test_shapes_that_change_share_a_few_blocks(monkeypatch):
    monkeypatch.setattr(buffers, "_blocks", [])
    for size in np.random.default_rng(0).integers(2**16, 2**20, 2000).tolist():
        pair = empty((size,), "uint8"), empty((size,), "uint8")
        del pair
    assert len(buffers._blocks) <= 2 * (4 * 4 + 1)  # two are in use at once; four doublings


def test_no_more_than_a_few_bytes_are_kept(monkeypatch):
    monkeypatch.setattr(buffers, "KEPT", 1 << 20)
    arrays = [empty((100, 200 + n), "float64") for n in range(20)]
    assert sum(block.nbytes for block, _ in buffers._blocks) <= 1 << 20
    for n, array in enumerate(arrays):
        array[:] = n
    assert all((array == n).all() for n, array in enumerate(arrays))  # a block let go stays its holder's
