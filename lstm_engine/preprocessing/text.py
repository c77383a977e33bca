"""Keras's import path: `from lstm_engine.preprocessing.text import Tokenizer`."""

from ..tokens import Tokenizer, text_to_word_sequence

__all__ = ["Tokenizer", "text_to_word_sequence"]
