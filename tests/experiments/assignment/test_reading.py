import os

from experiments.assignment.reading import module_from


def test_two_edits_of_one_size_in_one_second_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    file = tmp_path / "mine.py"
    for text in ("answer = 1\n", "answer = 2\n"):
        file.write_text(text)
        os.utime(file, (1, 1))
        assert f"answer = {module_from(file, 'mine').answer}\n" == text
    assert list(tmp_path.iterdir()) == [file]
