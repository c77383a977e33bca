"""The shapes that are timed: T steps of D features into H units, B sequences a batch."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Shape:
    """One size of Sequential([LSTM(H), Dense(1, sigmoid)]) and its batch x (B, T, D), y (B, 1)."""

    name: str
    T: int
    D: int
    H: int
    B: int
    bidirectional: bool = False

    @property
    def directions(self) -> int:
        return 2 if self.bidirectional else 1

    def with_(self, **sizes: int) -> "Shape":
        """The same shape with other sizes."""
        return replace(self, **sizes)

    def __str__(self) -> str:
        return f"{self.name} ({self.T}, {self.D}, {self.H}, {self.B})"


GRID = {
    shape.name: shape
    for shape in (
        Shape("tutorial", 112, 1, 64, 32),
        Shape("structured", 11, 11, 64, 32),
        Shape("frames", 266, 15, 128, 64),
        Shape("digits", 93, 13, 64, 64, bidirectional=True),
        Shape("mid", 112, 14, 128, 32),
        Shape("wide256", 112, 14, 256, 128),
        Shape("wide512", 112, 14, 512, 64),
        Shape("long", 1000, 2, 32, 32),
        Shape("single", 112, 1, 64, 1),
    )
}


def parse(names: str) -> list[Shape]:
    """Shapes from "tutorial,long", from sizes "112x1x64x32" (T, D, H, B), or from "all". ValueError for anything else."""
    if names == "all":
        return list(GRID.values())
    return [_one(name.strip()) for name in names.split(",")]


def _one(name: str) -> Shape:
    if name in GRID:
        return GRID[name]
    sizes = name.split("x")
    if len(sizes) == 4 and all(size.isdecimal() and int(size) > 0 for size in sizes):
        return Shape(name, *map(int, sizes))
    raise ValueError(
        f"a shape is one of {', '.join(GRID)}, or TxDxHxB as in 112x1x64x32 (steps, features, units, batch), got {name!r}"
    )
