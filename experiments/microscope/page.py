"""The microscope's page for any network: what it reads, what it answers, and every gate of its recurrent layers, by step.

`inspect_page` makes it; `lstm-engine inspect --model m.safetensors --data x.npz` is the same from a terminal. `page.html` and
`page.js` beside this file are the page, on the parts that it shares with the page of voices (`assembling.py`).
"""

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import lstm_engine as le
from experiments.microscope.assembling import as_float16, assembled, beside, check_place, in_16_bits, packed
from experiments.microscope.cell import cell_script
from experiments.microscope.inputs import Sequences, read, sequences
from experiments.microscope.looking import KEEPS, SHOWN, Layer, Seen, look
from experiments.reports.page import counted
from lstm_engine.files import write_atomically
from lstm_engine.trace_pictures import TITLES

PACKAGE = "experiments.microscope"
TOP = 5  # the most probable classes that are listed at each step
WHOLE = 20  # up to so many numbers of an answer are drawn, and not only the most probable ones
LONG = 100  # of shorter sequences NumPy computes a page sooner than kernels are compiled or read from disk
UNSIGNED = ("i", "f", "o", "z", "r")
NOTES = {
    "i": "Look for bright columns: at these steps many units write new content. A row is a unit.",
    "f": "Look for rows that are bright from end to end: units that keep their content. Dark columns erase memory.",
    "g": "Look for the colour: the new content, positive or negative.",
    "o": "Look for bright rows: units whose cell reaches the rest of the network.",
    "c": "Look for long stretches of one colour: that is memory.",
    "z": "Look for rows that are bright from end to end: units that keep their state. Dark columns replace it.",
    "r": "Look for dark columns: there the candidate is made without the state of the step before.",
    "candidate": "Look for the colour: the new content, positive or negative.",
    "h": "Look for long stretches of one colour. h is all that the rest of the network reads.",
}


@dataclass(frozen=True)
class Page:
    """A page as text. In a notebook it is shown; `save` writes it to a file."""

    text: str

    def save(self, path: str | Path, force: bool = False) -> Path:
        """Write the page, whole or not at all. OSError, with what to do, for a place that will not do or is taken."""
        path = Path(path)
        check_place(path, force)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, self.text.encode())
        return path

    def _repr_html_(self) -> str:
        return f'<iframe srcdoc="{html.escape(self.text)}" style="width: 100%; height: 46rem; border: 0"></iframe>'


def inspect_page(
    model: le.Sequential, X: Any, y: Any = None, *, mask: Any = None, columns: Sequence[str] | None = None,
    classes: Sequence[str] | None = None, kind: str | None = None, sample: int | Sequence[int] = 0,
    steps: int | tuple[int, int] | None = None, name: str = "",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Page:  # fmt: skip
    """The page of a network that reads one sequence of X, or of several to choose from.

    X: (N, T, D) or one sequence (T, D), a list of arrays (T_n, D), or a text, for a model whose metadata has `characters`;
    y as `fit` takes it: the page then shows losses and their gradients, else gradients of the last answer. mask (N, T): True
    at the existing steps. columns: names of the D columns, classes: names of the output's K numbers; both may stand in the
    model's metadata. kind: how X is drawn, "text", "symbols" (one-hot), "columns" (lines) or "map"; by default what it looks
    like. sample: which of the N, one or several. steps: the first so many steps, or (from, to).

    ValueError, with what to do, for a model without recurrent layers, data that does not fit, or more than 1,000 steps.
    """
    chosen = sequences(
        model, X, y, mask=mask, columns=columns, classes=classes, kind=kind, sample=sample, steps=steps, name=name
    )
    targets, masks = (each or [None] * len(chosen.x) for each in (chosen.y, chosen.masks))
    looks = []
    for n, one in enumerate(zip(chosen.x, targets, masks, strict=True)):
        looks.append(look(model, *one, lambda done, total, n=n: progress(n * total + done, len(chosen.x) * total)))
    return Page(_text(model, chosen, looks, name))


def write(
    out: Path, model: Path, file: Path, *, sample: Sequence[int], steps: str | None = None, columns: str | None = None,
    target: str | None = None, kind: str | None = None, force: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:  # fmt: skip
    """Write the page of a model's file and a file of data (see `inputs.read`); returns what `inspect --json` prints.

    steps: "400" or "1000:1400"; columns: "a,b,c". OSError and ValueError, for the place before anything is computed.
    """
    check_place(out, force)
    part = _steps(steps)
    network = le.load(model, backend="numpy")
    loaded = read(file, network, [c.strip() for c in columns.split(",")] if columns else None, target)
    X = loaded["X"]
    if (len(X) if isinstance(X, str) or X.ndim == 2 else X.shape[1]) > LONG:
        network = le.load(model)
    page = inspect_page(network, **loaded, kind=kind, sample=sample, steps=part, progress=progress).save(out, force)
    return {"page": str(page), "megabytes": round(page.stat().st_size / 1e6, 2), "model": str(model), "data": str(file)}


def _steps(text: str | None) -> Any:
    if text is None:
        return None
    first, colon, last = text.partition(":")
    if not first.isdecimal() or (colon and not last.isdecimal()):
        raise ValueError(f"--steps takes a number, 400, or from and to, 1000:1400; got {text!r}")
    return (int(first), int(last)) if colon else int(first)


def _text(model: le.Sequential, chosen: Sequences, looks: list[Seen], name: str) -> str:
    numbers = data(chosen, looks)
    what = ", ".join(f"{n} ({_described(layer)})" for n, layer in looks[0].layers.items())
    title = f"Inside the network while it reads {name or chosen.names[0]}"
    maps = dict.fromkeys(k for layer in looks[0].layers.values() for k in SHOWN[_kind(layer)])
    return assembled(
        beside(PACKAGE, "page.html").replace("@@MAPS@@", "\n".join(f"@@{k}: {NOTES[k]}@@" for k in TITLES if k in maps)),
        [cell_script(*dict.fromkeys(layer.cell for layer in looks[0].layers.values())), beside(PACKAGE, "page.js")],
        numbers, "lstm-engine inspect --data",
        TITLE=html.escape(title),
        FACTS=html.escape(f"{what}; {_answers(looks[0])}."),
        EXACT=html.escape(_exactness(numbers)),
        SLOPE=html.escape(looks[0].slope),
    )  # fmt: skip


def _described(layer: Layer) -> str:
    kinds = {"lstm": "LSTM", "gru": "GRU", "simple_rnn": "SimpleRNN"}
    return f"{kinds[_kind(layer)]} of {counted(layer.values['h'].shape[1], 'unit')}"


def _kind(layer: Layer) -> str:
    return layer.cell.removesuffix("_reset_before")


def _answers(seen: Seen) -> str:
    each = counted(seen.p.shape[1], "number")
    if len(seen.p) > 1 and not seen.so_far:
        return f"an answer of {each} at every step"
    return f"one answer of {each} at the end" + (", shown at every step as if the sequence ended there" * seen.so_far)


def _exactness(numbers: dict[str, Any]) -> str:
    units = [
        a["unit"]
        for one in numbers["sequences"]
        for layer in one["layers"].values()
        for key, a in layer["arrays"].items()
        if key.startswith("value/") and not key.startswith("value/z_")
    ]
    return (
        "The network is computed in float64. The page holds gates and states as whole numbers of 16 bits, at most "
        f"{max(units) / 2:.0e} from the computed value, and gradients as float16 shares of the largest, at most 1/2048 of "
        "themselves from it."
    )


# -- the numbers -------------------------------------------------------------------------------------------------------


def data(chosen: Sequences, looks: list[Seen]) -> dict[str, Any]:
    """The data of the page's script: arrays as {"shape", "type", "base64"} in little-endian order, by sequence."""
    K = looks[0].p.shape[1]
    classes = chosen.classes if len(chosen.classes) == K else [str(k) for k in range(K)] if K > 1 else ["answer"]
    return {
        "kind": chosen.kind,
        "labels": chosen.labels,
        "classes": classes,
        "first": chosen.first,
        "so_far": looks[0].so_far,
        "slope": looks[0].slope,
        "sequences": [
            {"name": name, **_numbers(seen, chosen.kind)} for name, seen in zip(chosen.names, looks, strict=True)
        ],
    }


def _numbers(seen: Seen, kind: str) -> dict[str, Any]:
    p, x = seen.p, seen.x
    arrays = {
        "rests": packed(
            np.rint(255 * seen.rests / np.maximum(seen.rests.max(axis=1, keepdims=True), 1e-30)).astype("u1")
        )
    }
    if kind in ("text", "symbols"):
        arrays["x"] = packed(x.argmax(axis=1))  # (T,) numbers of the symbols
    else:
        arrays["x"] = in_16_bits(x.T)  # (D, T)
    if p.shape[1] <= WHOLE:
        arrays["p"] = in_16_bits(p.T)  # (K, T_out)
    if p.shape[1] > 1:
        best = np.argsort(-p, axis=1, kind="stable")[:, :TOP]  # (T_out, 5)
        arrays["best"] = packed(best.T)
        arrays["best_p"] = in_16_bits(np.take_along_axis(p, best, axis=1).T)
    if seen.y is not None:
        arrays |= _targets(seen.y, p)
    if seen.loss_by_step is not None:
        arrays["loss"] = packed(seen.loss_by_step)
    return {
        "steps": len(x),
        "mask": None if seen.mask is None or seen.mask.all() else seen.mask.astype(int).tolist(),
        "loss": seen.loss,
        "arrays": arrays,
        "layers": {name: _of_layer(layer) for name, layer in seen.layers.items()},
    }


def _targets(y: np.ndarray, p: np.ndarray) -> dict[str, Any]:
    """Class numbers (T_out,), with the answer's probability of them, or target numbers (K, T_out)."""
    K = p.shape[1]
    if y.shape[1] == 1 and K > 1:  # a loss of class numbers
        right = y[:, 0].astype(int)
    elif K > 1 and np.isin(y, (0, 1)).all() and (y.sum(axis=1) == 1).all():
        right = y.argmax(axis=1)
    else:
        return {"y": in_16_bits(y.T)} if K <= WHOLE else {}
    if len(right) != len(p):
        right = np.repeat(right, len(p))  # one target, answers as if the sequence ended at each step
    return {"right": packed(right), "right_p": in_16_bits(p[np.arange(len(p)), right])}


def _of_layer(layer: Layer) -> dict[str, Any]:
    kind = _kind(layer)
    arrays = {f"value/{k}": in_16_bits(a.T, signed=k not in UNSIGNED) for k, a in layer.values.items()}  # (H, T)
    arrays |= {f"gradient/{k}": as_float16(np.nan_to_num(a).T) for k, a in layer.gradients.items() if k in SHOWN[kind]}
    for k, a in layer.first.items():
        arrays[f"first/{k}"] = packed(a)
    for k in ("half_life", "low", "high", "effect"):
        if (a := getattr(layer, k)) is not None:
            arrays[k] = packed(a)
    return {
        "cell": layer.cell,
        "shown": SHOWN[kind],
        "before": [k for k in layer.values if k not in SHOWN[kind]],
        "keeps": KEEPS.get(kind),
        "backwards": layer.backwards,
        "arrays": arrays,
    }
