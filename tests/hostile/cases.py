"""A hostile file: how it is made, what opens it, and what must come of it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Case:
    """make(folder) writes the file and returns the words of the reader: a path, or the command's arguments.

    refused: the reader must refuse it in words that name the file; else it must read it and show no character that acts.
    """

    kind: str  # of file
    name: str
    reader: str  # see `opening.READERS`
    make: Callable[[Path], Any]
    refused: bool = True
