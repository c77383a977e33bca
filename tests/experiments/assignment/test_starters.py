"""Starter files: what they hold, what they leave out, and what is refused."""

import ast
import json

import pytest

from experiments.assignment import starters
from experiments.assignment.checking import code_of


@pytest.mark.parametrize("topic", starters.TOPICS)
def test_a_starter_has_the_solutions_signatures_and_docstrings_and_none_of_its_bodies(topic):
    empty = {f.name: f for f in ast.parse(starters.starter(topic)).body if isinstance(f, ast.FunctionDef)}
    solved = {f.name: f for f in ast.parse(starters.solution(topic)).body if isinstance(f, ast.FunctionDef)}
    assert list(empty) == list(solved)
    for name, function in empty.items():
        assert ast.unparse(function.args) == ast.unparse(solved[name].args)
        assert ast.get_docstring(function) == ast.get_docstring(solved[name])
        body = [ast.unparse(line) for line in function.body[1:]]
        assert body == ["raise NotImplementedError"] or name in starters.READY


@pytest.mark.parametrize("convention", starters.CONVENTIONS)
def test_every_function_of_a_starter_says_its_shapes(convention):
    for function in ast.parse(starters.starter("lstm", convention)).body:
        if isinstance(function, ast.FunctionDef) and function.name not in (*starters.READY, "adam_step"):
            assert "Returns" in ast.get_docstring(function)
            assert "(" in ast.get_docstring(function).split("\n\n", 1)[1]


def test_all_topics_are_written_and_nothing_is_overwritten(tmp_path):
    files = starters.new(tmp_path / "mine", "all")
    assert [file.name for file in files] == ["lstm.py", "gru.py", "rnn.py", "adam.py"]
    (tmp_path / "mine" / "lstm.py").write_text("my work")
    (tmp_path / "mine" / "gru.py").unlink()
    with pytest.raises(FileExistsError, match=r"already there, perhaps with your work: .*lstm\.py"):
        starters.new(tmp_path / "mine", "all")
    assert (tmp_path / "mine" / "lstm.py").read_text() == "my work"
    assert not (tmp_path / "mine" / "gru.py").exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"topic": "cnn"}, "there is no topic cnn: expected one of lstm, gru, rnn, adam, or all"),
        ({"convention": "torch"}, "there is no convention torch: expected one of rows, cs231n"),
        ({"topic": "gru", "convention": "cs231n"}, "the starter of gru has one convention"),
    ],
)
def test_what_is_refused_leaves_no_folder(options, says, tmp_path):
    with pytest.raises(ValueError, match=says):
        starters.new(tmp_path / "mine", **options)
    assert not (tmp_path / "mine").exists()


def test_the_notebook_holds_the_same_functions_and_a_check_below_each_pair(tmp_path):
    (file,) = starters.new(tmp_path, notebook=True)
    cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    checks = [text for text in code if text.startswith("le.assignment")]
    assert [text.partition("(")[0] for text in checks] == [
        "le.assignment.check", "le.assignment.check", "le.assignment.check_adam", "le.assignment.check_training",
    ]  # fmt: skip
    names = {}
    exec(code_of(file.read_text(encoding="utf-8"), file), names)
    assert {"lstm_step_forward", "lstm_backward", "adam_step", "train"} <= set(names)


@pytest.mark.parametrize(
    ("source", "text"),
    [(starters.starter("lstm", "cs231n"), "dprev_c = dnext_c * f"), (starters.starter("lstm"), "dc = dc_total * f")],
)
def test_the_solution_that_is_shown_is_in_the_files_own_convention(source, text):
    assert text in starters.solved("lstm_step_backward", source)
    assert starters.solved("no_such_function", source) == ""
