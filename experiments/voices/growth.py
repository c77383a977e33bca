"""What a recording more costs, and whether a store survives being killed while it grows.

`python -m experiments.voices.growth` makes synthetic clips, extracts them, adds a clip that belongs into the middle of the
list, and extracts again into the same folder. Then it grows a copy of the first store again and again, kills all processes
of the growth at a random moment, and lets another run finish it. Every store must have the bytes of one that was measured
at once.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import soundfile

from features.corpora import tutorial_folders
from features.extraction import Extraction, extract
from features.recipes import recipe_named
from features.synth import RATE, write_corpus

SPEAKERS = 5  # of each sex
GROW = (
    "import sys; from pathlib import Path; from experiments.voices.growth import extracted; print('begun', flush=True); "
    "extracted(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))"
)
WORDS = (
    "{recipe}: {clips} clips measured in {first_s:.1f} s; with 1 clip more, {measured} measured, {kept} kept, in "
    "{grown_s:.1f} s; all {all} at once: {whole_s:.1f} s\n"
    "the bytes of all files are those of a fresh extraction: {same}\n"
    "killed while it grew and finished by another run: {kills} times, with the same bytes {survived} times; "
    "{left} kills left a part of the work, and a run that finished measured {again} of {all} clips at most"
)


def growth(
    folder: Path, clips: int = 500, seconds: float = 1.0, kills: int = 20, recipe: str = "frames", jobs: int = 1
) -> dict[str, Any]:
    """Everything that is printed, as JSON values; `folder` is new and is left with the corpus and all stores.

    measured, kept: clips of the second extraction. left: kills that came before the growth was complete. again: the most
    clips that a run measured that finished the work of a killed one.
    """
    corpus, out, whole = folder / "corpus", folder / "out", folder / "whole"
    write_corpus(corpus, SPEAKERS, 0, max(1, clips // (2 * SPEAKERS)), seconds)
    first, first_s = timed(corpus, out, recipe, jobs)
    shutil.copytree(out, folder / "before")  # with the files' times, which say when their clips were measured
    speaker = corpus / "Male" / "m000"
    samples, _ = soundfile.read(speaker / "m000_0.wav")
    soundfile.write(speaker / "a_new_one.wav", samples[::-1], RATE)
    grown, grown_s = timed(corpus, out, recipe, jobs)
    fresh, whole_s = timed(corpus, whole, recipe, jobs)
    expected, finished, rng = contents(whole), [], random.Random(0)
    if kills:
        shutil.copytree(folder / "before", folder / "apart")
        _, took_s = grown_apart(corpus, folder / "apart", recipe, jobs)
    for number in range(kills):
        copy, moment = folder / f"killed-{number}", rng.uniform((0.0, 0.67)[number % 2], 1.0)  # half in the last third
        shutil.copytree(folder / "before", copy)
        complete, _ = grown_apart(corpus, copy, recipe, jobs, moment * took_s)
        finished.append((complete, extracted(corpus, copy, recipe, jobs).measured, contents(copy) == expected))
    return {
        "recipe": recipe, "clips": first.clips, "all": fresh.clips, "first_s": first_s, "grown_s": grown_s,
        "whole_s": whole_s, "measured": grown.measured, "kept": grown.kept, "same": contents(out) == expected,
        "kills": kills, "survived": sum(same for *_, same in finished),
        "left": sum(not complete for complete, *_ in finished), "again": max((n for _, n, _ in finished), default=0),
    }  # fmt: skip


def timed(corpus: Path, out: Path, recipe: str, jobs: int) -> tuple[Extraction, float]:
    """An extraction and how many seconds it took."""
    began = time.perf_counter()
    return extracted(corpus, out, recipe, jobs), time.perf_counter() - began


def extracted(corpus: Path, out: Path, recipe: str, jobs: int) -> Extraction:
    """The clips of the corpus, measured into `out`."""
    return extract(tutorial_folders(corpus), out, jobs, recipe=recipe_named(recipe))


def grown_apart(corpus: Path, out: Path, recipe: str, jobs: int, after_s: float | None = None) -> tuple[bool, float]:
    """Grow `out` in a process of its own and kill it, with its workers, so many seconds after it began; None: let it end.

    Returns whether it had ended before, and how many seconds it ran.
    """
    command = [sys.executable, "-c", GROW, str(corpus), str(out), recipe, str(jobs)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        began = time.perf_counter()
        with suppress(subprocess.TimeoutExpired):
            process.wait(after_s)
        complete, ran_s = process.poll() is not None, time.perf_counter() - began
        if not complete:
            os.killpg(process.pid, signal.SIGKILL)
    return complete, ran_s


def contents(folder: Path) -> dict[str, bytes]:
    """The bytes of all files in a folder, hidden ones too."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def main() -> None:
    """Prints clips measured and kept, seconds, and whether all bytes are those of a fresh extraction; if not, exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m experiments.voices.growth", description=main.__doc__)
    parser.add_argument("--clips", type=int, default=500, help="before the store grows")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of a clip")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--recipe", choices=("frames", "tutorial"), default="frames")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = growth(Path(folder), options.clips, options.seconds, options.kills, options.recipe, options.jobs)
    print(json.dumps(result) if options.json else WORDS.format_map(result))
    sys.exit(0 if result["same"] and result["survived"] == result["kills"] else 1)


if __name__ == "__main__":
    main()
