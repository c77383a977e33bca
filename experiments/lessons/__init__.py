"""Eleven lessons, from one recurrent unit to your own LSTM: marimo notebooks that are also scripts, pages and tests.

Open `lesson_1_unrolling.py` first; `lstm-engine lessons` opens them in the browser. The reader writes the functions
`answer_1`, `answer_2` ..., and `check_1`, `check_2` ... check them. Hints and right answers are in solutions/.
"""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
LINES = {
    1: "One number fed back to itself, unrolled over time; what is left of a pulse.",
    2: "One cell, its gates on sliders, its numbers in a drawing and in equations.",
    3: "Three steps back by hand, the engine's lines, and a bug that is found.",
    4: "The gradient on its way back: a power of a matrix, and how a cell avoids it.",
    5: "What the optimizer keeps of each gradient, beside the engine and Keras.",
    6: "The tutorial's table read in two ways, and a test whose result is too good.",
    7: '"When birds flap their wings they ...": how far back two networks reach.',
    8: "Recorded in the browser, judged, and under the microscope.",
    9: "A network learns to write from 32 tales; what each letter rests on.",
    10: "The passes that you wrote, checked, and trained on voices beside the engine.",
    11: "The GRU in both variants, and layers that read a sequence from both ends.",
}


def files() -> list[Path]:
    """The lessons in their order."""
    return sorted(FOLDER.glob("lesson_*.py"), key=_number)


def _number(file: Path) -> int:
    return int(file.name.split("_")[1])


@dataclass(frozen=True)
class Lesson:
    """A lesson's title without the number, a line about it, and the headings of its parts."""

    number: int
    file: Path
    title: str
    line: str
    parts: list[str]

    @classmethod
    def read(cls, file: Path) -> "Lesson":
        """Reads the headings in the notebook's prose, without running it."""
        prose = "\n\n".join(_strings(ast.parse(file.read_text(encoding="utf-8"))))
        headings = re.findall(r"^ *(##?) +([^\0\n]+)$", prose, re.MULTILINE)  # without those that contain a value
        title = next(words for level, words in headings if level == "#")
        parts = [words.strip() for level, words in headings if level == "##"]
        return cls(
            number=_number(file),
            file=file,
            title=re.sub(r"^(Lesson +)?\d+\W*", "", title).strip(),
            line=LINES.get(_number(file), ""),
            parts=[part for part in parts if part != "Exercises"],
        )


def _strings(node: ast.AST) -> list[str]:
    """The strings of a notebook in order, with a NUL in place of each value."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    if isinstance(node, ast.FormattedValue):
        return ["\0"]
    parts = [text for child in ast.iter_child_nodes(node) for text in _strings(child)]
    return ["".join(parts)] if isinstance(node, ast.JoinedStr) else parts
