"""What a checkpoint after every epoch costs a training on frames, as a share of the epoch:

lstm-engine features librispeech_251 --recipe frames --out my_frames
python -m experiments.promises.checkpoint_cost my_frames
"""

import tempfile
from pathlib import Path
from time import perf_counter, process_time
from typing import Annotated

import numpy as np
import typer

from experiments.reports.checkpoints import trainings
from experiments.voices import clip_model
from experiments.voices.training import watching
from features.clips import read_clips


def spent() -> tuple[float, float]:
    """Seconds on the clock, and seconds that this process has computed, on all its threads."""
    return perf_counter(), process_time()


def main(
    frames: Annotated[Path, typer.Argument(help="Folder that features --recipe frames wrote.")],
    epochs: Annotated[int, typer.Option(min=3, help="Epochs to train.")] = 12,
) -> None:
    """Trains on all clips of a folder, and prints the medians of an epoch and of its checkpoint.

    On a busy machine the share of the time that was computed is the truer one; it leaves out waiting for the disk.
    """
    clips, settings = read_clips(frames), clip_model.Settings(epochs=epochs)
    watch, times = watching(clips, settings, seed=0), [spent()]

    def now(*_: object) -> None:
        times.append(spent())

    with (
        tempfile.TemporaryDirectory(dir=".") as place,
        trainings(Path(place) / "run", "cost", {}, {}, every=1) as kept,
        kept.training("all", epochs, watch) as keep,
    ):
        clip_model.train(clips, settings, 0, progress=now, after_epoch=now, callbacks=[watch], keep=keep)
        size = keep.files()[-1].stat().st_size
    at = np.array(times)  # (1 + 1 + 2 epochs, 2)
    begun, trained, written = at[3:-1:2], at[4::2], at[5::2]  # of epochs 2, 3, ...: the first one compiles
    epoch, checkpoint = np.median(trained - begun, axis=0), np.median(written - trained, axis=0)
    for what, of_epoch, of_checkpoint in zip(("clock", "computed"), epoch, checkpoint, strict=True):
        print(
            f"{what}: an epoch of {len(clips)} clips {of_epoch:.3f} s, its checkpoint of {size / 1e3:.0f} kB "
            f"{1e3 * of_checkpoint:.1f} ms, {of_checkpoint / of_epoch:.1%}"
        )


if __name__ == "__main__":
    typer.run(main)
