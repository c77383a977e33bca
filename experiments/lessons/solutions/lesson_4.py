"""Lesson 4, why recurrent networks forget."""

import numpy as np

HINTS = {
    1: (
        "Half of the value is left after k steps: f to the power k is 1/2.",
        "f = σ(b), so b = ln(f / (1 - f)).",
    ),
    2: (
        "Applied again and again, the direction that a matrix stretches most wins over all others.",
        "The factor is a property of the eigenvalues. They may be negative or complex: their size counts.",
    ),
    3: (
        "The last cell is its own: the last number is 1. How does it depend on the cell one step before?",
        "c_(T-1) = f_(T-1) c_(T-2) + ...: the gate of the later step is the factor. Multiply the gates after t.",
    ),
}


def answer_1(k):
    return -np.log(2 ** (1 / k) - 1)  # σ(b) = ½^(1/k)


def answer_2(U):
    return np.abs(np.linalg.eigvals(U)).max()


def answer_3(f):
    return np.append(np.cumprod(f[:0:-1])[::-1], 1.0)
