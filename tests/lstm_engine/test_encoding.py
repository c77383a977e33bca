"""pad_sequences, to_categorical and Tokenizer beside Keras's own: equal values, shapes and dtypes."""

import itertools

import numpy as np
import pytest

from lstm_engine.encoding import pad_sequences, to_categorical
from lstm_engine.tokens import Tokenizer, text_to_word_sequence

RNG = np.random.default_rng(0)
NUMBERS = [RNG.integers(0, 99, n).tolist() for n in (3, 1, 0, 6, 2)]
VECTORS = [RNG.standard_normal((n, 2)) for n in (0, 4, 1, 3)]
TEXTS = [
    "The cat sat on the mat; the dog, too.",
    "A dog! A cat? A mat...",
    "",
    ["The", "list", "of", "words", "the"],
    "cat\tcat\nCAT UNK",
]
UNSEEN = ["the zebra sat", "a b dog", ["Dog", "ZEBRA"]]


def same(ours, theirs):
    assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(ours, theirs, strict=True)


@pytest.mark.parametrize("padding", ["pre", "post"])
@pytest.mark.parametrize("truncating", ["pre", "post"])
@pytest.mark.parametrize("maxlen", [None, 1, 3, 9])
def test_pad_sequences_is_keras_s(padding, truncating, maxlen):
    keras = pytest.importorskip("keras")
    where = {"padding": padding, "truncating": truncating, "maxlen": maxlen}
    for rows, options in [
        (NUMBERS, {}),
        (NUMBERS, {"value": -1.5, "dtype": "float32"}),
        (VECTORS, {"dtype": "float64"}),
        ([np.array(row) for row in NUMBERS[:2]], {"dtype": "int64", "value": 7}),
        ([["a", "bc"], ["d"], []], {"dtype": object, "value": "<pad>"}),
        ([[], []], {}),
    ]:
        same(pad_sequences(rows, **where, **options), keras.utils.pad_sequences(rows, **where, **options))


@pytest.mark.parametrize(
    "x", [[0, 2, 1], [[0], [3]], [[0, 1], [2, 0]], [1.0, 0.0], 2, ["1", "0"], np.array([True, False])]
)
@pytest.mark.parametrize("num_classes", [None, 5])
def test_to_categorical_is_keras_s(x, num_classes):
    keras = pytest.importorskip("keras")
    same(to_categorical(x, num_classes), keras.utils.to_categorical(x, num_classes))


@pytest.mark.parametrize("num_words", [None, 1, 4])
@pytest.mark.parametrize("oov_token", [None, "unk"])
@pytest.mark.parametrize(("char_level", "lower"), [*itertools.product([False, True], repeat=2)])
def test_tokenizer_is_keras_s(num_words, oov_token, char_level, lower):
    text = pytest.importorskip("keras.src.legacy.preprocessing.text")
    options = {"num_words": num_words, "oov_token": oov_token, "char_level": char_level, "lower": lower}
    ours, theirs = Tokenizer(**options), text.Tokenizer(**options)
    for part in (TEXTS[:3], TEXTS[3:]):  # a second call adds to the first
        ours.fit_on_texts(part)
        theirs.fit_on_texts(part)
    for name in ("word_index", "index_word", "word_counts", "word_docs", "document_count"):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert list(ours.word_index) == list(theirs.word_index)
    numbers = ours.texts_to_sequences(TEXTS + UNSEEN)
    assert numbers == theirs.texts_to_sequences(TEXTS + UNSEEN)
    assert ours.sequences_to_texts([*numbers, [0, 999]]) == theirs.sequences_to_texts([*numbers, [0, 999]])


def test_a_tokenizer_cuts_texts_as_it_is_told():
    text = pytest.importorskip("keras.src.legacy.preprocessing.text")
    for options in ({}, {"filters": ".", "lower": False}, {"split": "t"}):
        assert text_to_word_sequence(TEXTS[0], **options) == text.text_to_word_sequence(TEXTS[0], **options)
    own = Tokenizer(analyzer=lambda line: line.split("a"))
    own.fit_on_texts(["bab", "bac"])
    assert own.word_index == {"b": 1, "c": 2}


def test_the_letters_of_one_text_may_be_counted_without_a_list():
    letters = Tokenizer(char_level=True)
    letters.fit_on_texts("banana")
    assert (letters.word_index, letters.document_count) == ({"a": 1, "n": 2, "b": 3}, 6)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: pad_sequences([[1]], padding="left"), ValueError, "padding must be 'pre' or 'post', got 'left'"),
        (lambda: pad_sequences([[1]], truncating="x"), ValueError, "truncating must be"),
        (lambda: pad_sequences([1, 2]), ValueError, "list of sequences, but item 0 is 1"),
        (lambda: pad_sequences([]), ValueError, "at least one"),
        (lambda: pad_sequences([[1]], maxlen=0), ValueError, "maxlen must be a whole number"),
        (lambda: pad_sequences([[1]], value="x"), ValueError, "give dtype=object for strings"),
        (
            lambda: pad_sequences([[[1, 2]], [[1]]]),
            ValueError,
            r"shape \(2,\) of the first sequence's, got \(1,\) in 1",
        ),
        (lambda: to_categorical([0, 3], 3), ValueError, "class 3 does not lie between 0 and num_classes - 1 = 2"),
        (lambda: to_categorical([0, -1]), ValueError, "class -1"),
        (lambda: to_categorical([0.5]), ValueError, "got 0.5"),
        (lambda: to_categorical([]), ValueError, "give num_classes"),
        (lambda: Tokenizer().fit_on_texts("one text"), TypeError, r"list of texts, got one text: give \[text\]"),
        (lambda: Tokenizer().fit_on_texts([7]), TypeError, "a text is a string, or a list of its words, got 7"),
    ],
)
def test_what_cannot_be_encoded_is_named(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_keras_s_import_paths_lead_to_the_same_functions():
    from lstm_engine import preprocessing, utils
    from lstm_engine.preprocessing.sequence import pad_sequences as also
    from lstm_engine.preprocessing.text import Tokenizer as tokenizer

    assert utils.pad_sequences is pad_sequences is also
    assert utils.to_categorical is to_categorical
    assert tokenizer is Tokenizer
    assert utils.timeseries_dataset_from_array is preprocessing.timeseries_dataset_from_array
    assert utils.Sequence is utils.PyDataset
