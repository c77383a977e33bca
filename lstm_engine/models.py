"""Keras's import path for models: `from lstm_engine.models import Sequential, load_model`."""

from .model import Model
from .saving import load_model, model_from_json, save_model
from .sequential import Sequential

__all__ = ["Model", "Sequential", "load_model", "model_from_json", "save_model"]
