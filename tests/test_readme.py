"""The README's Python runs as it stands."""

import re
from pathlib import Path

import pytest

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def test_the_readmes_python_runs_and_proves_its_gradient(capsys):
    (block,) = re.findall(r"```python\n(.*?)```", README, flags=re.S)
    exec(compile(block, "README.md", "exec"), {})
    scores, gradients = capsys.readouterr().out.splitlines()
    numeric, analytic = map(float, gradients.split())
    assert numeric == pytest.approx(analytic, rel=1e-5)  # rounding 1e-16 / 1e-5 over a gradient of 2e-4
    assert eval(scores)["accuracy"] > 0.9
