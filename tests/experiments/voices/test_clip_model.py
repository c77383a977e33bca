"""Frames to an answer: what normalisation takes away and keeps, what a clip's answer is, what a file keeps.

Clips are drawn as numbers, so that what separates the sexes is known: the pitch, about 120 Hz or 210 Hz.
"""

from dataclasses import replace

import librosa
import numpy as np
import pytest
from scipy.fft import dct

import lstm_engine as le
from experiments.voices import clip_model
from experiments.voices.clip_model import (
    ROUSED,
    SPREAD,
    Preparation,
    Settings,
    centred,
    disguised,
    loud,
    spoken,
    stretching,
    train,
)
from experiments.voices.joined import joined
from features.clips import Clips
from features.frames import COLUMNS, ENERGY_DB, LOG_F0, VOICING
from features.recipes import recipe_named
from features.speech import find_speech

QUICK = Settings(units=4, epochs=8, crop_s=0.4, crops=2, batch_size=8, learning_rate=0.02, roused=0)


def clip(male, rng, frames=40):
    x = rng.standard_normal((frames, len(COLUMNS)))
    x[:, LOG_F0] = np.log(120.0 if male else 210.0) + 0.1 * rng.standard_normal(frames)
    x[:, VOICING] = rng.uniform(0.6, 1.0, frames)
    x[:, ENERGY_DB] = rng.uniform(-40, -20, frames)
    return x.astype(np.float32)


@pytest.fixture(scope="module")
def clips():
    rng, n = np.random.default_rng(0), 24
    labels = np.arange(n) % 2
    return Clips(
        sequences=[clip(k, rng, 30 + n) for n, k in enumerate(labels)],
        labels=labels,
        speakers=np.array([f"s{i}" for i in range(n)], object),
        splits=np.array([""] * n),
        paths=np.array([f"{i}.wav" for i in range(n)]),
        hashes=np.array([f"{i:064x}" for i in range(n)]),
        columns=COLUMNS,
        stamp=recipe_named("frames").stamp(),
    )


@pytest.fixture(scope="module")
def trained(clips):
    return train(clips, QUICK)[0]


def test_it_learns_what_tells_the_clips_apart(trained, clips):
    assert ((trained.log_odds(clips) > 0) == clips.labels).all()


def test_a_clips_answer_is_the_mean_of_the_frames_from_its_first_voice_to_its_last(trained, clips):
    parts = [x[spoken(find_speech(x, "yin").voice)] for x in clips.sequences]
    assert any(len(part) < len(x) for part, x in zip(parts, clips.sequences, strict=True))
    each = [trained.frame_log_odds(part) for part in parts]
    assert [len(own) for own in each] == [len(part) for part in parts]
    # alone or padded in a batch: float32 sums in another order, at log-odds of some 10
    np.testing.assert_allclose([own.mean() for own in each], trained.log_odds(clips), atol=1e-4)


def test_the_spoken_part_has_a_little_before_and_after():
    voice = np.zeros(100, bool)
    assert spoken(voice) == slice(None)  # no voice: all of it
    voice[[30, 31, 60]] = True
    assert spoken(voice) == slice(20, 71)
    voice[[3, 97]] = True
    assert np.arange(100)[spoken(voice)].tolist() == list(range(100))


def test_silence_around_a_clip_does_not_change_its_answer(trained):
    x = clip(True, np.random.default_rng(5), 60)
    x[:, LOG_F0] = np.log(120) + 0.05 * np.resize([0, 1, 0, -1], 60)
    x[:, VOICING], x[:, ENERGY_DB] = 0.9, -25 + np.resize([0, 1], 60)
    x[:, ENERGY_DB + 1 :] *= 5
    silence = np.zeros((80, len(COLUMNS)), np.float32)
    silence[:, LOG_F0], silence[:, ENERGY_DB] = np.log(120), -90
    answers = []
    for before, after in ((20, 20), (80, 20), (20, 80)):
        parts = [silence[:before], x, silence[:after]]
        one = Clips(
            [np.concatenate(parts)], np.ones(1, int), *(np.array([""]),) * 4, COLUMNS, recipe_named("frames").stamp()
        )
        answers.append(trained.log_odds(one)[0])
    assert answers[0] == answers[1] == answers[2]


def test_where_the_last_states_answer_there_is_one_answer_a_clip(clips):
    model, _ = train(clips, replace(QUICK, answer="last", epochs=1))
    assert model.frame_log_odds(clips.sequences[0]).shape == (1,)
    assert model.log_odds(clips).shape == (len(clips),)


def test_level_and_microphone_are_taken_away_and_pitch_is_kept():
    x = clip(True, np.random.default_rng(1))
    other = x.copy()
    other[:, ENERGY_DB] += 12  # louder
    other[:, ENERGY_DB + 1 :] += np.linspace(-3, 3, 20)  # another microphone: a constant in every coefficient
    prepare = Preparation.fit([x], removed=20)
    np.testing.assert_allclose(prepare(other), prepare(x), atol=1e-5)
    left_in = Preparation.fit([x], removed=0)
    assert np.abs(left_in(other) - left_in(x)).max() > 1
    higher = x.copy()
    higher[:, LOG_F0] += np.log(2) / 12  # a semitone
    assert (prepare(higher)[:, 0] > prepare(x)[:, 0]).all()


def test_a_smooth_microphone_is_taken_away_and_the_vocal_tract_is_kept():
    x = clip(True, np.random.default_rng(1))
    microphone, tract = x.copy(), x.copy()
    microphone[:, ENERGY_DB + 1 : ENERGY_DB + 4] += 5  # of coefficients 1 to 3
    tract[:, ENERGY_DB + 5] += 5  # of coefficient 5
    prepare = Preparation.fit([x], removed=3)
    np.testing.assert_allclose(prepare(microphone), prepare(x), atol=1e-5)
    np.testing.assert_allclose(prepare(tract)[:, 7] - prepare(x)[:, 7], 5 / prepare.scale[4], rtol=1e-5)
    np.testing.assert_array_equal(np.delete(prepare(tract), 7, axis=1), np.delete(prepare(x), 7, axis=1))


def test_a_disguise_moves_the_pitch_and_nothing_else():
    prepare = Preparation.fit([frames := clip(True, np.random.default_rng(4))], removed=3)
    x, rng, alone = (
        prepare(frames),
        np.random.default_rng(0),
        {"roused": 0, "whispered": 0, "stretched": 0, "hidden": 0},
    )
    np.testing.assert_array_equal(disguised(x, prepare, Settings(**alone), rng), x)
    higher = disguised(x, prepare, Settings(**alone | {"roused": 1}), rng)
    np.testing.assert_array_equal(higher[:, 1:], x[:, 1:])
    semitones = (higher[:, 0] - x[:, 0]) / x[:, 1] * SPREAD * 12 / np.log(2)
    assert ROUSED[0] < semitones[0] < ROUSED[1]
    np.testing.assert_allclose(semitones, semitones[0], rtol=1e-3)  # float32
    assert not disguised(x, prepare, Settings(**alone | {"whispered": 1}), rng)[:, :2].any()
    assert not disguised(x, prepare, Settings(**alone | {"hidden": 1}), rng)[:, 3:].any()


def test_an_envelope_is_stretched_in_frequency():
    """A peak at 2 kHz moves by the factor; by 100 per cent nothing moves."""
    bands = librosa.mel_frequencies(42, fmin=60, fmax=7600)[1:-1]
    to_bands = np.cos(np.pi / 40 * np.outer(np.arange(40) + 0.5, np.arange(1, 21)))  # (40, 20)
    envelope = np.exp(-0.5 * (np.log(bands / 2000) / 0.15) ** 2)
    coefficients = dct(envelope, norm="ortho")[1:21]
    np.testing.assert_allclose(stretching(100), np.eye(20), atol=1e-12)
    for percent in (93, 107):
        peak = bands[np.argmax(to_bands @ stretching(percent) @ coefficients)]
        assert abs(np.log(peak / (20 * percent))) < 0.04  # half the distance of two bands


def test_joined_networks_answer_with_the_mean_of_their_log_odds(clips):
    settings = replace(QUICK, epochs=1)
    models = [train(clips, settings, seed)[0] for seed in range(3)]
    expected = np.mean([model.frame_log_odds(clips.sequences[0]) for model in models], axis=0)
    one = joined(models, settings)
    np.testing.assert_allclose(one.frame_log_odds(clips.sequences[0]), expected, rtol=1e-4, atol=1e-5)  # float32 sums
    other = replace(models[0], prepare=Preparation.fit(clips.sequences[:2], settings.removed))
    with pytest.raises(ValueError, match="prepared on different clips"):
        joined([models[0], other], settings)


def test_pauses_tell_nothing_of_the_microphone():
    x = clip(True, np.random.default_rng(2))
    x[30:, ENERGY_DB] = -80
    assert loud(x).sum() == 30
    noisier = x.copy()
    noisier[30:, ENERGY_DB + 1 :] += 5  # other noise in the pauses
    np.testing.assert_array_equal(centred(noisier, removed=20)[:30], centred(x, removed=20)[:30])


def test_an_unvoiced_frame_has_no_pitch():
    x = clip(True, np.random.default_rng(3))
    x[:10, VOICING] = 0.1
    prepared = Preparation.fit([x], removed=20)(x)
    assert (prepared[:10, 0] == 0).all()
    assert (prepared[10:, 0] != 0).all()


def test_the_spectrum_is_standardised_by_the_training_clips(clips):
    prepare = Preparation.fit(clips.sequences, removed=20)
    shape = np.concatenate([prepare(x)[loud(x), 3:] for x in clips.sequences])
    np.testing.assert_allclose(shape.mean(axis=0), 0, atol=1e-5)  # sums of 1,000 float32
    np.testing.assert_allclose(shape.std(axis=0), 1, atol=1e-5)


def test_a_file_keeps_the_answers_and_not_the_optimizer(trained, clips, tmp_path):
    clip_model.save(trained, tmp_path / "m.safetensors", clips, QUICK, temperature=1.5)
    back = clip_model.load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(back.log_odds(clips), trained.log_odds(clips))
    assert back.network.metadata["temperature"] == 1.5
    assert back.network.metadata["recipe"] == clips.stamp
    trained.network.save(tmp_path / "whole.safetensors")
    assert (tmp_path / "m.safetensors").stat().st_size < 0.7 * (tmp_path / "whole.safetensors").stat().st_size


@pytest.mark.parametrize("per_clip", [True, False])
def test_a_file_that_removes_all_means_or_none_answers_as_before(clips, tmp_path, per_clip):
    settings = replace(QUICK, epochs=1, removed=20 * per_clip)
    model, _ = train(clips, settings)
    clip_model.save(model, tmp_path / "m.safetensors", clips, settings)
    network = le.load(tmp_path / "m.safetensors")
    before = {"preparation": {k: network.metadata["preparation"][k] for k in ("mean", "scale")}}
    before["settings"] = {"per_clip": per_clip, "answer": "frames", "units": 4}
    network.save(tmp_path / "m.safetensors", metadata=network.metadata | before)
    np.testing.assert_array_equal(clip_model.load(tmp_path / "m.safetensors").log_odds(clips), model.log_odds(clips))


def test_the_same_seed_trains_the_same_network(clips):
    one, other = (train(clips, replace(QUICK, epochs=2), seed=3)[0] for _ in range(2))
    np.testing.assert_array_equal(one.log_odds(clips), other.log_odds(clips))
    apart = train(clips, replace(QUICK, epochs=2), seed=4)[0]
    assert (one.log_odds(clips) != apart.log_odds(clips)).all()


def test_variants_are_learnt_from(clips):
    """Where the clips alone say nothing, the variants' pitch still teaches."""
    silent = replace(clips, sequences=[x.copy() for x in clips.sequences])
    for x in silent.sequences:
        x[:, LOG_F0] = np.log(160.0)
    model, _ = train(silent, replace(QUICK, epochs=20), variants=[clips, clips])
    assert ((model.log_odds(clips) > 0) == clips.labels).all()


def test_variants_of_other_clips_are_refused(clips):
    with pytest.raises(ValueError, match="not the same clips, row by row"):
        train(clips, QUICK, variants=[clips.take(np.arange(len(clips))[::-1])])


def test_one_sex_is_not_enough(clips):
    with pytest.raises(ValueError, match="no female clip to learn from"):
        train(clips.take(clips.labels == 1), QUICK)


def test_a_model_of_another_task_is_refused(trained, tmp_path):
    trained.network.save(tmp_path / "m.safetensors", metadata={"task": "digits"})
    with pytest.raises(ValueError, match="no model of voices as frames"):
        clip_model.load(tmp_path / "m.safetensors")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"settings": None}, "no complete model of voices"),
        ({"temperature": 0.0}, "temperature: Expected float > 0"),
        ({"uncertain": 0.2}, "uncertain: Expected float >= 0.5"),
        ({"preparation": {"mean": [0.0], "scale": [1.0]}}, "does not fit its recipe's 23 columns"),
        ({"preparation": {"mean": [0.0] * 20}}, "no complete model of voices"),
        ({"recipe": {"recipe": "frames", "parameters": {"pitch": "yin", "hop": 7}}}, "made with other settings"),
    ],
)
def test_a_damaged_model_is_refused_in_words(trained, clips, tmp_path, change, said):
    clip_model.save(trained, tmp_path / "m.safetensors", clips, QUICK)
    network = le.load(tmp_path / "m.safetensors")
    network.save(tmp_path / "m.safetensors", metadata=network.metadata | change)
    with pytest.raises(ValueError, match=said):
        clip_model.load(tmp_path / "m.safetensors")
