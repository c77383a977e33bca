"""Two recordings, or two networks, side by side: their names, and what can be compared."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

import lstm_engine as le
from experiments.voices.inside.look import Look, directions_of


def names_apart(paths: Sequence[str | Path]) -> list[str]:
    """The shortest ends of the paths that differ: for runs/a/x.wav and runs/b/x.wav, a/x.wav and b/x.wav."""
    parts = [Path(str(path).replace("\\", "/")).parts for path in paths]
    for n in range(1, max(map(len, parts)) + 1):
        names = ["/".join(of_path[-n:]) for of_path in parts]
        if len(set(names)) == len(set(parts)):
            break
    return names


def models_apart(files: Sequence[Path]) -> list[str]:
    """Names for models: "epoch 5" for epochs/05.safetensors, which `train` writes, with the run's name if there are two."""
    names = []
    for file, name in zip(files, names_apart([file.with_suffix("") for file in files]), strict=True):
        if file.parent.name == "epochs" and file.stem.isdecimal():
            run = name.removesuffix(file.stem).removesuffix("epochs/").removesuffix("/")
            name = ", ".join(filter(None, [run, f"epoch {int(file.stem)}"]))
        names.append(name)
    return names


def same_units(one: le.Sequential, other: le.Sequential, layer: str) -> float:
    """The share of an LSTM's units whose nearest unit in the other model, by the cosine of incoming weights, has its number.

    Near 1 for two epochs of one training; near 1/units for networks with different initial weights. The layers have the same
    shape.
    """
    incoming = []
    for model in (one, other):
        W = np.concatenate([model.weights[f"{layer}/{k}"] for k in ("kernel", "recurrent_kernel")]).astype(float)
        by_unit = W.reshape(len(W), 4, -1).transpose(2, 0, 1).reshape(W.shape[1] // 4, -1)  # (H, (D + H) 4)
        incoming.append(by_unit / np.linalg.norm(by_unit, axis=1, keepdims=True))
    return float((np.argmax(incoming[0] @ incoming[1].T, axis=1) == np.arange(len(incoming[0]))).mean())


def differ_by_row(one: Look, other: Look) -> bool:
    """Whether the difference of two maps means something: two states of one training, at the same frames of one sound."""
    one_input = one_sound(one, other) and one.heard.part == other.heard.part
    return one.model is not other.model and one_input and _one_training(one, other)


def one_sound(one: Look, other: Look) -> bool:
    return np.array_equal(one.heard.sound, other.heard.sound)


def comparable(one: Look, other: Look) -> str:
    """For the page, in a sentence or two: whether a unit's number means the same on both sides, A and B."""
    if one.model is other.model:
        return (
            "One network hears both clips: unit 7 is the same unit on both sides. Both time axes have the same scale."
        )
    sentences = []
    if _units(one) != _units(other):
        sentences.append(
            f"A has {_units(one)} units in each direction and B {_units(other)}: compare the answers and whole maps, not "
            "single rows or units."
        )
    elif _one_training(one, other):
        sentences.append(
            "The weights show that the networks are two states of one training: unit 7 is the same unit on both sides."
        )
    else:
        sentences.append(
            "The weights show that the networks come from different trainings: unit 7 of A and unit 7 of B are unrelated. "
            "Compare the answers and whole maps."
        )
    if one_sound(one, other) and one.heard.part != other.heard.part:
        sentences.append("They measure the sound differently and read other frames, so no difference is drawn.")
    return " ".join(sentences)


def _units(look: Look) -> int:
    return len(look.directions["forward"].half_life)


def _one_training(one: Look, other: Look) -> bool:
    """Whether most units, over both directions, are nearest to the unit with the same number."""
    networks = one.model.network, other.model.network
    if _units(one) != _units(other) or networks[0].input_shape != networks[1].input_shape:
        return False
    return bool(np.mean([same_units(*networks, layer) for layer in directions_of(one.model).values()]) > 0.5)
