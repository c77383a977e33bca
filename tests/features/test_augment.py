"""The contract of every step, composition, and what the room and the microphone measurably do."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.augment import (
    CODERS,
    TELEPHONE,
    VOICES,
    Babble,
    BandLimit,
    Chain,
    Clipping,
    Codec,
    Formants,
    Gain,
    Hum,
    Noise,
    OneOf,
    Pitch,
    Reverb,
    Sometimes,
    Speed,
    Step,
    Tilt,
)
from features.synth import draw_speaker, speak

RATE = 16_000
STEPS = {
    "Babble": Babble(lambda rate, rng: rng.standard_normal(rate)),
    **{step.__name__: step() for step in (Speed, Pitch, Formants, Reverb, Noise, Hum, Gain, Tilt, BandLimit, Clipping)},
    **{coder: Codec((coder,)) for coder in CODERS},
    "TELEPHONE": TELEPHONE,
    "VOICES": VOICES,
}


def level(x):
    """Root mean square in dB."""
    return 10 * np.log10(np.mean(np.square(x, dtype=float)))


def exactly(value):
    """A range of one value."""
    return (value, value)


def generator(seed=0):
    return np.random.default_rng(seed)


def tones(seconds=2.0):
    """(n,) 40 tones between 100 and 6000 Hz at random phases, peak 0.3."""
    t = np.arange(round(seconds * RATE)) / RATE
    rng = generator()
    x = np.sum([np.sin(2 * np.pi * (f * t + rng.random())) for f in np.geomspace(100, 6000, 40)], axis=0)
    return (0.3 * x / np.abs(x).max()).astype(np.float32)


def impulse(seconds=1.0, at=0.5):
    x = np.zeros(round(seconds * RATE), np.float32)
    x[round(at * RATE)] = 0.5
    return x


def response(step, frequencies, seconds=1.0, at=0.5, seed=0):
    """The step's amplitude in dB at whole multiples of 1 / seconds Hz: what it makes of an impulse."""
    y = step(impulse(seconds, at), RATE, generator(seed))
    spectrum = np.abs(np.fft.rfft(y.astype(float))) / 0.5
    return 20 * np.log10(spectrum[np.round(np.asarray(frequencies) * seconds).astype(int)])


# The contract


@st.composite
def sounds(draw):
    """(samples, rate): a noise, a tone, one click, or a burst between silences; from a whisper to far past full scale."""
    rate = draw(st.sampled_from([8_000, 16_000, 22_050, 44_100, 48_000]))
    n = draw(st.integers(int(0.1 * rate) + 1, rate))
    rng = generator(draw(st.integers(0, 99)))
    x = rng.standard_normal(n)
    kind = draw(st.sampled_from(["noise", "tone", "click", "burst"]))
    if kind == "tone":
        x = np.sin(2 * np.pi * draw(st.floats(1, rate / 2.2)) / rate * np.arange(n) + 1)
    elif kind == "click":
        x = np.arange(n) == rng.integers(n)
    elif kind == "burst":
        x[: n // 3] = x[n // 2 :] = 0
    return x * 10 ** draw(st.floats(-6, 2)), rate


@pytest.mark.parametrize("name", STEPS)
@settings(max_examples=25, deadline=None)
@given(sound=sounds(), seed=st.integers(0, 2**32 - 1))
def test_any_sound_stays_finite_within_full_scale_and_audible_and_the_seed_decides(name, sound, seed):
    x, rate = sound
    before = x.copy()
    y = STEPS[name](x, rate, generator(seed))
    assert y.dtype == np.float32
    assert y.ndim == 1
    assert np.isfinite(y).all()
    assert 0 < np.abs(y).max() <= 1
    np.testing.assert_array_equal(x, before)
    assert STEPS[name](x, rate, generator(seed)).tobytes() == y.tobytes()


@pytest.mark.parametrize("name", [name for name in STEPS if name not in ("mulaw", "TELEPHONE")])  # nothing to draw
def test_another_seed_gives_another_clip(name):
    x = speak(draw_speaker("female", "a", generator()), 1.0, generator())
    one, two = (STEPS[name](x, RATE, generator(seed)) for seed in (1, 2))
    assert one.tobytes() != two.tobytes()


@pytest.mark.parametrize("name", STEPS)
def test_silence_stays_silence(name):
    y = STEPS[name](np.zeros(RATE), RATE, generator())
    assert len(y) > 0
    assert not y.any()


def test_what_a_step_would_take_away_altogether_comes_back_unchanged():
    x = 0.3 * np.sin(2 * np.pi * 7_000 / RATE * np.arange(RATE)) * np.hanning(RATE)
    np.testing.assert_array_equal(Codec(("mulaw",))(x, RATE, generator()), x.astype(np.float32))


@pytest.mark.parametrize("shape", [(2, RATE), (RATE // 10 - 1,), ()])
def test_anything_but_a_tenth_of_a_second_of_one_channel_is_refused(shape):
    with pytest.raises(ValueError, match=r"shape \(.*\) at 16000 Hz; a step changes one channel \(n,\) of 0.1 s"):
        Gain()(np.zeros(shape), RATE, generator())


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e39])  # 1e39 is beyond float32
def test_numbers_that_are_not_finite_are_counted_and_refused(bad):
    with np.errstate(over="ignore"), pytest.raises(ValueError, match="3 of 16000 samples are not finite"):
        Gain()(np.r_[np.zeros(RATE - 3), bad, bad, bad], RATE, generator())


# Composition


def test_a_chain_is_one_step_after_the_other_with_one_generator():
    x, rng = tones(), generator()
    one_by_one = Noise()(Reverb()(x, RATE, rng), RATE, rng)
    assert Chain(Reverb(), Noise())(x, RATE, generator()).tobytes() == one_by_one.tobytes()


def test_the_order_of_a_chain_is_heard():
    band = BandLimit(exactly(300), exactly(2000))
    cut = Clipping(exactly(10))
    late, early = Chain(band, cut)(tones(), RATE, generator()), Chain(cut, band)(tones(), RATE, generator())
    above = [np.sum(np.abs(np.fft.rfft(y)[4 * len(y) // 16 :]) ** 2) for y in (late, early)]  # from 4 kHz on
    assert above[0] > 10 * above[1]  # clipping's harmonics survive only where no filter comes after it


class Halve(Step):
    def change(self, x, rate, rng):
        return x / 2


def test_sometimes_acts_with_its_probability():
    x, rng, step = np.full(RATE // 10, 0.5), generator(), Sometimes(0.3, Halve())
    acted = sum(step(x, RATE, rng)[0] == 0.25 for _ in range(2000))
    assert acted == pytest.approx(600, abs=4 * np.sqrt(2000 * 0.3 * 0.7))  # 4 SD of the binomial


def test_one_of_takes_each_of_its_steps_equally_often():
    x, rng, step = np.full(RATE // 10, 0.8), generator(), OneOf(*(Gain(exactly(db)) for db in (0, -10, -20)))
    levels = np.round([20 * np.log10(step(x, RATE, rng)[0] / 0.8) for _ in range(1500)])
    for db in (0, -10, -20):
        assert np.sum(levels == db) == pytest.approx(500, abs=4 * np.sqrt(1500 * 2 / 9))  # 4 SD of the binomial


# The room


@pytest.mark.parametrize("rt60", [0.1, 0.4])
def test_reverb_decays_in_its_time(rt60):
    step, x = Reverb(exactly(rt60), exactly(0.0)), impulse(at=0)
    energy = np.mean([step(x, RATE, generator(seed))[1:].astype(float) ** 2 for seed in range(40)], axis=0)
    decay = np.cumsum(energy[::-1])[::-1]  # Schroeder (1965), JASA 37:409
    decay = 10 * np.log10(decay[decay > 0] / decay[0])
    fit = (decay < -5) & (decay > -25)
    slope = np.polyfit(np.flatnonzero(fit) / RATE, decay[fit], 1)[0]  # dB a second
    # The energy of a noise that falls by exp(-a t) has, from any point on, a relative SD of sqrt(a / rate), and forgets
    # itself within 4.3 dB. For 0.1 s that is 9.3 %, 0.4 dB; over 40 rooms 0.065 dB. A line's slope over 20 dB then has
    # an SD of 0.065 * sqrt(12 * 2 * 4.3 / 20^3) = 0.8 %. Four of them.
    assert -60 / slope == pytest.approx(rt60, rel=0.032)


@pytest.mark.parametrize("drr_db", [0.0, 12.0])
def test_reverb_keeps_the_direct_sound_so_far_above_its_tail(drr_db):
    y = Reverb(exactly(0.3), exactly(drr_db))(impulse(at=0), RATE, generator()).astype(float)
    assert y[0] == pytest.approx(0.5, rel=1e-5)
    assert 10 * np.log10(y[0] ** 2 / np.sum(y[1:] ** 2)) == pytest.approx(drr_db, abs=0.01)


@pytest.mark.parametrize("name", ["Noise", "Hum", "Babble"])
@pytest.mark.parametrize("snr_db", [5.0, 30.0])
def test_noises_reach_their_snr(name, snr_db):
    steps = {
        "Noise": Noise(exactly(snr_db)),
        "Hum": Hum(exactly(snr_db)),
        "Babble": Babble(lambda rate, rng: rng.standard_normal(rate // 3), snr_db=exactly(snr_db)),
    }
    x = tones() / 2
    noise = steps[name](x, RATE, generator()).astype(float) - x
    # y is rounded by 2^-25 of at most 0.5 and the noise is above 0.001: 1e-5 of it, 1e-4 dB.
    assert level(x) - level(noise) == pytest.approx(snr_db, abs=1e-3)


@pytest.mark.parametrize("slope", [0.0, 1.0, 2.0])
def test_noise_has_its_colour(slope):
    x = 1e-3 * np.sin(np.arange(20 * RATE))
    noise = Noise(exactly(0.0), exactly(slope))(x, RATE, generator()) - x
    power = np.abs(np.fft.rfft(noise)) ** 2
    f = np.fft.rfftfreq(len(noise), 1 / RATE)
    edges = 100 * 2.0 ** np.arange(0, 6.5, 0.5)
    bands = [power[(f >= low) & (f < high)].mean() for low, high in pairwise(edges)]
    measured = -np.polyfit(np.log(edges[:-1]), np.log(bands), 1)[0]
    # The narrowest band averages 800 bins, 3.5 %; over six octaves at 13 edges the slope's SD is below 0.01.
    # A band's mean is not its middle's value, but in all bands by the same factor.
    assert measured == pytest.approx(slope, abs=0.04)


def test_hum_is_harmonics_of_the_mains():
    x = 1e-3 * np.sin(np.arange(2 * RATE))
    for seed in range(6):
        hum = Hum(exactly(0.0))(x, RATE, generator(seed)) - x
        power = np.abs(np.fft.rfft(hum)) ** 2  # bins of 0.5 Hz
        assert max(power[:: 2 * mains][:7].sum() for mains in (50, 60)) > 0.999 * power.sum()


def test_babble_is_as_many_talkers_as_asked():
    x, heard = 1e-3 * tones(1.0), set()
    for seed in range(40):
        hertz = iter(range(500, 8000, 100))  # each talker another tone
        step = Babble(
            lambda rate, rng, f=hertz: np.sin(2 * np.pi * next(f) * np.arange(rate) / rate), snr_db=exactly(-20)
        )
        spectrum = np.abs(np.fft.rfft(step(x, RATE, generator(seed))))  # bins of 1 Hz
        voices = np.flatnonzero(spectrum > spectrum.max() / 2)
        np.testing.assert_array_equal(voices, 500 + 100 * np.arange(len(voices)))
        heard.add(len(voices))
    assert heard == {3, 4, 5, 6, 7}


# The microphone and the wire


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
    np.testing.assert_allclose(edges, -10 * np.log10(2), atol=0.01)  # Butterworth's own
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


def test_a_microphone_has_bumps_of_its_spread():
    bumps = [response(Tilt(exactly(0.0), 2.0), [500, 1000, 2000], seed=seed) for seed in range(300)]
    # Neighbours differ by the difference of two draws. An SD from 600 differences, half of them shared: 4 % each.
    assert np.std(np.diff(bumps)) == pytest.approx(2 * np.sqrt(2), rel=0.15)


def test_clipping_cuts_so_far_below_the_peak_and_touches_nothing_else():
    x, ceiling = tones(), 0.3 * 10 ** (-6 / 20)
    y = Clipping(exactly(6.0))(x, RATE, generator())
    np.testing.assert_allclose(y, np.clip(x, -ceiling, ceiling), rtol=1e-6)
    assert np.any(np.abs(x) > ceiling)
