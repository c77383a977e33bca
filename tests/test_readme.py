"""The README and docs/: the Python runs; commands, options, modules and files exist; the equations are the engine's."""

import ast
import importlib
import importlib.util
import inspect
import re
import shlex
import textwrap
import tomllib
from pathlib import Path

import pytest
import typer

from experiments.cli import app
from lstm_engine.cells.lstm import lstm_forward

HOUSE = Path(__file__).parents[1]
README = HOUSE / "README.md"
PAGES = [
    README,
    HOUSE / "CHANGELOG.md",
    *sorted((HOUSE / "docs").rglob("*.md")),
    HOUSE / "experiments/voices/pretrained/CARD.md",
]
IDS = [page.relative_to(HOUSE).as_posix() for page in PAGES]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", flags=re.S | re.M)


def blocks(page, language):
    return [code for name, code in BLOCK.findall(page.read_text(encoding="utf-8")) if name == language]


def commands(page):
    """Every command that a page shows, in a block or within a line, as words without comments."""
    text = page.read_text(encoding="utf-8")
    lines = [line for code in blocks(page, "") for line in code.splitlines()]
    lines += re.findall(r"`([^`\n]+)`", BLOCK.sub("", text))
    for line in lines:
        for start in re.finditer(r"(?:^|then: )(?=(?:lstm-engine|make|pip install|python -m|pytest) )", line):
            yield shlex.split(line[start.end() :].replace("$", ""), comments=True)


def command_of(words):
    """The subcommand that words name, and the words after its name."""
    command, rest = typer.main.get_command(app), words[1:]
    while rest and rest[0] in getattr(command, "commands", {}):
        command, rest = command.commands[rest[0]], rest[1:]
    assert rest != words[1:], words
    return command, rest


# -- the README ----------------------------------------------------------------------------------------------------------


def test_the_readme_is_short():
    lines = README.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 130
    assert max(map(len, lines)) <= 126


def test_the_equations_are_the_body_of_the_forward_pass_on_the_first_two_screens():
    source = inspect.getsource(lstm_forward)
    body = textwrap.dedent(source[source.index('    """') :])
    assert blocks(README, "python")[0] == body
    assert README.read_text(encoding="utf-8").partition(body)[0].count("\n") < 10


def run(page, names):
    for code in blocks(page, "python"):
        if not code.startswith('"""'):  # the equations, a function's body
            exec(compile(code, page.name, "exec"), names)


def test_the_readmes_python_proves_a_gradient_and_stays_with_keras(capsys, monkeypatch):
    pytest.importorskip("keras", reason='needs keras: pip install -e ".[keras]"')
    names = {}
    run(README, names)
    printed = capsys.readouterr().out
    assert re.search(r"^All 17 rows passed: within ", printed, flags=re.M)
    assert printed.splitlines()[-1] == "the two stay within the tolerance"
    assert names["model"].history.history["val_accuracy"][-1] > 0.9


def test_from_python_runs_and_prints_what_its_comments_say(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    run(HOUSE / "docs" / "from-python.md", names)
    lines = capsys.readouterr().out.splitlines()
    scores, *report, shapes, by_now, unseen, shape, windows = lines[:-5]
    assert report[-1].startswith("All 17 rows passed: within ")
    assert shapes == "(4, 20, 16) (4, 20, 16)"
    assert by_now == "(4, 20, 1)"
    assert eval(scores)["accuracy"] > 0.9
    assert eval(unseen)["AUC"] > 0.95
    assert shape == "(48, 3)"
    assert windows == "(128, 12, 2) (128, 1) (128, 1)"
    assert lines[-5:] == ["[[1 3 2 4 1 5]", " [0 0 0 1 6 2]]", "[[1. 0. 0.]", " [0. 0. 1.]", " [0. 1. 0.]]"]
    assert {p.name for p in tmp_path.iterdir()} == {"gru.keras", "gru.onnx", "square.safetensors"}


def test_rooms_import_only_from_the_rooms_that_the_design_page_names_all_of_them_further_down():
    design = (HOUSE / "docs" / "design.md").read_text(encoding="utf-8")
    table = design.partition("| room | imports from |\n|---|---|\n")[2].partition("\n\n")[0]
    rows = [[cell.strip().split(", ") for cell in line.strip("|").split("|")] for line in table.splitlines()]
    rank = {room: n for n, (rooms, _) in enumerate(rows) for room in rooms}
    below = {room: set(imports) for rooms, imports in rows for room in rooms} | {"cli": set(rank)}
    folder = HOUSE / "experiments"
    assert set(rank) == {file.parent.name for file in folder.glob("*/__init__.py")}
    for file in folder.glob("*/**/*.py"):
        room = file.relative_to(folder).parts[0]
        words = re.findall(r"(?:from|import) experiments(?:\.| import )(\w+)", file.read_text(encoding="utf-8"))
        for other in set(words) & set(rank) - {room}:
            assert other in below[room], file
            assert rank[other] > rank[room], file


# -- every page ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", [README, HOUSE / "docs" / "results.md"], ids=["README.md", "docs/results.md"])
def test_commands_have_the_arguments_that_they_require(page):
    for words in commands(page):
        if words[0] == "lstm-engine":
            command, rest = command_of(words)
            values, *_ = command.make_parser(typer.Context(command)).parse_args(list(rest))
            required = [param.name for param in command.params if param.required]
            assert all(isinstance(values.get(name), (str, list, tuple)) for name in required), words


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_commands_have_the_options_that_a_page_gives_them(page):
    for words in commands(page):
        if words[0] == "lstm-engine":
            command, rest = command_of(words)
            known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)} | {"--help"}
            used = {word.partition("=")[0] for word in rest if word.startswith("-") and not word.lstrip("-").isdigit()}
            assert used <= known, words


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_targets_extras_and_modules_that_a_page_names_exist(page):
    extras = tomllib.loads((HOUSE / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    targets = re.findall(r"^([\w-]+):", (HOUSE / "Makefile").read_text(encoding="utf-8"), flags=re.M)
    for words in commands(page):
        if words[0] == "make":
            assert set(words[1:]) & set(targets), words
        if words[0] == "pip":
            named = re.findall(r"\[([\w,]+)\]", " ".join(words))
            assert all(set(names.split(",")) <= set(extras) for names in named), words
        if words[:2] == ["python", "-m"] and words[2].startswith("experiments"):
            assert importlib.util.find_spec(words[2]), words
        if words[0] == "pytest":
            assert all((HOUSE / word).exists() for word in words if word.startswith("tests/")), words


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_names_that_a_page_imports_exist(page):
    """Also in blocks that no test runs, because they train for long or need the reader's data."""
    quoted = re.compile(r"# \w+ in [\w/]+\.py\n")  # lines out of a function, which are no program
    for code in (code for code in blocks(page, "python") if not quoted.match(code)):
        for imported in (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.ImportFrom)):
            module = imported.module
            if module.partition(".")[0] in ("lstm_engine", "features", "experiments"):
                for name in (alias.name for alias in imported.names):
                    assert hasattr(importlib.import_module(module), name) or importlib.util.find_spec(
                        f"{module}.{name}"
                    )


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_files_that_a_page_names_exist(page):
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"`((?:lstm_engine|features|experiments|tests|docs)/[\w./-]*\w)/?`", text)
    assert not [name for name in named if not (HOUSE / name).exists()]
    linked = re.findall(r"\]\(([^)#\s:]+)(?:#[^)\s]*)?\)", BLOCK.sub("", text))
    assert not [target for target in linked if not (page.parent / target).exists() and not target.endswith(".html")]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "shorter"),
    [
        ("lstm1997", {"n == 100_000": "n == 50", 'setup.limit_of("1997")': "200", "range(2)": "range(1)"}),
        ("variants", {"OnAdding()": "OnAdding(limit=200)"}),
        ("gap", {"range(301)": "range(1)"}),
    ],
)
def test_the_studies_scripts_run_when_they_are_made_shorter(page, shorter, request, monkeypatch):
    if page == "gap":
        monkeypatch.setenv("LSTM_ENGINE_DATA", str(request.getfixturevalue("shared_data")))
    text = "\n".join(blocks(HOUSE / "docs" / "memory" / f"{page}.md", "python"))
    for whole, short in shorter.items():
        assert whole in text
        text = text.replace(whole, short)
    exec(compile(text, page, "exec"), {})
