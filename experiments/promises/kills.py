"""Does a killed command end as one that was not? Kills trainings, extractions and studies, starts them again, compares bytes:

    python -m experiments.promises.kills                                        all of it, an hour or more on two cores
    python -m experiments.promises.kills --only "train tables" --trainings 5    a part of it

Each try is a process group that gets SIGKILL, all of it, at a random moment of its work, or while a file is being written: as
soon as a temporary file of a random name appears. Now and then the second process is killed too. Then the same command runs
to its end, and every file that it leaves is compared with those of a run that was not disturbed. A line a try goes to --log,
so that a long run can go on another day: tries that are in the log are not repeated. Exits 1 if a byte differs.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from features.synth import write_corpus

HOUSE = Path(__file__).parents[2]
MID_WRITE = 0.4  # the share of kills that wait for a temporary file
TWICE = 0.2  # the share of tries whose second process is killed too
NOT_COMPARED = {"surroundings.json"}


@dataclass(frozen=True)
class Subject:
    """A command that writes into {out}, from the made-up data in {inputs}; count: how many tries."""

    name: str
    command: str
    count: str

    def line(self, inputs: Path, out: Path) -> list[str]:
        words = self.command.format(inputs=inputs, out=out).split()
        return [sys.executable, "-m", "experiments.cli", *words, "--out", str(out)]


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
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def differing(folder: Path, expected: Path) -> list[str]:
    """The names of the files that only one of the folders has, or whose bytes differ."""
    mine, theirs = contents(folder), contents(expected)
    return sorted(name for name in mine | theirs if mine.get(name) != theirs.get(name))


# -- one try -----------------------------------------------------------------------------------------------------------


def run(subject: Subject, inputs: Path, out: Path, end: Callable[[subprocess.Popen[bytes]], None] | None = None) -> Any:
    """Runs the command in a process group of its own; end(process) may kill it. Returns its exit code and its stderr."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            subject.line(inputs, out), cwd=inputs.parent, stdout=subprocess.DEVNULL, stderr=said, start_new_session=True,
            env=os.environ | {"PYTHONPATH": str(HOUSE), "PYTHONHASHSEED": "random"},
        )  # fmt: skip
        try:
            if end is not None:
                end(process)
            code = process.wait()
        finally:
            kill(process)
        said.seek(0)
        return code, said.read().decode(errors="replace")


def kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL for the whole group, workers too."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()


def killer(rng: random.Random, took_s: float, out: Path) -> tuple[str, Callable[[subprocess.Popen[bytes]], None]]:
    """When a process is killed, in words, and what kills it: at a moment of its time, or at the n-th temporary file."""
    if rng.random() < MID_WRITE:
        n = rng.randint(1, 12)

        def at_a_write(process: subprocess.Popen[bytes]) -> None:
            seen: set[str] = set()
            while process.poll() is None and len(seen) < n:
                seen |= set(temporaries(out))
                time.sleep(0.0005)
            kill(process)

        return f"at temporary file {n}", at_a_write
    after_s = rng.uniform(0.15, 1.0) * took_s

    def at_a_moment(process: subprocess.Popen[bytes]) -> None:
        try:
            process.wait(after_s)
        except subprocess.TimeoutExpired:
            kill(process)

    return f"after {after_s:.2f} s", at_a_moment


def temporaries(folder: Path) -> Iterator[str]:
    """The temporary files under a folder that is being written to."""
    for place, _, names in os.walk(folder):
        yield from (f"{place}/{name}" for name in names if name.startswith(".") and name.endswith(".tmp"))


def attempt(subject: Subject, n: int, inputs: Path, whole: Path, took_s: float) -> dict[str, Any]:
    """Kills the command, once or twice, lets it end, and compares. Returns a line of the log."""
    rng = random.Random(f"{subject.name} {n}")
    with tempfile.TemporaryDirectory(prefix="kills.", dir=inputs.parent) as place:
        out, words, left = Path(place) / whole.name, [], []
        for _ in range(1 + (rng.random() < TWICE)):
            when, end = killer(rng, took_s, out)
            code, _ = run(subject, inputs, out, end)
            words.append(f"{when}{'' if code == -signal.SIGKILL else ', when it had ended'}")
            left.append(len(contents(out)) if out.exists() else 0)
        half = list(temporaries(out))
        code, said = run(subject, inputs, out)
        odd = differing(out, whole) if code == 0 else ["it could not go on"]
        line = {"subject": subject.name, "try": n, "killed": words, "files_left": left, "half_written": len(half)}
        return line | {"code": code, "differing": odd, "said": said.strip().splitlines()[-1:] if odd else []}


# -- all of them -------------------------------------------------------------------------------------------------------


def make_inputs(folder: Path) -> None:
    """Synthetic voices, their tables and frames, and made-up digits."""
    if (folder / "complete").exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    write_corpus(folder / "voices", speakers=8, test_speakers=0, clips=4, seconds=0.6, seed=1)
    for name, options in (("tables", []), ("frames", ["--recipe", "frames"])):
        command = [sys.executable, "-m", "experiments.cli", "features", "voices", "--out", name, *options]
        subprocess.run(command, cwd=folder, check=True, env=os.environ | {"PYTHONPATH": str(HOUSE)})
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
    """The folder of a run of the command that is not killed, and its seconds: the second one, when all is compiled."""
    whole, took = place / subject.name.replace(" ", "_"), 0.0
    for _ in range(2):
        shutil.rmtree(whole, ignore_errors=True)
        began = time.perf_counter()
        code, said = run(subject, inputs, whole)
        took = time.perf_counter() - began
        if code:
            raise SystemExit(f"{subject.name} fails where nobody kills it: {said}")
    return whole, took


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
    make_inputs(out / "inputs")
    lines = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    known = {(line["subject"], line["try"]) for line in lines}
    for subject in (s for s in SUBJECTS if not only or s.name in only):
        missing = [n for n in range(counts[subject.count]) if (subject.name, n) not in known]
        whole, took_s = undisturbed(subject, out / "inputs", out) if missing else (out, 0.0)
        for n in missing:
            lines.append(attempt(subject, n, out / "inputs", whole, took_s))
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
