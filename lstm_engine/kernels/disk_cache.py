"""Compiled kernels on disk: Numba's cache, with a checksum, and no need for a folder that can be written.

Numba loads whatever is in its cache. A file that a power cut has emptied, halved or holed is then a traceback at every
start, or machine code with a hole. Here each file ends with the SHA-256 of what comes before: what has another one is
compiled again, and a log message says so. pickle stops before the checksum, so Numba itself can read these files too. Where
nothing can be kept (no folder, or a full disk) the kernels are compiled at every start, which is said once.
"""

import hashlib
import io
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numba as nb
from numba.core.caching import FunctionCache, IndexDataCacheFile, NullCache
from numba.core.ccallback import CFunc
from numba.core.sigutils import normalize_signature

SEAL = hashlib.sha256().digest_size  # bytes


def kernel(**options: Any) -> Callable[[Any], Any]:
    """`numba.njit(cache=True, **options)` with this cache."""

    def decorate(function: Any) -> Any:
        dispatcher = nb.njit(**options)(function)
        if dispatcher is not function:  # as it is under NUMBA_DISABLE_JIT
            dispatcher._cache = kept(function)
        return dispatcher

    return decorate


def callback(signature: Any, **options: Any) -> Callable[[Any], Any]:
    """`numba.cfunc(signature, cache=True, **options)` with this cache."""

    def decorate(function: Any) -> Any:
        compiled: Any = CFunc(function, normalize_signature(signature), locals={}, options=options)
        compiled._cache = kept(function)
        compiled.compile()
        return compiled

    return decorate


def kept(function: Any) -> Any:
    """The cache of a function; one that keeps nothing where no folder can be written."""
    try:
        return Cache(function)
    except RuntimeError:  # Numba's for "no locator": it has tried __pycache__ and the user's cache folder
        say_unkept("no folder for them can be written: name one with NUMBA_CACHE_DIR")
        return NullCache()


class Cache(FunctionCache):  # type: ignore[misc]  # Numba has no types
    """A function's entries, in sealed files. What cannot be read or written is compiled, and not an error."""

    def __init__(self, function: Any) -> None:
        super().__init__(function)
        locator = self._impl.locator
        self._cache_file = Sealed(self.cache_path, self._impl.filename_base, locator.get_source_stamp())

    def load_overload(self, signature: Any, context: Any) -> Any:
        try:
            return super().load_overload(signature, context)
        except OSError:
            return None

    def save_overload(self, signature: Any, compiled: Any) -> None:
        try:
            super().save_overload(signature, compiled)
        except OSError as error:
            why = error.strerror or error
            say_unkept(f"{self.cache_path} cannot be written ({why}): NUMBA_CACHE_DIR names another folder")


class Sealed(IndexDataCacheFile):  # type: ignore[misc]
    """The files of a function's cache: an index, and a file for each of its signatures."""

    def _load_index(self) -> Any:
        return super()._load_index() if sound(Path(self._index_path)) else {}

    def _load_data(self, name: str) -> Any:
        return super()._load_data(name) if sound(Path(self._data_path(name))) else None

    @contextmanager
    def _open_for_write(self, path: str) -> Iterator[io.BytesIO]:
        content = io.BytesIO()
        yield content
        with super()._open_for_write(path) as file:
            file.write(content.getvalue() + hashlib.sha256(content.getvalue()).digest())


def sound(path: Path) -> bool:
    """Whether the file is whole. False for one that is not there; for a damaged one a log message says so, too."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return False
    if len(content) > SEAL and hashlib.sha256(content[:-SEAL]).digest() == content[-SEAL:]:
        return True
    say_damaged(path.parent)
    return False


@cache
def say_damaged(folder: Path) -> None:
    logging.getLogger("lstm_engine").warning(
        "compiled kernels in %s are damaged, or an earlier version wrote them: they are compiled again", folder
    )


@cache
def say_unkept(why: str) -> None:
    logging.getLogger("lstm_engine").warning("each start compiles the kernels, since %s", why)


def keeps_nothing() -> bool:
    """Whether a kernel of this process could not be kept."""
    return say_unkept.cache_info().currsize > 0
