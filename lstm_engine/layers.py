"""All layers under Keras's import path: `from lstm_engine.layers import LSTM`. What a layer is stands in `layer.py`."""

from .cells.gru import GRU
from .cells.lstm import LSTM
from .cells.simple_rnn import SimpleRNN
from .embedding import Embedding
from .feedforward import Activation, Dense, Dropout, Masking
from .layer import Layer
from .normalization import LayerNormalization
from .reshaping import Flatten, Permute, RepeatVector, Reshape
from .tensors import Input, InputLayer
from .wrappers import Bidirectional, TimeDistributed

__all__ = [
    "GRU", "LSTM", "Activation", "Bidirectional", "Dense", "Dropout", "Embedding", "Flatten", "Input", "InputLayer", "Layer",
    "LayerNormalization", "Masking", "Permute", "RepeatVector", "Reshape", "SimpleRNN", "TimeDistributed",
]  # fmt: skip
