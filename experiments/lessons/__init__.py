"""Eight lessons, from one recurrent unit to your own voice: marimo notebooks that are scripts, pages and tests at once.

`lstm-engine lessons` opens them. A lesson imports the engine and shows it at work; its exercises are functions
`answer_1`, `answer_2` ... that the reader writes, and `check_1`, `check_2` ... say whether they are right. The right
answers stand in tests/experiments/lessons.
"""

from pathlib import Path

FOLDER = Path(__file__).parent


def files() -> list[Path]:
    """The lessons in their order."""
    return sorted(FOLDER.glob("lesson_*.py"))
