"""Lesson 7, words that reach back."""

import numpy as np

HINTS = {
    1: (
        "The unit must tell singular from plural at every word, not only at one.",
        "Take the distance between the two sentences. At words 0 to 2 there is none, or only just.",
        "Which unit's smallest distance, from word 3 on, is the largest?",
    ),
    2: (
        "The log-odds of two classes of a softmax are the difference of their two sums: what it divides by cancels.",
        "A unit adds h times the difference of its two weights. Take this in the plural minus in the singular.",
    ),
}


def answer_1(c):
    return np.abs(c[1, 3:] - c[0, 3:]).min(axis=0).argmax()  # apart at every word from the noun on


def answer_2(h, W):
    return (h[1] - h[0]) * (
        W[:, 1] - W[:, 0]
    )  # what the softmax divides by is the same for both forms, and the bias too
