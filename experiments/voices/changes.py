"""Where a recording's voice changes between male and female: the stretches of the answer "more than one voice".

For `judge`. At a change two things happen: the spectrum's statistics change, as in the Bayesian information criterion for
speaker changes (Chen & Gopalakrishnan 1998), and the network, which hears the sound before and after it separately, says male
on one side and female on the other. One pass over the whole would not do: its states carry a voice across the change. Two
voices of one sex count as one. `python -m experiments.voices.two_voices` measures how often this is right.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from scipy.special import expit

from experiments.voices.clip_model import ClipModel, loud, spoken
from features.frames import ENERGY_DB, N_MFCC
from features.speech import FRAME_S

SEVERAL = "more than one voice"
STEP, CONTEXT = 5, 200  # frames: a border is tried every 0.1 s, by the 4 s before it and the 4 s after it
VOICED = 20  # frames (0.4 s) of voice that either side of a border needs
EVIDENCE = 36.0  # of either side: the sum of its voiced frames' log-odds
ENOUGH = 80  # voiced frames of a side that count
WEIGHT = 0.15  # of the evidence beside the spectrum's log likelihood ratio
FLOOR = 0.01  # of each coefficient's variance, added to it: a few frames do not span 20 dimensions
MFCC = slice(ENERGY_DB + 1, ENERGY_DB + 1 + N_MFCC)
SHOWN = 4  # stretches that fit into a line


@dataclass(frozen=True)
class Part:
    """A stretch of a recording with one kind of voice, and the probability of male in it."""

    start_s: float
    end_s: float
    label: str
    probability: float


@dataclass(frozen=True)
class Segment:
    """Frames from start to before stop, `voiced` of them voiced, and the network's mean log-odds z of male over those."""

    start: int
    stop: int
    voiced: int
    z: float

    def change(self, following: "Segment") -> float:
        """The time in s at which the voice changes to the following segment's."""
        return (self.stop + following.start) / 2 * FRAME_S

    def later(self, frames: int) -> "Segment":
        """The same, so many frames later."""
        return replace(self, start=self.start + frames, stop=self.stop + frames)


def evidence(n1: np.ndarray, z1: np.ndarray, n2: np.ndarray, z2: np.ndarray) -> np.ndarray:
    """For two sexes on two sides of n voiced frames and mean log-odds z each: of the weaker side; 0 if both say the same.

    More than ENOUGH frames count no more: half a minute of doubt is no evidence.
    """
    weaker = np.minimum(np.minimum(n1, ENOUGH) * np.abs(z1), np.minimum(n2, ENOUGH) * np.abs(z2))
    return np.where(z1 * z2 < 0, weaker, 0.0)


def segments(model: ClipModel, x: np.ndarray, voice: np.ndarray, least: float = EVIDENCE) -> list[Segment]:
    """The segments of frames x (T, D) between changes; voice (T,) bool: where somebody speaks, perhaps nowhere.

    least: the evidence that a change needs.
    """
    if not voice.any():
        return []
    start, stop, _ = spoken(voice).indices(len(x))
    spans = divided(model, x, voice, start, stop, least)
    means = heard(model, x, voice, spans)
    return [Segment(a, b, int(voice[a:b].sum()), z) for (a, b), z in zip(spans, means, strict=True)]


def divided(
    model: ClipModel, x: np.ndarray, voice: np.ndarray, start: int, stop: int, least: float
) -> list[tuple[int, int]]:
    """From start to stop as spans (from, to): divided at its best border, if that has the evidence, and so each half again.

    Only the best border is asked for evidence: of the many others, some would have it by chance.
    """
    border = best_border(model, x[start:stop], voice[start:stop], least)
    if border is None:
        return [(start, stop)]
    middle = start + border
    return divided(model, x, voice, start, middle, least) + divided(model, x, voice, middle, stop, least)


def heard(model: ClipModel, x: np.ndarray, voice: np.ndarray, spans: Sequence[tuple[int, int]]) -> list[float]:
    """The mean log-odds over the voiced frames of each span (from, to) of x (T, D), heard alone, after the temperature."""
    answers = model.all_frames([x[a:b] for a, b in spans])
    means = [np.mean(z[voice[a:b]] if len(z) > 1 else z) for (a, b), z in zip(spans, answers, strict=True)]
    return [float(z) / model.temperature for z in means]


def best_border(model: ClipModel, x: np.ndarray, voice: np.ndarray, least: float) -> int | None:
    """The frame of x (T, D) at which the voice most likely changes; None if its evidence is below `least`."""
    count = np.r_[0, np.cumsum(voice)]
    at = np.arange(STEP, len(x), STEP)
    low, high = np.maximum(at - CONTEXT, 0), np.minimum(at + CONTEXT, len(x))
    n1, n2 = count[at] - count[low], count[high] - count[at]
    able = np.minimum(n1, n2) >= VOICED
    at, low, high, n1, n2 = at[able], low[able], high[able], n1[able], n2[able]
    if not len(at):
        return None
    z = np.array(heard(model, x, voice, [*zip(low, at, strict=True), *zip(at, high, strict=True)]))
    found = evidence(n1, z[: len(at)], n2, z[len(at) :])
    k = int(np.argmax(likelihood_ratio(x[:, MFCC], loud(x), low, at, high) + WEIGHT * found))
    return int(at[k]) if found[k] >= least else None


def likelihood_ratio(
    shape: np.ndarray, on: np.ndarray, low: np.ndarray, at: np.ndarray, high: np.ndarray
) -> np.ndarray:
    """(K,) for borders `at` between `low` and `high`: how much likelier two Gaussians are than one, in natural logarithms.

    Of the frames shape (T, C) where on (T,) bool; a Gaussian has a mean and a full covariance.
    """
    y = np.where(on[:, None], shape - shape[on].mean(axis=0), 0).astype(float)
    n, s = np.r_[0, np.cumsum(on)], np.r_[np.zeros((1, y.shape[1])), np.cumsum(y, axis=0)]
    ss = np.cumsum(np.r_[np.zeros((1, y.shape[1], y.shape[1])), y[:, :, None] * y[:, None, :]], axis=0)  # (T + 1, C, C)
    floor = FLOOR * np.diag(ss[-1].diagonal() / n[-1])

    def size(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """(K,) frames times the logarithm of their covariance's determinant."""
        k = np.maximum(n[b] - n[a], 1)[:, None]
        mean = (s[b] - s[a]) / k
        covariance = (ss[b] - ss[a]) / k[..., None] - mean[:, :, None] * mean[:, None, :] + floor
        return k[:, 0] * np.linalg.slogdet(covariance)[1]

    return (size(low, high) - size(low, at) - size(at, high)) / 2


def joined(found: Sequence[Segment], least: float = EVIDENCE) -> list[Segment]:
    """The segments with neighbours joined until every border left has at least so much evidence for a change."""
    left = list(found)
    while len(left) > 1:
        weights = [float(evidence(a.voiced, a.z, b.voiced, b.z)) for a, b in pairwise(left)]
        k = int(np.argmin(weights))
        if weights[k] >= least:
            break
        a, b = left[k : k + 2]
        n = a.voiced + b.voiced
        left[k : k + 2] = [Segment(a.start, b.stop, n, (a.voiced * a.z + b.voiced * b.z) / n)]
    return left


def parts(found: Sequence[Segment], seconds: float, labels: dict[str, str]) -> tuple[Part, ...]:
    """The stretches of a recording of `seconds`, from all its segments in order; () for one voice, or none.

    labels: those of the model's metadata, by "1" and "0".
    """
    left = joined(found)
    if len(left) < 2:
        return ()
    changes = [a.change(b) for a, b in pairwise(left)]
    times = [0.0, *(round(t, 2) for t in changes), round(seconds, 2)]
    p = [float(expit(segment.z)) for segment in left]
    return tuple(Part(*span, labels["1" if q > 0.5 else "0"], q) for span, q in zip(pairwise(times), p, strict=True))


def sureness(p: float) -> str:
    """The probability of the likelier sex, cut, not rounded: 0.796 is below 0.80, and nothing is 1.00."""
    return f"{np.floor(100 * max(p, 1 - p)) / 100:.2f}"


def words(found: Sequence[Part]) -> str:
    """The stretches in a line: "0-4.4 s male 0.97, 4.4-8 s female 0.95", and how many more there are after SHOWN."""
    shown = [
        f"{round(p.start_s, 1):g}-{round(p.end_s, 1):g} s {p.label} {sureness(p.probability)}" for p in found[:SHOWN]
    ]
    more = [f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
    return ", ".join([*shown, *more])
