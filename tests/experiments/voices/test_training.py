"""`train` on frames: who is learnt from, who is held out, and what is left on disk."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from experiments.promises.kills import contents
from experiments.reports.checkpoints import Checkpoints
from experiments.voices import clip_model, training
from experiments.voices.training import fits, sides, train
from features import corpora
from features.clips import read_clips, read_variants, variant_folder
from features.extraction import extract
from features.leaks import Leak, refuse_known
from features.recipes import recipe_named
from features.synth import write_corpus

QUICK = {"epochs": 3, "units": 4}


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A folder of frames of 14 synthetic speakers, with two variants."""
    folder = tmp_path_factory.mktemp("frames")
    write_corpus(folder / "corpus", speakers=7, test_speakers=0, clips=1, seconds=1.0, seed=1)
    clips = corpora.tutorial_folders(folder / "corpus")
    for k in range(3):
        extract(clips, variant_folder(folder / "clips", k), recipe=recipe_named("frames", variant=k))
    return folder / "clips"


@pytest.fixture(scope="module")
def run(measured, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "mine"
    return train(measured, out, **QUICK), out


def test_a_run_leaves_all_that_its_model_needs(run, measured):
    result, out = run
    names = {"model.safetensors", "history.csv", "config.json", "curves.png", "result.json", "clips.csv", "errors.csv"}
    assert names | {"report.html", "watched.csv", "surroundings.json"} == {path.name for path in out.iterdir()}
    assert len(pd.read_csv(out / "history.csv")) == QUICK["epochs"]
    assert json.loads((out / "config.json").read_text())["settings"]["variants"] == 2
    model = clip_model.load(out / "model.safetensors")
    stored, clips = model.network.metadata, read_clips(measured)
    assert stored["temperature"] == result["temperature"]
    assert np.isfinite(model.log_odds(clips)).all()
    learnt, held_out = sides(clips, 0)
    with pytest.raises(Leak):
        refuse_known(clips.take(learnt), measured.name, stored["trained_on"])
    refuse_known(clips.take(held_out), measured.name, stored["trained_on"])  # nobody of these was learnt from


@pytest.mark.usefixtures("undrawn")
def test_a_run_that_was_stopped_in_the_last_of_its_trainings_ends_as_one_that_was_not(
    run, measured, tmp_path, monkeypatch
):
    def stop(self, *_, after=Checkpoints.after_epoch):
        after(self, *_)
        if self.run.kept == 17:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "after_epoch", stop)
        with pytest.raises(KeyboardInterrupt, match="17 of 18 epochs of the 6 trainings are kept"):
            train(measured, tmp_path / "mine", **QUICK, every=1)
    result, out = run
    assert train(measured, tmp_path / "mine", **QUICK) == result | {"run": str(tmp_path / "mine")}
    drawn = ("report.html", "curves.png")  # not here
    mine, whole = contents(tmp_path / "mine"), contents(out)
    assert mine.keys() == whole.keys()
    assert all(mine[name] == whole[name] for name in mine if name not in drawn)
    assert train(measured, tmp_path / "mine", **QUICK) == json.loads(json.dumps(result)) | {
        "run": str(tmp_path / "mine")
    }


@pytest.mark.usefixtures("undrawn")
def test_the_temperature_comes_from_training_speakers_whom_the_answering_network_had_not_heard(
    measured, tmp_path, monkeypatch
):
    seen = {}
    monkeypatch.setattr(training, "fit_temperature", lambda z, y: seen.update(y=y, z=z) or 1.5)
    heard = []
    train_clips = training.clip_model.train
    monkeypatch.setattr(
        training.clip_model,
        "train",
        lambda clips, *rest, **more: heard.append(set(clips.speakers)) or train_clips(clips, *rest, **more),
    )
    told = []
    result = train(measured, tmp_path / "run", progress=lambda done, total: told.append((done, total)), **QUICK)
    clips = read_clips(measured)
    learnt, _ = sides(clips, 0)
    assert result["temperature"] == 1.5
    assert seen["y"].tolist() == clips.labels[learnt].tolist()
    *folds, last = heard
    assert last == set(clips.speakers[learnt])
    assert len(folds) == 5
    assert all(own < last for own in folds)
    assert set.intersection(*folds) == set()  # everyone was left out by one
    assert told[-1] == (6 * QUICK["epochs"],) * 2
    assert told == sorted(told)


def test_the_held_out_are_whole_speakers_of_both_sexes(measured):
    clips = read_clips(measured)
    learnt, held_out = sides(clips, 0)
    assert (learnt ^ held_out).all()
    assert not set(clips.speakers[learnt]) & set(clips.speakers[held_out])
    assert set(clips.labels[held_out]) == {0, 1}


@pytest.mark.parametrize(
    ("splits", "learnt", "held_out"),
    [
        (["train", "dev"], "train", "dev"),
        (["", "test"], "", "test"),
        (["train", "dev", "test"], "train", "dev"),  # the test is for evaluate
    ],
)
def test_a_split_is_kept_as_the_corpus_has_it(measured, splits, learnt, held_out):
    clips = read_clips(measured)
    clips = replace(clips, splits=np.resize(splits, len(clips)))
    here, there = sides(clips, 0)
    assert set(clips.splits[here]) == {learnt}
    assert set(clips.splits[there]) == {held_out}


@pytest.mark.parametrize("splits", [["", "train"], ["dev", "test"], ["", "dev"]])
def test_a_split_that_says_half_is_refused(measured, splits):
    clips = read_clips(measured)
    with pytest.raises(ValueError, match="expected train and dev for every clip"):
        sides(replace(clips, splits=np.resize(splits, len(clips))), 0)


def test_variants_have_the_same_rows_and_other_numbers(measured):
    clips, *changed = read_variants(measured)
    assert len(changed) == 2
    for other in changed:
        assert other.paths.tolist() == clips.paths.tolist()
        assert all(
            (a.shape != b.shape) or (a != b).any() for a, b in zip(clips.sequences, other.sequences, strict=True)
        )


def test_a_clip_that_fails_in_one_variant_is_left_out_of_all(measured, tmp_path):
    folder = shutil.copytree(measured, tmp_path / "clips")
    shutil.rmtree(variant_folder(folder, 2))
    corpus = shutil.copytree(measured.parent / "corpus", tmp_path / "corpus")
    clips = corpora.tutorial_folders(corpus)
    clips[0].path.write_bytes(b"damaged since")
    extract(clips, variant_folder(folder, 2), recipe=recipe_named("frames", variant=2))
    with pytest.warns(UserWarning, match="1 of 14 clips could not be measured in every variant"):
        assert [len(v) for v in read_variants(folder)] == [len(clips) - 1] * 3


@pytest.mark.parametrize(
    ("left_out", "options", "said"),
    [
        (1, {"variant": 2}, "another list of clips"),
        (0, {"variant": 2, "deltas": True}, "parameter deltas False and True"),
    ],
)
def test_variants_of_other_clips_or_of_another_recipe_are_refused(measured, tmp_path, left_out, options, said):
    folder = shutil.copytree(measured, tmp_path / "clips")
    shutil.rmtree(variant_folder(folder, 2))
    clips = corpora.tutorial_folders(measured.parent / "corpus")
    extract(clips[left_out:], variant_folder(folder, 2), recipe=recipe_named("frames", **options))
    with pytest.raises(ValueError, match=said):
        train(folder, tmp_path / "run", **QUICK)


def test_windows_of_a_recording_by_an_unknown_speaker_stay_on_one_side(measured):
    clips = read_clips(measured)
    clips = replace(clips, speakers=np.full(len(clips), None, object), paths=np.repeat(clips.paths[::2], 2))
    clips = replace(clips, labels=np.repeat(clips.labels[::2], 2))
    with pytest.warns(UserWarning, match="the speaker of 14 of 14 clips is unknown"):
        learnt, held_out = sides(clips, 0)
    assert not set(clips.paths[learnt]) & set(clips.paths[held_out])


@pytest.mark.parametrize(("a_sex", "enough"), [(2, False), (3, True)])
def test_three_speakers_of_each_sex_are_the_least(measured, a_sex, enough):
    clips = read_clips(measured)
    few = clips.take(np.concatenate([np.flatnonzero(clips.labels == k)[:a_sex] for k in (0, 1)]))
    if enough:
        learnt, _ = sides(few, 0)
        assert learnt.sum() == 4
        return
    with pytest.raises(ValueError, match=r"the speakers are \d male and \d female"):
        sides(few, 0)


def test_tables_are_not_taken_for_frames(measured, tmp_path):
    assert fits(measured)
    assert not fits(tmp_path)
