"""The contract of every step, and steps that are made of steps."""

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

from .conftest import RATE, exactly, generator, tones

STEPS = {
    "Babble": Babble(lambda rate, rng: rng.standard_normal(rate)),
    **{step.__name__: step() for step in (Speed, Pitch, Formants, Reverb, Noise, Hum, Gain, Tilt, BandLimit, Clipping)},
    **{coder: Codec((coder,)) for coder in CODERS},
    "TELEPHONE": TELEPHONE,
    "VOICES": VOICES,
}


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
@settings(max_examples=25, deadline=None, derandomize=True)
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
    with pytest.raises(ValueError, match=r"shape \(.*\) at 16000 Hz; expected one channel \(n,\) of 0.1 s"):
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
