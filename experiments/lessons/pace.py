"""How long the lessons train: LSTM_ENGINE_LESSONS_QUICK=1 cuts every training short, for tests and for a first look.

A cut training shows that a lesson runs. What the lesson's text says of a trained network then does not hold.
"""

import os

QUICK = os.environ.get("LSTM_ENGINE_LESSONS_QUICK", "") not in ("", "0")


def cut(full: int, quick: int) -> int:
    """The number of training steps or epochs: `full`, or `quick` where the trainings are cut short."""
    return quick if QUICK else full
