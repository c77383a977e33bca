"""How fast clips become features here, and whether memory stays flat: `python -m experiments.voices.extraction_speed DATA`.

DATA is any corpus that `lstm-engine features` reads. It is cut into windows as long as the tutorial's clips on average, and
again into windows that begin elsewhere, until there are enough; the figures are carried over to the tutorial's corpus.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

from features import corpora
from features.extraction import extract
from features.recipes import Recipe, recipe_named

TUTORIAL_CLIPS, TUTORIAL_HOURS = 7_942, 11.7
CLIP_S, LEAST_S = 5.3, 4.0  # 11.7 h in 7,942 clips are 5.3 s each
RECIPES = {"frames": {}, "frames, pyin": {"pitch": "pyin"}, "tutorial": {}}


@dataclass
class Speed:
    """One extraction: clips and hours of sound in `seconds`, and of all its processes the seconds of a core and the MiB.

    Where something else runs beside it, `seconds` say more of that; `cpu_s` over the cores is what it takes alone.
    """

    recipe: str
    jobs: int
    clips: int
    hours: float
    seconds: float
    cpu_s: float
    mib_at_quarter: float
    mib_at_end: float

    @property
    def times_real_time(self) -> float:
        return self.hours * 3600 / self.seconds

    @property
    def tutorial_minutes(self) -> float:
        """What the tutorial's corpus would take, by its clips or by its hours, whichever is more."""
        return max(TUTORIAL_CLIPS / self.clips, TUTORIAL_HOURS / self.hours) * self.seconds / 60

    def as_json(self) -> dict[str, Any]:
        return vars(self) | {"times_real_time": self.times_real_time, "tutorial_minutes": self.tutorial_minutes}


def speed(data: str | Path, name: str, hours: float = 1.0, jobs: int = 2, corpus: str | None = None) -> Speed:
    """Extract at least so many hours of windows of a corpus into a folder that is then thrown away."""
    clips = enough(data, hours, corpus)
    recipe = recipe_named(name.split(",")[0], **RECIPES[name])
    return timed(recipe, clips, jobs, name)


def timed(recipe: Recipe, clips: list[corpora.Utterance], jobs: int, name: str) -> Speed:
    used: dict[int, tuple[float, float]] = {}

    def look(done: int, total: int, seconds: float) -> None:
        if done in (total // 4, total):
            used[done] = resources()

    with tempfile.TemporaryDirectory() as out:
        before, _ = resources()
        began = time.perf_counter()
        made = extract(clips, out, jobs, look, recipe=recipe)
        seconds = time.perf_counter() - began
    (_, quarter), (after, end) = used[len(clips) // 4], used[len(clips)]
    return Speed(name, jobs, made.clips, made.seconds / 3600, seconds, after - before, quarter, end)


def enough(data: str | Path, hours: float, corpus: str | None = None) -> list[corpora.Utterance]:
    """Windows of a corpus, each time beginning half a second later, until they last so many hours."""
    kind, place = corpora.detect(data, corpus)
    whole, clips = kind.read(place), []
    for k in count():
        later = [replace(u, start_s=u.start_s + 0.5 * k) for u in whole]
        cut = [u for u in corpora.windows(later, CLIP_S, LEAST_S) if u.end_s and u.end_s - u.start_s >= LEAST_S]
        if not cut:
            raise ValueError(f"{data}: there are no {hours:g} h of sound in clips of at least {LEAST_S:g} s")
        clips += cut
        if sum(u.end_s - u.start_s for u in clips if u.end_s) >= 3600 * hours:
            return clips


def resources() -> tuple[float, float]:
    """Seconds of a core used so far and MiB held by this process and all that descend from it; needs Linux's /proc."""
    parents, used = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()  # from field 3 of proc(5) on
            pages = int((folder / "statm").read_text().split()[1])
        except (OSError, IndexError):  # it ended meanwhile
            continue
        parents[folder.name] = fields[1]
        used[folder.name] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), pages
    family = {str(os.getpid())}
    while more := {process for process, parent in parents.items() if parent in family} - family:
        family |= more
    cpu_s, pages = (sum(used[process][k] for process in family & used.keys()) for k in (0, 1))
    return cpu_s, pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    """Prints a line a recipe: speed, what the tutorial's corpus would take, and memory after a quarter and at the end."""
    parser = argparse.ArgumentParser(prog="python -m experiments.voices.extraction_speed", description=main.__doc__)
    parser.add_argument("data", help="a corpus that `lstm-engine features` reads")
    parser.add_argument("--corpus", help="what DATA is, where it could be more than one, as for `features`")
    parser.add_argument("--recipe", choices=list(RECIPES), action="append", help="frames and tutorial when not given")
    parser.add_argument("--hours", type=float, default=1.0, help="of sound, at least")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    try:
        for name in options.recipe or ["frames", "tutorial"]:
            found = speed(options.data, name, options.hours, options.jobs, options.corpus)
            print(json.dumps(found.as_json()) if options.json else words(found), flush=True)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


def words(found: Speed) -> str:
    return (
        f"{found.recipe}: {found.clips} clips, {found.hours:.2f} h, in {found.seconds:.1f} s by {found.jobs} workers "
        f"({found.cpu_s:.1f} s of a core): "
        f"{found.times_real_time:.0f} x real time, {TUTORIAL_CLIPS:,} clips of {TUTORIAL_HOURS} h in "
        f"{found.tutorial_minutes:.1f} minutes; {found.mib_at_quarter:.0f} MiB after a quarter, {found.mib_at_end:.0f} MiB "
        "at the end, all processes together"
    )


if __name__ == "__main__":
    main()
