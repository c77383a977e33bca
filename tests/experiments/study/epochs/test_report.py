"""What a study of epochs says in words follows from its numbers, whichever way they go."""

import numpy as np
import pandas as pd
import pytest

from experiments.study.epochs import report


def course(held_out, train=None, loss=None):
    """A subject's rows, from its held-out balanced accuracy (epochs, seeds)."""
    held_out = np.array(held_out)
    train = held_out if train is None else np.broadcast_to(np.array(train)[:, None], held_out.shape)
    loss = held_out if loss is None else np.array(loss)
    return pd.DataFrame(
        {"seed": k, "epoch": n + 1, "part": part, "balanced_accuracy": curve[n, k], "loss": loss[n, k]}
        for part, curve in (("train", train), ("held_out", held_out))
        for n in range(len(curve))
        for k in range(curve.shape[1])
    )


def subject(table):
    return {"title": "X", "held_out": "8 clips", "threshold": ["pitch", 0.9]} | report.summary(table)


def verdict(table):
    one = subject(table)
    return report.verdict({"epochs": one["last"], "subjects": {"x": one}})


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        ([0.5, 0.6], [0.7, 0.7], "X from 0.550 to 0.700: higher in every seed, +0.150 on average (+0.100 to +0.200)"),
        ([0.7, 0.7], [0.5, 0.6], "X from 0.700 to 0.550: lower in every seed, -0.150 on average (-0.200 to -0.100)"),
        (
            [0.5, 0.6, 0.5],
            [0.6, 0.5, 0.5],
            "higher in 1 of 3 seeds and lower in 1, +0.000 on average (-0.100 to +0.100)",
        ),
        ([0.5], [0.7], "X from 0.500 to 0.700: +0.200 with the one seed"),
        ([0.1 + 0.2, 0.3], [0.3, 0.3], "higher in 0 of 2 seeds and lower in 0, +0.000"),  # but for rounding the same
    ],
)
def test_the_verdict_says_where_the_seeds_went(first, last, words):
    sentence = verdict(course([first, last]))
    assert sentence.startswith("From epoch 1 to 2 the balanced accuracy on held-out speakers goes, with X from ")
    assert words in sentence


def test_the_verdict_starts_at_the_tutorials_twenty_epochs():
    table = course([[0.5]] * 19 + [[0.6]] * 10 + [[0.9]])
    assert verdict(table).startswith("From epoch 20 to 30 ")
    assert "0.600 to 0.900" in verdict(table)


def test_words_tell_the_height_and_what_training_does_after_it():
    table = course([[0.5], [0.795], [0.8], [0.7]], train=[0.5, 0.6, 0.7, 1.0])
    words = report.words(subject(table))
    assert (
        "The held-out mean is highest after epoch 3 (0.800). It first comes within 0.010 of that after epoch 2."
        in words
    )
    assert "From epoch 2 to the end the training clips' accuracy changes by +0.400." in words
    assert "more epochs may add to it" not in words


def test_words_tell_of_a_curve_that_still_rises():
    words = report.words(subject(course([[0.5], [0.6], [0.7]])))
    assert "highest at the very end (0.700), so more epochs may add to it." in words
    assert "first comes within" not in words
    assert "to the end" not in words


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        ([0.4, 0.6], [0.6, 0.7], "from 0.500 to 0.650: higher in every seed, +0.150 on average (+0.100 to +0.200); the prob"),
        ([0.4, 0.6], [0.5, 0.5], "from 0.500 to 0.500: higher in 1 of 2 seeds and lower in 1, +0.000 on average (-0.100 to"),
        ([0.6, 0.6], [0.5, 0.4], "from 0.600 to 0.450: lower in every seed, -0.150 on average (-0.200 to -0.100)."),
    ],
)  # fmt: skip
def test_words_tell_what_became_of_the_loss(first, last, words):
    sentences = report.words(subject(course([[0.5, 0.5], [0.6, 0.6]], loss=[first, last])))
    assert f"The held-out log loss goes {words}" in sentences
    assert ("the probabilities have become worse" in sentences) == (words.endswith("; the prob"))


def test_the_mean_and_the_range_are_those_of_the_seeds():
    numbers = report.summary(course([[0.5, 0.9], [0.6, 0.7]]))
    assert numbers["at"][2]["held_out"] == pytest.approx({"mean": 0.65, "low": 0.6, "high": 0.7})
    assert numbers["highest"] == {"epoch": 1, "mean": 0.7}
    assert numbers["changes"] == [0.1, -0.2]
