"""The whole benchmark: what is asked for, measured, as one JSON value."""

import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from experiments.bench import arithmetic, growth, memory, sides, starting
from experiments.bench.limits import COPY_BYTES, PRODUCT_FLOPS
from experiments.bench.ratios import ratio, spread
from experiments.bench.shapes import GRID, Shape
from experiments.bench.sides import ENGINE, LIMITS, SIDES
from experiments.bench.turns import Seat, Timing, Turns
from experiments.reports.run import versions

PARTS = ("train", "inference", "threads", "growth", "memory", "start")
INFERENCE_BATCHES = (256, 1)
GROWTH_ROUNDS = 3  # a slope needs no more
START_REPEATS = 3
Stage = Callable[[str], Callable[[int, int], None]]


@dataclass(frozen=True)
class Plan:
    """What to measure: parts and shapes, the peers by name, and rounds of bursts of so many seconds."""

    parts: Sequence[str] = PARTS
    shapes: Sequence[Shape] = tuple(GRID.values())
    peers: str = "all"
    rounds: int = 10
    seconds: float = 0.25


FULL = Plan()
QUICK = Plan(  # a first look in a minute
    parts=("train", "inference"), shapes=(GRID["tutorial"],),
    peers="torch,keras-jax,onnxruntime,numpy", rounds=3, seconds=0.1,
)  # fmt: skip


def parse_parts(names: str) -> list[str]:
    """Parts from "train,start" or "all". ValueError for a name that is none."""
    wanted = list(PARTS) if names == "all" else [name.strip() for name in names.split(",")]
    if unknown := [name for name in wanted if name not in PARTS]:
        raise ValueError(f"--what is one of {', '.join(PARTS)}, or all, got {', '.join(map(repr, unknown))}")
    return [part for part in PARTS if part in wanted]


def bench(plan: Plan, stage: Stage) -> dict[str, Any]:
    """Measures a plan. stage(title) begins a part and returns its update(done, total).

    The keys: machine, missing (side: command that installs it), and for each part of the plan its entries.
    """
    present, missing = sides.choose(plan.peers)
    result: dict[str, Any] = {
        "machine": machine(present),
        "missing": missing,
        "rounds": plan.rounds,
        "burst_seconds": plan.seconds,
    }
    timed = [part for part in ("train", "inference", "growth") if part in plan.parts]
    if timed:
        with Turns([Seat(name) for name in [*present, *LIMITS]]) as turns:
            for part in timed:
                result[part] = {"train": train, "inference": inference, "growth": grow}[part](turns, plan, stage)
    if "threads" in plan.parts:
        result["threads"] = threads(present, plan, stage)
    if "memory" in plan.parts:
        result["memory"] = peaks(present, plan, stage)
    if "start" in plan.parts:
        update, processes = (
            stage("First steps"),
            START_REPEATS * len([s for s in present if s in starting.LIBRARIES]) + 1,
        )
        result["start"] = starting.starts(present, GRID["tutorial"], START_REPEATS, counting(update, processes))
    return result


def machine(present: Sequence[str]) -> dict[str, Any]:
    """What ran it, and how busy it was before."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "load_before": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "versions": versions(),
        "sides": {name: SIDES[name].version for name in present},
    }


def processor() -> str:
    try:
        with open("/proc/cpuinfo") as told:
            return next(line.split(":", 1)[1].strip() for line in told if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def train(turns: Turns, plan: Plan, stage: Stage) -> list[dict[str, Any]]:
    update = counting(stage("Training steps"), len(plan.shapes) * plan.rounds)
    return [entry(turns.time(shape, "train", plan.rounds, plan.seconds, update)) for shape in plan.shapes]


def inference(turns: Turns, plan: Plan, stage: Stage) -> list[dict[str, Any]]:
    """Every network once, whatever batch its training takes, with batches of 256 and of 1."""
    networks = {(s.T, s.D, s.H, s.bidirectional): s for s in reversed(plan.shapes)}  # the first of equal ones stays
    shapes = [shape.with_(B=B) for shape in reversed(networks.values()) for B in INFERENCE_BATCHES]
    update = counting(stage("Inference"), len(shapes) * plan.rounds)
    return [entry(turns.time(shape, "infer", plan.rounds, plan.seconds, update)) for shape in shapes]


def grow(turns: Turns, plan: Plan, stage: Stage) -> dict[str, Any]:
    rounds, shapes = min(plan.rounds, GROWTH_ROUNDS), growth.shapes()
    update = counting(stage("Growth with T, B and H"), len(shapes) * rounds)
    timings = [turns.time(shape, "train", rounds, plan.seconds, update) for _, shape in shapes]
    entries = [entry(timing) | {"axis": axis} for (axis, _), timing in zip(shapes, timings, strict=True)]
    return {"entries": entries, "slopes": {axis: growth.slopes(timings, axis) for axis in growth.SIZES}}


def threads(present: Sequence[str], plan: Plan, stage: Stage) -> list[dict[str, Any]]:
    """Training steps on one thread and on two, of the sides whose thread count can be set."""
    counted = [name for name in present if name in (ENGINE, "torch", "numpy")]
    update = counting(stage("One thread and two"), len(plan.shapes) * plan.rounds)
    entries = []
    with Turns([Seat(name, n) for name in counted for n in (1, 2)]) as turns:
        for shape in plan.shapes:
            timing = turns.time(shape, "train", plan.rounds, plan.seconds, update)
            both = {
                name: (timing.seconds.get(Seat(name, 1).label), timing.seconds.get(Seat(name, 2).label))
                for name in counted
            }
            speedups = {name: ratio(one, two)._asdict() for name, (one, two) in both.items() if one and two}
            entries.append(entry(timing) | {"speedups": speedups})
    return entries


def peaks(present: Sequence[str], plan: Plan, stage: Stage) -> list[dict[str, Any]]:
    trained = [name for name in present if SIDES[name].trains]
    update = counting(stage("Peak memory"), len(plan.shapes) * len(trained))
    entries = []
    for shape in plan.shapes:
        mib = {}
        for name in trained:
            mib[name] = memory.rise(name, shape)
            update()
        entries.append({"shape": asdict(shape), "mib": mib})
    return entries


def entry(timing: Timing) -> dict[str, Any]:
    """One timing as JSON: every side's milliseconds, the engine's time as a share of each, and the machine's limits."""
    training = timing.what == "train"
    flops = (arithmetic.training_flops if training else arithmetic.forward_flops)(timing.shape)
    moved = (arithmetic.training_bytes if training else arithmetic.forward_bytes)(timing.shape)
    ours = next(seconds for label, seconds in timing.seconds.items() if label.startswith(ENGINE))
    found: dict[str, Any] = {
        "what": timing.what,
        "shape": asdict(timing.shape),
        "flops": flops,
        "bytes": moved,
        "sides": {},
    }
    for label, seconds in timing.seconds.items():
        if label not in LIMITS:
            found["sides"][label] = {
                "ms": spread([1e3 * s for s in seconds])._asdict(),
                "engine_ratio": ratio(ours, seconds)._asdict(),
                "gflops": spread([flops / s / 1e9 for s in seconds])._asdict(),
                "way": timing.ways[label],
                "difference": timing.differences[label],
                "ms_of_rounds": [1e3 * s for s in seconds],
            }
    if keras := [label for label in found["sides"] if label.startswith("keras")]:
        found["fastest_keras"] = min(keras, key=timing.median)
    if LIMITS.keys() <= timing.seconds.keys():
        sgemm = [PRODUCT_FLOPS / s / 1e9 for s in timing.seconds["sgemm"]]
        found["sgemm_gflops"] = spread(sgemm)._asdict()
        found["copy_gb_s"] = spread([COPY_BYTES / s / 1e9 for s in timing.seconds["copy"]])._asdict()
        found["share_of_sgemm"] = ratio([flops / s / 1e9 for s in ours], sgemm)._asdict()
    return found | {"failed": timing.failed, "restless": timing.restless}


def counting(update: Callable[[int, int], None], total: int) -> Callable[[], None]:
    """A function of no arguments that tells `update` each time that one more is done."""
    done = 0

    def one_more() -> None:
        nonlocal done
        done += 1
        update(done, total)

    return one_more
