"""Answers for recordings: what a model of frames, or the tutorial's model, says of each file.

For the command `predict`; `answer_of` and `draw` also serve `record`, which has one recording.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import lstm_engine as le
from experiments.reports.run import Run
from experiments.tutorial.prediction import Prediction
from experiments.voices import clip_model
from experiments.voices.judge import Judgement, judge_file
from experiments.voices.pretrained import SHIPPED
from features.audio import BadClip


def predict(
    files: Sequence[str], model_file: str | Path = SHIPPED, out: str | Path | None = None, force: bool = False,
    over_time: bool = False,
) -> Iterator[tuple[Prediction, Judgement | None]]:  # fmt: skip
    """Yield each file's answer with the judgement behind it: None for an unreadable file and for the tutorial's model.

    out: a folder for a picture of each file. over_time: refuse a model without answers over time, as `out` does. Raises
    ValueError for a model that cannot be used, and FileExistsError if `out` holds something, unless force replaces it.
    """
    network = le.load(model_file)
    if not clip_model.reads_frames(network) and out is None and not over_time:
        from experiments.tutorial import training  # imports what draws its reports

        for prediction in training.predict(model_file, list(files), network):
            yield prediction, None
        return
    model = clip_model.of_network(network, model_file)
    run = None if out is None else Run(out, force)
    for file, picture in zip(files, picture_names(files), strict=True):
        try:
            judgement = judge_file(file, model)
        except BadClip as bad:
            yield Prediction(file, error=bad.detail), None
        else:
            yield answer_of(file, judgement, draw(judgement, file, run, picture) if run else None), judgement


def answer_of(file: str, judgement: Judgement, picture: Path | None = None) -> Prediction:
    """The answer without its frames."""
    j = judgement
    drawn = None if picture is None else str(picture)
    probability, pitch_hz = (None, None) if j.parts else (j.probability, j.f0_hz)
    parts = [asdict(part) for part in j.parts] or None
    return Prediction(file, probability, j.label, pitch_hz, None, j.why, j.seconds, j.voice_s, drawn, parts)


def draw(judgement: Judgement, file: str, run: Run, name: str) -> Path:
    """Write the picture of a file into the run's folder as `name`."""
    from experiments.reports import pictures  # imports matplotlib, which is slow and needed for pictures only
    from experiments.voices import timeline

    return run.write(name, pictures.png(timeline.picture(judgement, file)))


def picture_names(files: Sequence[str]) -> list[str]:
    """A name for each file's picture: me.wav gives me.png; a second me, of another folder or format, gives me-2.png."""
    names: list[str] = []
    for file in files:
        stem, number = Path(file).stem, 1
        name = f"{stem}.png"
        while name.lower() in map(str.lower, names):  # on Windows and macOS, Me.png and me.png are one file
            number += 1
            name = f"{stem}-{number}.png"
        names.append(name)
    return names
