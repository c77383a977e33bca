"""From a list of clips to what was measured on disk: a store of all of them, and the tables that are made from it.

For the command `features`. The contract: a bad clip becomes a line with its reason, never a row, and stops no other
clip; the bytes are the same for any number of workers and however often the extraction was stopped and begun again;
nothing that was made with other settings is overwritten unless asked.
"""

import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import astuple, dataclass, replace
from pathlib import Path

from features import export, store
from features.corpora import Utterance
from features.measuring import Measured, measure_all, state_of
from features.recipes import TUTORIAL, Recipe
from features.store import CLIPS_PER_SHARD, Entry, Shard
from features.whole_files import sweep

Progress = Callable[[int, int, float], None]


@dataclass(frozen=True)
class Extraction:
    """What there is now: the clips in every table, the seconds of sound, and (path, reason, message) of what failed.

    `measured` of the `clips` were measured by this run, the others by one before it.
    """

    out: Path
    rows: dict[str, int]
    failed: list[tuple[str, str, str]]
    clips: int
    measured: int
    seconds: float


def extract(
    utterances: Sequence[Utterance],
    out: str | Path,
    jobs: int = 1,
    progress: Progress = lambda done, total, seconds: None,
    force: bool = False,
    recipe: Recipe = TUTORIAL,
    csv: bool = False,
    retry_failed: bool = False,
    say: Callable[[str], None] = lambda text: None,
    corpus: str = "",
) -> Extraction:
    """Measure every utterance by the recipe into the folder `out`: a store (see `store`), and tables (see `export`).

    An extraction of the same clips by the same recipe that stands there is resumed: what it measured stays, unless the
    recording has changed since or, with `retry_failed`, it failed. `force` begins anew. `jobs` workers (-1: one a core);
    `progress(done, total, seconds of sound measured now)` is called at first and after each clip, `say` with what stands
    in `out`. `csv` writes tables of frames too; the tutorial's tables are always written. `corpus`: whose names the
    speakers' are (`corpora.names_of`). Raises FileExistsError for something else in `out`; ValueError when no clip, for
    the tutorial's tables of a sex, is left.
    """
    out = Path(out)
    clips = sorted(utterances, key=_place)
    export.check_sexes(recipe.name, clips, "there is")
    root = Path(os.path.commonpath({os.path.dirname(os.path.abspath(clip.path)) for clip in clips}))
    header = store.header_of(recipe, (_named(clip, root) for clip in clips), corpus)
    begun = time.time_ns()
    _prepare(out, header, force)
    stale = _to_measure(out, clips, header, retry_failed)
    wanted = csv or recipe.name == "tutorial"
    if not stale and export.is_complete(out, wanted):
        say(f"nothing to do: all {len(clips)} clips are there, and no recording has changed since")
    else:
        if stale and len(stale) < len(clips):
            say(f"resuming: {len(clips) - len(stale)} of {len(clips)} clips are there, {len(stale)} to measure")
        export.remove(out)  # what is made from the store must not stand beside another state of it
        if stale:
            _fill(out, begun, header, clips, root, stale, recipe, jobs, progress)
        store.write_manifest(out, header)
        export.write(store.open_store(out), wanted)
    return _told(store.open_store(out), len(stale))


def _place(clip: Utterance) -> tuple[str, float, float]:
    return clip.path.as_posix(), clip.start_s, -1.0 if clip.end_s is None else clip.end_s


def _named(clip: Utterance, root: Path) -> Utterance:
    """The clip with its path relative to the folder that holds all: no machine's own path gets into a table."""
    return replace(clip, path=Path(os.path.abspath(clip.path)).relative_to(root))


def _prepare(out: Path, header: dict, force: bool) -> None:
    """A folder to write into: new, or begun with the same header. FileExistsError for anything else, unless forced."""
    out.mkdir(parents=True, exist_ok=True)
    if force:
        export.remove(out)
        shutil.rmtree(out / store.SHARDS, ignore_errors=True)
    begun = store.begun(out)
    if begun is not None and (words := store.header_differences(begun, header)):
        raise FileExistsError(
            f"{out} holds an extraction that was made differently (there and now: {'; '.join(words)}): choose another "
            "folder, or replace it with --force"
        )
    if begun is None and (standing := export.standing(out)):
        raise FileExistsError(f"{standing[0]} exists: choose another folder, or replace the earlier run with --force")
    (out / store.SHARDS).mkdir(exist_ok=True)
    for folder in (out, out / store.SHARDS):
        sweep(folder)


def _to_measure(out: Path, clips: list[Utterance], header: dict, retry_failed: bool) -> list[int]:
    """Numbers of the clips that are not in a shard, have changed since, or have failed and shall be tried again."""
    stale = []
    for number in range(store.shard_count(header)):
        first = number * CLIPS_PER_SHARD
        inside = clips[first : first + CLIPS_PER_SHARD]
        try:
            shard = store.read_shard(out, number)
            begun = store.shard_path(out, number).stat().st_mtime_ns  # of the run that wrote it, see write_shard
        except (FileNotFoundError, ValueError):
            shard = None
        if shard is None or shard.header != header:
            stale += range(first, first + len(inside))
            continue
        for k, (clip, entry) in enumerate(zip(inside, shard.entries, strict=True)):
            size, changed = state_of(clip.path)
            if size != entry.bytes or changed > begun or (retry_failed and entry.status != "ok"):
                stale.append(first + k)
    return stale


def _fill(
    out: Path, begun: int, header: dict, clips: list[Utterance], root: Path, stale: list[int],
    recipe: Recipe, jobs: int, progress: Progress,
) -> None:  # fmt: skip
    """Measure the clips numbered `stale`, and write each shard once its last one is done."""
    left = Counter(number // CLIPS_PER_SHARD for number in stale)
    results: dict[int, dict[int, Measured]] = {}  # of the shards begun: one, and one more for each worker at most
    done, seconds = len(clips) - len(stale), 0.0
    progress(done, len(clips), seconds)
    with closing(measure_all(recipe, [clips[number] for number in stale], jobs)) as measured:
        for k, result in measured:
            shard = stale[k] // CLIPS_PER_SHARD
            results.setdefault(shard, {})[stale[k]] = result
            left[shard] -= 1
            if not left[shard]:
                _write_shard(out, begun, shard, header, clips, root, results.pop(shard))
            done, seconds = done + 1, seconds + (result.seconds or 0.0)
            progress(done, len(clips), seconds)


def _write_shard(
    out: Path, begun: int, shard: int, header: dict, clips: list[Utterance], root: Path, results: dict[int, Measured]
) -> None:
    """The shard with these results, and for its other clips with what it had."""
    numbers = range(shard * CLIPS_PER_SHARD, min((shard + 1) * CLIPS_PER_SHARD, len(clips)))
    before = (
        {} if len(results) == len(numbers) else dict(zip(numbers, store.read_shard(out, shard).clips(), strict=True))
    )
    entries, frames = [], []
    for number in numbers:
        if number in results:
            result = results[number]
            rows = result.frames
            path, *rest = astuple(_named(clips[number], root))
            entry = Entry(
                path.as_posix(), *rest, result.bytes, "failed" if rows is None else "ok", result.reason, result.message,
                result.seconds, result.sha256, shard, None,
            )  # fmt: skip
        else:
            entry, rows = before[number]
        entries.append(replace(entry, index=None if rows is None else len(frames)))
        if rows is not None:
            frames.append(rows)
    store.write_shard(out, shard, Shard(header, entries, frames), begun)


def _told(made: store.Store, measured: int) -> Extraction:
    seconds, failed, clips = 0.0, [], 0
    for entry in made.manifest:
        clips += 1
        if entry.status == "ok":
            seconds += entry.seconds or 0.0
        else:
            failed.append((entry.path, entry.reason or "", entry.message or ""))
    return Extraction(made.folder, export.counts(made), failed, clips, measured, seconds)
