"""What the microphone and the transmission measurably do to a clip."""

import numpy as np
import pytest

from features.augment import BandLimit, Clipping, Gain, Tilt

from .conftest import RATE, exactly, generator, impulse, level, tones


def response(step, frequencies, seconds=1.0, at=0.5, seed=0):
    """The step's amplitude in dB at whole multiples of 1 / seconds Hz: what it makes of an impulse."""
    y = step(impulse(seconds, at), RATE, generator(seed))
    spectrum = np.abs(np.fft.rfft(y.astype(float))) / 0.5
    return 20 * np.log10(spectrum[np.round(np.asarray(frequencies) * seconds).astype(int)])


def test_gain_moves_the_level_by_its_decibels():
    for db in (-20.0, 6.0):
        y = Gain(exactly(db))(tones(), RATE, generator())
        assert level(y) - level(tones()) == pytest.approx(db, abs=1e-4)  # float32


def test_gain_past_full_scale_turns_down_instead_of_clipping():
    y = Gain(exactly(40.0))(tones(), RATE, generator())
    assert np.abs(y).max() == 1
    np.testing.assert_allclose(y, tones() / np.abs(tones()).max(), atol=1e-6)


def test_a_clip_that_comes_in_past_full_scale_is_turned_down():
    y = Clipping(exactly(0.0))(5 * tones(), RATE, generator())
    np.testing.assert_allclose(y, tones() / np.abs(tones()).max(), atol=1e-6)


def test_a_band_has_its_edges_and_a_slope_of_24_db_an_octave():
    step = BandLimit(exactly(300), exactly(3400))
    edges = response(step, [300, 3400])
    np.testing.assert_allclose(edges, -10 * np.log10(2), atol=0.01)  # by definition of a Butterworth filter
    inside = response(step, np.arange(600, 2400, 50))
    np.testing.assert_allclose(inside, 0, atol=0.1)
    # Far below, each octave costs 4 * 6.02 dB; the upper edge bends that by little.
    assert np.diff(response(step, [75, 37.5], seconds=2.0))[0] == pytest.approx(-24.1, abs=0.5)


def test_an_upper_edge_near_half_the_rate_is_left_out():
    assert response(BandLimit(exactly(300), exactly(7_900)), [7_900])[0] == pytest.approx(0, abs=0.01)


def test_edges_are_drawn_within_their_range():
    x = impulse()
    for seed in range(20):
        y = BandLimit((100, 200), (2000, 4000))(x, RATE, generator(seed)).astype(float)
        passed = 20 * np.log10(np.abs(np.fft.rfft(y)) / 0.5) > -10 * np.log10(2)
        low, high = np.flatnonzero(passed)[[0, -1]]  # bins of 1 Hz
        assert 100 <= low <= 201
        assert 1999 <= high <= 4000


def test_a_microphone_tilts_by_decibels_an_octave_and_keeps_the_level():
    step = Tilt(exactly(3.0), ripple_db=0.0)
    octaves = response(step, [62.5, 125, 250, 500, 1000, 2000, 4000, 8000], seconds=2.0, at=1.0)
    np.testing.assert_allclose(np.diff(octaves), 3.0, atol=0.05)  # what rings beyond the clip is cut off
    assert level(step(tones(), RATE, generator())) == pytest.approx(level(tones()), abs=1e-4)


def test_a_flat_microphone_changes_nothing():
    flat = Tilt(exactly(0.0), ripple_db=0.0)(tones(), RATE, generator())
    np.testing.assert_allclose(flat, tones(), atol=1e-6)  # float32 to the spectrum and back


def test_a_microphone_has_bumps_of_its_spread():
    bumps = [response(Tilt(exactly(0.0), 2.0), [500, 1000, 2000], seed=seed) for seed in range(300)]
    # Neighbours differ by the difference of two draws. An SD from 600 differences, half of them shared: 4 % each.
    assert np.std(np.diff(bumps)) == pytest.approx(2 * np.sqrt(2), rel=0.15)


def test_clipping_cuts_so_far_below_the_peak_and_touches_nothing_else():
    x, ceiling = tones(), 0.3 * 10 ** (-6 / 20)
    y = Clipping(exactly(6.0))(x, RATE, generator())
    np.testing.assert_allclose(y, np.clip(x, -ceiling, ceiling), rtol=1e-6)
    assert np.any(np.abs(x) > ceiling)
