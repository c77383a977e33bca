"""All layers under Keras's import path: `from lstm_engine.layers import LSTM`. What a layer is stands in `layer.py`."""

from .cells.gru import GRU
from .cells.lstm import LSTM
from .cells.simple_rnn import SimpleRNN
from .embedding import Embedding
from .feedforward import Activation, Dense, Dropout, Masking
from .layer import Layer
from .merging import (
    Add,
    Average,
    Concatenate,
    Dot,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
    add,
    average,
    concatenate,
    dot,
    maximum,
    minimum,
    multiply,
    subtract,
)
from .normalization import LayerNormalization
from .reshaping import Flatten, Permute, RepeatVector, Reshape
from .tensors import Input, InputLayer
from .wrappers import Bidirectional, TimeDistributed

__all__ = [
    "GRU", "LSTM", "Activation", "Add", "Average", "Bidirectional", "Concatenate", "Dense", "Dot", "Dropout",
    "Embedding", "Flatten", "Input", "InputLayer", "Layer", "LayerNormalization", "Masking", "Maximum", "Minimum",
    "Multiply", "Permute", "RepeatVector", "Reshape", "SimpleRNN", "Subtract", "TimeDistributed", "add", "average",
    "concatenate", "dot", "maximum", "minimum", "multiply", "subtract",
]  # fmt: skip
