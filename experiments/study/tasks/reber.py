"""The embedded Reber grammar: name the symbols that may come next. The second symbol comes again as the last but one.

Hochreiter & Schmidhuber 1997, section 5.1 (after Smith & Zipser 1989, Cleeremans et al. 1989, Fahlman 1991).

    Reber   B (T S* X | P T* V) ...          a walk through GRAPH from state 0 to END
    embedded   B T <Reber> T E   or   B P <Reber> P E
"""

from dataclasses import dataclass

import numpy as np

from experiments.study.tasks import Sequences, one_hot

SYMBOLS = "BTPSXVE"
GRAPH = {  # the state: the symbols that may come, and the state after each; both are as likely
    0: {"B": 1}, 1: {"T": 2, "P": 3}, 2: {"S": 2, "X": 4}, 3: {"T": 3, "V": 5}, 4: {"X": 3, "S": 6}, 5: {"P": 4, "V": 6},
    6: {"E": 7},
}  # fmt: skip
END = 7


@dataclass(frozen=True)
class EmbeddedReber:
    """One-hot symbols; y is the next symbol at every step but the last, possible the symbols that may come there."""

    name, features, outputs, per_step = "embedded Reber grammar", len(SYMBOLS), len(SYMBOLS), True
    head, loss, within = "softmax", "categorical_crossentropy", None

    def draw(self, n: int, rng: np.random.Generator) -> Sequences:
        return sequences([embedded(rng) for _ in range(n)])

    def right(self, p: np.ndarray, drawn: Sequences) -> np.ndarray:
        """Whether, at every step, the outputs of the symbols that may come are above all others."""
        lowest = np.where(drawn.possible, p, np.inf).min(axis=-1)  # (N, T), infinite behind the end
        highest = np.where(drawn.possible, -np.inf, p).max(axis=-1)
        return (lowest > highest).all(axis=-1)


def reber(rng: np.random.Generator) -> tuple[str, list[str]]:
    """A string of the inner grammar, and what might have stood at each place: "BTXSE", ["B", "TP", "SX", "XS", "E"]."""
    state, text, might = 0, "", []
    while state != END:
        choices = GRAPH[state]
        might.append("".join(choices))
        symbol = might[-1][rng.integers(len(choices))]
        text, state = text + symbol, choices[symbol]
    return text, might


def embedded(rng: np.random.Generator) -> tuple[str, list[str]]:
    """A string, and what might have stood at each place."""
    branch = "TP"[rng.integers(2)]
    text, might = reber(rng)
    return f"B{branch}{text}{branch}E", ["B", "TP", *might, branch, "E"]


def sequences(strings: list[tuple[str, list[str]]]) -> Sequences:
    """Strings with what might have stood at each place, as a network reads them: all but the last symbol."""
    N, longest = len(strings), max(len(text) for text, _ in strings)
    lengths = np.array([len(text) - 1 for text, _ in strings])
    symbols, possible = np.zeros((N, longest), int), np.zeros((N, longest, len(SYMBOLS)), bool)
    for n, (text, might) in enumerate(strings):
        symbols[n, : len(text)] = [SYMBOLS.index(s) for s in text]
        for t, choices in enumerate(might):
            possible[n, t, [SYMBOLS.index(s) for s in choices]] = True
    x, y = (one_hot(part, lengths, len(SYMBOLS)) for part in (symbols[:, :-1], symbols[:, 1:]))
    return Sequences(x, lengths, y, possible[:, 1:])


def training_and_test(n: int, rng: np.random.Generator) -> tuple[Sequences, Sequences]:
    """n random strings to learn from, and n further ones of which none is among those."""
    train = [embedded(rng) for _ in range(n)]
    known = {text for text, _ in train}
    test: list[tuple[str, list[str]]] = []
    while len(test) < n:
        string = embedded(rng)
        if string[0] not in known:
            test.append(string)
    return sequences(train), sequences(test)
