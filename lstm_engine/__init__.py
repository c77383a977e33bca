"""lstm-engine: an LSTM by hand in NumPy, with a compiled twin, beside Keras name for name.

`import lstm_engine as le`; start with `le.Sequential`. To read the engine, begin at `cells/lstm.py`.
"""

from .callbacks import Callback, History, ProgressBar
from .cells.lstm import LSTM
from .layers import Dense, Dropout
from .model import Input, Sequential
from .optimizers import SGD, Adam
from .weights import load

__version__ = "0.1.0"
__all__ = [
    "LSTM", "SGD", "Adam", "Callback", "Dense", "Dropout", "History", "Input", "ProgressBar", "Sequential", "load",
]  # fmt: skip
