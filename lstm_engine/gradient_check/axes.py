"""On which axis of an array its gates stand, and on which its steps: what is named must be there, and be one axis only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..activations import Array

GateNames = Mapping[str, Any]  # {"W": ("i", "f", "g", "o")} or {"W": (("i", "f", "g", "o"), 0)}


class Gates(NamedTuple):
    """Equal parts of an axis, by name."""

    labels: Sequence[str]
    axis: int = -1


def gates_of(point: Mapping[str, Array], named: GateNames) -> dict[str, Gates]:
    """The gates of every array with their axis. ValueError where no axis divides by them, or more than one may be theirs.

    The arrays of one cell have an axis of the same length 4H for their gates. So a bias (4H,), or a recurrent matrix beside
    an input matrix, often settles which axis of the others it is. Where it does not, the axis must be given.
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
