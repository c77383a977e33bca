"""Keras's import paths `preprocessing.sequence` and `preprocessing.text`, and the windows of a series."""

from ..windows import timeseries_dataset_from_array
from . import sequence, text

__all__ = ["sequence", "text", "timeseries_dataset_from_array"]
