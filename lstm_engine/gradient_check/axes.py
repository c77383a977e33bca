"""On which axis of an array its gates stand, and on which its steps: what is named must be there, and be one axis only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ..activations import Array

if TYPE_CHECKING:
    from .recognise import Form

GateNames = Mapping[str, Any]  # {"W": ("i", "f", "g", "o")} or {"W": (("i", "f", "g", "o"), 0)}


class Gates(NamedTuple):
    """Equal parts of an axis, by name."""

    labels: Sequence[str]
    axis: int = -1


def gates_of(point: Mapping[str, Array], named: GateNames, known: Mapping[str, Gates]) -> dict[str, Gates]:
    """The gates of every array with their axis. ValueError where no axis divides by them, or more than one may be theirs.

    known: those of a recognised cell, which settle the axis. Elsewhere the arrays of one cell have an axis of the same length
    4H for their gates, so that a bias (4H,), or a recurrent matrix beside an input matrix, often settles which axis of the
    others it is. Where nothing does, the axis must be given.
    """
    refuse_unknown(named, point)
    settled: dict[str, Gates] = {}
    possible: dict[str, list[int]] = {}
    for name, parts in named.items():
        labels, axis = with_axis(parts)
        shape = point[name].shape
        divides = [k for k, n in enumerate(shape) if labels and n % len(labels) == 0]
        if axis is not None and not -len(shape) <= axis < len(shape):
            raise ValueError(f"{name} has shape {shape}: there is no axis {axis} on which gates could stand")
        if not divides or (axis is not None and axis % len(shape) not in divides):
            which = "no axis of it divides" if axis is None else f"axis {axis} does not divide"
            raise ValueError(f"{name} has shape {shape}: {which} into {len(labels)} equal gates")
        if axis is None and name in known and len(known[name].labels) == len(labels):
            refuse_another_order(name, labels, known[name].labels)
            axis = known[name].axis
        possible[name] = divides if axis is None else [axis % len(shape)]
        settled[name] = Gates(labels)
    for name, (labels, _) in settled.items():
        lengths = [
            {point[other].shape[k] for k in axes}
            for other, axes in possible.items()
            if len(settled[other].labels) == len(labels)
        ]
        common = set.intersection(*lengths)
        axes = [k for k in possible[name] if point[name].shape[k] in common] or possible[name]
        if len(axes) > 1:
            words = " or ".join(f"{k} (of length {point[name].shape[k]})" for k in axes)
            raise ValueError(
                f"{name} has shape {point[name].shape}: its {len(labels)} gates may stand on axis {words}. Say on which: "
                f"gates={{{name!r}: ({tuple(labels)!r}, {axes[-1]})}} if it is axis {axes[-1]}"
            )
        settled[name] = Gates(labels, axes[0])
    return settled


def refuse_another_order(name: str, labels: Sequence[str], known: Sequence[str]) -> None:
    if sorted(labels) == sorted(known) and list(labels) != list(known):
        raise ValueError(
            f"gates names the parts of {name} {' '.join(labels)}, but forward computes an LSTM or GRU whose gates stand in "
            f"the order {' '.join(known)}"
        )


def gates_of_form(form: Form, point: Mapping[str, Array]) -> dict[str, Gates]:
    """The gates of a recognised cell; none if a gate has no part in the outputs, as f at the first step with c = 0."""
    if form.sizes["T"] < 2 and len(form.states) < len(form.cell.states):
        return {}
    gates = {}
    for name, part in form.parts.items():
        shape = point[name].shape if name in point else ()
        if len(part.gates) > 1 and shape:
            column = len(shape) == 2 and shape[1] == 1
            gates[name] = Gates(part.gates, 0 if len(shape) == 3 or column or (len(shape) == 2 and part.turned) else -1)
    return {name: by for name, by in gates.items() if point[name].shape[by.axis] % len(by.labels) == 0}


def time_axis_of_form(form: Form, point: Mapping[str, Array]) -> dict[str, int]:
    """The time axis of a recognised cell, if it has at least 3 steps."""
    name, axes = form.x
    return {name: axes.index("T")} if "T" in axes and name in point and form.sizes["T"] >= 3 else {}


def with_axis(parts: Any) -> tuple[Sequence[str], int | None]:
    """("i", "f", "g", "o"), or the same with an axis: (("i", "f", "g", "o"), 0)."""
    if isinstance(parts, (tuple, list)) and len(parts) == 2 and isinstance(parts[1], int):
        return tuple(parts[0]), parts[1]
    return tuple(parts), None


def refuse_unknown(names: Mapping[str, Any], point: Mapping[str, Array]) -> None:
    for name in names:
        if name not in point:
            raise ValueError(f"gates and time_axis name {name}; inputs with a gradient are {', '.join(point)}")


def time_axes_of(point: Mapping[str, Array], named: Mapping[str, int]) -> dict[str, int]:
    """The time axes; ValueError for one that an input does not have, or that is too short."""
    refuse_unknown(named, point)
    for name, axis in named.items():
        if not -point[name].ndim <= axis < point[name].ndim:
            raise ValueError(f"{name} has shape {point[name].shape}: there is no axis {axis} to count steps")
        if point[name].shape[axis] < 3:
            raise ValueError(
                f"{name} has shape {point[name].shape}, fewer than 3 steps on axis {axis}: with those, a wrong step back "
                "through time can go unseen; give longer sequences, or leave time_axis out"
            )
    return dict(named)
