"""The SimpleRNN's compiled twin: the pair of `cells/simple_rnn.py`, with the same tape and gradients.

`rows.py` divides the rows among threads and leaves out masked steps.
"""

from collections.abc import Callable
from typing import Any

from ..activations import Array
from ..backend import Kernels
from ..buffers import empty
from ..cells.simple_rnn import SimpleRNNGradients, SimpleRNNTape
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
from .vectors import flush_denormals, pointwise, restore, tanh


def simple_rnn_forward(
    x: Array, W: Array, U: Array, b: Array, h0: Array, mask: Array | None = None, recurrent_dropout: Array | None = None
) -> SimpleRNNTape:
    """`cells.simple_rnn.simple_rnn_forward`, compiled. TypeError unless all arrays are float32 or all are float64."""
    x, W, U, b, h0 = of_one_dtype(x, W, U, b, h0)
    tape = SimpleRNNTape(x, W, U, b, h0, mask, recurrent_dropout)
    r = dropout_of(tape)
    panels = packed(b, U, W, len(r))
    with one_caller, fastest_crew("simple_rnn forward", x, len(U), x.shape[1]):
        _forward(*jobs_of(x, tape.mask), x, panels, r, tape.h_states, *room_for(h0), *addresses(x.dtype))
    return tape


def simple_rnn_infer(
    x: Array, W: Array, U: Array, b: Array, h0: Array, mask: Array | None = None, sequences: bool = False
) -> tuple[Array, list[Array]]:
    """h (T, B, H), or with sequences=False that of the last step (1, B, H), and the last state; without a tape."""
    x, W, U, b, h0 = of_one_dtype(x, W, U, b, h0)
    h = without_tape(h0, len(x) if sequences else 1)
    panels = packed(b, U, W, 0)
    with one_caller, fastest_crew("simple_rnn infer", x, len(U), x.shape[1]):
        _forward(*jobs_of(x, mask), x, panels, h[:0], h, *room_for(h0), *addresses(x.dtype))
    last = h[len(x) % len(h)]
    return h[1:] if sequences else last[None], [last]


def simple_rnn_stream(W: Array, U: Array, b: Array, h0: Array) -> Callable[[Array], Array]:
    """A function that takes a step x (B, D), returns its h (B, H) and keeps it for the next."""
    W, U, b, h0 = of_one_dtype(W, U, b, h0)
    h = without_tape(h0, 1)
    block = 0, *equal_blocks(len(h0), 1), NO_MASK
    rest = packed(b, U, W, 0), h[:0], h, *room_for(h0), *addresses(W.dtype)

    def step(x: Array) -> Array:
        _forward(*block, x[None], *rest)
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
    read = from_above(dh, tape), packed_transposed(tape.U, len(r)), r, tape.h_states
    with one_caller, fastest_crew("simple_rnn backward", tape.x, H, max(B, H)):
        _backward(*jobs_of(tape.x, tape.mask), *read, dz, dh_total, dh0, *room_for(dh0), *addresses(dtype))
        x, dW, dU, db, _ = gradient_products(tape, not lean, dz)
    return SimpleRNNGradients(x=x, W=dW, U=dU, b=db, h0=dh0, z=dz, h=None if lean else dh_total)


COMPILED = Kernels(simple_rnn_forward, simple_rnn_backward, simple_rnn_infer, simple_rnn_stream)

# -- the equations, for as many units at a time as a vector holds ------------------------------------------------------


def step_back(h: Any, dh: Any) -> Any:
    return dh * (1.0 - h * h), 0.0


step_rows = pointwise(lambda z: tanh(z), reads=[1], writes=[1])  # z -> h
step_back_rows = pointwise(step_back, reads=[1, 1], writes=[1, 1])  # h, dh -> dz, dh_next


# -- the kernels: job n is block n of the rows --------------------------------------------------------------------------


@kernel(**KERNEL)
def _forward(
    job: int, rows: Array, cuts: Array, mask: Array, x: Array, panels: Array, r: Array,
    h: Array, space: Array, row_space: Array, address: int, loop: int, helpers: int = THESE_FILES,
) -> None:  # fmt: skip
    """Fills h (T + 1, B, H) from its slot 1 on."""
    if job == ALL:
        in_parallel(loop, len(cuts) - 1)
        return
    state = flush_denormals()
    rows, row_space = rows[cuts[job] : cuts[job + 1]], row_space[cuts[job] : cuts[job + 1]]
    H = h.shape[2]
    for t in range(len(x)):
        live, asleep = divided(mask, t, rows, row_space)
        now, after = slot(h, t), slot(h, t + 1)
        set_product(address, now, x[t], panels, r, after, 0, H, live, space)
        step_rows(H, live, (after, after))
        copy_rows(H, asleep, (now, after))
    restore(state)


@kernel(**KERNEL)
def _backward(
    job: int, rows: Array, cuts: Array, mask: Array, dh: Array, panels: Array, r: Array, h: Array,
    dz: Array, dh_total: Array, dh_next: Array, space: Array, row_space: Array, address: int, loop: int,
    helpers: int = THESE_FILES,
) -> None:  # fmt: skip
    """Fills dz and dh_total (T, B, H); dh_next (B, H) runs from T to 0."""
    if job == ALL:
        in_parallel(loop, len(cuts) - 1)
        return
    state = flush_denormals()
    rows, row_space = rows[cuts[job] : cuts[job + 1]], row_space[cuts[job] : cuts[job + 1]]
    H = h.shape[2]
    for t in range(len(dz) - 1, -1, -1):
        live, asleep = divided(mask, t, rows, row_space)
        total = slot(dh_total, t)
        if len(dh):
            add_rows(H, rows, (dh_next, dh[t], total))
        else:
            copy_rows(H, rows, (dh_next, total))
        zero_rows(H, asleep, (dz[t],))
        copy_rows(H, asleep, (total, dh_next))
        step_back_rows(H, live, (h[t + 1], total, dz[t], dh_next))
        add_product_back(address, dz[t], 0, H, panels, r, dh_next, live, space)
    restore(state)
