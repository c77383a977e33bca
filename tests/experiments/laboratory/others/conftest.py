"""Stand-ins for public repositories, written here or taken from our own solutions: git repositories in a temporary folder."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.laboratory.others.passes import Pass


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=Nobody", "-c", "user.email=nobody@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", "-C", str(folder), *identity, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def notebook(*cells: str) -> str:
    """A notebook of code cells with a cell of text before each."""
    text = {"cell_type": "markdown", "source": ["# Text"]}
    code = [{"cell_type": "code", "source": cell.splitlines(keepends=True)} for cell in cells]
    return json.dumps({"cells": [cell for each in code for cell in (text, each)]})


@pytest.fixture
def repository(tmp_path) -> Callable[[dict[str, str]], tuple[Path, str]]:
    """A clone with these files, and its commit."""

    def make(files: dict[str, str], name: str = "somebody+lstm") -> tuple[Path, str]:
        clone = tmp_path / name
        clone.mkdir()
        git(clone, "init", "-q")
        for path, text in files.items():
            (clone / path).parent.mkdir(parents=True, exist_ok=True)
            (clone / path).write_text(text, encoding="utf-8")
        git(clone, "add", "-A")
        git(clone, "commit", "-q", "-m", "Files")
        return clone, git(clone, "rev-parse", "HEAD")

    return make


@pytest.fixture
def subject(repository) -> Callable[..., tuple[Pass, Path]]:
    """A pass of a stand-in: its files as {path: text}, the names of its definitions, and an adapter."""

    def make(files, names, adapter, cell="lstm", **options):
        clone, commit = repository(files)
        definitions = {path: tuple(names) for path in files}
        return Pass("somebody/lstm", commit, cell, "backward", definitions, adapter, **options), clone

    return make
