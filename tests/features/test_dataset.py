import json
from dataclasses import replace

import numpy as np
import pytest

from features.corpora import Utterance
from features.dataset import (
    Scaler,
    Voices,
    read_voices,
    shuffled,
    speaker_folds,
    split_by_speaker,
    train_and_held_out,
)
from features.tables import write_features, write_rows


def voices(speakers, labels, splits=None):
    """Voices whose pitch column is their row number."""
    n = len(labels)
    features = np.zeros((n, 112))
    features[:, 1] = np.arange(n)
    text = lambda cells: np.array(cells, object)  # noqa: E731
    return Voices(features, np.array(labels), text(speakers), text(splits or [""] * n), text([""] * n), np.zeros(n))


TEN_EACH = voices([f"{sex}{k // 3}" for sex in "mf" for k in range(30)], [1] * 30 + [0] * 30)


def numbers(v):
    return set(v.features[:, 1])


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for sex, n in (("male", 3), ("female", 2)):
        write_features(tmp_path / f"{sex}_features.csv", rng.normal(size=(n, 111)), sex)
        origins = [
            Utterance(tmp_path.relative_to(tmp_path.parent) / f"{k}.wav", f"00{k}", sex, "train", k * 1.0)
            for k in range(n)
        ]
        write_rows(tmp_path / f"{sex}_rows.csv", origins)
    return tmp_path


def test_voices_are_the_male_rows_and_then_the_female_ones(folder):
    read = read_voices(folder)
    assert len(read) == 5
    assert read.features.shape == (5, 112)
    assert read.labels.tolist() == [1, 1, 1, 0, 0]
    assert read.speakers.tolist() == ["000", "001", "002", "000", "001"]
    assert read.splits.tolist() == ["train"] * 5
    assert read.starts.tolist() == [0, 1, 2, 0, 1]
    assert read.paths[1].endswith("/1.wav")


def test_without_a_table_of_origins_the_speakers_are_unknown(folder):
    (folder / "male_rows.csv").unlink()
    read = read_voices(folder)
    assert read.speakers.tolist() == [None, None, None, "000", "001"]
    assert read.splits.tolist() == ["", "", "", "train", "train"]
    assert read.paths[0] == ""


def test_test_tables_are_read_only_when_asked(folder):
    with pytest.raises(FileNotFoundError, match=r"male_test_features\.csv does not exist: .*lstm-engine features"):
        read_voices(folder, test=True)


def test_a_row_counts_once_and_has_one_sex(folder):
    rng = np.random.default_rng(1)
    same, twice = rng.normal(size=(2, 111))
    for sex, rows in (("male", [same, twice, twice]), ("female", [same, rng.normal(size=111)])):
        write_features(folder / f"{sex}_features.csv", rows, sex)
    with pytest.warns(UserWarning, match="the same sound") as notes:
        read = read_voices(folder)
    assert read.labels.tolist() == [1, 0]
    assert [note.message.count for note in notes] == [2, 1]
    write_features(folder / "female_features.csv", [same, twice], "female")
    with (
        pytest.warns(UserWarning, match="labelled male and female"),
        pytest.raises(ValueError, match=r"no male row of .* is left"),
    ):
        read_voices(folder)


def test_frames_are_no_tables(folder):
    (folder / "female_features.csv").rename(folder / "manifest.jsonl")
    with pytest.raises(FileNotFoundError, match=r"holds frames .*, not tables: there is no female_feat.*features REC"):
        read_voices(folder)


def test_shuffling_keeps_rows_together_and_depends_on_the_seed_alone():
    once, again, other = shuffled(TEN_EACH, 1), shuffled(TEN_EACH, 1), shuffled(TEN_EACH, 2)
    np.testing.assert_array_equal(once.features, again.features)
    assert not np.array_equal(once.features, other.features)
    assert numbers(once) == numbers(TEN_EACH)
    before = {
        x: (label, s) for x, label, s in zip(TEN_EACH.features[:, 1], TEN_EACH.labels, TEN_EACH.speakers, strict=True)
    }
    for x, label, speaker in zip(once.features[:, 1], once.labels, once.speakers, strict=True):
        assert before[x] == (label, speaker)


@pytest.mark.parametrize("seed", range(5))
def test_no_speaker_is_on_both_sides_and_each_sex_gives_its_share(seed):
    train, held_out = split_by_speaker(TEN_EACH, 0.2, seed)
    assert set(train.speakers).isdisjoint(held_out.speakers)
    assert numbers(train) | numbers(held_out) == numbers(TEN_EACH)
    assert len(train) + len(held_out) == 60
    assert [len({s for s in held_out.speakers if s.startswith(sex)}) for sex in "mf"] == [2, 2]


def test_a_split_is_drawn_from_its_seed():
    chosen = [frozenset(split_by_speaker(TEN_EACH, 0.2, seed)[1].speakers) for seed in (0, 0, 1, 2, 3)]
    assert chosen[0] == chosen[1]
    assert len(set(chosen)) > 1


def test_a_name_in_both_classes_is_kept_on_one_side():
    both = voices([f"{k}" for k in range(10)] * 2, [1] * 10 + [0] * 10)
    train, held_out = split_by_speaker(both, 0.3, 0)
    assert set(train.speakers).isdisjoint(held_out.speakers)
    assert len(set(held_out.speakers)) == 3


def test_unknown_speakers_are_split_by_row_with_a_warning():
    unknown = voices([None] * 20, [1] * 10 + [0] * 10)
    with pytest.warns(UserWarning, match="20 of 20 rows is unknown.*same person"):
        train, held_out = split_by_speaker(unknown, 0.2, 0)
    assert (len(train), len(held_out), held_out.labels.sum()) == (16, 4, 2)


def test_windows_of_one_recording_stay_together_though_nobody_knows_who_speaks():
    cut = replace(
        voices([None] * 20, [1] * 10 + [0] * 10), paths=np.array([f"{n // 2}.wav" for n in range(20)], object)
    )
    with pytest.warns(UserWarning, match="unknown"):
        train, held_out = split_by_speaker(cut, 0.4, 0)
    assert set(train.paths).isdisjoint(held_out.paths)


def test_known_speakers_are_split_without_a_warning(recwarn):
    split_by_speaker(TEN_EACH, 0.2, 0)
    assert not recwarn.list


@pytest.mark.parametrize("fraction", [0.0, 1.0, -1, 20])
def test_a_fraction_outside_0_to_1_is_refused(fraction):
    with pytest.raises(ValueError, match="fraction"):
        split_by_speaker(TEN_EACH, fraction, 0)


def test_a_sex_with_one_speaker_cannot_be_split():
    with pytest.raises(ValueError, match=r"held-out part has no female.*two speakers of each sex"):
        split_by_speaker(voices(["a", "b", "c"], [1, 1, 0]), 0.5, 0)


def test_the_published_split_is_taken_where_there_is_one():
    published = voices(list("aabbcd"), [1, 0, 1, 0, 1, 0], ["train", "train", "dev", "dev", "train", "dev"])
    train, held_out = train_and_held_out(published)
    assert (numbers(train), numbers(held_out)) == ({0, 1, 4}, {2, 3, 5})


@pytest.mark.parametrize("name", ["", "train"])
def test_where_nothing_is_published_the_speakers_are_split(name):
    unpublished = replace(TEN_EACH, splits=np.array([name] * 60, object))
    for ours, expected in zip(train_and_held_out(unpublished, 0.2, 3), split_by_speaker(TEN_EACH, 0.2, 3), strict=True):
        np.testing.assert_array_equal(ours.features, expected.features)


@pytest.mark.parametrize(
    ("splits", "says"),
    [
        (["train", "dev", "dev", "train"], "speaker 'b' in train and outside"),
        (["train", "train", "", "dev"], "expected train and dev on every row"),
        (["fold1", "fold1", "fold2", "fold2"], "expected train and dev"),
    ],
)
def test_a_published_split_that_leaks_or_is_half_filled_is_refused(splits, says):
    with pytest.raises(ValueError, match=says):
        train_and_held_out(voices(["a", "b", "c", "b"], [1, 0, 1, 0], splits))


def test_the_published_tables_split_as_published(shared_data):
    train, held_out = train_and_held_out(read_voices(shared_data / "tutorial_csv"))
    assert (len(train), len(set(train.speakers))) == (438, 201)
    assert len(set(held_out.speakers)) == 50
    assert set(train.speakers).isdisjoint(held_out.speakers)


def test_scaling_gives_mean_0_and_spread_1_to_the_rows_it_was_fitted_on():
    x = np.random.default_rng(0).normal(5, 3, size=(100, 7))
    scaled = Scaler.fit(x)(x)
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-14)
    np.testing.assert_allclose(scaled.std(axis=0), 1, rtol=1e-14)


def test_scaling_does_not_look_at_other_rows():
    x = np.random.default_rng(0).normal(size=(50, 3))
    np.testing.assert_allclose(
        Scaler.fit(x)(x + 1e6) - Scaler.fit(x)(x), 1e6 / x.std(axis=0) * np.ones((50, 1)), rtol=1e-9
    )


def test_a_column_without_spread_becomes_0_everywhere():
    train = np.full((7, 2), 0.1)  # 0.1 is no binary fraction: its standard deviation rounds to 1e-17, not to 0
    train[:, 1] = np.arange(7)
    scaler = Scaler.fit(train)
    np.testing.assert_array_equal(scaler(np.array([[0.1, 3.0], [9.0, 3.0]])), 0.0)


def test_a_scaler_survives_json():
    x = np.random.default_rng(0).normal(size=(20, 4))
    scaler = Scaler.fit(x)
    stored = json.loads(json.dumps({"mean": scaler.mean.tolist(), "scale": scaler.scale.tolist()}))
    np.testing.assert_array_equal(Scaler(np.array(stored["mean"]), np.array(stored["scale"]))(x), scaler(x))


def test_a_speaker_is_in_one_fold_and_each_sex_is_spread_evenly():
    fold = speaker_folds(TEN_EACH.labels, TEN_EACH.speakers, 5, seed=0)
    assert set(fold) == set(range(5))
    assert all(len(set(fold[TEN_EACH.speakers == s])) == 1 for s in TEN_EACH.speakers)
    assert [int((fold[TEN_EACH.labels == label] == k).sum()) for label in (0, 1) for k in range(5)] == [6] * 10


def test_folds_are_drawn_from_the_seed_and_not_from_the_order_of_the_rows():
    fold = speaker_folds(TEN_EACH.labels, TEN_EACH.speakers, 5, seed=3)
    order = np.random.default_rng(0).permutation(60)
    assert speaker_folds(TEN_EACH.labels[order], TEN_EACH.speakers[order], 5, seed=3).tolist() == fold[order].tolist()
    assert speaker_folds(TEN_EACH.labels, TEN_EACH.speakers, 5, seed=4).tolist() != fold.tolist()


def test_folds_take_a_row_of_an_unknown_speaker_for_one():
    fold = speaker_folds(np.array([1, 1, 0, 0]), np.array([None] * 4, object), 2, seed=0)
    assert sorted(fold[:2]) == sorted(fold[2:]) == [0, 1]


def test_too_few_speakers_for_the_folds_are_counted():
    speakers = np.array(["a", "a", *"bcdefghij"], object)
    with pytest.raises(ValueError, match="5 folds need as many male speakers; there are 1"):
        speaker_folds(np.array([1, 1] + [0] * 9), speakers, 5, seed=0)
