"""A long run: the engine's work in a loop, with the process's memory, open files and threads after every round.

    python -m experiments.promises.soak --minutes 40 --out runs/soak

Each start adds to the same table, so that a soak can go on another day; the slopes are those of every start by itself, after
its first half. Linux only: the numbers are those of /proc.
"""

import argparse
import csv
import io
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path

import numpy as np

from lstm_engine import buffers
from lstm_engine.files import write_atomically

TABLE, PICTURE, REPORT = "soak.csv", "soak.svg", "soak.md"
EVERY_S = 5.0  # at most one row in so many seconds
SETTLING = 0.5  # of a start: kernels are compiled, models loaded, pools filled
MIB = 2**20


@dataclass(frozen=True)
class Row:
    """After a round: `start` counts the processes. Memory in MiB: `resident`, and `kept` in blocks for the next step."""

    start: int
    seconds: float
    rounds: int
    resident: float
    kept: float
    handles: int
    threads: int


@dataclass(frozen=True)
class Slope:
    """One start: the range of a quantity after settling, its change in an hour, and the standard error of that."""

    start: int
    quantity: str
    least: float
    most: float
    per_hour: float
    error: float


def measured(start: int, seconds: float, rounds: int) -> Row:
    """The process as it is now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    kept = sum(block.nbytes for block, _ in buffers._blocks)
    handles, threads = (len(os.listdir(f"/proc/self/{name}")) for name in ("fd", "task"))
    return Row(start, round(seconds, 1), rounds, pages * os.sysconf("SC_PAGE_SIZE") / MIB, kept / MIB, handles, threads)


def soak(out: str | Path, minutes: float, seed: int = 0) -> list[Row]:
    """Work for so many minutes, one round of five jobs after the other; all rows of the table, those of before too."""
    from experiments.promises.soak_work import jobs

    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    rows = read(folder / TABLE)
    start = 1 + max((row.start for row in rows), default=0)
    work = jobs(folder / "work", seed + start)
    began, rounds, told = time.monotonic(), 0, -EVERY_S
    write(folder / TABLE, rows)  # without a row that was cut off
    with (folder / TABLE).open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        while not rounds or time.monotonic() - began < 60 * minutes:
            for job in work.values():
                job()
            rounds += 1
            if (now := time.monotonic() - began) - told >= EVERY_S:
                told = now
                rows.append(measured(start, now, rounds))
                writer.writerow(astuple(rows[-1]))
                file.flush()
    return rows


def read(path: Path) -> list[Row]:
    """The rows of a soak's table; none if there is no such file. A row that was cut off is left out."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        cells = [row for row in csv.DictReader(file) if None not in row.values()]
    kinds = {field.name: field.type for field in fields(Row)}
    return [Row(**{name: kinds[name](float(row[name])) for name in kinds}) for row in cells]  # type: ignore[operator]


def write(path: Path, rows: Sequence[Row]) -> None:
    """The table with these rows."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([[field.name for field in fields(Row)], *map(astuple, rows)])
    write_atomically(path, text.getvalue().encode())


def slopes(rows: Sequence[Row]) -> Iterator[Slope]:
    """For every start and quantity the straight line of least squares after the first half."""
    for start in sorted({row.start for row in rows}):
        own = [row for row in rows if row.start == start]
        own = [row for row in own if row.seconds >= SETTLING * own[-1].seconds]
        hours = np.array([row.seconds for row in own]) / 3600  # (n,)
        for quantity in ("resident", "kept", "handles", "threads"):
            values = np.array([asdict(row)[quantity] for row in own], float)  # (n,)
            slope, error = line(hours, values)
            yield Slope(start, quantity, values.min(), values.max(), slope, error)


def line(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """The slope of least squares through (n,) points, and its standard error; NaN for fewer than three."""
    if len(x) < 3:
        return float("nan"), float("nan")
    centred = x - x.mean()
    slope = centred @ y / (centred @ centred)
    rest = y - y.mean() - slope * centred
    return float(slope), float(np.sqrt(rest @ rest / (len(x) - 2) / (centred @ centred)))


def report(rows: Sequence[Row], folder: Path) -> str:
    """The table of slopes as Markdown, which is written beside a picture of the memory."""
    lines = [
        "| start | minutes | rounds | quantity | least | most | change in an hour |",
        "|---|---|---|---|---|---|---|",
    ]
    for s in slopes(rows):
        last = [row for row in rows if row.start == s.start][-1]
        unit = " MiB" if s.quantity in ("resident", "kept") else ""
        lines.append(
            f"| {s.start} | {last.seconds / 60:.1f} | {last.rounds:,} | {s.quantity} | {s.least:.1f}{unit} | "
            f"{s.most:.1f}{unit} | {s.per_hour:+.1f} ± {s.error:.1f}{unit} |"
        )
    text = "\n".join(lines) + "\n"
    (folder / REPORT).write_text(text, encoding="utf-8")
    (folder / PICTURE).write_text(picture(rows), encoding="utf-8")
    return text


def picture(rows: Sequence[Row]) -> str:
    """The resident memory over time, a line for each start, as SVG."""
    from experiments.reports import pictures

    fig, (ax,) = pictures.figure(1)
    for start in sorted({row.start for row in rows}):
        own = [row for row in rows if row.start == start]
        ax.plot([r.seconds / 60 for r in own], [r.resident for r in own], lw=1, label=f"start {start}")
    ax.set(xlabel="minutes", ylabel="resident memory (MiB)", ylim=(0, None))
    ax.legend(frameon=False, fontsize=8)
    file = io.StringIO()
    fig.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments.promises.soak", description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--minutes", type=float, default=40.0, help="how long to work in this start")
    parser.add_argument("--out", default="runs/soak", help="folder of the table, which grows with every start")
    given = parser.parse_args(arguments)
    print(report(soak(given.out, given.minutes), Path(given.out)))


if __name__ == "__main__":
    main()
