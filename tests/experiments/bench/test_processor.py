"""What is known about the processor, and the switches that hold peers to AVX2."""

import os
import subprocess
import sys

import pytest

from experiments.bench import processor


@pytest.fixture
def narrow(monkeypatch):
    """narrow(used, widest): a processor of such vectors, in bytes."""

    def pretend(used, widest):
        monkeypatch.setattr(processor, "used", lambda: used)
        monkeypatch.setattr(processor, "widest", lambda: widest)

    return pretend


def test_peers_are_held_while_the_engine_is_narrower_and_not_afterwards(narrow, monkeypatch):
    narrow(32, 64)
    monkeypatch.setenv("XLA_FLAGS", "--mine")
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    with processor.peers_held():
        assert {name: os.environ[name] for name in processor.AVX2} == processor.AVX2
    assert os.environ["XLA_FLAGS"] == "--mine"
    assert "ONEDNN_MAX_CPU_ISA" not in os.environ
    assert processor.vectors() == {
        "processor_bytes": 64, "used_bytes": 32, "label": f"AVX2, emulated on {processor.name()}"
    }  # fmt: skip


@pytest.mark.parametrize("width", [16, 32, 64])
def test_at_the_processors_width_nothing_is_held(width, narrow):
    narrow(width, width)
    before = dict(os.environ)
    with processor.peers_held():
        assert dict(os.environ) == before
    assert processor.vectors()["label"] == ""


@pytest.mark.parametrize(("used", "widest"), [(16, 64), (16, 32)])
def test_a_width_to_which_peers_cannot_be_held_is_refused(used, widest, narrow):
    narrow(used, widest)
    with pytest.raises(
        ValueError, match=rf"VECTOR_BYTES={used} on a processor with vectors of {widest} .* set 32 there"
    ):
        processor.vectors()


def test_every_feature_of_numba_is_said_and_none_is_avx512():
    said = processor.AVX2["NUMBA_CPU_FEATURES"].split(",")
    assert {word[1:] for word in said} == set(processor.FEATURES)
    assert not [word for word in said if word.startswith("+avx512")]
    for name in {"avx2", "fma"} & set(processor.FEATURES):
        assert f"{'+' if processor.FEATURES[name] else '-'}{name}" in said


def test_caches_are_those_of_the_first_core(tmp_path, monkeypatch):
    for n, (level, kind, size) in enumerate(
        [("1", "Data", "48K"), ("1", "Instruction", "32K"), ("2", "Unified", "2048K")]
    ):
        folder = tmp_path / f"index{n}"
        folder.mkdir()
        for file, words in (("level", level), ("type", kind), ("size", size)):
            (folder / file).write_text(f"{words}\n")
    monkeypatch.setattr(processor, "CACHES", tmp_path)
    monkeypatch.setattr(processor.platform, "system", lambda: "Linux")
    assert processor.caches() == {"L1d": 48 * 1024, "L2": 2048 * 1024}
    (tmp_path / "index2" / "size").unlink()  # as on many ARM machines
    assert processor.caches() == {"L1d": 48 * 1024}
    monkeypatch.setattr(processor, "CACHES", tmp_path / "elsewhere")
    assert processor.caches() == {}


@pytest.mark.parametrize(
    ("told", "used"),
    [
        (["AVX512_elapsed_ms:\t-1\n", "AVX512_elapsed_ms:\t249\n"], True),
        (["AVX512_elapsed_ms:\t-1\n", "AVX512_elapsed_ms:\t250\n"], False),
        (["", "Other:\t1\n"], False),
        ([], False),
    ],
)
def test_avx512_was_used_if_a_thread_had_it_since(told, used, tmp_path, monkeypatch):
    for n, words in enumerate(told):
        (tmp_path / str(n)).mkdir()
        (tmp_path / str(n) / "arch_status").write_text(words)
    monkeypatch.setattr(processor, "TASKS", tmp_path)
    assert processor.used_avx512(0.25) is used


BEHAVIOUR = """
import re, time
import numba, numpy as np
from experiments.bench.processor import used_avx512

@numba.njit
def double(a):
    for i in range(a.size):
        a[i] *= 2.0

time.sleep(0.1)
a, start = np.ones((512, 512), "float32"), time.perf_counter()
double(a.ravel()), a @ a, np.exp(a)
(code,) = double.inspect_asm().values()
time.sleep(0.05)
print(used_avx512(time.perf_counter() - start), bool(re.search("%zmm|%k[1-7]", code)))
"""


@pytest.mark.slow
@pytest.mark.skipif(processor.widest() < 64, reason="needs a processor with AVX-512")
@pytest.mark.parametrize(("settings", "expected"), [({}, "True True"), (processor.AVX2, "False False")])
def test_numpy_and_numba_use_avx512_unless_they_are_held(settings, expected, tmp_path):
    """Whether a thread used it, and whether it stands in compiled code."""
    if not list(processor.TASKS.glob("*/arch_status")):
        pytest.skip("this system does not tell who used AVX-512")
    environment = {name: value for name, value in os.environ.items() if name not in processor.AVX2} | settings
    done = subprocess.run(
        [sys.executable, "-c", BEHAVIOUR],
        env=environment | {"OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == expected.split(), done
