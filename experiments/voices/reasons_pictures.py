"""The pictures of `experiments.voices.reasons`: errors by pitch, silenced inputs, and answers while the pitch moves.

Each takes {model: {corpus: figures}}. Blue are men and orange women; a second model is dashed.
"""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from experiments.reports.pictures import BLUE, GREY, ORANGE, figure, legend_below
from experiments.voices.moved_pitch import SEMITONES

Results = dict[str, dict[str, dict[str, Any]]]
COLOURS = {"male": BLUE, "female": ORANGE}
STYLES = ("-", "--", ":", "-.")  # of the models
MARKS = dict(zip(STYLES, "ox^s", strict=True))
LEAST = 3  # clips that a point needs
PANEL = 3.3  # inches: the width of a panel
SHOWN = {"male": (-6, 18), "female": (-12, 6)}  # semitones: farther away the pitch leaves the range that is searched


def drawn(results: Results) -> dict[str, Figure]:
    """The pictures by name, each on a paper that is light or dark as the reader's screen is."""
    figures = {"pitch": by_pitch(results), "inputs": by_input(results), "moved": by_move(results)}
    for fig in figures.values():
        fig.add_artist(Rectangle((0, 0), 1, 1, transform=fig.transFigure, facecolor="#ffffff", zorder=-10))
    return figures


def by_pitch(results: Results) -> Figure:
    """The share right against the clip's median F0, a panel a corpus."""
    fig, panels = _panels(results)
    for corpus, ax in panels.items():
        for style, (model, of) in zip(STYLES, results.items(), strict=False):
            for sex, colour in COLOURS.items():
                bins = [b for b in of[corpus]["by_pitch"] if b["sex"] == sex and b["of"] >= LEAST]
                middle = [np.sqrt(max(b["low_hz"], 80) * min(b["high_hz"], 320)) for b in bins]
                shares = [b["right"] / b["of"] for b in bins]
                ax.plot(middle, shares, style, marker="o", ms=4, color=colour, label=f"{_name(sex)}, {model}")
        ax.set(title=corpus, xlabel="median F0 of the clip (Hz)", ylim=(-0.03, 1.03), xscale="log", xlim=(85, 330))
        ax.set_xticks((100, 150, 200, 300), ("100", "150", "200", "300"))
        ax.minorticks_off()
    fig.axes[0].set_ylabel("share right")
    legend_below(fig)
    return fig


def by_input(results: Results) -> Figure:
    """The loss of balanced accuracy, in the mean over corpora, when an input is silenced."""
    inputs = next(iter(next(iter(results.values())).values()))["silenced"]
    fig, (ax,) = figure(1, height=1.2 + 0.17 * len(inputs))
    fig.set_figwidth(8.0)
    width = 0.8 / len(results)
    for k, (colour, (model, of)) in enumerate(zip((BLUE, ORANGE, GREY), results.items(), strict=False)):
        shares = [result["silenced"] for result in of.values()]
        names = [name for name in shares[0] if name != "nothing"]
        lost = [np.mean([share["nothing"] - share[name] for share in shares]) for name in names]
        places = np.arange(len(names)) + (k - (len(results) - 1) / 2) * width
        ax.barh(places, lost, width, color=colour, label=model)
        ax.set_yticks(np.arange(len(names)), names, fontsize=8)
    ax.axvline(0, color=GREY, lw=1)
    ax.set_axisbelow(True)
    ax.invert_yaxis()
    ax.set(xlabel="balanced accuracy lost when the network does not see it, mean over the corpora")
    legend_below(fig)
    return fig


def by_move(results: Results) -> Figure:
    """The share called male while the pitch moves, a panel a corpus; marks are voices that were spoken again."""
    fig, panels = _panels(results)
    for corpus, ax in panels.items():
        for style, (model, of) in zip(STYLES, results.items(), strict=False):
            for sex, colour in COLOURS.items():
                low, high = SHOWN[sex]
                shown = [n for n, k in enumerate(SEMITONES) if low <= k <= high]
                at, name = np.array(SEMITONES)[shown], f"{_name(sex)}, {model}"
                ax.plot(at, np.array(of[corpus]["column_moved"]["LSTM"][sex])[shown], style, color=colour, label=name)
                if spoken := of[corpus].get("sound_moved"):
                    shares = np.array(spoken["LSTM"][sex])[shown]
                    ax.plot(at, shares, MARKS[style], ms=4, color=colour, label=f"{name}, spoken again")
        ax.axvline(0, color=GREY, lw=1)
        ax.set(title=corpus, xlabel="semitones by which F0 moves", ylim=(-0.03, 1.03))
        ax.set_xticks((-12, -6, 0, 6, 12, 18))
    fig.axes[0].set_ylabel("share called male")
    legend_below(fig)
    return fig


def _panels(results: Results) -> tuple[Figure, dict[str, Any]]:
    """A figure and its axes, one for each corpus."""
    corpora = list(next(iter(results.values())))
    fig, axes = figure(len(corpora))
    fig.set_figwidth(PANEL * len(corpora) + 0.4)
    return fig, dict(zip(corpora, axes, strict=True))


def _name(sex: str) -> str:
    return {"male": "men", "female": "women"}[sex]
