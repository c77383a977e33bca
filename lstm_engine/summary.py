"""The table that `model.summary()` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .graph import Edge

if TYPE_CHECKING:
    from .model import Model

TITLES = ("Layer (type)", "Output shape", "Param #", "Backend", "Connected to")


def summary(model: Model) -> str:
    """A row a layer: name, output shapes, parameters, the backend that runs it; in a graph that is no row, what it reads."""
    shapes = (
        {} if model.input_shape is None or not model.built else model.graph.shapes([t.shape[1:] for t in model.inputs])
    )
    in_a_row = model.graph.is_row()
    rows = [TITLES[: 4 if in_a_row else 5]]
    for layer in model.layers:
        nodes = [node for node in model.graph.nodes if node.layer is layer]
        edges = nodes[0].outputs if nodes else [Edge(layer.name)]
        out = [str((None, *shapes[edge])) for edge in edges if edge in shapes]
        size = sum(w.size for w in layer.weights.values())
        reads = ", ".join(shown(edge) for node in nodes for edge in node.inputs + node.states)
        cells = (
            f"{layer.name} ({type(layer).__name__})", ", ".join(out) or "not built", f"{size:,}",
            ", ".join(sorted(layer.backends())) if nodes or not model.built else "", reads,
        )  # fmt: skip
        rows.append(cells[: len(rows[0])])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    lines.insert(1, "  ".join("─" * width for width in widths))
    size = model.count_params()
    kib = size * np.dtype(model.dtype).itemsize / 1024
    return "\n".join([*lines, f"Total params: {size:,} ({kib:.1f} KiB, {model.dtype})"])


def shown(edge: Edge) -> str:
    return f"{edge.node}[{edge.output}]" if edge.output else edge.node
