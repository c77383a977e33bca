"""For lesson 9: a network that learns to write letter by letter, and tables of letters to compare it with.

The text is `tales.txt`, 35 short tales written for this project (MIT licence, as the code). The last three are held out: no
network and no table here learns from them. A letter is any character of the text, also a space, a full stop or a new line.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import lstm_engine as le
from experiments.lessons.pace import cut
from experiments.microscope.analyses import pulled_back
from lstm_engine.backend import one_thread, one_thread_pool

TOLD = [
    "\n".join(" ".join(paragraph.split()) for paragraph in tale.split("\n\n"))  # a line for each paragraph
    for tale in Path(__file__).with_name("tales.txt").read_text(encoding="utf-8").strip().split("\n\n\n")
]
TRAINING, HELD_OUT = ("\n\n".join(tales) + "\n\n" for tales in (TOLD[:-3], TOLD[-3:]))
LETTERS = "".join(sorted(set(TRAINING)))
WORDS = set(re.findall(r"[A-Za-z]+", TRAINING))
UNITS, LAYERS, EPOCHS = 128, 2, cut(30, 2)
AT_ONCE = 400  # letters in a batch: the number of streams times the window


def numbers(text: str) -> np.ndarray:
    """(T,): each letter's place in LETTERS. ValueError for a letter that is not there."""
    return np.array([LETTERS.index(letter) for letter in text], dtype=int)


def one_hot(n: np.ndarray) -> np.ndarray:
    """(...) -> (..., letters), float32"""
    return np.eye(len(LETTERS), dtype=np.float32)[n]


def streams(n: np.ndarray, count: int, window: int) -> np.ndarray:
    """(batches, count, window): the text n (T,) as `count` streams side by side; each goes on in its row of the next batch.

    What is left over at the end of a stream is dropped.
    """
    batches = len(n) // count // window
    parts = n[: len(n) // count * count].reshape(count, -1)[:, : batches * window]  # (count, batches * window)
    return parts.reshape(count, batches, window).swapaxes(0, 1)


# -- training ----------------------------------------------------------------------------------------------------------


class Learner:
    """A network that learns to predict the next letter, by truncated backpropagation through time.

    window: the steps that a gradient goes back. carried=False starts every window from states of zero.
    """

    def __init__(
        self, units: int = UNITS, layers: int = LAYERS, window: int = 25, carried: bool = True, epochs: int = EPOCHS,
        dropout: float = 0.4, seed: int = 0,
    ) -> None:  # fmt: skip
        self.units, self.layers, self.carried, self.epochs = units, layers, carried, epochs
        n, count = numbers(TRAINING), AT_ONCE // window
        self.x, self.y = streams(n[:-1], count, window), streams(n[1:], count, window)  # (batches, count, window)
        self.network = self._network(
            le.Input(batch_shape=(count, window, len(LETTERS))), dropout, stateful=True, seed=seed
        )
        rate = le.schedules.CosineDecay(0.006, epochs * len(self.x))
        self.network.compile(le.Adam(rate, clipnorm=1.0), "sparse_categorical_crossentropy")

    def _network(self, shape: le.Input, dropout: float, stateful: bool, seed: int) -> le.Sequential:
        stack = [shape]
        for k in range(self.layers):
            stack.append(le.LSTM(self.units, return_sequences=True, stateful=stateful, name=f"layer_{k + 1}"))
            stack += [le.Dropout(dropout)] if dropout else []
        return le.Sequential([*stack, le.Dense(len(LETTERS), activation="softmax", name="letters")], seed=seed)

    def train(self) -> Iterator[float]:
        """One epoch at a time: its mean loss in bits per letter."""
        for _ in range(self.epochs):
            self.network.reset_states()
            losses = []
            with one_thread():  # of batches this small a second one mostly waits
                for x, y in zip(self.x, self.y, strict=True):
                    if not self.carried:
                        self.network.reset_states()
                    losses.append(np.ravel(self.network.train_on_batch(one_hot(x), y))[0])
            yield float(np.mean(losses) / np.log(2))

    def reader(self) -> le.Sequential:
        """The network as it is, for texts of any length: without dropout, each text from states of zero."""
        reader = self._network(le.Input((None, len(LETTERS))), dropout=0.0, stateful=False, seed=0)
        reader.set_weights(self.network.get_weights())
        reader.compile("adam", self.network.loss)  # so that `inspect` shows the loss of each letter
        reader.metadata = {"characters": LETTERS}  # what `lstm-engine inspect` reads a text with
        return reader


def small(window: int, carried: bool, epochs: int, seed: int = 0) -> le.Sequential:
    """A reader of one layer with 64 units, for comparisons that need several trainings."""
    learner = Learner(64, 1, window, carried, epochs, dropout=0.2, seed=seed)
    for _ in learner.train():
        pass
    return learner.reader()


# -- how well it predicts ----------------------------------------------------------------------------------------------


def bits(model: le.Sequential, text: str = HELD_OUT, restart: int = 0) -> np.ndarray:
    """-log₂ p of every letter of the text but the first, (T - 1,).

    restart: the length R of pieces that each start from states of zero; then (pieces, R).
    """
    n = numbers(text)
    length = restart or len(n) - 1
    pieces = (len(n) - 1) // length
    x, y = (part[: pieces * length].reshape(pieces, length) for part in (n[:-1], n[1:]))
    with one_thread_pool(model.backends()):
        p = model(one_hot(x))  # (pieces, length, letters)
    surprise = -np.log2(np.take_along_axis(p, y[..., None], axis=-1)[..., 0].astype(float))
    return surprise if restart else surprise[0]


def table_bits(order: int, text: str = HELD_OUT) -> float:
    """Bits per letter of a table that counts, in the training text, what follows each sequence of `order` - 1 letters.

    order 1 counts letters, 2 pairs of letters (bigrams). Where a sequence is rare, the shorter one's table helps: the share
    (count + 4 p of the shorter) / (all + 4).
    """
    n, learned = numbers(text), numbers(TRAINING)
    p = np.full(len(n) - 1, 1 / len(LETTERS))
    for length in range(order):
        counts: dict[bytes, np.ndarray] = {}
        for t in range(length, len(learned)):
            key = learned[t - length : t].tobytes()
            counts.setdefault(key, np.zeros(len(LETTERS)))[learned[t]] += 1
        for t in range(1, len(n)):  # a letter near the beginning has fewer before it
            seen = counts.get(n[t - length : t].tobytes()) if t >= length else None
            if seen is not None:
                p[t - 1] = (seen[n[t]] + 4 * p[t - 1]) / (seen.sum() + 4)
    return float(-np.log2(p).mean())


# -- writing -----------------------------------------------------------------------------------------------------------


def warmed(p: np.ndarray, temperature: float) -> np.ndarray:
    """The probabilities p^(1/temperature), divided by their sum: below 1 the likely letters become likelier still."""
    z = np.log(np.maximum(np.asarray(p, float), 1e-30)) / temperature
    likely = np.exp(z - z.max(axis=-1, keepdims=True))
    return likely / likely.sum(axis=-1, keepdims=True)  # type: ignore[no-any-return]


def write(model: le.Sequential, beginning: str, count: int, temperature: float, seed: int = 0) -> str:
    """`count` letters that the network writes after the beginning; each that it draws is its next input."""
    rng, stream, text = np.random.default_rng(seed), model.stream(), ""
    for n in numbers(beginning or "\n"):
        p = stream.step(one_hot(n)[None])[0]  # (letters,)
    for _ in range(count):
        n = rng.choice(len(LETTERS), p=warmed(p, temperature))
        text += LETTERS[n]
        p = stream.step(one_hot(n)[None])[0]
    return text


def strange_words(text: str) -> list[tuple[int, int]]:
    """Where the words begin and end that are not in the training text."""
    return [word.span() for word in re.finditer(r"[A-Za-z]+", text) if word[0] not in WORDS]


def known(text: str) -> float:
    """The share of words that are in the training text. The first and the last may be parts of words, and are left out."""
    whole = re.findall(r"[A-Za-z]+", text)[1:-1]
    return float(np.mean([word in WORDS for word in whole]))


# -- looking inside ----------------------------------------------------------------------------------------------------


def features(text: str) -> dict[str, np.ndarray]:
    """By name, (T,): what a unit might follow, at every letter of the text when it has been read."""
    speech, since = np.zeros(len(text)), {" ": 0, ".": 0, "\n": 0}
    rows = {
        "how long the word is so far": [],
        "how long the sentence is so far": [],
        "how long the paragraph is so far": [],
    }
    inside = False
    for t, letter in enumerate(text):
        inside = (inside != (letter == '"')) and letter != "\n"  # a paragraph ends all speech
        speech[t] = inside
        ends = {" ": not letter.isalpha(), ".": letter in ".?\n", "\n": letter == "\n"}
        for (mark, ended), row in zip(ends.items(), rows.values(), strict=True):
            since[mark] = 0 if ended else since[mark] + 1
            row.append(since[mark])
    letters = np.array(list(text))
    return {
        "whether somebody speaks": speech,
        **{name: np.minimum(row, 100).astype(float) for name, row in rows.items()},
        "whether the letter is a vowel": np.isin(letters, list("aeiouAEIOU")).astype(float),
        "whether a word just ended": (~np.char.isalpha(letters)).astype(float),
    }


def followers(c: np.ndarray, text: str) -> dict[str, tuple[int, float]]:
    """By feature: the unit whose cells c (T, units) follow it best, and their correlation r."""
    best = {}
    z = (c - c.mean(axis=0)) / (c.std(axis=0) + 1e-12)  # (T, units)
    for name, value in features(text).items():
        r = (value - value.mean()) @ z / (len(text) * (value.std() + 1e-12))  # (units,)
        unit = int(np.abs(r).argmax())
        best[name] = (unit, float(r[unit]))
    return best


def rests_on(model: le.Sequential, text: str, letter: str) -> np.ndarray:
    """(T,): ‖∂ log p / ∂x_t‖ for the probability p of `letter` after the text: how much p rests on each letter of it."""
    n = LETTERS.index(letter)

    def of_log_p(p: np.ndarray) -> np.ndarray:
        dp = np.zeros_like(p)
        dp[:, -1, n] = 1 / p[:, -1, n]
        return dp

    return np.linalg.norm(pulled_back(model, one_hot(numbers(text))[None], of_log_p).grad.x[0], axis=-1)  # type: ignore[no-any-return]
