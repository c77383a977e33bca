"""Measure a list of clips into a folder: a store with the numbers of all clips, and the tables that are made from it.

For the command `features`. The contract: a bad clip becomes a line with its reason, never a row, and does not stop the
others; the bytes are the same for any number of workers, and however often the extraction was interrupted and resumed;
files that were made with other settings are overwritten only on request.
"""

import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path

from features import export, store
from features.clips import VARIANTS, variant_folder
from features.corpora import Utterance
from features.measuring import Measured, measure_all, state_of
from features.recipes import TUTORIAL, Recipe, variant_of
from features.store import CLIPS_PER_SHARD, Entry, Shard
from features.whole_files import sweep

Progress = Callable[[int, int, float], None]


@dataclass(frozen=True)
class Extraction:
    """What the folder `out` holds after an extraction.

    rows: clips in each table, by its file name. failed: (path, reason, message) of each clip that could not be measured.
    clips: how many there are, of which `measured` were measured by this run and the others by an earlier one. seconds: of
    sound in the measured clips. failed_variants: as `failed`, of clips that were measured but not in every variant.
    """

    out: Path
    rows: dict[str, int]
    failed: list[tuple[str, str, str]]
    clips: int
    measured: int
    seconds: float
    failed_variants: list[tuple[str, str, str]] = field(default_factory=list)


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
    variants: int = 0,
) -> Extraction:
    """Measure every utterance by the recipe into the folder `out`: a store (see `store`), and tables (see `export`).

    If `out` holds an extraction of the same clips by the same recipe, it is resumed: a clip is measured again only if its
    recording has changed since, or if it failed and `retry_failed` is set. `force` removes what is there and starts anew.
    jobs: number of worker processes, -1 for one per core. `progress(done, total, seconds)` is called at the start and after
    each clip; `seconds` is the sound measured by this run. `say(text)` is called with what an earlier run left. csv: write
    tables of frames too; the tutorial's tables are always written. corpus: where the speakers' names come from
    (`corpora.names_of`). variants: also measure so many randomly changed copies of each clip, for training, into
    `out`/variants/1, 2, ... (recipe `frames` only; `clips.read_variants` reads them; `progress` counts the copies too).

    Raises FileExistsError if `out` holds anything else, and ValueError if no clip is left, or for the tutorial's tables
    no clip of one sex.
    """
    recipes = [recipe, *(variant_of(recipe, number) for number in range(1, 1 + variants))]
    clips = sorted(utterances, key=_place)
    export.check_sexes(recipe.name, clips, "there is")
    if force:
        shutil.rmtree(Path(out) / VARIANTS, ignore_errors=True)
    sound_s = [0.0] * len(recipes)  # measured by this run, by each of the recipes

    def extract_one(number: int, csv: bool, say: Callable[[str], None]) -> Extraction:
        def count(done: int, total: int, seconds: float) -> None:
            sound_s[number] = seconds
            progress(number * total + done, len(recipes) * total, sum(sound_s))

        folder = variant_folder(out, number)
        return _extract(clips, folder, jobs, count, force, recipes[number], csv, retry_failed, say, corpus)

    result = extract_one(0, csv, say)
    changed = [extract_one(number, False, lambda text: None) for number in range(1, 1 + variants)]
    failed = {clip for variant in changed for clip in variant.failed}
    return replace(result, failed_variants=sorted(failed.difference(result.failed)))


def _extract(
    clips: list[Utterance], out: Path, jobs: int, progress: Progress, force: bool, recipe: Recipe, csv: bool,
    retry_failed: bool, say: Callable[[str], None], corpus: str,
) -> Extraction:  # fmt: skip
    """Measure the clips (sorted by `_place`) by one recipe into one folder. `failed_variants` of the result is empty."""
    root = Path(os.path.commonpath({os.path.dirname(os.path.abspath(clip.path)) for clip in clips}))
    header = store.header_of(recipe, (_relative(clip, root) for clip in clips), corpus)
    started_ns = time.time_ns()
    _prepare(out, header, force)
    pending = _pending(out, clips, header, retry_failed)
    tables = csv or recipe.name == "tutorial"
    if not pending and export.is_complete(out, tables):
        say(f"nothing to do: all {len(clips)} clips are there, and no recording has changed since")
    else:
        if pending and len(pending) < len(clips):
            say(f"resuming: {len(clips) - len(pending)} of {len(clips)} clips are there, {len(pending)} to measure")
        export.remove(out)  # tables of an earlier state of the store must not lie beside it
        if pending:
            _measure_into_shards(out, started_ns, header, clips, root, pending, recipe, jobs, progress)
        store.write_manifest(out, header)
        export.write_tables(store.open_store(out), tables)
    return _extraction_in(store.open_store(out), measured=len(pending))


def _place(clip: Utterance) -> tuple[str, float, float]:
    return clip.path.as_posix(), clip.start_s, -1.0 if clip.end_s is None else clip.end_s


def _relative(clip: Utterance, root: Path) -> Utterance:
    """The clip with its path relative to `root`, the folder that holds all clips: no absolute path gets into a table."""
    return replace(clip, path=Path(os.path.abspath(clip.path)).relative_to(root))


def _prepare(out: Path, header: dict, force: bool) -> None:
    """Create the folder `out`, or check that the extraction in it has the same header; `force` removes that extraction.

    Raises FileExistsError if the folder holds anything else.
    """
    out.mkdir(parents=True, exist_ok=True)
    if force:
        export.remove(out)
        shutil.rmtree(out / store.SHARDS, ignore_errors=True)
    existing = store.find_header(out)
    if existing is not None and (differences := store.header_differences(existing, header)):
        raise FileExistsError(
            f"{out} holds an extraction with other settings (there and now: {'; '.join(differences)}): choose another "
            "folder, or replace it with --force"
        )
    if existing is None and (files := export.existing(out)):
        raise FileExistsError(f"{files[0]} exists: choose another folder, or replace the earlier run with --force")
    (out / store.SHARDS).mkdir(exist_ok=True)
    for folder in (out, out / store.SHARDS):
        sweep(folder)


def _pending(out: Path, clips: list[Utterance], header: dict, retry_failed: bool) -> list[int]:
    """Numbers of the clips to measure: those in no shard, changed since, or failed and to be retried."""
    pending = []
    for number in range(store.shard_count(header)):
        first = number * CLIPS_PER_SHARD
        inside = clips[first : first + CLIPS_PER_SHARD]
        try:
            shard = store.read_shard(out, number)
            started_ns = store.shard_path(out, number).stat().st_mtime_ns  # see `write_shard`
        except (FileNotFoundError, ValueError):
            shard = None
        if shard is None or shard.header != header:
            pending += range(first, first + len(inside))
            continue
        for k, (clip, entry) in enumerate(zip(inside, shard.entries, strict=True)):
            size, changed = state_of(clip.path)
            if size != entry.bytes or changed > started_ns or (retry_failed and entry.status != "ok"):
                pending.append(first + k)
    return pending


def _measure_into_shards(
    out: Path, started_ns: int, header: dict, clips: list[Utterance], root: Path, pending: list[int],
    recipe: Recipe, jobs: int, progress: Progress,
) -> None:  # fmt: skip
    """Measure the clips with the numbers `pending`; write each shard as soon as its last clip is measured."""
    remaining = Counter(number // CLIPS_PER_SHARD for number in pending)  # clips to measure, by shard
    results: dict[int, dict[int, Measured]] = {}  # of unfinished shards: at most one, and one more for each worker
    done, seconds = len(clips) - len(pending), 0.0
    progress(done, len(clips), seconds)
    with closing(measure_all(recipe, [clips[number] for number in pending], jobs)) as measured:
        for k, result in measured:
            shard = pending[k] // CLIPS_PER_SHARD
            results.setdefault(shard, {})[pending[k]] = result
            remaining[shard] -= 1
            if not remaining[shard]:
                _write_shard(out, started_ns, shard, header, clips, root, results.pop(shard))
            done, seconds = done + 1, seconds + (result.seconds or 0.0)
            progress(done, len(clips), seconds)


def _write_shard(
    out: Path,
    started_ns: int,
    shard: int,
    header: dict,
    clips: list[Utterance],
    root: Path,
    results: dict[int, Measured],
) -> None:
    """Write the shard with these results; its other clips keep their earlier ones."""
    numbers = range(shard * CLIPS_PER_SHARD, min((shard + 1) * CLIPS_PER_SHARD, len(clips)))
    earlier = {}
    if len(results) < len(numbers):
        earlier = dict(zip(numbers, store.read_shard(out, shard).clips(), strict=True))
    entries, frames = [], []
    for number in numbers:
        if number in results:
            result = results[number]
            rows = result.frames
            path, *rest = astuple(_relative(clips[number], root))
            entry = Entry(
                path.as_posix(), *rest, result.bytes, "failed" if rows is None else "ok", result.reason, result.message,
                result.seconds, result.sha256, shard, None,
            )  # fmt: skip
        else:
            entry, rows = earlier[number]
        entries.append(replace(entry, index=None if rows is None else len(frames)))
        if rows is not None:
            frames.append(rows)
    store.write_shard(out, shard, Shard(header, entries, frames), started_ns)


def _extraction_in(finished: store.Store, measured: int) -> Extraction:
    seconds, failed, clips = 0.0, [], 0
    for entry in finished.manifest:
        clips += 1
        if entry.status == "ok":
            seconds += entry.seconds or 0.0
        else:
            failed.append((entry.path, entry.reason or "", entry.message or ""))
    return Extraction(finished.folder, export.counts(finished), failed, clips, measured, seconds)
