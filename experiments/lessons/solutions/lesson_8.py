"""Lesson 8, your voice."""

import numpy as np

from experiments.lessons.voice import FORWARD, NETWORK, UNITS, log_odds
from experiments.microscope.interventions import silence

HINTS = {
    1: (
        "Compute the log-odds without each of the units in turn.",
        "A change in either direction is a change: compare sizes.",
    ),
    2: (
        "Not all pieces are equally sure. Turn those first whose change moves the sum most.",
        "A piece that changes its sign moves the sum by twice its vote. Sort the votes that agree with the sum.",
    ),
    3: (
        "Begin with the two ends: the log-odds have different signs there.",
        "Compute the log-odds in the middle, and go on with the half whose ends still differ in sign.",
    ),
}


def answer_1(frames):
    changes = [log_odds(frames, network=silence(NETWORK, FORWARD, unit)) - log_odds(frames) for unit in range(UNITS)]
    return int(np.abs(changes).argmax())


def answer_2(z):
    sign, votes = np.sign(z.sum()), sorted(z)
    for count in range(1, len(z) + 1):
        surest = votes[-count:] if sign > 0 else votes[:count]
        if (z.sum() - 2 * sum(surest)) * sign < 0:
            return count
    return len(z)


def answer_3(frames, low, high):
    while high - low > 1e-5:
        middle = (low + high) / 2
        same = log_odds(frames, middle) * log_odds(frames, low) > 0
        low, high = (middle, high) if same else (low, middle)
    return low
