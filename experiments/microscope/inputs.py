"""The sequences for a page of the microscope, with the names of what they hold: from arrays, or from a file.

A model says in its metadata how its input and output are called: `characters`, a string whose k-th character is column k of
a one-hot input and class k of the output, or `words`, a list of words with the same meaning; `columns`, the names of the
input's columns; `classes`, the names of the output's.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct

import lstm_engine as le
from lstm_engine.schema import fitting

KINDS = ("text", "symbols", "columns", "map")
MOST_STEPS = 1_000  # the time for a page grows with the square of the steps
LINES = 8  # up to so many columns are drawn as lines, more as a map
TABLES, ARRAYS = {".csv": ",", ".tsv": "\t"}, (".npz", ".npy")
SOUNDS = (".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif", ".webm", ".m4a")
NO_CHARACTERS = (
    "this model's metadata has no characters, so the columns of its input cannot be told from a text: save it with "
    'model.save(path, metadata={"characters": "abc ..."}), where character k belongs to column k of the one-hot input, or '
    'with a list of words, {"words": ["the", ...]}'
)


@dataclass(frozen=True)
class Sequences:
    """x: arrays (T_n, D); y: a target each, or None; masks: (T_n,) each, or None. first: the number of each one's first step.

    labels: names of the D columns, or of the D symbols of a one-hot input. classes: names of the output's numbers.
    """

    x: list[np.ndarray]
    y: list[Any] | None
    masks: list[np.ndarray] | None
    names: list[str]
    first: int
    kind: str
    labels: list[str]
    classes: list[str]


def sequences(
    model: le.Sequential, X: Any, y: Any = None, *, mask: Any = None, columns: Sequence[str] | None = None,
    classes: Sequence[str] | None = None, kind: str | None = None, sample: int | Sequence[int] = 0,
    steps: int | tuple[int, int] | None = None, name: str = "",
) -> Sequences:  # fmt: skip
    """The chosen samples of X: an array (N, T, D) or (T, D), a list of arrays (T_n, D), or a text.

    y as `fit` takes it, for all samples; for a text of a model that answers at each step, by default the next character.
    steps: the first so many, or (from, to). The other arguments: see `inspect_page`.
    ValueError, with what to do.
    """
    if kind is not None and kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    part = _part(steps)
    if isinstance(X, str):
        X, y = encoded(model, X, y)
    rows, single = _rows(X)
    y = [y] if single and y is not None else y
    chosen = [sample] if isinstance(sample, int | np.integer) else list(sample)
    if outside := [n for n in chosen if not 0 <= n < len(rows)]:
        raise ValueError(f"there is no sample {outside[0]}: the data has {len(rows)}, numbered from 0")
    if y is not None and len(y) != len(rows):
        raise ValueError(f"X has {len(rows)} samples and y {len(y)}: there must be one target for each")
    x = [rows[n][part] for n in chosen]
    _check(model, x, part, {n: len(rows[n]) for n in chosen})
    targets = None if y is None else [_cut(np.asarray(y[n]), len(rows[n]), part) for n in chosen]
    masks = None if mask is None else [np.asarray(mask if single else mask[n], bool)[part] for n in chosen]
    for k, n in enumerate(chosen):
        _check_numbers(n, x[k], None if masks is None else masks[k], None if targets is None else targets[k])
    labels, drawn_as = labels_of(model, x, columns, kind)
    return Sequences(
        x, targets, masks, [name or "the sequence" if len(rows) == 1 else f"sample {n}" for n in chosen],
        part.start or 0, drawn_as, labels, _classes(model, classes),
    )  # fmt: skip


def labels_of(
    model: le.Sequential, x: list[np.ndarray], columns: Sequence[str] | None, kind: str | None
) -> tuple[list[str], str]:
    """The names of the D columns or symbols, and how the input is drawn."""
    D, known = x[0].shape[1], vocabulary(model)
    one_hot = D > 2 and all(bool(np.isin(a, (0, 1)).all() and (a.sum(axis=1) == 1).all()) for a in x)
    fits = columns is None and len(known) == D and one_hot
    if fits and kind in (None, "text", "symbols"):
        return known, kind or ("text" if "characters" in model.metadata else "symbols")
    if kind == "text":
        raise ValueError(NO_CHARACTERS)
    if kind == "symbols" and not one_hot:
        raise ValueError(
            "symbols are one-hot rows, with a single 1 each, and X has others: draw it as columns or as a map"
        )
    names = list(columns if columns is not None else _said(model).columns or [])
    if names and len(names) != D:
        raise ValueError(f"X has {D} columns, and {len(names)} names came: {', '.join(map(str, names))}")
    kind = kind or ("symbols" if one_hot else "columns" if D <= LINES else "map")
    letter = "x" if kind == "columns" else ""  # beside its value a bare number would be taken for one
    return [str(n) for n in names] or [f"{letter}{n}" for n in range(D)], kind


def vocabulary(model: le.Sequential) -> list[str]:
    """The characters or words of the model's metadata; none if it has neither."""
    said = _said(model)
    return [str(symbol) for symbol in said.characters or said.words or []]


class _Names(Struct):
    """The names in a model's metadata. `characters` may be one text."""

    characters: str | list[str] | None = None
    words: list[str] | None = None
    columns: list[str | int] | None = None
    classes: list[str | int] | None = None


def _said(model: le.Sequential) -> _Names:
    names: _Names = fitting(model.metadata, "the model's metadata", _Names)
    return names


def encoded(model: le.Sequential, text: str, y: Any = None) -> tuple[np.ndarray, Any]:
    """A text as one-hot (1, T, K), and what comes next as targets if the model answers at each step with K numbers.

    ValueError for a model without characters or words in its metadata, and for those that it does not know.
    """
    known = vocabulary(model)
    if not known:
        raise ValueError(NO_CHARACTERS)
    what = "characters" if "characters" in model.metadata else "words"
    symbols = list(text) if what == "characters" else text.split()
    if unknown := Counter(symbol for symbol in symbols if symbol not in known):
        listed = ", ".join(f"{symbol!r} ({n} times)" for symbol, n in unknown.most_common(6))
        lower = " Its lower-case form would do." if all(symbol.lower() in known for symbol in symbols) else ""
        listing = repr("".join(known)) if what == "characters" else f"{len(known)} words"
        raise ValueError(f"the text has {what} that the model does not know: {listed}. It knows {listing}.{lower}")
    if not symbols:
        raise ValueError("the text is empty")
    numbers = np.array([known.index(symbol) for symbol in symbols])  # (T,)
    X = np.eye(len(known))[numbers][None]
    shape = model.predict(X[:, :1], verbose=0).shape if y is None and _any_length(model) else ()
    if y is None and model.loss is not None and shape[1:] == (1, len(known)) and len(numbers) > 1:
        ahead = numbers[1:]
        return X[:, :-1], (ahead if model.loss.sparse else np.eye(len(known))[ahead])[None]
    return X, y


def read(
    path: Path, model: le.Sequential, columns: Sequence[str] | None = None, target: str | None = None
) -> dict[str, Any]:
    """The arguments of `sequences` from a file: X, and what else it has.

    .npz: X, perhaps y, mask or lengths, columns, classes. .npy: X. .csv and .tsv: a row is a step, columns by name, `target`
    the column of y. Anything else is read as a text in UTF-8. OSError, ValueError.
    """
    ending = path.suffix.lower()
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    if ending in SOUNDS:
        raise ValueError(f"{path} is a recording: name it without --data, lstm-engine inspect {path}")
    if ending in TABLES:
        return {"name": path.name} | _table(path, TABLES[ending], model, columns, target)
    if target:
        raise ValueError(f"--target names a column of a CSV, and {path} is none")
    if ending in ARRAYS:
        return {"name": path.name, "columns": columns} | _arrays(path)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is no text in UTF-8, and no .npz, .npy, .csv or .tsv") from None
    return {"name": path.name, "X": text.rstrip("\n")}


def _arrays(path: Path) -> dict[str, Any]:
    try:
        loaded = np.load(path, allow_pickle=False)
        stored = {"X": loaded} if isinstance(loaded, np.ndarray) else dict(loaded)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path} cannot be read as arrays of numbers: {error}") from None
    if "X" not in stored:
        raise ValueError(f"{path} has no array named X, but {', '.join(stored) or 'none'}: np.savez(path, X=X, y=y)")
    lengths = stored.pop("lengths", None)
    if lengths is not None:
        stored["mask"] = np.arange(stored["X"].shape[1]) < np.asarray(lengths)[:, None]  # (N, T)
    for names in ("columns", "classes"):
        if names in stored:
            stored[names] = [str(n) for n in stored[names]]
    return {k: stored[k] for k in ("X", "y", "mask", "columns", "classes") if k in stored}


def _table(path: Path, separator: str, model: le.Sequential, columns: Any, target: str | None) -> dict[str, Any]:
    import pandas as pd

    try:
        with path.open(encoding="utf-8-sig") as file:
            head = file.readline()
        separator = (
            ";" if ";" in head and separator not in head else separator
        )  # as spreadsheets write where 0,5 is a half
        table = pd.read_csv(path, sep=separator, encoding="utf-8-sig", skipinitialspace=True)
    except UnicodeDecodeError:
        raise ValueError(f"{path} is no text in UTF-8: save it as CSV in UTF-8") from None
    except ValueError as error:
        raise ValueError(f"{path} cannot be read as a table: {error}") from None
    if not len(table):
        raise ValueError(f"{path} has no rows below its names: a row is a step")
    there = ", ".join(map(str, table.columns))
    wanted = list(columns or _said(model).columns or [c for c in table.columns if c != target])
    if absent := [c for c in [*wanted, *([target] if target else [])] if c not in table.columns]:
        raise ValueError(f"{path} has no column {absent[0]!r}; its columns: {there}")
    D = (model.input_shape or (None,))[-1]
    if D is not None and len(wanted) != D:
        raise ValueError(
            f"the model reads {D} columns, and {path} has {len(wanted)} ({', '.join(map(str, wanted))}): choose them in the "
            "model's order with --columns a,b, and name the column to predict with --target"
        )
    numbers = table[[*wanted, *([target] if target else [])]]
    for name in numbers:
        if not pd.api.types.is_numeric_dtype(numbers[name]) or numbers[name].isna().any():
            bad = pd.to_numeric(numbers[name], errors="coerce").isna().idxmax()
            cell = table[name][bad]
            what = "nothing" if pd.isna(cell) else f"{str(cell)!r}, which is no number,"
            point = ": write 0.5, with a point" if "," in str(cell) else ""
            raise ValueError(f"{path}: column {name} has {what} in row {bad + 2}{point}")
    y = None if target is None else numbers[[target]].to_numpy(float)[None]  # (1, T, 1)
    if y is not None and model.predict(numbers[wanted].to_numpy(float)[None, :1], verbose=0).ndim == 2:
        y = y[:, -1]  # one answer for the sequence: the last row's target
    return {"X": numbers[wanted].to_numpy(float)[None], "y": y, "columns": [str(c) for c in wanted]}


def _rows(X: Any) -> tuple[list[np.ndarray], bool]:
    """The sequences (T, D), and whether X was one of them without an axis of samples."""
    if isinstance(X, list | tuple) and X and all(np.ndim(a) == 2 for a in X):
        return [np.asarray(a) for a in X], False
    a = np.asarray(X)
    if a.ndim not in (2, 3) or a.dtype.kind not in "buif" or 0 in a.shape:
        raise ValueError(
            "X must be numbers of shape (samples, steps, features) or (steps, features), a list of arrays (steps, "
            f"features), or a text; got {a.dtype} of shape {a.shape}"
        )
    return ([a], True) if a.ndim == 2 else (list(a), False)


def _part(steps: Any) -> slice:
    start, stop = (0, steps) if steps is None or isinstance(steps, int | np.integer) else steps
    if start < 0 or (stop is not None and stop <= start):
        raise ValueError(f"steps must be a number, or from and to with from < to, got {steps}")
    return slice(start, stop)


def _cut(y: np.ndarray, T: int, part: slice) -> np.ndarray:
    """A target of every step is cut as the steps are."""
    return y[part] if y.ndim and len(y) == T and T > 1 else y


def _check(model: le.Sequential, x: list[np.ndarray], part: slice, lengths: dict[int, int]) -> None:
    for (n, whole), a in zip(lengths.items(), x, strict=True):
        if not len(a):
            raise ValueError(f"sample {n} has {whole} steps: there is none from {part.start} on")
        if len(a) > MOST_STEPS:
            raise ValueError(
                f"sample {n} has {len(a):,} steps, and a page takes up to {MOST_STEPS:,}: choose the first ones with "
                "--steps 400, or others with --steps 1000:1400 (in Python steps=400, steps=(1000, 1400)); the network "
                "then starts at the first of them with an empty state"
            )
        expected = model.input_shape
        if expected is not None and (expected[-1] != a.shape[1] or expected[0] not in (None, len(a))):
            shape = ", ".join("any number of steps" if m is None else str(m) for m in expected)
            raise ValueError(f"the model expects sequences of shape ({shape}), and sample {n} has {a.shape}")


def _check_numbers(n: int, x: np.ndarray, mask: np.ndarray | None, y: np.ndarray | None) -> None:
    if mask is not None and not mask.any():
        raise ValueError(f"sample {n} has no step that exists: all the steps chosen are masked")
    for name, a in (("X", x), ("y", y)):
        if a is not None and a.dtype.kind == "f" and not np.isfinite(a).all():
            where = ", ".join(str(k) for k in np.argwhere(~np.isfinite(a))[0])
            raise ValueError(f"{name} has NaN or infinity in sample {n}, first at [{where}]: the page needs numbers")


def _any_length(model: le.Sequential) -> bool:
    return model.input_shape is None or model.input_shape[0] is None


def _classes(model: le.Sequential, classes: Sequence[str] | None) -> list[str]:
    names = classes if classes is not None else _said(model).classes or vocabulary(model)
    return [str(n) for n in names]
