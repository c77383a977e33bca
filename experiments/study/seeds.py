"""A study of many trainings: each runs in a process, each result is on disk at once, and after a stop the rest follows.

For the studies of `lstm-engine study`. A `Job` is one training with one seed; its result is a dict of JSON values. `begin`
opens the study's folder and refuses one of other settings, `gather` runs the missing jobs. The digests below stand for
what a result depends on: tasks, clips and files.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed

from experiments.reports.run import CONFIG, Run, differences, record, to_json
from experiments.study.tasks import Task
from features.digits import Digits
from features.processes import set_apart
from features.whole_files import replace_file, sweep
from lstm_engine.backend import one_thread

RESULTS = "results"  # the folder, within a study's, with one file for each job
Result = dict[str, Any]
Update = Callable[[int, int], None]  # takes how many are done, of how many
Stage = Callable[[str], Update]  # begins a part of a study by its name


def silent(title: str) -> Update:
    """A `Stage` that shows nothing."""
    return lambda done, total: None


@dataclass(frozen=True)
class Job:
    """One training: `run(*arguments, seed)` returns its result as a dict of JSON values.

    run is a function of a module, because another process must find it. what names the training within its study; it is
    part of a file's name, so it has only letters, digits, - and .
    """

    what: str
    seed: int
    run: Callable[..., Result]
    arguments: tuple[Any, ...] = ()

    @property
    def file(self) -> str:
        return f"{self.what}-{self.seed}.json"


# -- the folder --------------------------------------------------------------------------------------------------------


def begin(
    out: str | Path, command: str, settings: Mapping[str, Any], force: bool = False, *,
    noted: Mapping[str, Any] | None = None, table: str | None = None, alike: Mapping[str, str] | None = None,
) -> Run:  # fmt: skip
    """The study's folder: a new one, or one that the same command began with the same settings, to be continued.

    settings: everything that a result depends on except its seed, as JSON values, by part of the study. A part that only
    the folder or only this call has is no difference. noted is written beside them, but not compared. alike: values that
    a folder may hold instead of the present ones. FileExistsError for a folder that holds something else. A new study, or
    force, removes the results that were there: the files in results/ and `table`.
    """
    out, config = Path(out), Path(out) / CONFIG
    text = config.read_text(encoding="utf-8") if config.is_file() else "{}"
    for earlier, present in (alike or {}).items():
        text = text.replace(json.dumps(earlier), json.dumps(present))
    before = json.loads(text)
    resumed = before.get("command") == command and not force
    if resumed and (odd := differences(before, record(command, settings), ("settings", "versions"))):
        raise FileExistsError(
            f"{out} holds a study that was made differently (there and now: {'; '.join(odd)}): choose another --out, or "
            "replace it with --force"
        )
    run = Run(out, force or resumed)
    results = run.folder / RESULTS
    if results.is_dir():
        sweep(results)
    if not resumed:
        for old in [*results.glob("*.json"), *(run.folder / name for name in (table, "report.html") if name)]:
            old.unlink(missing_ok=True)
    kept = before.get("settings", {}) if resumed else {}
    run.write_config(command, **(kept | dict(settings) | dict(noted or {})))
    return run


def command_line(name: str, **options: Any) -> str:
    """`lstm-engine NAME --option value ...`: lists repeat the option, True is the bare name, None and False are left out."""
    words = ["lstm-engine", name]
    for option, value in options.items():
        for each in value if isinstance(value, list | tuple) else [value]:
            if each is not None and each is not False:
                words.append(f"--{option.replace('_', '-')}")
                words += [] if each is True else [f"{each:g}" if isinstance(each, float) else str(each)]
    return " ".join(words)


def made_by(numbers: Path, now: str, force: bool = False) -> list[str]:
    """The commands that made a report: those in its JSON file, unless force emptied the folder, and the present one."""
    there = numbers.is_file() and not force
    earlier = json.loads(numbers.read_text(encoding="utf-8")).get("commands", []) if there else []
    return [*(command for command in earlier if command != now), now]


# -- the trainings -----------------------------------------------------------------------------------------------------


def gather(run: Run, jobs: Sequence[Job], workers: int = 1, update: Update = lambda done, total: None) -> list[Result]:
    """The result of every job, in the order of the jobs; runs those that the folder lacks, `workers` at a time.

    Each result is written as soon as it is there, so a stop loses only the trainings that are under way. workers = -1 is
    one for each core. An error in a training ends the study, and is raised here.
    """
    (run.folder / RESULTS).mkdir(parents=True, exist_ok=True)
    results = {job.file: result for job in jobs if (result := read(run, job)) is not None}
    missing = [job for job in jobs if job.file not in results]
    update(len(results), len(jobs))
    parallel = Parallel(n_jobs=workers, return_as="generator_unordered")
    with set_apart():  # with the call the workers start
        finished = parallel(delayed(_work)(str(run.folder / RESULTS), job) for job in missing)
    for file, result in finished:
        results[file] = result
        update(len(results), len(jobs))
    return [results[job.file] for job in jobs]


def _work(folder: str, job: Job) -> tuple[str, Result]:
    """In the worker (with one, the caller's process): on one thread, because the other cores run other trainings."""
    with one_thread():
        text = to_json({"what": job.what, "seed": job.seed} | job.run(*job.arguments, job.seed))
    replace_file(Path(folder) / job.file, text + "\n")
    return job.file, json.loads(text)


def read(run: Run, job: Job) -> Result | None:
    """The result of a job that is done, or None."""
    path = run.folder / RESULTS / job.file
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def standing(out: str | Path, what: str) -> list[Result]:
    """Every result of the training `what` that the folder holds, by seed; none where there is no such folder."""
    files = [path for path in (Path(out) / RESULTS).glob(f"{what}-*.json") if path.stem[len(what) + 1 :].isdigit()]
    return sorted((json.loads(path.read_text(encoding="utf-8")) for path in files), key=lambda result: result["seed"])


# -- what a result depends on ------------------------------------------------------------------------------------------


def digest(parts: Iterable[bytes]) -> str:
    """SHA-256 over all parts, in hexadecimal digits."""
    total = hashlib.sha256()
    for part in parts:
        total.update(part)
    return total.hexdigest()


def digest_of_files(paths: Iterable[Path]) -> str:
    """Of the contents of those files that exist."""
    return digest(hashlib.sha256(path.read_bytes()).digest() for path in paths if path.exists())


def digest_of_task(task: Task) -> str:
    """12 digits that change with what `task.draw` draws, its constants included.

    Made from 8 sequences of one seed, so a change that leaves these as they are is not seen.
    """
    drawn = task.draw(8, np.random.default_rng(0))
    parts = (drawn.x, drawn.lengths.astype("int64"), drawn.y, drawn.possible, drawn.expected)
    return digest(np.ascontiguousarray(part).tobytes() for part in parts if part is not None)[:12]


def digest_of_clips(parts: Iterable[Digits]) -> str:
    """12 digits that change with the clips, their digits and their speakers."""
    return digest(piece for clips in parts for piece in _bytes_of(clips))[:12]


def _bytes_of(clips: Digits) -> Iterable[bytes]:
    yield np.concatenate(clips.sequences).tobytes()
    for column in (clips.digits, clips.sexes, clips.speakers, [len(x) for x in clips.sequences]):
        yield " ".join(map(str, column)).encode()
