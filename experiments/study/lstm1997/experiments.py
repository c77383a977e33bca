"""What the study trains: task, goal and settings of each row of the paper's tables, beside the row itself.

The paper's figures are those of Hochreiter & Schmidhuber 1997, Neural Computation 9(8), tables 1 to 9. The modern settings
are the same for all rows (`Modern`'s defaults; in 2a a head start, in 2b larger batches and steps), and were chosen on seeds
from 100 on.
"""

from dataclasses import asdict, dataclass
from typing import Any

from experiments.study.goals import BothSets, Goal, MostRecent, OnATestSet
from experiments.study.lstm1997.cell import Cell1997
from experiments.study.lstm1997.modern import HeadStart, Modern
from experiments.study.networks import Learning
from experiments.study.seeds import digest_of_task
from experiments.study.tasks import Task
from experiments.study.tasks.adding import Adding, Multiplication
from experiments.study.tasks.long_lags import LongLag, VeryLongLag
from experiments.study.tasks.reber import EmbeddedReber
from experiments.study.tasks.temporal_order import TemporalOrder
from experiments.study.tasks.two_sequences import NoisyTargets, TwoSequences

PATIENCE = 4  # how many times as long the cell of 1997 may take: the paper's figures are means, so some seeds need more
MUST = ("1", "4", "6a", "6b")
CELLS = ("modern", "1997")


@dataclass(frozen=True)
class Paper:
    """A row of the paper's tables. sequences: how many were needed; wrong: of 2,560, a mean where it is not whole.

    Where the paper has several networks, sequences is of its best one and most of its slowest one. success: the lowest and
    the highest share of successful trials.
    """

    network: str
    weights: int | None
    sequences: int
    wrong: float | None = None
    most: int | None = None
    success: tuple[float, float] | None = None


@dataclass(frozen=True)
class Setup:
    """One row: the task, the goal, and the settings of the networks. limit: see `limit_of`.

    tested: whether 2,560 fresh sequences are answered afterwards. quick: whether `--quick` has this row. old: the settings
    of the cell of 1997, if the study trains it on this task.
    """

    experiment: str
    key: str
    task: Task
    goal: Goal
    modern: Modern
    paper: Paper
    limit: int
    tested: bool = True
    quick: bool = False
    old: Cell1997 | None = None

    def settings(self, cell: str) -> Any:
        """Modern, or Cell1997. ValueError where the study has no settings for it."""
        chosen = {"modern": self.modern, "1997": self.old}[cell]
        if chosen is None:
            raise ValueError(f"{self.task.name} is not among the tasks of the cell of 1997: leave --cell 1997 out")
        return chosen

    def limit_of(self, cell: str) -> int:
        """After how many sequences a training that has not met its goal has failed."""
        return self.limit * (PATIENCE if cell == "1997" else 1)

    def as_json(self, cell: str) -> dict[str, Any]:
        """Everything that a result depends on except the seed; of the task also what it draws and what counts as right."""
        parts = {"task": self.task, "goal": self.goal, "network": self.settings(cell)}
        settings = {name: asdict(part) for name, part in parts.items()}  # type: ignore[call-overload]
        settings["task"] |= {"within": self.task.within, "draws": digest_of_task(self.task)}
        return settings | {"limit": self.limit_of(cell)}


def _adding(T: int, sequences: int, wrong: int, limit: int, old: Cell1997 | None = None) -> Setup:
    paper = Paper("2 blocks of 2", 93, sequences, wrong)
    return Setup("4", f"4-T{T}", Adding(T), MostRecent(error=0.01), Modern(T), paper, limit, quick=T == 100, old=old)


def _order(relevant: int, paper: Paper, limit: int, old: Cell1997) -> Setup:
    name, goal = {2: "6a", 3: "6b"}[relevant], MostRecent(error=0.1)
    return Setup(name, name, TemporalOrder(relevant), goal, Modern(100), paper, limit, quick=True, old=old)


def _multiplication(fewer_than: int, sequences: int, wrong: int) -> Setup:
    paper, goal = Paper("2 blocks of 2", 93, sequences, wrong), MostRecent(wrong=fewer_than - 1)
    return Setup("5", f"5-{fewer_than}", Multiplication(100), goal, Modern(100), paper, sequences)


def _two_sequences(task: TwoSequences, first: int, second: int, wrong: float) -> list[Setup]:
    """3a and 3b. ST1: no test sequence wrong (3b: fewer than 6). ST2: their mean error below .01 (.04) too."""
    name, allowed, error = ("3b", 5, 0.04) if task.noisy else ("3a", 0, 0.01)
    return [
        Setup(
            name, f"{name}-T{task.T}-N{task.N}-{stop}", task, goal, Modern(task.T),
            Paper("3 blocks of 1", 102, sequences, wrong_after), sequences,
        )
        for stop, goal, sequences, wrong_after in (
            ("ST1", OnATestSet(wrong=allowed), first, None),
            ("ST2", OnATestSet(wrong=allowed, error=error), second, wrong),
        )
    ]  # fmt: skip


def _noisy_targets(N: int, sequences: int, wrong: float) -> Setup:
    paper, goal = Paper("3 blocks of 1", 102, sequences, wrong), OnATestSet(error=0.015)
    return Setup("3c", f"3c-T100-N{N}", NoisyTargets(100, N), goal, Modern(100), paper, sequences)


def _long_lag(regular: bool, sequences: int) -> Setup:
    key = "2a" if regular else "2b"
    modern = Modern(100, head_start=HeadStart()) if regular else Modern(100, learning=Learning(batch_size=16, rate=0.1))
    paper = Paper("1 cell beside the inputs", 10_504, sequences, success=(1.0, 1.0))
    goal = MostRecent(10_000, leads=10_000)
    return Setup(key, key, LongLag(100, regular), goal, modern, paper, 200_000, tested=False)


def _very_long(q: int, p: int, weights: int, sequences: int) -> Setup:
    paper, goal = Paper("2 blocks of 1", weights, sequences), MostRecent(10_000, leads=10_000)
    return Setup(
        "2c", f"2c-q{q}-p{p}", VeryLongLag(q, p), goal, Modern(q + 10), paper, sequences + 10_000, tested=False
    )


SETUPS = (
    Setup(
        "1", "1", EmbeddedReber(), BothSets(), Modern(20),
        Paper("3 blocks of 2 (best)", 276, 8_440, most=39_740, success=(0.97, 1.0)), 40_000, tested=False, quick=True,
    ),
    _long_lag(True, 5_040),
    _long_lag(False, 5_680),
    _very_long(50, 50, 364, 30_000),
    _very_long(100, 100, 664, 31_000),
    _very_long(200, 200, 1_264, 33_000),
    _very_long(500, 500, 3_064, 38_000),
    _very_long(1000, 1000, 6_064, 49_000),
    _very_long(1000, 500, 3_064, 49_000),
    _very_long(1000, 200, 1_264, 75_000),
    _very_long(1000, 100, 664, 135_000),
    _very_long(1000, 50, 364, 203_000),
    *_two_sequences(TwoSequences(100, 3), 27_380, 39_850, 0.5),
    *_two_sequences(TwoSequences(100, 1), 58_370, 64_330, 0.3),
    *_two_sequences(TwoSequences(1000, 3), 446_850, 452_460, 0.2),
    *_two_sequences(TwoSequences(100, 3, noisy=True), 41_740, 43_250, 21.2),
    *_two_sequences(TwoSequences(100, 1, noisy=True), 74_950, 78_430, 38.4),
    *_two_sequences(TwoSequences(1000, 1, noisy=True), 481_060, 485_080, 30.9),
    _noisy_targets(3, 269_650, 14.3),
    _noisy_targets(1, 565_640, 11.3),
    _adding(100, 74_000, 1, 74_000, Cell1997(2, 2, 0.5, (-3.0, -6.0))),
    _adding(500, 209_000, 0, 209_000),
    _adding(1000, 853_000, 1, 853_000),
    _multiplication(140, 482_000, 139),
    _multiplication(13, 1_273_000, 14),
    _order(2, Paper("2 blocks of 2", 156, 31_390, 1), 31_390, Cell1997(2, 2, 0.5, (-2.0, -4.0))),
    _order(3, Paper("3 blocks of 2", 308, 571_100, 2), 571_100, Cell1997(3, 2, 0.1, (-2.0, -4.0, -6.0))),
)  # fmt: skip
EXPERIMENTS = tuple(dict.fromkeys(setup.experiment for setup in SETUPS))


def setups(experiments: tuple[str, ...], cell: str, quick: bool) -> list[Setup]:
    """The rows to train. ValueError for an unknown experiment or cell, or if the cell has none of these."""
    if cell not in CELLS:
        raise ValueError(f"--cell must be {' or '.join(CELLS)}, got {cell!r}")
    if unknown := [name for name in experiments if name not in EXPERIMENTS]:
        raise ValueError(f"there is no experiment {', '.join(unknown)}: choose from {', '.join(EXPERIMENTS)}")
    wanted = [s for s in SETUPS if s.experiment in (experiments or MUST) and (s.quick or not quick)]
    if cell == "1997":
        wanted = [s for s in wanted if s.old is not None]
    if not wanted:
        there = dict.fromkeys(s.experiment for s in SETUPS if (s.quick or not quick) and (cell == "modern" or s.old))
        flags = f"--cell {cell}" + (" --quick" if quick else "")
        raise ValueError(f"{flags} has nothing for experiment {', '.join(experiments)}: it has {', '.join(there)}")
    return wanted


def trainable() -> list[tuple[Setup, str]]:
    """Every row with every cell that the study has settings for."""
    return [(s, cell) for cell in CELLS for s in SETUPS if cell == "modern" or s.old is not None]
