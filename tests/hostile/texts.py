"""Names, labels and cells with markup, escape sequences, reversed words and other bytes: shown, and without effect."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

import lstm_engine as le
from tests.hostile.cases import Case
from tests.hostile.models import frames, said, tutorial, written
from tests.hostile.sounds import encoded, voice
from tests.hostile.tables import HEAD, LISTED, ROW, checked, tables, trained

HOSTILE = {
    "ANSI": "\x1b[2J\x1b[31mred",
    "OSC": "\x1b]0;owned\x07",
    "bidi": "abc\u202egnp.wav",
    "C1": "\x9b2J\x85",
    "markup": "<script>alert(1)</script>",
    "rich markup": "[red]x[/red][/]",
    "carriage return": "a\rb",
    "invisible tags": "\U000e0041\u200f\ufeff",
}
NOT_UTF8 = os.fsdecode(b"caf\xe9-\x80")


def sound(name: str) -> Callable[[Path], list[object]]:
    def make(folder: Path) -> list[object]:
        (path := folder / f"{name.replace('/', '')}.wav").write_bytes(encoded("WAV"))
        return ["predict", path]

    return make


def model(name: str) -> Callable[[Path], list[object]]:
    """A damaged model under this name."""

    def make(folder: Path) -> list[object]:
        (path := folder / f"{name.replace('/', '')}.safetensors").write_bytes(b"hello")
        return ["predict", voice(), "--model", path]

    return make


def labelled(text: str) -> Callable[[Path], list[object]]:
    def make(folder: Path) -> list[object]:
        path = written(frames, said("labels", value={"1": text, "0": text}))(folder)
        return ["predict", voice(), "--model", path, "--out", folder / "pictures"]

    return make


def inspected(text: str) -> Callable[[Path], list[object]]:
    """The page of a network whose layer, columns and classes have such names."""

    def make(folder: Path) -> list[object]:
        network = le.Sequential([le.LSTM(2, name=text.replace("/", "")), le.Dense(1, "sigmoid")], seed=0)
        network.build((5, 2))
        network.save(path := folder / "m.safetensors", metadata={"columns": [text, "b"]})
        np.save(data := folder / "x.npy", np.ones((1, 5, 2), "f"))
        return ["inspect", "--data", data, "--model", path, "--out", folder / "page.html"]

    return make


def speakers(text: str) -> Callable[[Path], list[object]]:
    """A training whose speakers and paths have such names."""

    def make(folder: Path) -> list[object]:
        words = tables(folder)
        path = folder / "male_rows.csv"
        quoted = text.replace('"', '""')
        lines = path.read_text().replace("male0,", f'"{quoted}",').replace("male0.wav", "x.wav")
        path.write_text(lines, encoding="utf-8", errors="surrogateescape", newline="")
        return words

    return make


def cases() -> Iterator[Case]:
    for kind, text in HOSTILE.items():
        yield Case("text: a sound's name", kind, "command", sound(text), refused=False)
        yield Case("text: a model's name", kind, "command", model(text))
        yield Case("text: labels", kind, "command", labelled(text), refused=False)
        yield Case("text: a layer's name", kind, "command", inspected(text), refused=False)
        yield Case(
            "text: a cell",
            kind,
            "command",
            trained("male_features.csv", f"{HEAD}\n{ROW.replace('1.5', text, 1)}\n".encode()),
        )
        yield Case(
            "text: a column", kind, "command", trained("male_features.csv", f"{HEAD},{text}\n{ROW},1\n".encode())
        )
        yield Case("text: a recipe", kind, "command", trained("recipe.json", json.dumps({"recipe": text}).encode()))
        yield Case("text: a sex", kind, "command", checked("metadata.csv", f"{LISTED}a.wav,s,{text}\n".encode()))
        yield Case("text: an option", kind, "command", lambda folder, text=text: ["predict", voice(), f"--{text}"])
    for kind in ("ANSI", "bidi", "markup", "C1"):
        yield Case("text: speakers", kind, "command", speakers(HOSTILE[kind]), refused=False)
    yield Case("text: a sound's name", "not UTF-8", "command", sound(NOT_UTF8), refused=False)
    yield Case("text: a model's name", "not UTF-8", "command", model(NOT_UTF8))
    yield Case(
        "text: a tutorial's recipe",
        "ANSI",
        "predict",
        written(tutorial, said("recipe", "recipe", value=HOSTILE["ANSI"])),
    )
