"""Spoken digits as a task: a word, then a gap of silence, and at the end the question which digit it was.

The silence is made of the quietest frames of the clips that are learnt from, by their first coefficient, which rises with
the energy. Each frame is drawn from them at random each time that a sequence is made, so the silence says nothing about the
digit, and is not constant. docs/memory/gap.md says why a frame of zeros would not be silence.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from experiments.reports.page import counted
from experiments.study.tasks import Sequences
from features.dataset import Scaler
from features.digits import Digits, published_split, read_digits

SILENCES = ("drawn", "constant")


@lru_cache(maxsize=1)  # a process has many trainings on the same clips
def clips_of(folder: str) -> tuple[Digits, Digits]:
    """The training and the test speakers' clips. FileNotFoundError or ValueError says what is wrong with the folder."""
    return published_split(read_digits(folder), folder)


@dataclass(frozen=True)
class Condition:
    """What happens to a word: only its `first` frames, reversed in time if `turned`, and then `gap` silent frames."""

    gap: int = 0
    turned: bool = False
    first: int | None = None

    @property
    def key(self) -> str:
        """For the names of files: only letters, digits and -."""
        if self.turned:
            return "reversed"
        return f"gap{self.gap}" if self.first is None else f"first{self.first}"

    @property
    def words(self) -> str:
        if self.turned:
            return "reversed in time"
        if self.first is not None:
            return f"the first {self.first} frames" if self.first > 1 else "the first frame"
        return f"{counted(self.gap, 'frame')} of silence" if self.gap else "as spoken"

    def altered(self, word: np.ndarray) -> np.ndarray:
        return word[: self.first][::-1] if self.turned else word[: self.first]


@dataclass(frozen=True)
class LateDigits:
    """A `tasks.Task`: clips of some speakers, drawn at random. The question comes after the silence."""

    words: list[np.ndarray]  # N of (T_n, D) float32, standardised, as the condition has them
    digits: np.ndarray  # (N,) int
    quiet: np.ndarray  # (M, D) float32: the frames that silence is made of
    gap: int = 0

    name, outputs, per_step = "spoken digits", 10, False
    head, loss, within = "softmax", "categorical_crossentropy", None

    @property
    def features(self) -> int:
        return self.quiet.shape[1]

    @property
    def longest(self) -> int:
        """Steps of the longest sequence."""
        return max(map(len, self.words)) + self.gap

    def __len__(self) -> int:
        return len(self.words)

    def draw(self, n: int, rng: np.random.Generator) -> Sequences:
        return self.sequences(rng.integers(len(self), size=n), rng)

    def sequences(self, rows: np.ndarray, rng: np.random.Generator) -> Sequences:
        """The words of these row numbers, each followed by a silence that is drawn for it."""
        words = [self.words[n] for n in rows]
        ends = np.array([len(word) for word in words])  # (N,)
        silence = self.quiet[rng.integers(len(self.quiet), size=(len(rows), self.gap))]  # (N, gap, D)
        x = np.zeros((len(rows), ends.max() + self.gap, self.features), np.float32)  # (N, T, D)
        for n, (word, end) in enumerate(zip(words, ends, strict=True)):
            x[n, :end], x[n, end : end + self.gap] = word, silence[n]
        return Sequences(x, ends + self.gap, np.eye(self.outputs, dtype=np.float32)[self.digits[rows]])

    def right(self, p: np.ndarray, drawn: Sequences) -> np.ndarray:
        return p.argmax(axis=-1) == drawn.y.argmax(axis=-1)


def late_digits(
    learnt: Digits, judged: Digits, condition: Condition = Condition(), quietest: float = 0.02, silence: str = "drawn"
) -> tuple[LateDigits, LateDigits]:  # fmt: skip
    """The task on the clips to learn from and on the clips to judge by; scale and silence of both come from the first.

    quietest: the share of the frames that silence is made of. silence: of SILENCES; "constant" is the mean of these frames.
    """
    frames = np.concatenate(learnt.sequences)  # (M, D)
    scaler, energy = Scaler.fit(frames), frames[:, 0]
    quiet = scaler(frames[energy <= np.quantile(energy, quietest)]).astype(np.float32)  # (M, D)
    if silence == "constant":
        quiet = quiet.mean(axis=0, keepdims=True)

    def task(clips: Digits) -> LateDigits:
        words = [condition.altered(scaler(x).astype(np.float32)) for x in clips.sequences]
        return LateDigits(words, clips.digits, quiet, condition.gap)

    return task(learnt), task(judged)
