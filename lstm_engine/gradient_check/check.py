"""gradcheck: the gradients of a model, as it runs, against its loss in complex numbers through the readable NumPy path."""

from __future__ import annotations

from numpy.typing import ArrayLike

from ..keras_names import snake
from ..network import Network
from .compare import Progress, compare, settings
from .departure import find
from .refusals import refuse_to_wake_steps
from .report import Report
from .subject import Subject, prepare

# The least tolerance for a float32 model: its gradients at unit scale differ by 1e-6 to 1e-5 from float64's.
FLOAT32 = 1e-3
PIECEWISE = {"relu", "leaky_relu", "relu6", "elu", "selu", "hard_sigmoid", "hard_sigmoid_keras2"}
PIECEWISE |= {"mean_absolute_error", "huber"}


def gradcheck(
    model: Network,
    x: ArrayLike,
    y: ArrayLike,
    *,
    mask: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    method: str = "complex",
    elements: int | None = 200,
    tol: float | None = None,
    step: float | None = None,
    dtype: str | None = None,
    dropout: str | None = None,
    allow_short: bool = False,
    allow_small: bool = False,
    allow_chaotic: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
) -> Report:
    """Proves the gradients of a compiled model's loss on x (N, T, D) and y: of every weight, of x and of the initial states.

    The analytic gradients are those of the model as it runs, in its dtype and on its backend; the numeric ones come from the
    loss alone, in float64 or complex128, through the readable NumPy path. Ids, which an Embedding reads, have no gradient and
    are left out, as a note says. method is "complex" (the complex step, exact to rounding), "central" or "richardson"
    (differences; without step= a sweep chooses their step). elements: how many of each parameter are checked one by one,
    None for all; a random direction through all of them is checked in any case. tol is the largest norm-wise relative error
    of a row that passes. progress(done, total) is called after every element.

    ValueError for what would make the check wrong: float32 without dtype= ("float64" checks the same network in float64,
    "float32" as it is), dropout without dropout= ("frozen" masks or "off"), fewer than 3 steps, weights so small that errors
    do not show or so large that the network is chaotic, a sample in the clipped zone of the loss, predictions that equal y,
    differences of steps that a Masking layer masks. When a row fails, `report.departure` says where the backward pass first
    goes wrong.
    """
    subject = prepare(
        model,
        x,
        y,
        mask=mask,
        sample_weight=sample_weight,
        dtype=dtype,
        dropout=dropout,
        allow_short=allow_short,
        allow_small=allow_small,
        allow_chaotic=allow_chaotic,
    )
    refuse_to_wake_steps(subject.twin, method)
    how = settings(method, step, tol, elements, seed, FLOAT32 if subject.model.dtype == "float32" else 0.0)
    report = compare(subject.loss, subject.point(), subject.analytic(), subject.gates(), how, progress)
    report.notes += notes(subject, method, model.dtype)
    if report.failed:
        report.departure = find(subject, how.tolerance)
    return report


def notes(subject: Subject, method: str, dtype: str) -> list[str]:
    """Notes for the reader of the report on how the check was made."""
    lines = []
    if subject.model.dtype != dtype:
        lines.append(f"The model computes in {dtype}; its twin in {subject.model.dtype} was checked.")
    if subject.training:
        lines.append("Dropout masks were drawn once and held.")
    named = zip(subject.x_names(), subject.gradients.inputs, strict=True)
    lines += [f"{name} holds ids, which have no gradient: it was left out." for name, dx in named if dx is None]
    used = {getattr(part, "activation", None) for part in subject.twin.parts.values()}
    used.update(snake(type(target.loss).__name__) for target in subject.twin.targets)
    if method != "complex" and (kinked := sorted(PIECEWISE & used)):
        lines.append(f"{', '.join(kinked)} has kinks: a difference across one is wrong, the complex step is not.")
    return lines
