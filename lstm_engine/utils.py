"""Keras's import path for helpers: `from lstm_engine.utils import pad_sequences, to_categorical`."""

from .backend import clear_session
from .encoding import pad_sequences, to_categorical
from .feeding import PyDataset, Sequence
from .windows import timeseries_dataset_from_array

__all__ = ["PyDataset", "Sequence", "clear_session", "pad_sequences", "timeseries_dataset_from_array", "to_categorical"]
