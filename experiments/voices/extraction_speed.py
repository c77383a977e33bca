"""How fast this machine extracts features, and whether memory grows.

`python -m experiments.voices.extraction_speed DATA`: DATA is a corpus that `lstm-engine features` reads. It is cut into
windows of the tutorial's average clip length, again and again with other starts, until they last long enough; from the
result, the time for the tutorial's whole corpus is estimated.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from experiments.voices.measure import corpus_source
from features import corpora
from features.extraction import extract
from features.recipes import recipe_named

TUTORIAL_CLIPS, TUTORIAL_HOURS = 7_942, 11.7
CLIP_S, LEAST_S = 5.3, 4.0  # 11.7 h in 7,942 clips are 5.3 s each
WORDS = (
    "{recipe}: {clips} clips, {hours:.2f} h, in {seconds:.1f} s by {jobs} workers ({cpu_s:.1f} CPU s): "
    f"{{times_real_time:.0f}} x real time, so {TUTORIAL_CLIPS:,} clips ({TUTORIAL_HOURS} h) take about "
    "{tutorial_minutes:.1f} minutes; {mib_at_quarter:.0f} MiB after a quarter, {mib_at_end:.0f} MiB at the end, "
    "all processes together"
)
RECIPES = {"frames": {}, "frames, pyin": {"pitch": "pyin"}, "tutorial": {}}


def speed(data: str | Path, name: str, hours: float = 1.0, jobs: int = 2, corpus: str | None = None) -> dict[str, Any]:
    """Extract windows of a corpus, at least `hours` of them, into a temporary folder; returns JSON values.

    seconds: wall time; cpu_s, mib_...: of all its processes. If other programs run at the same time, `seconds` grows with
    their load; `cpu_s` hardly does. tutorial_minutes: an estimate by clips or by hours, whichever is more.
    """
    clips, recipe = enough(data, hours, corpus), recipe_named(name.split(",")[0], **RECIPES[name])
    used: dict[int, tuple[float, float]] = {}

    def note(done: int, total: int, seconds: float) -> None:
        if done in (total // 4, total):
            used[done] = resources()

    with tempfile.TemporaryDirectory() as out:
        before, _ = resources()
        began = time.perf_counter()
        extraction = extract(clips, out, jobs, note, recipe=recipe)
        seconds = time.perf_counter() - began
    (_, quarter), (after, end) = used[len(clips) // 4], used[len(clips)]
    hours = extraction.seconds / 3600
    return {
        "recipe": name,
        "jobs": jobs,
        "clips": extraction.clips,
        "hours": hours,
        "seconds": seconds,
        "cpu_s": after - before,
        "mib_at_quarter": quarter,
        "mib_at_end": end,
        "times_real_time": extraction.seconds / seconds,
        "tutorial_minutes": max(TUTORIAL_CLIPS / extraction.clips, TUTORIAL_HOURS / hours) * seconds / 60,
    }


def enough(data: str | Path, hours: float, corpus: str | None = None) -> list[corpora.Utterance]:
    """Windows of a corpus that last `hours` together, cut again and again, half a second later each time."""
    whole, clips = corpus_source(data, corpus).clips, []
    for k in count():
        later = [replace(u, start_s=u.start_s + 0.5 * k) for u in whole]
        cut = [u for u in corpora.windows(later, CLIP_S, LEAST_S) if u.end_s and u.end_s - u.start_s >= LEAST_S]
        if not cut:
            raise ValueError(f"{data}: there are no {hours:g} h of sound in clips of at least {LEAST_S:g} s")
        clips += cut
        if sum(u.end_s - u.start_s for u in clips if u.end_s) >= 3600 * hours:
            return clips


def resources() -> tuple[float, float]:
    """CPU seconds so far and MiB of this process and all its descendants; needs Linux's /proc."""
    parents, used = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()  # from field 3 of proc(5) on
            pages = int((folder / "statm").read_text().split()[1])
        except (OSError, IndexError):  # the process has ended
            continue
        parents[folder.name] = fields[1]
        used[folder.name] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), pages
    family = {str(os.getpid())}
    while more := {process for process, parent in parents.items() if parent in family} - family:
        family |= more
    cpu_s, pages = (sum(used[process][k] for process in family & used.keys()) for k in (0, 1))
    return cpu_s, pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    """Prints a line a recipe: speed, estimated time for the tutorial's corpus, and memory after a quarter and at the end."""
    parser = argparse.ArgumentParser(prog="python -m experiments.voices.extraction_speed", description=main.__doc__)
    parser.add_argument("data", help="a corpus that `lstm-engine features` reads")
    parser.add_argument("--corpus", help="which corpus DATA is, if it cannot be detected, as for `features`")
    parser.add_argument(
        "--recipe", choices=list(RECIPES), action="append", help="may be repeated; frames and tutorial by default"
    )
    parser.add_argument("--hours", type=float, default=1.0, help="of sound, at least")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    try:
        for name in options.recipe or ["frames", "tutorial"]:
            result = speed(options.data, name, options.hours, options.jobs, options.corpus)
            print(json.dumps(result) if options.json else WORDS.format_map(result), flush=True)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
