"""What `compile` makes of its arguments: for every output a loss, the loss's weight, and metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from . import losses, metrics
from .metrics import Metric


class Target(NamedTuple):
    """What one output is trained towards."""

    name: str  # the output's
    loss: losses.Loss
    weight: float  # of the loss in the sum of all outputs' losses
    metrics: list[Metric]


def targets(names: Sequence[str], loss: Any, loss_weights: Any = None, wanted: Any = None) -> list[Target]:
    """One for each of the named outputs. ValueError for arguments that do not fit them."""
    if loss is None:
        raise ValueError(f"compile needs a loss, got None: one of {', '.join(losses.LOSSES)}")
    alike = loss if isinstance(loss, Mapping | list | tuple) else [loss] * len(names)  # Keras: one loss for all outputs
    by_output = [losses.get(item) for item in per_output("loss", alike, names)]
    if len(names) == 1 and isinstance(loss_weights, int | float | np.number):
        loss_weights = [loss_weights]
    factors = [1.0] * len(names) if loss_weights is None else per_output("loss_weights", loss_weights, names)
    for factor in factors:
        if isinstance(factor, bool) or not isinstance(factor, int | float | np.number) or not np.isfinite(factor):
            said = f"loss_weights are finite numbers, one an output, got {loss_weights!r}"
            raise ValueError(f"{said}; metrics are the argument after them: metrics=[...]")
    if wanted is not None and not isinstance(wanted, Mapping | Sequence):
        raise ValueError(f"metrics is a list, such as ['accuracy'], got {wanted!r:.80}")
    if len(names) == 1 and not isinstance(wanted, Mapping) and not any(isinstance(item, list) for item in wanted or ()):
        return [Target(names[0], by_output[0], float(factors[0]), metrics.get_all(wanted))]
    listed = per_output("metrics", wanted, names, missing=None) if wanted else [None] * len(names)
    of_each = [metrics.get_all(item if item is None or isinstance(item, list | tuple) else [item]) for item in listed]
    if len(names) > 1:
        for name, own in zip(names, of_each, strict=True):
            for metric in own:
                metric.name = f"{name}_{metric.name}"
    return [Target(*row) for row in zip(names, by_output, map(float, factors), of_each, strict=True)]


def per_output(what: str, given: Any, names: Sequence[str], **default: Any) -> list[Any]:
    """The items of a list, or of a dict by the outputs' names, in the outputs' order."""
    if isinstance(given, Mapping):
        unknown, absent = [key for key in given if key not in names], [name for name in names if name not in given]
        if unknown or (absent and not default):
            advice = "" if unknown else ": give each one, or train a Model of the others' inputs and outputs alone"
            raise ValueError(
                f"{what} has {', '.join(map(str, given))}, the model's outputs are {', '.join(names)}{advice}"
            )
        return [given.get(name, default.get("missing")) for name in names]
    if not isinstance(given, list | tuple) or len(given) != len(names):
        raise ValueError(f"{what} needs one item for each of the outputs {', '.join(names)}, got {said(given):.300}")
    return list(given)


def said(given: Any) -> str:
    """The repr, with shapes in place of arrays."""
    if isinstance(given, list | tuple):
        return f"[{', '.join(map(said, given))}]"
    return f"an array {given.shape}" if hasattr(given, "shape") else repr(given)


def targets_to_config(targets: Sequence[Target]) -> dict[str, Any]:
    """The losses, their weights and the metrics as JSON values; of one output without a list around them."""
    if len(targets) == 1:
        return {
            "loss": losses.to_config(targets[0].loss),
            **({"loss_weights": [targets[0].weight]} if targets[0].weight != 1 else {}),
            "metrics": [metrics.to_config(metric) for metric in targets[0].metrics],
        }
    return {
        "loss": [losses.to_config(target.loss) for target in targets],
        "loss_weights": [target.weight for target in targets],
        "metrics": [[metrics.to_config(metric) for metric in target.metrics] for target in targets],
    }


def targets_from_config(config: Mapping[str, Any], names: Sequence[str]) -> list[Target]:
    """What `targets_to_config` wrote, for outputs of these names."""
    one = not isinstance(config["loss"], list)
    of_each = [config["metrics"]] if one else config["metrics"]
    return [
        Target(name, losses.from_config(loss), weight, [metrics.from_config(metric) for metric in own])
        for name, loss, weight, own in zip(
            names, [config["loss"]] if one else config["loss"], config.get("loss_weights", [1.0] * len(names)), of_each,
            strict=True,
        )
    ]  # fmt: skip
