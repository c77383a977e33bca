"""How a training step's time grows with T, with B and with H, one at a time."""

from experiments.bench.ratios import power
from experiments.bench.shapes import Shape
from experiments.bench.turns import Timing

BASE = Shape("growth", 112, 14, 64, 32)
SIZES = {"T": (14, 28, 56, 112, 224, 448), "B": (8, 16, 32, 64, 128, 256), "H": (16, 32, 64, 128, 256, 512)}


def shapes() -> list[tuple[str, Shape]]:
    """The axis that is walked along, and the shape."""
    return [(axis, BASE.with_(name=f"{axis}={n}", **{axis: n})) for axis, sizes in SIZES.items() for n in sizes]


def slopes(timings: list[Timing], axis: str) -> dict[str, float]:
    """For every side the power of the axis that its time grows with."""
    on_axis = [timing for timing in timings if timing.shape.name.startswith(f"{axis}=")]
    everywhere = set.intersection(*(set(timing.seconds) for timing in on_axis))
    sizes = [getattr(timing.shape, axis) for timing in on_axis]
    return {
        label: power(sizes, [timing.median(label) for timing in on_axis])
        for label in on_axis[0].seconds
        if label in everywhere
    }
