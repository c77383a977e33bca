"""The study: every row of the paper's tables, with every seed, a process each; then a report of all that the folder holds."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from experiments.study import solving
from experiments.study.lstm1997 import report
from experiments.study.lstm1997.experiments import Setup, setups, trainable
from experiments.study.seeds import Job, Result, Stage, begin, command_line, gather, made_by, silent, standing

COMMAND = "study lstm1997"
QUICK_SEEDS = 2


def study(*arguments: Any, **options: Any) -> dict[str, Any]:
    """`train`, and a report of it: report.html, lstm1997.json, lstm1997.png, trainings.csv. Returns the report's numbers."""
    return report.write(*train(*arguments, **options))


def train(
    out: str | Path, experiments: tuple[str, ...] = (), seeds: int = 10, cell: str = "modern", quick: bool = False,
    jobs: int = 1, forget_bias: float | None = None, force: bool = False, stage: Stage = silent,
) -> tuple[Any, ...]:  # fmt: skip
    """Runs the missing trainings in the folder `out`, and returns what `report.write` takes.

    experiments: of the paper's numbers; none is those of `experiments.MUST`. cell: "modern" or "1997". quick: the short
    rows with QUICK_SEEDS seeds. forget_bias: instead of chrono initialisation. What `out` holds already is not trained
    again, and all of it is reported. ValueError for arguments that the study does not have, FileExistsError for a folder
    of other settings; force empties it.
    """
    wanted = {(s.key, cell) for s in setups(experiments, cell, quick)}
    rows = trainable()
    if forget_bias is not None:
        if cell != "modern":
            raise ValueError("--forget-bias is for the modern cell: the cell of 1997 has no forget gate")
        rows = [(replace(s, modern=replace(s.modern, forget_bias=forget_bias)), c) for s, c in rows]
    seeds = min(seeds, QUICK_SEEDS) if quick else seeds
    rows = [(s, c) for s, c in rows if (s.key, c) in wanted or (not force and standing(out, _what(s, c)))]
    depends = {f"{s.key}, {c}": s.as_json(c) | {"tested": solving.TESTED if s.tested else 0} for s, c in rows}
    run = begin(out, COMMAND, depends, force)
    trainings = [
        Job(_what(s, c), seed, training, (s, c)) for s, c in rows if (s.key, c) in wanted for seed in range(seeds)
    ]
    gather(run, trainings, jobs, stage("Training"))
    command = command_line(
        COMMAND, experiment=experiments, quick=quick, seeds=None if quick and seeds == QUICK_SEEDS else seeds,
        cell=None if cell == "modern" else cell, forget_bias=forget_bias,
    )  # fmt: skip
    results = [report.Row(s, c, standing(out, _what(s, c))) for s, c in rows]
    return run, results, quick, made_by(run.folder / report.NUMBERS, command, force)


def training(setup: Setup, cell: str, seed: int) -> Result:
    """One training of a row: see `solving.solve`."""
    network = setup.settings(cell).network(setup.task, seed)
    return solving.solve(network, setup.task, setup.goal, setup.limit_of(cell), seed, setup.tested)


def _what(setup: Setup, cell: str) -> str:
    """The name of a row's results."""
    return f"{setup.key}-{cell}"
