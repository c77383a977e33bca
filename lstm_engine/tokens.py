"""Texts as lists of integers: `Tokenizer`, with the names, options and results that Keras's had.

    tokenizer = Tokenizer(num_words=10_000)
    tokenizer.fit_on_texts(texts)                     # counts the words
    x = pad_sequences(tokenizer.texts_to_sequences(texts), maxlen=100)      # (N, 100), for an Embedding

The most frequent word has the number 1; 0 belongs to no word, so that it can stand for padding.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

PUNCTUATION = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'

Text = str | list[str]  # a text, or its words


def text_to_word_sequence(text: str, filters: str = PUNCTUATION, lower: bool = True, split: str = " ") -> list[str]:
    """The words of a text: in small letters, without the characters in `filters`, cut at `split`."""
    text = (text.lower() if lower else text).translate({ord(mark): split for mark in filters})
    return [word for word in text.split(split) if word]


class Tokenizer:
    """Numbers the words of texts by how often they occur; with char_level=True, their characters.

    Only words whose number is below num_words are used. A word that is unknown or beyond num_words is left out or, with an
    oov_token ("out of vocabulary"), becomes that token's number, 1. `analyzer` is a function from a text to its words.
    After `fit_on_texts`, word_index {word: number}, index_word {number: word}, word_counts, word_docs (in how many texts a
    word occurs) and document_count (how many texts) hold what was found.
    """

    def __init__(
        self, num_words: int | None = None, filters: str = PUNCTUATION, lower: bool = True, split: str = " ",
        char_level: bool = False, oov_token: str | None = None, analyzer: Callable[[str], list[str]] | None = None,
    ) -> None:  # fmt: skip
        self.num_words = num_words
        self.filters, self.lower, self.split = filters, lower, split
        self.char_level = char_level
        self.oov_token = oov_token
        self.analyzer = analyzer
        self.document_count = 0
        self.word_counts: Counter[str] = Counter()
        self.word_docs: Counter[str] = Counter()
        self.word_index: dict[str, int] = {}
        self.index_word: dict[int, str] = {}

    def fit_on_texts(self, texts: Iterable[Text]) -> None:
        """Counts the words of these texts, beside those of earlier calls, and numbers all of them anew."""
        for words in self._words(texts):
            self.document_count += 1
            self.word_counts.update(words)
            self.word_docs.update(dict.fromkeys(words, 1))
        by_count = [word for word, _ in self.word_counts.most_common()]  # among equals the first seen comes first
        known = by_count if self.oov_token is None else [self.oov_token, *by_count]
        self.word_index = {word: n for n, word in enumerate(known, start=1)}
        self.index_word = {n: word for word, n in self.word_index.items()}

    def texts_to_sequences(self, texts: Iterable[Text]) -> list[list[int]]:
        """A list of numbers for each text."""
        unknown = None if self.oov_token is None else self.word_index.get(self.oov_token)
        numbers = ([self._kept(self.word_index.get(word), unknown) for word in words] for words in self._words(texts))
        return [[n for n in row if n is not None] for row in numbers]

    def sequences_to_texts(self, sequences: Iterable[Sequence[int]]) -> list[str]:
        """The words of each list of numbers, joined by spaces."""
        unknown = None if self.oov_token is None else self.word_index.get(self.oov_token)
        numbers = ([self._kept(n if n in self.index_word else None, unknown) for n in row] for row in sequences)
        return [" ".join(self.index_word[n] for n in row if n is not None) for row in numbers]

    def _kept(self, n: int | None, unknown: int | None) -> int | None:
        """A word's number, or what stands for a word that has none or a number beyond num_words."""
        return unknown if n is None or (self.num_words and n >= self.num_words) else n

    def _words(self, texts: Iterable[Text]) -> Iterator[Sequence[str]]:
        """The words, or characters, of each text."""
        if isinstance(texts, str) and not self.char_level:
            raise TypeError(f"a Tokenizer takes a list of texts, got one text: give [text], not {texts[:40]!r}")
        for text in texts:
            if not isinstance(text, str | list):
                raise TypeError(f"a text is a string, or a list of its words, got {text!r}")
            if isinstance(text, list):
                yield [word.lower() for word in text] if self.lower else text
            elif self.char_level:
                yield text.lower() if self.lower else text
            elif self.analyzer is not None:
                yield self.analyzer(text)
            else:
                yield text_to_word_sequence(text, self.filters, self.lower, self.split)
