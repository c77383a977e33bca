import importlib.util

import pytest

from experiments import lessons


@pytest.fixture(scope="session")
def marimo():
    return pytest.importorskip("marimo", reason='needs marimo: pip install -e ".[lessons]"')


@pytest.fixture(scope="session")
def lesson(marimo):
    """lesson(n, answer_1=...): the definitions of lesson n after a run, with answers in the place of the reader's."""

    def run(n, **answers):
        (file,) = [f for f in lessons.files() if f.name.startswith(f"lesson_{n}_")]
        spec = importlib.util.spec_from_file_location(file.stem, file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.app.run(defs=answers or None)[1]

    return run
