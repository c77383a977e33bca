"""lstm-engine: an LSTM by hand in NumPy, with a compiled twin, beside Keras name for name.

`import lstm_engine as le`; start with `le.Sequential`. To read the engine, begin at `cells/lstm.py`. `le.assignment` judges a
network that you wrote yourself; it is imported when it is first used.
"""

from typing import Any

from . import callbacks, gradient_check, initializers, layers, losses, metrics, optimizers, regularizers, schedules
from .callbacks import (
    Callback,
    CSVLogger,
    EarlyStopping,
    History,
    LambdaCallback,
    ModelCheckpoint,
    ProgressBar,
    ReduceLROnPlateau,
    TerminateOnNaN,
)  # fmt: skip
from .cells.gru import GRU
from .cells.lstm import LSTM
from .cells.simple_rnn import SimpleRNN
from .feedforward import Dense, Dropout, Masking
from .gradient_check import gradcheck, gradcheck_function
from .model import Model
from .optimizers import SGD, Adam, AdamW, RMSprop
from .sequential import Sequential, load
from .tensors import Input
from .wrappers import Bidirectional, TimeDistributed

__version__ = "0.1.0"
__all__ = [
    "GRU", "LSTM", "SGD", "Adam", "AdamW", "Bidirectional", "CSVLogger", "Callback", "Dense", "Dropout", "EarlyStopping",
    "History", "Input", "LambdaCallback", "Masking", "Model", "ModelCheckpoint", "ProgressBar", "RMSprop",
    "ReduceLROnPlateau", "Sequential", "SimpleRNN", "TerminateOnNaN", "TimeDistributed", "callbacks", "gradcheck",
    "gradcheck_function", "gradient_check", "initializers", "layers", "load", "losses", "metrics", "optimizers", "regularizers",
    "schedules",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name == "assignment":
        from .gradient_check import judge

        return judge
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
