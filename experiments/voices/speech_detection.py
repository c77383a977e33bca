"""How often `features.speech` finds speech: `python -m experiments.voices.speech_detection CORPUS`

CORPUS has readings. They are measured unchanged, and with noise, reverberation or a telephone's band; sounds other than
speech are synthesised here. No model is needed: the rule does not depend on the sex. docs/voices.md has the table.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import joblib
import librosa
import numpy as np
import pandas as pd
from scipy.signal import lfilter

from experiments.voices.cross_corpus import of_part
from experiments.voices.measure import corpus_source
from features.audio import check_samples, read_clip
from features.augment import TELEPHONE, VOICES, Hum, Noise, Reverb, Step
from features.corpora import Utterance
from features.frames import frames
from features.speech import ENOUGH_S, FRAME_S, LEAST_S, find_speech

RATE, SECONDS = 16_000, 5.0
N = round(RATE * SECONDS)
TIMES = np.arange(N) / RATE  # in s
DRAWS = 50
VERDICTS = ("speech", "too little", "no speech")
Draw = Callable[[np.random.Generator], np.ndarray]

CHANGES: dict[str, Step | None] = {
    "as they are": None,
    "in white noise, 10 dB": Noise((10.0, 10.0), (0.0, 0.0)),
    "in pink noise, 10 dB": Noise((10.0, 10.0), (1.0, 1.0)),
    "in brown noise, 10 dB": Noise((10.0, 10.0), (2.0, 2.0)),
    "in white noise, 5 dB": Noise((5.0, 5.0), (0.0, 0.0)),
    "with hum, 20 dB": Hum((20.0, 20.0)),
    "in a bare room (0.6 s, 3 dB)": Reverb((0.6, 0.6), (3.0, 3.0)),
    "through a telephone": TELEPHONE,
    "changed as for training": VOICES,
}


def verdict(samples: np.ndarray, rate: int, pitch: str) -> str:
    """One of VERDICTS for samples (n,) of at most half a minute, with the pitch by "yin" or "pyin"."""
    voice_s = find_speech(frames(samples, rate, pitch), pitch).voice.sum() * FRAME_S
    return VERDICTS[0] if voice_s >= ENOUGH_S else VERDICTS[1] if voice_s >= LEAST_S else VERDICTS[2]


# -- sounds other than speech, (N,) at 16 kHz -------------------------------------------------------------------------


def noise(slope: float) -> Draw:
    """Noise whose power falls as 1 / f^slope: 0 is white, 1 pink, 2 brown."""

    def draw(rng: np.random.Generator) -> np.ndarray:
        f = np.maximum(np.fft.rfftfreq(N, 1 / RATE), 20)
        return np.fft.irfft(np.fft.rfft(rng.standard_normal(N)) * f ** (-slope / 2), N)

    return draw


def harmonics(f0: float | np.ndarray, rng: np.random.Generator, count: int = 10) -> np.ndarray:
    """(n,) partials of amplitude 1/k over a pitch f0 in Hz, a number or one for each sample (n,)."""
    f0 = np.broadcast_to(f0, N if np.ndim(f0) == 0 else np.shape(f0))
    phase = 2 * np.pi * np.cumsum(f0) / RATE
    return sum(
        np.sin(k * phase + rng.uniform(0, 2 * np.pi)) / k for k in range(1, count + 1) if k * f0.max() < RATE / 2
    )


def hum(mains: float) -> Draw:
    return lambda rng: sum(
        rng.random() / k * np.sin(2 * np.pi * k * mains * TIMES + rng.uniform(0, 6)) for k in range(1, 7)
    )


def melody(voices: int, decay_s: float | None, vibrato: float) -> Draw:
    """Notes of a scale, `voices` at once: struck and decaying within decay_s, or held if None; vibrato in semitones."""

    def draw(rng: np.random.Generator) -> np.ndarray:
        sound, at, root = np.zeros(N), 0, rng.uniform(100, 260)
        while at < N:
            length = round(rng.uniform(0.2, 0.6) * RATE)
            times = np.arange(length) / RATE  # of the note, in s
            end = np.exp(-times / decay_s) if decay_s else np.minimum(1, (times[-1] - times) / 0.03)
            envelope = np.minimum(1, times / 0.01) * end
            for step in (0, 4, 7)[:voices]:
                semitones = rng.choice([0, 2, 4, 5, 7, 9, 11, 12]) + step + vibrato * np.sin(2 * np.pi * 5.5 * times)
                note = envelope * harmonics(root * 2 ** (semitones / 12), rng, 12)
                sound[at : at + length] += note[: N - at]
            at += length
        return sound

    return draw


def bursts(
    count: tuple[int, int], sound: Callable[[np.ndarray, np.random.Generator], np.ndarray], length_s: float
) -> Draw:
    """Short sounds at random times; sound(times in s (k,), rng) -> (k,)."""

    def draw(rng: np.random.Generator) -> np.ndarray:
        x, times = np.zeros(N), np.arange(round(length_s * RATE)) / RATE
        for at in rng.integers(0, N - len(times), rng.integers(*count)):
            x[at : at + len(times)] += sound(times, rng)
        return x

    return draw


def siren(rng: np.random.Generator) -> np.ndarray:
    return harmonics(rng.uniform(200, 600) * 2 ** (0.6 * np.sin(2 * np.pi * rng.uniform(0.2, 0.8) * TIMES)), rng, 4)


def engine(rng: np.random.Generator) -> np.ndarray:
    f0 = rng.uniform(70, 160)
    turning = harmonics(f0 * (1 + 4e-4 * lfilter([1], [1, -0.9995], rng.standard_normal(N))), rng, 15)
    return turning * (1 + 0.3 * np.sin(2 * np.pi * f0 / 4 * TIMES)) + 0.1 * noise(1.5)(rng) / noise(1.5)(rng).std()


OTHERS: dict[str, Draw] = {
    "white noise": noise(0.0),
    "pink noise": noise(1.0),
    "brown noise": noise(2.0),
    "noise that swells": lambda rng: noise(1.0)(rng) * np.maximum(
        0, lfilter([1], [1, -0.9996], rng.standard_normal(N))),
    "clicks": bursts((3, 40), lambda t, rng: np.r_[rng.uniform(-1, 1), np.zeros(len(t) - 1)], 0.01),
    "typing": bursts((8, 30), lambda t, rng: rng.standard_normal(len(t)) * np.exp(-t / 0.01), 0.05),
    "knocks": bursts((3, 8), lambda t, rng: np.sin(2 * np.pi * rng.uniform(80, 200) * t) * np.exp(-t / 0.03), 0.2),
    "birds": bursts((6, 15), lambda t, rng: np.hanning(len(t)) * np.sin(
        2 * np.pi * (rng.uniform(2_500, 4_500) * t + rng.uniform(-4_000, 4_000) * t**2)), 0.15),
    "hum, 50 Hz": hum(50.0),
    "hum, 60 Hz": hum(60.0),
    "a pure tone": lambda rng: np.sin(2 * np.pi * np.exp(rng.uniform(*np.log((70, 3_000)))) * TIMES),
    "a siren": siren,
    "an engine": engine,
    "piano, a melody": melody(1, 0.3, 0.0),
    "piano, chords": melody(3, 0.4, 0.0),
    "organ, a melody": melody(1, None, 0.0),
    "organ, chords": melody(3, None, 0.0),
    "violin with vibrato": melody(1, None, 0.3),
}  # fmt: skip


def recorded(draw: Draw, rng: np.random.Generator) -> np.ndarray:
    """The sound at -40 to -10 dB of full scale, over a room's noise 20 to 50 dB below it."""
    sound, room = draw(rng), noise(1.0)(rng)
    level, below = rng.uniform(-40, -10), rng.uniform(20, 50)
    mixed = 10 ** (level / 20) * (sound / sound.std() + 10 ** (-below / 20) * room / room.std())
    return mixed / max(1, np.abs(mixed).max())


def whispered(x: np.ndarray, rate: int, rng: np.random.Generator) -> np.ndarray:
    """The clip whispered: every 20 ms, noise filtered by the linear prediction of that part of the clip.

    The resonances are widened by 155 Hz at 16 kHz: narrow ones would lie on the voice's harmonics and keep its pitch.
    """
    k, wider = round(0.02 * rate), 0.97 ** np.arange(17)
    y, state = np.zeros_like(x), np.zeros(16)
    for at in range(0, len(x) - k, k):
        part = x[at : at + k]
        if part.std() > 1e-6:
            a = wider * librosa.lpc(part * np.hanning(k), order=16)
            filtered, state = lfilter([1], a, rng.standard_normal(k), zi=state)
            y[at : at + k] = filtered * part.std() / max(filtered.std(), 1e-9)
    return y


# -- the table ---------------------------------------------------------------------------------------------------------


def real(clip: Utterance, number: int, pitch: str) -> list[tuple[str, str]]:
    """(change, verdict) for one clip, unchanged and by every change."""
    x, rate = read_clip(clip.path, clip.start_s, clip.end_s)
    verdicts = []
    for k, (name, step) in enumerate(CHANGES.items()):
        changed = x if step is None else step(x, rate, np.random.default_rng([number, k]))
        verdicts.append((f"readings, {name}", verdict(changed, rate, pitch)))
    whisper = whispered(x, rate, np.random.default_rng([number, 99]))
    return [*verdicts, ("readings, whispered", verdict(whisper, rate, pitch))]


def made(seed: int, pitch: str) -> list[tuple[str, str]]:
    """(sound, verdict) for one draw of each sound other than speech."""
    sounds = {name: recorded(draw, np.random.default_rng([seed, k])) for k, (name, draw) in enumerate(OTHERS.items())}
    return [(name, verdict(check_samples(sound, RATE, name), RATE, pitch)) for name, sound in sounds.items()]


def rates(corpus: str | Path, jobs: int = 1, draws: int = DRAWS, pitch: str = "yin", part: str = "all") -> pd.DataFrame:
    """One row a sound: how many clips got each verdict. part: "all" readings, or those of one split, such as "dev"."""
    clips, work = corpus_source(corpus).clips, joblib.Parallel(n_jobs=jobs)
    clips = [clips[n] for n in of_part([clip.split for clip in clips], part)]
    verdicts = work(joblib.delayed(real)(clip, n, pitch) for n, clip in enumerate(clips))
    verdicts += work(joblib.delayed(made)(seed, pitch) for seed in range(draws))
    table = pd.DataFrame([pair for pairs in verdicts for pair in pairs], columns=["sound", "verdict"])
    counts = pd.crosstab(table["sound"], table["verdict"]).reindex(columns=VERDICTS, fill_value=0)
    return counts.loc[table["sound"].unique()]


def main() -> None:
    """How often speech is found, as a table in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m experiments.voices.speech_detection", description=main.__doc__)
    parser.add_argument("corpus", help="a corpus that `features` reads, such as librispeech_251/metadata.csv")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--pitch", default="yin", choices=["yin", "pyin"])
    parser.add_argument("--part", default="all", help="only the readings of this split, such as dev")
    options = parser.parse_args()
    print(f"| clips of | {' | '.join(VERDICTS)} |\n|---|{'---|' * len(VERDICTS)}")
    for name, row in rates(options.corpus, options.jobs, pitch=options.pitch, part=options.part).iterrows():
        print(f"| {name} | {' | '.join(str(v) if v else '' for v in row)} |")


if __name__ == "__main__":
    main()
