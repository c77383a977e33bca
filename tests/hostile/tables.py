"""Tables, lists of speakers, manifests, shards and settings: cells, lines and fields that are not what they should be."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save

from features import store
from features.corpora import Utterance
from features.recipes import TUTORIAL, TUTORIAL_COLUMNS, frames_recipe
from features.tables import write_features, write_rows
from tests.hostile.cases import Case
from tests.hostile.models import short
from tests.hostile.sounds import encoded

HEAD = ",".join(("", *TUTORIAL_COLUMNS, "label"))
ROW = ",".join(["0", *["1.5"] * 111, "male"])


def tables(folder: Path) -> list[object]:
    """Valid tables of six voices, and the command that trains on them."""
    rng = np.random.default_rng(0)
    for sex in ("male", "female"):
        write_features(folder / f"{sex}_features.csv", rng.normal(100, 10, (6, 111)), sex)
        write_rows(folder / f"{sex}_rows.csv", [Utterance(Path(f"{sex}{n}.wav"), f"{sex}{n}", sex) for n in range(6)])
    (folder / "recipe.json").write_text(json.dumps(TUTORIAL.stamp()))
    return ["train", folder, "--epochs", "1", "--units", "2", "--out", folder / "run"]


def trained(name: str, content: bytes | Callable[[Path], bytes]) -> Callable[[Path], list[object]]:
    """The command after one file has another content."""

    def make(folder: Path) -> list[object]:
        words = tables(folder)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content(folder / name))
        return words

    return make


def cell(value: str) -> bytes:
    return f"{HEAD}\n{ROW}\n{ROW.replace('1.5', value, 1)}\n".encode("utf-8", "surrogateescape")


FEATURES: dict[str, bytes] = {
    "empty": b"",
    "zeros": bytes(5000),
    "noise": np.random.default_rng(0).bytes(5000),
    "a header alone": HEAD.encode(),
    "NaN": cell("nan"),
    "infinity": cell("inf"),
    "1e999": cell("1e999"),
    "1e300": cell("1e300"),
    "a word": cell("evil"),
    "a formula": cell("=cmd()"),
    "1_000": cell("1_000"),
    "an empty cell": cell(""),
    "a number of 100,000 digits": cell("9" * 100_000),
    "a cell of 200,000 letters": cell("x" * 200_000),
    "a row too long": f"{HEAD}\n{ROW},1\n".encode(),
    "a row too short": f"{HEAD}\n0,1\n".encode(),
    "a quotation mark alone": f'{HEAD}\n"{ROW}\n'.encode(),
    "a column twice": f"{HEAD},pitch\n{ROW},1\n".encode(),
    "a column too many": f"{HEAD},evil\n{ROW},1\n".encode(),
    "100,000 columns": b"a," * 100_000 + b"\n",
    "100,000 named columns": ",".join(f"c{n}" for n in range(100_000)).encode() + b"\n1\n",
    "another label": f"{HEAD}\n{ROW.replace('male', 'evil')}\n".encode(),
    "Latin-1": cell("\udce9"),
    "UTF-16 cut": (HEAD + "\n" + ROW).encode("utf-16")[:-1],
    "NUL in a cell": cell("1\x005"),
    "a separator of every cell": b"sep=\x00\na\x00b\n",
    "20 MB of quotation marks": b'"' * 20_000_000,
    "a line of 30 MB": b"x" * 30_000_000,
    "JSON": b"[1, 2]",
    "a pickle": b"\x80\x04cos\nsystem\n(S'true'\ntR.",
}
ROWS: dict[str, bytes] = {
    "empty": b"",
    "too few rows": b"row,path,speaker,sex,split,start_s,end_s\n0,a,b,male,,0,\n",
    "a number for a time": b"row,path,speaker,sex,split,start_s,end_s\n0,a,b,male,,x,\n",
    "ends before it starts": b"row,path,speaker,sex,split,start_s,end_s\n0,a,b,male,,5,1\n",
    "NaN for a time": b"row,path,speaker,sex,split,start_s,end_s\n0,a,b,male,,nan,\n",
    "noise": np.random.default_rng(2).bytes(3000),
}
STAMPS: list[bytes] = [
    b"",
    b"5",
    b"[]",
    b'"x"',
    b"{",
    b"[" * 50_000,
    b'{"recipe": 5}',
    b'{"recipe": "evil"}',
    b'{"recipe": "tutorial", "parameters": 5}',
    b'{"recipe": "tutorial", "parameters": {"hop": NaN}}',
    b"\xff\xfe",
    b'{"recipe": "tutorial", "versions": 5}',
    b'{"a": "' + b"x" * 20_000_000 + b'"}',
]
LISTED = "path,speaker,sex\n"
METADATA: dict[str, bytes] = {
    "a header alone": LISTED.encode(),
    "no sex": b"path,speaker\na.wav,s\n",
    "another sex": f"{LISTED}a.wav,s,evil\n".encode(),
    "an empty path": f"{LISTED},s,male\n".encode(),
    "a split of no name": b"path,speaker,sex,split\na.wav,s,male,evil\n",
    "a time that is a word": b"path,speaker,sex,start_s\na.wav,s,male,x\n",
    "a time of infinity": b"path,speaker,sex,start_s\na.wav,s,male,inf\n",
    "Latin-1": f"{LISTED}".encode() + b"\xe9.wav,s,male\n",
    "NUL in a path": f"{LISTED}a\0b.wav,s,male\n".encode(),
    "a path of 100,000 letters": f"{LISTED}{'x' * 100_000},s,male\n".encode(),
    "both sexes": f"{LISTED}a.wav,s,male\na.wav,s,female\n".encode(),
    "20,000 rows of both sexes": (
        LISTED + "".join(f"{n}.wav,{n}{s},{s}\n" for n in range(20_000) for s in ("male", "female"))
    ).encode(),
}
SPEAKERS: dict[str, bytes] = {
    "empty": b"",
    "four fields": b"1 | M | train-clean-100 | 5\n",
    "a reader twice": b"1 | M | a | 5 | x\n1 | F | a | 5 | x\n",
    "Latin-1": b"1 | M | a | 5 | \xe9\n",
    "noise": np.random.default_rng(3).bytes(5000),
    "a field of 30 MB": b"1 | M | a | 5 | " + b"x" * 30_000_000,
    "another sex": b"1 | evil | a | 5 | x\n",
}
TSV: dict[str, bytes] = {
    "no column": b"client_id\tpath\nx\ta.wav\n",
    "a row too long": b"client_id\tpath\tgender\na\tb\tc\td\n",
    "a path twice": b"client_id\tpath\tgender\nx\ta.wav\tmale\nx\ta.wav\tmale\n",
    "Latin-1": b"client_id\tpath\tgender\n\xe9\ta.wav\tmale\n",
    "a path that leads out": b"client_id\tpath\tgender\nx\t../../../etc/passwd\tmale\n",
    "a line of 30 MB": b"client_id\tpath\tgender\n" + b"x" * 30_000_000,
}


def checked(name: str, content: bytes) -> Callable[[Path], list[object]]:
    """`check` of a folder with this list, a recording and a folder of clips."""

    def make(folder: Path) -> list[object]:
        (corpus := folder / "corpus").mkdir()
        (corpus / "clips").mkdir()
        for path in (corpus / "a.wav", corpus / "clips" / "a.wav", corpus / "1-2-3.wav"):
            path.write_bytes(encoded("WAV"))
        (corpus / name).write_bytes(content)
        return ["check", corpus if name != "list.tsv" else corpus / name, "--quick"]

    return make


# -- stores --------------------------------------------------------------------------------------------------------------


def kept(folder: Path) -> Path:
    """A valid extraction of two clips."""
    clips = [Utterance(Path(f"{sex}.wav"), sex, sex) for sex in ("male", "female")]
    recipe = frames_recipe()
    header = store.header_of(recipe, clips, "corpus")
    entries = [
        store.Entry(f"{u.sex}.wav", u.speaker, u.sex, "", 0.0, None, 100, "ok", None, None, 1.0, f"{n:064x}", 0, n)  # type: ignore[arg-type]
        for n, u in enumerate(clips)
    ]
    rows = [np.full((50, len(recipe.columns)), n, "f") for n in range(2)]
    (folder / store.SHARDS).mkdir()
    store.write_shard(store.shard_path(folder, 0), store.Shard(header, entries, rows), 1)
    store.write_manifest(folder, header)
    return folder


def shard(
    change: Callable[[dict[str, Any], dict[str, np.ndarray]], Any], checksum: bool = False
) -> Callable[[Path], Path]:
    """A store whose shard has another JSON, or other arrays; the manifest fits it, where it can."""

    def make(folder: Path) -> Path:
        path = store.shard_path(kept(folder), 0)
        with safe_open(path, "numpy") as file:
            described = json.loads(file.metadata()[store.METADATA])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if not checksum:
            described.pop("checksum", None)
        change(described, arrays)
        path.write_bytes(save(arrays, {store.METADATA: json.dumps(described)}))
        if isinstance(described.get("header"), dict):
            lines = [
                described["header"],
                *(described["entries"] or []),
            ]
            (folder / store.MANIFEST).write_text("".join(json.dumps(line) + "\n" for line in lines))
        return folder

    return make


HEADERS: list[tuple[str, Any]] = [
    ("format", "evil"),
    ("version", "1"),
    ("recipe", 5),
    ("parameters", 5),
    ("parameters", None),
    ("versions", "x"),
    ("columns", 5),
    ("columns", []),
    ("columns", [5]),
    ("dtype", "object"),
    ("dtype", "int8"),
    ("clips", "x"),
    ("clips", -1),
    ("clips", 10**12),
    ("clips_per_shard", 0),
    ("clips_per_shard", "x"),
]
ENTRIES: list[tuple[str, Any]] = [
    ("path", 5),
    ("path", None),
    ("speaker", 5),
    ("sex", "evil"),
    ("sex", None),
    ("split", 5),
    ("start_s", "x"),
    ("start_s", -1),
    ("end_s", "x"),
    ("bytes", -1),
    ("status", "evil"),
    ("reason", "evil"),
    ("seconds", "x"),
    ("sha256", 5),
    ("shard", "x"),
    ("index", 7),
    ("index", -1),
    ("index", None),
    ("evil", 1),
]
ARRAYS: dict[str, Callable[[Any, Any], Any]] = {
    "frames missing": lambda d, a: a.pop("frames"),
    "offsets missing": lambda d, a: a.pop("offsets"),
    "a superfluous array": lambda d, a: a.update(evil=np.ones(3)),
    "frames as int32": lambda d, a: a.update(frames=a["frames"].astype("i4")),
    "frames of other columns": lambda d, a: a.update(frames=a["frames"][:, :3].copy()),
    "frames of one axis": lambda d, a: a.update(frames=a["frames"].ravel()),
    "a scalar for frames": lambda d, a: a.update(frames=np.ones((), "f")),
    "NaN": lambda d, a: a["frames"].__setitem__((3, 3), np.nan),
    "offsets as floats": lambda d, a: a.update(offsets=a["offsets"].astype(float)),
    "offsets that fall": lambda d, a: a.update(offsets=np.array([0, 80, 50])),
    "offsets below 0": lambda d, a: a.update(offsets=np.array([-5, 50, 100])),
    "offsets beyond": lambda d, a: a.update(offsets=np.array([0, 50, 2**62])),
    "no entries": lambda d, a: d.update(entries=None),
    "entries that are numbers": lambda d, a: d.update(entries=[5, 5]),
    "no header": lambda d, a: d.pop("header"),
    "a header that is a list": lambda d, a: d.update(header=[]),
}
MANIFESTS: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda c: b"",
    "noise": lambda c: np.random.default_rng(0).bytes(3000),
    "a header that is a number": lambda c: b"5\n",
    "nested 50,000 deep": lambda c: b"[" * 50_000,
    "a line of 30 MB": lambda c: b"x" * 30_000_000,
    "a header with NaN": lambda c: c.replace(b'"clips": 2', b'"clips": NaN'),
}


def manifest(change: Callable[[bytes], bytes]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = kept(folder) / store.MANIFEST
        path.write_bytes(change(path.read_bytes()))
        return folder

    return make


def _flipped(folder: Path) -> Path:
    path = store.shard_path(kept(folder), 0)
    content = bytearray(path.read_bytes())
    content[-30] ^= 1
    path.write_bytes(content)
    return folder


def cases() -> Iterator[Case]:
    for name, content in FEATURES.items():
        yield Case("CSV: features", name, "command", trained("male_features.csv", content))
    for name, content in ROWS.items():
        yield Case("CSV: origins", name, "command", trained("male_rows.csv", content))
    for content in STAMPS:
        yield Case("recipe.json", short(content), "command", trained("recipe.json", content))
    for file, contents in (("metadata.csv", METADATA), ("SPEAKERS.TXT", SPEAKERS), ("validated.tsv", TSV)):
        for name, content in contents.items():
            yield Case(file, name, "command", checked(file, content))
    for field, value in HEADERS:
        change = lambda d, a, field=field, value=value: d["header"].__setitem__(field, value)  # noqa: E731
        yield Case("store: header", f"{field} = {short(value)}", "read_store", shard(change))
    for field, value in ENTRIES:
        change = lambda d, a, field=field, value=value: d["entries"][1].__setitem__(field, value)  # noqa: E731
        yield Case("store: entry", f"{field} = {short(value)}", "read_store", shard(change))
    for name, change in ARRAYS.items():
        yield Case("store: arrays", name, "read_store", shard(change))
    for name, of_lines in MANIFESTS.items():
        yield Case("store: manifest", name, "read_store", manifest(of_lines))
    yield Case("store: arrays", "a flipped bit", "read_store", _flipped)


VALID = {"read_store": kept}
