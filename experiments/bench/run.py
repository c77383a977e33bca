"""The whole benchmark: it measures the parts of a plan and returns one JSON value."""

import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import count
from typing import Any

import numpy as np

from experiments.bench import busy, new_process, processor, sides, task
from experiments.bench.limits import COPY_BYTES, PRODUCT_FLOPS
from experiments.bench.sides import ENGINE, LIMITS, SIDES
from experiments.bench.task import GRID, Shape
from experiments.bench.turns import Seat, Timing, Turns
from experiments.reports.machine import load
from experiments.reports.run import versions

PARTS = ("train", "inference", "threads", "busy", "growth", "memory", "start")
INFERENCE_BATCHES = (256, 1)
BASE = Shape("growth", 112, 14, 64, 32)
SIZES = {"T": (14, 28, 56, 112, 224, 448), "B": (8, 16, 32, 64, 128, 256), "H": (16, 32, 64, 128, 256, 512)}
GROWTH_ROUNDS = 3  # a slope needs no more
START_REPEATS = 3
Stage = Callable[[str], Callable[[int, int], None]]


@dataclass(frozen=True)
class Plan:
    """What to measure: parts and shapes, the peers by name, and rounds of bursts of so many seconds.

    shapes None: all of the grid, or what a part has of its own.
    """

    parts: Sequence[str] = PARTS
    shapes: Sequence[Shape] | None = None
    peers: str = "all"
    rounds: int = 10
    seconds: float = 0.25

    def shapes_of(self, part: str) -> Sequence[Shape]:
        return self.shapes or (busy.SHAPES if part == "busy" else tuple(GRID.values()))


FULL = Plan()
QUICK = Plan(  # a first look in a minute
    parts=("train", "inference"), shapes=(GRID["tutorial"],),
    peers="torch,keras-jax,onnxruntime,numpy", rounds=3, seconds=0.1,
)  # fmt: skip


def bench(plan: Plan, stage: Stage) -> dict[str, Any]:
    """Measures a plan. stage(title) begins a part and returns the part's update(done, total).

    The keys: machine, missing (side: command that installs it), and for each part of the plan its entries; "stream" comes
    with inference.
    """
    present, missing = sides.choose(plan.peers)
    described = {"machine": machine(present), "missing": missing, "rounds": plan.rounds, "burst_seconds": plan.seconds}
    with processor.peers_held():
        return described | measured(present, plan, stage)


def measured(present: Sequence[str], plan: Plan, stage: Stage) -> dict[str, Any]:
    """By part of the plan: its entries."""
    result: dict[str, Any] = {}
    timed = [part for part in ("train", "inference", "growth") if part in plan.parts]
    if timed:
        measures = {"train": training_steps, "inference": inference, "growth": growth}
        with Turns([Seat(name) for name in [*present, *LIMITS]]) as turns:
            result |= {part: measures[part](turns, plan, stage) for part in timed}
            if "inference" in timed:
                result["stream"] = streaming(turns, plan, stage)
    if "threads" in plan.parts:
        result["threads"] = threads(present, plan, stage)
    if "busy" in plan.parts:
        result["busy"] = under_load(present, plan, stage)
    if "memory" in plan.parts:
        result["memory"] = peaks(present, plan, stage)
    if "start" in plan.parts:
        processes = START_REPEATS * len([s for s in present if s in new_process.LIBRARIES]) + 1
        update = counting(stage("First steps"), processes)
        result["start"] = new_process.starts(present, GRID["tutorial"], START_REPEATS, update)
    return result


def machine(present: Sequence[str]) -> dict[str, Any]:
    """The machine, the versions, and the load before the first measurement."""
    return {
        "processor": processor.name(),
        "vectors": processor.vectors(),
        "cache_bytes": processor.caches(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "load_before": load(),
        "versions": versions(),
        "sides": {name: SIDES[name].version for name in present},
    }


def time_all(
    turns: Turns, at: Sequence[Shape], what: str, plan: Plan, update: Callable[[int, int], None]
) -> list[Timing]:
    one_more = counting(update, len(at) * plan.rounds)
    return [turns.time(shape, what, plan.rounds, plan.seconds, one_more) for shape in at]


def training_steps(turns: Turns, plan: Plan, stage: Stage) -> list[dict[str, Any]]:
    return list(map(entry, time_all(turns, plan.shapes_of("train"), "train", plan, stage("Training steps"))))


def inference(turns: Turns, plan: Plan, stage: Stage) -> list[dict[str, Any]]:
    """Every network with batches of 256 and of 1."""
    batches = [replace(shape, B=B) for shape in networks(plan) for B in INFERENCE_BATCHES]
    return list(map(entry, time_all(turns, batches, "infer", plan, stage("Inference"))))


def streaming(turns: Turns, plan: Plan, stage: Stage) -> list[dict[str, Any]]:
    """One sequence, a time step a call; a network that reads both ways cannot."""
    single = [replace(shape, B=1) for shape in networks(plan) if not shape.bidirectional]
    return list(map(entry, time_all(turns, single, "stream", plan, stage("Step by step"))))


def networks(plan: Plan) -> list[Shape]:
    """Every network once, whatever batch its training takes."""
    first: dict[tuple[int, ...], Shape] = {}
    for shape in plan.shapes_of("inference"):
        first.setdefault((shape.T, shape.D, shape.H, shape.bidirectional), shape)
    return list(first.values())


def growth(turns: Turns, plan: Plan, stage: Stage) -> dict[str, Any]:
    plan, (axes, grown) = replace(plan, rounds=min(plan.rounds, GROWTH_ROUNDS)), zip(*growth_shapes(), strict=True)
    timings = time_all(turns, grown, "train", plan, stage("Growth with T, B and H"))
    entries = [entry(timing) | {"axis": axis} for axis, timing in zip(axes, timings, strict=True)]
    return {"entries": entries, "slopes": {axis: slopes(timings, axis) for axis in SIZES}}


def growth_shapes() -> list[tuple[str, Shape]]:
    """T, B and H one at a time: the axis that grows, and the shape."""
    return [(axis, replace(BASE, name=f"{axis}={n}", **{axis: n})) for axis, sizes in SIZES.items() for n in sizes]


def slopes(timings: list[Timing], axis: str) -> dict[str, float]:
    """By side: the power of the axis with which its time grows."""
    on_axis = [timing for timing in timings if timing.shape.name.startswith(f"{axis}=")]
    everywhere = set.intersection(*(set(timing.seconds) for timing in on_axis))
    sizes = [getattr(timing.shape, axis) for timing in on_axis]
    return {
        label: power(sizes, [timing.median(label) for timing in on_axis])
        for label in on_axis[0].seconds
        if label in everywhere
    }


def threads(present: Sequence[str], plan: Plan, stage: Stage) -> list[dict[str, Any]]:
    """Training steps on one thread and on two, of the sides whose thread count can be set."""
    counted = [name for name in present if name in (ENGINE, "torch", "numpy")]
    with Turns([Seat(name, n) for name in counted for n in (1, 2)]) as turns:
        timings = time_all(turns, plan.shapes_of("threads"), "train", plan, stage("One thread and two"))
    entries = []
    for timing in timings:
        both = {name: [timing.seconds.get(Seat(name, n).label) for n in (1, 2)] for name in counted}
        speedups = {name: ratio(one, two) for name, (one, two) in both.items() if one and two}
        entries.append(entry(timing) | {"speedups": speedups})
    return entries


def under_load(present: Sequence[str], plan: Plan, stage: Stage) -> list[dict[str, Any]]:
    """Training steps on the quiet machine, and while other programs compute on every core."""
    shapes = plan.shapes_of("busy")
    one_more = counting(stage("Quiet and busy"), 2 * len(shapes) * plan.rounds)

    def measure(turns: Turns) -> list[Timing]:
        return [turns.time(shape, "train", plan.rounds, plan.seconds, one_more) for shape in shapes]

    entries = []
    for name, timing in busy.timings(present, measure):
        pairs = {words: [timing.seconds.get(label) for label in labels] for words, labels in busy.COMPARED.items()}
        ratios = {words: ratio(ours, theirs) for words, (ours, theirs) in pairs.items() if ours and theirs}
        entries.append(entry(timing) | {"load": name, "ratios": ratios})
    return entries


def peaks(present: Sequence[str], plan: Plan, stage: Stage) -> list[dict[str, Any]]:
    trained = [name for name in present if "train" in SIDES[name].does]
    shapes = plan.shapes_of("memory")
    update = counting(stage("Peak memory"), len(shapes) * len(trained))
    entries = []
    for shape in shapes:
        mib = {}
        for name in trained:
            mib[name] = new_process.rise(name, shape)
            update()
        entries.append({"shape": asdict(shape), "mib": mib})
    return entries


def entry(timing: Timing) -> dict[str, Any]:
    """One timing as JSON: every side's milliseconds, the engine's time as a share of each, and the machine's limits."""
    training = timing.what == "train"
    counted = replace(timing.shape, T=1) if timing.what == "stream" else timing.shape
    flops = (task.training_flops if training else task.forward_flops)(counted)
    moved = (task.training_bytes if training else task.forward_bytes)(counted)
    ours = next(seconds for label, seconds in timing.seconds.items() if label.startswith(ENGINE))
    sides: dict[str, Any] = {}
    for label, seconds in timing.seconds.items():
        if label not in LIMITS:
            sides[label] = {
                "ms": spread([1e3 * s for s in seconds]),
                "engine_ratio": ratio(ours, seconds),
                "gflops": spread([flops / s / 1e9 for s in seconds]),
                "way": timing.ways[label],
                "difference": timing.differences[label],
                "ms_of_rounds": [1e3 * s for s in seconds],
            }
    row = {"what": timing.what, "shape": asdict(timing.shape), "flops": flops, "bytes": moved, "sides": sides}
    if keras := [label for label in sides if label.startswith("keras")]:
        row["fastest_keras"] = min(keras, key=timing.median)
    if LIMITS.keys() <= timing.seconds.keys():
        sgemm = [PRODUCT_FLOPS / s / 1e9 for s in timing.seconds["sgemm"]]
        row["sgemm_gflops"] = spread(sgemm)
        row["copy_gb_s"] = spread([COPY_BYTES / s / 1e9 for s in timing.seconds["copy"]])
        row["share_of_sgemm"] = ratio([flops / s / 1e9 for s in ours], sgemm)
    return row | {"failed": timing.failed, "restless": timing.still_running, "avx512": timing.avx512}


def spread(values: Sequence[float]) -> dict[str, float]:
    """The median, and where the lowest and the highest tenth begin."""
    low, median, high = np.percentile(values, [10, 50, 90]).tolist()
    return {"median": median, "low": low, "high": high}


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, float]:
    """The spread of ours / theirs, round by round: what slows a whole round falls out."""
    return spread([a / b for a, b in zip(ours, theirs, strict=True)])


def power(sizes: Sequence[float], times: Sequence[float]) -> float:
    """p of times ∝ sizesᵖ: the slope of the straight line fitted in a log-log plot."""
    return float(np.polyfit(np.log(sizes), np.log(times), 1)[0])


def counting(update: Callable[[int, int], None], total: int) -> Callable[[], None]:
    """A function without arguments: each call tells `update` that one more is done."""
    done = count(1)
    return lambda: update(next(done), total)
