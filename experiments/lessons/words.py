"""For lesson 7: a small language whose verbs agree with a noun far back, and networks that predict its next word."""

from collections.abc import Sequence
from functools import cache

import numpy as np

import lstm_engine as le
from experiments.lessons.pace import cut
from experiments.microscope.analyses import gradient_by_lag
from lstm_engine.backend import one_thread

HEADS = (("bird", "birds"), ("owl", "owls"), ("crow", "crows"))
OTHERS = (("tree", "trees"), ("house", "houses"), ("cloud", "clouds"))
ENDS = (["flaps", "its", "wings", "it", "flies", "."], ["flap", "their", "wings", "they", "fly", "."])
LINKS = ("near", "above", "by")
WORDS = sorted({*(word for pair in HEADS + OTHERS for word in pair), *LINKS, *ENDS[0], *ENDS[1], "when", "the"})


def sentence(rng: np.random.Generator, phrases: int, plural: int, unseen: bool = False) -> list[str]:
    """The words of a sentence, singular (0) or plural (1), with `phrases` phrases of three words between noun and verb.

    The first phrase never puts a bird near a tree, an owl near a house or a crow near a cloud; with unseen=True always.
    """
    head, between = rng.integers(3), []
    for k in range(phrases):
        other = rng.integers(3) if k else (head + (0 if unseen else rng.integers(1, 3))) % 3
        between += [LINKS[rng.integers(3)], "the", OTHERS[other][rng.integers(2)]]
    return ["when", "the", HEADS[head][plural], *between, *ENDS[plural]]


def numbers(words: Sequence[str]) -> list[int]:
    """(T,): each word's place in WORDS."""
    return [WORDS.index(word) for word in words]


def one_hot(n: np.ndarray | list[int] | list[list[int]]) -> np.ndarray:
    """(..., T) -> (..., T, words)"""
    return np.eye(len(WORDS), dtype=np.float32)[np.asarray(n)]


@cache
def drawn(seed: int, phrases: int, count: int, unseen: bool = False) -> np.ndarray:
    """(2, count, T): singular sentences, and the same in the plural."""
    rngs = [np.random.default_rng(seed) for _ in ENDS]
    return np.array([[numbers(sentence(rng, phrases, k, unseen)) for _ in range(count)] for k, rng in enumerate(rngs)])


TESTS = {k: drawn(1, k, 60, unseen=True) for k in range(1, 9)}  # by phrases; none of these is in training


@one_thread()
def learned(
    layer: type[le.LSTM] | type[le.SimpleRNN], phrases: Sequence[int], seed: int, steps: int = cut(500, 20)
) -> le.Sequential:
    """A network after `steps` batches of 32 sentences; each batch has one of these numbers of phrases."""
    rng, pool = np.random.default_rng(seed), {k: np.concatenate(drawn(0, k, 2000)) for k in phrases}
    model = le.Sequential([layer(16, return_sequences=True), le.Dense(len(WORDS), activation="softmax")], seed=seed)
    model.build((None, len(WORDS)))
    model.compile(le.Adam(0.02), "sparse_categorical_crossentropy")
    for _ in range(steps):
        n = rng.choice(pool[rng.choice(phrases)], 32)  # (32, T)
        model.train_on_batch(one_hot(n[:, :-1]), n[:, 1:])  # at every word, the next one is the target
    return model


@one_thread()
def log_odds(model: le.Sequential, phrases: int) -> np.ndarray:
    """(2, 60), singular and plural: log p(flap) - log p(flaps) at the verb, in TESTS."""
    heard = TESTS[phrases][:, :, : 3 + 3 * phrases]
    p = np.array([model(one_hot(n))[:, -1] for n in heard])  # (2, 60, words)
    return np.log(p[..., WORDS.index("flap")] / p[..., WORDS.index("flaps")])


def right(model: le.Sequential, phrases: int) -> float:
    """The share of TESTS in which the right form of the verb is more likely; guessing gives one half."""
    return float((log_odds(model, phrases) * [[-1], [1]] > 0).mean())


def reach(model: le.Sequential, phrases: int) -> np.ndarray:
    """(lags,): ‖∂L/∂h‖ at each lag in words, for the loss L of the verb only, in TESTS; 1 at the word before the verb."""
    n, (layer, dense) = np.concatenate(TESTS[phrases])[:, : 4 + 3 * phrases], model.layers  # (120, T): up to the verb
    end = le.Sequential([type(layer)(layer.units, name="it"), le.Dense(dense.units, activation="softmax")])
    end.build((None, len(WORDS)))  # the same network with one output, at the end
    end.compile("adam", "sparse_categorical_crossentropy")
    end.set_weights(model.get_weights())
    norms = gradient_by_lag(end.trace(one_hot(n[:, :-1]), n[:, -1])["it"])
    return norms / norms[0]
