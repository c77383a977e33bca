"""What the machine itself can do, timed between the sides: the rates of a large matrix product and of a large copy."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from experiments.bench.sides import Way
from experiments.bench.task import Task

N = 1024
PRODUCT_FLOPS = 2 * N**3
COPIED = 64 * 2**20  # bytes: beyond what caches of a core hold
COPY_BYTES = 2 * COPIED  # read and written


class Product:
    """NumPy's own BLAS on all cores: C = A B, float32, 1024 x 1024."""

    def __init__(self, task: Task) -> None:
        rng = np.random.default_rng(0)
        self.A, self.B = rng.standard_normal((2, N, N), dtype="float32")
        self.C = np.empty((N, N), "float32")

    def train(self) -> dict[str, Way]:
        return {"sgemm": Way(partial(np.matmul, self.A, self.B, out=self.C))}

    infer = stream = train


class Copy:
    """A copy of 64 MiB, a part a core."""

    def __init__(self, task: Task) -> None:
        cores = os.cpu_count() or 1
        source, target = (np.ones(COPIED // 4, "float32") for _ in range(2))  # zeros would all be one page
        self.parts = list(zip(np.array_split(target, cores), np.array_split(source, cores), strict=True))
        self.pool = ThreadPoolExecutor(cores)

    def train(self) -> dict[str, Way]:
        def copy():
            list(self.pool.map(lambda part: np.copyto(*part), self.parts))

        return {"copy": Way(copy)}

    infer = stream = train
