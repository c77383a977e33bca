"""Training that diverges: a loss or a gradient that is not finite moves no weight, and what was good is put back.

A step is checked between its gradients and the optimizer's move. `fit` keeps a copy of the network's state at the beginning
of every epoch, since weights may be finite and yet far off long before the loss overflows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from . import finite
from .activations import Array
from .lists import listed
from .undone import Before

if TYPE_CHECKING:
    from .network import Batch, Network, Outcome


quiet = partial(np.errstate, over="ignore", invalid="ignore")


class Diverged(ValueError):
    """A loss, a gradient or a weight is not finite. `loss` and `heads` are those of the step, if it got so far."""

    def __init__(self, message: str, loss: float = math.nan, heads: Any = ()) -> None:
        super().__init__(message)
        self.loss, self.heads = float(loss), heads


def check_step(network: Network, batch: Batch, loss: Any, heads: Any, gradients: Mapping[str, Array]) -> None:
    """Diverged if the loss or a gradient of a training step is not finite, or too large for the optimizer to square.

    To be called in a block that ignores NumPy's warnings, as `quiet` is: what they would say is named.
    """
    if math.isfinite(loss) and squares(gradients) <= finite.LARGEST[network.dtype]:  # False for NaN
        return
    check_numbers(network, batch, loss, heads, gradients)
    if not network.compiled[0].clipvalue:
        size, name = max((largest(g), name) for name, g in gradients.items())
        what = f"the gradient of {name} reaches {size:.1e}, whose square {network.dtype} cannot hold"
        raise Diverged(what, loss, heads)


def squares(arrays: Mapping[str, Array]) -> float:
    """The sum of all squares: not finite if a number is not, or if a square overflows."""
    total = 0.0
    for a in arrays.values():
        flat = a.reshape(-1)
        total += float(flat.dot(flat))
    return total


def check_numbers(
    network: Network, batch: Batch, loss: Any, heads: Any = (), gradients: Mapping[str, Array] | None = None
) -> None:
    """Diverged if the loss or a gradient is NaN or infinite: it names where that shows first."""
    bad = finite.broken(dict(reversed(list((gradients or {}).items()))))  # from the loss on, as the backward pass goes
    if math.isfinite(loss) and not bad:
        return
    if broken := finite.broken(finite.state_of(network)):
        why = f"{broken} holds NaN or infinity"
    elif math.isfinite(loss):
        why = ""
    else:
        why = first_overflow(network, batch)
    what = [f"the loss is {loss:g}"] if not math.isfinite(loss) else []
    what += [f"the gradient of {bad} is not finite"] if bad else []
    raise Diverged(" and ".join(what) + f" ({why})" * bool(why), loss, heads)


def first_overflow(network: Network, batch: Batch) -> str:
    """The first layer whose output for the batch is not finite, else how large the last is; and the largest weight."""
    kept: dict[Any, Any] = {}
    with np.errstate(all="ignore"), network.undisturbed():
        network.forward(batch.x, False, batch.mask, taped=False, kept=kept)
    bad = [edge.node for edge, (array, _) in kept.items() if not finite.is_finite(array)]
    outputs = network.graph.outputs
    if bad:
        where = f"the output of {bad[0]} is the first to overflow"
    else:
        where = f"predictions reach {max((largest(kept[edge][0]) for edge in outputs if edge in kept), default=0):.1e}"
    sizes = {name: largest(w) for name, w in network.weights.items()} or {"none": 0.0}
    name = max(sizes, key=sizes.__getitem__)
    inputs = max(largest(x) for x in listed(batch.x))
    return f"{where}; inputs reach {inputs:.1e}, the largest weights are those of {name}, up to {sizes[name]:.1e}"


def largest(a: Array) -> float:
    """The largest finite number, without its sign."""
    return float(np.abs(a[np.isfinite(a)]).max(initial=0))


def checked(network: Network, batch: Batch, loss: float, gradients: dict[str, Array]) -> tuple[float, dict[str, Array]]:
    """The loss and the gradients themselves. ValueError if one is not finite, or a weight."""
    finite.require_weights(network)
    check_numbers(network, batch, loss, gradients=gradients)
    return loss, gradients


def check_state(network: Network) -> None:
    """Diverged if a weight, a kept state or a slot of the optimizer is not finite after a step."""
    if broken := finite.broken(finite.state_of(network)):
        raise Diverged(f"the optimizer's step made {broken} NaN or infinite")


def advice(network: Network) -> str:
    optimizer = network.compiled[0]
    clips = "" if optimizer.clipnorm or optimizer.global_clipnorm else f", {type(optimizer).__name__}(clipnorm=1.0)"
    rate = f"a learning rate below {optimizer.learning_rate:g}"
    return f"Try {rate}{clips}, or inputs scaled to mean 0 and variance 1"


class Good:
    """A network's trained weights and its optimizer's state before a step, to be put back."""

    def __init__(self, network: Network) -> None:
        self.optimizer = network.compiled[0]
        self.weights = [(w, w.copy()) for w in network.trainable_weights.values()]
        self.iterations, self.slots = self.optimizer.iterations, {k: a.copy() for k, a in self.optimizer.slots.items()}

    def put_back(self) -> None:
        for w, kept in self.weights:
            w[...] = kept
        self.optimizer.iterations, self.optimizer.slots = self.iterations, self.slots


class Guard:
    """Makes the training steps of one epoch of `fit`. Of one that diverges it puts back the epoch's beginning.

    Then it raises Diverged with epoch and batch; with TerminateOnNaN among the callbacks the training ends without an error.
    """

    def __init__(self, network: Network, callbacks: Iterable[Any], epoch: int) -> None:
        self.network, self.epoch, self.done, self.stopped = network, epoch, 0, False
        self.good, self.before = Good(network), Before(network, [])  # its generators and kept states too
        self.callbacks = list(callbacks)

    def step(self, batch: Batch) -> tuple[float, Any]:
        """The loss and the heads of a training step."""
        self.done += 1
        try:
            with quiet():
                outcome = self.network.step(batch, careful=True)
        except Diverged as fault:
            self.stop(fault, f", batch {self.done}")
            return fault.loss, fault.heads
        return outcome

    def __enter__(self) -> Guard:
        return self

    def __exit__(self, kind: Any, fault: Any, where: Any) -> bool:
        """Looks at what the last step made of the weights, and at what the validation raised."""
        try:
            if kind is None:
                check_state(self.network)
        except Diverged as found:
            kind, fault = Diverged, found
        if kind is Diverged and not self.stopped:
            self.stop(fault)
            return True
        return False

    def stop(self, fault: Diverged, at: str = "") -> None:
        """Puts the epoch's beginning back, and ends the training: with an error, unless TerminateOnNaN is there."""
        self.stopped, rules = True, advice(self.network)
        self.good.put_back()
        self.before.restore()
        ending = [callback for callback in self.callbacks if getattr(callback, "ends_on_nan", False)]
        if not ending:
            total = self.network.epochs_done + 1  # where fit is called for one epoch at a time
            epoch = f"epoch {self.epoch + 1}" + f" (the model's {total}.)" * (total != self.epoch + 1)
            raise Diverged(
                f"{epoch}{at}: {fault}. The model is again what it was at the beginning of the epoch. {rules}"
            ) from None
        if math.isfinite(fault.loss) or not fault.heads:  # or else it sees the loss in the logs
            ending[0].ends(self.done - 1, str(fault))


def one_step(network: Network, batch: Batch) -> Outcome:
    """A training step for `train_on_batch`. Diverged, and no weight and no slot changed, where a number is not finite."""
    good = Good(network)
    try:
        with quiet():
            outcome = network.step(batch, careful=True)
            after = squares(network.trainable_weights)
        if not math.isfinite(after):
            check_state(network)
    except Diverged as fault:
        rules = advice(network)
        good.put_back()
        raise Diverged(f"{fault}. Nothing was changed. {rules}", fault.loss, fault.heads) from None
    return outcome


def evaluated(network: Network, fed: Any, n: int, heads: Any) -> float:
    """The loss of a batch that is evaluated. Diverged if it is not finite."""
    loss = float(network.total_loss(heads))
    try:
        check_numbers(network, fed.batch, loss)
    except Diverged as fault:
        raise Diverged(f"batch {n + 1} of the evaluation: {fault}") from None
    return loss


def predicted(network: Network, batches: Iterable[Any], allow_nan: bool) -> Iterator[tuple[Any, list[Array]]]:
    """Each batch with the list of its outputs. Diverged for one that is not finite, unless it is allowed."""
    for fed, outputs, _ in batches:
        for p in () if allow_nan else listed(outputs):
            if not finite.is_finite(p):
                at = tuple(map(int, np.argwhere(~np.isfinite(p))[0]))
                why = first_overflow(network, fed.batch)
                sample = f"the prediction for sample {fed.rows[at[0]]} is {p[at]:g}"
                raise Diverged(f"{sample} ({why}); allow_nan=True returns it all the same")
        yield fed, listed(outputs)
