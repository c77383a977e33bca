import importlib.util
import re
from functools import cache
from html import unescape
from types import SimpleNamespace

import pytest

from experiments import lessons


@pytest.fixture(scope="session")
def marimo():
    return pytest.importorskip("marimo", reason='needs marimo: pip install -e ".[lessons]"')


@pytest.fixture(scope="session")
def lesson(marimo):
    """lesson(n, answer_1=...): the definitions of lesson n after a run, with answers in the place of the reader's.

    Any other name may be given too; a cell all of whose names are given does not run. Without names a lesson runs once.
    """
    as_it_is = cache(lambda n: _app(n).run()[1])
    return lambda n, **given: _app(n).run(defs=given)[1] if given else as_it_is(n)


@pytest.fixture
def lesson_run_anew(marimo):
    """lesson_run_anew(n): the definitions of lesson n after a new run, for a test that changes what it meets."""
    return lambda n: _app(n).run()[1]


@pytest.fixture
def read_lesson(marimo, monkeypatch):
    """read_lesson(n): the text of lesson n where it is read as a page without code."""
    monkeypatch.setattr(marimo, "app_meta", lambda: SimpleNamespace(mode="run"))

    def read(n):
        pages = [marimo.as_html(output).text for output in _app(n).run()[0] if output is not None]
        return unescape(re.sub("<[^>]*>", "", "\n".join(pages)))

    return read


@cache
def _app(n):
    (file,) = [f for f in lessons.files() if f.name.startswith(f"lesson_{n}_")]
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.app
