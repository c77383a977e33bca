"""LSTM_ENGINE_VECTOR_BYTES: the kernels of processors with narrower vectors, tested on this one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lstm_engine.kernels import product, vectors

HERE = Path(__file__).parent


@pytest.mark.slow
@pytest.mark.parametrize("width", [n for n in vectors.widths() if n != vectors.BYTES])
def test_the_lstm_s_kernels_of_every_other_width_pass_their_float32_tests(width):
    files = HERE / "test_vectors.py", HERE / "test_twins.py"
    chosen = "test_vectors or float32-lstm]"
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "-m", "not slow", *files]
    environment = os.environ | {"LSTM_ENGINE_VECTOR_BYTES": str(width)}
    done = subprocess.run([*command, "-k", chosen], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("wanted", ["64", "8", "wide"])
def test_a_width_that_the_processor_lacks_is_refused_with_those_that_it_has(monkeypatch, wanted):
    monkeypatch.setattr(vectors, "FEATURES", {"avx2": True})
    monkeypatch.setenv("LSTM_ENGINE_VECTOR_BYTES", wanted)
    with pytest.raises(ValueError, match=f"LSTM_ENGINE_VECTOR_BYTES is '{wanted}'; .* vectors of 16, 32 bytes"):
        vectors.vector_bytes()


def test_the_widest_vectors_are_the_default_and_narrower_ones_can_be_had(monkeypatch):
    monkeypatch.setattr(vectors, "FEATURES", {"avx2": True, "avx512f": True})
    monkeypatch.delenv("LSTM_ENGINE_VECTOR_BYTES", raising=False)
    assert vectors.vector_bytes() == 64
    monkeypatch.setenv("LSTM_ENGINE_VECTOR_BYTES", "16")
    assert vectors.vector_bytes() == 16


def test_kernels_of_two_widths_are_not_taken_from_the_disk_for_each_other():
    """The hash is in the key of every cached kernel: see test_cache.py."""
    assert len({product.hash_for(width) for width in (16, 32, 64)}) == 3
    assert product.hash_for(vectors.BYTES) == product.THESE_FILES
