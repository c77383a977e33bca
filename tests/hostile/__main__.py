"""Opens hundreds of hostile files, each in a process of its own, and counts what should not have happened.

    python -m tests.hostile                  # all, some ten minutes
    python -m tests.hostile --only Keras     # those whose kind has the word
    python -m tests.hostile --show           # with what was said of each

Wrong is: a traceback, an "internal error", a file that is read in silence, an error that does not name the file, characters
that act on a terminal or in a page, and more than 2 s or 100 MB beyond a process that opens a valid file of the kind. Time is
that of the processor, so that a busy machine changes nothing. Ends with 1 if there is any.
"""

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Annotated

import typer

from lstm_engine.plain_text import ACTING
from tests.hostile import keras_files, models, sounds, tables, texts
from tests.hostile.cases import Case
from tests.hostile.opening import Outcome, opened, warm

MODULES = (models, keras_files, sounds, tables, texts)
VALID = models.VALID | keras_files.VALID | sounds.VALID | tables.VALID
MOST_S, MOST_MB, MOST_LETTERS = 2.0, 100.0, 4000
FAULTS = (
    "traceback",
    "internal error",
    "accepted in silence",
    "no name in it",
    "acting characters",
    "too long",
    "time",
    "memory",
)


def faults(case: Case, words: object, outcome: Outcome, valid: Outcome, folder: Path) -> Iterator[str]:
    """What is wrong with an outcome, in the words of FAULTS."""
    said = outcome.words
    if outcome.code in (70,) or outcome.code < 0 or "Traceback (most recent call last)" in said:
        yield "traceback"
    elif "error (" in said or "Exception ignored" in said:
        yield "internal error"
    elif case.refused and outcome.code == 0:
        yield "accepted in silence"
    elif (
        case.refused
        and not case.kind.endswith("option")
        and not any(name in said for name in (folder.name, *os.listdir(folder)))
    ):
        yield "no name in it"
    elif not case.refused and outcome.code != 0:
        yield "refused"
    pages = [path.read_text("utf-8") for path in folder.rglob("*.html")]
    if any(ACTING.search(text) for text in (said, *pages)) or any("<script>alert" in text for text in pages):
        yield "acting characters"
    if len(said) > MOST_LETTERS:
        yield "too long"
    if outcome.cpu_s - valid.cpu_s > MOST_S:
        yield "time"
    if outcome.peak_mb - valid.peak_mb > MOST_MB:
        yield "memory"


def run(case: Case, valid: dict[str, Outcome], show: bool) -> list[str]:
    """The faults of one case, which are printed too."""
    folder = Path(mkdtemp(prefix="hostile-"))
    try:
        words = case.make(folder)
        outcome = opened(case.reader, words, folder / "said.txt")
        found = list(faults(case, words, outcome, valid[case.reader], folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if found or show:
        beyond = (
            f"{outcome.cpu_s - valid[case.reader].cpu_s:+.1f} s, {outcome.peak_mb - valid[case.reader].peak_mb:+.0f} MB"
        )
        print(f"{'; '.join(found) or 'well'}: {case.kind}: {case.name} ({beyond}, exit {outcome.code})")
        print("   ", ascii(outcome.words.strip()[-600 if "traceback" in found else 0 :][:600]), flush=True)
    return found


def main(
    only: Annotated[str, typer.Option(help="Only kinds that have this word.")] = "",
    show: Annotated[bool, typer.Option("--show", help="Print what was said of every file.")] = False,
) -> None:
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "COLUMNS": "200"}
    warm()
    chosen = [case for module in MODULES for case in module.cases() if only in case.kind]
    valid = {}
    for reader, make in VALID.items():
        folder = Path(mkdtemp(prefix="hostile-"))
        valid[reader] = opened(reader, make(folder), folder / "said.txt")
        shutil.rmtree(folder)
        if valid[reader].code:
            raise SystemExit(f"the valid file for {reader} is refused: {valid[reader].words}")
    table: dict[str, Counter[str]] = {}
    for case in chosen:
        table.setdefault(case.kind, Counter())["files"] += 1
        table[case.kind].update(run(case, valid, show))
    columns = ("files", *FAULTS, "refused")
    print(f"{'kind':28}" + "".join(f"{name:>{max(6, len(name)) + 2}}" for name in columns))
    for kind, counts in [*table.items(), ("all", sum(table.values(), Counter()))]:
        print(f"{kind:28}" + "".join(f"{counts[name]:>{max(6, len(name)) + 2}}" for name in columns))
    raise SystemExit(any(count for counts in table.values() for name, count in counts.items() if name != "files"))


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(main)
    app()
