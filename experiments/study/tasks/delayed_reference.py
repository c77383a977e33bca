"""The word after "It": a sentence names a subject, then other things; the word after "It" depends on the subject.

    bird near a small plane and under a red ship . It -> sings

A toy grammar, in which the answer depends on one word far back. It differs from the other tasks by what lies between: words
of the same kind as the word to keep (plane, ship), which must not replace it.
"""

from dataclasses import dataclass

import numpy as np

from experiments.study.tasks import AllWithin, Sequences, one_hot

SAYS = {"bird": "sings", "dog": "barks", "plane": "lands", "ship": "sinks"}  # the verb of each subject
NOUNS, VERBS = list(SAYS), list(SAYS.values())
PREPOSITIONS, ADJECTIVES = ["near", "under", "behind", "above"], ["small", "red", "old", "quiet"]
PHRASE = 5  # words: near a small plane and
WORDS = [*NOUNS, *PREPOSITIONS, *ADJECTIVES, "a", "and", ".", "It"]


@dataclass(frozen=True)
class DelayedReference(AllWithin):
    """A noun, `lag` words (phrases of five, the last of which ends with a full stop instead of "and"), and "It".

    The answer is the verb of the first noun. Nouns, prepositions and adjectives are drawn uniformly, so one of four
    later nouns is the subject again.
    """

    lag: int = 100

    features, outputs, per_step = len(WORDS), len(VERBS), False
    head, loss, within = "softmax", "categorical_crossentropy", 0.3

    def __post_init__(self) -> None:
        if self.lag < PHRASE or self.lag % PHRASE:
            raise ValueError(
                f"phrases have {PHRASE} words, so the lag must be {PHRASE}, {2 * PHRASE}, ..., got {self.lag}"
            )

    @property
    def name(self) -> str:
        return f"the word after It, lag = {self.lag}"

    def draw(self, n: int, rng: np.random.Generator) -> Sequences:
        phrases = self.lag // PHRASE
        subjects = rng.integers(len(NOUNS), size=n)
        between = np.stack(
            [_drawn(words, (n, phrases), rng) for words in (PREPOSITIONS, ["a"], ADJECTIVES, NOUNS, ["and"])], -1
        )
        between[:, -1, -1] = WORDS.index(".")
        it = np.full((n, 1), WORDS.index("It"))
        words = np.concatenate([subjects[:, None], between.reshape(n, self.lag), it], axis=1)  # (n, lag + 2)
        lengths = np.full(n, self.lag + 2)
        return Sequences(
            one_hot(words, lengths, self.features), lengths, np.eye(self.outputs, dtype="float32")[subjects]
        )


def text(x: np.ndarray) -> str:
    """A sentence (T, D) in words."""
    return " ".join(WORDS[k] for k in x.argmax(axis=-1))


def _drawn(words: list[str], shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Numbers of words, each drawn evenly from `words`, which stand together in WORDS."""
    return WORDS.index(words[0]) + rng.integers(len(words), size=shape)
