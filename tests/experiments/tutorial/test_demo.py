"""The demo, once and tiny: everything that it promises lies in its folder, and its page holds the numbers."""

import json
import re

import numpy as np
import pandas as pd
import pytest

import lstm_engine as le
from experiments.tutorial.demo import demo
from experiments.tutorial.training import evaluate, load_voice_model
from features.tables import read_features

pytest.importorskip("keras")
pytestmark = pytest.mark.slow  # four processes with Keras in two of them; .ci/run makes a demo too

READINGS = {"frames": (11, 11), "steps": (112, 1)}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The demo's folder, its result, and the stages that it told of with the last progress of each."""
    folder, stages = tmp_path_factory.mktemp("demo") / "run", {}

    def stage(title):
        return lambda done, total: stages.update({title: (done, total)})

    result = demo(folder, speakers=4, test_speakers=2, clips=1, epochs=2, jobs=1, stage=stage)
    return folder, result, stages


def test_every_file_is_there(made):
    folder, _, _ = made
    names = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and p.suffix != ".wav"}
    tables = {
        f"{sex}{test}_{what}.csv"
        for sex in ("male", "female")
        for test in ("", "_test")
        for what in ("features", "rows")
    }
    of_reading = {
        name.format(reading)
        for reading in READINGS
        for name in (
            "model_{}.safetensors",
            "comparison_{}.json",
            "epochs_{}.csv",
            "{}_curves.png",
            "{}_differences.png",
        )
    }
    expected = {"report.html", "config.json", "pitch.png", "voices/SYNTHETIC.txt", "features/SYNTHETIC.txt"}
    assert names >= expected | of_reading | {f"features/{name}" for name in {*tables, "recipe.json"}}
    assert all(path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" for path in folder.glob("*.png"))
    assert len(list((folder / "voices").rglob("*.wav"))) == 12
    assert not [name for name in names if name.split("/")[-1].startswith(".")], "temporary files"


def test_its_tables_are_the_tutorial_s(made):
    folder, _, _ = made
    for sex in ("male", "female"):
        for name, rows in ((f"{sex}_features.csv", 4), (f"{sex}_test_features.csv", 2)):
            header = (folder / "features" / name).read_text().splitlines()[0].split(",")
            assert header == ["", "pitch", *(f"mfcc{k}" for k in range(1, 111)), "label"]
            assert read_features(folder / "features" / name, sex).shape == (rows, 112)


@pytest.mark.parametrize("reading", READINGS)
def test_the_two_sides_were_trained_and_agree(made, reading):
    folder, result, _ = made
    comparison = json.loads((folder / f"comparison_{reading}.json").read_text())
    assert [row["epoch"] for row in comparison["rows"]] == [1, 2]
    assert comparison["agreement"] == result["readings"][reading]["agreement"] == {"train": 1.0, "held_out": 1.0}
    epochs = pd.read_csv(folder / f"epochs_{reading}.csv", index_col="epoch")
    assert np.isfinite(epochs.to_numpy()).all()
    np.testing.assert_allclose(epochs["engine_loss"], epochs["reference_loss"], rtol=1e-4)  # float32


@pytest.mark.parametrize(("reading", "shape"), READINGS.items())
def test_its_models_predict_and_give_the_figures_again(made, reading, shape):
    folder, result, _ = made
    model = load_voice_model(folder / f"model_{reading}.safetensors")
    assert model.input_shape == shape
    assert model.metadata["synthetic"] is True
    assert (model.metadata["scaler"] is not None) == (reading == "frames")
    told = result["readings"][reading]["test"]
    again = evaluate(folder / f"model_{reading}.safetensors", folder / "features", "test")
    assert again["clips"] == 4
    assert again["balanced_accuracy"] == told["balanced_accuracy"]
    assert again["loss"] == pytest.approx(told["loss"], rel=1e-5)


def test_the_page_holds_the_numbers_and_the_pictures(made):
    folder, result, _ = made
    page = (folder / "report.html").read_text()
    assert page.count('src="data:image/svg+xml;base64,') == 7
    assert f"reaches a balanced accuracy of {result['pitch_baseline_held_out']:.3f}" in page
    for r in result["readings"].values():
        low, high = r["test"]["interval_95"]
        assert f"balanced accuracy {r['test']['balanced_accuracy']:.3f} (95 % interval {low:.3f} to {high:.3f})" in page
        assert f"<td>{r['final']['engine']['train']:.3f}</td>" in page
        assert r["reference"] in page
    assert len(re.findall(r"same answer for 100\.0% of the held-out clips", page)) == 2


def test_the_page_says_that_the_voices_are_synthetic(made):
    folder, result, _ = made
    assert result["synthetic"] is True
    page = (folder / "report.html").read_text()
    assert page.index("These voices are synthetic") < page.index("balanced accuracy")


def test_the_page_needs_nothing_from_elsewhere(made):
    page = (made[0] / "report.html").read_text()
    assert not re.findall(r"""(?:src|href)\s*=\s*(?!"data:)""", page)
    assert not re.findall(r"<link|<script|@import|url\(", page)


def test_every_stage_comes_to_its_end(made):
    _, _, stages = made
    assert len(stages) == 4
    assert all(done == total > 0 for done, total in stages.values()), stages


def test_settings_are_kept_and_the_result_is_json(made):
    folder, result, _ = made
    settings = json.loads((folder / "config.json").read_text())["settings"]
    assert settings == {"speakers": 4, "test_speakers": 2, "clips": 1, "epochs": 2, "seed": 0}
    assert json.loads(json.dumps(result)) == result
    assert result["clips"] == 12


def test_a_second_demo_does_not_touch_the_first(made):
    with pytest.raises(FileExistsError, match="--force"):
        demo(made[0], jobs=1)


def test_the_command_shows_both_readings(made, lstm_engine, monkeypatch):
    folder, result, _ = made
    monkeypatch.setattr("experiments.tutorial.demo.demo", lambda *_: result)
    shown = lstm_engine("demo", "--out", folder)
    assert shown.code == 0
    for r in result["readings"].values():
        assert f"{r['final']['engine']['train']:.3f}" in shown.out
    assert "unseen test speakers (4 clips, speakers: 4)" in shown.out
    assert "Synthetic voices" in shown.out
    assert str(folder / "report.html") in shown.out
    assert json.loads(lstm_engine("demo", "--out", folder, "--json").out) == result


def test_its_weights_are_finite(made):
    for reading in READINGS:
        model = le.load(made[0] / f"model_{reading}.safetensors")
        assert all(np.isfinite(w).all() and np.ptp(w) > 0 for w in model.get_weights() if w.size > 1)
