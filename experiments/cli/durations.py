"""About how long a training or an extraction takes, in words for `stages(takes=...)`: the amount of work times a rate.

The rates are those of two quiet cores. A function returns "" where the work takes seconds, and where its amount cannot be
told; then the command itself says what is wrong with its input.
"""

import contextlib
import os
import random
from collections.abc import Iterable, Sequence
from pathlib import Path

from experiments.cli.shared import in_words
from features.corpora import Utterance
from features.dataset import LABELS
from features.store import MANIFEST
from features.tables import features_path

SHORT_S = 20.0  # below this nothing is said
ROW_S = {"frames": 1.5e-4, "steps": 3.1e-4}  # a row of the tables in an epoch, by its reading; LSTM(64)
TABLE_UNITS, FRAME_UNITS = 64, 32  # of the networks with these rates
CLIP_S = 2.3e-3  # a clip of frames in an epoch: four stretches of 2 s, both directions, 32 units
DIGIT_S = {"digit": 8e-4, "sex": 2e-4}  # a spoken digit in an epoch, by the recipe of its target
KERAS = 3.5  # Keras's time for a training, as a multiple of the engine's
KERAS_START_S = 10.0  # its process starts and compiles
ANSWERS = 1.3  # a study asks the network for all answers after each epoch
# Seconds of sound that a worker measures in a second, or only decodes.
HEARD = {"tutorial": 500.0, "frames": 210.0, "decoded": 1500.0}
PYIN = 30.0  # so many times slower
SAMPLE = 20  # clips whose lengths are looked up


def in_minutes(seconds: float) -> str:
    return f"about {in_words(seconds)}" if seconds >= SHORT_S else ""


def rows_in(folder: Path) -> int:
    """The clips in a folder of tables or of frames; 0 where there are none."""
    files = [folder / MANIFEST] if (folder / MANIFEST).is_file() else [features_path(folder, sex) for sex in LABELS]
    return sum(len(file.read_bytes().splitlines()) - 1 for file in files if file.is_file())  # a line is the header


def wider(units: int, usual: int) -> float:
    """So many times longer takes an epoch of a network with more units than the rates have: products grow as the square."""
    return max(1.0, (units / usual) ** 2)


def of_tables(
    folder: Path, epochs: int, reading: str, units: int = TABLE_UNITS, trainings: int = 1, keras: bool = False
) -> str:
    """Trainings of the tutorial's network on its tables."""
    engine_s = rows_in(folder) * epochs * ROW_S.get(reading, 0.0) * wider(units, TABLE_UNITS)
    return in_minutes(trainings * (engine_s * (1 + KERAS) + KERAS_START_S if keras else engine_s))


def of_frames(folder: Path, epochs: int, units: int = FRAME_UNITS) -> str:
    """`train` on frames: a training on all speakers, and five on four fifths of them."""
    return in_minutes(5 * rows_in(folder) * epochs * CLIP_S * wider(units, FRAME_UNITS))


def of_digits(targets: Iterable[str], clips: int, epochs: int, keras: bool, factor: float = 1.0) -> str:
    """`train --task digits`. factor: the units, as a multiple of the recipe's."""
    engine_s = sum(clips * epochs * DIGIT_S.get(target, 0.0) for target in targets) * max(1.0, factor**2)
    return in_minutes(engine_s * (1 + KERAS) + KERAS_START_S if keras else engine_s)


def of_epochs_study(tables: Path | None, frames: Path | None, epochs: int, seeds: int) -> str:
    """`study epochs`: the tables in both readings, the frames in one."""
    rows_s = rows_in(tables) * sum(ROW_S.values()) if tables else 0.0
    return in_minutes(ANSWERS * epochs * seeds * (rows_s + (rows_in(frames) * CLIP_S if frames else 0.0)))


def of_sound(clips: Sequence[Utterance], recipe: str, pitch: str | None, copies: int, jobs: int) -> str:
    """Extracting clips, from the lengths of some of them."""
    import soundfile

    from features.decoding import silenced

    def seconds_of(clip: Utterance) -> float:
        if clip.end_s is not None:
            return clip.end_s - clip.start_s
        # ValueError: of a name that is not UTF-8
        with contextlib.suppress(soundfile.LibsndfileError, OSError, ValueError), silenced():
            return float(soundfile.info(clip.path).duration)
        return 0.0

    some = random.Random(0).sample(clips, min(SAMPLE, len(clips)))
    sound_s = sum(map(seconds_of, some)) / max(1, len(some)) * len(clips) * copies
    workers = min(os.cpu_count() or 1, 2 if jobs == -1 else jobs)
    return in_minutes(sound_s / HEARD[recipe] / workers * (PYIN if pitch == "pyin" else 1.0))


def of_corpus(corpus: Path, kind: str | None, part: str, recipe: str, jobs: int) -> str:
    """`evaluate --corpus`, of recordings that are not measured yet."""
    from features import corpora

    if (corpus / MANIFEST).exists():
        return ""
    with contextlib.suppress(ValueError, OSError):
        layout, place = corpora.detect(corpus, kind)
        clips = [clip for clip in layout.as_stated(place) if part in ("all", clip.split)]
        return of_sound(clips, recipe, None, 1, jobs)
    return ""
