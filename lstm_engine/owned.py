"""What is unpickled may be trained: it owns its arrays.

joblib hands arrays over 1 MB to its workers as read-only maps of a file, so that all of them read the same memory. A model's
weights, its optimizer's slots and the states that its layers keep are written into, so each worker needs its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np


class OwnsArrays:
    """Base of what keeps arrays that training changes. Unpickled or copied, it has copies of those that are read-only."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(owned(state))


def owned(value: Any) -> Any:
    """The value with copies of the read-only arrays in it, in dicts and lists too."""
    if isinstance(value, np.ndarray):
        return value if value.flags.writeable else np.array(value)  # a plain array also of a memmap
    if type(value) is dict:
        return {key: owned(item) for key, item in value.items()}
    return [owned(item) for item in value] if type(value) is list else value
