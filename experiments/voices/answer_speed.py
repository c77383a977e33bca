"""How long `lstm-engine predict` takes for a short recording: new processes, from their start to their end.

`python -m experiments.voices.answer_speed` makes a synthetic voice, or takes the recording that is named, and answers on one
thread. The first answer is not counted: it may compile kernels, and brings the files into the system's cache.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import soundfile as sf

from features import synth

ONE_THREAD = dict.fromkeys(("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def answer_times(file: str | Path, runs: int = 7) -> list[dict[str, float]]:
    """For each run the wall-clock time `wall_s` and the processor's time `cpu_s`, in s, of one answer in a new process."""
    command = [sys.executable, "-m", "experiments.cli", "predict", str(file), "--json"]
    times = []
    for _ in range(1 + runs):
        used, began = _used(), time.perf_counter()
        subprocess.run(command, env=os.environ | ONE_THREAD, stdout=subprocess.DEVNULL, check=True)
        times.append({"wall_s": time.perf_counter() - began, "cpu_s": _used() - used})
    return times[1:]


def _used() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


def voice(path: Path, seconds: float) -> Path:
    """Write a synthetic voice of so many seconds."""
    rng = np.random.default_rng(0)
    sf.write(path, synth.speak(synth.draw_speaker("female", "one", rng), seconds, rng), synth.RATE)
    return path


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recording", nargs="?", help="by default a synthetic voice")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of the synthetic voice")
    parser.add_argument("--runs", type=int, default=7)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        file = chosen.recording or voice(Path(folder) / "voice.wav", chosen.seconds)
        times = answer_times(file, chosen.runs)
    medians = {name: round(median(run[name] for run in times), 2) for name in times[0]}
    result = medians | {"lowest_wall_s": round(min(run["wall_s"] for run in times), 2), "runs": len(times)}
    print(json.dumps(result))
    return result


if __name__ == "__main__":
    main()
