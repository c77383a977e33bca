"""The doctor's self-test says why a hash differs, and the comparison of runs finds the file that does."""

import json
from importlib.util import find_spec

import pytest

from experiments.promises import doctor, same_bytes, self_test
from experiments.reports.run import SURROUNDINGS

CHEAP = ("draws", "file")


def test_what_depends_on_numpy_and_our_format_alone_is_the_same_everywhere():
    assert [(found.said, found.ok) for found in self_test.run(CHEAP)] == [("same", True)] * 2


@pytest.mark.parametrize(
    ("stored", "ok", "said"),
    [
        ({"any": "0"}, False, "neither any nor a version explains it: please report it"),
        ({"8-byte vectors": "0"}, True, "because no hash is stored for any (but for 8-byte vectors)"),
    ],
)
def test_a_hash_that_differs_says_why(stored, ok, said):
    found = self_test.judge("file", {"versions": self_test.versions(), "sha256": {"file": stored}})
    assert found.ok is ok
    assert said in found.said


def test_another_version_explains_a_difference():
    stored = {"versions": self_test.versions() | {"numpy": "1.0"}, "sha256": {"file": {"any": "0"}}}
    found = self_test.judge("file", stored)
    assert found.ok
    assert "numpy is" in found.said
    assert "was 1.0" in found.said


def test_every_part_has_a_stored_hash():
    stored = json.loads(self_test.STORED.read_text())
    assert list(stored["sha256"]) == list(self_test.PARTS)
    assert set(stored["versions"]) == set(self_test.LIBRARIES)


def test_a_missing_part_is_named_with_the_way_to_get_it(monkeypatch):
    monkeypatch.setattr(doctor, "find_spec", lambda name: None if name == "jax" else find_spec("json"))
    assert doctor.optional_part("keras") == (
        "missing jax (the twin beside which compare and demo train): pip install 'lstm-engine[keras]'"
    )


def test_the_doctor_prints_what_it_has_found(lstm_engine, monkeypatch):
    monkeypatch.setattr(self_test, "run", lambda: [self_test.Finding("file", "differs", ok=False)])
    shown = lstm_engine("doctor", "--json")
    assert shown.code == 1
    found = json.loads(shown.out)
    assert {"processor", "vector_bytes", "blas"} <= set(found["machine"])
    assert found["self-test"][0]["said"] == "differs"
    assert found["compiled kernels in"]


def test_a_file_that_differs_is_named_and_surroundings_do_not_count(tmp_path, capsys):
    for name, text in (("a.csv", "1"), (SURROUNDINGS, "2")):
        (tmp_path / name).write_text(text)
    first = dict(same_bytes.hashes_of(tmp_path))
    assert set(first) == {"a.csv"}
    assert same_bytes.report({(0, 1, 0): first, (0, 2, 0): first | {"b.csv": "f"}}) == ["b.csv"]
    assert "1 of 2 files have the same SHA-256 in all 2 variations" in capsys.readouterr().out
