"""Recipes, which measure a clip, with their names and settings; and readings, which turn the tutorial's rows into sequences.

For extraction, which writes the recipe's stamp into its files, and for training and prediction, which must use the same
recipe. A recipe maps samples to rows, one for the whole clip (`tutorial`) or one every 20 ms (`frames`); a reading maps the
tutorial's rows (N, 112) to the input of a recurrent layer, (N, T, D).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np

from features import frames, highpass, mfcc, pitch
from features.audio import content_hash

FRAMES = 1 + mfcc.LENGTH // mfcc.HOP  # 11
TUTORIAL_COLUMNS = ("pitch", *(f"mfcc{k}" for k in range(1, mfcc.N_MFCC * FRAMES + 1)))
DELTA_FRAMES = 9  # 180 ms around a frame, librosa's default: the slope is fitted over this span
FRAMES_OPTIONS = ("pitch", "deltas", "variant", "revision")
LIBRARIES = ("librosa", "numpy", "scipy", "soundfile", "soxr")


@dataclass(frozen=True)
class Recipe:
    """How a clip is measured: `measure` maps (samples (n,), rate in Hz) to rows (T, len(columns)) of `dtype`.

    `measure` is pickled for the worker processes, so it must be a module's function, or a `partial` of one.
    """

    name: str
    columns: tuple[str, ...]
    dtype: str
    parameters: dict[str, Any]
    measure: Callable[[np.ndarray, int], np.ndarray]

    def stamp(self) -> dict[str, Any]:
        """The recipe, its parameters and the library versions, as JSON values: equal stamps give equal numbers."""
        return {"recipe": self.name, "parameters": self.parameters, "versions": {k: version(k) for k in LIBRARIES}}


def tutorial_row(samples: np.ndarray, rate: int) -> np.ndarray:
    """The tutorial's (1, 111) numbers: pitch in Hz, then 110 MFCC by coefficient (mfcc1-11 is C0 over time)."""
    hz, coefficients = pitch.autocorrelation_pitch(samples, rate), mfcc.tutorial_mfcc(samples, rate)  # (10, 11)
    return np.concatenate([[hz], coefficients.ravel()])[None]


def frame_rows(samples: np.ndarray, rate: int, pitch: str, deltas: bool, variant: int, revision: int) -> np.ndarray:
    """(T, 23) float32, one row every 20 ms; with `deltas` (T, 46), the slope of each column per frame after the columns.

    variant 0 is the clip itself; any other number is a seed, with the clip's hash, of a random change (`augment.VOICES`).
    """
    if variant:
        from features.augment import VOICES

        sha256 = bytes.fromhex(content_hash(samples))
        if revision > 1:
            samples = frames.steady(samples, rate)  # noise is added by the clip's energy, which an offset would raise
        samples = VOICES(samples, rate, np.random.default_rng([variant, *np.frombuffer(sha256, "<u4")]))
    rows = frames.frames(samples, rate, pitch, revision)  # (T, 23)
    if not deltas:
        return rows
    import librosa

    slopes = librosa.feature.delta(rows, width=DELTA_FRAMES, axis=0, mode="nearest")  # (T, 23)
    return np.hstack([rows, slopes]).astype(np.float32)


TUTORIAL = Recipe(
    name="tutorial",
    columns=TUTORIAL_COLUMNS,
    dtype="float64",
    parameters={
        "pitch_hz": [pitch.LOWEST_HZ, pitch.HIGHEST_HZ],
        "load_rate_hz": mfcc.LOAD_RATE_HZ,
        "mfcc_rate_hz": mfcc.RATE_HZ,
        "mel_rate_hz": mfcc.LOAD_RATE_HZ,
        "samples": mfcc.LENGTH,
        "n_mfcc": mfcc.N_MFCC,
        "hop": mfcc.HOP,
        "resampler": f"soxr {mfcc.RESAMPLER}",
        "pad_mode": mfcc.PAD_MODE,
    },
    measure=tutorial_row,
)


def frames_recipe(
    pitch: str = "yin", deltas: bool = False, variant: int = 0, revision: int = frames.REVISION
) -> Recipe:
    """The recipe `frames` with the pitch by "yin" or "pyin" and, if `deltas` is set, the columns' slopes (d_log_f0, ...).

    variant: 0 measures the clip itself, any other number the clip changed at random, for training (see `frame_rows`).
    revision: 2, or 1 to measure as stores and models before it do: with the offset and the drift of the samples.
    """
    if pitch not in frames.TRACKERS:
        raise ValueError(f"pitch must be one of {', '.join(frames.TRACKERS)}, got {pitch!r}")
    if revision not in range(1, frames.REVISION + 1):
        raise ValueError(f"the recipe frames has the revisions 1 to {frames.REVISION}, got {revision!r}")
    columns = frames.COLUMNS + tuple(f"d_{name}" for name in frames.COLUMNS) * deltas
    parameters: dict[str, Any] = {
        "revision": revision,
        "pitch": pitch,
        "deltas": deltas,
        "delta_frames": DELTA_FRAMES,
        "rate_hz": frames.RATE_HZ,
        "hop": frames.HOP,
        "pitch_hz": [frames.LOWEST_HZ, frames.HIGHEST_HZ],
        "pitch_frame": frames.PITCH_FRAME,
        "window": frames.WINDOW,
        "mels": frames.MELS,
        "mel_hz": list(frames.MEL_HZ),
        "n_mfcc": frames.N_MFCC,
        "resampler": "soxr HQ",
    }
    parameters |= {"slow_hz": highpass.SLOW_HZ} if revision > 1 else {}
    parameters |= {"variant": variant} if variant else {}
    measure = partial(frame_rows, pitch=pitch, deltas=deltas, variant=variant, revision=revision)
    return Recipe("frames", columns, "float32", parameters, measure)


def variant_of(recipe: Recipe, variant: int) -> Recipe:
    """The same recipe for a randomly changed clip (see `frame_rows`). Raises ValueError for any recipe but `frames`."""
    if recipe.name != "frames":
        raise ValueError(f"variants go with the recipe frames, not with {recipe.name}")
    kept = {name: recipe.parameters[name] for name in ("pitch", "deltas", "revision")}
    return frames_recipe(**kept, variant=variant)


def recipe_named(name: str, **options: Any) -> Recipe:
    """The recipe "tutorial", which has no options, or "frames" with the options of `frames_recipe`.

    Raises ValueError for any other name or option.
    """
    known = {"tutorial": (), "frames": FRAMES_OPTIONS}
    if name not in known:
        raise ValueError(f"there is no recipe {name!r}: expected one of {', '.join(known)}")
    if foreign := [option for option in options if option not in known[name]]:
        raise ValueError(f"the recipe {name} has no option {foreign[0]!r}")
    return TUTORIAL if name == "tutorial" else frames_recipe(**options)


def recipe_from(stamp: dict[str, Any], what: str) -> Recipe:
    """The recipe with the settings of a stamp. `what` names the owner of the stamp in messages, such as "the model".

    Raises ValueError if this version has no such recipe, or if its parameters differ from those of the stamp.
    """
    parameters = stamp.get("parameters", {})
    if not isinstance(stamp.get("recipe", ""), str) or not isinstance(parameters, dict):
        raise ValueError(f"{what} says no recipe with its parameters, but {str(stamp)[:200]}")
    kinds = {"pitch": str, "deltas": bool, "variant": int, "revision": int}  # by FRAMES_OPTIONS
    if odd := [name for name, kind in kinds.items() if name in parameters and type(parameters[name]) is not kind]:
        raise ValueError(f"{what} says {odd[0]}={parameters[odd[0]]!r:.80}, expected {kinds[odd[0]].__name__}")
    try:
        recipe = recipe_named(stamp["recipe"], **{k: parameters[k] for k in FRAMES_OPTIONS if k in parameters})
    except (KeyError, ValueError) as error:
        raise ValueError(f"{what} was made with a recipe that this version does not have: {error}") from None
    if differences := stamp_differences(stamp, recipe.stamp() | {"versions": stamp.get("versions")}):
        raise ValueError(f"{what} was made with other settings than those of this version: {'; '.join(differences)}")
    return recipe


def stamp_differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Each difference between two stamps in words, such as "librosa 0.11.0 and 1.0.0"; empty if they are equal."""
    if one.get("recipe") != other.get("recipe"):
        return [f"recipe {one.get('recipe')} and {other.get('recipe')}"]
    texts = []
    for kind, title in (("parameters", "parameter "), ("versions", "")):
        a, b = one.get(kind) or {}, other.get(kind) or {}
        texts += [f"{title}{k} {a.get(k)} and {b.get(k)}" for k in sorted(a.keys() | b.keys()) if a.get(k) != b.get(k)]
    return texts


def with_index(rows: np.ndarray) -> np.ndarray:
    """(N, 111) -> (N, 112): a column of zeros in front, the tutorial's unnamed index column, which its network reads too."""
    return np.insert(np.asarray(rows, float), 0, 0.0, axis=1)


def as_steps(features: np.ndarray) -> np.ndarray:
    """(N, 112) -> (N, 112, 1): the tutorial's reading, 112 steps of one number; the first is always 0."""
    return features[:, :, np.newaxis]


def as_frames(features: np.ndarray) -> np.ndarray:
    """(N, 112) -> (N, 11, 11): the same numbers in time order, 11 steps of 10 coefficients and the pitch."""
    coefficients = features[:, 2:].reshape(-1, mfcc.N_MFCC, FRAMES).transpose(0, 2, 1)  # (N, 11, 10)
    pitches = np.repeat(features[:, 1], FRAMES).reshape(-1, FRAMES, 1)  # (N, 11, 1)
    return np.concatenate([coefficients, pitches], axis=2)


READINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"steps": as_steps, "frames": as_frames}
