"""The GRU's compiled twin: `gru_forward` and `gru_backward` of `cells/gru.py`, with the same tape and gradients.

`rows.py` divides the rows among threads and leaves out masked steps. U is split into U_zr of the update and reset gates and
U_h of the candidate, because the candidate has a product of h' (or r∘h') by itself in both variants.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..activations import Array
from ..backend import Kernels
from ..buffers import empty
from ..cells.gru import GRUGradients, GRUTape
from ..cells.products import recurrent_kernel_gradient
from ..checks import check_shapes
from .disk_cache import kernel
from .jobs import ALL, KERNEL, in_parallel
from .product import THESE_FILES, packed, packed_transposed, product
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

ZR, CANDIDATE = slice(0, 2), slice(2, 3)  # of recurrent dropout's three masks


def gru_forward(
    x: Array, W: Array, U: Array, b: Array, h0: Array, mask: Array | None = None, recurrent_dropout: Array | None = None
) -> GRUTape:
    """`cells.gru.gru_forward`, compiled. TypeError unless all arrays are float32 or all are float64."""
    x, W, U, b, h0 = of_one_dtype(x, W, U, b, h0)
    tape = GRUTape(x, W, U, b, h0, mask, recurrent_dropout)
    r_zr, r_h = dropout_of(tape, ZR), dropout_of(tape, CANDIDATE)
    read = tape.reset_after, x, *panels_of(W, U, b, len(r_zr)), r_zr, r_h
    written = tape.gates, tape.inner, tape.h_states
    with one_caller, fastest_crew("gru forward", x, len(U), x.shape[1]):
        _forward(*jobs_of(x, tape.mask), *read, *written, np.empty_like(h0), *room_for(h0), *addresses(x.dtype))
    return tape


def gru_infer(
    x: Array, W: Array, U: Array, b: Array, h0: Array, mask: Array | None = None, sequences: bool = False
) -> tuple[Array, list[Array]]:
    """h (T, B, H), or with sequences=False that of the last step (1, B, H), and the last state; without a tape."""
    x, W, U, b, h0 = of_one_dtype(x, W, U, b, h0)
    h = without_tape(h0, len(x) if sequences else 1)
    gates, inner = room(h0)
    read = b.ndim == 2, x, *panels_of(W, U, b, 0), h[:0], h[:0]
    with one_caller, fastest_crew("gru infer", x, len(U), x.shape[1]):
        _forward(*jobs_of(x, mask), *read, gates, inner, h, np.empty_like(h0), *room_for(h0), *addresses(x.dtype))
    last = h[len(x) % len(h)]
    return h[1:] if sequences else last[None], [last]


def gru_stream(W: Array, U: Array, b: Array, h0: Array) -> Callable[[Array], Array]:
    """A function that takes a step x (B, D), returns its h (B, H) and keeps it for the next."""
    W, U, b, h0 = of_one_dtype(W, U, b, h0)
    h = without_tape(h0, 1)
    gates, inner = room(h0)
    block = 0, *equal_blocks(len(h0), 1), NO_MASK, b.ndim == 2
    rest = *panels_of(W, U, b, 0), h[:0], h[:0], gates, inner, h, np.empty_like(h0), *room_for(h0), *addresses(W.dtype)

    def step(x: Array) -> Array:
        _forward(*block, x[None], *rest)
        h[0] = h[1]
        return h[1].copy()

    return step


def room(h0: Array) -> tuple[Array, Array]:
    """Gates and inner of one step, (1, B, 3H) and (1, B, H)."""
    B, H = h0.shape
    return np.empty((1, B, 3 * H), h0.dtype), np.empty((1, B, H), h0.dtype)


def panels_of(W: Array, U: Array, b: Array, dropped: int) -> tuple[Array, Array, Array]:
    """Panels of z and r, of the candidate's product with h' (or with r∘h' and x), and of its product with x."""
    H2 = 2 * len(U)
    after = b.ndim == 2
    b_zr, b_x, b_h = (b[0, :H2] + b[1, :H2], b[0, H2:], b[1, H2:]) if after else (b[:H2], b[H2:], b[H2:])
    U_h, W_h = U[:, H2:], W[:, H2:]
    panels_h = packed(b_h, U_h, W_h[:0] if after else W_h, 0)
    return packed(b_zr, U[:, :H2], W[:, :H2], dropped), panels_h, packed(b_x, U_h[:0], W_h, 0)


def gru_backward(tape: GRUTape, dh: Array | None = None, dh_T: Array | None = None, lean: bool = False) -> GRUGradients:
    """`cells.gru.gru_backward`, compiled. With `lean` dx and dh are left out: training does not use them.

    With the reset after the product it also uses up the tape: δz is written in the place of the gates. ValueError for a tape
    that is used up.
    """
    check_shapes(dh=(dh, tape.h.shape), dh_T=(dh_T, tape.h0.shape))
    T, B, H = tape.h.shape
    after = tape.reset_after
    r = dropout_of(tape)
    dh0 = last_from_above(dh_T, tape.h0)
    in_place = lean and after  # with the reset before the product, the gates are read after δz is written
    gates = gates_from(tape, in_place)
    dtype = gates.dtype
    dz = gates if in_place else empty(gates.shape, dtype)
    dh_total = empty((1 if lean else T, B, H), dtype)
    dproduct = empty(dz.shape, dtype) if after else dz  # (T, B, 3H): of the recurrent product
    read = (
        from_above(dh, tape),
        packed_transposed(tape.U, len(r)),
        packed_transposed(tape.U[:, : 2 * H], len(r[ZR])),
        packed_transposed(tape.U[:, 2 * H :], 0),
        r,
        gates,
        tape.inner,
        tape.h_states,
    )
    written = dz, dproduct, dh_total, dh0
    space = np.empty_like(dh0), *room_for(dh0)
    with one_caller, fastest_crew("gru backward", tape.x, H, max(B, H)):
        _backward(*jobs_of(tape.x, tape.mask), after, *read, *written, *space, *addresses(dtype))
        x, dW, dU, db, db_h = gradient_products(tape, not lean, dz, dproduct if after else None)
    if not after:  # the candidate reads r∘h', not h'
        rho = None if tape.recurrent_dropout is None else tape.recurrent_dropout[CANDIDATE]
        dU[:, 2 * H :] = recurrent_kernel_gradient(tape.r * tape.h_states[:-1], dz[..., 2 * H :], rho)
    return GRUGradients(
        x=x,
        W=dW,
        U=dU,
        b=np.stack([db, db_h]) if after else db,
        h0=dh0,
        z=dz,
        recurrent_z=dproduct,
        h=None if lean else dh_total,
    )


COMPILED = Kernels(gru_forward, gru_backward, gru_infer, gru_stream)

# -- the equations, for as many units at a time as a vector holds; `before` and `after` are the two variants -----------


def reset_before(z_z: Any, z_r: Any, h_prev: Any) -> Any:
    z, r = gates_of((z_z, z_r), ())
    return z, r, h_prev, r * h_prev


def mix_before(z: Any, r: Any, z_h: Any, h_prev: Any) -> Any:
    (candidate,) = tanh(z_h)
    return z, r, candidate, z * h_prev + (1.0 - z) * candidate


def step_after(z_z: Any, z_r: Any, z_h: Any, inner: Any, h_prev: Any) -> Any:
    z, r = gates_of((z_z, z_r), ())
    (candidate,) = tanh(z_h + r * inner)
    return z, r, candidate, z * h_prev + (1.0 - z) * candidate


def mix_back(z: Any, r: Any, candidate: Any, h_prev: Any, dh: Any) -> tuple[Any, Any, Any]:
    """δz_z, δz_ĥ, and the part of δh' that does not come through the products."""
    dz_h = dh * (1.0 - z) * (1.0 - candidate * candidate)
    return dh * (h_prev - candidate) * z * (1.0 - z), dz_h, dh * z


def mix_back_before(z: Any, r: Any, candidate: Any, h_prev: Any, dh: Any) -> Any:
    dz_z, dz_h, dh_next = mix_back(z, r, candidate, h_prev, dh)
    return dz_z, 0.0, dz_h, dh_next, 0.0


def reset_back_before(z: Any, r: Any, dz_z: Any, h_prev: Any, ds: Any, dh_next: Any) -> Any:
    return dz_z, ds * h_prev * r * (1.0 - r), dh_next + ds * r


def step_back_after(z: Any, r: Any, candidate: Any, inner: Any, h_prev: Any, dh: Any) -> Any:
    dz_z, dz_h, dh_next = mix_back(z, r, candidate, h_prev, dh)
    dz_r = dz_h * inner * r * (1.0 - r)
    return dz_z, dz_r, dz_h, dz_z, dz_r, dz_h * r, dh_next


reset_before_rows = pointwise(reset_before, reads=[2, 1], writes=[2, 1, 1])  # z, h' -> gates, inner, r∘h'
mix_before_rows = pointwise(mix_before, reads=[3, 1], writes=[3, 1])  # gates, h' -> gates, h
step_after_rows = pointwise(step_after, reads=[3, 1, 1], writes=[3, 1])  # z, inner, h' -> gates, h
mix_back_before_rows = pointwise(mix_back_before, reads=[3, 1, 1], writes=[3, 1, 1])  # gates, h', dh -> dz, dh_next, ds
reset_back_before_rows = pointwise(reset_back_before, reads=[2, 1, 1, 1, 1], writes=[2, 1])  # ... -> dz, dh_next
step_back_after_rows = pointwise(step_back_after, reads=[3, 1, 1, 1], writes=[3, 3, 1])  # ... -> dz, dproduct, dh_next


# -- the kernels: job n is block n of the rows --------------------------------------------------------------------------


@kernel(**KERNEL)
def _forward(
    job: int, rows: Array, cuts: Array, mask: Array, after: bool, x: Array, panels_zr: Array, panels_h: Array,
    panels_x: Array, r_zr: Array, r_h: Array, gates: Array, inner: Array, h: Array,
    reset: Array, space: Array, row_space: Array, address: int, loop: int, helpers: int = THESE_FILES,
) -> None:  # fmt: skip
    """Fills gates (T, B, 3H), inner (T, B, H) and h (T + 1, B, H) from its slot 1 on."""
    if job == ALL:
        in_parallel(loop, len(cuts) - 1)
        return
    state = flush_denormals()
    rows, row_space = rows[cuts[job] : cuts[job + 1]], row_space[cuts[job] : cuts[job + 1]]
    H = h.shape[2]
    for t in range(len(x)):
        live, asleep = divided(mask, t, rows, row_space)
        gates_t, inner_t = slot(gates, t), slot(inner, t)
        h_now, h_next = slot(h, t), slot(h, t + 1)
        set_product(address, h_now, x[t], panels_zr, r_zr, gates_t, 0, 2 * H, live, space)
        if after:
            set_product(address, h_now, x[t, :, :0], panels_h, r_h, inner_t, 0, H, live, space)
            product(address, h_now, live, 0, 0, x[t], panels_x[0], False, gates_t, 2 * H, H)
            step_after_rows(H, live, (gates_t, inner_t, h_now, gates_t, h_next))
        else:
            reset_before_rows(H, live, (gates_t, h_now, gates_t, inner_t, reset))
            set_product(address, reset, x[t], panels_h, r_h, gates_t, 2 * H, H, live, space)
            mix_before_rows(H, live, (gates_t, h_now, gates_t, h_next))
        zero_rows(3 * H, asleep, (gates_t,))
        zero_rows(H, asleep, (inner_t,))
        copy_rows(H, asleep, (h_now, h_next))
    restore(state)


@kernel(**KERNEL)
def _backward(
    job: int, rows: Array, cuts: Array, mask: Array, after: bool, dh: Array, panels: Array, panels_zr: Array,
    panels_h: Array, r: Array, gates: Array, inner: Array, h: Array, dz: Array, dproduct: Array, dh_total: Array,
    dh_next: Array, ds: Array, space: Array, row_space: Array, address: int, loop: int, helpers: int = THESE_FILES,
) -> None:  # fmt: skip
    """Fills dz and dproduct (T, B, 3H) and dh_total (T, B, H); dh_next (B, H) runs from T to 0."""
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
        zero_rows(3 * H, asleep, (dz[t],))
        zero_rows(3 * H, asleep, (dproduct[t],))
        copy_rows(H, asleep, (total, dh_next))
        if after:
            step_back_after_rows(H, live, (gates[t], inner[t], h[t], total, dz[t], dproduct[t], dh_next))
            add_product_back(address, dproduct[t], 0, 3 * H, panels, r, dh_next, live, space)
        else:
            mix_back_before_rows(H, live, (gates[t], h[t], total, dz[t], dh_next, ds))
            add_product_back(address, dz[t], 2 * H, H, panels_h, r[2:], ds, live, space)
            reset_back_before_rows(H, live, (gates[t], dz[t], h[t], ds, dh_next, dz[t], dh_next))
            add_product_back(address, dz[t], 0, 2 * H, panels_zr, r[:2], dh_next, live, space)
    restore(state)
