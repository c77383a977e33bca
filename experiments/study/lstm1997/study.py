"""The study: every row that was asked for, with every seed, a process each; then a report of all that the folder holds."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from experiments.study import solving
from experiments.study.lstm1997 import report
from experiments.study.lstm1997.experiments import Setup, setups, trainable
from experiments.study.seeds import Job, Stage, begin, gather, made_by, silent, standing

COMMAND = "study lstm1997"
QUICK_SEEDS = 2


def study(
    out: str | Path, experiments: tuple[str, ...] = (), seeds: int = 10, cell: str = "modern", quick: bool = False,
    jobs: int = 1, forget_bias: float | None = None, force: bool = False,
    stage: Stage = silent,
) -> dict[str, Any]:  # fmt: skip
    """Trains and reports into `out`: report.html, lstm1997.json, lstm1997.png, trainings.csv, results/. Returns the numbers.

    experiments: of the paper's numbers; none is those of `experiments.MUST`. cell: "modern" or "1997". quick: the short
    rows with QUICK_SEEDS seeds. forget_bias: instead of chrono initialisation. What is in `out` already is not trained
    again, and is reported with the rest whether asked for or not. ValueError for what cannot be asked for, FileExistsError
    for a folder of other settings; force empties it.
    """
    asked = {(s.key, cell) for s in setups(experiments, cell, quick)}
    rows = trainable()
    if forget_bias is not None:
        if cell != "modern":
            raise ValueError("--forget-bias is the modern cell's: the cell of 1997 has no forget gate")
        rows = [(replace(s, modern=replace(s.modern, forget_bias=forget_bias)), c) for s, c in rows]
    seeds = min(seeds, QUICK_SEEDS) if quick else seeds
    rows = [(s, c) for s, c in rows if (s.key, c) in asked or (not force and standing(out, _what(s, c)))]
    settings = {f"{s.key}, {c}": s.as_json(c) | {"tested": solving.TESTED if s.tested else 0} for s, c in rows}
    run = begin(out, COMMAND, settings, force)
    trainings = [Job(_what(s, c), seed, train, (s, c)) for s, c in rows if (s.key, c) in asked for seed in range(seeds)]
    gather(run, trainings, jobs, stage("Training"))
    found = [report.Row(s, c, standing(out, _what(s, c))) for s, c in rows]
    command = _command(experiments, seeds, cell, quick, forget_bias)
    return report.write(run, found, quick, made_by(run.folder / report.NUMBERS, command, force))


def train(setup: Setup, cell: str, seed: int) -> dict[str, Any]:
    """One training of a row: see `solving.solve`."""
    network = setup.settings(cell).network(setup.task, seed)
    return solving.solve(network, setup.task, setup.goal, setup.limit_of(cell), seed, setup.tested)


def _what(setup: Setup, cell: str) -> str:
    """What a row's results are named by."""
    return f"{setup.key}-{cell}"


def _command(experiments: tuple[str, ...], seeds: int, cell: str, quick: bool, forget_bias: float | None) -> str:
    """What trains the same again."""
    options = [f"--experiment {name}" for name in experiments]
    options += ["--quick"] if quick else []
    options += [] if quick and seeds == QUICK_SEEDS else [f"--seeds {seeds}"]
    options += [f"--cell {cell}"] if cell != "modern" else []
    options += [f"--forget-bias {forget_bias:g}"] if forget_bias is not None else []
    return " ".join([f"lstm-engine {COMMAND}", *options])
