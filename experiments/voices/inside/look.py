"""Everything that the page of `inspect` shows of one recording: sound, gates, gradients, and answers after interventions.

For a model of frames with one bidirectional LSTM, as `lstm-engine train` makes them. The probability is the one that
`predict` gives for the same part of the recording.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import soxr
from scipy.special import expit

import lstm_engine as le
from experiments.microscope import analyses
from experiments.microscope.interventions import force, recurrent, silence
from experiments.voices.clip_model import ClipModel, logit, spoken
from experiments.voices.judge import NO_VOICE, Judgement, judge
from features.audio import duration, read_clip
from features.frames import RATE_HZ
from features.recipes import Recipe
from features.speech import FRAME_S, find_speech
from lstm_engine.trace import Trace

GATES = ("i", "f", "g", "o")
SHOWN = (*GATES, "c", "h")
HELD = {gate: (-0.9, -0.5, 0.0, 0.5, 0.9) if gate == "g" else (0.01, 0.25, 0.5, 0.75, 0.99) for gate in GATES}
MOST_S = 20.0  # the time for `connectivity` grows with the square of the length


@dataclass(frozen=True)
class Heard:
    """A part of a recording from start_s on: samples (n,) at `rate` Hz, and frames (S, D), of which `part` has speech.

    whole_s: length of the whole file. `part` is the network's input.
    """

    file: str
    start_s: float
    whole_s: float
    samples: np.ndarray
    rate: int
    frames: np.ndarray
    part: slice

    @cached_property
    def sound(self) -> np.ndarray:
        """(n,) at 16 kHz."""
        return soxr.resample(self.samples, self.rate, RATE_HZ) if self.rate != RATE_HZ else self.samples

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate

    @property
    def extent(self) -> str:
        """Which part of the file it is, in words."""
        if self.seconds > self.whole_s - FRAME_S:
            return f"{self.seconds:.1f} s"
        return f"{self.start_s:g} to {self.start_s + self.seconds:.1f} s of {self.whole_s:.1f} s"


def hear(file: str | Path, recipe: Recipe, start_s: float = 0.0, seconds: float = 10.0) -> Heard:
    """Read and measure `seconds` of a file from start_s on. BadClip if it cannot be read; ValueError if nobody speaks."""
    whole_s = duration(file)
    if start_s >= whole_s:
        raise ValueError(f"{file} is {whole_s:.1f} s long: there is nothing from {start_s:g} s on")
    samples, rate = read_clip(file, start_s, start_s + seconds if start_s + seconds < whole_s else None)
    frames = recipe.measure(samples, rate)  # (S, D)
    speech = find_speech(frames, recipe.parameters["pitch"])
    if not speech.voice.any():
        raise ValueError(f"{file}: nothing to look into, {speech.tone or NO_VOICE}")
    start, stop, _ = spoken(speech.voice).indices(len(frames))
    return Heard(str(file), start_s, whole_s, samples, rate, frames, slice(start, stop))


@dataclass(frozen=True)
class Direction:
    """One direction of the LSTM over T frames. values, gradients: (T, H) by name, i f g o c h; gradients of the log-odds.

    By unit (H,): half_life in s; low and high, shares of frames with a saturated forget gate; ablation and by_gradient, the
    change of the log-odds on silencing the unit, measured and by the gradient. memory (3, T): Frobenius norms of ∂h_T/∂c_t:
    all, forget path, gates. by_lag (T,): ‖∂s/∂h_(T-1-k)‖₂, s being the log-odds at the last frame that the direction reads.
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
class Look:
    """A recording and what a model does with it, over the T frames of `heard.part`.

    p, so_far (T,): probability of male at each frame, knowing the whole clip; and of the clip if it ended there.
    rests (T, T): the norm of ∂p_τ/∂x_t, row τ. what_if: the log-odds by frame (T,) after each intervention, by its name.
    """

    heard: Heard
    model: ClipModel
    judgement: Judgement
    p: np.ndarray
    so_far: np.ndarray
    rests: np.ndarray
    directions: dict[str, Direction]
    what_if: dict[str, np.ndarray]


def look(
    file: str | Path, model: ClipModel, start_s: float = 0.0, seconds: float = 10.0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Look:  # fmt: skip
    """Look into the model while it hears `seconds` of a file from start_s on.

    BadClip for a file that cannot be read; ValueError if nobody speaks, for another kind of network, or for too many seconds.
    """
    if not 0 < seconds <= MOST_S:
        raise ValueError(f"inspect takes up to {MOST_S:.0f} s, got {seconds:g}: choose with --start and --seconds")
    names, temperature = directions_of(model), model.temperature
    heard = hear(file, model.recipe, start_s, seconds)
    frames = heard.frames[heard.part]  # (T, D)
    judgement, x = judge(heard.samples, heard.rate, model, file), model.prepare(frames)[None]
    if judgement.probability is None:
        raise ValueError(f"{file}: nothing to look into, {judgement.why}")

    def log_odds(p: np.ndarray) -> np.ndarray:
        return logit(p.ravel()) / temperature

    def gradients(of: slice) -> Trace:
        """Those of the mean log-odds of some frames."""
        at = np.zeros((1, len(frames), 1))
        at[:, of] = 1 / temperature / at[:, of].size
        return analyses.pulled_back(model.network, x, lambda p: at / (p * (1 - p)))

    trace, last_read = gradients(slice(None)), {"forward": slice(-1, None), "backward": slice(1)}
    directions = {}
    for way, name in names.items():
        layer = trace[name]
        low, high = analyses.saturation(layer.f)
        split = analyses.split_by_path(recurrent(model.network, name), x[0])
        directions[way] = Direction(
            values={k: layer[k][0] for k in SHOWN},
            gradients={k: layer.grad[k][0] for k in SHOWN},
            half_life=analyses.half_life(layer.f) * FRAME_S,
            low=low,
            high=high,
            ablation=analyses.by_ablation(model.network, name, x, lambda p: float(log_odds(p).mean())),
            by_gradient=analyses.by_gradient(layer),
            memory=np.stack([np.linalg.norm(path, axis=(1, 2)) for path in split]),
            by_lag=analyses.gradient_by_lag(gradients(last_read[way])[name]),
        )
    edits, changed = interventions(model.network, names), {}
    for done, (name, edit) in enumerate(edits.items(), start=1):
        changed[name] = log_odds(edit()(x))
        progress(done, len(edits))
    beginnings = model.all_frames([frames[: t + 1] for t in range(len(frames))])
    return Look(
        heard=heard,
        model=model,
        judgement=judgement,
        p=judgement.p[heard.part],
        so_far=expit(np.array([z.mean() for z in beginnings]) / temperature),
        rests=analyses.connectivity(model.network, x[0]),
        directions=directions,
        what_if=changed,
    )


def interventions(network: le.Sequential, names: dict[str, str]) -> dict[str, Callable[[], le.Sequential]]:
    """The edits of the network on the page. names: the layer of each direction.

    By name: "forward/silence/3"; a gate held for one unit, "forward/f/0.01/3", for a direction, "forward/f/0.01", or for
    both, "both/f/0.01".
    """

    def both(gate: str, value: float) -> le.Sequential:
        edited = network
        for name in names.values():
            edited = force(edited, name, gate, value)
        return edited

    edits: dict[str, Callable[[], le.Sequential]] = {}
    held = [(gate, value) for gate, values in HELD.items() for value in values]
    for way, name in names.items():
        for gate, v in held:
            edits[f"{way}/{gate}/{v:g}"] = partial(force, network, name, gate, v)
        for u in range(recurrent(network, name).units):
            edits[f"{way}/silence/{u}"] = partial(silence, network, name, u)
            edits |= {f"{way}/{gate}/{v:g}/{u}": partial(force, network, name, gate, v, u) for gate, v in held}
    return edits | {f"both/{gate}/{v:g}": partial(both, gate, v) for gate, v in held}


def directions_of(model: ClipModel) -> dict[str, str]:
    """The layer of each direction. ValueError for another network than `clip_model.network` makes."""
    first = model.network.layers[0]
    if model.answer != "frames" or not isinstance(first, le.Bidirectional) or not isinstance(first.layer, le.LSTM):
        raise ValueError("inspect shows a bidirectional LSTM that answers at every frame, and this model is another")
    return dict(zip(("forward", "backward"), (f"{first.name}/{p}".rstrip("/") for p in first.parts), strict=True))
