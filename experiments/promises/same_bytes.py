"""Does the same command write the same bytes? Train (tables, frames, digits), features and evaluate, again and again:

    python -m experiments.promises.same_bytes                 2 runs x 1, 2 and 4 threads x 3 hash seeds, some ten minutes
    python -m experiments.promises.same_bytes --runs 1 --threads 1 --threads 2 --hash-seeds 1

Each variation has a working folder, a locale and a process for each command of its own; every second run compiles its kernels
anew. Prints a line a file with its SHA-256 and exits 1 if a file differs. surroundings.json is left out: what is in it is
not promised.
"""

import csv
import hashlib
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from experiments.reports.run import SURROUNDINGS
from features.synth import write_corpus

HOUSE = Path(__file__).parents[2]
LOCALES = ("C.UTF-8", "C", "POSIX")
COMMANDS = {  # by the folder that they write; {jobs} workers; they run in this order
    "tables": "features ../inputs/voices --out tables --jobs {jobs}",
    "frames": "features ../inputs/voices --recipe frames --variants 1 --csv --out frames --jobs {jobs}",
    "train_tables": "train tables --out train_tables --epochs 2 --units 8",
    "train_frames": "train frames --out train_frames --epochs 2 --units 8 --keep-epochs",
    "train_digits": "train ../inputs/digits --task digits --target both --out train_digits --epochs 2 --units 8",
    "evaluate": "evaluate --corpus ../inputs/unheard --model train_frames/model.safetensors --out evaluate --jobs {jobs}",
}  # fmt: skip
Variation = tuple[int, int, int]  # run, threads, hash seed


def main(
    out: Annotated[Path | None, typer.Option(help="Folder for all files; by default one that is removed.")] = None,
    runs: Annotated[int, typer.Option(min=1, help="Runs of each variation.")] = 2,
    threads: Annotated[list[int], typer.Option(help="Numbers of threads.")] = [1, 2, 4],  # noqa: B006, typer reads it
    hash_seeds: Annotated[int, typer.Option(min=1, help="How many values of PYTHONHASHSEED.")] = 3,
    cold: Annotated[
        bool, typer.Option("--cold/--warm", help="Whether one run begins without compiled kernels.")
    ] = True,
) -> None:
    """Runs the commands in every variation, and compares every file that they have written."""
    with tempfile.TemporaryDirectory(prefix="same_bytes.") as temporary:
        folder = Path(out or temporary).resolve()
        make_inputs(folder / "inputs")
        variations = list(itertools.product(range(runs), threads, range(hash_seeds)))
        hashes = {}
        for n, variation in enumerate(variations):
            print(f"{n + 1} of {len(variations)}: run {variation[0] + 1}, {variation[1]} threads, "
                  f"PYTHONHASHSEED={variation[2]}", file=sys.stderr, flush=True)  # fmt: skip
            hashes[variation] = hashes_after(variation, folder, cold and n == len(variations) - 1)
    differing = report(hashes)
    raise typer.Exit(1 if differing else 0)


def make_inputs(folder: Path) -> None:
    """Synthetic voices to learn from, others to judge by, and made-up digits, in their corpora's formats."""
    write_corpus(folder / "voices", speakers=4, test_speakers=2, clips=2, seconds=2.0)
    write_corpus(folder / "others", speakers=3, test_speakers=0, clips=2, seconds=2.0, seed=1)
    for path in sorted((folder / "others").glob("*/*/*.wav")):  # as other speakers, since evaluate refuses known ones
        target = folder / "unheard" / path.parts[-3] / f"new_{path.parts[-2]}" / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    digits, rng = folder / "digits", np.random.default_rng(0)
    digits.mkdir()
    clips = [rng.standard_normal((rng.integers(4, 12), 13)).astype("float32") for _ in range(12 * 10)]
    np.savez(digits / "sad.npz", frames=np.concatenate(clips), offsets=np.cumsum([0, *map(len, clips)]))
    with (digits / "metadata.csv").open("w", newline="") as file:
        rows = ([f"s{n // 10:02}", ("female", "male")[n // 10 % 2], "train" if n < 80 else "test", n % 10]
                for n in range(len(clips)))  # fmt: skip
        csv.writer(file).writerows([["speaker", "sex", "split", "digit"], *rows])


def hashes_after(variation: Variation, folder: Path, cold: bool = False) -> dict[str, str]:
    """Runs every command in a working folder of the variation, removes it, and returns SHA-256 by file and by output."""
    run, threads, seed = variation
    place = folder / f"run {run}, {threads} threads, {seed}"
    place.mkdir()
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(HOUSE), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "PYTHONHASHSEED": str(seed),
        "LC_ALL": LOCALES[seed % len(LOCALES)],
        **dict.fromkeys(("NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads)),
    }  # fmt: skip
    if cold:
        environment["NUMBA_CACHE_DIR"] = str(folder / "kernels")
    hashes = {}
    for name, words in COMMANDS.items():
        output = run_command(words.format(jobs=min(threads, 2)).split(), place, environment)
        hashes |= {f"{name}, what it prints": digest(output)}
    hashes |= dict(hashes_of(place))
    shutil.rmtree(place)
    return dict(sorted(hashes.items()))


def run_command(words: list[str], place: Path, environment: Mapping[str, str]) -> bytes:
    """The JSON that a command prints, without its timings. RuntimeError, with its words, if it fails."""
    command = [sys.executable, "-P", "-m", "experiments.cli", *words, "--json"]
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)} in {place} ended with {done.returncode}: {done.stderr.decode()}")
    return json.dumps(without_timings(json.loads(done.stdout)), sort_keys=True).encode()


def without_timings(result: Any) -> Any:
    if isinstance(result, dict):
        return {key: without_timings(value) for key, value in result.items() if key not in ("seconds", "took_s")}
    return [without_timings(value) for value in result] if isinstance(result, list) else result


def hashes_of(folder: Path) -> Iterator[tuple[str, str]]:
    """(path in the folder, SHA-256) of every file but the surroundings."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != SURROUNDINGS:
            yield path.relative_to(folder).as_posix(), digest(path.read_bytes())


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def report(hashes: Mapping[Variation, dict[str, str]]) -> list[str]:
    """Prints a line a file; returns the files whose bytes are not the same in all variations."""
    files, differing = sorted(set().union(*hashes.values())), []
    for file in files:
        found = [of_run.get(file, "missing") for of_run in hashes.values()]
        if len(set(found)) > 1:
            differing.append(file)
        print(
            f"{'same  ' if len(set(found)) == 1 else 'DIFFER'}  {' '.join(dict.fromkeys(h[:16] for h in found))}  {file}"
        )
    print(f"{len(files) - len(differing)} of {len(files)} files have the same SHA-256 in all {len(hashes)} variations")
    return differing


if __name__ == "__main__":
    typer.run(main)
