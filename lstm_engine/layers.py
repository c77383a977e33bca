"""All layers under Keras's import path: `from lstm_engine.layers import LSTM`. What a layer is stands in `layer.py`."""

from .cells.gru import GRU
from .cells.lstm import LSTM
from .cells.simple_rnn import SimpleRNN
from .feedforward import Dense, Dropout, Masking
from .layer import Layer
from .tensors import Input, InputLayer
from .wrappers import Bidirectional, TimeDistributed

__all__ = [
    "GRU",
    "LSTM",
    "Bidirectional",
    "Dense",
    "Dropout",
    "Input",
    "InputLayer",
    "Layer",
    "Masking",
    "SimpleRNN",
    "TimeDistributed",
]
