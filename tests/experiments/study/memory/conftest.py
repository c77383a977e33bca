"""A small study: rates and limits with which a training takes a moment."""

import pandas as pd
import pytest

from experiments.study import solving
from experiments.study.goals import MostRecent
from experiments.study.memory import beside_keras
from experiments.study.memory import settings as grid
from experiments.study.memory.settings import CELLS, TASKS, Settings


@pytest.fixture
def settings():
    """Met at once: 32 sequences, right or wrong."""
    return Settings(units=3, goal=MostRecent(32, wrong=32), limit=64)


@pytest.fixture
def small(monkeypatch, settings):
    """Two lags, each searched with one rate, every training of 32 or 64 sequences; the command's settings are these too."""
    rows = [(t, c, lag, 0.01, 100, 500, 0.1) for t in TASKS for c in CELLS for lag in (10, 25)]
    table = pd.DataFrame(rows, columns=["task", "cell", "lag", "rate", "seed", "sequences", "error"])
    monkeypatch.setattr(grid, "_searched", lambda: table)
    monkeypatch.setattr(grid, "LAGS", (10, 25))
    monkeypatch.setattr(grid, "QUICK_LAGS", (10,))
    monkeypatch.setattr(solving, "TESTED", 20)
    monkeypatch.setattr(solving, "POINT", 16)
    monkeypatch.setattr(beside_keras, "SEEDS", 2)
    return settings
