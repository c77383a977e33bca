"""Embedding: a row of a table for every id, as for words. Ids arrive as numbers of the model's dtype, (N, T)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from . import initializers, regularizers
from .activations import Array
from .checks import Shape, positive_int
from .graph import Graph
from .layer import Backward, Forward, Layer

WHOLE_IN_FLOAT32 = 2**24  # float32 holds every whole number up to here


class Embedding(Layer):
    """(N, T) ids to (N, T, output_dim), any shape (N, ...) to (N, ..., output_dim): Keras's `Embedding`.

        y[n, t] = E[x[n, t]]                                    E (input_dim, output_dim)
        δE[k]   = Σ δy[n, t]  over all n, t with x[n, t] = k    an id that stands twice adds both: `+=`, never `=`
        δx      = None: between two ids there is nothing, so x has no gradient

    Ids are whole numbers from 0 to input_dim - 1, and anything else is a ValueError that names sample and value. With
    mask_zero steps of id 0 are masked. A mask that the input already has (mask=, sequences of different lengths) is kept: a
    step must exist in both. weights=[matrix], as in Keras, gives the table to start with, such as word vectors.
    """

    def __init__(
        self, input_dim: int, output_dim: int, embeddings_initializer: Any = "uniform", *,
        embeddings_regularizer: Any = None, mask_zero: bool = False, **general: Any,
    ) -> None:  # fmt: skip
        if general.pop("input_length", None) is not None:  # Keras 3 does so too
            warnings.warn("Embedding's input_length is not needed: leave it out", stacklevel=2)
        table = general.pop("weights", None)
        super().__init__(**general)
        self.input_dim = positive_int("input_dim", input_dim)
        self.output_dim = positive_int("output_dim", output_dim)
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer)
        self.mask_zero = bool(mask_zero)
        self.table = None if table is None else self._table(table)

    def _table(self, table: ArrayLike | Sequence[ArrayLike]) -> Array:
        table = np.asarray(table[0] if isinstance(table, list | tuple) and len(table) == 1 else table, np.float64)
        if table.shape != (expected := (self.input_dim, self.output_dim)):
            raise ValueError(f"weights must be a table {expected}, (input_dim, output_dim), got shape {table.shape}")
        return table

    def build(self, input_shape: Shape, dtype: str, backend: str, rng: np.random.Generator) -> Shape:
        if dtype == "float32" and self.input_dim > WHOLE_IN_FLOAT32:
            raise ValueError(
                f"{self.name or 'embedding'}: ids arrive in float32, which holds whole numbers up to {WHOLE_IN_FLOAT32:,}, "
                f'but input_dim is {self.input_dim:,}: make the model with dtype="float64"'
            )
        return super().build(input_shape, dtype, backend, rng)

    def check_fit(self, shape: Shape) -> None:
        """The table fits ids of any shape."""

    def output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape, self.output_dim)

    def step_shape(self, input_shape: Shape) -> Shape:
        return input_shape[1:]

    def output_mask(self, x: Array, mask: Array | None) -> Array | None:
        if not self.mask_zero:
            return mask
        return x.real != 0 if mask is None else (x.real != 0) & mask

    def initial_weights(self, input_shape: Shape, rng: np.random.Generator) -> dict[str, Array]:
        shape = self.input_dim, self.output_dim
        return {"embeddings": self.embeddings_initializer.draw(shape, rng) if self.table is None else self.table}

    def penalties(self) -> dict[str, regularizers.Regularizer | None]:
        return {"embeddings": self.embeddings_regularizer}

    def require_ids(self, x: Array, name: str = "x") -> None:
        """ValueError for the first number of x that is no id: it says where it stands, `name`[sample, step]."""
        wrong = ~((x.real >= 0) & (x.real < self.input_dim) & (x.real == np.floor(x.real)))  # NaN is wrong too
        if wrong.any():
            at = tuple(map(int, np.argwhere(wrong)[0]))
            advice = ": input_dim must be larger than the largest id" if x.real[at] >= self.input_dim else ""
            raise ValueError(
                f"{self.name or 'embedding'} takes ids, whole numbers from 0 to {self.input_dim - 1:,}, but "
                f"{name}[{', '.join(map(str, at))}] is {x.real[at]:.16g}{advice}"
            )

    def forward(
        self, x: Array, training: bool = False, mask: Array | None = None, initial_state: Any = None, taped: bool = True
    ) -> Forward:
        self.require_ids(x)
        ids = x.real.astype(np.intp)
        return self.weights["embeddings"][ids], [], ids  # (N, ..., output_dim)

    def backward(self, tape: Any, dy: Any, dstates: Sequence[Array] | None = None, want_dx: bool = True) -> Backward:
        dE = np.zeros((self.input_dim, self.output_dim), dy.dtype)
        np.add.at(dE, tape, dy)  # dE[ids] += dy would add an id that stands twice only once
        return None, [], {"embeddings": dE}


def check_ids(graph: Graph, x: Sequence[Any]) -> None:
    """ValueError for a number that is no id in an input of the graph that an Embedding reads.

    x: by input the samples, an array or a list of arrays.
    """
    for name, rows in zip(graph.inputs, x, strict=True):
        readers = [node.layer for node in graph.nodes if any(edge.node == name for edge in node.inputs)]
        for part in (part for layer in readers for part in layer.parts.values() if isinstance(part, Embedding)):
            what = "X" if len(x) == 1 else name
            for n, row in enumerate(rows if isinstance(rows, list) else ()):
                part.require_ids(row, f"{what}[{n}]")
            if not isinstance(rows, list):
                part.require_ids(rows, what)
