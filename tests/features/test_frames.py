"""The recipe frames: what stands in a frame is what the sound has there."""

import librosa
import numpy as np
import pytest
import soxr

from features import frames
from features.frames import COLUMNS, ENERGY_DB, HOP, LOG_F0, RATE_HZ, VOICING

SECONDS = 2.0
INSIDE = slice(5, -5)  # frames whose 64 ms lie within the clip


def pulses(f0, seconds=SECONDS, rate=RATE_HZ):
    """A voice-like sound: harmonics of f0 up to 4 kHz, each weaker by its number."""
    t = np.arange(round(seconds * rate)) / rate
    return 0.1 * sum(np.cos(2 * np.pi * k * f0 * t) / k for k in range(1, int(4000 / f0) + 1))


def noise(seconds=SECONDS, seed=0):
    return 0.1 * np.random.default_rng(seed).standard_normal(round(seconds * RATE_HZ))


@pytest.mark.parametrize("tracker", list(frames.TRACKERS))
@pytest.mark.parametrize("f0", [80.0, 123.0, 210.0, 380.0])
def test_the_pitch_of_a_steady_voice_is_found(f0, tracker):
    # YIN interpolates the period by a parabola, pYIN takes its grid of a tenth of a semitone (0.3 %, half of it either way)
    x = frames.frames(pulses(f0), RATE_HZ, tracker)[INSIDE]
    np.testing.assert_allclose(np.exp(x[:, LOG_F0]), f0, rtol=0.01)
    # pYIN's probability is how many of its thresholds let the period pass, .43 for the lowest of these though it is steady
    assert (x[:, VOICING] > {"yin": 0.95, "pyin": 0.4}[tracker]).all()


def test_yin_and_the_coefficients_are_librosas():
    rng = np.random.default_rng(3)
    x = np.concatenate(
        [pulses(123.0, 0.5), noise(0.3), np.zeros(3_000), pulses(317.0, 0.5)]
    )  # an edge, noise and silence
    x = (x + 1e-3 * rng.standard_normal(len(x)) * (x != 0)).astype(np.float32)
    f0 = librosa.yin(x, fmin=60, fmax=500, sr=RATE_HZ, frame_length=1_024, hop_length=HOP)
    np.testing.assert_array_equal(frames.yin(x)[0], f0)
    shape = {"sr": RATE_HZ, "n_fft": 512, "hop_length": HOP}
    bands = librosa.feature.melspectrogram(y=x, n_mels=40, fmin=60, fmax=7_600, **shape)
    ours, theirs = frames.mfcc(x), librosa.feature.mfcc(S=librosa.power_to_db(bands, ref=np.max, amin=1e-12), n_mfcc=21)
    np.testing.assert_array_equal(
        frames.mel_filters(), librosa.filters.mel(sr=RATE_HZ, n_fft=512, n_mels=40, fmin=60, fmax=7_600)
    )
    # librosa 1.0 sums the bands in another order
    np.testing.assert_allclose(ours, theirs[1:].T, rtol=0, atol=0 if librosa.__version__ < "1" else 2e-4)


def test_a_glide_is_followed_in_time():
    t = np.arange(2 * RATE_HZ) / RATE_HZ
    f0 = 100 * 2 ** (t / 2)  # an octave in two seconds
    phase = 2 * np.pi * np.cumsum(f0) / RATE_HZ
    x = frames.frames(0.1 * sum(np.cos(k * phase) / k for k in range(1, 15)), RATE_HZ)
    middle = np.arange(len(x)) * HOP / RATE_HZ  # frame t is about the sound around t * 20 ms
    # YIN compares the frame's first half with what lies a period later: its pitch is that of a moment some 16 ms early,
    # in which the glide moves by 0.6 %
    np.testing.assert_allclose(np.exp(x[INSIDE, LOG_F0]), 100 * 2 ** (middle[INSIDE] / 2), rtol=0.012)


def test_noise_is_hardly_voiced_and_a_voice_in_noise_is_between():
    voiced = frames.frames(pulses(150.0), RATE_HZ)[INSIDE, VOICING]
    mixed = frames.frames(pulses(150.0) + 0.5 * noise(), RATE_HZ)[INSIDE, VOICING]
    unvoiced = frames.frames(noise(), RATE_HZ)[INSIDE, VOICING]
    assert np.median(unvoiced) < 0.35 < np.median(mixed) < np.median(voiced)
    assert np.median(voiced) > 0.95


def test_voicing_is_one_minus_yins_normalised_difference():
    """Against its definition written out with loops (de Cheveigné & Kawahara 2002, equations 6 and 8)."""
    rng = np.random.default_rng(3)
    framed = rng.standard_normal((3, frames.PITCH_FRAME)) + pulses(140.0)[: frames.PITCH_FRAME]
    f0 = np.array([140.0, 200.0, 61.0])
    half = frames.PITCH_FRAME // 2
    for x, f, got in zip(framed, f0, frames.periodicity(framed, f0), strict=True):
        x = x - x.mean()
        period = round(RATE_HZ / f)
        d = [sum((x[j] - x[j + τ]) ** 2 for j in range(half)) for τ in range(1, period + 1)]
        assert got == pytest.approx(max(1 - d[-1] / np.mean(d), 0), abs=1e-9)


def test_a_louder_recording_moves_the_energy_alone():
    x = pulses(120.0) * np.linspace(0.1, 1, 2 * RATE_HZ) + 0.01 * noise()
    soft, loud = frames.frames(x, RATE_HZ), frames.frames(4 * x, RATE_HZ)
    np.testing.assert_allclose(loud[:, ENERGY_DB] - soft[:, ENERGY_DB], 20 * np.log10(4), atol=1e-4)
    others = [k for k in range(len(COLUMNS)) if k != ENERGY_DB]
    # float32 spectra: some 1e-6 of 80 dB in 40 bands
    np.testing.assert_allclose(loud[:, others], soft[:, others], atol=2e-3)


@pytest.mark.parametrize("drift_hz", [0.0, 0.5, 10.0])
def test_an_offset_and_a_slow_drift_change_nothing(drift_hz):
    t = np.arange(2 * RATE_HZ) / RATE_HZ
    x = pulses(120.0) * (t % 0.5 < 0.4) + 0.001 * noise()  # with pauses, whose level an offset would raise most
    plain, moved = frames.frames(x, RATE_HZ), frames.frames(x + 0.05 * np.cos(2 * np.pi * drift_hz * t), RATE_HZ)
    # of 10 Hz the high-pass leaves 1.5e-4, which the ends of a clip see a little larger
    tolerance = np.where(np.arange(len(COLUMNS)) == VOICING, 0.02, 0.5) if drift_hz > 1 else 0.02
    assert (np.abs(moved - plain)[INSIDE][:, 1:] <= np.broadcast_to(tolerance, 23)[1:]).all()


def test_revision_1_measures_the_samples_as_they_are():
    x = np.float32(pulses(140.0, 0.5) + 0.05)
    old = frames.frames(x, RATE_HZ, revision=1)
    f0, voicing = frames.yin(x)
    np.testing.assert_array_equal(old[:, LOG_F0], np.log(f0).astype(np.float32))
    np.testing.assert_array_equal(old[:, VOICING], voicing.astype(np.float32))
    np.testing.assert_array_equal(old[:, 3:], frames.mfcc(x).astype(np.float32))
    silence = frames.frames(np.full(8_000, 0.05), RATE_HZ, revision=1)
    np.testing.assert_allclose(silence[INSIDE, ENERGY_DB], 20 * np.log10(0.05), atol=1e-3)


def test_energy_is_the_root_mean_square_in_decibels_of_full_scale():
    t = np.arange(RATE_HZ) / RATE_HZ
    x = frames.frames(np.sin(2 * np.pi * 250 * t), RATE_HZ)  # a window of 32 ms holds 8 whole periods
    np.testing.assert_allclose(x[INSIDE, ENERGY_DB], 20 * np.log10(np.sqrt(0.5)), atol=1e-3)


def test_a_minute_at_a_time_gives_the_same_as_all_at_once(monkeypatch):
    x = pulses(170.0, 3.0) + 0.3 * noise(3.0)
    whole = frames.frames(x, RATE_HZ)
    monkeypatch.setattr(frames, "BLOCK", 7)
    np.testing.assert_array_equal(frames.frames(x, RATE_HZ), whole)


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
def test_another_sampling_rate_gives_the_same_frames_where_it_holds_the_band(rate):
    x = pulses(140.0) + 0.1 * noise()
    x = soxr.resample(
        soxr.resample(x, RATE_HZ, 8_000, "VHQ"), 8_000, RATE_HZ, "VHQ"
    )  # nothing above 4 kHz, for all rates
    there = soxr.resample(x, RATE_HZ, rate, "VHQ")
    expected, got = frames.frames(x, RATE_HZ), frames.frames(there, rate)
    assert abs(len(got) - len(expected)) <= 1
    n = min(len(got), len(expected)) - 5
    np.testing.assert_allclose(got[5:n, LOG_F0], expected[5:n, LOG_F0], atol=0.01)
    np.testing.assert_allclose(got[5:n, ENERGY_DB], expected[5:n, ENERGY_DB], atol=0.2)


@pytest.mark.parametrize("n", [960, 961, 1_279, 1_280, 16_000])
def test_there_is_a_frame_every_20_ms_from_the_first_sample_on(n):
    assert frames.frames(noise(1.0)[:n], RATE_HZ).shape == (1 + n // HOP, len(COLUMNS))


@pytest.mark.parametrize(
    "x",
    [np.zeros(8_000), np.full(8_000, 0.5), np.r_[np.zeros(7_999), 1.0], 10 * np.sign(pulses(100.0)), 1e-5 * noise()],
    ids=["silence", "constant", "a click", "overdriven", "faint"],
)
def test_whatever_sounds_every_number_is_finite(x):
    out = frames.frames(x, RATE_HZ)
    assert np.isfinite(out).all()
    assert ((out[:, VOICING] >= 0) & (out[:, VOICING] <= 1)).all()


def test_another_pitch_is_refused_by_name():
    with pytest.raises(ValueError, match=r"pitch must be yin or pyin, got 'crepe'"):
        frames.frames(noise(), RATE_HZ, "crepe")
