"""train --task digits: it learns, never from the test speakers, says the same as Keras, and its file is enough to predict."""

import csv
import json

import numpy as np
import pandas as pd
import pytest

import lstm_engine as le
from experiments.digits import search as digit_search
from experiments.digits import training as digit_training
from experiments.digits.network import DigitRecipe, clip_answers, load_digit_model, padded, slopes, stretched
from experiments.digits.search import search
from experiments.digits.training import Training, scores, train_on_digits
from experiments.promises.kills import contents
from experiments.reports.checkpoints import Checkpoints
from features.digits import Digits, read_digits

SMALL = {"units": 6, "epochs": 4, "batch_size": 16, "learning_rate": 0.02}


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """Made-up clips in the corpus's format: ten paths through three numbers, higher by 2 for men; 8 + 4 speakers,
    20 clips each. Not to be changed.
    """
    folder, rng = tmp_path_factory.mktemp("digits"), np.random.default_rng(0)
    clips, rows = [], []
    for n in range(12 * 20):
        speaker, digit = n // 20, n % 10
        t = np.linspace(0, 1, rng.integers(4, 12))[:, None]  # (T, 1)
        path = np.sin(np.pi * (t * (1 + digit // 4) + np.array([0.0, 0.5, 0.25]) * (1 + digit % 4)))  # (T, 3)
        clips.append(path + 2 * (speaker % 2) + 0.05 * rng.standard_normal(path.shape))
        sex, split = ("female", "male")[speaker % 2], "train" if speaker < 8 else "test"
        rows.append([f"s{speaker:02}", sex, split, digit])
    save(folder, clips, rows)
    return folder


def save(folder, clips, rows):
    offsets = np.cumsum([0, *map(len, clips)])
    np.savez(folder / "sad.npz", frames=np.concatenate(clips).astype("float32"), offsets=offsets)
    with (folder / "metadata.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["speaker", "sex", "split", "digit"], *rows])


@pytest.fixture
def other_test_speakers(corpus, tmp_path):
    """The same training clips beside test clips of nothing but large numbers."""
    clips = read_digits(corpus)
    sequences = [
        x if s == "train" else np.full_like(x, 1e6) for x, s in zip(clips.sequences, clips.splits, strict=True)
    ]
    known = zip(clips.speakers, clips.sexes, clips.splits, clips.digits, strict=True)
    save(tmp_path, sequences, [[name, ("female", "male")[sex], split, digit] for name, sex, split, digit in known])
    return tmp_path


@pytest.fixture(scope="session")
def trained(corpus, tmp_path_factory):
    """(folder, result) of one training on the sexes. Not to be changed."""
    folder = tmp_path_factory.mktemp("sex")
    return folder, train_on_digits(corpus, folder, "sex", **SMALL)


@pytest.fixture
def no_page(monkeypatch):
    """Trainings whose pages nobody reads draw none."""
    monkeypatch.setattr(digit_training, "page_parts", lambda *_: [])


def interval(right_of):
    """The 95 % interval for speakers of alternating sex, four clips each, all of them right (1) or all wrong (0)."""
    right = np.repeat(right_of, 4)  # (N,)
    speakers = np.repeat(np.arange(len(right_of)), 4)
    clips = Digits(
        [np.zeros((1, 1))] * len(right), np.zeros(len(right), int), speakers % 2, speakers, np.array(["test"])
    )
    return scores(clips, "digit", np.eye(10)[1 - right])["interval_95"]  # (N, 10): 0 is right, 1 is wrong


# -- a clip's way into the network


def test_slopes_of_a_straight_line_are_its_slope():
    x = np.arange(10.0)[:, None] * [1.0, -0.5] + 3  # (T, 2)
    np.testing.assert_allclose(slopes(x)[2:-2], np.tile([1.0, -0.5], (6, 1)), rtol=1e-12)
    assert slopes(x[:1]).tolist() == [[0, 0]]


def test_stretching_changes_the_length_and_keeps_to_the_line():
    x = np.arange(11.0)[:, None] * [1.0, -2.0]  # (T, 2)
    for factor, length in ((0.5, 6), (1.0, 11), (1.5, 16)):  # 5.5 and 16.5 round to even
        y = stretched(x, factor)
        np.testing.assert_allclose(y, np.linspace(x[0], x[-1], length), atol=1e-12)
    assert stretched(x[:1], 1.0).tolist() == [[0, 0], [0, 0]]


def test_per_clip_standardisation_takes_offset_and_gain_away(corpus):
    clips = read_digits(corpus)
    x = clips.sequences[0].astype(float)
    per_clip = Training(clips, "digit", DigitRecipe(per_clip=True), 0).prepare
    np.testing.assert_allclose(per_clip(3 * x + 7), per_clip(x), atol=1e-5)  # float32's rounding of numbers near 2
    plain = Training(clips, "digit", DigitRecipe(), 0).prepare
    assert np.abs(plain(3 * x + 7) - plain(x)).max() > 1


def test_the_answers_of_all_steps_meet_as_their_geometric_mean():
    steps = np.array([[0.9, 0.1], [0.8, 0.2]])
    odds = np.sqrt(9 * 4)
    np.testing.assert_allclose(clip_answers([steps, steps[:1]]), [[odds / (1 + odds), 1 / (1 + odds)], [0.9, 0.1]])
    assert clip_answers(steps) is steps


def test_padding_puts_zeros_after_every_end_up_to_a_multiple_of_32():
    x = padded([np.ones((3, 2)), np.ones((33, 2))])
    assert x.shape == (2, 64, 2)
    assert x.sum(axis=(1, 2)).tolist() == [6, 66]
    assert x[0, :3].min() == 1


# -- training


@pytest.mark.parametrize(
    "recipe",
    [DigitRecipe(per_clip=True, deltas=True), DigitRecipe(every_step=True, layers=2, dropout=0.1, stretch=0.2)],
    ids=str,
)
def test_a_recipe_learns_the_digits_of_speakers_it_has_not_heard(corpus, tmp_path, recipe, no_page):
    settings = vars(recipe) | {"units": 8, "epochs": 8, "batch_size": 8, "learning_rate": 0.02}
    result = train_on_digits(corpus, tmp_path, "digit", **settings)
    assert result["accuracy"] > 0.8  # guessing: 0.1


def test_a_run_leaves_its_model_history_scores_settings_and_page(trained):
    folder, result = trained
    assert {p.name for p in folder.iterdir()} == {
        "model.safetensors", "history.csv", "watched.csv", "scores.json", "config.json", "report.html", "surroundings.json"
    }  # fmt: skip
    history = pd.read_csv(folder / "history.csv", index_col="epoch")
    assert list(history) == ["engine_loss", "engine_accuracy"]
    assert list(history.index) == [1, 2, 3, 4]
    assert history["engine_loss"].iloc[-1] < history["engine_loss"].iloc[0]
    config = json.loads((folder / "config.json").read_text())
    assert config["settings"]["recipe"]["units"] == 6
    stored = json.loads((folder / "scores.json").read_text())
    assert stored == {k: v for k, v in result.items() if k not in ("run", "seconds")}
    around = json.loads((folder / "surroundings.json").read_text())
    assert sum(around["seconds"]["engine"]) == result["seconds"]["engine"]
    page = (folder / "report.html").read_text()
    assert f"accuracy {result['accuracy']:.4f} on 80 clips of 4 test speakers" in page
    assert "recognised as male" in page


def test_a_run_that_was_stopped_ends_as_one_that_was_not(trained, corpus, tmp_path, monkeypatch, no_page):
    def stop(self, *_, after=Checkpoints.after_epoch):
        after(self, *_)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "after_epoch", stop)
        with pytest.raises(KeyboardInterrupt, match="1 of 4 epochs are kept"):
            train_on_digits(corpus, tmp_path, "sex", **SMALL, every=1)
    train_on_digits(corpus, tmp_path, "sex", **SMALL)
    mine, whole = contents(tmp_path), contents(trained[0])
    assert mine.keys() == whole.keys()
    assert all(mine[name] == whole[name] for name in mine if name != "report.html")


def test_the_numbers_of_a_result_agree_with_each_other(trained):
    _, result = trained
    confusion = np.array(result["confusion"])
    assert confusion.sum() == result["clips"] == 80
    assert confusion.sum(axis=1).tolist() == [40, 40]  # rows are the truth
    assert np.trace(confusion) / 80 == result["accuracy"] > 0.9  # the sexes lie 2 apart, guessing: 0.5
    assert sorted(result["by_speaker"]) == ["s08", "s09", "s10", "s11"]
    assert np.mean(list(result["by_speaker"].values())) == pytest.approx(result["accuracy"])
    low, high = result["interval_95"]
    assert low <= result["accuracy"] <= high


def test_the_saved_model_says_the_same_from_its_file_alone(trained, corpus):
    folder, result = trained
    model, prepare, labels = load_digit_model(folder / "model.safetensors")
    clips = read_digits(corpus)
    test = clips.take(clips.splits == "test")
    p = clip_answers(model.predict([prepare(x) for x in test.sequences], verbose=0))
    assert labels == ["female", "male"]
    assert scores(test, "sex", p)["confusion"] == result["confusion"]


def test_another_model_is_no_model_of_digits(tmp_path):
    model = le.Sequential([le.LSTM(2), le.Dense(1)])
    model.build((4, 3))
    model.save(tmp_path / "plain.safetensors")
    with pytest.raises(
        ValueError, match="is no model of spoken digits: use one that `lstm-engine train --task digits`"
    ):
        load_digit_model(tmp_path / "plain.safetensors")


def test_the_test_speakers_have_no_say_in_the_model(trained, other_test_speakers, tmp_path, no_page):
    folder, result = trained
    again = train_on_digits(other_test_speakers, tmp_path / "out", "sex", **SMALL)
    models = [load_digit_model(f / "model.safetensors") for f in (folder, tmp_path / "out")]
    for first, second in zip(*(model.get_weights() for model, *_ in models), strict=True):
        np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(models[0][1].scaler.mean, models[1][1].scaler.mean)
    assert again["accuracy"] != result["accuracy"]


def test_recipes_are_chosen_without_the_test_speakers(corpus, other_test_speakers):
    recipe = DigitRecipe(units=4, epochs=2, batch_size=16, learning_rate=0.02)
    (row,) = search(corpus, "sex", [recipe], folds=2)
    (again,) = search(other_test_speakers, "sex", [recipe], folds=2)
    assert row["engine"] == again["engine"]
    assert len(row["engine"]) == 2
    assert row["engine_mean"] == pytest.approx(np.mean(row["engine"]))


@pytest.mark.parametrize(
    "recipe", [DigitRecipe(deltas=True), DigitRecipe(every_step=True, stretch=0.2, weight_decay=0.01)], ids=str
)
def test_keras_goes_the_same_way_from_the_same_weights(corpus, tmp_path, recipe, request):
    """Two epochs without dropout. The sides differ by float32's roundings alone, 6e-8 each, in some 1e3 additions."""
    pytest.importorskip("keras")
    if recipe.every_step:  # one page is enough
        request.getfixturevalue("no_page")
    settings = vars(recipe) | {"units": 4, "epochs": 2, "batch_size": 40, "learning_rate": 0.01}
    result = train_on_digits(corpus, tmp_path, "sex", compare=True, **settings)
    history = pd.read_csv(tmp_path / "history.csv")
    np.testing.assert_allclose(history["engine_loss"], history["reference_loss"], rtol=1e-4)
    if not recipe.every_step:  # there Keras's fit counts the padded steps too
        np.testing.assert_allclose(history["engine_accuracy"], history["reference_accuracy"], atol=0.01)
    assert result["agreement"] >= 79 / 80  # one clip may lie on the border
    assert abs(result["accuracy"] - result["reference"]["accuracy"]) <= 1 / 80
    if not recipe.every_step:
        assert "Keras" in (tmp_path / "report.html").read_text()


# -- scores


def test_a_row_of_the_confusion_is_what_was_said():
    speakers = np.array(["a", "b", "b"])
    clips = Digits([np.zeros((1, 1))] * 3, np.array([3, 3, 7]), np.array([0, 1, 1]), speakers, speakers)
    result = scores(clips, "digit", np.eye(10)[[3, 7, 7]])
    confusion = np.array(result["confusion"])
    assert (confusion[3, 3], confusion[3, 7], confusion[7, 7], confusion.sum()) == (1, 1, 1, 3)
    assert result["by_speaker"] == {"b": 0.5, "a": 1.0}
    assert list(result["by_speaker"]) == ["b", "a"]  # the worst first


def test_the_interval_is_over_speakers_not_clips():
    low, high = interval([1, 1, 0, 0] * 25)
    half = 1.96 * np.sqrt(0.25 / 100)  # of a share of one half among 100 independent speakers
    assert (high - low) / 2 == pytest.approx(half, rel=0.1)  # 2,000 draws: the ends are known to some 5 %
    assert (low + high) / 2 == pytest.approx(0.5, abs=0.02)


def test_all_right_leaves_room_for_an_error_not_seen():
    low, high = interval([1] * 6)
    assert low < high == 1


# -- the command


def test_the_command_tells_the_result_as_words_or_as_json(lstm_engine, corpus, tmp_path, monkeypatch, no_page):
    command = ["train", corpus, "--task", "digits", "--target", "both", "--units", 4, "--epochs", 1, "--out", tmp_path]
    results = json.loads(lstm_engine(*command, "--json").out)
    assert set(results) == {"digit", "sex"}
    assert results["digit"]["recipe"]["units"] == 4
    assert (tmp_path / "sex" / "model.safetensors").exists()
    again = lstm_engine(*command, "--json")
    assert (again.code, json.loads(again.out)) == (0, results)
    assert "nothing to do" in again.err
    monkeypatch.setattr(digit_training, "train_on_digits", lambda *_, **__: results)
    shown = lstm_engine(*command)
    assert shown.code == 0
    assert f"digit: accuracy {results['digit']['accuracy']:.4f}" in shown.out
    assert "sex: accuracy" in shown.out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--task", "digits", "--reading", "steps", "--raw"], "--reading and --scale cannot go with --task digits"),
        (["--compare"], "--compare cannot go with --task voices"),
        (["--task", "words"], "--task must be voices or digits, got 'words'"),
        (["--task", "digits", "--learning-rate", "-1"], "learning_rate must be a number of at least 0, got -1.0"),
        (["--task", "digits", "--target", "age"], "target must be digit, sex or both, got 'age'"),
    ],
)
def test_options_without_a_meaning_are_refused_by_name(lstm_engine, corpus, tmp_path, options, said):
    shown = lstm_engine("train", corpus, "--out", tmp_path / "out", *options)
    assert shown.code == 2
    assert said in shown.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("kept", "said"), [("train", "has no test speakers"), ("male", "has male training speakers")])
def test_a_corpus_without_both_sexes_on_both_sides_is_refused(corpus, tmp_path, kept, said):
    header, *rows = (corpus / "metadata.csv").read_text().splitlines()
    rows = [row for row in rows if f",{kept}," in row]
    (tmp_path / "metadata.csv").write_text("\n".join([header, *rows]))
    np.savez(tmp_path / "sad.npz", frames=np.zeros((len(rows), 3)), offsets=np.arange(len(rows) + 1))
    with pytest.raises(ValueError, match=f"{said}: both sexes are needed on both sides"):
        train_on_digits(tmp_path, tmp_path / "out")


def test_the_search_prints_a_line_a_recipe(corpus, monkeypatch, capsys):
    monkeypatch.setitem(
        digit_search.CANDIDATES, "sex", [DigitRecipe(units=4, epochs=1), DigitRecipe(units=4, epochs=1, deltas=True)]
    )
    monkeypatch.setattr("sys.argv", ["experiments.digits", str(corpus), "--target", "sex", "--folds", "2"])
    digit_search.main()
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["recipe"] for row in rows] == ["units 4, epochs 1", "deltas, units 4, epochs 1"]


def test_the_search_says_what_is_wrong_with_its_data(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["experiments.digits", str(tmp_path)])
    with pytest.raises(SystemExit, match="2"):
        digit_search.main()
    assert "has no sad.npz and no metadata.csv" in capsys.readouterr().err
