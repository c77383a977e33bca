"""docs/assignment.md and docs/teaching.md: every message that they show is one that the judge gives."""

import re
from pathlib import Path

import pytest

from experiments.assignment import starters
from experiments.assignment.mutants import MUTANTS, module_of
from experiments.assignment.variants import VARIANTS
from lstm_engine.gradient_check import judge

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "assignment.md").read_text(encoding="utf-8")
TEXTS = re.findall(r"^```text\n(.*?)^```$", PAGE, flags=re.M | re.S)
MESSAGES = [  # old and new text of a solved file; None: the starter as it is
    None,
    ("df = dc_total * c\n", "df = dc_total * tanh_c\n"),
    ("df = dc_total * c\n", "df = dc_total * tanh_c\n"),
    ("dW += dW_t", "dW = dW_t"),
    ("dh, dc, dW_t, dU_t", "dh, _, dW_t, dU_t"),
    ("tanh_c = np.tanh(c_new)", "tanh_c = c_new"),
    ("db = dz.sum(axis=0)", "db = dz"),
    ("db = dz.sum(axis=0)", "db = dzz.sum(axis=0)"),
    ("v_hat = v / (1 - beta_2**t)", "v_hat = v"),
    ("dh[-1] = dp", "dh[:] = dp"),
]


def learners_file(change):
    """The starter with its functions written, one of them with a mistake."""
    starter, solution = starters.starter("lstm"), starters.solution("lstm")
    if change is None:
        return starter
    head = starter.index('"""', 3)
    assert change[0] in solution
    return starter[:head] + solution[solution.index('"""', 3) :].replace(*change)


@pytest.mark.slow
@pytest.mark.parametrize(("change", "text"), list(zip(MESSAGES, TEXTS, strict=False)))
def test_the_messages_are_the_judges(change, text, tmp_path):
    module = module_of(learners_file(change), tmp_path / "lstm.py")
    functions = {name: f for name, f in vars(module).items() if callable(f)}
    shown = str(judge.check_all(functions, hint=0 if "Hint 1" in text or change is None else 3))
    assert text.strip() in shown


def test_the_notebooks_example_prints_what_the_page_says(capsys):
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.M | re.S)
    exec(code, {})
    assert capsys.readouterr().out == TEXTS[-1]
    assert len(TEXTS) == len(MESSAGES) + 1


def test_the_numbers_of_mistakes_and_of_right_solutions_are_those_of_the_tables():
    assert f"plants {len(MUTANTS)} mistakes" in PAGE
    assert f"in {len(VARIANTS)} ways of writing" in PAGE
