"""What a recording more costs, and whether a store survives being killed while it grows.

`python -m experiments.voices.growth` makes synthetic clips, extracts them, adds a clip that belongs into the middle of the
list, and extracts again into the same folder. Then it lets a store of every second clip grow to all of them, again and again,
kills all processes of the growth at a random moment, and lets another run finish it. Every store must have the bytes of one
that was measured at once.
"""

import argparse
import json
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
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
    "killed while a store of {half} clips grew to {all}, and finished by another run: {kills} times, with the same bytes "
    "{survived} times; of the new clips the last run found from {found[0]} to {found[1]} measured"
)


def growth(
    folder: Path, clips: int = 500, seconds: float = 1.0, kills: int = 20, recipe: str = "frames", jobs: int = 1
) -> dict[str, Any]:
    """Everything that is printed, as JSON values; `folder` is new and is left with the corpus and all stores.

    measured, kept: clips of the second extraction. half: clips of the stores that are killed while they grow. found: how many
    of the others the run that finished did not have to measure, the fewest and the most.
    """
    corpus, out, whole = folder / "corpus", folder / "out", folder / "whole"
    write_corpus(corpus, SPEAKERS, 0, max(1, clips // (2 * SPEAKERS)), seconds)
    first, first_s = timed(corpus, out, recipe, jobs)
    speaker = corpus / "Male" / "m000"
    samples, _ = soundfile.read(speaker / "m000_0.wav")
    soundfile.write(speaker / "a_new_one.wav", samples[::-1], RATE)
    grown, grown_s = timed(corpus, out, recipe, jobs)
    fresh, whole_s = timed(corpus, whole, recipe, jobs)
    half = extract(tutorial_folders(corpus)[::2], folder / "before", jobs, recipe=recipe_named(recipe)).clips
    expected, same, found = contents(whole), 0, []
    for copy in killed(folder, corpus, recipe, jobs, kills):
        found.append(extracted(corpus, copy, recipe, jobs).kept - half)
        same += contents(copy) == expected
    return {
        "recipe": recipe, "clips": first.clips, "all": fresh.clips, "half": half, "first_s": first_s, "grown_s": grown_s,
        "whole_s": whole_s, "measured": grown.measured, "kept": grown.kept, "same": contents(out) == expected,
        "kills": kills, "survived": same, "found": [min(found, default=0), max(found, default=0)],
    }  # fmt: skip


def timed(corpus: Path, out: Path, recipe: str, jobs: int) -> tuple[Extraction, float]:
    """An extraction and how many seconds it took."""
    began = time.perf_counter()
    return extracted(corpus, out, recipe, jobs), time.perf_counter() - began


def extracted(corpus: Path, out: Path, recipe: str, jobs: int) -> Extraction:
    """The clips of the corpus, measured into `out`."""
    return extract(tutorial_folders(corpus), out, jobs, recipe=recipe_named(recipe))


def killed(folder: Path, corpus: Path, recipe: str, jobs: int, kills: int) -> Iterator[Path]:
    """Copies of the store in `folder`/before whose growth was killed at random moments, half of them in its last third."""
    rng, longest_s = random.Random(0), math.inf
    for number in range(kills):
        share = rng.uniform((0.0, 0.67)[number % 2], 1.0)
        complete = True
        while complete:  # the first is not killed, and tells how long it takes; and so does one that was faster
            copy = folder / f"killed-{number}"
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(folder / "before", copy)  # with the files' times, which say when their clips were measured
            complete, ran_s = grown_apart(
                corpus, copy, recipe, jobs, None if longest_s == math.inf else share * longest_s
            )
            longest_s = min(longest_s, ran_s) if complete else longest_s
        yield copy


def grown_apart(corpus: Path, out: Path, recipe: str, jobs: int, after_s: float | None) -> tuple[bool, float]:
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
