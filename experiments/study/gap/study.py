"""The study: rates from training speakers; then the trainings that are reported, which alone ask the test speakers."""

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from experiments.study.gap import report
from experiments.study.gap.cells import CELLS
from experiments.study.gap.choosing import Plan, jobs, search
from experiments.study.gap.settings import Condition, Settings
from experiments.study.gap.training import arrival, clips_of, train
from experiments.study.seeds import Stage, begin, gather, silent, standing
from features.digits import Digits

COMMAND = "study gap"
FULL = Plan(
    cells=tuple(CELLS),
    gaps=(0, 10, 20, 50, 100, 200, 500, 1000),
    others=(Condition(turned=True), Condition(first=20), Condition(first=10)),
    choice_seeds=(100, 101),
)
QUICK = Plan(cells=("simple-rnn", "lstm-1"), gaps=(0, 20), others=(), choice_seeds=(100,))
QUICK_SEEDS = 1


def study(
    data: str | Path, out: str | Path, seeds: int = 3, cells: tuple[str, ...] = (), silence: str = "drawn",
    quick: bool = False, workers: int = 1, force: bool = False, stage: Stage = silent,
) -> dict[str, Any]:  # fmt: skip
    """Trains and reports into `out`: report.html, gap.json, gap.png, trainings.csv, results/. Returns the numbers.

    data: the folder of the Spoken Arabic Digit corpus. cells: keys of `CELLS`, none for all. silence: of `SILENCES`. quick:
    QUICK's plan with QUICK_SEEDS seeds. What is in `out` already is not trained again, and seeds that stand there are
    reported whether asked for or not. FileNotFoundError and ValueError for a folder without that corpus, FileExistsError
    for an `out` of other data, settings or plan; force empties it.
    """
    plan, settings, folder = plan_of(cells, quick), Settings(silence=silence), str(data)
    seeds = min(seeds, QUICK_SEEDS) if quick else seeds
    learn, ask = clips_of(folder)
    made_of = {"training": asdict(settings), "plan": asdict(plan), "clips": fingerprint([learn, ask])}
    run = begin(out, COMMAND, made_of, force)
    choices = search(run, folder, plan, settings, workers, stage)
    finals = [
        (f"final-{c.cell}-{c.condition.key}-rate{c.rate}", (folder, c.cell, c.condition, settings, c.rate))
        for c in choices
    ]
    gather(run, jobs(finals, train, range(seeds)), workers, stage("Training, for the test speakers"))
    starts = [
        (f"arrival-{cell}-gap{gap}", (folder, cell, Condition(gap), settings))
        for cell in plan.cells
        for gap in plan.gaps
    ]
    arrived = gather(run, jobs(starts, arrival, range(seeds)), workers, stage("Following gradients back"))
    rows = [report.Row(c, standing(run.folder, what)) for c, (what, _) in zip(choices, finals, strict=True)]
    options = ["--quick" if quick else f"--seeds {max(len(row.found) for row in rows)}"]
    options += [f"--cell {cell}" for cell in cells] + ([f"--silence {silence}"] if silence != "drawn" else [])
    command = " ".join([f"lstm-engine {COMMAND} --data {data}", *options])
    return report.write(run, settings, rows, arrived, ask, quick, command)


def plan_of(cells: tuple[str, ...], quick: bool) -> Plan:
    """What is asked for. ValueError for a cell that there is not."""
    if unknown := [cell for cell in cells if cell not in CELLS]:
        raise ValueError(f"there is no cell {', '.join(unknown)}: choose of {', '.join(CELLS)}")
    plan = QUICK if quick else FULL
    return replace(plan, cells=tuple(cell for cell in CELLS if cell in cells)) if cells else plan


def fingerprint(parts: Iterable[Digits]) -> str:
    """12 hexadecimal digits that tell these clips, and who says what in them, from others."""
    digest = hashlib.sha256()
    for clips in parts:
        digest.update(np.concatenate(clips.sequences).tobytes())
        for column in (clips.digits, clips.sexes, clips.speakers, [len(x) for x in clips.sequences]):
            digest.update(" ".join(map(str, column)).encode())
    return digest.hexdigest()[:12]
