"""The study in small."""

import pytest

from experiments.study import solving
from experiments.study.goals import MostRecent
from experiments.study.tasks.adding import Adding
from experiments.study.variants import study
from experiments.study.variants.training import OnAdding, OnDigits

from ..conftest import uncompile

SMALL = study.Settings(
    variants=("V", "FGR"),
    rates=(0.01, 0.03),
    choosing=(100,),
    adding=OnAdding(
        Adding(24), MostRecent(40, wrong=40), limit=80, units=3, memory=24
    ),  # met after 40, whatever is said
    digits=OnDigits(units=6, memory=8, epochs=1),
)


def shrink(m):
    """The study in small, without a compiler."""
    uncompile(m)
    for name in ("FULL", "QUICK"):
        m.setattr(study, name, SMALL)
    m.setattr(solving, "TESTED", 30)
    m.setattr(solving, "POINT", 20)


@pytest.fixture
def small(monkeypatch):
    shrink(monkeypatch)
