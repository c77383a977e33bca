"""Made-up clips in the digit corpus's format, whose first number is low in each word's first frame: its quiet one."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from experiments.study.tasks.late_digits import clips_of
from features.digits import Digits


def write_digits(
    folder: Path, train_speakers: int, test_speakers: int, test_clips: Callable[[np.ndarray], np.ndarray] = lambda x: x
) -> Path:  # fmt: skip
    """20 clips (T, 3) of each speaker: ten paths through two numbers, beside an energy. test_clips changes the test's."""
    folder.mkdir(exist_ok=True)
    rng, clips, rows = np.random.default_rng(0), [], []
    for n in range((train_speakers + test_speakers) * 20):
        speaker, digit = n // 20, n % 10
        split = "train" if speaker < train_speakers else "test"
        t = np.linspace(0, 1, rng.integers(4, 9))[:, None]  # (T, 1)
        path = np.sin(np.pi * (t * (1 + digit // 4) + np.array([0.5, 0.25]) * (1 + digit % 4)))  # (T, 2)
        clip = np.concatenate([np.minimum(9 * t, 1), path], axis=1) + 0.05 * rng.standard_normal((len(t), 3))
        clips.append(clip if split == "train" else test_clips(clip))
        rows.append([f"s{speaker:02}", ("female", "male")[speaker % 2], split, digit])
    np.savez(
        folder / "sad.npz", frames=np.concatenate(clips).astype("float32"), offsets=np.cumsum([0, *map(len, clips)])
    )
    with (folder / "metadata.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["speaker", "sex", "split", "digit"], *rows])
    return folder


@pytest.fixture(scope="session")
def digit_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten training and four test speakers, as many of each sex. Not to be changed."""
    return write_digits(tmp_path_factory.mktemp("digits"), 10, 4)


@pytest.fixture(scope="session")
def other_test_speakers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same training clips, beside test clips of nothing but large negative numbers. Not to be changed."""
    return write_digits(tmp_path_factory.mktemp("others"), 10, 4, lambda x: x - 1e3)


@pytest.fixture
def sides(digit_corpus: Path) -> tuple[Digits, Digits]:
    """The training and the test speakers' clips."""
    return clips_of(str(digit_corpus))
