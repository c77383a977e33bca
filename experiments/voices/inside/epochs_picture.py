"""A picture of the gates through a training, for documents: the forget gate and the cell at some epochs, side by side.

    python -m experiments.voices.inside.epochs_picture runs/gates/epochs voice.wav out.png --epoch 0 --epoch 20

For the models that `lstm-engine train --keep-epochs` writes; `train --watch` makes the page on which they move.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from matplotlib import colormaps
from matplotlib.figure import Figure

from experiments.reports.pictures import png
from experiments.voices import clip_model
from experiments.voices.inside.epochs import kept, see
from experiments.voices.inside.look import hear
from features.audio import BadClip
from features.recipes import recipe_from
from features.speech import FRAME_S
from lstm_engine.files import write_atomically

EPOCHS = [0, 2, 10, 40]  # of the 40 that train takes
SHOWN = {  # of the forward direction: the name, and its colours, few of them so that the file is small
    "f": ("forget gate f", {"cmap": colormaps["viridis"].resampled(20), "vmin": 0, "vmax": 1}),
    "c": ("cell state c", {"cmap": colormaps["RdBu_r"].resampled(21)}),
}


def picture(folder: Path, voice: Path, epochs: list[int]) -> Figure:
    """Two rows, f and c, a column for each epoch; units (H,) down by their mean f after training, seconds across.

    ValueError for an epoch that is not in the folder.
    """
    files = kept(folder)
    if not files:
        raise ValueError(f"{folder} has no epochs: name the folder `epochs` that train --keep-epochs wrote")
    if missing := [epoch for epoch in epochs if epoch not in files]:
        raise ValueError(f"{folder} has no epoch {missing[0]}: there are {min(files)} to {max(files)}")
    recipe = recipe_from(clip_model.load(files[epochs[0]]).network.metadata["recipe"], str(folder))
    heard = hear(voice, recipe)
    seen = [see(heard, files[epoch]) for epoch in epochs]
    order = np.argsort(seen[-1][1]["forward/f"].mean(axis=0))  # (H,)
    largest = max(float(np.abs(values["forward/c"]).max()) for _, values in seen)
    seconds = FRAME_S * len(seen[0][0])
    fig = Figure(figsize=(2.6 * len(epochs) + 0.9, 4.6), layout="constrained")
    for axes, (name, (title, colours)) in zip(fig.subplots(2, len(epochs)), SHOWN.items(), strict=True):
        limits = {} if "vmax" in colours else {"vmin": -largest, "vmax": largest}
        for ax, epoch, (log_odds, values) in zip(axes, epochs, seen, strict=True):
            units = values[f"forward/{name}"][:, order].T  # (H, T)
            image = ax.imshow(
                units, aspect="auto", interpolation="nearest", extent=(0, seconds, 0, len(units)), **colours, **limits
            )
            ax.set(xticks=[], yticks=[])
            if name == "f":
                p = 1 / (1 + np.exp(-log_odds.mean()))
                ax.set_title(f"{'before training' if epoch == 0 else f'epoch {epoch}'}: p(male) {p:.3f}", fontsize=9)
            else:
                ax.set_xlabel(f"{seconds:.1f} s of speech", fontsize=8)
        axes[0].set_ylabel(f"{len(units)} units", fontsize=8)
        fig.colorbar(image, ax=list(axes), label=title, pad=0.01)
    return fig


def main(
    folder: Annotated[Path, typer.Argument(help="The folder `epochs` of a training with --keep-epochs or --watch.")],
    voice: Annotated[Path, typer.Argument(help="The recording that the networks hear.")],
    out: Annotated[Path, typer.Argument(help="The PNG to write.")],
    epoch: Annotated[list[int], typer.Option(help="An epoch to show; may be repeated.")] = EPOCHS,
) -> None:
    """Draws the forget gate and the cell state at several epochs of a training, on one recording."""
    try:
        drawn = picture(folder, voice, epoch)
    except (ValueError, OSError, BadClip) as error:
        raise typer.BadParameter(str(error)) from error
    write_atomically(out, png(drawn))


if __name__ == "__main__":
    typer.run(main)
