"""Measure a list of clips into a folder: a store with the numbers of all clips, and the tables that are made from it.

For the command `features`. The contract: a bad clip becomes a line with its reason, never a row, and does not stop the
others; the bytes are the same for any number of workers, however often the extraction was interrupted, and whatever part of
the clips was in the store before; files that were made with other settings are overwritten only on request.
"""

import errno
import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path

import numpy as np

from features import export, store, unfinished
from features.audio import shown
from features.clips import VARIANTS, variant_folder, variants_in
from features.corpora import Utterance
from features.kept import Kept, find
from features.measuring import Measured, measure_all
from features.recipes import TUTORIAL, Recipe, variant_of
from features.store import Entry
from features.whole_files import alone_in, sweep

Progress = Callable[[int, int, float], None]


class Stopped(KeyboardInterrupt):
    """Ctrl-C during an extraction; the text says what is kept, and how to go on."""


@dataclass(frozen=True)
class Extraction:
    """What the folder `out` holds after an extraction.

    rows: clips in each table, by its file name. failed: (path, reason, message) of each clip that could not be measured.
    clips: how many there are, of which `measured` were measured by this run and `kept` by an earlier one. seconds: of sound
    in all of them. failed_variants: as `failed`, of clips that were measured but not in every variant. gone: clips that were
    in the store and are no longer in the list. relabelled: kept clips with another speaker, sex or split.
    """

    out: Path
    rows: dict[str, int]
    failed: list[tuple[str, str, str]]
    clips: int
    measured: int
    seconds: float
    failed_variants: list[tuple[str, str, str]] = field(default_factory=list)
    gone: int = 0
    relabelled: int = 0

    @property
    def kept(self) -> int:
        """Clips that an earlier run has measured."""
        return self.clips - self.measured


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

    If `out` holds clips by the same recipe, finished or not, those that are in the list stay and the others leave: a clip is
    measured again only if its recording has changed since, or if it failed and `retry_failed` is set. Until all is done, the
    store and the tables in `out` stay as they were. `force` removes what is there and starts anew.
    jobs: number of worker processes, -1 for one per core. `progress(done, total, seconds)` is called at the start and after
    each clip; `seconds` is the sound measured by this run. `say(text)` is called with what an earlier run left. csv: write
    tables of frames too; the tutorial's tables are always written. corpus: where the speakers' names come from
    (`corpora.names_of`). variants: also measure so many randomly changed copies of each clip, for training, into
    `out`/variants/1, 2, ... (recipe `frames` only; `clips.read_variants` reads them; `progress` counts the copies too).
    Variants that are there already get the same clips.

    Raises FileExistsError if `out` holds anything else, such as another list without a clip in common; BlockingIOError while
    another process writes into `out`; Stopped on Ctrl-C; OSError, with what to do, if the disk is full; ValueError if no clip
    is left, or for the tutorial's tables no clip of one sex.
    """
    there = [] if force or recipe.name != "frames" else variants_in(out)
    numbers = sorted({*range(1, 1 + variants), *there})
    recipes = [recipe, *(variant_of(recipe, number) for number in numbers)]
    clips = sorted(utterances, key=_place)
    export.check_sexes(recipe.name, clips, "there is")
    if force:
        shutil.rmtree(Path(out) / VARIANTS, ignore_errors=True)
    sound_s = [0.0] * len(recipes)  # measured by this run, by each of the recipes
    done = 0  # clips, each counted once for every recipe

    def extract_one(number: int, folder: Path, csv: bool, say: Callable[[str], None]) -> Extraction:
        def count(done_here: int, total: int, seconds: float) -> None:
            nonlocal done
            sound_s[number], done = seconds, number * total + done_here
            progress(done, len(recipes) * total, sum(sound_s))

        return _extract(clips, folder, jobs, count, force, recipes[number], csv, retry_failed, say, corpus)

    try:
        result = extract_one(0, Path(out), csv, say)
        changed = [
            extract_one(k, variant_folder(out, number), False, lambda text: None) for k, number in enumerate(numbers, 1)
        ]
    except KeyboardInterrupt:
        raise Stopped(_words_when_stopped(Path(out), done, len(clips), len(numbers), force)) from None
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        again = "the same command without --force" if force else "the same command"
        words = (
            f"the disk of {out} is full: what is measured is kept there. Make room for the store and its next version"
        )
        raise OSError(f"{words}; {again} goes on") from error
    failed = {clip for variant in changed for clip in variant.failed}
    return replace(result, failed_variants=sorted(failed.difference(result.failed)))


def _words_when_stopped(out: Path, done: int, clips: int, variants: int, force: bool) -> str:
    """done: results that are there, of so many clips and as many for each variant."""
    total = clips * (1 + variants)
    what = f"clips, each counted {1 + variants} times for its variants," if variants else "clips"
    again = "the same command without --force" if force else "the same command"
    rest = "measures the rest" if done < total else "finishes the files"
    words = f"stopped: {done} of {total} {what} are measured and kept in {out}; {again} {rest}"
    words = words if done else f"stopped before a clip was measured; {again} goes on"
    with suppress(FileNotFoundError, ValueError):
        if done <= clips:
            before = store.open_store(out).header["clips"]
            words += f". Until then {out} holds the {before} clips of the last complete run"
    return words


def _extract(
    clips: list[Utterance], out: Path, jobs: int, progress: Progress, force: bool, recipe: Recipe, csv: bool,
    retry_failed: bool, say: Callable[[str], None], corpus: str,
) -> Extraction:  # fmt: skip
    """Measure the clips (sorted by `_place`) by one recipe into one folder. `failed_variants` of the result is empty."""
    root = _root(clips)
    header = store.header_of(recipe, (_relative(clip, root) for clip in clips), corpus)
    tables = csv or recipe.name == "tutorial"
    out.mkdir(parents=True, exist_ok=True)
    with alone_in(out):
        started_ns = time.time_ns()  # before it is looked which recordings have changed
        if force:
            _remove(out)
        kept = _kept(out, header, clips, root, retry_failed)
        pending = kept.missing()
        if not pending and _is_in_place(out, header, kept):
            if export.is_complete(out, tables):
                say(f"nothing to do: all {len(clips)} clips are there, and no recording has changed since")
            else:
                store.write_manifest(out, header)
                export.write_tables(store.open_store(out), tables)
        else:
            _say_what_is_there(out, kept, pending, tables, say)
            run = out / store.UNFINISHED / str(started_ns)
            with unfinished.Results(run / "results", header, started_ns, kept) as results:
                _measure(results, clips, root, pending, recipe, jobs, progress)
            _write_store(run / "store", header, clips, root, kept, started_ns)
            export.write_tables(store.open_store(run / "store"), tables)
            unfinished.put_in_place(run / "store", out)
        unfinished.remove(out)
        result = _extraction_in(store.open_store(out), measured=len(pending))
    return replace(result, gone=len(kept.gone), relabelled=len(kept.relabelled))


def _remove(out: Path) -> None:
    """Remove the extraction in `out`, with its tables."""
    export.remove(out)
    shutil.rmtree(out / store.SHARDS, ignore_errors=True)
    unfinished.remove(out)


def _kept(out: Path, header: dict, clips: list[Utterance], root: Path, retry_failed: bool) -> Kept:
    """What `out` holds of the clips. FileExistsError if it holds anything else: other settings, no clip of the list."""
    lists = _lists(out)
    headers = [one for one, _ in lists]
    with suppress(FileNotFoundError, ValueError):
        headers.append(store.open_store(out).header)
    for one in headers:
        if differences := store.header_differences(one, header):
            raise FileExistsError(_refusal(out, "; ".join(differences)))
    if not headers and (there := export.existing(out)):
        raise FileExistsError(f"{there[0]} exists: choose another folder, or replace the earlier run with --force")
    relative = [_relative_path(clip.path, root) for clip in clips] if lists else []
    kept = find(lists, header, clips, relative, retry_failed)
    if kept.measured and len(kept.missing()) == len(clips) and (header not in headers or kept.foreign):
        other = f"another list of clips ({headers[-1].get('clips')} and {header['clips']} of them)"
        raise FileExistsError(_refusal(out, "other recordings of the same names" if kept.foreign else other))
    for folder in (out, out / store.SHARDS):
        sweep(folder)
    unfinished.clean(out, kept)
    return kept


def _refusal(out: Path, differences: str) -> str:
    return (
        f"{out} holds an extraction with other settings (there and now: {differences}): choose another folder, or replace it "
        "with --force"
    )


def _lists(out: Path) -> list[tuple[dict, list[Path]]]:
    """(header, files with results) of each list of clips of which the folder holds results."""
    lists: dict[str, tuple[dict, list[Path]]] = {}
    for path in unfinished.files(out):
        with suppress(ValueError):  # a damaged file
            header = store.read_header(path)
            lists.setdefault(json.dumps(header), (header, []))[1].append(path)
    return list(lists.values())


def _is_in_place(out: Path, header: dict, kept: Kept) -> bool:
    """Whether the shards of `out` are those of this header, in order, and no other file has a part in it."""
    count, size = store.shard_count(header), int(header["clips_per_shard"])
    files = [store.shard_path(out, number) for number in range(count)]
    return (
        sorted((out / store.SHARDS).glob("*.safetensors")) == files
        and all(kept.files[source] == files[n // size] for n, source in enumerate(kept.sources))
        and bool((kept.places == np.arange(len(kept.places)) % size).all())
        and all(store.read_header(path) == header for path in files)
    )


def _say_what_is_there(out: Path, kept: Kept, pending: list[int], tables: bool, say: Callable[[str], None]) -> None:
    clips = len(kept.sources)
    if len(pending) < clips:
        say(f"resuming: {clips - len(pending)} of {clips} clips are there, {len(pending)} to measure")
    if kept.gone:
        say(f"{len(kept.gone)} that are no longer in the list leave the store")
    if kept.relabelled:
        say(f"{len(kept.relabelled)} have another speaker, sex or part now, and are not measured again for it")
    if not tables and any(path.suffix == ".csv" and path.name != export.FAILED for path in export.existing(out)):
        say("the tables of frames of the earlier clips are removed: --csv writes new ones")


def _measure(
    results: unfinished.Results, clips: list[Utterance], root: Path, pending: list[int], recipe: Recipe, jobs: int,
    progress: Progress,
) -> None:  # fmt: skip
    """Measure the clips with the numbers `pending`."""
    done, seconds = len(clips) - len(pending), 0.0
    progress(done, len(clips), seconds)
    with closing(measure_all(recipe, [clips[number] for number in pending], jobs)) as measured:
        for k, result in measured:
            results.add(pending[k], _entry(_relative(clips[pending[k]], root), result), result.frames)
            done, seconds = done + 1, seconds + (result.seconds or 0.0)
            progress(done, len(clips), seconds)


def _entry(clip: Utterance, result: Measured) -> Entry:
    """The line of a clip, its path relative; the shard that takes it gives it its place."""
    path, *rest = astuple(clip)
    status = "failed" if result.frames is None else "ok"
    numbers = result.bytes, status, result.reason, result.message, result.seconds, result.sha256
    return Entry(path.as_posix(), *rest, *numbers, shard=0, index=None)


def _write_store(new: Path, header: dict, clips: list[Utterance], root: Path, kept: Kept, started_ns: int) -> None:
    """Write the store of all clips, with the paths and labels that they have now, into the folder `new`."""
    (new / store.SHARDS).mkdir(parents=True)
    size = int(header["clips_per_shard"])
    for number in range(store.shard_count(header)):
        inside = range(number * size, min((number + 1) * size, len(clips)))
        results = [
            (replace(entry, **vars(_relative(clips[n], root)) | {"path": _relative_path(clips[n].path, root)}), frames)
            for n, (entry, frames) in zip(inside, kept.results(inside), strict=True)
        ]
        shard = unfinished.shard_of(header, results, number)
        store.write_shard(store.shard_path(new, number), shard, started_ns)
    store.write_manifest(new, header)


def _place(clip: Utterance) -> tuple[str, float, float]:
    return clip.path.as_posix(), clip.start_s, -1.0 if clip.end_s is None else clip.end_s


def names(clips: Sequence[Utterance]) -> list[str]:
    """The paths by which the extraction of these clips names them."""
    root = _root(clips)
    return [_relative_path(clip.path, root) for clip in clips]


def _root(clips: Sequence[Utterance]) -> Path:
    """The folder that holds all clips."""
    return Path(os.path.commonpath({os.path.dirname(os.path.abspath(clip.path)) for clip in clips}))


def _relative(clip: Utterance, root: Path) -> Utterance:
    """The clip with its path relative to `root`, the folder that holds all clips: no absolute path gets into a table."""
    return replace(clip, path=Path(_relative_path(clip.path, root)))


def _relative_path(path: Path, root: Path) -> str:
    return shown(Path(os.path.abspath(path)).relative_to(root).as_posix())


def _extraction_in(finished: store.Store, measured: int) -> Extraction:
    seconds, failed, clips = 0.0, [], 0
    for entry in finished.manifest:
        clips += 1
        if entry.status == "ok":
            seconds += entry.seconds or 0.0
        else:
            failed.append((entry.path, entry.reason or "", entry.message or ""))
    return Extraction(finished.folder, export.counts(finished), failed, clips, measured, seconds)
