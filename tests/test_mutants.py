"""A mutant is found again in a tree that was moved about, and planted there."""

import ast

import pytest

from tests.mutants.statements import described, find, planted, statements

BEFORE = '''
class Cell:
    def forward(self, x: Array | None, σ: float = 0.5) -> Array:
        """What is told."""
        if x is None and σ > 0:
            told = self.own * (σ
                               + 1)  # no history
        return x
'''


def mutant(old, new, before=BEFORE):
    return described("cells.py", before, before.replace(old, new))


def again(record, after, file="moved.py"):
    """How the mutant is found in the source `after`, and the source with the mutant in it."""
    found = find(record, statements(file, after))
    if found is None:
        return None
    statement, new, how = found
    return how, planted(after, statement.node, record["path"], new)


def test_a_mutant_is_known_by_its_smallest_expression():
    record = mutant("+ 1", "- 1")
    assert (record["function"], record["old"], record["new"]) == ("Cell.forward", "σ + 1", "σ - 1")
    assert mutant("σ > 0", "not σ > 0")["statement"] == "if x is None and σ > 0:"  # the head alone, without its body


@pytest.mark.parametrize("new", ["Array & None", "Array | 1"])
def test_annotations_have_no_mutants(new):
    assert mutant("Array | None", new) is None


def test_nothing_but_the_expression_changes():
    how, source = again(mutant("+ 1", "- 1"), BEFORE)
    assert how == "same"
    assert source == BEFORE.replace("σ\n                               + 1", "(σ - 1)")


@pytest.mark.parametrize(
    ("old", "new"), [("+ 1", "- 1"), ("is None", "is not None"), ("0.5", "1.5"), ("x is", "not x is"), ("> 0", "> 1")]
)
def test_found_in_another_file_class_and_layout(old, new):
    after = "import numpy\n\n\n" + BEFORE.replace("Cell", "Recurrent").replace("# no history", "").replace(
        "told.", "given."
    )
    how, source = again(mutant(old, new), after)
    assert how == "same"
    assert ast.unparse(ast.parse(source)) == ast.unparse(ast.parse(after.replace(old, new)))


def test_found_under_other_names_and_messages():
    def renamed(source):
        return source.replace("own", "weights").replace("told =", "product =").replace("σ", "slope")

    how, source = again(mutant("+ 1", "- 1"), renamed(BEFORE))
    assert how == "renamed"
    assert ast.unparse(ast.parse(source)) == ast.unparse(ast.parse(renamed(BEFORE.replace("+ 1", "- 1"))))


def test_found_in_another_function_only_where_it_is_one_place():
    other = BEFORE.replace("forward", "step")
    assert again(mutant("+ 1", "- 1"), other)[0] == "elsewhere"
    assert again(mutant("+ 1", "- 1"), other + other) is None


def test_the_second_of_equal_statements_stays_the_second():
    twice = "def f(a):\n    a = a + 1\n    a = a + 1\n"
    record = described("cells.py", twice, "def f(a):\n    a = a + 1\n    a = a + 2\n")
    assert again(record, twice) == ("same", "def f(a):\n    a = a + 1\n    a = a + (2)\n")


def test_found_where_one_line_became_two():
    record = described("cells.py", "a, b = x + 1, y\n", "a, b = x + 2, y\n")
    assert again(record, "a = x + 1\nb = y\n") == ("same", "a = x + (2)\nb = y\n")


def test_a_changed_statement_is_not_found():
    assert again(mutant("+ 1", "- 1"), BEFORE.replace("+ 1", "+ 2")) is None
