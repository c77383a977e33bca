"""One step of the LSTM with peepholes and of its eight variants, forward and backward (Greff et al. 2017, II and III).

A step works by element, so that it can compute one unit or, in NumPy, all of them: numbers, or arrays (B, H). Its inputs are
the same for every cell: z = xW + y'U + b, a part for each gate and for the block input g, in the order i f g o; p, a weight
for each gate that sees the state, in the order i f o; and c', the state of the step before. A step returns a, the parts of z
after their activations; c; and y, which all parts receive at the next step: h, in full gate recurrence also the gates.

The backward step takes δy and δc, the gradients that later steps and the loss send to y and c, and returns δz and δc'. δp,
the sum of δz times the state that the gate sees, is computed in `through_time`, like the other weights' gradients.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lstm_engine.activations import Array, sigmoid

Parts = tuple[Array, ...]


def tanh(z: Array) -> Array:
    return np.tanh(z)


# -- V: the LSTM with peepholes ----------------------------------------------------------------------------------------


def v(z: Parts, p: Parts, c_: Array) -> tuple[Parts, Array, Parts]:
    """i = σ(z_i + p_i∘c')   f = σ(z_f + p_f∘c')   g = tanh(z_g)   o = σ(z_o + p_o∘c)
    c = f∘c' + i∘g          h = o∘tanh(c)
    """
    z_i, z_f, z_g, z_o = z
    p_i, p_f, p_o = p
    i, f, g = sigmoid(z_i + p_i * c_), sigmoid(z_f + p_f * c_), tanh(z_g)
    c = f * c_ + i * g
    o = sigmoid(z_o + p_o * c)
    return (i, f, g, o), c, (o * tanh(c),)


def v_back(
    dy: Parts, dc: Array, a: Parts, c: Array, c_: Array, p: Parts, di: Any = 0.0, df: Any = 0.0, do: Any = 0.0
) -> tuple[Parts, Array]:
    """δo = δh∘tanh(c)   δc += δh∘o∘(1 - tanh²c) + δz_o∘p_o   δi = δc∘g   δf = δc∘c'   δg = δc∘i
    δz = (δi∘i(1-i), δf∘f(1-f), δg∘(1-g²), δo∘o(1-o))      δc' = δc∘f + δz_i∘p_i + δz_f∘p_f
    Full gate recurrence adds di, df and do, which later steps send, to δi, δf and δo.
    """
    (dh,) = dy
    i, f, g, o = a
    p_i, p_f, p_o = p
    tanh_c = tanh(c)
    dz_o = (do + dh * tanh_c) * o * (1 - o)
    dc = dc + dh * o * (1 - tanh_c**2) + dz_o * p_o
    dz_i, dz_f, dz_g = (di + dc * g) * i * (1 - i), (df + dc * c_) * f * (1 - f), dc * i * (1 - g**2)
    return (dz_i, dz_f, dz_g, dz_o), dc * f + dz_i * p_i + dz_f * p_f


# -- NIG: no input gate ------------------------------------------------------------------------------------------------


def nig(z: Parts, p: Parts, c_: Array) -> tuple[Parts, Array, Parts]:
    """f = σ(z_f + p_f∘c')   g = tanh(z_g)   o = σ(z_o + p_o∘c)
    c = f∘c' + g            h = o∘tanh(c)
    """
    z_f, z_g, z_o = z
    p_f, p_o = p
    f, g = sigmoid(z_f + p_f * c_), tanh(z_g)
    c = f * c_ + g
    o = sigmoid(z_o + p_o * c)
    return (f, g, o), c, (o * tanh(c),)


def nig_back(dy: Parts, dc: Array, a: Parts, c: Array, c_: Array, p: Parts) -> tuple[Parts, Array]:
    """δo = δh∘tanh(c)   δc += δh∘o∘(1 - tanh²c) + δz_o∘p_o   δf = δc∘c'   δg = δc
    δz = (δf∘f(1-f), δg∘(1-g²), δo∘o(1-o))                   δc' = δc∘f + δz_f∘p_f
    """
    (dh,) = dy
    f, g, o = a
    p_f, p_o = p
    tanh_c = tanh(c)
    dz_o = dh * tanh_c * o * (1 - o)
    dc = dc + dh * o * (1 - tanh_c**2) + dz_o * p_o
    dz_f, dz_g = dc * c_ * f * (1 - f), dc * (1 - g**2)
    return (dz_f, dz_g, dz_o), dc * f + dz_f * p_f


# -- NFG: no forget gate -----------------------------------------------------------------------------------------------


def nfg(z: Parts, p: Parts, c_: Array) -> tuple[Parts, Array, Parts]:
    """i = σ(z_i + p_i∘c')   g = tanh(z_g)   o = σ(z_o + p_o∘c)
    c = c' + i∘g            h = o∘tanh(c)
    """
    z_i, z_g, z_o = z
    p_i, p_o = p
    i, g = sigmoid(z_i + p_i * c_), tanh(z_g)
    c = c_ + i * g
    o = sigmoid(z_o + p_o * c)
    return (i, g, o), c, (o * tanh(c),)


def nfg_back(dy: Parts, dc: Array, a: Parts, c: Array, c_: Array, p: Parts) -> tuple[Parts, Array]:
    """δo = δh∘tanh(c)   δc += δh∘o∘(1 - tanh²c) + δz_o∘p_o   δi = δc∘g   δg = δc∘i
    δz = (δi∘i(1-i), δg∘(1-g²), δo∘o(1-o))                   δc' = δc + δz_i∘p_i
    """
    (dh,) = dy
    i, g, o = a
    p_i, p_o = p
    tanh_c = tanh(c)
    dz_o = dh * tanh_c * o * (1 - o)
    dc = dc + dh * o * (1 - tanh_c**2) + dz_o * p_o
    dz_i, dz_g = dc * g * i * (1 - i), dc * i * (1 - g**2)
    return (dz_i, dz_g, dz_o), dc + dz_i * p_i


# -- NOG: no output gate -----------------------------------------------------------------------------------------------


def nog(z: Parts, p: Parts, c_: Array) -> tuple[Parts, Array, Parts]:
    """i = σ(z_i + p_i∘c')   f = σ(z_f + p_f∘c')   g = tanh(z_g)
    c = f∘c' + i∘g          h = tanh(c)
    """
    z_i, z_f, z_g = z
    p_i, p_f = p
    i, f, g = sigmoid(z_i + p_i * c_), sigmoid(z_f + p_f * c_), tanh(z_g)
    c = f * c_ + i * g
    return (i, f, g), c, (tanh(c),)


def nog_back(dy: Parts, dc: Array, a: Parts, c: Array, c_: Array, p: Parts) -> tuple[Parts, Array]:
    """δc += δh∘(1 - tanh²c)   δi = δc∘g   δf = δc∘c'   δg = δc∘i
    δz = (δi∘i(1-i), δf∘f(1-f), δg∘(1-g²))               δc' = δc∘f + δz_i∘p_i + δz_f∘p_f
    """
    (dh,) = dy
    i, f, g = a
    p_i, p_f = p
    dc = dc + dh * (1 - tanh(c) ** 2)
    dz_i, dz_f, dz_g = dc * g * i * (1 - i), dc * c_ * f * (1 - f), dc * i * (1 - g**2)
    return (dz_i, dz_f, dz_g), dc * f + dz_i * p_i + dz_f * p_f


# -- NIAF: no input activation -----------------------------------------------------------------------------------------


def niaf(z: Parts, p: Parts, c_: Array) -> tuple[Parts, Array, Parts]:
    """i = σ(z_i + p_i∘c')   f = σ(z_f + p_f∘c')   g = z_g   o = σ(z_o + p_o∘c)
    c = f∘c' + i∘g          h = o∘tanh(c)
    """
    z_i, z_f, g, z_o = z
    p_i, p_f, p_o = p
    i, f = sigmoid(z_i + p_i * c_), sigmoid(z_f + p_f * c_)
    c = f * c_ + i * g
    o = sigmoid(z_o + p_o * c)
    return (i, f, g, o), c, (o * tanh(c),)


def niaf_back(dy: Parts, dc: Array, a: Parts, c: Array, c_: Array, p: Parts) -> tuple[Parts, Array]:
    """δo = δh∘tanh(c)   δc += δh∘o∘(1 - tanh²c) + δz_o∘p_o   δi = δc∘g   δf = δc∘c'   δg = δc∘i
    δz = (δi∘i(1-i), δf∘f(1-f), δg, δo∘o(1-o))              δc' = δc∘f + δz_i∘p_i + δz_f∘p_f
    """
    (dh,) = dy
    i, f, g, o = a
    p_i, p_f, p_o = p
    tanh_c = tanh(c)
    dz_o = dh * tanh_c * o * (1 - o)
    dc = dc + dh * o * (1 - tanh_c**2) + dz_o * p_o
    dz_i, dz_f, dz_g = dc * g * i * (1 - i), dc * c_ * f * (1 - f), dc * i
    return (dz_i, dz_f, dz_g, dz_o), dc * f + dz_i * p_i + dz_f * p_f


# -- NOAF: no output activation ----------------------------------------------------------------------------------------


def noaf(z: Parts, p: Parts, c_: Array) -> tuple[Parts, Array, Parts]:
    """i = σ(z_i + p_i∘c')   f = σ(z_f + p_f∘c')   g = tanh(z_g)   o = σ(z_o + p_o∘c)
    c = f∘c' + i∘g          h = o∘c
    """
    z_i, z_f, z_g, z_o = z
    p_i, p_f, p_o = p
    i, f, g = sigmoid(z_i + p_i * c_), sigmoid(z_f + p_f * c_), tanh(z_g)
    c = f * c_ + i * g
    o = sigmoid(z_o + p_o * c)
    return (i, f, g, o), c, (o * c,)


def noaf_back(dy: Parts, dc: Array, a: Parts, c: Array, c_: Array, p: Parts) -> tuple[Parts, Array]:
    """δo = δh∘c   δc += δh∘o + δz_o∘p_o   δi = δc∘g   δf = δc∘c'   δg = δc∘i
    δz = (δi∘i(1-i), δf∘f(1-f), δg∘(1-g²), δo∘o(1-o))      δc' = δc∘f + δz_i∘p_i + δz_f∘p_f
    """
    (dh,) = dy
    i, f, g, o = a
    p_i, p_f, p_o = p
    dz_o = dh * c * o * (1 - o)
    dc = dc + dh * o + dz_o * p_o
    dz_i, dz_f, dz_g = dc * g * i * (1 - i), dc * c_ * f * (1 - f), dc * i * (1 - g**2)
    return (dz_i, dz_f, dz_g, dz_o), dc * f + dz_i * p_i + dz_f * p_f


# -- CIFG: coupled input and forget gate -------------------------------------------------------------------------------


def cifg(z: Parts, p: Parts, c_: Array) -> tuple[Parts, Array, Parts]:
    """i = σ(z_i + p_i∘c')   f = 1 - i   g = tanh(z_g)   o = σ(z_o + p_o∘c)
    c = f∘c' + i∘g          h = o∘tanh(c)
    """
    z_i, z_g, z_o = z
    p_i, p_o = p
    i, g = sigmoid(z_i + p_i * c_), tanh(z_g)
    c = (1 - i) * c_ + i * g
    o = sigmoid(z_o + p_o * c)
    return (i, g, o), c, (o * tanh(c),)


def cifg_back(dy: Parts, dc: Array, a: Parts, c: Array, c_: Array, p: Parts) -> tuple[Parts, Array]:
    """δo = δh∘tanh(c)   δc += δh∘o∘(1 - tanh²c) + δz_o∘p_o   δi = δc∘(g - c')   δg = δc∘i
    δz = (δi∘i(1-i), δg∘(1-g²), δo∘o(1-o))                   δc' = δc∘(1 - i) + δz_i∘p_i
    """
    (dh,) = dy
    i, g, o = a
    p_i, p_o = p
    tanh_c = tanh(c)
    dz_o = dh * tanh_c * o * (1 - o)
    dc = dc + dh * o * (1 - tanh_c**2) + dz_o * p_o
    dz_i, dz_g = dc * (g - c_) * i * (1 - i), dc * i * (1 - g**2)
    return (dz_i, dz_g, dz_o), dc * (1 - i) + dz_i * p_i


# -- NP: no peepholes, the engine's LSTM -------------------------------------------------------------------------------


def plain(z: Parts, p: Parts, c_: Array) -> tuple[Parts, Array, Parts]:
    """i = σ(z_i)   f = σ(z_f)   g = tanh(z_g)   o = σ(z_o)      c = f∘c' + i∘g   h = o∘tanh(c)"""
    z_i, z_f, z_g, z_o = z
    i, f, g, o = sigmoid(z_i), sigmoid(z_f), tanh(z_g), sigmoid(z_o)
    c = f * c_ + i * g
    return (i, f, g, o), c, (o * tanh(c),)


def plain_back(dy: Parts, dc: Array, a: Parts, c: Array, c_: Array, p: Parts) -> tuple[Parts, Array]:
    """δo = δh∘tanh(c)   δc += δh∘o∘(1 - tanh²c)   δi = δc∘g   δf = δc∘c'   δg = δc∘i
    δz = (δi∘i(1-i), δf∘f(1-f), δg∘(1-g²), δo∘o(1-o))      δc' = δc∘f
    """
    (dh,) = dy
    i, f, g, o = a
    tanh_c = tanh(c)
    dc = dc + dh * o * (1 - tanh_c**2)
    dz_i, dz_f, dz_g = dc * g * i * (1 - i), dc * c_ * f * (1 - f), dc * i * (1 - g**2)
    return (dz_i, dz_f, dz_g, dh * tanh_c * o * (1 - o)), dc * f


# -- FGR: full gate recurrence -----------------------------------------------------------------------------------------


def fgr(z: Parts, p: Parts, c_: Array) -> tuple[Parts, Array, Parts]:
    """As V, but y = (h, i, f, o): the gates receive all gates of the step before, through nine more blocks (H, H) of U."""
    a, c, (h,) = v(z, p, c_)
    i, f, _, o = a
    return a, c, (h, i, f, o)


def fgr_back(dy: Parts, dc: Array, a: Parts, c: Array, c_: Array, p: Parts) -> tuple[Parts, Array]:
    """As V, but later steps also send δi, δf and δo."""
    dh, di, df, do = dy
    return v_back((dh,), dc, a, c, c_, p, di, df, do)


# -- all of them -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class VariantCell:
    """A step forward and backward. parts: of z; peepholes: the gates that see the state; heard: what y consists of."""

    name: str
    words: str
    step: Callable[..., Any]
    back: Callable[..., Any]
    parts: str = "ifgo"
    peepholes: str = "ifo"
    heard: str = "h"


CELLS = {
    cell.name: cell
    for cell in (
        VariantCell("V", "the LSTM with peepholes", v, v_back),
        VariantCell("NIG", "no input gate: i = 1", nig, nig_back, "fgo", "fo"),
        VariantCell("NFG", "no forget gate: f = 1", nfg, nfg_back, "igo", "io"),
        VariantCell("NOG", "no output gate: o = 1", nog, nog_back, "ifg", "if"),
        VariantCell("NIAF", "no input activation: g = z_g", niaf, niaf_back),
        VariantCell("NOAF", "no output activation: h = o∘c", noaf, noaf_back),
        VariantCell("CIFG", "coupled input and forget gate: f = 1 - i", cifg, cifg_back, "igo", "io"),
        VariantCell("NP", "no peepholes", plain, plain_back, peepholes=""),
        VariantCell("FGR", "full gate recurrence: gates see gates", fgr, fgr_back, heard="hifo"),
    )
}
