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


ARM = """
import re
import llvmlite.binding as llvm
import numba as nb
import numpy as np
from llvmlite import ir

nb.njit(lambda: 1)()  # Numba itself is for this processor
here, llvm.get_process_triple = llvm.get_process_triple, lambda: "{triple}"
from lstm_engine.kernels import lstm, product, vectors

llvm.get_process_triple = here
assert (vectors.ARM, vectors.X86, product.WIDE) == (True, False, 4)
llvm.initialize_all_targets()
llvm.initialize_all_asmprinters()
arm = llvm.Target.from_triple("{triple}").create_target_machine(cpu="{cpu}", opt=3)


def assembled(text):
    text = re.sub(r"= .*@llvm\\.x86\\.atomic.*", "= add i8 0, 0", text)  # Numba's counts of references, for x86
    text = re.sub(r"^target .*|^.*@llvm\\.x86\\..*", "", text, flags=re.M)
    module = llvm.parse_assembly(f'target datalayout = "{arm.target_data}"\\ntarget triple = "{arm.triple}"\\n' + text)
    module.verify()
    return arm.emit_assembly(module)


def of_vectors(name, code):
    return len(re.findall(name + r"(\\.4s|\\s+v\\d+\\.4s)", code))


control = ir.Module()
function = ir.Function(control, ir.FunctionType(ir.VoidType(), []), "control")
b = ir.IRBuilder(function.append_basic_block())
vectors.set_control(b, b.or_(vectors.get_control(b), vectors.INDEX(vectors.FLUSH)))
b.ret_void()
code = assembled(str(control))
assert re.search("mrs.*FPCR", code) and re.search("msr.*FPCR", code) and "#0x1000000" in code, code

vectors.ARM, vectors.X86, vectors.FLUSH = False, True, 0  # so that it can be compiled and called here
x, W, U = (np.ones(shape, np.float32) for shape in ((2, 3, 2), (2, 20), (5, 20)))
lstm.lstm_forward(x, W, U, U[0], U[:3, :5], U[:3, :5])
(forward,) = lstm._forward.inspect_llvm().values()
code = assembled(forward)
assert of_vectors("fdiv", code), code
code = assembled(product._compiled[-1].inspect_llvm())
assert of_vectors("fmla", code) >= 24 and "pstl1keep" in code, code
print("assembled")
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("triple", "cpu"), [("aarch64-unknown-linux-gnu", "generic"), ("arm64-apple-darwin23.0.0", "apple-m1")]
)
def test_kernels_can_be_assembled_for_arm_with_32_registers_of_16_bytes(tmp_path, triple, cpu):
    """LLVM knows each of their instructions there. That they compute the same on ARM, only an ARM processor can tell."""
    code = ARM.replace("{triple}", triple).replace("{cpu}", cpu)
    environment = os.environ | {"LSTM_ENGINE_VECTOR_BYTES": "16", "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout.split() == ["assembled"], done.stderr[-4000:]
