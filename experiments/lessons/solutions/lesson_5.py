"""Lesson 5, Adam step by step."""

import numpy as np

HINTS = {
    1: (
        "Before the first step m and v are 0. What are they after a gradient of 2?",
        "Without the correction the step is m / √v: m is 1 - β₁ of the gradient, v is 1 - β₂ of its square.",
    ),
    2: (
        "The squares are all 1, so √v comes to 1: only m counts.",
        "In the long run m only changes its sign: m = -β₁ m + (1 - β₁). Solve for m.",
    ),
}


def answer_1(beta_1, beta_2):
    return (1 - beta_1) / np.sqrt(1 - beta_2)  # m is 1 - β₁ of its due, √v the root of 1 - β₂


def answer_2(beta_1):
    return (1 - beta_1) / (1 + beta_1)  # m goes to and fro between this and its negative
