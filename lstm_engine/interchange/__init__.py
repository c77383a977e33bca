"""Weights and models in other frameworks' files: Keras's, PyTorch's, ONNX. Open `keras_files.py` first.

Only arrays are read: no code of a file runs, and nothing is unpickled. The error for weights that do not fit names both
shapes, and the model is then unchanged. h5py and onnx are imported when needed: `pip install 'lstm-engine[interop]'`.
"""

from .keras_files import load as load_keras
from .keras_files import save as save_keras
from .onnx_files import export_onnx, from_onnx_tensors, to_onnx_tensors
from .torch_layout import from_torch, load_torch, save_torch, to_torch

__all__ = [
    "export_onnx", "from_onnx_tensors", "from_torch", "load_keras", "load_torch", "save_keras", "save_torch",
    "to_onnx_tensors", "to_torch",
]  # fmt: skip
