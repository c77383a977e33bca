"""What a measurement of time depends on besides the code: whether the machine did something else."""

import os

from experiments.reports.page import counted

BUSY = 0.5  # the load average from which on other programs count


def load() -> float | None:
    """How many programs ran at once, on average over the last minute; None on systems that do not tell."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def busy(load_before: float | None, cores: int | None, what: str) -> list[str]:
    """A note, if other programs were running before a measurement began. what: a sentence on the numbers that suffer."""
    if load_before is None or load_before <= BUSY:
        return []
    on = f" on {counted(cores, 'core')}" if cores else ""
    return [f"Other programs were running when this began (load {load_before:.1f}{on}). {what}"]
