"""A study of many trainings: a process each, every result on disk once it is there, and after a stop the rest.

For the studies of `lstm-engine study`. A `Job` is one training with one seed; its result is a dict of JSON values. `gather`
runs what is missing.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed

from experiments.reports.run import Run, to_json, versions
from experiments.threads import one_thread
from features.whole_files import replace_file, sweep

RESULTS = "results"  # the folder, within a study's, of one file a job
Update = Callable[[int, int], None]  # takes how many are done, of how many
Stage = Callable[[str], Update]  # begins a part of a study by its name


def silent(title: str) -> Update:
    """A `Stage` that shows nothing."""
    return lambda done, total: None


@dataclass(frozen=True)
class Job:
    """One training: `run(*arguments, seed)` gives its result as a dict of JSON values.

    run is a function of a module, since another process must find it. what names the training among those of its study:
    letters, digits, - and . only, for a file is named so.
    """

    what: str
    seed: int
    run: Callable[..., dict[str, Any]]
    arguments: tuple[Any, ...] = ()

    @property
    def file(self) -> str:
        return f"{self.what}-{self.seed}.json"


def begin(out: str | Path, command: str, settings: Mapping[str, Any], force: bool = False) -> Run:
    """The study's folder: a new one, or one that the same command began with the same settings, to go on with.

    settings are all that a result depends on but its seed, as JSON values, by what they are settings of. A part that only
    one of the two has is no difference. FileExistsError for a folder that holds something else; force empties a study's.
    """
    out, asked = Path(out), {"command": command, "settings": dict(settings), "versions": versions()}
    config = out / "config.json"
    there = json.loads(config.read_text(encoding="utf-8")) if config.is_file() else {}
    going_on = there.get("command") == command and not force
    if going_on and (other := _differences(there, json.loads(to_json(asked)))):
        raise FileExistsError(
            f"{out} holds a study that was made differently (there and now: {'; '.join(other)}): choose another --out, or "
            "replace it with --force"
        )
    run = Run(out, force or going_on)
    results = run.folder / RESULTS
    results.mkdir(exist_ok=True)
    sweep(results)
    if not going_on:
        for old in results.glob("*.json"):
            old.unlink()
    kept = there.get("settings", {}) if going_on else {}
    run.write_config(command, **(kept | dict(settings)))
    return run


def _differences(there: dict[str, Any], now: dict[str, Any]) -> list[str]:
    words = []
    for part in ("settings", "versions"):
        old, new = there.get(part, {}), now[part]
        for name in new:
            if name in old and old[name] != new[name]:
                words += _apart(name, old[name], new[name])
    return words


def _apart(name: str, old: Any, new: Any) -> list[str]:
    """Where two JSON values differ, in words."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return [f"{name} {old} and {new}"]
    return [w for k in old | new if old.get(k) != new.get(k) for w in _apart(f"{name} {k}", old.get(k), new.get(k))]


def gather(run: Run, jobs: Sequence[Job], workers: int = 1, update: Update = lambda done, total: None) -> list[dict]:
    """The result of every job, in the order of the jobs; runs those that the folder has not yet, `workers` at a time.

    Each result is on disk as soon as it is there, so that whatever stops a study costs it the trainings under way alone.
    workers = -1 is one a core. An error in one of them ends the study, and is raised here.
    """
    found = {job.file: result for job in jobs if (result := read(run, job)) is not None}
    missing = [job for job in jobs if job.file not in found]
    update(len(found), len(jobs))
    parallel = Parallel(n_jobs=workers, return_as="generator_unordered")
    for file, result in parallel(delayed(_work)(str(run.folder / RESULTS), job) for job in missing):
        found[file] = result
        update(len(found), len(jobs))
    return [found[job.file] for job in jobs]


def read(run: Run, job: Job) -> dict[str, Any] | None:
    """The result of a job that is done, or None."""
    path = run.folder / RESULTS / job.file
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def standing(out: str | Path, what: str) -> list[dict[str, Any]]:
    """Every result of the training `what` that the folder holds, by seed; none where there is no such folder."""
    files = [path for path in (Path(out) / RESULTS).glob(f"{what}-*.json") if path.stem[len(what) + 1 :].isdigit()]
    return sorted((json.loads(path.read_text(encoding="utf-8")) for path in files), key=lambda result: result["seed"])


def made_by(numbers: Path, now: str, force: bool = False) -> list[str]:
    """The commands that a report is of: those that its JSON of before names, unless force emptied the folder, and now."""
    there = numbers.is_file() and not force
    earlier = json.loads(numbers.read_text(encoding="utf-8")).get("commands", []) if there else []
    return [*(command for command in earlier if command != now), now]


def _work(folder: str, job: Job) -> tuple[str, dict[str, Any]]:
    """In the worker (with one, the caller's own process): on one thread, for the other cores have trainings of their own."""
    with one_thread():
        text = to_json({"what": job.what, "seed": job.seed} | job.run(*job.arguments, job.seed))
    replace_file(Path(folder) / job.file, text + "\n")
    return job.file, json.loads(text)
