"""The word after "It": a subject is named, other things are named behind it, and then "It" says something of the subject.

    bird near a small plane and under a red ship . It -> sings

A toy grammar, in which the word that is asked for depends on one word far back alone. It differs from the other tasks in what
lies between: words of the very kind that has to be kept (plane, ship), which must not take its place.
"""

from dataclasses import dataclass

import numpy as np

from experiments.study.tasks import Sequences, all_within, one_hot

SAYS = {"bird": "sings", "dog": "barks", "plane": "lands", "ship": "sinks"}  # what It does, by what It is
NOUNS, VERBS = list(SAYS), list(SAYS.values())
PREPOSITIONS, ADJECTIVES = ["near", "under", "behind", "above"], ["small", "red", "old", "quiet"]
PHRASE = 5  # words: near a small plane and
WORDS = [*NOUNS, *PREPOSITIONS, *ADJECTIVES, "a", "and", ".", "It"]
LIMIT = 0.3  # an answer is right when every output is nearer than this to its target


@dataclass(frozen=True)
class DelayedReference:
    """A noun, `lag` words (phrases of five, the last of which ends with a full stop instead of "and"), and "It".

    The answer is the verb of the first noun. Nouns, prepositions and adjectives are each drawn evenly, so that one noun
    of four behind the subject is the subject's own.
    """

    lag: int = 100

    features, outputs, per_step = len(WORDS), len(VERBS), False
    head, loss, within = "softmax", "categorical_crossentropy", LIMIT

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

    def right(self, p: np.ndarray, drawn: Sequences) -> np.ndarray:
        return all_within(p, drawn.y, self.within)


def text(x: np.ndarray) -> str:
    """A sentence (T, D) in words."""
    return " ".join(WORDS[k] for k in x.argmax(axis=-1))


def _drawn(words: list[str], shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Numbers of words, each drawn evenly from `words`, which stand together in WORDS."""
    return WORDS.index(words[0]) + rng.integers(len(words), size=shape)
