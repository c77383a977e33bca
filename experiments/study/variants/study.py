"""The study: a learning rate for every variant and task, by seeds or speakers that no table reports; then the trainings.

All variants get the same start (`network`), rates to choose from, batches and limits.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from experiments.study.epochs.subjects import digest
from experiments.study.goals import MostRecent
from experiments.study.seeds import Job, Stage, begin, gather, made_by, silent, standing
from experiments.study.solving import TESTED
from experiments.study.spoken_digits import clips_of
from experiments.study.tasks import fingerprint
from experiments.study.tasks.adding import Adding
from experiments.study.variants import adding, digits, report
from experiments.study.variants.adding import OnAdding
from experiments.study.variants.cells import CELLS
from experiments.study.variants.digits import OnDigits
from features.digits import FRAMES, METADATA

COMMAND = "study variants"
QUICK_SEEDS = 2
CODE = ("cells", "loops", "through_time", "network")  # the files that a result depends on beside its settings


@dataclass(frozen=True)
class Settings:
    """rates: those to choose from, by trainings with the seeds `choosing`."""

    variants: tuple[str, ...] = tuple(CELLS)
    rates: tuple[float, ...] = (0.003, 0.01, 0.03)
    choosing: tuple[int, ...] = (100, 101)
    adding: OnAdding = field(default_factory=OnAdding)
    digits: OnDigits = field(default_factory=OnDigits)


FULL = Settings()
QUICK = Settings(
    variants=("V", "NFG", "CIFG"),
    rates=(0.01, 0.03),
    choosing=(100,),
    adding=OnAdding(Adding(30), MostRecent(500, wrong=50), limit=8_000, memory=30),
    digits=OnDigits(units=16, epochs=1),
)


class Part(NamedTuple):
    """A task of the study. choose and train are called with a variant, a rate and a seed; rates: whose choice it goes by."""

    name: str
    variants: Sequence[str]
    train: Callable[..., dict[str, Any]]
    rates: str
    choose: Callable[..., dict[str, Any]] | None = None
    cost: Callable[[Sequence[dict[str, Any]]], tuple[float, ...]] | None = None


def study(
    out: str | Path, folder: str | Path | None = None, seeds: int = 3, quick: bool = False, jobs: int = 1,
    force: bool = False, stage: Stage = silent,
) -> dict[str, Any]:  # fmt: skip
    """Trains and reports into `out`: report.html, variants.json, variants.png, trainings.csv, choices.csv, results/.

    folder: of the spoken digits; without, adding alone is trained. quick: three variants, easier tasks, QUICK_SEEDS seeds.
    What is in `out` already is not trained again, and is reported whether asked for or not. Returns the report's numbers.
    FileExistsError for a folder of other settings, which force empties; FileNotFoundError and ValueError for bad data.
    """
    s = QUICK if quick else FULL
    seeds = min(seeds, QUICK_SEEDS) if quick else seeds
    parts, settings = _parts(s, folder), _settings(s, folder)
    run = begin(out, COMMAND, settings, force)

    choosing = [
        Job(_choice(part.name, variant, rate), seed, part.choose, (variant, rate))
        for part in parts if part.choose for variant in part.variants for rate in s.rates for seed in s.choosing
    ]  # fmt: skip
    gather(run, choosing, jobs, stage("Choosing rates"))
    chosen = {
        (part.name, variant): min(s.rates, key=lambda rate: part.cost(standing(out, _choice(part.name, variant, rate))))
        for part in parts if part.cost for variant in part.variants
    }  # fmt: skip
    trainings = [
        Job(f"{part.name}-{variant}", seed, part.train, (variant, chosen[part.rates, variant]))
        for part in parts for variant in part.variants for seed in range(seeds)
    ]  # fmt: skip
    gather(run, trainings, jobs, stage("Training"))

    found = {name: {v: standing(out, f"{name}-{v}") for v in s.variants} for name in ("adding", "digits", "equal")}
    choices = {
        name: {v: {rate: standing(out, _choice(name, v, rate)) for rate in s.rates} for v in s.variants}
        for name in ("adding", "digits")
    }
    now = _command(folder is not None, seeds, quick)
    return report.write(run, s, found, choices, quick, made_by(run.folder / report.NUMBERS, now, force))


def _parts(s: Settings, folder: str | Path | None) -> list[Part]:
    parts = [
        Part(
            "adding", s.variants, partial(adding.training, s.adding, True), "adding",
            partial(adding.training, s.adding, False), adding.cost,
        )
    ]  # fmt: skip
    if folder is not None:
        where, D = str(folder), clips_of(str(folder))[0].sequences[0].shape[1]
        others = [v for v in s.variants if digits.equal_units(s.digits, D, v) != s.digits.units]
        parts += [
            Part(
                "digits", s.variants, partial(digits.tested, s.digits, where, False), "digits",
                partial(digits.held_out, s.digits, where), digits.cost,
            ),
            Part("equal", others, partial(digits.tested, s.digits, where, True), "digits"),
        ]  # fmt: skip
    return parts


def _settings(s: Settings, folder: str | Path | None) -> dict[str, Any]:
    """All that a result depends on but its seed."""
    choice = {"rates": s.rates, "choosing": s.choosing}
    tested = {"tested": TESTED, "draws": fingerprint(s.adding.task), "within": s.adding.task.within}
    code = digest([Path(__file__).with_name(f"{name}.py") for name in CODE])
    settings = {"adding": choice | asdict(s.adding) | tested, "code": code}
    if folder is not None:
        data = digest([Path(folder) / name for name in (FRAMES, METADATA)])
        settings["digits"] = choice | asdict(s.digits) | {"data": data}
    return settings


def _choice(part: str, variant: str, rate: float) -> str:
    """What the results of a rate's trial are named by."""
    return f"{part}-{variant}-choice-{rate:g}"


def _command(digits_too: bool, seeds: int, quick: bool) -> str:
    """What trains the same again."""
    options = ["--digits FOLDER"] if digits_too else []
    return " ".join([f"lstm-engine {COMMAND}", *options, "--quick" if quick else f"--seeds {seeds}"])
