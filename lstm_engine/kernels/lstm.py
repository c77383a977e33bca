"""The LSTM's compiled twin: `lstm_forward` and `lstm_backward` of `cells/lstm.py`, with the same tape and gradients.

`rows.py` divides the rows among threads and leaves out masked steps; `vectors.py` turns the products and the equations
into vector instructions.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..activations import Array
from ..backend import Kernels
from ..buffers import empty
from ..cells.lstm import LSTMGradients, LSTMTape
from ..checks import check_shapes
from .disk_cache import kernel
from .jobs import ALL, KERNEL, in_parallel
from .product import THESE_FILES, packed, packed_transposed
from .rows import (
    NO_MASK,
    add_product_back,
    add_rows,
    addresses,
    copy_rows,
    divided,
    dropout_of,
    equal_blocks,
    fastest_crew,
    from_above,
    gates_from,
    gradient_products,
    jobs_of,
    last_from_above,
    of_one_dtype,
    one_caller,
    room_for,
    set_product,
    slot,
    without_tape,
    zero_rows,
)
from .vectors import flush_denormals, gates_of, pointwise, restore, tanh


def lstm_forward(
    x: Array, W: Array, U: Array, b: Array, h0: Array, c0: Array,
    mask: Array | None = None, recurrent_dropout: Array | None = None,
) -> LSTMTape:  # fmt: skip
    """`cells.lstm.lstm_forward`, compiled. TypeError unless all arrays are float32 or all are float64."""
    x, W, U, b, h0, c0 = of_one_dtype(x, W, U, b, h0, c0)
    tape = LSTMTape(x, W, U, b, h0, c0, mask, recurrent_dropout)
    r = dropout_of(tape)
    panels = packed(b, U, W, len(r))
    states = tape.gates, tape.tanh_c, tape.h_states, tape.c_states
    with one_caller, fastest_crew("lstm forward", x, len(U), x.shape[1]):
        _forward(*jobs_of(x, tape.mask), x, panels, r, *states, *room_for(h0), *addresses(x.dtype))
    return tape


def lstm_infer(
    x: Array, W: Array, U: Array, b: Array, h0: Array, c0: Array, mask: Array | None = None, sequences: bool = False
) -> tuple[Array, list[Array]]:
    """h (T, B, H), or with sequences=False that of the last step (1, B, H), and the last states; without a tape."""
    x, W, U, b, h0, c0 = of_one_dtype(x, W, U, b, h0, c0)
    T, B, _ = x.shape
    H = len(U)
    h, c = without_tape(h0, T if sequences else 1), without_tape(c0, 1)
    gates, tanh_c = np.empty((1, B, 4 * H), x.dtype), np.empty((1, B, H), x.dtype)
    panels = packed(b, U, W, 0)
    with one_caller, fastest_crew("lstm infer", x, len(U), B):
        _forward(*jobs_of(x, mask), x, panels, h[:0], gates, tanh_c, h, c, *room_for(h0), *addresses(x.dtype))
    last = [h[T % len(h)], c[T % len(c)]]
    return h[1:] if sequences else last[0][None], last


def lstm_stream(W: Array, U: Array, b: Array, h0: Array, c0: Array) -> Callable[[Array], Array]:
    """A function that takes a step x (B, D), returns its h (B, H) and keeps the states for the next."""
    W, U, b, h0, c0 = of_one_dtype(W, U, b, h0, c0)
    h, c = without_tape(h0, 1), without_tape(c0, 1)
    gates, tanh_c = np.empty((1, len(h0), W.shape[1]), W.dtype), np.empty((1, *h0.shape), W.dtype)
    block = 0, *equal_blocks(len(h0), 1), NO_MASK
    rest = packed(b, U, W, 0), h[:0], gates, tanh_c, h, c, *room_for(h0), *addresses(W.dtype)

    def step(x: Array) -> Array:
        _forward(*block, x[None], *rest)
        h[0], c[0] = h[1], c[1]
        return h[1].copy()

    return step


def lstm_backward(
    tape: LSTMTape,
    dh: Array | None = None,
    dh_T: Array | None = None,
    dc_T: Array | None = None,
    lean: bool = False,
) -> LSTMGradients:
    """`cells.lstm.lstm_backward`, compiled. With `lean` dx and every dc and dh are left out: training does not use them.

    It also uses up the tape: δz is written in the place of the gates. ValueError for a tape that is used up.
    """
    check_shapes(dh=(dh, tape.h.shape), dh_T=(dh_T, tape.h0.shape), dc_T=(dc_T, tape.c0.shape))
    T, B, H = tape.h.shape
    slots = 1 if lean else T
    gates = gates_from(tape, lean)
    dtype = gates.dtype
    dz = gates if lean else empty(gates.shape, dtype)
    dc, dh_total = empty((slots, B, H), dtype), empty((slots, B, H), dtype)
    dh0, dc0 = last_from_above(dh_T, tape.h0), last_from_above(dc_T, tape.c0)
    r = dropout_of(tape)
    read = from_above(dh, tape), packed_transposed(tape.U, len(r)), r, gates, tape.tanh_c, tape.c_states
    written = dz, dc, dh_total, dh0, dc0
    with one_caller, fastest_crew("lstm backward", tape.x, H, max(B, H)):
        _backward(*jobs_of(tape.x, tape.mask), *read, *written, *room_for(dh0), *addresses(dtype))
        x, dW, dU, db, _ = gradient_products(tape, not lean, dz)
    return LSTMGradients(
        x=x, W=dW, U=dU, b=db, h0=dh0, c0=dc0, z=dz, c=None if lean else dc, h=None if lean else dh_total
    )


COMPILED = Kernels(lstm_forward, lstm_backward, lstm_infer, lstm_stream)

# -- the equations, for as many units at a time as a vector holds ------------------------------------------------------


def step(z_i: Any, z_f: Any, z_g: Any, z_o: Any, c_prev: Any) -> Any:
    i, f, o, g = gates_of((z_i, z_f, z_o), (z_g,))
    c = f * c_prev + i * g
    (tanh_c,) = tanh(c)
    return i, f, g, o, c, tanh_c, o * tanh_c


def step_back(i: Any, f: Any, g: Any, o: Any, tanh_c: Any, c_prev: Any, dh: Any, dc_next: Any) -> Any:
    dc = dc_next + dh * o * (1.0 - tanh_c * tanh_c)
    dz_i, dz_f, dz_g = dc * g * i * (1.0 - i), dc * c_prev * f * (1.0 - f), dc * i * (1.0 - g * g)
    return dz_i, dz_f, dz_g, dh * tanh_c * o * (1.0 - o), dc, dc * f, 0.0


step_rows = pointwise(step, reads=[4, 1], writes=[4, 1, 1, 1])  # z, c' -> gates, c, tanh_c, h
step_back_rows = pointwise(step_back, reads=[4, 1, 1, 1, 1], writes=[4, 1, 1, 1])


# -- the kernels: job n is block n of the rows --------------------------------------------------------------------------


@kernel(**KERNEL)
def _forward(
    job: int, rows: Array, cuts: Array, mask: Array, x: Array, panels: Array, r: Array,
    gates: Array, tanh_c: Array, h: Array, c: Array, space: Array, row_space: Array, address: int, loop: int,
    helpers: int = THESE_FILES,
) -> None:  # fmt: skip
    """Fills gates (T, B, 4H), tanh_c (T, B, H) and, from their slot 1 on, h and c (T + 1, B, H)."""
    if job == ALL:
        in_parallel(loop, len(cuts) - 1)
        return
    state = flush_denormals()
    rows, row_space = rows[cuts[job] : cuts[job + 1]], row_space[cuts[job] : cuts[job + 1]]
    H = h.shape[2]
    for t in range(len(x)):
        live, asleep = divided(mask, t, rows, row_space)
        now = slot(gates, t)
        h_now, h_next = slot(h, t), slot(h, t + 1)
        c_now, c_next = slot(c, t), slot(c, t + 1)
        set_product(address, h_now, x[t], panels, r, now, 0, 4 * H, live, space)
        step_rows(H, live, (now, c_now, now, c_next, slot(tanh_c, t), h_next))
        zero_rows(4 * H, asleep, (now,))
        zero_rows(H, asleep, (slot(tanh_c, t),))
        copy_rows(H, asleep, (h_now, h_next))
        copy_rows(H, asleep, (c_now, c_next))
    restore(state)


@kernel(**KERNEL)
def _backward(
    job: int, rows: Array, cuts: Array, mask: Array, dh: Array, panels: Array, r: Array,
    gates: Array, tanh_c: Array, c: Array, dz: Array, dc: Array, dh_total: Array, dh_next: Array, dc_next: Array,
    space: Array, row_space: Array, address: int, loop: int, helpers: int = THESE_FILES,
) -> None:  # fmt: skip
    """Fills dz (T, B, 4H), dc and dh_total (T, B, H); dh_next and dc_next (B, H) run from T to 0."""
    if job == ALL:
        in_parallel(loop, len(cuts) - 1)
        return
    state = flush_denormals()
    rows, row_space = rows[cuts[job] : cuts[job + 1]], row_space[cuts[job] : cuts[job + 1]]
    H = dh_next.shape[1]
    for t in range(len(dz) - 1, -1, -1):
        live, asleep = divided(mask, t, rows, row_space)
        total, dc_now = slot(dh_total, t), slot(dc, t)
        if len(dh):
            add_rows(H, rows, (dh_next, dh[t], total))
        else:
            copy_rows(H, rows, (dh_next, total))
        zero_rows(4 * H, asleep, (dz[t],))
        copy_rows(H, asleep, (dc_next, dc_now))
        copy_rows(H, asleep, (total, dh_next))
        step_back_rows(H, live, (gates[t], tanh_c[t], c[t], total, dc_next, dz[t], dc_now, dc_next, dh_next))
        add_product_back(address, dz[t], 0, 4 * H, panels, r, dh_next, live, space)
    restore(state)
