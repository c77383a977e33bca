"""train, evaluate and predict: one model, whose numbers must be the same whichever of the three tells them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import lstm_engine as le
from experiments.tutorial.task import read_task, sequences
from experiments.tutorial.training import at_temperature, evaluate, load_voice_model, predict, train_on_tables
from features.dataset import read_voices
from features.recipes import TUTORIAL

FLOAT32 = 1e-6  # of a probability: a product's rounding changes with the number of rows in it


@pytest.fixture
def altered(trained, tmp_path):
    """A copy of the trained model with other metadata."""

    def alter(**metadata):
        model = le.load(trained.model)
        model.save(tmp_path / "altered.safetensors", metadata=model.metadata | metadata)
        return tmp_path / "altered.safetensors"

    return alter


def test_a_run_leaves_its_model_history_settings_pictures_and_page(trained):
    names = {path.name for path in trained.folder.iterdir()}
    expected = {"model.safetensors", "history.csv", "config.json", "surroundings.json", "curves.png", "report.html"}
    assert names == expected | {"watched.csv"}
    history = pd.read_csv(trained.folder / "history.csv", index_col="epoch")
    assert list(history.index) == [1, 2, 3]
    assert set(history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert history["val_loss"].iloc[-1] == pytest.approx(trained.result["loss"], abs=FLOAT32)
    config = json.loads((trained.folder / "config.json").read_text())
    assert config["command"] == "train"
    assert config["settings"]["batch_size"] == 4
    assert config["versions"]["numpy"] == np.__version__
    page = (trained.folder / "report.html").read_text()
    assert f"balanced accuracy is {trained.result['balanced_accuracy']:.3f}" in page
    assert page.count('src="data:image/svg+xml;base64,') == 2 + 7  # seven from inside, epoch by epoch
    assert "forget gate that rises" in page


def test_held_out_speakers_are_not_trained_on(tables):
    task = read_task(tables)
    assert not set(task.train.speakers) & set(task.held_out.speakers)
    assert (len(task.train), len(task.held_out)) == (8, 2)
    scaled = task.scaler(task.train.features)
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-12)  # the held-out rows had no say in it
    assert np.abs(task.scaler(task.held_out.features).mean(axis=0)).max() > 0.1


def test_evaluate_says_of_the_saved_model_what_train_said(trained, tables):
    again = evaluate(trained.model, tables)
    assert again.pop("part") == "held-out"
    told = {name: value for name, value in trained.result.items() if name != "run"}
    probabilities = again.pop("probabilities")
    assert again.pop("loss") == pytest.approx(told.pop("loss"), abs=FLOAT32)
    told.pop("probabilities", None)
    assert again == told
    assert len(probabilities) == again["clips"] == 2


@pytest.mark.parametrize(("part", "clips"), [("train", 8), ("held-out", 2), ("all", 10), ("test", 4)])
def test_evaluate_takes_the_part_that_is_asked_for(trained, tables, part, clips):
    result = evaluate(trained.model, tables, part)
    assert (result["clips"], result["speakers"], result["part"]) == (clips, clips, part)
    assert set(result["pitch_baseline"]) >= {"threshold_hz", "balanced_accuracy", "interval_95"}


def test_evaluate_of_a_part_that_is_none_names_the_parts(trained, tables):
    with pytest.raises(ValueError, match="held-out, train, test, all, got 'dev'"):
        evaluate(trained.model, tables, "dev")


@pytest.mark.parametrize("scale", [True, False], ids=["scaled", "raw"])
@pytest.mark.parametrize("reading", ["frames", "steps"])
def test_a_clip_gets_the_probability_that_its_row_gets(tables, corpus, tmp_path, reading, scale, no_report):
    train_on_tables(tables, tmp_path, reading, scale, units=4, epochs=1, batch_size=4)
    model = le.load(tmp_path / "model.safetensors")
    task, voices = read_task(tables, reading, scale), read_voices(tables)
    p = model.predict(sequences(voices.features, reading, task.scaler), verbose=0)[:, 0]
    clips = [0, len(voices) - 1]  # a man and a woman
    files = [str(next(corpus.rglob(Path(voices.paths[k]).name))) for k in clips]
    for prediction, k in zip(predict(tmp_path / "model.safetensors", files), clips, strict=True):
        assert prediction.error is None
        assert prediction.probability == pytest.approx(p[k], abs=FLOAT32)
        assert prediction.pitch_hz == voices.features[k, 1]
        assert prediction.label == ("male" if p[k] > 0.5 else "female")


def test_predict_gives_the_reason_for_a_clip_that_it_refuses_and_goes_on(trained, corpus, bad_clips):
    clip = str(next(corpus.glob("Male Test/*/*.wav")))
    *refused, good = predict(trained.model, [*bad_clips.values(), clip])
    for prediction, (reason, file) in zip(refused, bad_clips.items(), strict=True):
        assert prediction.file == file
        assert reason in prediction.error
        assert prediction.probability is prediction.label is prediction.pitch_hz is None
    assert good.error is None
    assert 0 < good.probability < 1


def test_the_model_carries_what_a_prediction_needs(trained, tables):
    stored = le.load(trained.model).metadata
    assert stored["recipe"] == json.loads((tables / "recipe.json").read_text())
    assert stored["recipe"]["parameters"] == TUTORIAL.parameters
    assert stored["reading"] == "frames"
    assert stored["labels"] == {"1": "male", "0": "female"}
    assert (stored["threshold"], stored["temperature"]) == (0.5, 1.0)
    task = read_task(tables)
    np.testing.assert_array_equal(stored["scaler"]["mean"], task.scaler.mean)
    np.testing.assert_array_equal(stored["scaler"]["scale"], task.scaler.scale)
    assert stored["trained_on"] == {"clips": 8, "speakers": 8}


def test_labels_threshold_and_temperature_are_taken_from_the_model(trained, altered, corpus):
    clip = [str(next(corpus.glob("Male/*/*.wav")))]
    (plain,) = predict(trained.model, clip)
    (low,) = predict(altered(labels={"1": "M", "0": "F"}, threshold=plain.probability - 0.01), clip)
    (high,) = predict(altered(labels={"1": "M", "0": "F"}, threshold=plain.probability + 0.01), clip)
    (cool,) = predict(altered(temperature=2.0), clip)
    assert (low.label, high.label) == ("M", "F")
    assert cool.probability == pytest.approx(at_temperature(plain.probability, 2.0), abs=FLOAT32)
    assert cool.probability != pytest.approx(plain.probability, abs=1e-4)


def test_a_model_without_metadata_is_refused_and_what_is_missing_named(tmp_path):
    model = le.Sequential([le.LSTM(2), le.Dense(1)])
    model.build((11, 11))
    model.save(tmp_path / "plain.safetensors", metadata={"reading": "frames", "threshold": 0.5})
    message = (
        r"plain\.safetensors was not written by `lstm-engine train`: .* lacks labels, recipe, scaler, temperature$"
    )
    with pytest.raises(ValueError, match=message):
        load_voice_model(tmp_path / "plain.safetensors")


@pytest.mark.parametrize("recipe", [{"recipe": "another"}, {"parameters": TUTORIAL.parameters | {"n_mfcc": 13}}])
def test_a_model_of_another_recipe_is_refused(altered, tables, corpus, recipe):
    model = altered(recipe=TUTORIAL.stamp() | recipe)
    said = "altered.safetensors was made with .*" + ("'another'" if "recipe" in recipe else "'n_mfcc': 13")
    with pytest.raises(ValueError, match=said):
        predict(model, [str(next(corpus.rglob("*.wav")))])
    with pytest.raises(ValueError, match=said):
        evaluate(model, tables)


def test_tables_of_another_recipe_are_refused(trained, tables, tmp_path):
    for path in tables.glob("*.csv"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "recipe.json").write_text(json.dumps(TUTORIAL.stamp() | {"recipe": "another"}))
    with pytest.raises(ValueError, match="'another'"):
        evaluate(trained.model, tmp_path)


def test_tables_without_a_recipe_are_taken_for_the_tutorial_s_with_a_warning(noise_tables, tmp_path, no_report):
    with pytest.warns(UserWarning, match=r"no recipe\.json: its tables are taken for the tutorial's"):
        result = train_on_tables(noise_tables, tmp_path, units=2, epochs=1)
    assert le.load(tmp_path / "model.safetensors").metadata["recipe"]["parameters"] == TUTORIAL.parameters
    assert (result["clips"], result["speakers"]) == (24, 12)


def test_an_unknown_reading_is_refused_before_anything_is_written(tables, tmp_path):
    with pytest.raises(ValueError, match="steps, frames, got 'sideways'"):
        train_on_tables(tables, tmp_path / "run", reading="sideways")
    assert not (tmp_path / "run").exists()


def test_the_same_seed_trains_the_same_model(trained, tables, tmp_path, no_report):
    settings = {"units": 8, "epochs": 3, "batch_size": 4, "learning_rate": 0.02}
    for seed in (0, 1):
        train_on_tables(tables, tmp_path / str(seed), seed=seed, **settings)
    first, same, other = (
        le.load(folder / "model.safetensors").get_weights()
        for folder in (trained.folder, tmp_path / "0", tmp_path / "1")
    )
    assert all(np.array_equal(a, b) for a, b in zip(first, same, strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_temperature_divides_the_logit():
    logit = 1.5
    p = 1 / (1 + np.exp(-logit))
    assert at_temperature(p, 1.0) == p
    assert at_temperature(p, 3.0) == pytest.approx(1 / (1 + np.exp(-logit / 3)))
    assert at_temperature(0.5, 7.0) == 0.5
    assert at_temperature(1.0, 2.0) < 1.0  # a certainty is no longer one
    assert at_temperature(0.0, 2.0) > 0.0


def test_test_speakers_heard_in_training_are_pointed_out(tables, trained, tmp_path):
    shutil.copytree(tables, tmp_path, dirs_exist_ok=True)
    for sex in ("male", "female"):  # the test tables now hold the training voices
        for kind in ("features", "rows"):
            shutil.copy(tables / f"{sex}_{kind}.csv", tmp_path / f"{sex}_test_{kind}.csv")
    with (
        pytest.warns(UserWarning, match="of the test speakers.* are among the training speakers"),
        pytest.warns(UserWarning, match=r"\d+ of the 10 test rows are training rows too"),
    ):
        evaluate(trained.folder / "model.safetensors", tmp_path, "test")


@pytest.mark.parametrize(
    ("stamp", "words"),
    [
        ("[]", "Expected object, got array"),
        ("{", "no JSON that can be read"),
        ('{"recipe": "x"}', "was made with recipe 'x'"),
    ],
)
def test_a_stamp_that_is_none_is_refused_before_training(tables, tmp_path, stamp, words):
    shutil.copytree(tables, tmp_path, dirs_exist_ok=True)
    (tmp_path / "recipe.json").write_text(stamp)
    with pytest.raises(ValueError, match=words):
        train_on_tables(tmp_path, tmp_path / "run", epochs=1)
