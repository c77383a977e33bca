"""All that a result of the study depends on but its cell and its seed."""

from dataclasses import dataclass

SILENCES = ("drawn", "constant")


@dataclass(frozen=True)
class Condition:
    """What happens to a word before the question: its `first` frames alone, turned round in time, `gap` silent frames."""

    gap: int = 0
    turned: bool = False
    first: int | None = None

    @property
    def key(self) -> str:
        """For the names of files: letters, digits and - alone."""
        if self.turned:
            return "reversed"
        return f"gap{self.gap}" if self.first is None else f"first{self.first}"

    @property
    def words(self) -> str:
        if self.turned:
            return "reversed in time"
        if self.first is not None:
            return f"the first {self.first} frames"
        return f"{self.gap} frames of silence" if self.gap else "as spoken"


@dataclass(frozen=True)
class Settings:
    """The same for every cell. Adam's rate halves every `halved_every` sequences; clip: the largest joint norm of a gradient.

    rates are tried for every cell in every condition, further_rates for the SimpleRNN too, which is said to want small ones:
    with each of choice_seeds, on the third of the training speakers that the seed holds out (folds = 3). A cell of which no
    rate comes to `guesses` of right answers there has learnt nothing. silence: "drawn", each frame one of the quietest, or
    "constant", each their mean. fixed: the longest lag that a chrono start is drawn for where it is not told the gap.
    """

    units: int = 32
    batch_size: int = 16
    sequences: int = 12_000
    halved_every: int = 6_000
    clip: float = 1.0
    quietest: float = 0.02  # of the frames of the speakers that are learnt from: what silence is made of
    rates: tuple[float, ...] = (0.03, 0.01, 0.003)
    further_rates: tuple[float, ...] = (0.001, 0.0003)
    folds: int = 3
    guesses: float = 0.15
    silence: str = "drawn"
    fixed: int = 100
    traced: int = 16  # clips whose gradient is followed back through the gap

    def __post_init__(self) -> None:
        if self.silence not in SILENCES:
            raise ValueError(f"silence must be {' or '.join(SILENCES)}, got {self.silence!r}")
