"""The benchmark's own arithmetic: what a step computes and moves, ratios of rounds, slopes, shapes and who takes part."""

from dataclasses import replace

import numpy as np
import pytest

from experiments.bench import limits, new_process, sides, task, turns
from experiments.bench.engine_side import EngineSide
from experiments.bench.run import power, ratio, spread
from experiments.bench.sides import Way
from experiments.bench.task import GRID, Shape
from experiments.bench.turns import difference
from lstm_engine.cells.lstm import lstm_backward, lstm_forward


class Counting(np.ndarray):
    """Remembers every matrix product it takes part in, as multiply-adds."""

    products: list[int] = []  # noqa: RUF012 (emptied by the test)

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        plain = [np.asarray(a) for a in inputs]
        result = getattr(ufunc, method)(*plain, **kwargs)
        if ufunc is np.matmul:
            self.products.append(result.size * plain[0].shape[-1])
        return result.view(Counting)


@pytest.mark.parametrize("sizes", [(5, 3, 4, 2), (7, 1, 6, 3), (1, 9, 2, 1)])
def test_counted_flops_are_those_of_the_readable_pair(sizes, monkeypatch):
    """The pair also forms δx = δz Wᵀ, which a first layer does not need; the Dense layer's products are counted by hand."""
    T, D, H, B = sizes
    products = []
    monkeypatch.setattr(Counting, "products", products)
    tensordot = np.tensordot

    def counted(a, b, axes):
        result = tensordot(a, b, axes)
        products.append(result.size * T * B)
        return np.asarray(result)

    monkeypatch.setattr(np, "tensordot", counted)
    rng = np.random.default_rng(0)
    arrays = [(T, B, D), (D, 4 * H), (H, 4 * H), (4 * H,), (B, H), (B, H)]
    tape = lstm_forward(*(rng.standard_normal(shape).view(Counting) for shape in arrays))
    forward = 2 * (sum(products) + B * H)
    assert task.forward_flops(Shape("", *sizes)) == forward
    products.clear()
    lstm_backward(tape, dh_T=np.ones((B, H)))
    backward = 2 * (sum(products) - T * B * 4 * H * D + 2 * B * H)
    assert task.training_flops(Shape("", *sizes)) == forward + backward


def test_the_tutorials_step_is_counted_as_by_hand():
    """T=112, D=1, H=64, B=32: 112 x 32 rows of 65 x 256 forward, of 64 x 256 and 65 x 256 backward; Dense 32 x 64 thrice."""
    by_hand = 2 * (112 * 32 * 256 * (65 + 64 + 65) + 3 * 32 * 64)
    assert task.training_flops(GRID["tutorial"]) == by_hand == 356_003_840


def test_two_directions_compute_twice():
    one, two = Shape("", 9, 3, 8, 4), Shape("", 9, 3, 8, 4, bidirectional=True)
    assert task.training_flops(two) == 2 * task.training_flops(one)
    assert task.forward_flops(two) == 2 * task.forward_flops(one)


def test_bytes_of_the_smallest_step_are_counted_as_by_hand():
    """T = D = H = B = 1: W 4, U 4, b 4, Dense 1 + 1 weights; x, gates, c, tanh(c), h, δz: 1, 4, 1, 1, 1, 4 numbers."""
    shape = Shape("", 1, 1, 1, 1)
    assert task.parameters(shape) == 14
    assert task.forward_bytes(shape) == 4 * (1 + 14)
    assert task.training_bytes(shape) == 4 * (2 * (1 + 4 + 1 + 1 + 1 + 4) + 10 * 14)


@pytest.mark.parametrize("name", ["tutorial", "digits"])
def test_parameters_are_those_of_the_model(name):
    assert task.parameters(GRID[name]) == task.Task.of(replace(GRID[name], B=1)).model().count_params()


def test_a_ratio_is_taken_round_by_round():
    """Rounds of 1/4, 9/3 and 4/8; the ratio of the medians would be 4/4."""
    assert ratio([1.0, 9.0, 4.0], [4.0, 3.0, 8.0])["median"] == 0.5
    slow_round = ratio([1.0, 10.0, 2.0], [2.0, 20.0, 4.0])  # slows both sides
    assert slow_round == {"median": 0.5, "low": 0.5, "high": 0.5}
    with pytest.raises(ValueError, match="longer"):
        ratio([1.0], [1.0, 2.0])


def test_a_spread_holds_the_middle_four_fifths():
    assert spread(range(11)) == {"median": 5, "low": 1, "high": 9}


def test_the_slope_is_the_power():
    sizes = [8, 16, 64, 512]
    assert power(sizes, [3e-4 * n**1.5 for n in sizes]) == pytest.approx(1.5, abs=1e-12)


def test_shapes_come_by_name_and_by_sizes():
    assert task.parse_shapes("tutorial, 50x3x32x16") == [GRID["tutorial"], Shape("50x3x32x16", 50, 3, 32, 16)]
    assert task.parse_shapes("all") == list(GRID.values())


@pytest.mark.parametrize("wrong", ["tutoral", "50x3x32", "50x3x0x16", "axbxcxd", ""])
def test_other_shapes_are_refused_with_the_names(wrong):
    with pytest.raises(ValueError, match=r"one of tutorial, structured, .* or TxDxHxB"):
        task.parse_shapes(wrong)


def test_missing_peers_are_named_with_their_remedy(monkeypatch):
    monkeypatch.setattr(sides, "installed", lambda entry: "torch" not in entry.modules)
    present, missing = sides.choose("all")
    assert present == ["engine", "keras-jax", "keras-tensorflow", "onnxruntime", "numpy"]
    assert missing == {"torch": "pip install torch", "keras-torch": "pip install keras torch"}


def test_unknown_peers_are_refused_with_the_names():
    with pytest.raises(ValueError, match=r"a peer is one of engine, torch, .*, got 'pytorch'"):
        sides.choose("numpy,pytorch")


def test_a_difference_is_relative_to_the_largest_value():
    assert difference([1.0, 2.0], [1.0, 4.0]) == 0.5
    assert np.isnan(difference([np.nan], [1.0]))


class Clock:
    """Stands for the module `time`: a call takes `call` seconds; sleeping takes processor time while threads spin."""

    def __init__(self, spins_until=0.0):
        self.now, self.worked, self.spins_until = 0.0, 0.0, spins_until

    def perf_counter(self):
        return self.now

    def process_time(self):
        return self.worked

    def sleep(self, seconds):
        self.worked += seconds if self.now < self.spins_until else 0
        self.now += seconds

    def way(self, call, steps):
        return Way(lambda: setattr(self, "now", self.now + call), steps=steps)


@pytest.mark.parametrize(("call", "calls"), [(0.125, 8), (0.75, 3), (2, 2), (9, 1)])
def test_a_burst_has_three_calls_unless_they_take_too_long(call, calls, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(turns, "time", clock)
    assert turns._times(clock.way(call, steps=4), seconds=1) == [call / 4] * calls


@pytest.mark.parametrize(("spins_until", "asleep", "waited"), [(0.0, True, 0.01), (0.2, True, 0.21), (9.0, False, 0.5)])
def test_a_side_hands_over_when_its_threads_sleep(spins_until, asleep, waited, monkeypatch):
    clock = Clock(spins_until)
    monkeypatch.setattr(turns, "time", clock)
    assert turns.settle(patience=0.5) is asleep
    assert clock.now == pytest.approx(waited, abs=0.0101)


def test_the_limits_do_the_work_that_is_counted():
    product, copy = limits.Product(None), limits.Copy(None)  # they take no task
    (C,) = (way.call() for way in product.train().values())
    np.testing.assert_allclose(C, product.A @ product.B, rtol=1e-3, atol=1e-3)  # float32 sums of 1,024
    assert 2 * C.size * product.A.shape[1] == limits.PRODUCT_FLOPS
    for target, _ in copy.parts:
        target[:] = 0
    copy.train()["copy"].call()
    assert all((target == 1).all() for target, _ in copy.parts)
    assert sum(target.nbytes + source.nbytes for target, source in copy.parts) == limits.COPY_BYTES


@pytest.fixture
def process(tmp_path, monkeypatch):
    """A process's folder in /proc, as Linux has it."""
    (tmp_path / "status").write_text("Name:\tpython\nVmHWM:\t  204800 kB\nVmRSS:\t  102400 kB\nThreads:\t3\n")
    monkeypatch.setattr(new_process, "PROC", tmp_path)
    return tmp_path


def test_memory_is_read_as_the_kernel_records_it(process):
    assert new_process.settled_kib() == 102_400
    assert (process / "clear_refs").read_text() == "5"  # the record of the peak begins anew
    assert new_process.peak_kib() == 204_800


def test_where_the_kernel_keeps_no_record_there_is_no_figure(process, monkeypatch):
    monkeypatch.setattr(new_process, "PROC", process / "elsewhere")
    assert new_process.settled_kib() is None


def test_training_steps_come_between_the_settled_process_and_its_peak(monkeypatch):
    """A rise is the peak after the steps less what was held before them, in MiB."""
    calls = []
    step = EngineSide.train
    monkeypatch.setattr(
        EngineSide,
        "train",
        lambda self: {n: w._replace(check=lambda: calls.append("step")) for n, w in step(self).items()},
    )
    monkeypatch.setattr(new_process, "settled_kib", lambda: calls.append("settled") or 1024)
    monkeypatch.setattr(new_process, "peak_kib", lambda: calls.append("peak") or 8 * 1024)
    monkeypatch.setattr(new_process, "set_environment", lambda entry: None)
    assert new_process._rise("numpy", Shape("", 3, 2, 4, 2)) == 7
    both_ways = ["step", "step"]  # train_on_batch and fit, whose code is then loaded
    assert calls == [*both_ways, "settled", *["step"] * new_process.STEPS, "peak"]


def test_a_first_step_that_fails_says_why(tmp_path, monkeypatch):
    monkeypatch.setitem(new_process.LIBRARIES, "torch", "nonsense")
    with pytest.raises(RuntimeError, match="the first step of torch failed: KeyError: 'nonsense'"):
        new_process.first_step("torch", GRID["tutorial"], str(tmp_path))


@pytest.mark.slow
def test_the_first_step_of_the_engine_has_its_parts(tmp_path, monkeypatch):
    took = new_process.first_step("engine", Shape("", 3, 1, 2, 2), "")
    assert set(took) == {"total", "import", "first_step", "later_step"}
    assert took["total"] >= took["import"] + took["first_step"] > 0
