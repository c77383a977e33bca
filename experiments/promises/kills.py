"""Does a killed command end as one that was not? Kills trainings, extractions and studies, starts them again, compares bytes:

    python -m experiments.promises.kills                                        all of it, an hour or more on two cores
    python -m experiments.promises.kills --only "train tables" --trainings 5    a part of it

Each try is a process group that gets SIGKILL, all of it: when it has computed for a random time, or while a file is being
written, as soon as so many temporary files have been seen. Every fifth time the second process is killed too. Then the same
command runs to its end, and every file that it leaves is compared with those of a run that was not disturbed. A line a try
goes to log.jsonl in --out; tries that are in the log are not repeated, so that a long run can go on another day. Exits 1 if a
byte differs. The processes are forked from this one, which has imported all that they need (so not on Windows).
"""

import csv
import importlib
import json
import os
import random
import re
import runpy
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from features.synth import write_corpus

PRELOADED = [f"experiments.{name}" for name in (
    "tutorial.training", "voices.training", "digits.training", "voices.measure", "study.epochs.study",
    "study.lstm1997.study", "study.memory.study", "study.variants.study", "study.gap.study",
)]  # fmt: skip

MID_WRITE = 0.4  # the share of kills that wait for a temporary file
TWICE = 0.2  # the share of tries whose second process is killed too
NOT_COMPARED = {"surroundings.json"}


@dataclass(frozen=True)
class Subject:
    """A command, from the made-up data in {inputs}; count: the option that says how many tries."""

    name: str
    command: str
    count: str


SUBJECTS = [
    Subject("train tables", "train {inputs}/tables --epochs 12 --units 16 --checkpoint-every 1", "trainings"),
    Subject("train frames", "train {inputs}/frames --epochs 4 --units 8 --checkpoint-every 1", "trainings"),
    Subject("train digits", "train {inputs}/digits --task digits --epochs 8 --units 8 --checkpoint-every 1", "trainings"),
    Subject("features tables", "features {inputs}/voices --jobs 2", "extractions"),
    Subject("features frames", "features {inputs}/voices --recipe frames --variants 1 --jobs 2", "extractions"),
    Subject("study epochs", "study epochs --tables {inputs}/tables --epochs 4 --seeds 2", "studies"),
    Subject("study lstm1997", "study lstm1997 --quick --experiment 6a --seeds 2 --jobs 2", "studies"),
    Subject("study memory", "study memory --quick --task order --cell rnn --seeds 2 --jobs 2", "studies"),
    Subject("study variants", "study variants --quick --seeds 1 --jobs 2", "studies"),
    Subject("study gap", "study gap --digits {inputs}/digits --quick --jobs 2", "studies"),
]  # fmt: skip


def contents(folder: Path) -> dict[str, bytes]:
    """Every file under a folder, hidden ones too, but for those that hold times."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in NOT_COMPARED)
    return {path.relative_to(folder).as_posix(): timeless(path) for path in files}


def timeless(path: Path) -> bytes:
    """The content of a file without the seconds that a study notes: in JSON, and in the columns of a table."""
    content = path.read_bytes()
    if path.suffix == ".json":
        return re.sub(rb'"[a-z_]*seconds": [-+.0-9e]+', b"", content)
    if path.suffix == ".csv" and b"seconds" in content.partition(b"\n")[0]:
        rows = list(csv.reader(content.decode().splitlines()))
        kept = [n for n, name in enumerate(rows[0]) if not name.endswith("seconds")]
        return repr([[row[n] for n in kept] for row in rows]).encode()
    return content


def differing(folder: Path, expected: Path) -> list[str]:
    """The names of the files that only one of the folders has, or whose bytes differ."""
    mine, theirs = contents(folder), contents(expected)
    return sorted(name for name in mine | theirs if mine.get(name) != theirs.get(name))


# -- one try -----------------------------------------------------------------------------------------------------------


class Process:
    """The command in a process group of its own, from its start on; its stderr goes to the file `said`."""

    def __init__(self, subject: Subject, inputs: Path, out: Path, said: Path) -> None:
        self.code: int | None = None
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            os.chdir(inputs.parent)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
            sys.argv = ["lstm-engine", *subject.command.format(inputs=inputs).split(), "--out", str(out)]
            code: Any = 1
            try:
                runpy.run_module("experiments.cli", run_name="__main__")  # imported before the fork, see PRELOADED
            except SystemExit as leaving:
                code = leaving.code or 0
            finally:
                os._exit(code)

    def running(self) -> bool:
        if self.code is None and os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            self.end()
        return self.code is None

    def end(self, kill: bool = False) -> None:
        """Waits for its end, or kills it. What is left of its group is killed."""
        if kill:
            self.signal()
        if self.code is None:
            self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.signal()

    def signal(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def cpu_s(self) -> float:
        """What the process itself, without its workers, has computed."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def kill_at_random(process: Process, rng: random.Random, cpu_s: float, out: Path) -> str:
    """Kills the process, of a command that computes for cpu_s; returns when, in words."""
    if rng.random() < MID_WRITE:
        n, seen = rng.randint(1, 12), set()
        while process.running() and len(seen) < n:
            seen |= set(temporaries(out))
            time.sleep(0.0005)
        words = f"at temporary file {n}"
    else:
        after_s = rng.uniform(0.05, 1.0) * cpu_s
        while process.running() and process.cpu_s() < after_s:
            time.sleep(0.005)
        words = f"after {after_s:.2f} s of computing"
    process.end(kill=True)
    return words if process.code == -signal.SIGKILL else ""


def temporaries(folder: Path) -> Iterator[str]:
    """The temporary files under a folder that is being written to."""
    for place, _, names in os.walk(folder):
        yield from (f"{place}/{name}" for name in names if name.startswith(".") and name.endswith(".tmp"))


def attempt(subject: Subject, n: int, inputs: Path, whole: Path, cpu_s: float) -> dict[str, Any]:
    """Kills the command, once or twice, lets it end, and compares. Returns a line of the log."""
    rng = random.Random(f"{subject.name} {n}")
    with tempfile.TemporaryDirectory(prefix="kills.", dir=inputs.parent) as place:
        out, said = Path(place) / whole.name, Path(place) / "said"
        killed: list[str] = []
        while not killed or (len(killed) == 1 and rng.random() < TWICE):
            if words := kill_at_random(Process(subject, inputs, out, said), rng, cpu_s, out):
                killed.append(words)
            elif not killed:  # it was faster than its killer
                shutil.rmtree(out, ignore_errors=True)
        left, half = len(contents(out)) if out.exists() else 0, list(temporaries(out))
        last = Process(subject, inputs, out, said)
        last.end()
        odd = differing(out, whole) if last.code == 0 else ["it could not go on"]
        line = {"subject": subject.name, "try": n, "killed": killed, "files_left": left, "half_written": len(half)}
        lines = said.read_text(errors="replace").splitlines()
        return line | {"code": last.code, "differing": odd, "said": lines[-1:] if odd else []}


# -- all of them -------------------------------------------------------------------------------------------------------


def make_inputs(folder: Path) -> None:
    """Synthetic voices, their tables and frames, and made-up digits."""
    if (folder / "complete").exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    write_corpus(folder / "voices", speakers=8, test_speakers=0, clips=4, seconds=0.6, seed=1)
    for name, options in (("tables", ""), ("frames", " --recipe frames")):
        measuring = Process(
            Subject(name, "features {inputs}/voices" + options, ""), folder, folder / name, folder / "said"
        )
        measuring.end()
        if measuring.code:
            raise SystemExit(f"the inputs cannot be made: {(folder / 'said').read_text()}")
    rng, rows, clips = np.random.default_rng(0), ["speaker,sex,split,digit"], []
    for n in range(12 * 20):
        t, digit = np.linspace(0, 1, rng.integers(8, 24))[:, None], n % 10
        path = np.sin(np.pi * (t * (1 + digit // 4) + np.arange(13) / 6 * (1 + digit % 4)))  # (T, 13)
        clips.append(path + 0.05 * rng.standard_normal(path.shape))
        rows.append(f"s{n // 20:02},{('female', 'male')[n // 20 % 2]},{'train' if n < 160 else 'test'},{digit}")
    (folder / "digits").mkdir()
    offsets = np.cumsum([0, *map(len, clips)])
    np.savez(folder / "digits" / "sad.npz", frames=np.concatenate(clips).astype("float32"), offsets=offsets)
    (folder / "digits" / "metadata.csv").write_text("\n".join(rows) + "\n")
    (folder / "complete").touch()


def undisturbed(subject: Subject, inputs: Path, place: Path) -> tuple[Path, float]:
    """The folder of a run of the command that is not killed, and the seconds that it computes: without compiling."""
    whole, cpu_s = place / subject.name.replace(" ", "_"), 0.0
    for _ in range(2):
        shutil.rmtree(whole, ignore_errors=True)
        process = Process(subject, inputs, whole, place / "said")
        while process.running():
            with suppress(OSError):
                cpu_s = process.cpu_s()
            time.sleep(0.01)
        if process.code:
            raise SystemExit(f"{subject.name} fails where nobody kills it: {(place / 'said').read_text()}")
    return whole, cpu_s


def main(
    out: Annotated[Path, typer.Option(help="Folder for inputs, undisturbed runs and the log.")] = Path("runs/kills"),
    only: Annotated[list[str] | None, typer.Option(help=", ".join(s.name for s in SUBJECTS))] = None,
    trainings: Annotated[int, typer.Option(min=0, help="Kills of each of the three trainings.")] = 17,
    extractions: Annotated[int, typer.Option(min=0, help="Kills of each of the two extractions.")] = 10,
    studies: Annotated[int, typer.Option(min=0, help="Kills of each of the five studies.")] = 10,
) -> None:
    """Kills commands at random moments, lets them go on, and compares what they leave with an undisturbed run."""
    out = out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    log, counts = out / "log.jsonl", {"trainings": trainings, "extractions": extractions, "studies": studies}
    for module in [*PRELOADED, "numba"]:
        importlib.import_module(module)
    make_inputs(out / "inputs")
    lines = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    known = {(line["subject"], line["try"]) for line in lines}
    wholes: dict[str, tuple[Path, float]] = {}
    for n in range(max(counts.values())):  # a try of each in turn: stopped at any time, it has tried all alike
        for subject in (s for s in SUBJECTS if (not only or s.name in only) and n < counts[s.count]):
            if (subject.name, n) in known:
                continue
            if subject.name not in wholes:
                wholes[subject.name] = undisturbed(subject, out / "inputs", out)
            lines.append(attempt(subject, n, out / "inputs", *wholes[subject.name]))
            with log.open("a") as file:
                file.write(json.dumps(lines[-1]) + "\n")
            print(json.dumps(lines[-1]), flush=True)
    for subject in SUBJECTS:
        mine = [line for line in lines if line["subject"] == subject.name]
        whole_ones, half = sum(not line["differing"] for line in mine), sum(line["half_written"] > 0 for line in mine)
        if mine:
            print(f"{subject.name}: {whole_ones} of {len(mine)} with the same bytes; {half} left a half-written file")
    raise SystemExit(1 if any(line["differing"] for line in lines) else 0)


if __name__ == "__main__":
    typer.run(main)
