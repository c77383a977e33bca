"""The picture of a recording over time, for `predict` and `record`: level, pitch, and the network's answer at each frame."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.reports.pictures import BLUE, GREY, ORANGE
from experiments.voices.changes import SEVERAL
from experiments.voices.judge import Judgement
from features.speech import FRAME_S
from features.synth import PITCH

LIMITS_HZ = (55, 520)
TICKS_HZ = (60, 80, 100, 150, 200, 300, 500)
SOUND = "#BBBBBB"
POINTS = 2_000  # in time; more would not be seen apart
ROOM = 0.07  # of the length, for a word
LONGEST_NAME = 80  # characters that fit above the axes


def picture(judgement: Judgement, name: str) -> Figure:
    """Three axes over time: level, pitch with the usual range of each sex, probability of male. The title is the answer.

    Where the voice changes, there is a line across them, and the probability's axes name the voice of each stretch.
    """
    fig = Figure(figsize=(9.2, 6.4), layout="constrained")
    level, pitch, probability = fig.subplots(3, 1, sharex=True, height_ratios=(1, 1.7, 1.5))
    for ax in (level, pitch, probability):
        ax.grid(alpha=0.25)
        ax.spines[["top", "right"]].set_visible(False)
    drawn = judgement.thinned(POINTS)
    each = FRAME_S * -(-len(judgement.time) // POINTS)
    fig.suptitle(title(judgement, name), fontsize=12, parse_math=False)  # a file name such as $x$.wav is no formula
    _draw_level(level, drawn)
    _draw_pitch(pitch, drawn)
    _draw_probability(probability, drawn)
    _draw_parts((level, pitch, probability), judgement)
    probability.set(xlabel=f"time (s), a point every {each:.2g} s", xlim=(0, judgement.seconds))
    return fig


def title(judgement: Judgement, name: str) -> str:
    """The file's name and the answer; below it the reason, and for a sex the median pitch and the seconds of voice."""
    j, name = judgement, name if len(name) <= LONGEST_NAME else f"...{name[3 - LONGEST_NAME :]}"
    if j.label in ("no speech", "uncertain", SEVERAL):
        return f"{name}: {j.label}\n{j.why}"
    return f"{name}: {j.label}\n{j.why}; median pitch {j.f0_hz:.0f} Hz in {j.voice_s:.1f} s of voice"


def _draw_parts(axes: Sequence[Axes], j: Judgement) -> None:
    """A line at each change of the voice, and above the last of the axes the label of each part that has room for it."""
    for part in j.parts:
        if part.start_s:
            for ax in axes:
                ax.axvline(part.start_s, color="black", lw=1, ls=":")
        colour = BLUE if part.probability > 0.5 else ORANGE
        middle, above = (part.start_s + part.end_s) / 2, axes[-1].get_xaxis_transform()
        if part.end_s - part.start_s > ROOM * j.seconds:
            axes[-1].text(middle, 1.02, part.label, color=colour, ha="center", fontsize=9, transform=above)


def _beside(ax: Axes, y: float, text: str, colour: str) -> None:
    """A word to the right of the axes, at height y from 0 to 1."""
    ax.text(1.005, y, text, color=colour, fontsize=8, va="center", transform=ax.transAxes)


def _draw_level(ax: Axes, j: Judgement) -> None:
    """The root mean square as a band around zero, like a waveform; darker in voiced frames."""
    rms = 10 ** (j.energy / 20)
    voice = np.where(np.isnan(j.f0), 0, rms)
    for height, colour in ((rms, SOUND), (voice, GREY)):
        ax.fill_between(j.time, -height, height, color=colour, lw=0)
    _beside(ax, 0.62, "voice", GREY)
    _beside(ax, 0.38, "other sound", SOUND)
    ax.set(ylabel="level", yticks=[])


def _draw_pitch(ax: Axes, j: Judgement) -> None:
    """F0 on a logarithmic axis, over bands of each sex's mean and two standard deviations."""
    low, high = np.log(LIMITS_HZ)
    for sex, people, colour in (("male", "men", BLUE), ("female", "women", ORANGE)):
        mean, sd = PITCH[sex]
        ax.axhspan(mean - 2 * sd, mean + 2 * sd, color=colour, alpha=0.12, lw=0)
        _beside(ax, (np.log(mean) - low) / (high - low), f"usual\nfor {people}*", colour)
    ax.plot(j.time, j.f0, color="black", ls="", marker=".", ms=4)
    ax.set(ylabel="pitch (Hz)", yscale="log", ylim=LIMITS_HZ)
    ax.set_yticks(TICKS_HZ, [str(hz) for hz in TICKS_HZ])
    ax.minorticks_off()
    source = "* mean and 2 SD either side in read words, Hillenbrand et al. 1995"
    ax.text(0.998, 0.02, source, fontsize=7, color=GREY, ha="right", transform=ax.transAxes)


def _draw_probability(ax: Axes, j: Judgement) -> None:
    """The probability at each frame, blue towards male and orange towards female, and the line at 0.5."""
    ax.axhline(0.5, color=GREY, lw=1)
    for side, colour in ((np.maximum(j.p, 0.5), BLUE), (np.minimum(j.p, 0.5), ORANGE)):
        ax.fill_between(j.time, 0.5, side, color=colour, alpha=0.3, lw=0)
    ax.plot(j.time, j.p, color="black", lw=1)
    _beside(ax, 0.97, "male", BLUE)
    _beside(ax, 0.03, "female", ORANGE)
    if np.isnan(j.p).all():
        ax.text(0.5, 0.7, "no answer: nobody speaks", ha="center", transform=ax.transAxes, color=GREY)
    ax.set(ylabel="probability of male", ylim=(0, 1))
