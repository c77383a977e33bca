"""Two records of one script beside each other: every epoch's loss, every evaluation's, and every output."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .process import Record

TOLERANCE = 1e-4  # norm-wise; float32 rounding through two epochs stays far below where nothing is chaotic


@dataclass
class Comparison:
    """The largest norm-wise difference, and where it is; what does not correspond at all."""

    calls: int = 0
    losses: int = 0
    outputs: int = 0
    largest: float = 0.0
    where: str = ""
    metrics: float = 0.0  # the largest difference of a metric: counts that a rounding may tip over are not judged
    unlike: list[str] = field(default_factory=list)

    @property
    def same(self) -> bool:
        return not self.unlike and self.largest <= TOLERANCE

    def add(self, where: str, ours: object, theirs: object) -> None:
        e = difference(ours, theirs)
        if not e <= self.largest:
            self.largest, self.where = e, where


def difference(ours: object, theirs: object) -> float:
    """‖ours - theirs‖ / ‖theirs‖; infinite for other shapes, and for NaN on one side alone."""
    a, b = np.asarray(ours, float), np.asarray(theirs, float)
    if a.shape != b.shape or not np.array_equal(np.isnan(a), np.isnan(b)):
        return float("inf")
    a, b = np.nan_to_num(a), np.nan_to_num(b)
    norm = float(np.linalg.norm(b))
    return float(np.linalg.norm(a - b)) / (norm or 1.0)


def compare(ours: Record, theirs: Record) -> Comparison:
    """The calls of both, one by one."""
    found = Comparison()
    if (mine := [e["verb"] for e in ours.events]) != (their := [e["verb"] for e in theirs.events]):
        found.unlike.append(f"{len(mine)} calls here, {len(their)} in Keras, or other ones")
    for event, other in zip(ours.events, theirs.events, strict=False):
        where = f"call {event['number']}, {event['verb']}"
        found.calls += 1
        if not found.unlike and difference(event.get("given", []), other.get("given", [])) > TOLERANCE:
            found.unlike.append(f"{where} is given other data than in Keras")
        if event["verb"] == "fit":
            compare_histories(found, where, event.get("history", {}), other.get("history", {}))
        else:
            compare_results(found, where, event, ours, theirs)
    return found


def compare_histories(
    found: Comparison, where: str, ours: dict[str, list[float]], theirs: dict[str, list[float]]
) -> None:
    for name, values in theirs.items():
        if name not in ours or len(ours[name]) != len(values):
            found.unlike.append(f"{where}: {name} has {len(values)} epochs in Keras, {len(ours.get(name, []))} here")
            continue
        for epoch, (a, b) in enumerate(zip(ours[name], values, strict=True)):
            if name.endswith("loss"):
                found.losses += 1
                found.add(f"{where}: {name} of epoch {epoch}", a, b)
            else:
                found.metrics = max(found.metrics, difference(a, b))


def compare_results(found: Comparison, where: str, event: dict[str, object], ours: Record, theirs: Record) -> None:
    """Outputs; of an evaluation its loss, which is first, and its metrics apart."""
    start = f"{event['number']}/result/"
    mine, their = ({k: v for k, v in record.arrays.items() if k.startswith(start)} for record in (ours, theirs))
    if mine.keys() != their.keys():
        found.unlike.append(f"{where}: {len(their)} results in Keras, {len(mine)} here")
    for k, (name, value) in enumerate(their.items()):
        if name not in mine:
            continue
        if event["verb"] == "evaluate" and k:
            found.metrics = max(found.metrics, difference(mine[name], value))
        else:
            found.losses += event["verb"] == "evaluate"
            found.outputs += event["verb"] == "predict"
            found.add(f"{where}: result {k}", mine[name], value)
