"""Shared by the tests of the study: a made-up corpus of digits, and the study in small."""

import csv

import numpy as np
import pytest

from experiments.study import solving
from experiments.study.goals import MostRecent
from experiments.study.tasks.adding import Adding
from experiments.study.variants import study
from experiments.study.variants.adding import OnAdding
from experiments.study.variants.digits import OnDigits

SMALL = study.Settings(
    variants=("V", "FGR"),
    rates=(0.01, 0.03),
    choosing=(100,),
    adding=OnAdding(
        Adding(24), MostRecent(40, wrong=40), limit=80, units=3, memory=24
    ),  # met after 40, whatever is said
    digits=OnDigits(units=6, memory=8, epochs=2),
)


@pytest.fixture
def small(monkeypatch):
    for name in ("FULL", "QUICK"):
        monkeypatch.setattr(study, name, SMALL)
    monkeypatch.setattr(solving, "TESTED", 30)
    monkeypatch.setattr(solving, "POINT", 20)


def write_corpus(folder, test_clips=lambda x: x):
    """Ten paths through three numbers, in the corpus's format: 10 + 4 speakers, two clips of each digit."""
    rng, clips, rows = np.random.default_rng(0), [], []
    for n in range(14 * 20):
        speaker, digit = n // 20, n % 10
        t = np.linspace(0, 1, rng.integers(4, 12))[:, None]  # (T, 1)
        path = np.sin(np.pi * (t * (1 + digit // 4) + np.array([0.0, 0.5, 0.25]) * (1 + digit % 4)))  # (T, 3)
        split = "train" if speaker < 10 else "test"
        clips.append((path if split == "train" else test_clips(path)) + 0.05 * rng.standard_normal(path.shape))
        rows.append([f"s{speaker:02}", ("female", "male")[speaker % 2], split, digit])
    folder.mkdir(exist_ok=True)
    offsets = np.cumsum([0, *map(len, clips)])
    np.savez(folder / "sad.npz", frames=np.concatenate(clips).astype("float32"), offsets=offsets)
    with (folder / "metadata.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["speaker", "sex", "split", "digit"], *rows])
    return folder


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """Not to be changed."""
    return write_corpus(tmp_path_factory.mktemp("spoken"))
