"""Several networks of one shape as one, whose answer at every frame is the mean of their log-odds.

For the shipped model: four draws of the weights, of which none has to be chosen. The contract: the joined network is an
ordinary bidirectional LSTM with the units of all, in which no unit hears a unit of another network.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from scipy.linalg import block_diag

from experiments.voices.clip_model import ClipModel, Settings, network


def settings_of(settings: Settings, members: int) -> Settings:
    """Those of `members` joined networks: their units together."""
    return replace(settings, units=members * settings.units)


def joined(models: Sequence[ClipModel], settings: Settings) -> ClipModel:
    """One model of M, each of these settings, with one preparation; ValueError if they were prepared differently."""
    first = models[0].prepare
    for other in (model.prepare for model in models[1:]):
        if other.removed != first.removed or not np.array_equal([other.mean, other.scale], [first.mean, first.scale]):
            raise ValueError("networks are joined that read the same numbers; these were prepared on different clips")
    weights = [model.network.get_weights() for model in models]
    *directions, dense, bias = zip(*weights, strict=True)
    whole = []
    for kernels, recurrent, biases in (directions[:3], directions[3:]):
        whole += [
            by_gate(np.hstack, kernels),
            by_gate(lambda each: block_diag(*each), recurrent),
            by_gate(np.hstack, biases),
        ]
    halves = [np.split(w, 2) for w in dense]  # of the forward and of the backward LSTM, (units, 1) each
    out = np.concatenate([half[k] for k in (0, 1) for half in halves]) / len(models)
    one = network(settings_of(settings, len(models)), whole[0].shape[0])
    one.set_weights([*whole, out, np.mean(bias, axis=0)])
    return ClipModel(one, first, settings.answer)


def by_gate(put_together: Callable[[Sequence[np.ndarray]], np.ndarray], arrays: Sequence[np.ndarray]) -> np.ndarray:
    """(..., 4 units) each -> (..., 4 units of all): the four gates stay apart, each with its units of all networks."""
    gates = zip(*(np.split(a, 4, axis=-1) for a in arrays), strict=True)
    return np.concatenate([put_together(gate) for gate in gates], axis=-1)
