"""All that the microscope shows of one recording: the sound, what the network did with it, and what it would say if changed.

For a model of frames with one bidirectional LSTM, as `lstm-engine train` makes them. The probability is that of `predict`
for the same stretch of sound.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
from scipy.special import expit

import lstm_engine as le
from experiments.microscope import analyses
from experiments.microscope.interventions import force, recurrent, silence
from experiments.voices.clip_model import ClipModel, logit
from experiments.voices.judge import Judgement, judge
from features.audio import duration, read_clip
from features.frames import RATE_HZ
from features.recipes import recipe_from
from features.speech import FRAME_S
from lstm_engine.trace import Trace

GATES = ("i", "f", "g", "o")
SHOWN = (*GATES, "c", "h")
HELD = {gate: (-0.9, -0.5, 0.0, 0.5, 0.9) if gate == "g" else (0.01, 0.25, 0.5, 0.75, 0.99) for gate in GATES}
MOST_S = 20.0  # connectivity grows with the square of the steps


@dataclass(frozen=True)
class Direction:
    """One direction of the LSTM over T frames. values, gradients: (T, H) by name, i f g o c h; gradients of the log-odds.

    By unit (H,): half_life in s, low and high (shares of the forget gate), ablation and by_gradient (changes of the log-odds
    when it is silenced, measured and by the gradient). memory (3, T): Frobenius norms of ∂h_T/∂c_t: all, forget path, gates.
    by_lag (T,): how the log-odds at the last frame that it reads move with its outputs k frames before, ‖∂s/∂h_(T-1-k)‖₂.
    """

    values: dict[str, np.ndarray]
    gradients: dict[str, np.ndarray]
    half_life: np.ndarray
    low: np.ndarray
    high: np.ndarray
    ablation: np.ndarray
    by_gradient: np.ndarray
    memory: np.ndarray
    by_lag: np.ndarray


@dataclass(frozen=True)
class WhatIf:
    """An intervention: the probability by frame (T,) and of the clip.

    name: "forward/silence/3", "both/f/0.01" for all units' gates, "forward/f/0.01/3" for the gate of one unit.
    """

    name: str
    p: np.ndarray
    probability: float


@dataclass(frozen=True)
class Look:
    """sound (n,) at 16 kHz; frames (S, D); the network was asked about T of them from number `first` on.

    p, so_far (T,): probability of male at each frame by one who knows the whole, and of the clip if it ended there.
    rests (T, T): the norm of ∂p_τ/∂x_t, row τ. whole_s: how long the file is, of which this begins at start_s.
    """

    file: str
    model: ClipModel
    start_s: float
    whole_s: float
    judgement: Judgement
    sound: np.ndarray
    frames: np.ndarray
    first: int
    p: np.ndarray
    so_far: np.ndarray
    rests: np.ndarray
    directions: dict[str, Direction]
    what_if: list[WhatIf]


def look(
    file: str | Path, model: ClipModel, start_s: float = 0.0, seconds: float = 10.0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Look:  # fmt: skip
    """Looks into the model while it hears `seconds` of a file from start_s on.

    BadClip for a file that cannot be read; ValueError where nobody speaks, for another network, or for too long a stretch.
    """
    if not 0 < seconds <= MOST_S:
        raise ValueError(
            f"a look takes up to {MOST_S:.0f} s of sound, got {seconds:g}: choose with --start and --seconds"
        )
    names = directions_of(model)
    whole_s = duration(file)
    if start_s >= whole_s:
        raise ValueError(f"{file} is {whole_s:.1f} s long: there is nothing from {start_s:g} s on")
    samples, rate = read_clip(file, start_s, start_s + seconds)
    judgement = judge(samples, rate, model, file)
    asked = np.flatnonzero(~np.isnan(judgement.p))
    if not len(asked):
        raise ValueError(f"{file}: nothing to look into, {judgement.why}")
    frames = recipe_from(model.network.metadata["recipe"], "the model").measure(samples, rate)  # (S, D)
    heard = frames[asked[0] : asked[-1] + 1]  # (T, D)
    x, log_odds = model.prepare(heard)[None], _log_odds_of(model)

    def gradients(of: slice) -> Trace:
        """Those of the mean log-odds of some frames."""
        at = np.zeros((1, len(heard), 1))
        at[:, of] = 1 / _temperature(model) / at[:, of].size
        return analyses.pulled_back(model.network, x, lambda p: at / (p * (1 - p)))

    trace, last_read = gradients(slice(None)), {"forward": slice(-1, None), "backward": slice(1)}
    rests = analyses.connectivity(model.network, x[0])
    directions = {}
    for way, name in names.items():
        layer, own = recurrent(model.network, name), trace[name]
        low, high = analyses.saturation(own.f)
        split = analyses.split_by_path(layer, x[0])
        directions[way] = Direction(
            values={k: own[k][0] for k in SHOWN},
            gradients={k: own.grad[k][0] for k in SHOWN},
            half_life=analyses.half_life(own.f) * FRAME_S,
            low=low,
            high=high,
            ablation=analyses.by_ablation(model.network, name, x, log_odds),
            by_gradient=analyses.by_gradient(own),
            memory=np.stack([np.linalg.norm(path, axis=(1, 2)) for path in split]),
            by_lag=analyses.gradient_by_lag(gradients(last_read[way])[name]),
        )
    edits = what_if(model.network, names)
    changed = []
    for done, (name, edit) in enumerate(edits.items()):
        p = edit()(x)  # (1, T, 1)
        z = logit(p.ravel()) / _temperature(model)
        changed.append(WhatIf(name, expit(z), float(expit(z.mean()))))
        progress(done + 1, len(edits))
    so_far = model.all_frames([heard[: t + 1] for t in range(len(heard))])
    return Look(
        file=str(file),
        model=model,
        start_s=start_s,
        whole_s=whole_s,
        judgement=judgement,
        sound=soxr.resample(samples, rate, RATE_HZ) if rate != RATE_HZ else samples,
        frames=frames,
        first=int(asked[0]),
        p=judgement.p[asked],
        so_far=expit(np.array([z.mean() for z in so_far]) / _temperature(model)),
        rests=rests,
        directions=directions,
        what_if=changed,
    )


def what_if(network: le.Sequential, names: dict[str, str]) -> dict[str, Callable[[], le.Sequential]]:
    """The interventions that a page offers, by name: units silenced; gates held of one unit, one direction, or both."""

    def both(gate: str, value: float) -> le.Sequential:
        edited = network
        for name in names.values():
            edited = force(edited, name, gate, value)
        return edited

    edits: dict[str, Callable[[], le.Sequential]] = {}
    for way, name in names.items():
        for u in range(recurrent(network, name).units):
            edits[f"{way}/silence/{u}"] = lambda name=name, u=u: silence(network, name, u)
        for gate, v in ((gate, v) for gate, values in HELD.items() for v in values):
            for u in (None, *range(recurrent(network, name).units)):
                key = f"{way}/{gate}/{v:g}" + ("" if u is None else f"/{u}")
                edits[key] = lambda name=name, gate=gate, v=v, u=u: force(network, name, gate, v, u)
    for gate, values in HELD.items():
        edits |= {f"both/{gate}/{v:g}": lambda gate=gate, v=v: both(gate, v) for v in values}
    return edits


def _temperature(model: ClipModel) -> float:
    return float(model.network.metadata["temperature"])


def _log_odds_of(model: ClipModel) -> Callable[[np.ndarray], float]:
    """The clip's log-odds, after the temperature, from the frames' probabilities."""
    return lambda p: float(logit(p.ravel()).mean() / _temperature(model))


def directions_of(model: ClipModel) -> dict[str, str]:
    """The names of the two directions' layers. ValueError for another network than `clip_model.network` makes."""
    first = model.network.layers[0]
    if model.answer != "frames" or not isinstance(first, le.Bidirectional) or not isinstance(first.layer, le.LSTM):
        raise ValueError(
            "the microscope shows a bidirectional LSTM that answers at every frame, and this model is another"
        )
    return dict(zip(("forward", "backward"), (f"{first.name}/{p}".rstrip("/") for p in first.parts), strict=True))
