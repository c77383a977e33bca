"""Metrics: by hand, and beside Keras over several batches, the last of them smaller."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from lstm_engine import metrics
from lstm_engine.metrics import (
    AUC,
    Accuracy,
    BalancedAccuracy,
    BinaryAccuracy,
    MeanAbsoluteError,
    Precision,
    Recall,
    RootMeanSquaredError,
)

rng = np.random.default_rng(0)
N, T, K = 22, 5, 3
P = rng.random((N, 1)).astype("float32")
P[:12] = np.round(8 * P[:12]) / 8  # thresholds themselves, if there are 9
P[:2, 0] = 0, 1
Y = (rng.random((N, 1)) < 0.3 + 0.4 * P).astype("float32")
CLASSES = rng.integers(0, K, N).astype("float32")
SOFTMAX = rng.dirichlet(np.ones(K), N).astype("float32")
SIGMOIDS = rng.random((N, K)).astype("float32")
STEPS = rng.random((N, T, 1)).astype("float32")


def in_batches(metric, y, p, mask=None):
    for start in range(0, N, 8):  # 8, 8 and 6
        rows = slice(start, start + 8)
        metric.update(y[rows], p[rows], None if mask is None else mask[rows])
    return metric.result()


def by_keras(wanted, y, p, mask=None):
    """What Keras's compiled model reports when it is asked for the predictions p: its input is p, its output the same."""
    keras = pytest.importorskip("keras")
    inputs = outputs = keras.Input(p.shape[1:])
    if mask is not None:

        class Masked(keras.layers.Layer):
            def compute_mask(self, x, _=None):
                return x[..., 1] > 0

            def call(self, x):
                return x[..., :1]

        inputs = keras.Input((*p.shape[1:-1], 2))
        outputs, p = Masked()(inputs), np.concatenate([p, mask[..., None]], axis=-1)
    model = keras.Model(inputs, outputs)
    theirs = [m if isinstance(m, str) else getattr(keras.metrics, type(m).__name__)(**asdict(m)) for m in wanted]
    model.compile(loss="sparse_categorical_crossentropy" if y.ndim == 1 else "mse", metrics=theirs)
    scores = model.evaluate(p, y, batch_size=8, verbose=0, return_dict=True)
    return {name: value for name, value in scores.items() if name != "loss"}


NAMED = ["acc", "AUC", "Precision", "recall"]
ERRORS = ["mae", "MSE", "mean_squared_error", MeanAbsoluteError(), RootMeanSquaredError(), "binary_accuracy"]
CASES = {
    "two classes": (
        [
            *NAMED,
            *ERRORS,
            BinaryAccuracy("b", threshold=0.25),
            AUC(9, name="nine"),
            Precision(0.25, name="low"),
            Recall(0.75, name="high"),
        ],
        Y,
        P,
    ),
    "class numbers": (["acc", "accuracy", "sparse_categorical_accuracy"], CLASSES, SOFTMAX),
    "one-hot": ([*NAMED, *ERRORS, "CategoricalAccuracy"], np.eye(K, dtype="float32")[CLASSES.astype(int)], SOFTMAX),
    "several yes or no outputs": ([*NAMED, *ERRORS], (SIGMOIDS > 0.4) * 1.0, SIGMOIDS),
}


@pytest.mark.parametrize("case", CASES)
def test_metrics_and_their_keys_in_the_history_are_keras_s(case):
    wanted, y, p = CASES[case]
    ours = {metric.name: in_batches(metric, y, p) for metric in metrics.get_all(wanted)}
    assert ours == pytest.approx(by_keras(wanted, y, p), rel=1e-6)  # Keras sums in float32


def test_masked_steps_count_in_no_metric():
    """As in Keras's accuracies and mean errors. Its others count them: ours are what it says of the steps there are."""
    y, mask = (STEPS > 0.4) * rng.integers(0, 2, STEPS.shape), rng.random((N, T)) < 0.6
    wanted = [*NAMED, "mae", "mse", "root_mean_squared_error", "binary_accuracy"]
    ours = {metric.name: in_batches(metric, y, STEPS, mask) for metric in metrics.get_all(wanted)}
    theirs = by_keras(wanted, y, STEPS, mask)
    there = by_keras(wanted, y[mask], STEPS[mask])
    assert ours == pytest.approx(there, rel=1e-6)
    alike = {name for name in wanted if theirs[name] == pytest.approx(there[name], rel=1e-6)}
    assert alike == {"acc", "mae", "mse", "binary_accuracy"}


def test_balanced_accuracy_is_the_mean_recall_of_the_classes_seen():
    metric = BalancedAccuracy()
    metric.update(np.array([0, 0, 0, 1]), np.eye(4)[[0, 0, 1, 1]])  # two of three zeros, the one 1
    assert metric.result() == pytest.approx((2 / 3 + 1) / 2)
    metric.update(np.array([3]), np.eye(4)[[0]])  # the one 3 not found; there is no 2
    assert metric.result() == pytest.approx((2 / 3 + 1 + 0) / 3)


def test_balanced_accuracy_of_two_classes_is_the_mean_of_sensitivity_and_specificity():
    positive, true = P > 0.5, Y > 0.5
    expected = ((positive & true).sum() / true.sum() + (~positive & ~true).sum() / (~true).sum()) / 2
    assert in_batches(metrics.get("balanced_accuracy"), Y, P) == pytest.approx(expected)


def test_auc_nears_the_share_of_pairs_in_the_right_order():
    """The Mann-Whitney statistic; 20,000 thresholds part all but two of these predictions or none."""
    above, below = P[Y > 0.5], P[Y < 0.5]
    pairs = np.mean((above[:, None] > below) + 0.5 * (above[:, None] == below))
    assert in_batches(AUC(num_thresholds=20_000), Y, P) == pytest.approx(pairs, abs=1e-12)


def test_a_metric_starts_again_after_reset_and_from_get():
    metric = Accuracy()
    metric.update(np.ones((4, 1)), np.zeros((4, 1)))
    fresh = metrics.get(metric)
    metric.reset()
    for m in (metric, fresh):
        m.update(np.ones((2, 1)), np.ones((2, 1)))
        assert m.result() == 1.0


@pytest.mark.parametrize("name", metrics.METRICS)
def test_nothing_to_count_gives_zero_as_in_keras(name):
    assert metrics.get(name).result() == 0.0
    metric = metrics.get(name)
    metric.update(np.ones((0, T, 1)), np.ones((0, T, 1)), np.ones((0, T), bool))
    assert metric.result() == 0.0


def test_metrics_of_a_diverged_network_are_numbers():
    """Of those that count; an error is NaN, as the loss is."""
    for name in metrics.METRICS:
        metric = metrics.get(name)
        metric.update(Y, np.full_like(P, np.nan))
        assert np.isnan(metric.result()) if metric.direction == "down" else 0 <= metric.result() <= 1


@pytest.mark.parametrize(
    ("metric", "stored"),
    [
        ("acc", "acc"),
        ("AUC", "AUC"),
        (Accuracy(), "accuracy"),
        (AUC(), "auc"),
        (AUC(50), {"class_name": "AUC", "config": {"name": "auc", "num_thresholds": 50}}),
        ("MSE", "MSE"),
        (metrics.mean_absolute_error, "mean_absolute_error"),
        (BinaryAccuracy, "binary_accuracy"),
        (
            BinaryAccuracy(threshold=0),
            {"class_name": "BinaryAccuracy", "config": {"name": "binary_accuracy", "threshold": 0}},
        ),
        (Recall(0.3, name="hits"), {"class_name": "Recall", "config": {"name": "hits", "thresholds": 0.3}}),
    ],
)
def test_a_file_holds_a_name_or_the_options(metric, stored):
    config = json.loads(json.dumps(metrics.to_config(metrics.get(metric))))
    assert config == stored
    assert metrics.from_config(config) == metrics.get(metric)


def test_two_of_one_name_are_told_apart_as_in_keras():
    names = [m.name for m in metrics.get_all(["acc", AUC(), "acc", AUC(50), "AUC", "acc"])]
    assert names == ["acc", "auc", "acc_1", "auc_1", "AUC", "acc_2"]
    assert metrics.get_all(None) == []


@pytest.mark.parametrize(
    ("make", "error", "named"),
    [
        (
            lambda: metrics.get("f1"),
            ValueError,
            "'f1' is not in the engine; it has accuracy, acc, balanced_accuracy, auc",
        ),
        (lambda: metrics.get(len), ValueError, "is not in the engine"),
        (lambda: metrics.get_all("accuracy"), ValueError, "metrics is a list"),
        (lambda: AUC(curve="PR"), TypeError, "curve"),
        (lambda: AUC(200, "PR"), TypeError, "positional"),  # Keras's second argument, not our name
        (lambda: AUC(1), ValueError, "num_thresholds"),
        (lambda: Precision([0.1, 0.5]), ValueError, r"one number from 0 to 1, got \[0.1, 0.5\]"),
        (lambda: Recall(top_k=3), TypeError, "top_k"),
        (lambda: BinaryAccuracy(threshold="half"), ValueError, "threshold must be a number, got 'half'"),
        (
            lambda: metrics.get("mae").update(CLASSES, SOFTMAX),
            ValueError,
            r"MeanAbsoluteError .*\(22, 3\).* got \(22,\)",
        ),
        (
            lambda: metrics.get("sparse_categorical_accuracy").update(SOFTMAX, SOFTMAX),
            ValueError,
            r"takes class numbers: .* need y of shape \(22,\)",
        ),
        (lambda: AUC().update(CLASSES, SOFTMAX), ValueError, r"AUC .*\(22, 3\).* got \(22,\).*one-hot"),
    ],
)
def test_what_the_engine_does_not_have_is_refused_by_name(make, error, named):
    with pytest.raises(error, match=named):
        make()
