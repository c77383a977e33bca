import csv
import json

import numpy as np
import pytest

from features.audio import read_clip
from features.mfcc import tutorial_mfcc
from features.pitch import autocorrelation_pitch
from features.recipes import (
    READINGS,
    TUTORIAL,
    TUTORIAL_COLUMNS,
    recipe_from,
    recipe_named,
    stamp_differences,
    variant_of,
    with_index,
)


@pytest.fixture(scope="session")
def published(shared_data):
    """(111,) the row that the tutorial's authors published for their sample recording."""
    with (shared_data / "tutorial_sample" / "test.csv").open(newline="") as file:
        row = next(csv.DictReader(file))
    return np.array([float(row[name]) for name in TUTORIAL_COLUMNS])


def test_pitch_of_the_tutorials_sample_is_the_published_one_exactly(shared_data, published):
    pitch = autocorrelation_pitch(*read_clip(shared_data / "tutorial_sample" / "test.wav"))
    assert pitch == 163.33333333333334 == published[0]


def test_mfcc_of_the_tutorials_sample_are_close_to_the_published_ones(shared_data, published):
    # FACTS: median 1.4, maximum 2.3, on coefficients that span -612 to 118; the authors' resampler is not known.
    distance = np.abs(tutorial_mfcc(*read_clip(shared_data / "tutorial_sample" / "test.wav")).ravel() - published[1:])
    assert np.median(distance) < 1.41
    assert distance.max() < 2.34


@pytest.mark.parametrize(
    ("rate", "period"), [(8_000, 41), (16_000, 80), (16_000, 137), (22_050, 137), (44_100, 97), (44_100, 300)]
)
def test_pitch_of_a_pulse_train_is_its_period_and_the_known_bias(rate, period):
    pulses = np.zeros(rate)
    pulses[::period] = 1.0
    bias = 2 if rate % 500 == 0 else 1
    assert autocorrelation_pitch(pulses, rate) == rate / (period + bias)


def test_pitch_agrees_with_the_autocorrelation_by_its_definition():
    x = np.random.default_rng(0).normal(size=3000)
    by_definition = np.correlate(x, x, "full")[len(x) - 1 :]
    lag = 16 + by_definition[16:160].argmax()
    assert autocorrelation_pitch(x, 8000) == 8000 / (lag + 2)


def test_pitch_does_not_depend_on_the_scale():
    x = np.random.default_rng(1).normal(size=4000)
    assert autocorrelation_pitch(x, 16_000) == autocorrelation_pitch(x / 32767, 16_000)


def test_mfcc_use_the_first_five_seconds_alone():
    x = np.random.default_rng(2).normal(size=7 * 8000).astype(np.float32)
    longer, cut = tutorial_mfcc(x, 8000), tutorial_mfcc(x[: 6 * 8000], 8000)
    assert longer.shape == (10, 11)
    np.testing.assert_array_equal(longer, cut)


def test_zeros_behind_a_short_clip_change_nothing():
    x = 0.1 * np.random.default_rng(3).normal(size=8000)
    padded = np.concatenate([x, np.zeros(8000)])
    # The two resamplings ring past the end of the sound, 70 dB down: only the frame of silence behind it hears that.
    np.testing.assert_allclose(tutorial_mfcc(x, 8000)[:, :2], tutorial_mfcc(padded, 8000)[:, :2], atol=1e-3)


def test_a_row_is_pitch_and_then_the_mfcc_coefficient_by_coefficient():
    x = np.random.default_rng(4).normal(size=16_000)
    (row,) = TUTORIAL.measure(x, 16_000)
    assert row.shape == (len(TUTORIAL.columns),) == (111,)
    assert row[0] == autocorrelation_pitch(x, 16_000)
    np.testing.assert_array_equal(row[1:12], tutorial_mfcc(x, 16_000)[0])  # mfcc1-11: C0 over time


def test_both_readings_show_every_number_in_its_place():
    names = np.array([[float(k) for k in range(112)], [1000.0 + k for k in range(112)]])  # column k holds k
    steps, frames = READINGS["steps"](names), READINGS["frames"](names)
    assert steps.shape == (2, 112, 1)
    np.testing.assert_array_equal(steps[:, :, 0], names)
    assert frames.shape == (2, 11, 11)
    for moment in range(11):
        for coefficient in range(10):
            assert frames[0, moment, coefficient] == 2 + 11 * coefficient + moment
        assert frames[1, moment, 10] == 1001.0  # the pitch, at every moment


def test_the_index_column_is_a_zero_in_front():
    np.testing.assert_array_equal(with_index(np.ones((2, 111))), np.c_[np.zeros(2), np.ones((2, 111))])


def test_the_stamp_survives_json_and_names_what_the_numbers_depend_on():
    stamp = TUTORIAL.stamp()
    assert json.loads(json.dumps(stamp)) == stamp
    assert stamp["recipe"] == "tutorial"
    assert stamp["parameters"]["mel_rate_hz"] == 22_050
    assert {"librosa", "numpy", "soxr", "soundfile"} <= set(stamp["versions"])


SPEECH_LIKE = np.random.default_rng(5).normal(size=16_000) * np.sin(np.arange(16_000) / 2_000) ** 2


def test_deltas_are_the_slopes_of_straight_lines_through_nine_frames():
    # Both sides are float32 at the end: the slope keeps 24 bits of columns up to some 100 in size.
    plain = recipe_named("frames").measure(SPEECH_LIKE, 16_000)
    recipe = recipe_named("frames", deltas=True)
    both = recipe.measure(SPEECH_LIKE, 16_000)
    assert recipe.columns[:23] == recipe_named("frames").columns
    assert recipe.columns[23:] == tuple(f"d_{name}" for name in recipe.columns[:23])
    np.testing.assert_array_equal(both[:, :23], plain)
    for t in range(4, len(plain) - 4):
        slopes = np.polyfit(np.arange(-4, 5), plain[t - 4 : t + 5].astype(float), 1)[0]
        np.testing.assert_allclose(both[t, 23:], slopes, rtol=0, atol=1e-5)


def test_a_clip_of_fewer_frames_than_a_slope_needs_has_deltas_too():
    rows = recipe_named("frames", deltas=True).measure(SPEECH_LIKE[:960], 16_000)  # 60 ms, the shortest clip
    assert rows.shape == (4, 46)
    assert np.isfinite(rows).all()


def test_a_recipe_has_its_own_options_and_no_others():
    assert recipe_named("tutorial") is TUTORIAL
    assert recipe_named("frames", pitch="pyin").parameters["pitch"] == "pyin"
    for name, options, words in [
        ("spectrogram", {}, "no recipe 'spectrogram': expected one of tutorial, frames"),
        ("tutorial", {"deltas": True}, "tutorial has no option 'deltas'"),
        ("frames", {"pitch": "praat"}, "yin, pyin, got 'praat'"),
    ]:
        with pytest.raises(ValueError, match=words):
            recipe_named(name, **options)


@pytest.mark.parametrize(
    "recipe",
    [
        TUTORIAL,
        recipe_named("frames"),
        recipe_named("frames", pitch="pyin", deltas=True),
        recipe_named("frames", revision=1, variant=2),
    ],
)
def test_a_stamp_gives_its_recipe_back(recipe):
    again = recipe_from(json.loads(json.dumps(recipe.stamp())), "a model")
    assert (again.name, again.columns, again.parameters) == (recipe.name, recipe.columns, recipe.parameters)
    sound = 0.1 + 0.1 * SPEECH_LIKE[:4_000]
    np.testing.assert_array_equal(again.measure(sound, 16_000), recipe.measure(sound, 16_000))


def test_variants_are_measured_by_their_clips_revision():
    old = variant_of(recipe_named("frames", revision=1), 3)
    assert (old.parameters["revision"], old.parameters["variant"]) == (1, 3)
    assert "slow_hz" not in old.parameters  # the stamp of revision 1 stays what it was


def test_a_stamp_that_is_measured_differently_here_is_refused():
    stamp = recipe_named("frames").stamp()
    for other, words in [
        (
            stamp | {"parameters": stamp["parameters"] | {"hop": 160}},
            "a model .* with other settings .*hop 160 and 320",
        ),
        (stamp | {"recipe": "wavelets"}, "there is no recipe 'wavelets'"),
        (stamp | {"parameters": stamp["parameters"] | {"revision": 3}}, "has the revisions 1 to 2, got 3"),
        ({}, "a recipe that this version does not have"),
    ]:
        with pytest.raises(ValueError, match=words):
            recipe_from(other, "a model")


def test_stamps_differ_by_recipe_or_else_by_what_stands_in_them():
    one = recipe_named("frames").stamp()
    assert stamp_differences(one, json.loads(json.dumps(one))) == []
    assert stamp_differences(one, TUTORIAL.stamp()) == ["recipe frames and tutorial"]
    older = one | {"versions": one["versions"] | {"librosa": "0.10"}}
    assert stamp_differences(older, one) == [f"librosa 0.10 and {one['versions']['librosa']}"]
