"""What the judge says of a learner's functions: the levels that passed, and of the first that did not, what is wrong.

A sentence says which rows are wrong; hint 1 says in which region the mistake lies, hint 2 gives the right equation, hint 3
the line and what belongs there. No hint holds the solution's code.
"""

from __future__ import annotations

import html
from dataclasses import asdict, dataclass, field
from typing import Any

from ..plain_text import printable
from .source_lines import Place

PASSED, WRONG, OPEN, NOT_REACHED = "passed", "wrong", "not written yet", "not reached"
MARKS = {PASSED: "✓", WRONG: "✗", OPEN: "·", NOT_REACHED: " "}
MOST_HINTS = 3


@dataclass(frozen=True)
class Level:
    """One level of an assignment."""

    number: int
    name: str  # "the step"
    state: str  # passed, wrong, not written yet, not reached


@dataclass(frozen=True)
class Finding:
    """The first thing that is wrong, and what the hints say of it."""

    function: str  # "lstm_step_backward"
    sentence: str  # what is seen: which rows are wrong, what came and what was expected
    quantity: str = ""  # the first wrong one: "δf"
    region: str = ""  # hint 1: a sentence
    equation: str = ""  # hint 2: "δf = δc∘c'"
    belongs: str = ""  # hint 3: a sentence that says what belongs there
    place: Place | None = None

    @property
    def hints(self) -> list[str]:
        """The hints that there are, from the least to the most."""
        line = f"Look at {self.place}" if self.place and self.belongs else ""
        return [
            self.region,
            self.equation and f"The equation: {self.equation}",
            "\n".join(filter(None, (line, self.belongs))),
        ]


class Wrong(Exception):
    """What a level raises when the learner's functions do not pass it."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.sentence)
        self.finding = finding


@dataclass
class Verdict:
    """The judge's answer. `ok` if everything that was asked for passed."""

    levels: list[Level]
    finding: Finding | None = None
    notes: list[str] = field(default_factory=list)
    hint: int = 0  # how many of the hints are shown

    @property
    def ok(self) -> bool:
        return all(level.state == PASSED for level in self.levels)

    @property
    def reached(self) -> int:
        """The number of the last level that passed, with all below it; 0 if none did."""
        passed = [level.number for level in self.levels if level.state == PASSED]
        return max(passed, default=0)

    @property
    def open(self) -> bool:
        """Whether the work stops at a function that is not written, and nothing is wrong."""
        return not self.ok and not any(level.state == WRONG for level in self.levels)

    def lines(self) -> list[str]:
        """The levels, a line each."""
        return [f"{MARKS[x.state]} level {x.number}, {x.name}: {x.state}" for x in self.levels]

    def said(self) -> list[str]:
        """What is wrong and the hints, a paragraph each."""
        if self.finding is None:
            return ["All levels passed." if len(self.levels) > 1 else "Passed."] if self.ok else []
        finding = self.finding
        shown = [finding.sentence]
        if finding.place and not finding.belongs:  # an error: its line is no hint
            shown.append(f"In {finding.place}")
        hints = finding.hints
        shown += [text for text in hints[: self.hint] if text]
        if self.hint < MOST_HINTS and any(hints[self.hint :]):
            nxt = next(k for k in range(self.hint, MOST_HINTS) if hints[k]) + 1
            shown.append(f"Hint {nxt} of {MOST_HINTS} says more.")
        return shown

    def __str__(self) -> str:
        return "\n".join([*self.lines(), "", *self.said(), *(f"note: {note}" for note in self.notes)])

    def _repr_html_(self) -> str:
        rows = "".join(f"<div>{html.escape(line)}</div>" for line in self.lines())
        said = "".join(f"<p>{html.escape(text)}</p>".replace("\n", "<br>") for text in self.said())
        notes = "".join(f"<p><em>{html.escape(note)}</em></p>" for note in self.notes)
        lines = f'<div style="font-family:monospace">{rows}</div>'
        return printable(f'<div style="font-family:sans-serif">{lines}{said}{notes}</div>')

    def to_json(self) -> dict[str, Any]:
        """Everything, all hints included, as JSON values."""
        return {
            "ok": self.ok,
            "reached": self.reached,
            "levels": [{"level": x.number, "name": x.name, "state": x.state} for x in self.levels],
            "finding": self.finding
            and asdict(self.finding) | {"place": self.finding.place and self.finding.place._asdict()},
            "notes": self.notes,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any], hint: int = 0) -> Verdict:
        """The verdict that `to_json` wrote. ValueError, TypeError or KeyError for anything else."""
        finding = None
        if value["finding"] is not None:
            texts = dict(value["finding"])
            at = texts.pop("place")
            place = at and Place(str(at["file"]), int(at["line"]), str(at["text"]))
            finding = Finding(**{key: str(text) for key, text in texts.items()}, place=place)
        levels = [
            Level(int(x["level"]), str(x["name"]), x["state"] if x["state"] in MARKS else WRONG)
            for x in value["levels"]
        ]
        return cls(levels, finding, [str(note) for note in value["notes"]], hint)
