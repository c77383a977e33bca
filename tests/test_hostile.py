"""A few hostile files of each kind of `python -m tests.hostile`: refused in words that name the file."""

import os
from itertools import groupby

import pytest

import lstm_engine as le
from tests.hostile import keras_files, models, tables
from tests.hostile.opening import READERS

LARGE = ("MB", "GB", "0,000", "million", "1,000", "thousand", "deep")  # for the command alone
EVERY = 6  # one in so many
CASES = [
    case
    for module in (models, keras_files, tables)
    for case in module.cases()
    if case.reader not in ("command", "predict")
]
KINDS = {kind: list(of_kind)[::EVERY] for kind, of_kind in groupby(CASES, lambda case: case.kind)}


@pytest.mark.parametrize("kind", KINDS)
def test_a_hostile_file_is_refused_in_words_that_name_it(tmp_path, kind):
    for n, case in enumerate(case for case in KINDS[kind] if not any(word in case.name for word in LARGE)):
        (folder := tmp_path / str(n)).mkdir()
        words = case.make(folder)
        with pytest.raises(ValueError, match=r"\w") as refused:
            READERS[case.reader](words)
        assert any(name in str(refused.value) for name in (str(folder), *os.listdir(folder))), case.name
        assert len(str(refused.value)) < 3000, case.name


@pytest.mark.parametrize(
    ("units", "words"), [(5000, "more than the file has numbers for"), (5, r"has shape.*the model needs")]
)
def test_a_model_that_declares_more_than_its_file_holds_is_refused_before_it_is_built(tmp_path, units, words):
    path = models.written(models.network, models.at("layers", 0, "config", "units", value=units))(tmp_path)
    with pytest.raises(ValueError, match=words):
        le.load(path)


@pytest.mark.parametrize("harm", ["a flipped bit in a weight", "a changed letter in the header"])
def test_a_damaged_file_is_told_by_its_checksum(tmp_path, harm):
    with pytest.raises(ValueError, match="checksum differs"):
        le.load(models.raw(models.RAW[harm])(tmp_path))


def test_a_file_of_before_the_checksum_is_read(tmp_path):
    path = models.written(models.network, lambda architecture, arrays, header: None)(tmp_path)
    assert "checksum" in models.network()[0]
    le.load(path)


@pytest.mark.parametrize(("place", "value"), models.VOICE[::5])
def test_a_tutorial_s_model_that_cannot_answer_is_refused_by_the_field(tmp_path, place, value):
    from experiments.tutorial.training import check_recipe, load_voice_model

    path = models.written(models.tutorial, models.said(*place, value=value))(tmp_path)
    with pytest.raises(ValueError, match=r"m\.safetensors"):
        check_recipe(load_voice_model(path).metadata["recipe"], str(path))


@pytest.mark.parametrize(("place", "value"), models.FRAMES[::4])
def test_a_model_of_frames_that_cannot_answer_is_refused_by_the_field(tmp_path, place, value):
    from experiments.voices import clip_model

    path = models.written(models.frames, models.said(*place, value=value))(tmp_path)
    with pytest.raises(ValueError, match=r"m\.safetensors"):
        clip_model.load(path)
