"""`lstm-engine bench` from end to end on a tiny shape, and what becomes of a side that computes something else."""

import json
import os
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace

import numpy as np
import pytest

from experiments.bench import engine_side, page, pictures, run
from experiments.bench.limits import COPY_BYTES, PRODUCT_FLOPS
from experiments.bench.sides import Way
from experiments.bench.task import Shape, Task, training_flops
from experiments.bench.turns import TOLERANCE, Seat, Timing, Turns, difference
from experiments.reports.run import Run

TINY = Shape("tiny", 5, 2, 4, 3)


ROUND = {
    "engine": 2e-6,
    "torch": 4e-6,
    "numpy": 8e-6,
    "sgemm": PRODUCT_FLOPS / 1e9,
    "copy": COPY_BYTES / 3e9,
}  # seconds


def recorded(what, shape):
    """An entry of two recorded rounds, the second of them twice as slow."""
    timing = Timing(what, shape, {label: [s, 2 * s] for label, s in ROUND.items()})
    timing.ways, timing.differences = dict.fromkeys(ROUND, "step"), dict.fromkeys(ROUND, 1e-7)
    return run.entry(timing)


@pytest.fixture
def result():
    """Training and inference at a tiny shape: recorded numbers, as `run.bench` returns them."""
    machine = run.machine(["engine", "numpy"]) | {"sides": dict.fromkeys(("engine", "torch", "numpy"), "1.0")}
    machine["vectors"] = {"processor_bytes": 64, "used_bytes": 64, "label": ""}
    inferred = [recorded("infer", replace(TINY, B=B)) for B in run.INFERENCE_BATCHES]
    return {
        "machine": machine, "missing": {}, "rounds": 2, "burst_seconds": 0.01,
        "train": [recorded("train", TINY)], "inference": inferred,
    }  # fmt: skip


@pytest.mark.slow
def test_every_side_is_timed_and_computes_the_same():
    """With plain NumPy and whichever of PyTorch and onnxruntime is there."""
    plan = run.Plan(("train", "inference"), (TINY,), "torch,onnxruntime,numpy", rounds=2, seconds=0.01)
    result = run.bench(plan, lambda title: lambda done, total: None)
    present = set(result["machine"]["sides"])
    assert {"engine", "numpy"} <= present
    (trained,), inferred, (streamed,) = result["train"], result["inference"], result["stream"]
    assert set(trained["sides"]) == present - {"onnxruntime"}
    assert [e["shape"]["B"] for e in inferred] == [256, 1]
    assert set(streamed["sides"]) == present - {"torch"}
    for e in [trained, *inferred, streamed]:
        assert e["failed"] == {}
        for side in e["sides"].values():
            assert len(side["ms_of_rounds"]) == 2
            assert side["difference"] <= TOLERANCE
    assert trained["sides"]["engine"]["engine_ratio"] == {"median": 1, "low": 1, "high": 1}


def test_networks_that_differ_by_their_batch_alone_are_one():
    names = [shape.name for shape in run.networks(run.FULL)]
    assert names == [
        "tutorial",
        "structured",
        "frames",
        "digits",
        "mid",
        "wide256",
        "wide512",
        "long",
    ]  # single is tutorial


def test_only_networks_that_read_one_way_go_step_by_step(monkeypatch):
    timed = []
    monkeypatch.setattr(run, "time_all", lambda turns, shapes, what, plan, update: timed.append((what, shapes)) or [])
    both_ways = replace(TINY, bidirectional=True)
    assert run.streaming(None, run.Plan(shapes=(both_ways, TINY)), lambda title: None) == []
    assert timed == [("stream", [replace(TINY, B=1)])]


def test_the_rates_of_a_time_step_are_those_of_one_step():
    entry, whole = recorded("stream", replace(TINY, B=1)), recorded("infer", replace(TINY, B=1, T=1))
    assert entry["shape"]["T"] == TINY.T
    assert (entry["flops"], entry["bytes"]) == (whole["flops"], whole["bytes"])


def test_an_entry_compares_sides_and_limits_round_by_round():
    """Given rounds, the second of them five times as slow: every ratio stays, and the rates are those of the first."""
    slow = np.array([1.0, 5.0, 1.0])
    seconds = {
        "engine": 2e-6,
        "keras-jax": 8e-6,
        "keras-torch": 4e-6,
        "sgemm": PRODUCT_FLOPS / 1e9,
        "copy": COPY_BYTES / 3e9,
    }
    timing = Timing("train", TINY, {label: list(s * slow) for label, s in seconds.items()})
    timing.ways = timing.differences = dict.fromkeys(seconds, 0)
    e = run.entry(timing)
    assert set(e["sides"]) == {"engine", "keras-jax", "keras-torch"}
    assert e["sides"]["keras-jax"]["engine_ratio"] == pytest.approx({"median": 0.25, "low": 0.25, "high": 0.25})
    assert e["sides"]["engine"]["ms"]["median"] == pytest.approx(2e-3)
    assert e["fastest_keras"] == "keras-torch"
    assert e["sgemm_gflops"]["median"] == pytest.approx(1)
    assert e["copy_gb_s"]["median"] == pytest.approx(3)
    share = training_flops(TINY) / 2e-6 / 1e9  # of a machine with 1 GFLOP/s
    assert e["share_of_sgemm"] == pytest.approx({"median": share, "low": share, "high": share})


def test_the_command_writes_and_shows_it(result, lstm_engine, tmp_path, monkeypatch):
    plans = []
    monkeypatch.setattr(run, "bench", lambda plan, stage: plans.append(plan) or result)
    shown = lstm_engine("bench", "--shapes", "5x2x4x3", "--what", "inference,train", "--rounds", 2, "--out", tmp_path)
    assert shown.code == 0, shown
    assert plans == [run.Plan(["train", "inference"], [Shape("5x2x4x3", 5, 2, 4, 3)], "all", 2)]
    assert {p.name for p in tmp_path.iterdir()} == {
        "bench.json", "config.json", "surroundings.json", "inference.png", "report.html", "roofline.png", "train.png"
    }  # fmt: skip
    assert json.loads((tmp_path / "bench.json").read_text())["train"][0]["flops"] == result["train"][0]["flops"]
    assert (tmp_path / "report.html").read_text().count('src="data:image/svg+xml;base64,') == 3
    assert "A training step: engine's time / peer's time" in " ".join(shown.out.split())
    assert "all sides gave the same losses and predictions" in shown.out
    assert json.loads(lstm_engine("bench", "--json", "--force", "--out", tmp_path).out)["rounds"] == 2


def test_missing_and_failed_sides_are_told(result):
    told = result | {"missing": {"keras-tensorflow": "pip install keras tensorflow-cpu"}}
    broken = result["train"][0] | {"failed": {"torch": "computes something else: 1.0e-02"}, "restless": ["numpy"]}
    notes = page.notes(told | {"train": [broken]})
    assert "Keras, TensorFlow is missing: pip install keras tensorflow-cpu" in notes
    assert "PyTorch at tiny (5, 2, 4, 3): computes something else: 1.0e-02" in notes
    assert "plain NumPy at tiny (5, 2, 4, 3): its threads still ran during the next side's turn" in notes
    without = {name: side for name, side in broken["sides"].items() if name != "torch"}
    assert page.ratios([broken | {"sides": without}])["PyTorch"].item() == "failed"


def test_the_page_names_the_machine(result, tmp_path):
    host = {
        "processor": "A chip", "cores": 2, "system": "Linux", "load_before": 0.25,
        "vectors": {"processor_bytes": 64, "used_bytes": 64, "label": ""}, "cache_bytes": {"L1d": 32768, "L2": 1048576},
    }  # fmt: skip
    told = "A chip, 2 cores, vectors of 64 bytes, L1d 32 KiB, L2 1,024 KiB, Linux, load 0.2 at the start"
    assert page.machine_words(host) == told
    elsewhere = host | {"cache_bytes": {}, "load_before": None}
    assert page.machine_words(elsewhere) == "A chip, 2 cores, vectors of 64 bytes, Linux"
    written = page.write_bench(Run(tmp_path), result | {"machine": result["machine"] | host}, "lstm-engine bench")
    assert told in written.read_text().replace("\xa0", " ")


def test_an_emulated_run_says_so_and_who_was_wider_all_the_same(result, tmp_path):
    vectors = {"processor_bytes": 64, "used_bytes": 32, "label": "AVX2, emulated on A chip"}
    result["machine"]["vectors"] = vectors
    held = "AVX2, emulated on A chip: each library is held to vectors of 32 bytes by its own switches"
    assert page.notes(result)[0] == held
    result["inference"][0]["avx512"] = ["torch"]
    result["threads"] = [result["train"][0] | {"speedups": {}, "avx512": ["numpy, 2 threads"]}]
    assert page.notes(result)[0] == f"{held}. AVX-512 all the same, at least in part: PyTorch, plain NumPy"
    assert held in page.write_bench(Run(tmp_path), result, "lstm-engine bench").read_text()
    assert json.loads((tmp_path / "bench.json").read_text())["machine"]["vectors"] == vectors


def test_unknown_parts_are_refused(lstm_engine, tmp_path):
    shown = lstm_engine("bench", "--what", "train,speed", "--out", tmp_path / "new")
    assert shown.code == 2
    assert "--what is one of train, inference, threads, busy, growth, memory, start, or all, got 'speed'" in shown.err
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
def test_a_side_that_cannot_run_is_left_out_with_its_reason():
    with Turns([Seat("numpy"), Seat("engine")]) as turns:
        turns.pools["numpy"].submit(_break).result()
        timing = turns.time(TINY, "train", 1, 0.01)
    assert list(timing.seconds) == ["engine"]
    assert timing.failed == {"numpy": "ArithmeticError: not today"}


@pytest.mark.slow
def test_a_process_that_ends_fails_at_every_shape():
    with Turns([Seat("numpy"), Seat("engine")]) as turns:
        ended = turns.pools["numpy"].submit(os._exit, 1)
        assert isinstance(ended.exception(), BrokenProcessPool)
        for _ in range(2):
            timing = turns.time(TINY, "train", 1, 0.01)
            assert list(timing.seconds) == ["engine"]
            assert timing.failed["numpy"].startswith("BrokenProcessPool: ")


@pytest.mark.slow
def test_a_side_that_computes_something_else_is_left_out():
    with Turns([Seat("numpy"), Seat("engine")]) as turns:
        turns.pools["numpy"].submit(_compute_something_else).result()
        timing = turns.time(TINY, "train", 1, 0.01)
    assert list(timing.seconds) == ["engine"]
    assert timing.failed["numpy"].startswith("computes something else: ")


def _break():
    def broken(self):
        raise ArithmeticError("not today\nnor tomorrow")

    engine_side.EngineSide.train = broken


def _compute_something_else():
    whole = engine_side.EngineSide.train

    def off(self):
        way = whole(self)["train_on_batch"]
        return {"off": Way(way.call, lambda: way.check() * (1 + 2 * TOLERANCE))}

    engine_side.EngineSide.train = off


@pytest.mark.parametrize("side", ["engine", "onnxruntime"])
def test_a_stream_predicts_as_the_whole_sequence_so_far(side):
    """Step t's output is the prediction for the first t steps; a call goes on through all T."""
    pytest.importorskip("onnxruntime" if side == "onnxruntime" else "numpy")
    pytest.importorskip("onnx" if side == "onnxruntime" else "numpy")
    task = Task.of(replace(TINY, B=1))
    model = task.model()
    expected = [model.predict(task.x[:, : t + 1], verbose=0).item() for t in range(TINY.T)]
    streams = (engine_side.EngineSide(task, "numpy") if side == "engine" else engine_side.OnnxSide(task)).stream
    assert list(streams()) == (["stream"] if side == "engine" else ["run", "io binding"])
    for name, way in streams().items():
        assert way.steps == TINY.T
        outputs = [np.array(way.check()).item() for _ in range(TINY.T)]
        assert difference(outputs, expected) < 1e-6, name  # some roundings of 6e-8
    twice = np.concatenate([task.x, task.x], axis=1)
    for name, way in streams().items():
        way.call()
        again = [np.array(way.check()).item() for _ in range(TINY.T)][-1]
        assert difference([again], [model.predict(twice, verbose=0).item()]) < 1e-6, name


@pytest.mark.parametrize("bidirectional", [False, True])
def test_pytorchs_three_adams_and_the_engine_take_the_same_steps(bidirectional, request):
    torch = pytest.importorskip("torch")
    request.addfinalizer(lambda: torch.set_flush_denormal(False))  # the side sets it, for its own process as a rule
    torch.set_num_threads(1)  # beside other tests, threads that wait for each other by spinning take long
    from experiments.bench.torch_side import TorchSide

    task = Task.of(Shape("", 9, 3, 8, 5, bidirectional))
    (ours,) = engine_side.EngineSide(task, "numpy").train().values()
    expected = [ours.check() for _ in range(5)]
    ways = TorchSide(task).train()
    assert len(ways) == 3
    for name, way in ways.items():
        assert difference([float(way.check()) for _ in range(5)], expected) < 1e-6, name  # some roundings of 6e-8


@pytest.mark.slow
def test_all_ways_take_the_same_steps():
    pytest.importorskip("keras")
    from experiments.bench.keras_side import KerasSide

    task = Task.of(TINY)
    ours = engine_side.EngineSide(task, "numpy").train()
    expected = [ours["train_on_batch"].check() for _ in range(3)]
    for name, way in [*KerasSide(task).train().items(), ("the engine's fit", ours["fit"])]:
        assert difference([way.check() for _ in range(3)], expected) < 1e-6, name
    prediction = np.asarray(next(iter(engine_side.EngineSide(task, "numpy").infer().values())).check())
    for name, way in KerasSide(task).infer().items():
        assert difference(np.asarray(way.check()), prediction) < 1e-6, name


def test_every_other_part_has_its_table_and_picture(result, tmp_path):
    """Given numbers: time ∝ T and B, and ∝ H²; two threads 1.9 times as fast; the first step's parts."""
    one = result["train"][0]
    entries, powers = [], {"T": 1.0, "B": 1.0, "H": 2.0}
    for axis, shape in run.growth_shapes():
        ms = getattr(shape, axis) ** powers[axis]
        sides = {name: one["sides"][name] | {"ms": {"median": ms}} for name in ("engine", "numpy")}
        entries.append({"axis": axis, "shape": vars(shape), "sides": sides})
    row = {"total": 1.25, "import": 0.25, "first_step": 1.0, "later_step": 0.005, "processes": 3}
    given = result | {
        "growth": {"entries": entries, "slopes": {axis: {"engine": p, "numpy": p} for axis, p in powers.items()}},
        "stream": [recorded("stream", replace(TINY, B=1))],
        "busy": [
            one | {"load": load, "ratios": {"engine, 2 threads / 1 thread": {"median": share, "low": 0.5, "high": 9.0}}}
            for load, share in (("quiet", 0.75), ("busy", 1.25))
        ],
        "threads": [one | {"speedups": {"engine": {"median": 1.9, "low": 1.8, "high": 2.0}}}],
        "memory": [{"shape": vars(TINY), "mib": {"engine": 13.42, "numpy": None}}],
        "start": {"engine, cold": row, "torch": row},
    }
    written = page.write_bench(Run(tmp_path), given, "lstm-engine bench").read_text()
    for words in ("1.90 (1.80-2.00)", "engine, cold", "1.250", "2.00", "13.4", "unknown"):
        assert words in written
    for words in (
        "1 thread, quiet",
        "0.75 (0.50-9.00)",
        "1.25 (0.50-9.00)",
        "matrices of 64 x 64",
        "tiny (5, 2, 4, 3), busy",
    ):
        assert words in written
    tables = {section.heading: list(section.tables.values()) for section in page.sections(given)}
    _, microseconds = tables["One sequence, step by step"]
    assert microseconds["engine"].item() == "3"  # the median of 2 and 4 microseconds
    assert (tmp_path / "growth.png").stat().st_size > 10_000
    axes = pictures.growth(given["growth"]).axes[2]
    assert [words.get_text() for words in axes.get_legend().get_texts()] == ["engine: 2.00", "plain NumPy: 2.00"]
    measured, fitted = axes.lines[:2]  # times that follow the power lie on the line
    np.testing.assert_allclose(fitted.get_ydata(), measured.get_ydata(), rtol=1e-12)
