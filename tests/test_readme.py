"""The README's Python runs as it stands."""

import re
from pathlib import Path

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def test_the_readmes_python_runs_and_proves_its_gradients(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in re.findall(r"```python\n(.*?)```", README, flags=re.S):
        exec(compile(block, "README.md", "exec"), names)
    scores, *report, shapes, by_now, unseen, shape = capsys.readouterr().out.splitlines()
    assert report[-1].startswith("All 17 rows passed: within ")
    assert shapes == "(4, 20, 16) (4, 20, 16)"
    assert by_now == "(4, 20, 1)"
    assert eval(scores)["accuracy"] > 0.9
    assert eval(unseen)["AUC"] > 0.95
    assert shape == "(48, 3)"
    assert {p.name for p in tmp_path.iterdir()} == {"gru.keras", "gru.onnx"}
