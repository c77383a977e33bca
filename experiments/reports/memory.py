"""Does the work fit into the memory that is free? Asked before it starts: else the machine swaps, or kills the process."""

from experiments.reports.machine import free_memory_mib

COPIES = 4  # of each weight: itself, its gradient, and Adam's two moments
KEPT = 12  # numbers for each unit, step and sequence: gates, states and their gradients


def of_training(T: int, D: int, H: int, B: int, directions: int = 1, layers: int = 1) -> int:
    """Bytes for a training step of LSTMs with H units on sequences (B, T, D), roughly, in float32."""
    inputs = D + (layers - 1) * directions * H
    return 4 * directions * (4 * H * (inputs + layers * (H + 1)) * COPIES + layers * T * B * H * KEPT)


def require(nbytes: int, what: str) -> None:
    """MemoryError, with both numbers, if so many bytes are not free. Where the system does not tell, nothing is refused."""
    free = free_memory_mib()
    if free is not None and nbytes > free * 2**20:
        raise MemoryError(f"{what} need about {nbytes / 2**30:,.1f} GiB of memory, {free / 1024:,.1f} GiB are free")
