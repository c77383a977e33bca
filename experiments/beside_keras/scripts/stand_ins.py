"""Data of the right shapes where a script would download it, and modules that are not installed: small, random, our own.

Each function writes the files that a script opens into its folder. `datasets` has the modules of keras.datasets.
"""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

WORDS = [
    "the", "of", "and", "a", "in", "that", "is", "it", "not", "to", "be", "with", "as", "for", "his", "man", "which", "by",
    "will", "all", "are", "one", "he", "this", "from", "but", "have",
]  # fmt: skip
CLIMATE = (  # the columns of the Jena climate table
    '"Date Time","p (mbar)","T (degC)","Tpot (K)","Tdew (degC)","rh (%)","VPmax (mbar)","VPact (mbar)","VPdef (mbar)",'
    '"sh (g/kg)","H2OC (mmol/mol)","rho (g/m**3)","wv (m/s)","max. wv (m/s)","wd (deg)"'
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def nietzsche(folder: Path) -> None:
    """nietzsche.txt: 1,200 characters of common words."""
    words = rng().choice(WORDS, 330)
    (folder / "nietzsche.txt").write_text(". ".join(" ".join(words[k : k + 9]) for k in range(0, 330, 9)), "utf-8")


def phrases(columns: int) -> str:
    """120 lines of an English and a "French" phrase, and a third column when there are three."""
    draw, lines = rng(1), []
    for _ in range(120):
        english = " ".join(draw.choice(WORDS, draw.integers(1, 4)))
        french = " ".join(draw.choice(WORDS, draw.integers(1, 5)))[::-1]
        lines.append("\t".join([f"{english}.", f"{french} !", "CC-BY"][:columns]))
    return "\n".join(lines) + "\n"


def french(folder: Path) -> None:
    """fra-eng/fra.txt with two columns, as it was in 2019."""
    (folder / "fra-eng").mkdir()
    (folder / "fra-eng" / "fra.txt").write_text(phrases(2), "utf-8")


def french_zipped(folder: Path) -> None:
    """fra-eng.zip and fra.txt with three columns, as it is today."""
    (folder / "fra.txt").write_text(phrases(3), "utf-8")
    with zipfile.ZipFile(folder / "fra-eng.zip", "w") as archive:
        archive.writestr("fra.txt", phrases(3))


def stories(folder: Path) -> None:
    """babi-tasks-v1-2.tar.gz with the two files of its second task: 60 and 30 stories."""
    draw = rng(2)
    people, places, things = ["Mary", "John", "Daniel"], ["garden", "kitchen", "office"], ["milk", "apple"]
    with tarfile.open(folder / "babi-tasks-v1-2.tar.gz", "w:gz") as archive:
        for part, count in (("train", 60), ("test", 30)):
            lines = []
            for _ in range(count):
                who, where, what = draw.choice(people), draw.choice(places), draw.choice(things)
                lines += [f"1 {who} picked up the {what}.", f"2 {who} went to the {where}."]
                lines += [f"3 Where is the {what}? \t{where}\t1 2"]
            member = tarfile.TarInfo(f"tasks_1-20_v1-2/en/qa2_two-supporting-facts_{part}.txt")
            text = "\n".join(lines).encode()
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text))


def climate(folder: Path, rows: int = 7000) -> None:
    """jena_climate_2009_2016.csv and its zip: 14 smooth columns, one row every ten minutes."""
    t = np.arange(rows)[:, None]
    columns = rng(3).normal(0, 0.1, (rows, 14)).cumsum(0) + 10 * np.sin(t / rng(4).uniform(50, 200, 14))
    lines = [f"{n:05d}," + ",".join(f"{x:.2f}" for x in row) for n, row in enumerate(columns)]
    text = "\n".join([CLIMATE, *lines])
    (folder / "jena_climate_2009_2016.csv").write_text(text)
    with zipfile.ZipFile(folder / "jena_climate_2009_2016.csv.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("jena_climate_2009_2016.csv", text)


def human_activity(folder: Path) -> None:
    """The UCI HAR data: nine signals of 128 steps and labels 1 to 6, 90 rows to train and 30 to test."""
    draw = rng(5)
    for part, rows in (("train", 90), ("test", 30)):
        signals = folder / "UCI HAR Dataset" / part / "Inertial Signals"
        signals.mkdir(parents=True)
        for kind in ("body_acc", "body_gyro", "total_acc"):
            for axis in "xyz":
                np.savetxt(signals / f"{kind}_{axis}_{part}.txt", draw.normal(0, 1, (rows, 128)), "%.5f")
        np.savetxt(signals.parent / f"y_{part}.txt", np.arange(rows) % 6 + 1, "%d")


def genres(folder: Path) -> None:
    """A module in the place of GenreFeatureData, which reads sound files: features of 128 steps and 33 columns, 8 genres."""
    draw, files = rng(6), []
    for part, rows in (("train", 70), ("dev", 35), ("test", 35)):
        np.save(folder / f"{part}_X.npy", draw.normal(0, 1, (rows, 128, 33)).astype("float32"))
        np.save(folder / f"{part}_Y.npy", np.eye(8, dtype="float32")[draw.integers(0, 8, rows)])
        files += [f"{part}_{xy}" for xy in "XY"]
    lines = ["import numpy", "class GenreFeatureData:"]
    lines += [f"    {name}_preprocessed_data = '{name}.npy'" for name in files]
    lines += ["    def load_deserialize_data(self):"] + [f"        self.{n} = numpy.load('{n}.npy')" for n in files]
    (folder / "GenreFeatureData.py").write_text("\n".join(lines) + "\n")


def voices(folder: Path) -> None:
    """results/features.npy and labels.npy: 200 clips of 128 mel bands."""
    (folder / "results").mkdir()
    np.save(folder / "results" / "features.npy", rng(7).random((200, 128)))
    np.save(folder / "results" / "labels.npy", rng(8).integers(0, 2, (200, 1)).astype(float))


def emotions(folder: Path) -> None:
    """The driver that train.py is for the LSTM, with features of openSMILE's shape: 1,582 numbers a clip, 6 classes."""
    (folder / "train_lstm.py").write_text(
        "import numpy\n"
        "from keras.utils import to_categorical\n"
        "from models.dnn.lstm import LSTM\n"
        "rng = numpy.random.default_rng(9)\n"
        "x, y = rng.normal(0, 1, (90, 1582)), numpy.arange(90) % 6\n"
        "model = LSTM.make(input_shape=1582, rnn_size=128, hidden_size=32, n_classes=6)\n"
        "model.train(x[:60], to_categorical(y[:60]), x[60:], to_categorical(y[60:]), n_epochs=2)\n"
        "model.evaluate(x[60:], y[60:])\n"
        "model.save('.', 'lstm')\n"
        "LSTM.load('.', 'lstm').evaluate(x[60:], y[60:])\n"
    )
    for package in ("models", "models/dnn"):
        (folder / package).mkdir(exist_ok=True)
        (folder / package / "__init__.py").write_text("")
    (folder / "utils.py").write_text("def curve(*args):\n    pass\n")


def notes(folder: Path) -> None:
    """music21 is not needed once the notes are read: a module that has its names."""
    (folder / "music21.py").write_text("converter = instrument = note = chord = None\n")


def reviews(folder: Path) -> None:
    """aclImdb: 10 reviews of each kind to train and to test, as text files."""
    draw = rng(12)
    for part in ("train", "test"):
        for kind in ("neg", "pos"):
            (folder / "aclImdb" / part / kind).mkdir(parents=True)
            for k in range(10):
                (folder / "aclImdb" / part / kind / f"{k}.txt").write_text(" ".join(draw.choice(WORDS, 30)))


def imdb(num_words: int = 20000, **_: Any) -> Any:
    """imdb.load_data(): 96 reviews to train and 48 to test, lists of 20 to 120 numbers of words below num_words."""
    draw = rng(10)

    def part(rows: int) -> tuple[Any, Any]:
        lists = np.empty(rows, object)
        lists[:] = [[1, *draw.integers(2, num_words, draw.integers(20, 120)).tolist()] for _ in range(rows)]
        return lists, draw.integers(0, 2, rows)

    return part(96), part(48)


def mnist(**_: Any) -> Any:
    """mnist.load_data(): 64 pictures to train and 32 to test."""
    draw = rng(11)

    def part(rows: int) -> tuple[Any, Any]:
        pictures = draw.integers(0, 256, (rows, 28, 28)) * (draw.random((rows, 28, 28)) < 0.2)
        return pictures.astype("uint8"), draw.integers(0, 10, rows).astype("uint8")

    return part(64), part(32)


def datasets(name: str) -> dict[str, ModuleType]:
    """The module `name` with its parts imdb and mnist, by their full names."""
    modules = {name: ModuleType(name)}
    for part, load_data in (("imdb", imdb), ("mnist", mnist)):
        module = modules[f"{name}.{part}"] = ModuleType(f"{name}.{part}")
        module.load_data = load_data  # type: ignore[attr-defined]
        setattr(modules[name], part, module)
    return modules


def get_file(fname: str | None = None, origin: str = "", **_: Any) -> str:
    """keras.utils.get_file: the file that one of the functions above wrote."""
    path = Path(fname or origin.rpartition("/")[2])
    if not path.exists():
        raise FileNotFoundError(f"no stand-in was written for {path}")
    return str(path.absolute())
