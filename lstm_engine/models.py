"""Keras's import path for models: `from lstm_engine.models import Sequential`."""

from .model import Model
from .sequential import Sequential

__all__ = ["Model", "Sequential"]
