"""Lesson 9, text that writes itself."""

import numpy as np

HINTS = {
    1: (
        "Each probability is raised to a power. What then is missing?",
        "The power is 1 / temperature, and the results must have the sum 1.",
    ),
    2: (
        "With carried state nothing is forgotten at the beginning of a window; the gradient stops there.",
        "Step t is step t % window of its window, counted from 0.",
    ),
    3: (
        "First cut the text into as many pieces of equal length as there are streams: each piece is one stream.",
        "n.reshape(streams, -1) has the streams as rows. Cut each row into windows, and bring the windows to the front.",
    ),
}


def answer_1(p, temperature):
    powers = p ** (1 / temperature)
    return powers / powers.sum()


def answer_2(t, window):
    return t + 1, t % window + 1


def answer_3(n, streams, window):
    return np.reshape(n, (streams, -1, window)).swapaxes(0, 1)
