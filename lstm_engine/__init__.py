"""lstm-engine: an LSTM by hand in NumPy, with a compiled twin, beside Keras name for name.

`import lstm_engine as le`; start with `le.Sequential`. To read the engine, begin at `cells/lstm.py`. `le.assignment` judges a
network that you wrote yourself; it is imported when it is first used.
"""

import sys
from typing import Any

from . import (
    absent,
    activations,
    callbacks,
    gradient_check,
    initializers,
    layers,
    losses,
    metrics,
    models,
    optimizers,
    preprocessing,
    regularizers,
    schedules,
    utils,
)
from . import backend as backend
from .callbacks import (
    BackupAndRestore,
    Callback,
    CSVLogger,
    EarlyStopping,
    History,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    ProgressBar,
    ReduceLROnPlateau,
    TerminateOnNaN,
)
from .cells.gru import GRU
from .cells.lstm import LSTM
from .cells.simple_rnn import SimpleRNN
from .embedding import Embedding
from .feedforward import Activation, Dense, Dropout, Masking
from .gradient_check import gradcheck, gradcheck_function
from .initializers import Initializer as Initializer
from .layer import Layer as Layer
from .losses import Loss as Loss
from .merging import Add, Average, Concatenate, Dot, Maximum, Minimum, Multiply, Subtract
from .metrics import Metric as Metric
from .model import Model
from .normalization import LayerNormalization
from .optimizers import SGD, Adam, AdamW, Nadam, RMSprop
from .optimizers import Optimizer as Optimizer
from .registry import register
from .regularizers import Regularizer as Regularizer
from .reshaping import Flatten, Permute, RepeatVector, Reshape
from .saving import load, load_model, model_from_json, save_model
from .sequential import Sequential
from .small_step import of_the_engine as _of_the_engine
from .tensors import Input
from .wrappers import Bidirectional, TimeDistributed

_of_the_engine()  # notes the methods of a network before a reader replaces one
__version__ = "0.1.0"
__all__ = [
    "GRU", "LSTM", "SGD", "Activation", "Adam", "AdamW", "Add", "Average", "BackupAndRestore", "Bidirectional",
    "CSVLogger", "Callback", "Concatenate", "Dense", "Dot", "Dropout", "EarlyStopping", "Embedding", "Flatten",
    "History", "Input", "LambdaCallback", "LayerNormalization", "LearningRateScheduler", "Masking", "Maximum",
    "Minimum", "Model", "ModelCheckpoint", "Multiply", "Nadam", "Permute", "ProgressBar", "RMSprop",
    "ReduceLROnPlateau", "RepeatVector", "Reshape", "Sequential", "SimpleRNN", "Subtract", "TerminateOnNaN",
    "TimeDistributed", "activations", "callbacks", "gradcheck", "gradcheck_function", "gradient_check",
    "initializers", "layers", "load", "load_model", "losses", "metrics", "model_from_json", "models", "optimizers",
    "preprocessing", "register", "regularizers", "save_model", "schedules", "utils",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name == "assignment":
        from .gradient_check import judge

        return judge
    if name == "keras":
        return sys.modules[__name__]  # after `import lstm_engine as tf`, tf.keras.layers.LSTM
    return absent.refuse("keras", name)


absent.answer_for_modules()
