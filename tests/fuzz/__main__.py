"""Coverage-guided fuzzing of everything that reads a file from outside: six harnesses, two at a time.

    pip install atheris                                       Linux, Python up to what atheris has wheels for
    python -m tests.fuzz --minutes 30 --out ~/lstm-engine-fuzz

The corpus stays in the folder, so that another day's run goes on with it. FOLDER/runs.csv gets a row for every harness:
seconds, inputs tried, edges covered, features, size of the corpus, findings in all. A finding is any exception but ValueError
and OSError, a codec's or parser's own words, a message of over 2,000 letters, over 2 s or 100 MB for an input, a crash, or a
hang. `--open` lists the findings, each run again with the code as it is now, and needs no atheris.
"""

import argparse
import csv
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.fuzz import findings
from tests.fuzz.doors import DOORS

COLUMNS = ("date", "harness", "seconds", "inputs", "edges", "features", "corpus", "findings", "end")
LEAST_S = 20  # a harness that ended early with a crash is started again for the rest, if that is more


def fuzz(door: str, out: Path, seconds: float) -> dict[str, object]:
    """Run one harness for so many seconds, started again after a crash; its row."""
    began, inputs, ends = time.monotonic(), 0, []
    log = out / f"{door}.log"
    while (rest := seconds - (time.monotonic() - began)) > LEAST_S or not ends:
        with log.open("w", encoding="utf-8") as file:
            command = [sys.executable, "-m", "tests.fuzz.one", door, str(out), f"-max_total_time={max(1, int(rest))}"]
            ends.append(subprocess.run(command, stdout=file, stderr=file, cwd=findings.ROOT).returncode)
        text = log.read_text(encoding="utf-8", errors="replace")
        inputs += tried(text)
        if ends[-1] and not re.search(r"artifact_prefix|Test unit written", text):
            raise RuntimeError(f"the harness {door} did not start, see {log}: {text[-300:]}")
    edges, features = covered(text)
    corpus, found = out / door / "corpus", out / door / "findings"
    numbers = (
        round(time.monotonic() - began),
        inputs,
        edges,
        features,
        sum(1 for _ in corpus.iterdir()),
        len(kept(found)),
    )
    return dict(
        zip(COLUMNS, (time.strftime("%Y-%m-%d"), door, *numbers, "as planned" if not any(ends) else ends), strict=True)
    )


def tried(log: str) -> int:
    """Inputs that a harness has tried, by libFuzzer's log: its last word, or the last line before a crash."""
    numbers = re.findall(r"stat::number_of_executed_units:\s*(\d+)", log) or re.findall(r"^#(\d+)\t", log, re.MULTILINE)
    return int(numbers[-1]) if numbers else 0


def covered(log: str) -> tuple[int, int]:
    """(edges, features) of the last line that says them."""
    numbers = re.findall(r"cov: (\d+) ft: (\d+)", log)
    return (int(numbers[-1][0]), int(numbers[-1][1])) if numbers else (0, 0)


def kept(folder: Path) -> list[Path]:
    """The inputs of a harness's findings: those with words beside them, and libFuzzer's crashes, hangs and bombs."""
    names = ("crash-", "timeout-", "oom-")
    return sorted(
        p
        for p in folder.glob("*")
        if p.suffix != ".txt" and (p.with_suffix(".txt").exists() or p.name.startswith(names))
    )


def still_open(out: Path) -> Iterator[tuple[str, Path, str]]:
    """(harness, input, what is wrong) for every finding that the code as it is now still has."""
    for name, door in DOORS.items():
        for seed in door.seeds():  # what is imported once is no input's memory
            findings.opened(door, seed)
        for path in kept(out / name / "findings"):
            if what := findings.opened(door, path.read_bytes()):
                yield name, path, what


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("harness", nargs="*", choices=[*DOORS, []], help="those to run; without one, all six")
    parser.add_argument("--minutes", type=float, default=30.0, help="for each harness")
    parser.add_argument("--jobs", type=int, default=2, help="harnesses at a time")
    parser.add_argument(
        "--out", type=Path, required=True, help="the folder of corpus, findings and table; outside the checkout"
    )
    parser.add_argument("--open", action="store_true", help="run no harness, and list the findings that are still open")
    given = parser.parse_args(arguments)
    if given.out.resolve().is_relative_to(findings.ROOT):
        parser.error(f"{given.out} is inside the checkout: choose a folder outside, which stays")
    if given.open:
        rest = list(still_open(given.out))
        print("\n".join(f"{name} {path}: {what}" for name, path, what in rest) or "no open finding")
        return bool(rest)
    given.out.mkdir(parents=True, exist_ok=True)
    table = given.out / "runs.csv"
    with ThreadPoolExecutor(given.jobs) as pool:
        for row in pool.map(lambda door: fuzz(door, given.out, 60 * given.minutes), given.harness or DOORS):
            new = not table.exists()
            with table.open("a", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
                if new:
                    writer.writeheader()
                writer.writerow(row)
            print(row, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
