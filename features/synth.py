"""Synthetic voices by a source-filter model, if no recordings are available: pulses of air through a moving vocal tract.

`draw_speaker` draws a speaker, `speak` synthesises a clip of made-up syllables, and `write_corpus` writes the clips of many
speakers into the tutorial's folders. All of it is determined by a seed. No person ever said it: write "synthetic" beside
every result that is based on it.

The vowels' formants, the mean and the spread of F0 by sex, the glottal pulse and the resonator are published (the sources
are given at each). All other ranges in `draw_speaker`, `utterance` and `speak` are our choice, for plausible speech.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
import soundfile
from numpy.typing import ArrayLike, NDArray
from scipy.signal import lfilter, sosfilt

from features.processes import set_apart

Array = NDArray[np.float64]
Hiss = tuple[float, float, float, float]  # a fricative or a stop's burst: start (s), end (s), centre (Hz), loudness

RATE = 16_000  # Hz
FRAME = 0.005  # s, the interval at which the vocal tract changes its shape
FOLDERS = {"male": "Male", "female": "Female"}  # the tutorial's

# Mean F1, F2, F3 (Hz) of the vowels i ɪ e ɛ æ ɑ ɔ o ʊ u ʌ ɝ, 45 men and 48 women: Hillenbrand, Getty, Clark & Wheeler
# (1995), JASA 97:3099, Table V. Peterson & Barney (1952), JASA 24:175, found the same ratio of the sexes.
VOWELS = {
    "male": np.array(
        [
            [342, 427, 476, 580, 588, 768, 652, 497, 469, 378, 623, 474],
            [2322, 2034, 2089, 1799, 1952, 1333, 997, 910, 1122, 997, 1200, 1379],
            [3000, 2684, 2691, 2605, 2601, 2522, 2538, 2459, 2434, 2343, 2550, 1710],
        ]
    ).T,  # (12, 3)
    "female": np.array(
        [
            [437, 483, 536, 731, 669, 936, 781, 555, 519, 459, 753, 523],
            [2761, 2365, 2530, 2058, 2349, 1551, 1136, 1035, 1225, 1105, 1426, 1588],
            [3372, 3053, 3047, 2979, 2972, 2815, 2824, 2828, 2827, 2735, 2933, 1929],
        ]
    ).T,  # (12, 3)
}
# Mean and SD of F0 (Hz) over the same study's tokens, 540 of men and 576 of women.
PITCH = {"male": (131.2, 22.0), "female": (220.4, 23.2)}
# Spreads between talkers, ours from that study's published measurements of each talker.
TRACT_SPREAD = 0.035  # SD of log(formants) by the tract's length: the part that 45 men's /æ/ and /ɑ/ share (0.034)
VOWEL_SPREAD = np.array([0.07, 0.06, 0.04])  # (3,) SD of log(F1 F2 F3) in one vowel, beyond the tract's length
BODY = 0.6  # loading of F0 and of the tract on body size; its square is their correlation (/æ/: men 0.39, women 0.31)
MOOD = 1.4  # semitones, SD of a clip's mean pitch about its speaker's; our choice

# A man's consonants (F1-F3, near the locus of an alveolar) and F4-F6; women's are higher by the ratio of the tables above.
LOCUS, UPPER = np.array([320.0, 1700.0, 2600.0]), np.array([3500.0, 4500.0, 5500.0])  # (3,) Hz each
FEMALE_RATIO = {"male": 1.0, "female": 1.17}
BANDWIDTHS = np.array([80.0, 100.0, 140.0, 220.0, 250.0, 300.0])  # (6,) Hz, in the range of Klatt (1980)

NOTICE = """These recordings are synthetic. Nobody said them, and no figure from them is a figure about people.

Model: source and filter, features/synth.py of lstm-engine. Seed: {seed}.
Sources: Hillenbrand, Getty, Clark & Wheeler (1995), JASA 97:3099, and Peterson & Barney (1952), JASA 24:175, vowels and
F0 by sex; Rosenberg (1971), JASA 49:583, glottal pulse; Klatt (1980), JASA 67:971, resonators; Klatt & Klatt (1990),
JASA 87:820, women's voices. Syllables, melody, pauses and noise are the model's own choices.
"""


@dataclass(frozen=True)
class Speaker:
    """The properties of one speaker's voice, the same in all of the speaker's clips."""

    name: str
    sex: str  # "male" or "female"
    f0: float  # Hz, median of the voice
    liveliness: float  # semitones: the fall over a phrase, and about the height of an accent
    tract: float  # formants relative to the mean of the sex; above 1 is a shorter tract
    jitter: float  # SD of a period, relative
    shimmer: float  # SD of a pulse's strength, relative
    open_quotient: float  # fraction of a period in which the glottis is open
    tilt: float  # Hz, corner frequency of the low-pass filter that softens the voice
    breath: float  # aspiration noise relative to the pulses, rms over rms
    pace: float  # 1 is about 4 syllables a second
    snr: float  # dB, speech over room noise


def draw_speaker(sex: str, name: str, rng: np.random.Generator) -> Speaker:
    """Draw one speaker of a sex: a small body tends to have a high voice and a short vocal tract, and the sexes overlap.

    Raises ValueError for a sex other than "male" and "female".
    """
    if sex not in PITCH:
        raise ValueError(f'sex is {sex!r}; the published tables have "male" and "female"')
    mean, sd = PITCH[sex]
    body, voice, tract = rng.standard_normal(3)
    rest, female = np.sqrt(1 - BODY**2), sex == "female"
    return Speaker(
        name=name,
        sex=sex,
        f0=float(mean * np.exp(sd / mean * (BODY * body + rest * voice) - (sd / mean) ** 2 / 2)),  # log-normal
        liveliness=rng.uniform(1.5, 4.0),
        tract=float(np.exp(TRACT_SPREAD * (BODY * body + rest * tract))),
        jitter=rng.uniform(0.003, 0.012),
        shimmer=rng.uniform(0.02, 0.08),
        open_quotient=rng.uniform(0.5, 0.7) + 0.1 * female,  # women's voices: more open and breathier
        tilt=rng.uniform(2000.0, 4000.0),
        breath=rng.uniform(0.02, 0.06) * (1.5 if female else 1.0),  # (Klatt & Klatt 1990, JASA 87:820)
        pace=rng.uniform(0.8, 1.25),
        snr=rng.uniform(15.0, 35.0),
    )


def utterance(speaker: Speaker, seconds: float, rng: np.random.Generator) -> tuple[Array, list[Hiss]]:
    """Draw phrases of made-up syllables with pauses between: (knots (K, 6), hisses).

    A knot is: time (s), F1, F2, F3 (Hz), loudness of the voice, pitch (semitones about the speaker's median). Between knots
    the values are interpolated linearly.
    """
    knots, hisses = [], []
    locus = LOCUS * FEMALE_RATIO[speaker.sex] * speaker.tract  # (3,)
    t = rng.uniform(0.05, 0.3)
    while t < seconds:
        effort, syllables = rng.uniform(0.7, 1.0), rng.integers(4, 11)
        knots.append((t - 0.02, *locus, 0.0, speaker.liveliness / 2))
        for declination in speaker.liveliness * np.linspace(0.5, -0.5, syllables):
            length = rng.uniform(0.05, 0.11) / speaker.pace
            consonant, voice = rng.choice(["stop", "fricative", "sonorant"]), 0.0
            if consonant == "stop":
                hisses.append((t + length - 0.015, t + length, rng.uniform(1000, 5000), rng.uniform(0.3, 1.0)))
            elif consonant == "fricative":
                hisses.append((t, t + length, rng.uniform(2500, 6500), rng.uniform(0.05, 0.4)))
            else:
                voice = 0.35 * effort
            knots += [(at, *locus, voice, declination) for at in (t + 0.015, t + length - 0.01)]
            t += length

            length = rng.uniform(0.08, 0.25) / speaker.pace
            vowel = rng.choice(VOWELS[speaker.sex]) * speaker.tract * np.exp(VOWEL_SPREAD * rng.standard_normal(3))
            accent = speaker.liveliness * rng.uniform(0.5, 1.5) * (rng.random() < 0.4)
            voice = effort * rng.uniform(0.6, 1.0)
            for part, rise in ((0.25, 0.0), (0.5, accent), (0.75, 0.0)):
                knots.append((t + part * length, *vowel, voice, declination + rise))
            t += length
        knots.append((t + 0.04, *locus, 0.0, -speaker.liveliness / 2))
        t += rng.uniform(0.15, 0.5)
    return np.array(knots), hisses


def glottal_flow(f0: Array, voice: Array, speaker: Speaker, rng: np.random.Generator, rate: int) -> Array:
    """Air flow through the glottis (n,): a pulse u²(1 - u) in each period (Rosenberg 1971, JASA 49:583), no two alike.

    f0 (n,) in Hz and voice (n,), the loudness, at each sample; rate in Hz.
    """
    phase = np.cumsum(f0) / rate  # (n,) periods so far, without jitter
    pulses = int(1.1 * phase[-1]) + 20  # a few to spare for jitter
    ends = np.cumsum(np.maximum(0.5, 1 + speaker.jitter * rng.standard_normal(pulses)))  # (pulses,) in periods
    strength = 1 + speaker.shimmer * rng.standard_normal(pulses)  # (pulses,)
    k = np.searchsorted(ends, phase, side="right")  # (n,) the number of each sample's pulse
    starts = np.append(0.0, ends)  # (pulses + 1,)
    u = (phase - starts[k]) / (ends[k] - starts[k]) / speaker.open_quotient  # (n,) from 0 at opening to 1 at closure
    return voice * strength[k] * np.where(u < 1, u**2 * (1 - u), 0.0)


def resonators(frequencies: ArrayLike, bandwidths: ArrayLike, rate: int) -> Array:
    """Klatt's second-order resonators (1980, JASA 67:971), y = A x + B y' + C y'': sections (..., 6) for `sosfilt`."""
    radius = np.exp(-np.pi * np.asarray(bandwidths) / rate)
    b = 2 * radius * np.cos(2 * np.pi * np.asarray(frequencies) / rate)
    c = -(radius**2) + 0 * b
    return np.stack([1 - b - c, 0 * b, 0 * b, 1 + 0 * b, -b, -c], axis=-1)


def vocal_tract(source: Array, formants: Array, rate: int) -> Array:
    """Filter the source (n,) by a cascade of resonators at formants (frames, 6) in Hz, one row every FRAME seconds."""
    # F1 comes last: the other resonators would amplify its small jumps from frame to frame to clicks.
    sections = resonators(formants[:, ::-1], BANDWIDTHS[::-1], rate)  # (frames, 6, 6)
    state = np.zeros((len(BANDWIDTHS), 2))  # the filters' state, passed on to the next frame
    sound, hop = np.empty_like(source), round(FRAME * rate)
    for i, section in enumerate(sections):
        frame = slice(i * hop, (i + 1) * hop)
        sound[frame], state = sosfilt(section, source[frame], zi=state)
    return sound


def hissing(hisses: list[Hiss], n: int, speaker: Speaker, rng: np.random.Generator, rate: int) -> Array:
    """Fricatives and bursts (n,): noise through one broad resonance, that of the cavity in front of the tongue."""
    sound = np.zeros(n)
    for start, end, centre, loudness in hisses:
        length = round((end - start) * rate)
        cavity = resonators([centre * speaker.tract], 1200.0, rate)  # (1, 6)
        noise = sosfilt(cavity, np.hanning(length) * rng.standard_normal(length))  # (length,)
        inside = sound[round(start * rate) :][: len(noise)]  # a view; the clip may end before the hiss does
        inside += loudness * noise[: len(inside)] / rms(noise)
    return sound


def rms(x: Array) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(x**2)))


def speak(speaker: Speaker, seconds: float, rng: np.random.Generator, rate: int = RATE) -> NDArray[np.float32]:
    """Synthesise one clip: samples (seconds * rate,) float32 within [-1, 1], about 20 dB below full scale.

    Further calls give further clips of the speaker. Raises ValueError for less than 0.5 s, and for a rate below 16 kHz,
    because the model has resonances up to 7 kHz.
    """
    if seconds < 0.5 or rate < RATE:
        raise ValueError(f"got {seconds} s at {rate} Hz; at least 0.5 s and {RATE} Hz are needed")
    n = round(seconds * rate)
    knots, hisses = utterance(speaker, seconds, rng)  # (K, 6)
    f1_f2_f3, loudness, tone = knots[:, 1:4].T, knots[:, 4], knots[:, 5]

    t = np.arange(n) / rate  # (n,) s
    voice = np.interp(t, knots[:, 0], loudness, left=0.0)  # (n,)
    semitones = np.interp(t, knots[:, 0], tone)  # (n,)
    semitones += rng.normal(0.0, MOOD) - np.median(semitones[voice > 0])
    flow = glottal_flow(speaker.f0 * 2 ** (semitones / 12), voice, speaker, rng, rate)  # (n,)
    pole = np.exp(-2 * np.pi * speaker.tilt / rate)
    # (n,) the lips radiate the derivative of the flow
    pulses = lfilter([1 - pole], [1, -pole], np.diff(flow, prepend=0.0))
    breath = voice * (1 + flow / flow.max()) * rng.standard_normal(n)  # (n,) more while the glottis is open
    source = pulses + speaker.breath * rms(pulses) / rms(breath) * breath  # (n,)

    frames = t[:: round(FRAME * rate)]  # (frames,) s
    moving = [np.interp(frames, knots[:, 0], formant) for formant in f1_f2_f3]
    fixed = [np.full(len(frames), formant) for formant in UPPER * FEMALE_RATIO[speaker.sex] * speaker.tract]
    voiced = vocal_tract(source, np.stack(moving + fixed, axis=1), rate)  # (n,)

    speech = voiced / rms(voiced[voice > 0]) + hissing(hisses, n, speaker, rng, rate)  # (n,)
    room = lfilter([1.0], [1.0, -0.7], rng.standard_normal(n))  # (n,) mostly low frequencies
    clip = speech / rms(speech) + 10 ** (-speaker.snr / 20) * room / rms(room)  # (n,)
    clip *= 10 ** (rng.normal(-21.0, 2.0) / 20)
    return (clip / max(1.0, np.abs(clip).max() / 0.95)).astype(np.float32)


def write_corpus(
    out: str | Path,
    speakers: int = 48,
    test_speakers: int = 12,
    clips: int = 4,
    seconds: float = 5.0,
    seed: int = 0,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write a corpus in the tutorial's layout, 16-bit WAV at 16 kHz: Male/m000/m000_0.wav, Female, Male Test, Female Test.

    speakers, test_speakers: the number of each sex; test speakers are other individuals. clips: of each speaker. seconds:
    length of each clip. A file depends on its name, `seconds` and `seed`, not on `jobs`, the number of worker processes.
    `progress(done, total)` counts clips. Raises FileExistsError if `out` is not empty, ValueError for a corpus without
    speakers or clips.
    """
    if speakers < 1 or test_speakers < 0 or clips < 1:
        raise ValueError(
            f"got {speakers} + {test_speakers} speakers, {clips} clips each; at least 1 + 0 and 1 are needed"
        )
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    if any(out.iterdir()):
        raise FileExistsError(f"{out} is not empty: name a new folder, or empty this one first")
    (out / "SYNTHETIC.txt").write_text(NOTICE.format(seed=seed), encoding="utf-8")
    work = (
        joblib.delayed(_write_speaker)(out, sex, i, i >= speakers, clips, seconds, seed)
        for sex in FOLDERS
        for i in range(speakers + test_speakers)
    )
    total = 2 * (speakers + test_speakers) * clips
    with set_apart():  # with the call the workers start
        written = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered")(work)
    for done, _ in enumerate(written, start=1):
        if progress:
            progress(done * clips, total)


def _write_speaker(out: Path, sex: str, i: int, test: bool, clips: int, seconds: float, seed: int) -> None:
    def generator(clip: int) -> np.random.Generator:
        return np.random.default_rng([seed, list(FOLDERS).index(sex), i, clip])  # through a SeedSequence

    speaker = draw_speaker(sex, f"{sex[0]}{i:03d}", generator(0))
    folder = out / (FOLDERS[sex] + " Test" * test) / speaker.name
    folder.mkdir(parents=True)
    for clip in range(clips):
        samples = speak(speaker, seconds, generator(clip + 1))  # (n,)
        soundfile.write(folder / f"{speaker.name}_{clip}.wav", samples, RATE, subtype="PCM_16")
