from itertools import pairwise

import numpy as np
import pytest

from features.augment import Babble, Hum, Noise, Reverb

from .conftest import RATE, exactly, generator, impulse, level, tones


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


def test_babble_has_three_to_seven_talkers():
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
