"""The README's Python runs as it stands."""

import re
from pathlib import Path

import pytest

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def test_the_readmes_python_runs_and_proves_its_gradient(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in re.findall(r"```python\n(.*?)```", README, flags=re.S):
        exec(compile(block, "README.md", "exec"), names)
    scores, gradients, unseen, shape = capsys.readouterr().out.splitlines()
    numeric, analytic = map(float, gradients.split())
    assert numeric == pytest.approx(analytic, rel=1e-5)  # rounding 1e-16 / 1e-5 over a gradient of 2e-4
    assert eval(scores)["accuracy"] > 0.9
    assert eval(unseen)["AUC"] > 0.95
    assert shape == "(48, 3)"
    assert {p.name for p in tmp_path.iterdir()} == {"gru.keras", "gru.onnx"}
