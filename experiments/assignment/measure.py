"""How good the judge is: planted mistakes found, the right quantity named, and false alarms on right solutions.

python -m experiments.assignment.measure
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from experiments.assignment.mutants import MUTANTS, Mutant, module_of
from experiments.assignment.variants import VARIANTS, Variant
from lstm_engine.gradient_check import judge
from lstm_engine.gradient_check.verdict import Verdict

Function = Callable[..., Any]
PAIRS = (
    "step",
    "cell",
    "",
)  # lstm_step_forward, lstm_cell_forward, lstm_forward: in the order in which they are written


class Row(NamedTuple):
    """One mistake: what the judge says of it."""

    mutant: Mutant
    verdict: Verdict

    @property
    def caught(self) -> bool:
        return not self.verdict.ok

    @property
    def quantity(self) -> str:
        return self.verdict.finding.quantity if self.verdict.finding else ""

    @property
    def named(self) -> bool:
        """Whether the sentence names the right quantity."""
        said = {part for part in re.split(r"[,\s]+| and ", self.quantity) if part}
        return bool(said & set(self.mutant.quantities)) and self.quantity in self.verdict.said()[0]

    @property
    def misled(self) -> bool:
        return bool(self.quantity) and not self.named


def pairs_of(module: ModuleType) -> Iterator[tuple[Function, Function]]:
    """The forward and backward functions of a module, the step's first."""
    for kind in PAIRS:
        for cell in ("lstm", "gru", "rnn"):
            name = "_".join(filter(None, (cell, kind)))
            if hasattr(module, f"{name}_forward"):
                yield getattr(module, f"{name}_forward"), getattr(module, f"{name}_backward")


def judged(module: ModuleType) -> Verdict:
    """The verdict on the first pair that does not pass, or on the last."""
    verdict = None
    for forward, backward in pairs_of(module):
        verdict = judge.check(forward, backward, hint=3)
        if not verdict.ok:
            break
    assert verdict is not None
    return verdict


def measured(mutants: list[Mutant] = MUTANTS) -> list[Row]:
    """What the judge says of every mistake."""
    with tempfile.TemporaryDirectory() as folder:
        return [
            Row(mutant, judged(module_of(mutant.source(), Path(folder) / f"{mutant.solution}_{k}.py")))
            for k, mutant in enumerate(mutants)
        ]


def false_alarms(variants: Sequence[Variant] = VARIANTS) -> tuple[int, list[str]]:
    """How many pairs of functions there are in right solutions, and what the judge says against any of them."""
    passes, alarms = 0, []
    with tempfile.TemporaryDirectory() as folder:
        for k, variant in enumerate(variants):
            module = module_of(variant.source(), Path(folder) / f"right_{k}.py")
            for forward, backward in pairs_of(module):
                passes += 1
                verdict = judge.check(forward, backward, hint=3)
                if not verdict.ok:
                    alarms.append(f"{variant.solution}, {variant.name}: {' '.join(verdict.said())}")
    return passes, alarms


def place_of(mutant: Mutant) -> str:
    """Where a planted mistake lies, in words."""
    named = set(mutant.quantities)
    if any(q.startswith("δz_") for q in named) or named & {"δi", "δf", "δg", "δo", "δz"}:
        return "one gate's gradient, or its σ' or tanh'"
    if mutant.function in (
        "lstm_step_backward",
        "lstm_cell_backward",
        "gru_step_backward",
        "rnn_step_backward",
        "rnn_cell_backward",
    ):
        return (
            "δc of a step"
            if "δc" in named
            else "δc' or δh' of a step"
            if named & {"δc'", "δh'"}
            else "δW, δU, δb or δx of a step"
        )
    return (
        "a sum over the steps: = for +="
        if "overwritten" in mutant.name
        else "what goes from step to step, and the first states"
    )


def main() -> None:
    rows = measured()
    for row in rows:
        mark = "right" if row.named else "MISLED" if row.misled else "unnamed" if row.caught else "NOT FOUND"
        print(f"{mark:9}  {row.mutant.solution:14}  {row.mutant.name}")
        if mark != "right":
            print(f"           {row.quantity or '-'} for {row.mutant.quantities}: {row.verdict.said()}")
    n = len(rows)
    found, named, misled = (sum(getattr(row, key) for row in rows) for key in ("caught", "named", "misled"))
    print(f"\n{found} of {n} found, {named} named right ({named / n:.0%}), {misled} misled")
    for place, count in Counter(map(place_of, MUTANTS)).most_common():
        print(f"{count:4}  {place}")
    passes, alarms = false_alarms()
    print(f"{passes} right passes, {len(alarms)} false alarms", *alarms, sep="\n")


if __name__ == "__main__":
    main()
