"""Single definitions out of a clone: at a commit, from scripts and notebooks, with lines put right in memory."""

import numpy as np
import pytest

from experiments.laboratory.others.source import Mend, MissingSource, Theirs, place, read

from .conftest import git, notebook

SCRIPT = """import nothing_that_exists
raise SystemExit("a script that trains when it is imported")

def double(x):
    # twice
    y = np.zeros(x.shape)
    return y + 2 * x

print 'Python 2'

class Layer:
    def forward(self, x):
        return double(
            x
        )

def broken(x):
    return
  oops =
"""


def test_only_the_named_definitions_are_executed(repository):
    clone, commit = repository({"a.py": SCRIPT})
    theirs = Theirs(clone, commit, {"a.py": ("double", "Layer")})
    assert theirs.Layer().forward(np.array([3.0])) == 6.0
    assert "broken" not in theirs


def test_a_definition_with_a_syntax_error_names_its_line(repository):
    clone, commit = repository({"a.py": SCRIPT})
    with pytest.raises(SyntaxError) as error:
        Theirs(clone, commit, {"a.py": ("broken",)})
    assert error.value.lineno == SCRIPT.split("\n").index("  oops =") + 1


def test_the_file_is_that_of_the_commit_whatever_the_clone_shows(repository):
    clone, commit = repository({"a.py": "def f():\n    return 1\n"})
    (clone / "a.py").write_text("def f():\n    return 2\n")
    git(clone, "commit", "-q", "-am", "Later")
    assert Theirs(clone, commit, {"a.py": ("f",)}).f() == 1
    assert (clone / "a.py").read_text() == "def f():\n    return 2\n"


def test_a_mend_replaces_lines_in_memory_and_keeps_the_numbers_of_the_others(repository):
    text = "def f(x):\n    y = (x +\n         1)\n    z = 3\n    raise ValueError(y)\n"
    clone, commit = repository({"a.py": text})
    mends = [Mend("a.py", 2, "y = 5", last=3), Mend("a.py", 4, "z = 1\ny = y + z")]
    theirs = Theirs(clone, commit, {"a.py": ("f",)}, mends)
    with pytest.raises(ValueError, match="6") as error:
        theirs.f(0)
    assert error.traceback[-1].lineno + 1 == 5
    assert (clone / "a.py").read_text() == text


def test_code_of_a_notebook_is_read_cell_after_cell_and_placed_by_cell(repository):
    clone, commit = repository({"n.ipynb": notebook("%matplotlib inline\n", "def f():\n    a = 1\n    return a")})
    text = read(clone, commit, "n.ipynb")
    line = text.split("\n").index("    return a") + 1
    assert Theirs(clone, commit, {"n.ipynb": ("f",)}).f() == 1
    assert place(clone, commit, "n.ipynb", line) == "n.ipynb, cell 4, line 3"


@pytest.mark.parametrize(("path", "name"), [("b.py", "f"), ("a.py", "g")])
def test_what_is_missing_is_named(repository, path, name):
    clone, commit = repository({"a.py": "def f():\n    pass\n"})
    with pytest.raises(MissingSource, match=f"{path}|{name}"):
        Theirs(clone, commit, {path: (name,)})


def test_their_zeros_hold_complex_numbers_while_a_complex_step_passes(repository):
    clone, commit = repository({"a.py": "def f(x):\n    y = np.zeros(2, dtype='f')\n    y[0] = x\n    return y\n"})
    theirs = Theirs(clone, commit, {"a.py": ("f",)})
    theirs.numbers.hold(1.0)
    assert theirs.f(0.1).dtype == np.float64
    theirs.numbers.hold(1j)
    assert theirs.f(1j)[0] == 1j


def test_their_clipping_does_nothing(repository):
    clone, commit = repository({"a.py": "def f(g):\n    np.clip(g, -5, 5, out=g)\n    return np.clip(g, 0, 1)\n"})
    assert Theirs(clone, commit, {"a.py": ("f",)}).f(np.array([9.0])) == 9.0
