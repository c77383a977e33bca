"""All scripts of the clones in a folder: each side in a process of its own, a line and a row a script."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from .comparing import Comparison, compare
from .listing import SCRIPTS, Script
from .process import ENGINE, KERAS, Record
from .rewriting import KERAS_2, code, mended, rewritten

SECONDS = 300  # for one side of a script
RUNS, DIFFERS, STOPS, NO_KERAS, MISSING = "runs", "differs", "stops", "stops in Keras", "no clone"
ROOT = Path(__file__).parents[3]


@dataclass
class Outcome:
    """What became of one script."""

    script: Script
    result: str
    says: str = ""  # where it stops: the sentence
    line: str = ""  # and the line of the script
    comparison: Comparison = field(default_factory=Comparison)
    traceback: str = ""
    in_keras: str = ""  # what Keras says where it stops too

    @property
    def in_words(self) -> str:
        found = self.comparison
        if self.result in (RUNS, DIFFERS):
            unlike = f"; {found.unlike[0]}" if found.unlike else ""
            return f"{found.largest:.1e} ({found.where}){unlike}"
        return f"{self.says}  [{self.line}]" if self.line else self.says


def clone_of(script: Script, folder: Path) -> Path | None:
    """folder/owner+name, folder/owner/name or folder/name, bare ones and plain copies too; None when there is none."""
    owner, name = script.repository.split("/")
    for path in (folder / f"{owner}+{name}", folder / owner / name, folder / name):
        for clone in (path / "repo" / ".git", path / "repo", path):
            if (clone / ".git").exists() or (clone / "HEAD").exists() or (clone / script.path).exists():
                return clone
    return None


def source(clone: Path, commit: str, path: str) -> bytes:
    """A file of a clone at a commit; of a folder that is no clone, the file itself."""
    if not ((clone / ".git").exists() or (clone / "HEAD").exists()):
        return (clone / path).read_bytes()
    shown = subprocess.run(["git", "-C", str(clone), "show", f"{commit}:{path}"], capture_output=True, check=False)
    if shown.returncode:
        raise FileNotFoundError(f"{clone} has no {path} at {commit}: the clone must be whole, with tags")
    return shown.stdout


def lay_out(script: Script, clone: Path, folder: Path, package: str) -> str:
    """Writes the rewritten script with what it needs into a folder; returns the path of what is to be started."""
    place = PurePosixPath(script.path).with_suffix(".py")
    texts = {p: code(source(clone, script.commit, p).decode("utf-8"), p) for p in (script.path, *script.modules)}
    left = {mend.old for mend in script.mends if not any(mend.old in text for text in texts.values())}
    if left:
        raise ValueError(f"{script.name}: no {left} to mend: is it at {script.commit}?")
    for path, text in texts.items():
        target = folder / (place if path == script.path else path)
        target.parent.mkdir(parents=True, exist_ok=True)
        mends = [mend for mend in script.mends if mend.old in text and (package == KERAS or mend.kind != KERAS_2)]
        text = mended(text, mends)
        target.write_text(rewritten(text, package), "utf-8")
    for path, lines in script.files:
        target = folder / path
        data = source(clone, script.commit, path)
        if target.suffix == ".csv" and not script.modules:  # a script without a project opens its table beside it
            target = folder / place.parent / target.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(b"".join(data.splitlines(keepends=True)[:lines]) if lines else data)
    (folder / "Output").mkdir(exist_ok=True)
    if script.stand_in is not None:
        at = folder if script.start else folder / place.parent
        at.mkdir(parents=True, exist_ok=True)
        script.stand_in(at)
        if script.start:
            (at / script.start).write_text(rewritten((at / script.start).read_text("utf-8"), package), "utf-8")
    return script.start or str(place)


def start(side: str, folder: Path, name: str) -> dict[str, Any]:
    """Runs one side; how it ended."""
    environment = {k: v for k, v in os.environ.items() if k not in ("KERAS_BACKEND",)}
    environment |= {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "MPLBACKEND": "Agg", "TQDM_DISABLE": "1"}
    command = [sys.executable, "-W", "ignore", "-m", f"{__package__}.process", side, str(folder), name]
    log = folder.parent / f"{side}.log"
    try:
        with log.open("wb") as out:
            subprocess.run(command, stdout=out, stderr=out, timeout=SECONDS, check=False, env=environment, cwd=folder)
    except subprocess.TimeoutExpired:
        return {"ended": STOPS, "error": "", "message": f"it took more than {SECONDS} s", "line": "", "traceback": ""}
    end = folder.parent / side / "end.json"
    if not end.exists():
        tail = log.read_text("utf-8", "replace").strip().splitlines()[-1:]
        return {"ended": STOPS, "error": "", "message": "".join(tail) or "ended", "line": "", "traceback": ""}
    return dict(json.loads(end.read_text("utf-8")))


def run_both(script: Script, folder: Path, work: Path, reuse: bool = False) -> Outcome:
    """Keras, then the engine with Keras's weights and order, in `work`. reuse: what Keras did there before holds."""
    clone = clone_of(script, folder)
    if clone is None:
        return Outcome(script, MISSING, f"git clone {script.address} {folder / script.repository.replace('/', '+')}")
    ends = {}
    for side in (KERAS, ENGINE):
        at, end = work / f"in_{side}", work / side / "end.json"
        if side == KERAS and reuse and end.exists():
            ends[side] = json.loads(end.read_text("utf-8"))
            continue
        for old in (at, work / side):
            shutil.rmtree(old, ignore_errors=True)
        name = lay_out(script, clone, at, side)
        if script.first:
            leave_behind(script.first, folder, work, at / PurePosixPath(name).parent)
        ends[side] = start(side, at, name)
    return judge(script, work, ends)


def leave_behind(first: str, folder: Path, work: Path, at: Path) -> None:
    """The .h5 files that another script leaves in Keras go to `at`; it runs once."""
    before, subject = work / "before", next(s for s in SCRIPTS if s.name == first)
    if not before.exists():
        clone = clone_of(subject, folder)
        assert clone is not None  # the same repository
        start(KERAS, before / "in_keras", lay_out(subject, clone, before / "in_keras", KERAS))
    for file in before.rglob("*.h5"):
        shutil.copy(file, at)


def judge(script: Script, work: Path, ends: dict[str, dict[str, Any]]) -> Outcome:
    theirs, ours = ends[KERAS], ends[ENGINE]
    if ours["ended"] == STOPS:
        in_keras = said(theirs) if theirs["ended"] == STOPS else ""
        return Outcome(script, STOPS, said(ours), ours["line"], traceback=ours["traceback"], in_keras=in_keras)
    if theirs["ended"] == STOPS:
        return Outcome(script, NO_KERAS, said(theirs), theirs["line"], traceback=theirs["traceback"])
    comparison = compare(Record.read(work / ENGINE), Record.read(work / KERAS))
    if not comparison.calls:
        comparison.unlike.append("it calls no model")
    return Outcome(script, RUNS if comparison.same else DIFFERS, comparison=comparison)


def said(end: dict[str, Any]) -> str:
    message = " ".join(str(end["message"]).split())
    return f"{end['error']}: {message}" if end["error"] else message


def run_all(
    folder: Path,
    names: Iterable[str] = (),
    tell: Callable[[str], None] = print,
    keep: Path | None = None,
    reuse: bool = False,
) -> list[Outcome]:
    """Every script, or those whose name has one of these words.

    `keep` leaves what was run in a folder; reuse takes from there what Keras did.
    """
    wanted = [s for s in SCRIPTS if not names or any(name in s.name for name in names)]
    outcomes = []
    for script in wanted:
        with tempfile.TemporaryDirectory() as temporary:
            work = keep / script.name.replace("/", "-") if keep else Path(temporary)
            work.mkdir(parents=True, exist_ok=True)
            outcomes.append(run_both(script, folder, work, reuse))
        tell(f"{outcomes[-1].result:<15} {script.name}: {outcomes[-1].in_words[:300]}")
    return outcomes


def counts(outcomes: list[Outcome]) -> dict[str, int]:
    return dict(Counter(outcome.result for outcome in outcomes))


def as_json(outcomes: list[Outcome]) -> dict[str, Any]:
    rows = []
    for one in outcomes:
        script = one.script
        rows.append(
            {"script": script.name, "repository": script.repository, "commit": script.commit, "path": script.path}
            | {"result": one.result, "says": one.says, "line": one.line, "in_keras": one.in_keras}
            | {"traceback": one.traceback}
            | {"mends": [asdict(mend) for mend in script.mends], **asdict(one.comparison)}
        )
    return {"counts": counts(outcomes), "scripts": rows}


PAGE = """# Public Keras scripts

{total} public scripts that people learn recurrent networks from, started with only their imports changed: `keras` and
`tensorflow.keras` became `lstm_engine`, and modules of Keras 2 went where Keras 3 has them. Each runs twice, in Keras {keras}
on JAX and here, in a folder and a process of its own: the same weights at the beginning of every layer, the same batches in
the same order, two epochs, float32, and every dropout rate 0. **{run} of {total} run to their end with Keras's numbers**:
every epoch's loss, every evaluation's loss and all predictions within 1e-4, norm-wise (‖engine - Keras‖ / ‖Keras‖).

- {renamed} of these have words of Keras 2: `lr=`, `fit_generator`, `predict_classes`, ... The engine takes them, with a
  warning. Keras {keras} refuses them, so they are renamed for Keras, and for Keras alone.
- {stop}, with a sentence that names what is missing and a way; {both} of these stop in Keras {keras} on JAX too.

```
python -m experiments.beside_keras.scripts CLONES --out runs/scripts     # makes this page
```

CLONES is a folder with clones of the repositories in the table, as CLONES/owner+name or CLONES/name (`git clone
https://github.com/owner/name`; whole, with tags). Nothing of theirs is kept in this project: scripts are read with `git
show` at the commits that the table names, and run in temporary folders without the network.
`experiments/beside_keras/scripts/listing.py` has every mend.

- Where a script downloads data, it gets small random data of the same shapes (`stand_ins.py`); loops and sizes are cut. The
  class of the speech emotions is driven by lines of ours that do what its `train.py` does.
- {mended} of those that run have other mends in the last column, the same on both sides: typos, what NumPy 2 and pandas 3
  refuse, where the data are and that they are few.
- Three things differ in Keras and are made equal, since they are not the script's: a stateful layer's states, which Keras
  keeps from batch to batch on TensorFlow and not on JAX; a generator's first two batches, which Keras shows at every
  validation anew; TensorFlow's `timeseries_dataset_from_array`, in whose place Keras gets the same windows in time's order.
- Accuracies and other counts are not judged: one rounding may tip a sample over. Texts that are sampled letter by letter
  feed back every rounding; their differences are the largest.

| script | result | where | largest difference, or what it says | mended |
|---|---|---|---|---|
"""


def page(outcomes: list[Outcome]) -> str:
    """docs/keras-scripts.md."""
    import keras

    found = counts(outcomes)
    renamed = sum(one.result == RUNS and bool(one.script.keras_2) for one in outcomes)
    other = sum(one.result == RUNS and any(m.why and m.kind != KERAS_2 for m in one.script.mends) for one in outcomes)
    words = {"renamed": renamed, "mended": other, "run": found.get(RUNS, 0), "total": len(outcomes)}
    words |= {"both": sum(bool(one.in_keras) for one in outcomes), "keras": keras.__version__}
    rest = {result: n for result, n in found.items() if result != RUNS}
    stop = rest.pop(STOPS, 0)
    others = "".join(f", {n} {'differ' if result == DIFFERS else result}" for result, n in rest.items())
    return PAGE.format(**words, stop=f"{stop} stop{others}") + "".join(map(row, outcomes))


def row(one: Outcome) -> str:
    script = one.script
    where = f"[{script.repository}]({script.address}) {script.commit[:7]}, `{script.path}`"
    says = f"{one.comparison.largest:.0e}" if one.result in (RUNS, DIFFERS) else one.says
    kinds = {KERAS_2: "for Keras alone"}
    mends = "; ".join(
        dict.fromkeys(f"{kinds.get(mend.kind, mend.kind)}: {mend.why}" for mend in script.mends if mend.why)
    )
    cells = (script.name, one.result, where, re.sub(r" at 0x\w+", "", says), mends)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"
