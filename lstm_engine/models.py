"""Keras's import path for models: `from lstm_engine.models import Sequential`."""

from .model import Input, Sequential

__all__ = ["Input", "Sequential"]
