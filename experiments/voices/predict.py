"""What a model says of files, one after the other: a model of frames with all that it found over time, or the tutorial's.

For the command `predict`, and for `record`, which has one recording.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import lstm_engine as le
from experiments.reports.run import Run
from experiments.tutorial import training
from experiments.tutorial.training import Prediction
from experiments.voices import clip_model
from experiments.voices.clip_model import ClipModel
from experiments.voices.judge import Judgement, judge_file
from experiments.voices.pretrained import SHIPPED
from features.audio import BadClip


def predict(
    files: Sequence[str], model_file: str | Path = SHIPPED, out: str | Path | None = None, force: bool = False
) -> Iterator[tuple[Prediction, Judgement | None]]:
    """Each file's answer as it is found, with what it rests on; None for a file that cannot be read, and for the tutorial's.

    out: a folder for a picture of each. Raises ValueError for a model that does not say how its inputs are made, or that
    has nothing over time to draw; FileExistsError for a folder with something in it, unless force replaces it.
    """
    if le.load(model_file).metadata.get("task") != "frames":
        if out is not None:
            raise ValueError(nothing_over_time(model_file))
        for prediction in training.predict(model_file, list(files)):
            yield prediction, None
        return
    model = clip_model.load(model_file)
    run = None if out is None else Run(out, force)
    for file, picture in zip(files, picture_names(files), strict=True):
        try:
            judgement = judge_file(file, model)
        except BadClip as bad:
            yield Prediction(file, error=bad.detail), None
            continue
        yield prediction_of(file, judgement, draw(judgement, file, run, picture) if run else None), judgement


def prediction_of(file: str, judgement: Judgement, picture: Path | None = None) -> Prediction:
    """The answer alone, without its frames."""
    j = judgement
    drawn = None if picture is None else str(picture)
    return Prediction(file, j.probability, j.label, j.f0_hz, None, j.why, j.seconds, j.voice_s, drawn)


def draw(judgement: Judgement, file: str, run: Run, name: str) -> Path:
    """The picture of a file, under `name` in the run's folder."""
    from experiments.reports import pictures  # matplotlib: only who asks for pictures waits for it
    from experiments.voices import timeline

    return run.write(name, pictures.png(timeline.picture(judgement, file)))


def picture_names(files: Sequence[str]) -> list[str]:
    """A name for each file's picture: me.wav gives me.png; the next me, of another folder or format, gives me-2.png."""
    names: list[str] = []
    for file in files:
        stem, number = Path(file).stem, 1
        name = f"{stem}.png"
        while name.lower() in map(str.lower, names):  # Windows and macOS take Me.png for me.png
            number += 1
            name = f"{stem}-{number}.png"
        names.append(name)
    return names


def frames_model(model_file: str | Path) -> ClipModel:
    """A model that answers over time. ValueError, with what to do, for one of the tutorial's rows."""
    if le.load(model_file).metadata.get("task") != "frames":
        raise ValueError(nothing_over_time(model_file))
    return clip_model.load(model_file)


def nothing_over_time(model_file: str | Path) -> str:
    """Why a model that is none of frames cannot be used: it is the tutorial's, or for something else than voices."""
    rows = "reading" in le.load(model_file).metadata  # how the tutorial's rows are read
    why = (
        "reads one row a clip, so it has no pitch and no probability over time to show"
        if rows
        else "is no model of voices as frames, which its metadata would say"
    )
    return f"{model_file} {why}: use a model of the recipe frames, or leave --model out for the shipped one"
