"""The list of sides: what an entry says of itself."""

import pytest

from experiments.bench import sides


def test_a_version_is_that_of_whatever_brought_the_module(monkeypatch):
    """TensorFlow may come as tensorflow-cpu, under which name alone its version is known."""
    monkeypatch.setattr(sides, "packages_distributions", lambda: {"keras": ["keras"], "tensorflow": ["tensorflow-cpu"]})
    monkeypatch.setattr(sides, "version", {"keras": "3.15", "tensorflow-cpu": "2.21"}.__getitem__)
    assert sides.SIDES["keras-tensorflow"].version == "keras 3.15, tensorflow 2.21"


@pytest.mark.parametrize("name", [n for n, entry in sides.SIDES.items() if sides.installed(entry)])
def test_whatever_is_installed_has_a_version(name):
    assert sides.SIDES[name].version
