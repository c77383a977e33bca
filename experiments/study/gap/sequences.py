"""Spoken digits as a task whose answer comes late: a word, then silence, and at its end the question which digit it was.

Silence is the corpus's own: of all frames of the clips that are learnt from, the quietest, by their first coefficient, which
rises with the energy. They are real frames, from the closures inside words, nearly half of them from the tt of sitta (six).
Every frame of a silence is drawn from them at random, whatever the word, each time that a sequence is made: so a silence goes
with no digit more than with another, and is no constant that a cell could come to rest on. (A frame of zeros would be no
silence: it is the average frame, half a vowel.)
"""

from dataclasses import dataclass

import numpy as np

from experiments.study.gap.settings import Condition, Settings
from experiments.study.tasks import Sequences
from features.dataset import Scaler
from features.digits import Digits


@dataclass(frozen=True)
class LateDigits:
    """A `tasks.Task`: clips of some speakers, drawn at random. Which digit was said is asked after the silence."""

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
        """The words of these row numbers, each with a silence of its own behind its own last frame."""
        words = [self.words[n] for n in rows]
        ends = np.array([len(word) for word in words])  # (N,)
        silence = self.quiet[rng.integers(len(self.quiet), size=(len(rows), self.gap))]  # (N, gap, D)
        x = np.zeros((len(rows), ends.max() + self.gap, self.features), np.float32)  # (N, T, D)
        for n, (word, end) in enumerate(zip(words, ends, strict=True)):
            x[n, :end], x[n, end : end + self.gap] = word, silence[n]
        return Sequences(x, ends + self.gap, np.eye(self.outputs, dtype=np.float32)[self.digits[rows]])

    def right(self, p: np.ndarray, drawn: Sequences) -> np.ndarray:
        return p.argmax(axis=-1) == drawn.y.argmax(axis=-1)


def tasks(learn: Digits, asked: Digits, condition: Condition, settings: Settings) -> tuple[LateDigits, LateDigits]:
    """What is learnt from, and what is asked: both standardised, and silent, by the frames of the first."""
    frames = np.concatenate(learn.sequences)  # (M, D)
    scaler, energy = Scaler.fit(frames), frames[:, 0]
    quiet = scaler(frames[energy <= np.quantile(energy, settings.quietest)]).astype(np.float32)  # (M, D)
    if settings.silence == "constant":
        quiet = quiet.mean(axis=0, keepdims=True)

    def task(clips: Digits) -> LateDigits:
        ends = np.cumsum([len(x) for x in clips.sequences])
        words = np.split(scaler(np.concatenate(clips.sequences)).astype(np.float32), ends[:-1])
        return LateDigits([altered(word, condition) for word in words], clips.digits, quiet, condition.gap)

    return task(learn), task(asked)


def altered(word: np.ndarray, condition: Condition) -> np.ndarray:
    word = word[: condition.first]
    return word[::-1] if condition.turned else word
