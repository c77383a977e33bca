"""study epochs: each point is where a training of that length ends, and a stopped study goes on."""

import json
import re
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from experiments.study.epochs import report
from experiments.study.epochs import study as epochs
from experiments.study.epochs import subjects as epochs_subjects
from experiments.study.epochs.study import study, train
from experiments.tutorial.comparison import EngineSide
from experiments.tutorial.task import batches, read_task, voice_model
from experiments.voices import clip_model
from experiments.voices.clip_model import Settings, logit
from features.clips import read_clips
from features.corpora import tutorial_folders
from features.dataset import LABELS
from features.extraction import extract
from features.recipes import recipe_named
from features.tables import features_path

FRAMES = recipe_named("frames")


@pytest.fixture(scope="session")
def frames(corpus, tmp_path_factory):
    """The clips of that corpus as frames, those of the Test folders among them. Not to be changed."""
    return extract(tutorial_folders(corpus), tmp_path_factory.mktemp("frames"), recipe=FRAMES).out


@pytest.fixture(scope="session")
def made(noise_tables, frames, tmp_path_factory):
    """A whole study: three epochs, two seeds, tables and frames. Not to be changed."""
    folder = tmp_path_factory.mktemp("epochs")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tables have no recipe.json
        study(folder, noise_tables, frames, epochs=3, seeds=2)
    return folder


@pytest.fixture
def invented(monkeypatch):
    """For what does not depend on networks: trainings that answer by chance, alike for a seed."""

    def answers(seed, epochs, after_epoch):
        for epoch in range(1, epochs + 1):
            z = np.random.default_rng([seed, epoch]).normal(size=(2, 12))
            after_epoch(epoch, {part: (np.arange(12) % 2, z_of) for part, z_of in zip(report.PARTS, z, strict=True)})

    monkeypatch.setattr(epochs_subjects, "train_on_tables", lambda task, *arguments: answers(*arguments))
    monkeypatch.setattr(epochs_subjects, "train_on_frames", lambda clips, fold, settings, *rest: answers(*rest))


def rows_of(folder, *index):
    table = pd.read_csv(folder / "epochs.csv", converters=dict.fromkeys(epochs.FIGURES, float))
    return table.set_index(list(index)) if index else table


# -- what is measured --------------------------------------------------------------------------------------------------


def test_scores_of_four_answers():
    result = epochs.scores(np.array([1, 1, 1, 0]), np.log([4.0, 1 / 3, 1.0, 1 / 7]))
    # right: the first and the last; log-odds of 0 are no answer of male. -log(4/5), -log(1/4), -log(1/2), -log(7/8)
    assert result["accuracy"] == 0.5
    assert result["balanced_accuracy"] == pytest.approx((1 / 3 + 1) / 2)
    assert result["loss"] == pytest.approx(-np.log(4 / 5 * 1 / 4 * 1 / 2 * 7 / 8) / 4)


def test_there_is_a_row_for_every_training_epoch_and_part(made):
    table = rows_of(made)
    keys = [
        (what, seed, epoch, part)
        for what in ("112x1", "11x11", "frames")
        for seed in (0, 1)
        for epoch in (1, 2, 3)
        for part in ("train", "held_out")
    ]
    assert list(table[["what", "seed", "epoch", "part"]].itertuples(index=False, name=None)) == keys
    assert np.isfinite(table[["accuracy", "balanced_accuracy", "loss"]]).all(axis=None)


def test_a_point_is_where_a_training_of_that_length_ends(made, noise_tables, frames, tmp_path):
    train(tmp_path, noise_tables, frames, epochs=2, seeds=1)
    longer, shorter = rows_of(made).query("epoch <= 2 and seed == 0"), rows_of(tmp_path)
    pd.testing.assert_frame_equal(longer.reset_index(drop=True), shorter, check_exact=True)


@pytest.mark.parametrize(("reading", "scale"), [("steps", False), ("frames", True)])
def test_tables_are_trained_as_compare_trains_the_engine(reading, scale, noise_tables, monkeypatch):
    monkeypatch.setattr(epochs_subjects, "BATCH_SIZE", 7)  # four batches of the 24 rows
    task, by_epoch = read_task(noise_tables, reading, scale), []
    epochs_subjects.train_on_tables(task, 1, 3, lambda epoch, answers: by_epoch.append(answers))
    data = (task.inputs(task.train), task.train.labels, task.inputs(task.held_out), task.held_out.labels)
    start = voice_model(seed=1)
    start.build(data[0].shape[1:])
    settings = {"units": 64, "learning_rate": 1e-3, "seed": 1, "dtype": "float32"}
    side = EngineSide(settings, data, start.get_weights())
    for order, answers in zip(batches(24, 7, 3, 1), by_epoch, strict=True):
        there = side.epoch(order)
        for part, p, y in (("train", there.p_train, data[1]), ("held_out", there.p_held_out, data[3])):
            labels, z = answers[part]
            np.testing.assert_array_equal(labels, y)
            np.testing.assert_array_equal(z, logit(p))


def test_a_model_that_is_asked_after_every_epoch_learns_the_same(frames):
    clips, settings = read_clips(frames), Settings(epochs=3, units=4)
    asked, _ = clip_model.train(clips, settings, after_epoch=lambda epoch, model: model.log_odds(clips))
    unasked, _ = clip_model.train(clips, settings)
    for a, b in zip(asked.network.get_weights(), unasked.network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


# -- who is held out ---------------------------------------------------------------------------------------------------


def test_frames_hold_every_training_speaker_out_once_in_five_seeds(frames, monkeypatch):
    subject, heard = epochs_subjects.frames_subject(frames), []
    monkeypatch.setattr(clip_model, "train", lambda clips, settings, seed, after_epoch: heard.append(clips))
    for seed in range(5):
        subject.train(seed, 1, lambda epoch, answers: None)
    everyone = read_clips(frames)
    train = set(everyone.speakers[everyone.splits == ""])
    unheard = [train - set(clips.speakers) for clips in heard]
    assert sorted(name for names in unheard for name in names) == sorted(train)
    assert all(len(names) == 2 for names in unheard)  # one of each sex
    assert all(set(clips.speakers) < train for clips in heard)


def test_the_speakers_of_another_split_change_nothing(corpus, frames, tmp_path):
    clips = [clip for clip in tutorial_folders(corpus) if not clip.split]
    alone = extract(clips, tmp_path / "alone", recipe=FRAMES).out
    assert len(read_clips(alone)) < len(read_clips(frames))
    for folder in (alone, frames):
        train(tmp_path / f"study of {folder.name}", frames=folder, epochs=2, seeds=1)
    one, other = (rows_of(tmp_path / f"study of {folder.name}") for folder in (alone, frames))
    pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_clips_of_unknown_speakers_give_a_warning(corpus, tmp_path):
    clips = [replace(clip, speaker=None) for clip in tutorial_folders(corpus)]
    with pytest.warns(UserWarning, match="the speaker of 10 of 10 clips is unknown"):
        subject = epochs_subjects.frames_subject(extract(clips, tmp_path, recipe=FRAMES).out)
    assert "unknown speakers" in subject.held_out


def test_the_same_recording_under_two_names_counts_once(corpus, tmp_path):
    clips = tutorial_folders(corpus)
    men = [clip for clip in clips if clip.sex == "male" and not clip.split]
    twin = replace(men[0], path=tmp_path / "twin.wav", speaker=men[1].speaker)
    twin.path.write_bytes(men[0].path.read_bytes())
    folder = extract([*clips, twin], tmp_path / "out", recipe=FRAMES).out
    with pytest.warns(UserWarning, match=r"the same sound is there before: 1 \(.*twin.wav\)"):
        epochs_subjects.frames_subject(folder)


# -- going on ----------------------------------------------------------------------------------------------------------


class Stop(KeyboardInterrupt):
    """Ctrl-C."""


def stop_after(trainings, epochs):
    """A stage that stops the study in the epoch after so many trainings of so many epochs."""
    updates = []

    def stage(title):
        def update(done, total):
            updates.append(done)
            if len(updates) > trainings * (epochs + 1):  # one for each epoch, and one at the end of a training
                raise Stop

        return update

    return stage


def test_a_stopped_study_goes_on_and_ends_the_same(invented, noise_tables, frames, tmp_path, monkeypatch):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    study(whole, noise_tables, frames, epochs=3, seeds=2)
    with pytest.raises(Stop):
        train(stopped, noise_tables, frames, epochs=3, seeds=2, stage=stop_after(3, 3))
    assert len(rows_of(stopped)) == 3 * 3 * 2
    lines, trained, training = [], [], epochs._training
    monkeypatch.setattr(epochs, "_training", lambda *a: trained.append((a[0].name, a[1])) or training(*a))
    study(stopped, noise_tables, frames, epochs=3, seeds=2, say=lines.append)
    assert lines == ["continuing: 3 of 6 trainings are done"]
    assert trained == [("11x11", 1), ("frames", 0), ("frames", 1)]
    for name in ("epochs.csv", "epochs.json"):
        assert (stopped / name).read_bytes() == (whole / name).read_bytes()


def test_more_seeds_are_added_to_a_study(invented, noise_tables, frames, tmp_path):
    train(tmp_path, noise_tables, frames, epochs=3, seeds=1)
    first = rows_of(tmp_path)
    _, table, *_ = train(tmp_path, noise_tables, frames, epochs=3, seeds=2)
    assert set(table["seed"]) == {0, 1}
    both = (tmp_path / "epochs.csv").read_bytes()
    pd.testing.assert_frame_equal(rows_of(tmp_path).query("seed == 0").reset_index(drop=True), first, check_exact=True)
    _, table, *_ = train(tmp_path, noise_tables, frames, epochs=3, seeds=1)
    assert set(table["seed"]) == {0}  # only what the call names is reported
    assert (tmp_path / "epochs.csv").read_bytes() == both


@pytest.mark.parametrize("change", ["epochs", "data", "subjects", "version"])
def test_rows_of_another_study_are_not_gone_on_with(change, invented, noise_tables, frames, tmp_path, monkeypatch):
    out, options = tmp_path / "out", {"tables": tmp_path / "tables", "epochs": 2, "seeds": 1}
    options["tables"].mkdir()
    for sex in LABELS:
        for path in noise_tables.glob(f"{sex}_*"):
            (options["tables"] / path.name).write_bytes(path.read_bytes())
    train(out, **options)
    if change == "epochs":
        options["epochs"], words = 3, "epochs 2 and 3"
    elif change == "data":
        path = features_path(options["tables"], "male")
        path.write_text(path.read_text().replace("0.1", "0.2", 1))
        words = "made_from 112x1 data [0-9a-f]+ and [0-9a-f]+; made_from 11x11 data "
    elif change == "subjects":
        options["frames"], words = frames, r"made_from frames None and \{\.\.\.\}"
    else:
        there = json.loads((out / "config.json").read_text())
        there["versions"]["numba"] = "0.1"
        (out / "config.json").write_text(json.dumps(there))
        words = "numba 0.1 and"
    before = (out / "epochs.csv").read_bytes()
    with pytest.raises(FileExistsError, match=f"made differently \\(there and now: {words}.*--force"):
        train(out, **options)
    assert (out / "epochs.csv").read_bytes() == before


def test_a_forced_study_that_is_stopped_leaves_no_rows_of_the_one_before(invented, noise_tables, tmp_path):
    train(tmp_path, noise_tables, epochs=2, seeds=1)
    with pytest.raises(Stop):
        train(tmp_path, noise_tables, epochs=3, seeds=1, force=True, stage=stop_after(0, 3))
    lines = []
    train(tmp_path, noise_tables, epochs=3, seeds=1, say=lines.append)
    assert lines == []
    assert rows_of(tmp_path)["epoch"].max() == 3


def test_a_folder_with_something_else_in_it_is_left_alone(noise_tables, tmp_path):
    (tmp_path / "config.json").write_text('{"command": "train"}')
    with pytest.raises(FileExistsError, match="is not empty"):
        train(tmp_path, noise_tables)
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_frames_by_another_recipe_are_refused(corpus, tmp_path):
    tables = extract(tutorial_folders(corpus), tmp_path / "tables").out
    with pytest.raises(
        ValueError, match="was measured by the recipe tutorial: --frames needs one by the recipe frames"
    ):
        train(tmp_path / "out", frames=tables)
    assert not (tmp_path / "out").exists()


# -- what a person sees ------------------------------------------------------------------------------------------------


def test_the_page_has_the_answer_the_picture_and_the_warning_of_choosing(made):
    page, result = (made / "report.html").read_text(), json.loads((made / "epochs.json").read_text())
    assert result["words"] in page
    assert "data:image/svg+xml;base64" in page
    assert "would be chosen on those speakers" in page
    for title in ("(N, 112, 1) raw", "(N, 11, 11) standardised", "frames (not augmented)"):
        assert f"<h2>{title}</h2>" in page


def test_the_command_shows_the_table_and_goes_on(invented, lstm_engine, noise_tables, tmp_path):
    command = ["study", "epochs", "--tables", noise_tables, "--epochs", 2, "--seeds", 1, "--out", tmp_path]
    shown = lstm_engine(*command)
    assert shown.code == 0
    assert re.search(r"\(N, 112, 1\) raw: 2 +[01]\.\d{3} +[01]\.\d{3}", shown.out)
    assert f"Report: {tmp_path / 'report.html'}" in shown.out
    again = lstm_engine(*command, "--json")
    assert json.loads(again.out) == json.loads((tmp_path / "epochs.json").read_text())
    assert "continuing: 2 of 2 trainings are done" in again.err


def test_the_command_that_is_stopped_says_that_it_can_go_on(lstm_engine, noise_tables, tmp_path, monkeypatch):
    def stop(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(epochs, "_training", stop)
    stopped = lstm_engine("study", "epochs", "--tables", noise_tables, "--out", tmp_path)
    assert stopped.code == 130
    assert "finished trainings are kept, and the same command continues" in " ".join(stopped.err.split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("", "error: name what to study: --tables FOLDER for the tutorial's tables, --frames FOLDER"),
        ("--tables {tmp} --epochs 1", "error: epochs must be at least 2, because one point is not a curve, got 1"),
        ("--tables {tmp}/none", "none/male_features.csv does not exist: make it with"),
        ("--frames {tmp}", "has no manifest.jsonl: make one with"),
    ],
)
def test_what_cannot_be_studied_is_said_in_a_line(lstm_engine, tmp_path, arguments, words):
    outcome = lstm_engine("study", "epochs", *(a.format(tmp=tmp_path) for a in arguments.split()))
    assert outcome.code == 2
    assert words in outcome.err.replace("\\", "/")
