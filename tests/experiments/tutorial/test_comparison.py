"""compare: the engine and Keras through one training, each in a process of its own, and what is reported of it."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from experiments.reports.run import Run
from experiments.reports.scores import balanced_accuracy
from experiments.tutorial import comparison_report
from experiments.tutorial.comparison import compare

pytest.importorskip("keras")


@pytest.fixture(scope="module")
def control(task):
    return compare(task, 1, units=8, batch_size=8, seed=5, control=True)[0]


def test_every_epoch_is_one_row_of_finite_numbers(compared):
    comparison, _, progress = compared
    table = comparison.table
    assert list(table.index) == [1, 2, 3]
    assert progress == [(1, 3), (2, 3), (3, 3)]
    quantities = ("loss", "accuracy", "val_loss", "val_accuracy", "seconds")
    assert set(table) == {f"{side}_{q}" for side in ("engine", "reference") for q in quantities} | {
        "weight_difference",
        "prediction_difference",
        "agreement",
    }
    assert np.isfinite(table.to_numpy(float)).all()
    assert comparison.reference.startswith("Keras 3.")


def test_the_two_sides_learn_the_same(compared):
    """float32 rounding, after 12 steps of Adam that divide small gradients by their own size."""
    comparison, _, _ = compared
    table = comparison.table
    assert table["engine_loss"].iloc[-1] < 0.99 * table["engine_loss"].iloc[0], "there was something to learn"
    np.testing.assert_allclose(table["engine_loss"], table["reference_loss"], rtol=1e-4)
    np.testing.assert_allclose(table["engine_val_loss"], table["reference_val_loss"], rtol=1e-4)
    assert 0 < table["weight_difference"].max() < 1e-3
    assert 0 < table["prediction_difference"].max() < 1e-3
    assert comparison.agreement == {"train": 1.0, "held_out": 1.0}
    assert (table["agreement"] == 1.0).all()


def test_the_scores_are_those_of_the_model_that_comes_back(compared, task):
    comparison, model, _ = compared
    p = model.predict(task.inputs(task.held_out), verbose=0)[:, 0]
    np.testing.assert_allclose(p, comparison.probabilities["engine"], atol=1e-6)  # float32, batches of another size
    y = task.held_out.labels
    assert comparison.final["engine"]["held_out"] == np.mean((p > 0.5) == y)
    assert comparison.scores["engine"]["balanced_accuracy"] == pytest.approx(
        balanced_accuracy(y, (p > 0.5).astype(int))
    )
    assert comparison.scores["engine"]["speakers"] == 12
    assert comparison.rows[-1]["engine_val_accuracy"] == pytest.approx(comparison.final["engine"]["held_out"])


def test_the_engine_s_loss_is_that_of_training_it_alone(compared, task):
    from experiments.tutorial.task import batches, voice_model

    alone = voice_model(8, 0.01, seed=5)
    order = batches(24, 7, 3, seed=5)
    assert sorted(np.concatenate(order[0])) == list(range(24))
    assert [len(rows) for rows in order[0]] == [7, 7, 7, 3]
    history = alone.fit(task.inputs(task.train), task.train.labels, epochs=3, order=order, verbose=0).history
    # float32 sums depend on the number of threads, and the comparison ran in another process
    np.testing.assert_allclose(compared[0].table["engine_loss"], history["loss"], rtol=1e-5)


def test_each_side_s_memory_is_its_own_process_s(compared):
    peak = compared[0].peak_mib
    if None in peak.values():
        pytest.skip("this system does not tell a process's peak memory")
    assert 20 < peak["engine"] < peak["reference"] < 20_000  # Keras and JAX are in the one and not in the other


def test_a_comparison_survives_json(compared):
    comparison, _, _ = compared
    again = json.loads(json.dumps(comparison.as_json()))
    assert again["rows"] == comparison.rows
    assert again["seconds_per_epoch"] == comparison.seconds_per_epoch()
    assert set(again["seconds_per_epoch"]) == {"engine", "reference"}


@pytest.mark.slow
def test_control_is_keras_beside_itself_from_weights_moved_by_a_rounding(control):
    assert "6e-8" in control.reference
    assert control.agreement == {"train": 1.0, "held_out": 1.0}
    assert 0 < control.rows[0]["weight_difference"] < 1e-3


def test_the_page_of_a_comparison_holds_its_numbers(compared, task, tmp_path):
    comparison, _, _ = compared
    page = comparison_report.write_comparison(Run(tmp_path), task, [comparison], True, "a test", 3.1).read_text()
    assert f"{comparison.final['reference']['held_out']:.3f}" in page
    assert f"same answer for {comparison.agreement['held_out']:.1%} of the held-out clips" in page
    assert comparison.reference in page
    assert "synthetic" in page
    assert "Other programs were running when this began (load 3.1 on " in page
    assert "synthetic" not in "".join(
        comparison_report.section(Run(tmp_path, force=True), task, [comparison], synthetic=False)
    )
    epochs = pd.read_csv(tmp_path / "epochs.csv")
    assert list(epochs["epoch"]) == [1, 2, 3]
    np.testing.assert_allclose(epochs["engine_loss"], comparison.table["engine_loss"])
    assert json.loads((tmp_path / "comparison.json").read_text())[0]["seed"] == 5


def test_the_page_does_not_promise_a_split_by_speaker_where_speakers_are_unknown(compared, task, tmp_path):
    comparison, _, _ = compared
    nobody = replace(task.held_out, speakers=np.full(len(task.held_out), None))
    known, unknown = (
        "".join(comparison_report.section(Run(tmp_path, force=True), t, [comparison], synthetic=False))
        for t in (task, replace(task, held_out=nobody))
    )
    assert "no speaker on both sides" in known
    assert "no speaker on both sides" not in unknown
    assert "some speakers unknown" in unknown


def test_closeness_is_the_worst_over_the_seeds(compared):
    first, final = (
        compared.comparison,
        {"engine": {"train": 0.5, "held_out": 1.0}, "reference": {"train": 0.75, "held_out": 1.0}},
    )
    other = replace(first, final=final)
    closeness = comparison_report.closeness([first, other])
    gaps = [abs(c.final["engine"]["train"] - c.final["reference"]["train"]) for c in (first, other)]
    assert closeness["train"]["largest_accuracy_gap_points"] == 100 * max(gaps)
    assert closeness["held_out"]["smallest_agreement"] == 1.0
