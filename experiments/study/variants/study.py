"""The study: rates are chosen, then every variant is trained with every seed; then a report of all that the folder holds."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from experiments.study.choosing import best, by_accuracy, by_sequences, tried
from experiments.study.goals import MostRecent
from experiments.study.seeds import (
    Job,
    Stage,
    begin,
    command_line,
    digest_of_files,
    digest_of_task,
    gather,
    made_by,
    silent,
    standing,
)  # fmt: skip
from experiments.study.solving import TESTED
from experiments.study.tasks.adding import Adding
from experiments.study.tasks.late_digits import clips_of
from experiments.study.variants import report
from experiments.study.variants.training import OnAdding, OnDigits, Settings, equal_units, held_out, on_adding, tested
from features.digits import FRAMES, METADATA

COMMAND = "study variants"
QUICK_SEEDS = 2
CODE = ("cells", "loops", "through_time", "network")  # the files that a result depends on beside its settings
# Digests of CODE by whose results a study is continued: commits 5b3cce9 and c2d61f5 have other words, and the same numbers.
ALIKE = {
    "06495fe9ad55c53503e27ce3cb2b22127b9543e173b46722c3764fb300b7fd86": (
        "1f1e5cb69387bd4c775b2c36030933aa48d10df597d244a730cf023c1ee38c84"
    ),
    "708b78fdf07b54a819fd32035491e4b6e8e7d9f32a58d5cd2dd6e0090cd2c999": (
        "1f1e5cb69387bd4c775b2c36030933aa48d10df597d244a730cf023c1ee38c84"
    ),
}


FULL = Settings()
QUICK = Settings(
    variants=("V", "NFG", "CIFG"),
    rates=(0.01, 0.03),
    choosing=(100,),
    adding=OnAdding(Adding(30), MostRecent(500, wrong=50), limit=8_000, memory=30),
    digits=OnDigits(units=16, epochs=1),
)


def study(*arguments: Any, **options: Any) -> dict[str, Any]:
    """`train`, and a report of it: report.html, variants.json, variants.png, two CSV files. Returns the report's numbers."""
    return report.write(*train(*arguments, **options))


def train(
    out: str | Path, folder: str | Path | None = None, seeds: int = 3, quick: bool = False, jobs: int = 1,
    force: bool = False, stage: Stage = silent,
) -> tuple[Any, ...]:  # fmt: skip
    """Runs the missing trainings in the folder `out`, and returns what `report.write` takes.

    folder: of the spoken digits; without it only adding is trained. quick: three variants, easier tasks, QUICK_SEEDS seeds.
    What `out` holds already is not trained again, and all of it is reported.
    FileExistsError for a folder of other settings, which force empties; FileNotFoundError and ValueError for bad data.
    """
    s = QUICK if quick else FULL
    seeds = min(seeds, QUICK_SEEDS) if quick else seeds
    # By task a trial of a rate, and its cost; and the trainings that are reported, with the task whose rates they take.
    trials = {"adding": (partial(on_adding, s.adding, False), by_sequences)}
    finals = [("adding", "adding", s.variants, partial(on_adding, s.adding, True))]
    if folder is not None:
        where, D = str(folder), clips_of(str(folder))[0].sequences[0].shape[1]
        others = tuple(v for v in s.variants if equal_units(s.digits, D, v) != s.digits.units)
        trials["digits"] = partial(held_out, s.digits, where), by_accuracy
        finals += [
            ("digits", "digits", s.variants, partial(tested, s.digits, where, False)),
            ("equal", "digits", others, partial(tested, s.digits, where, True)),
        ]
    run = begin(out, COMMAND, _depends(s, folder), force, alike=ALIKE)
    candidates = {
        (task, variant): {rate: Job(_trial(task, variant, rate), 0, trial, (variant, rate)) for rate in s.rates}
        for task, (trial, _) in trials.items() for variant in s.variants
    }  # fmt: skip
    by_candidate = tried(run, candidates, s.choosing, jobs, stage("Choosing rates"))
    chosen = {(task, variant): best(by_rate, trials[task][1]) for (task, variant), by_rate in by_candidate.items()}
    trainings = [
        Job(f"{part}-{variant}", seed, final, (variant, chosen[task, variant]))
        for part, task, variants, final in finals for variant in variants for seed in range(seeds)
    ]  # fmt: skip
    gather(run, trainings, jobs, stage("Training"))

    results = {name: {v: standing(out, f"{name}-{v}") for v in s.variants} for name in ("adding", "digits", "equal")}
    choices = {
        name: {v: {rate: standing(out, _trial(name, v, rate)) for rate in s.rates} for v in s.variants}
        for name in ("adding", "digits")
    }
    digits_folder = None if folder is None else "FOLDER"
    command = command_line(COMMAND, digits=digits_folder, quick=quick, seeds=None if quick else seeds)
    return run, results, choices, s, quick, made_by(run.folder / report.NUMBERS, command, force)


def _depends(s: Settings, folder: str | Path | None) -> dict[str, Any]:
    """Everything that a result depends on except its seed."""
    choice = {"rates": s.rates, "choosing": s.choosing}
    test = {"tested": TESTED, "draws": digest_of_task(s.adding.task), "within": s.adding.task.within}
    settings = {"adding": choice | asdict(s.adding) | test, "code": code_digest()}
    if folder is not None:
        data = digest_of_files(Path(folder) / name for name in (FRAMES, METADATA))
        settings["digits"] = choice | asdict(s.digits) | {"data": data}
    return settings


def code_digest() -> str:
    return digest_of_files(Path(__file__).with_name(f"{name}.py") for name in CODE)


def _trial(part: str, variant: str, rate: float) -> str:
    """The name of the results of a rate that is tried."""
    return f"{part}-{variant}-choice-{rate:g}"
