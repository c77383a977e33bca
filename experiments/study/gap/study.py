"""The study: rates from training speakers; then the trainings that are reported, which alone ask the test speakers."""

import hashlib
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from experiments.study.gap import report
from experiments.study.gap.cells import CELLS
from experiments.study.gap.choosing import Plan, jobs, search, trial
from experiments.study.gap.settings import Condition, Settings
from experiments.study.gap.training import arrival, train
from experiments.study.seeds import Stage, begin, gather, silent, standing
from experiments.study.spoken_digits import clips_of
from features.digits import Digits

COMMAND = "study gap"
FULL = Plan(
    gaps=(0, 10, 20, 50, 100, 200, 500, 1000),
    others=(Condition(turned=True), Condition(first=20), Condition(first=10)),
    choice_seeds=(100, 101),
)
QUICK = Plan(gaps=(0, 20), others=(), choice_seeds=(100,))
QUICK_CELLS, QUICK_SEEDS = ("rnn", "lstm1"), 1


def study(
    digits: str | Path, out: str | Path, seeds: int = 3, cells: tuple[str, ...] = (), silence: str = "drawn",
    quick: bool = False, workers: int = 1, force: bool = False, stage: Stage = silent,
) -> dict[str, Any]:  # fmt: skip
    """Trains and reports into `out`: report.html, gap.json, gap.png, trainings.csv, results/. Returns the numbers.

    digits: the folder of the Spoken Arabic Digit corpus. cells: keys of `CELLS`, none for all. silence: of `SILENCES`. quick:
    QUICK's plan, for QUICK_CELLS unless others are named, with QUICK_SEEDS seeds. What is in `out` already is not trained
    again; seeds that stand there are reported whether asked for or not, and cells are gone on with. FileNotFoundError and
    ValueError for a folder without that corpus, or a cell that there is not; FileExistsError for an `out` of other clips,
    settings or gaps; force empties it.
    """
    plan, settings, folder = QUICK if quick else FULL, Settings(silence=silence), str(digits)
    seeds = min(seeds, QUICK_SEEDS) if quick else seeds
    if unknown := [cell for cell in cells if cell not in CELLS]:
        raise ValueError(f"there is no cell {', '.join(unknown)}: choose of {', '.join(CELLS)}")
    every = QUICK_CELLS if quick else tuple(CELLS)
    begun = () if force else _begun(out, plan, settings)
    cells = tuple(cell for cell in CELLS if cell in (cells or every) or cell in begun)
    learn, ask = clips_of(folder)
    made_of = {"training": asdict(settings), "plan": asdict(plan), "clips": fingerprint([learn, ask])}
    run = begin(out, COMMAND, made_of, force)
    choices = search(run, folder, cells, plan, settings, workers, stage)
    finals = [
        (f"final-{c.cell}-{c.condition.key}-rate{c.rate}", (folder, c.cell, c.condition, settings, c.rate))
        for c in choices
    ]
    gather(run, jobs(finals, train, range(seeds)), workers, stage("Training, for the test speakers"))
    starts = [
        (f"arrival-{cell}-gap{gap}", (folder, cell, Condition(gap), settings)) for cell in cells for gap in plan.gaps
    ]
    gather(run, jobs(starts, arrival, range(seeds)), workers, stage("Following gradients back"))
    rows = [report.Row(c, standing(run.folder, what)) for c, (what, _) in zip(choices, finals, strict=True)]
    arrived = [one for what, _ in starts for one in standing(run.folder, what)]
    options = ["--quick" if quick else f"--seeds {max(len(row.found) for row in rows)}"]
    options += [f"--cell {cell}" for cell in cells] if cells != every else []
    options += [f"--silence {silence}"] if silence != "drawn" else []
    command = " ".join([f"lstm-engine {COMMAND} --digits {digits}", *options])
    return report.write(run, settings, rows, arrived, ask, quick, command)


def _begun(out: str | Path, plan: Plan, settings: Settings) -> list[str]:
    """The cells of which the folder holds a rate that was tried."""
    first = Condition(plan.gaps[0])
    return [
        cell for cell in CELLS if any(standing(out, trial(cell, first, rate)) for rate in CELLS[cell].rates(settings))
    ]


def fingerprint(parts: Iterable[Digits]) -> str:
    """12 hexadecimal digits that tell these clips, and who says what in them, from others."""
    digest = hashlib.sha256()
    for clips in parts:
        digest.update(np.concatenate(clips.sequences).tobytes())
        for column in (clips.digits, clips.sexes, clips.speakers, [len(x) for x in clips.sequences]):
            digest.update(" ".join(map(str, column)).encode())
    return digest.hexdigest()[:12]
