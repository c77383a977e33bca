"""Runs every lesson without a browser, as a script: python -m experiments.lessons.headless [--full] [--at-once 2]

Their trainings are cut short (LSTM_ENGINE_LESSONS_QUICK=1), unless with --full. Prints the seconds of each lesson and of all
together; exit code 1 if one fails.
"""

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from experiments.lessons import FOLDER, files


def run(file: Path, full: bool) -> tuple[float, str]:
    """The seconds that a lesson takes in a process of its own, and the error, if there is one."""
    environment = os.environ | {"LSTM_ENGINE_LESSONS_QUICK": "0" if full else "1"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(FOLDER.parents[1]), os.environ.get("PYTHONPATH"))))
    began = time.perf_counter()
    done = subprocess.run([sys.executable, file], env=environment, capture_output=True, text=True)
    return time.perf_counter() - began, done.stderr if done.returncode else ""


def main() -> int:
    parser = argparse.ArgumentParser(description="Runs every lesson without a browser and prints the seconds.")
    parser.add_argument("--full", action="store_true", help="whole trainings")
    parser.add_argument("--at-once", type=int, default=2, help="lessons at the same time (default: 2)")
    options = parser.parse_args()
    began, failed = time.perf_counter(), 0
    with ThreadPoolExecutor(options.at_once) as pool:
        for file, (seconds, error) in zip(
            files(), pool.map(lambda file: run(file, options.full), files()), strict=True
        ):
            print(f"{seconds:6.1f} s  {file.stem}{'  FAILED' if error else ''}", flush=True)
            failed += bool(error)
            print(error, end="", file=sys.stderr)
    print(f"{time.perf_counter() - began:6.1f} s  all, {options.at_once} at once")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
