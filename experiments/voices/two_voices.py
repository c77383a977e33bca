"""How often `changes` finds a change of voice, and how often it finds one that is not there.

`python -m experiments.voices.two_voices CORPUS` joins recordings of readers whom the network has not heard: five networks,
each for a fold of the training speakers. For each fold, the evidence that a way asks for is chosen on the other four, so that
at most MOST of their single readers become two. docs/voices.md has the table.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from unittest.mock import patch

import numpy as np
import pandas as pd

from experiments.voices import changes
from experiments.voices.changes import EVIDENCE, Segment, heard, joined, segments
from experiments.voices.clip_model import ClipModel, spoken
from experiments.voices.evaluation import fit_temperature
from experiments.voices.measure import corpus_source
from experiments.voices.search import CHOSEN, FOLDS, measured
from features.audio import read_clip
from features.dataset import speaker_folds
from features.frames import LOG_F0, RATE_HZ, frames
from features.speech import find_speech

PART_S, NEAR_S = 4.0, 0.5
MOST = 0.03  # of the single readers may become two
GRID = np.arange(30.0, 400.0, 5.0)  # of evidence
WINDOW, STEP = 75, 5  # frames, of the way "windows"
SINGLE, MIXED, DIALOGUE = "one reader, the whole clip", "a man and a woman", "a man and a woman, 8 turns"
Way = Callable[[ClipModel, np.ndarray, np.ndarray], list[Segment]]


@dataclass(frozen=True)
class Joined:
    """A joined recording: its kind, the fold of its readers, frames (T, D), voice (T,) bool, and its joints in s."""

    kind: str
    fold: int
    x: np.ndarray
    voice: np.ndarray
    joints: list[float]


def join(kind: str, fold: int, sounds: Sequence[np.ndarray]) -> Joined:
    """Sounds (n,) at RATE_HZ, one after the other."""
    x = frames(np.concatenate(sounds), RATE_HZ)
    joints = np.cumsum([len(s) for s in sounds])[:-1] / RATE_HZ
    return Joined(kind, fold, x, find_speech(x, "yin").voice, joints.tolist())


def recordings(sounds: Sequence[np.ndarray], labels: np.ndarray, fold: np.ndarray, seed: int = 0) -> list[Joined]:
    """Of the readers of each fold: pairs of parts of PART_S, dialogues of such parts, and the clips themselves."""
    rng, length, made = np.random.default_rng(seed), round(PART_S * RATE_HZ), []

    def part(n: int) -> np.ndarray:
        start = rng.integers(len(sounds[n]) - length + 1)
        return sounds[n][start : start + length]

    long = np.array([len(s) >= length for s in sounds])
    for k in range(FOLDS):
        men, women = (np.flatnonzero((fold == k) & (labels == sex) & long) for sex in (1, 0))
        for i, man in enumerate(men):
            for j in range(i, i + 3):  # in both orders
                pair = (man, women[j % len(women)])
                made.append(join(MIXED, k, [part(n) for n in (pair if j % 2 else pair[::-1])]))
        for man, woman in zip(men[::4], women[::4], strict=False):
            made.append(join(DIALOGUE, k, [part(n) for _ in range(4) for n in (man, woman)]))
        for kind, group in (("two men", men), ("two women", women)):
            made += [join(kind, k, [part(n), part(group[i - 1])]) for i, n in enumerate(group)]
        made += [join(SINGLE, k, [sounds[n]]) for n in np.flatnonzero(fold == k)]
    return made


# -- the ways ----------------------------------------------------------------------------------------------------------


def both_sides(model: ClipModel, x: np.ndarray, voice: np.ndarray) -> list[Segment]:
    """The shipped way, with all borders that any evidence of GRID may choose."""
    return segments(model, x, voice, GRID[0])


def both_sides_alone(model: ClipModel, x: np.ndarray, voice: np.ndarray) -> list[Segment]:
    """The same without the change of the spectrum's statistics."""
    with patch.object(changes, "likelihood_ratio", lambda shape, on, low, at, high: np.zeros(len(at))):
        return both_sides(model, x, voice)


def by_turns(z: np.ndarray, voice: np.ndarray) -> list[Segment]:
    """Segments of one sign of the log-odds z (T,), smoothed over a second of voice; `joined` then asks for evidence."""
    on = np.flatnonzero(voice & ~np.isnan(z))
    if not len(on):
        return []
    smooth = pd.Series(z[on]).rolling(50, center=True, min_periods=1).mean().to_numpy()
    edges = [0, *(np.flatnonzero(np.diff(np.sign(smooth))) + 1), len(on)]
    return [Segment(on[a], on[b - 1] + 1, b - a, float(z[on[a:b]].mean())) for a, b in pairwise(edges)]


def one_pass(model: ClipModel, x: np.ndarray, voice: np.ndarray) -> list[Segment]:
    """The log-odds at each frame, of the network over the whole recording."""
    z = np.full(len(x), np.nan)
    z[spoken(voice)] = model.frame_log_odds(x[spoken(voice)]) / model.temperature
    return by_turns(z, voice)


def windows(model: ClipModel, x: np.ndarray, voice: np.ndarray) -> list[Segment]:
    """The log-odds of the 1.5 s around each frame, heard apart."""
    middles = np.arange(0, len(x), STEP)
    spans = [(max(m - WINDOW // 2, 0), min(m + WINDOW // 2 + 1, len(x))) for m in middles]
    able = [k for k, (a, b) in enumerate(spans) if voice[a:b].any()]
    z = heard(model, x, voice, [spans[k] for k in able]) if able else []
    return by_turns(np.interp(np.arange(len(x)), middles[able], z), voice) if able else []


def pitch_alone(model: ClipModel, x: np.ndarray, voice: np.ndarray) -> list[Segment]:
    """Log-odds of F0 alone: 0 at 165 Hz, and 2.6 for a fourth of an octave."""
    return by_turns(15 * (np.log(165) - x[:, LOG_F0]), voice)


WAYS: dict[str, Way] = {
    "both sides heard apart, and the spectrum": both_sides,
    "both sides heard apart": both_sides_alone,
    "windows of 1.5 s heard apart": windows,
    "one pass over the whole": one_pass,
    "the pitch alone": pitch_alone,
}


# -- the table ---------------------------------------------------------------------------------------------------------


def verdicts(made: Sequence[Joined], found: Sequence[list[Segment]], least: float) -> pd.DataFrame:
    """A row a recording: kind, fold, whether it is called several voices, joints, of them hit within NEAR_S, others found.

    right: every joint is hit, and nothing else is found.
    """
    rows = []
    for recording, parts in zip(made, found, strict=True):
        at = np.array([a.change(b) for a, b in pairwise(joined(parts, least))])
        hit = sum(bool((np.abs(at - joint) <= NEAR_S).any()) for joint in recording.joints)
        joints = len(recording.joints)
        rows.append((recording.kind, recording.fold, len(at) > 0, joints, hit, len(at) - hit, hit == joints == len(at)))
    return pd.DataFrame(rows, columns=["kind", "fold", "several", "joints", "hit", "others", "right"])


def by_other_folds(made: Sequence[Joined], found: Sequence[list[Segment]]) -> pd.DataFrame:
    """`verdicts` of each fold with the lowest evidence of GRID that keeps MOST on the other folds."""
    tried, folds = [verdicts(made, found, least) for least in GRID], []
    for k in range(FOLDS):
        alone = [rows[(rows.fold != k) & (rows.kind == SINGLE)].several.mean() <= MOST for rows in tried]
        if not any(alone):
            raise ValueError(f"no evidence up to {GRID[-1]} leaves the single readers single")
        rows = tried[alone.index(True)]
        folds.append(rows[rows.fold == k].assign(evidence=GRID[alone.index(True)]))
    return pd.concat(folds)


def table(made: Sequence[Joined], models: Sequence[ClipModel]) -> pd.DataFrame:
    """A row for each way and kind of recording, over all folds; the last ones with the shipped evidence."""
    rows = []

    def judged(name: str, every: pd.DataFrame) -> None:
        asked = " to ".join(f"{e:g}" for e in sorted({every.evidence.min(), every.evidence.max()}))
        for kind, group in every.groupby("kind", sort=False):
            sums = group[["joints", "hit", "others"]].sum().tolist()
            rows.append((name, asked, kind, len(group), group.several.mean(), group.right.mean(), *sums))

    shipped = [segments(models[r.fold], r.x, r.voice) for r in made]
    judged("as shipped", verdicts(made, shipped, EVIDENCE).assign(evidence=EVIDENCE))
    for name, way in WAYS.items():
        judged(name, by_other_folds(made, [way(models[r.fold], r.x, r.voice) for r in made]))
    return pd.DataFrame(rows, columns=["way", "evidence", "of", "count", "several", "right", "joints", "hit", "others"])


def main() -> None:
    """How often a change of voice is found, as a table in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m experiments.voices.two_voices", description=main.__doc__)
    parser.add_argument("corpus", help="librispeech_251/metadata.csv: only speakers of its split `train` are used")
    parser.add_argument("--work", default="runs/voice_search", help="folder for the measured features")
    parser.add_argument("--seed", type=int, default=0, help="draw of the folds, the weights and the parts")
    options = parser.parse_args()
    variants = measured(options.corpus, options.work)
    variants = [v.take(np.isin(variants[0].splits, ["train", ""])) for v in variants]
    clips, files = variants[0], {clip.path.name: clip.path for clip in corpus_source(options.corpus).clips}
    sounds = [read_clip(files[path.rsplit("/", 1)[-1]])[0] for path in clips.paths]
    fold = speaker_folds(clips.labels, clips.speakers, FOLDS, options.seed, clips.paths)
    models, log_odds = [], np.zeros(len(clips))
    for k in range(FOLDS):
        models.append(CHOSEN.trained([v.take(fold != k) for v in variants], options.seed))
        log_odds[fold == k] = models[k].log_odds(clips.take(fold == k))
    for model in models:
        model.network.metadata["temperature"] = fit_temperature(log_odds, clips.labels)
    rows = table(recordings(sounds, clips.labels, fold, options.seed), models)
    print(f"| {' | '.join(rows.columns)} |\n|{'---|' * len(rows.columns)}")
    for row in rows.itertuples(index=False):
        print(f"| {' | '.join(f'{v:.3f}' if isinstance(v, float) else str(v) for v in row)} |")


if __name__ == "__main__":
    main()
