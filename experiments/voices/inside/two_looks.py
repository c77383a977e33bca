"""Two looks beside each other: what to call them, and what of them can be compared."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

import lstm_engine as le
from experiments.voices.inside.look import Look, directions_of


def names_apart(paths: Sequence[str | Path]) -> list[str]:
    """For each path the shortest end that no other has: of runs/a/x.wav and runs/b/x.wav, a/x.wav and b/x.wav."""
    parts = [Path(str(path).replace("\\", "/")).parts for path in paths]
    for n in range(1, max(map(len, parts)) + 1):
        names = ["/".join(own[-n:]) for own in parts]
        if len(set(names)) == len(set(parts)):
            break
    return names


def models_apart(files: Sequence[Path]) -> list[str]:
    """Names for models: "epoch 5" for the epochs/05.safetensors that `train` keeps, before it the run where there are two."""
    names = []
    for file, name in zip(files, names_apart([file.with_suffix("") for file in files]), strict=True):
        if file.parent.name == "epochs" and file.stem.isdecimal():
            run = name.removesuffix(file.stem).removesuffix("epochs/").removesuffix("/")
            name = ", ".join(filter(None, [run, f"epoch {int(file.stem)}"]))
        names.append(name)
    return names


def same_units(one: le.Sequential, other: le.Sequential, layer: str) -> float:
    """The share of an LSTM's units whose nearest in the other model has the same number, by the cosine of incoming weights.

    Near 1 for two epochs of a training, where a unit starts from one draw and moves from there; near 1/units for networks
    that were drawn apart. The layers have the same shape.
    """
    incoming = []
    for model in (one, other):
        W = np.concatenate([model.weights[f"{layer}/{k}"] for k in ("kernel", "recurrent_kernel")]).astype(float)
        by_unit = W.reshape(len(W), 4, -1).transpose(2, 0, 1).reshape(W.shape[1] // 4, -1)  # (H, (D + H) 4)
        incoming.append(by_unit / np.linalg.norm(by_unit, axis=1, keepdims=True))
    return float((np.argmax(incoming[0] @ incoming[1].T, axis=1) == np.arange(len(incoming[0]))).mean())


def differ_by_row(one: Look, other: Look) -> bool:
    """Whether a map of one may be taken from a map of the other: two states of the same units, at the same frames."""
    frames = (one.first, len(one.p)) == (other.first, len(other.p))
    return one.model is not other.model and one_sound(one, other) and frames and _one_training(one, other)


def one_sound(one: Look, other: Look) -> bool:
    return np.array_equal(one.sound, other.sound)


def comparable(one: Look, other: Look) -> str:
    """In a sentence or two for the page: what a unit's number means across the sides, A and B, and what is not compared."""
    if one.model is other.model:
        return "One network hears both, so that unit 7 is the same unit on either side; a second is as wide in both."
    said = []
    if _units(one) != _units(other):
        said.append(
            f"A has {_units(one)} units in each direction and B {_units(other)}: their rows, and units of one number, "
            "cannot be compared, only answers and maps as a whole."
        )
    elif _one_training(one, other):
        said.append(
            "The networks are two states of one training, as their weights show: unit 7 is the same unit on either side."
        )
    else:
        said.append(
            "The networks were trained apart, as their weights show: unit 7 of A and unit 7 of B have only the number in "
            "common. Compare answers, and maps as a whole."
        )
    if one_sound(one, other) and (one.first, len(one.p)) != (other.first, len(other.p)):
        said.append("They measure the sound differently and were asked about other frames, so no difference is drawn.")
    return " ".join(said)


def _units(look: Look) -> int:
    return len(look.directions["forward"].half_life)


def _one_training(one: Look, other: Look) -> bool:
    """Whether most units lie nearest to the unit of their own number, over both directions."""
    networks = one.model.network, other.model.network
    if _units(one) != _units(other) or networks[0].input_shape != networks[1].input_shape:
        return False
    return bool(np.mean([same_units(*networks, layer) for layer in directions_of(one.model).values()]) > 0.5)
