"""The study: every row that was asked for, with every seed, a process each; then its report."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from experiments.study.lstm1997 import report
from experiments.study.lstm1997.experiments import setups
from experiments.study.lstm1997.training import train
from experiments.study.seeds import Job, begin, gather

COMMAND = "study lstm1997"
QUICK_SEEDS = 2


def study(
    out: str | Path, experiments: tuple[str, ...] = (), seeds: int = 10, cell: str = "modern", quick: bool = False,
    jobs: int = 1, forget_bias: float | None = None, force: bool = False,
    stage: Callable[[str], Callable[[int, int], None]] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Trains and reports into `out`: report.html, lstm1997.json, lstm1997.png, trainings.csv, results/. Returns the numbers.

    experiments: of the paper's numbers; none is those of `experiments.MUST`. cell: "modern" or "1997". quick: the short
    rows with QUICK_SEEDS seeds. forget_bias: instead of chrono initialisation. What is in `out` already is not
    trained again. ValueError for what cannot be asked for, FileExistsError for a folder of other settings.
    """
    wanted = setups(experiments, cell, quick)
    if forget_bias is not None:
        if cell != "modern":
            raise ValueError("--forget-bias is the modern cell's: the cell of 1997 has no forget gate")
        wanted = [replace(s, modern=replace(s.modern, forget_bias=forget_bias)) for s in wanted]
    seeds = min(seeds, QUICK_SEEDS) if quick else seeds
    run = begin(out, COMMAND, {f"{s.key}, {cell}": s.as_json(cell) for s in wanted}, force)
    trainings = [Job(f"{s.key}-{cell}", seed, train, (s, cell)) for s in wanted for seed in range(seeds)]
    found = gather(run, trainings, jobs, stage("Training") if stage else lambda done, total: None)
    by_row = [(s, found[k * seeds : (k + 1) * seeds]) for k, s in enumerate(wanted)]
    return report.write(run, by_row, cell, quick, _command(experiments, seeds, cell, quick, forget_bias))


def _command(experiments: tuple[str, ...], seeds: int, cell: str, quick: bool, forget_bias: float | None) -> str:
    """What makes the same page again."""
    options = [f"--experiment {name}" for name in experiments]
    options += ["--quick"] if quick else [f"--seeds {seeds}"]
    options += [f"--cell {cell}"] if cell != "modern" else []
    options += [f"--forget-bias {forget_bias:g}"] if forget_bias is not None else []
    return " ".join([f"lstm-engine {COMMAND}", *options])
