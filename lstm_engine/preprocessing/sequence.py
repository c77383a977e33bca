"""Keras's import path: `from lstm_engine.preprocessing.sequence import pad_sequences`."""

from ..encoding import pad_sequences

__all__ = ["pad_sequences"]
