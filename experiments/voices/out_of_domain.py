"""What the shipped model says of sounds for which no answer is due: `python -m experiments.voices.out_of_domain`

Noise, machines, music and humming; a child's voice; robots between the sexes. Beside them made-up men and women, for whom an
answer is due, also through a telephone. All are synthesised here. docs/voices.md has the table.
"""

import argparse
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from experiments.voices import clip_model
from experiments.voices.clip_model import ClipModel
from experiments.voices.judge import judge
from experiments.voices.pretrained import SHIPPED
from experiments.voices.speech_detection import OTHERS, RATE, SECONDS, TIMES, Draw, harmonics, recorded
from features.augment import TELEPHONE
from features.synth import draw_speaker, speak

DRAWS = 20
LABELS = ("male", "female", "more than one voice", "uncertain", "no speech")
TRACT = {"child": 1.25, "between": 1.08}  # formants relative to a woman's for a child, to a man's for a robot


def humming(rng: np.random.Generator) -> np.ndarray:
    """(N,) a tune hummed: notes of about half a second that glide into each other, with vibrato, through a closed mouth."""
    at = np.arange(0, SECONDS + 0.5, 0.5)
    notes = np.cumsum(rng.choice([-4, -2, 0, 2, 4], len(at)))  # semitones
    glide = np.interp(TIMES, np.repeat(at, 2)[1:] + np.tile([-0.08, 0.08], len(at))[1:], np.repeat(notes, 2)[:-1])
    pitch = rng.uniform(110, 260) * 2 ** ((glide + 0.3 * np.sin(2 * np.pi * 5.5 * TIMES)) / 12)
    return harmonics(pitch, rng, 5) * (0.6 + 0.4 * np.sin(2 * np.pi * TIMES) ** 2)


def child(rng: np.random.Generator) -> np.ndarray:
    """(n,) a voice of 260 to 400 Hz with formants a quarter above a woman's: about six years old."""
    speaker = replace(draw_speaker("female", "child", rng), f0=rng.uniform(260, 400), tract=TRACT["child"])
    return speak(speaker, SECONDS, rng, RATE)


def robot(rng: np.random.Generator) -> np.ndarray:
    """(n,) a synthetic voice without melody, its pitch and its formants between the sexes'."""
    speaker = replace(draw_speaker("male", "robot", rng), f0=155.0, tract=TRACT["between"], liveliness=0.3)
    return speak(speaker, SECONDS, rng, RATE)


def voice(sex: str, telephone: bool) -> Draw:
    """A made-up speaker, through a telephone if so."""

    def draw(rng: np.random.Generator) -> np.ndarray:
        x = speak(draw_speaker(sex, sex, rng), SECONDS, rng, RATE)
        return TELEPHONE(x, RATE, rng) if telephone else x

    return draw


VOICES: dict[str, Draw] = {
    "a child": child,
    "a robot between the sexes": robot,
    "a made-up man": voice("male", False),
    "a made-up woman": voice("female", False),
    "a made-up man, by telephone": voice("male", True),
    "a made-up woman, by telephone": voice("female", True),
}


def answers(model: ClipModel, draws: int) -> Iterator[dict[str, int | str]]:
    """A row a sound: how many of its draws got each of LABELS."""
    sounds = {name: lambda rng, draw=draw: recorded(draw, rng) for name, draw in {**OTHERS, "humming": humming}.items()}
    for k, (name, draw) in enumerate((sounds | VOICES).items()):
        said = Counter(judge(draw(np.random.default_rng([n, k])), RATE, model, name).label for n in range(draws))
        yield {"sound": name} | {label: said[label] for label in LABELS}


def main() -> None:
    """The answers about each sound, as a table in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m experiments.voices.out_of_domain", description=main.__doc__)
    parser.add_argument("--model", default=str(SHIPPED), help="a model of voices; the shipped one unless given")
    parser.add_argument("--draws", type=int, default=DRAWS, help="sounds of each kind")
    options = parser.parse_args()
    table = pd.DataFrame(answers(clip_model.load(options.model), options.draws))
    print(f"| {' | '.join(table.columns)} |\n|{'---|' * len(table.columns)}")
    for row in table.itertuples(index=False):
        print(f"| {' | '.join(str(v) if v else '' for v in row)} |")


if __name__ == "__main__":
    main()
