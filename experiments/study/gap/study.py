"""The study: rates from training speakers; then the trainings that are reported, which alone ask the test speakers."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from experiments.reports.run import Run
from experiments.study.choosing import tried
from experiments.study.gap import report
from experiments.study.gap.settings import CELLS, Choice, Plan, Settings, choice_of
from experiments.study.gap.training import arrival, final, trial
from experiments.study.seeds import Job, Result, Stage, begin, command_line, digest_of_clips, gather, silent, standing
from experiments.study.tasks.late_digits import Condition, clips_of

COMMAND = "study gap"
FULL = Plan(
    gaps=(0, 10, 20, 50, 100, 200, 500, 1000),
    others=(Condition(turned=True), Condition(first=20), Condition(first=10)),
    choice_seeds=(100, 101),
)
QUICK = Plan(gaps=(0, 20), others=(), choice_seeds=(100,))
QUICK_CELLS, QUICK_SEEDS = ("rnn", "lstm1"), 1


def study(*arguments: Any, **options: Any) -> dict[str, Any]:
    """`train`, and a report of it: report.html, gap.json, gap.png, trainings.csv. Returns the report's numbers."""
    return report.write(*train(*arguments, **options))


def train(
    digits: str | Path, out: str | Path, seeds: int = 3, cells: tuple[str, ...] = (), silence: str = "drawn",
    quick: bool = False, workers: int = 1, force: bool = False, stage: Stage = silent,
) -> tuple[Any, ...]:  # fmt: skip
    """Runs the missing trainings in the folder `out`, and returns what `report.write` takes.

    digits: the folder of the Spoken Arabic Digit corpus. cells: keys of `CELLS`, none for all. silence: of `SILENCES`. quick:
    QUICK's plan, for QUICK_CELLS unless others are named, with QUICK_SEEDS seeds. What `out` holds already is not trained
    again: all its seeds are reported, and its cells are continued. FileNotFoundError and ValueError for a folder without
    that corpus or an unknown cell; FileExistsError for an `out` of other clips, settings or gaps; force empties it.
    """
    plan, settings, folder = QUICK if quick else FULL, Settings(silence=silence), str(digits)
    seeds = min(seeds, QUICK_SEEDS) if quick else seeds
    if unknown := [cell for cell in cells if cell not in CELLS]:
        raise ValueError(f"there is no cell {', '.join(unknown)}: choose from {', '.join(CELLS)}")
    default = QUICK_CELLS if quick else tuple(CELLS)
    begun = () if force else _begun(out, plan, settings)
    cells = tuple(cell for cell in CELLS if cell in (cells or default) or cell in begun)
    learnt, judged = clips_of(folder)
    made_of = {"training": asdict(settings), "plan": asdict(plan), "clips": digest_of_clips([learnt, judged])}
    run = begin(out, COMMAND, made_of, force)
    choices = choose(run, folder, cells, plan, settings, workers, stage)
    finals = {
        f"final-{c.cell}-{c.condition.key}-rate{c.rate}": (folder, c.cell, c.condition, settings, c.rate)
        for c in choices
    }
    gather(run, _jobs(finals, final, seeds), workers, stage("Training, for the test speakers"))
    starts = {
        f"arrival-{cell}-gap{gap}": (folder, cell, Condition(gap), settings) for cell in cells for gap in plan.gaps
    }
    gather(run, _jobs(starts, arrival, seeds), workers, stage("Following gradients back"))
    rows = [report.Row(c, standing(run.folder, what)) for c, what in zip(choices, finals, strict=True)]
    arrived = [result for what in starts for result in standing(run.folder, what)]
    command = command_line(
        COMMAND, digits=folder, quick=quick, seeds=None if quick else max(len(row.results) for row in rows),
        cell=() if cells == default else cells, silence=None if silence == "drawn" else silence,
    )  # fmt: skip
    return run, rows, arrived, judged, settings, quick, command


def choose(
    run: Run, folder: str, cells: Sequence[str], plan: Plan, settings: Settings, workers: int, stage: Stage
) -> list[Choice]:
    """A rate for each cell in each condition, except for gaps beyond the first at which the cell has learnt nothing."""
    choices: list[Choice] = []
    lost: set[str] = set()
    for condition in plan.conditions:
        jobs = {
            cell: {
                rate: Job(_trial(cell, condition, rate), 0, trial, (folder, cell, condition, settings, rate))
                for rate in CELLS[cell].rates(settings)
            }
            for cell in cells
            if condition.gap == 0 or cell not in lost
        }
        trials = tried(run, jobs, plan.choice_seeds, workers, stage(f"Choosing rates: {condition.words}"))
        choices += [choice_of(cell, condition, by_rate, settings.guesses) for cell, by_rate in trials.items()]
        lost |= {choice.cell for choice in choices if choice.condition.gap and not choice.learnt}
    return choices


def _jobs(trainings: dict[str, tuple[Any, ...]], run: Callable[..., Result], seeds: int) -> list[Job]:
    """Each of the trainings, its arguments by its name, with each seed."""
    return [Job(what, seed, run, arguments) for what, arguments in trainings.items() for seed in range(seeds)]


def _trial(cell: str, condition: Condition, rate: float) -> str:
    """The name of the results of a rate that is tried."""
    return f"choice-{cell}-{condition.key}-rate{rate}"


def _begun(out: str | Path, plan: Plan, settings: Settings) -> list[str]:
    """The cells of which the folder holds a rate that was tried."""
    first = Condition(plan.gaps[0])
    return [
        cell for cell in CELLS if any(standing(out, _trial(cell, first, rate)) for rate in CELLS[cell].rates(settings))
    ]
