"""The SimpleRNN's compiled twin: the pair of `cells/simple_rnn.py`, with the same tape and gradients.

`rows.py` divides the rows among threads and leaves out masked steps.
"""

from collections.abc import Callable
from typing import Any

import numba as nb
import numpy as np

from ..activations import Array
from ..backend import Kernels
from ..buffers import empty
from ..cells.simple_rnn import SimpleRNNGradients, SimpleRNNTape
from ..checks import check_shapes
from .product import INNER, THESE_FILES, compiled_product, packed, packed_transposed
from .rows import (
    NO_MASK,
    add_product_back,
    add_rows,
    blocks_of,
    copy_rows,
    dropout_of,
    fastest_crew,
    from_above,
    gradient_products,
    last_from_above,
    of_one_dtype,
    one_caller,
    rows_where,
    set_product,
    slot,
    without_tape,
    zero_rows,
)
from .vectors import flush_denormals, pointwise, restore, tanh


def simple_rnn_forward(
    x: Array, W: Array, U: Array, b: Array, h0: Array, mask: Array | None = None, recurrent_dropout: Array | None = None
) -> SimpleRNNTape:
    """`cells.simple_rnn.simple_rnn_forward`, compiled. TypeError unless all arrays are float32 or all are float64."""
    x, W, U, b, h0 = of_one_dtype(x, W, U, b, h0)
    tape = SimpleRNNTape(x, W, U, b, h0, mask, recurrent_dropout)
    r = dropout_of(tape)
    with one_caller, fastest_crew("simple_rnn forward", x, len(U), x.shape[1]):
        _forward(*blocks_of(x, tape.mask), x, packed(b, U, W, len(r)), r, tape.h_states, compiled_product(x.dtype))
    return tape


def simple_rnn_infer(
    x: Array, W: Array, U: Array, b: Array, h0: Array, mask: Array | None = None, sequences: bool = False
) -> tuple[Array, list[Array]]:
    """h (T, B, H), or with sequences=False that of the last step (1, B, H), and the last state; without a tape."""
    x, W, U, b, h0 = of_one_dtype(x, W, U, b, h0)
    h = without_tape(h0, len(x) if sequences else 1)
    panels = packed(b, U, W, 0)
    address = compiled_product(x.dtype)
    with one_caller, fastest_crew("simple_rnn infer", x, len(U), x.shape[1]):
        rows, cuts, mask = blocks_of(x, mask)
        if len(rows) == 1:  # one row needs no second thread
            _alone(mask, x, panels, h, address)
        else:
            _forward(rows, cuts, mask, x, panels, h[:0], h, address)
    last = h[len(x) % len(h)]
    return h[1:] if sequences else last[None], [last]


def simple_rnn_stream(W: Array, U: Array, b: Array, h0: Array) -> Callable[[Array], Array]:
    """A function that takes a step x (B, D), returns its h (B, H) and keeps it for the next."""
    W, U, b, h0 = of_one_dtype(W, U, b, h0)
    h = without_tape(h0, 1)
    panels = packed(b, U, W, 0)
    address = compiled_product(W.dtype)

    def step(x: Array) -> Array:
        _alone(NO_MASK, x[None], panels, h, address)
        h[0] = h[1]
        return h[1].copy()

    return step


def simple_rnn_backward(
    tape: SimpleRNNTape, dh: Array | None = None, dh_T: Array | None = None, lean: bool = False
) -> SimpleRNNGradients:
    """`cells.simple_rnn.simple_rnn_backward`, compiled. With `lean` dx and dh are left out: training does not use them."""
    check_shapes(dh=(dh, tape.h.shape), dh_T=(dh_T, tape.h0.shape))
    T, B, H = tape.h.shape
    dtype = tape.h.dtype
    r = dropout_of(tape)
    dz, dh_total = empty((T, B, H), dtype), empty((1 if lean else T, B, H), dtype)
    dh0 = last_from_above(dh_T, tape.h0)
    with one_caller, fastest_crew("simple_rnn backward", tape.x, H, max(B, H)):
        _backward(
            *blocks_of(tape.x, tape.mask),
            from_above(dh, tape),
            packed_transposed(tape.U, len(r)),
            r,
            tape.h_states,
            dz,
            dh_total,
            dh0,
            compiled_product(dtype),
        )
        x, dW, dU, db, _ = gradient_products(tape, not lean, dz)
    return SimpleRNNGradients(x=x, W=dW, U=dU, b=db, h0=dh0, z=dz, h=None if lean else dh_total)


COMPILED = Kernels(simple_rnn_forward, simple_rnn_backward, simple_rnn_infer, simple_rnn_stream)

# -- the equations, for as many units at a time as a vector holds ------------------------------------------------------


def step_back(h: Any, dh: Any) -> Any:
    return dh * (1.0 - h * h), 0.0


step_rows = pointwise(lambda z: tanh(z), reads=[1], writes=[1])  # z -> h
step_back_rows = pointwise(step_back, reads=[1, 1], writes=[1, 1])  # h, dh -> dz, dh_next


# -- the work on a block, and a parallel loop over blocks, which is short so that it compiles fast ---------------------


@nb.njit(**INNER)
def forward_block(
    rows: Array, mask: Array, x: Array, panels: Array, r: Array, h: Array, space: Array, address: int
) -> None:  # fmt: skip
    state = flush_denormals()
    some = np.empty_like(rows)
    H = h.shape[2]
    for t in range(len(x)):
        live = rows_where(mask, t, True, rows, some)
        now, after = slot(h, t), slot(h, t + 1)
        set_product(address, now, x[t], panels, r, after, 0, H, live, space)
        step_rows(H, live, (after, after))
        if len(live) < len(rows):
            copy_rows(H, rows_where(mask, t, False, rows, some), (now, after))
    restore(state)


@nb.njit(parallel=True, cache=True)
def _forward(
    rows: Array, cuts: Array, mask: Array, x: Array, panels: Array, r: Array,
    h: Array, address: int, helpers: int = THESE_FILES,
) -> None:  # fmt: skip
    """Fills h (T + 1, B, H) from its slot 1 on."""
    space = np.empty_like(h[0])
    for n in nb.prange(len(cuts) - 1):
        forward_block(rows[cuts[n] : cuts[n + 1]], mask, x, panels, r, h, space, address)


@nb.njit(cache=True)
def _alone(mask: Array, x: Array, panels: Array, h: Array, address: int, helpers: int = THESE_FILES) -> None:
    """`_forward` by the calling thread, without recurrent dropout."""
    forward_block(np.arange(h.shape[1]), mask, x, panels, h[:0], h, h[0], address)


@nb.njit(**INNER)
def backward_block(
    rows: Array, mask: Array, dh: Array, panels: Array, r: Array, h: Array,
    dz: Array, dh_total: Array, dh_next: Array, space: Array, address: int,
) -> None:  # fmt: skip
    state = flush_denormals()
    some = np.empty_like(rows)
    H = h.shape[2]
    for t in range(len(dz) - 1, -1, -1):
        total = slot(dh_total, t)
        if len(dh):
            add_rows(H, rows, (dh_next, dh[t], total))
        else:
            copy_rows(H, rows, (dh_next, total))
        if len(mask):
            asleep = rows_where(mask, t, False, rows, some)
            zero_rows(H, asleep, (dz[t],))
            copy_rows(H, asleep, (total, dh_next))
        live = rows_where(mask, t, True, rows, some)
        step_back_rows(H, live, (h[t + 1], total, dz[t], dh_next))
        add_product_back(address, dz[t], 0, H, panels, r, dh_next, live, space)
    restore(state)


@nb.njit(parallel=True, cache=True)
def _backward(
    rows: Array, cuts: Array, mask: Array, dh: Array, panels: Array, r: Array, h: Array,
    dz: Array, dh_total: Array, dh_next: Array, address: int, helpers: int = THESE_FILES,
) -> None:  # fmt: skip
    """Fills dz and dh_total (T, B, H); dh_next (B, H) runs from T to 0."""
    space = np.empty_like(dh_next)
    for n in nb.prange(len(cuts) - 1):
        block = rows[cuts[n] : cuts[n + 1]]
        backward_block(block, mask, dh, panels, r, h, dz, dh_total, dh_next, space, address)
