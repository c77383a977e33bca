"""The report of an evaluation: the page, its tables, and the result in a sentence. The terminal shows the same tables."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from experiments.reports import page
from experiments.reports.pictures import BLUE, GREY, ORANGE, by_sex, figure, inline, legend_below
from experiments.reports.run import Run, footer
from experiments.voices import groups

COLOURS = {"male": BLUE, "female": ORANGE}
SHOWN_ROWS = 100  # of a table on the page; the CSV beside it has all
TERMINAL_ROWS = 10
PEOPLE = {  # columns of the tables, and their titles
    "speaker": "speaker", "sex": "label", "clips": "clips", "right": "right", "said": "answer for all clips",
    "p": "p(male)", "f0_hz": "F0 (Hz)",
}  # fmt: skip
ERRORS = {
    "path": "path", "speaker": "speaker", "sex": "label", "p": "p(male)", "f0_hz": "F0 (Hz)", "seconds": "s",
    "voice_s": "voice (s)", "remark": "remark",
}  # fmt: skip


def write(
    run: Run, result: dict[str, Any], rows: pd.DataFrame, notes: list[str], command: str, more: Sequence[str] = ()
) -> None:
    """Write result.json, clips.csv (every clip), errors.csv and report.html into the run's folder; more: its last parts."""
    run.write_json("result.json", result | {"notes": notes})
    run.write("clips.csv", rows.to_csv(index=False))
    run.write("errors.csv", pd.DataFrame(result["errors"], columns=rows.columns).to_csv(index=False))
    f0_hz = result["f0_hz"]
    parts = [
        page.paragraph(sentence(result), "lead"),
        *(page.paragraph(note, "note") for note in [*notes, *caution(result)]),
        page.heading("Beside the baselines"),
        page.table(side_table(result)),
        page.paragraph(
            "Balanced accuracy is the mean of the two sexes' shares of right answers, guessing gives 0.5. The answer for a "
            "speaker is the mean log-odds of the speaker's clips. Intervals are 95 % bootstrap intervals: 2,000 draws of "
            "speakers, each with all of their clips, plus half an unseen answer. The interval of a difference draws both "
            "classifiers on the same speakers."
        ),
        page.table(sex_table(result)),
        page.heading("Are the probabilities right?"),
        page.row(
            inline(
                reliability_picture(result),
                "Of the clips with about this probability, the share that is male: on the diagonal the probabilities are "
                "right. Every point holds the same number of clips; the bars are Wilson's 95 % intervals.",
            ),
            inline(
                by_sex(rows["p"], rows["sex"] == "male", 0.5, "probability of male", "the network's answers"),
                "A good classifier puts most clips near the two ends, each sex at its own end.",
            ),
        ),
        page.table(calibration_table(result)),
        page.paragraph(abstention_words(result)),
        *by_parts(result),
        page.heading("Errors"),
        inline(
            against_f0(rows, f0_hz),
            "Log-odds against median F0, errors circled. Right of the dashed line a male voice is high, left of it a female "
            "voice is low: a network whose errors lie there follows pitch.",
        ),
        _table_of(result["errors"], ERRORS, "Every clip was right.", "errors.csv"),
        page.heading("Every speaker"),
        page.folded(
            "Speakers with errors come first",
            _table_of(result["people"], PEOPLE, "No speaker is known.", "clips.csv"),
        ),
        *more,
    ]
    run.write("report.html", page.page("The network on new voices", parts, footer(command)))


def by_parts(result: dict[str, Any]) -> list[str]:
    """The groups of the column that the evaluation was asked for."""
    if "by" not in result:
        return []
    table = page.table(groups.table(result["by"]["groups"]))
    words = "Answered: the share of the group's clips with an answer; then how many of those are right."
    return [page.heading(f"By {result['by']['column']}"), table, page.paragraph(words)]


def sentence(result: dict[str, Any]) -> str:
    """The result: balanced accuracy with its interval, and the difference from each baseline."""
    (name, model), *baselines = result["sides"].items()
    people = f" of {page.counted(result['speakers'], 'speaker')}" if result["speakers"] else ""
    by_speaker = f" and {_with_interval(model['by_speaker'])} by speaker" if "by_speaker" in model else ""
    text = (
        f"On {page.counted(result['clips'], 'clip')}{people} ({result['hours']:.2f} h) the {name}'s balanced accuracy is "
        f"{_with_interval(model['by_clip'], words='95 % interval ')} by clip{by_speaker}."
    )
    for other, side in baselines:
        figures = side["by_clip"]
        low, high = figures["model_leads_by_95"]
        clear = "clearly ahead" if low > 0 else "clearly behind" if high < 0 else "not clearly ahead"
        text += (
            f" {other[0].upper()}{other[1:]} reaches {figures['balanced_accuracy']:.3f}: the {name} is {clear} "
            f"(difference {figures['model_leads_by']:.3f}, {_span([low, high])})."
        )
    return text


def caution(result: dict[str, Any]) -> list[str]:
    """A warning if speakers are unknown."""
    if not (unknown := result["clips_of_unknown_speakers"]):
        return []
    return [
        f"The speaker of {unknown:,} of {result['clips']:,} clips is unknown; each counts as one speaker. "
        "If one person spoke several of them, the intervals are too narrow."
    ]


def tables(result: dict[str, Any]) -> dict[str, pd.DataFrame]:
    """The page's tables by title, narrow enough for a terminal."""
    sides = side_table(result)
    lead = [column for column in sides if "lead" in column]
    by = {f"By {result['by']['column']}": groups.table(result["by"]["groups"], f0=False)} if "by" in result else {}
    return by | {
        "Balanced accuracy (95 % interval)": sides.drop(columns=lead),
        "The model's lead (95 % interval)": sides[lead].iloc[1:],
        "Right answers (95 % interval)": sex_table(result),
        "Probabilities": calibration_table(result),
    }


def error_lines(result: dict[str, Any]) -> list[str]:
    """The errors with the largest log-odds, a line each, and how many more there are."""
    errors = result["errors"]
    lines = [f"wrong: {e['path']} ({e['sex']}, p(male) {e['p']:.3f}): {e['remark']}" for e in errors[:TERMINAL_ROWS]]
    more = len(errors) - TERMINAL_ROWS
    return lines + [f"and {more:,} more: errors.csv lists all errors"] * (more > 0)


def side_table(result: dict[str, Any]) -> pd.DataFrame:
    """One row for the model and for each baseline: balanced accuracy by clip and by speaker, and the model's lead over it."""
    model = next(iter(result["sides"]))
    table: dict[str, dict[str, str]] = {}
    for name, side in result["sides"].items():
        table[name] = {}
        for kind, figures in side.items():
            unit = kind.replace("_", " ")
            lead = _with_interval(figures, "model_leads_by") if name != model else ""
            table[name] |= {unit: _with_interval(figures), f"{model}'s lead {unit}": lead}
    return pd.DataFrame(table).T


def sex_table(result: dict[str, Any]) -> pd.DataFrame:
    """One row for the model and for each baseline: how many of each sex's clips and speakers are right."""
    table: dict[str, dict[str, str]] = {}
    for name, side in result["sides"].items():
        table[name] = {}
        for sex in COLOURS:
            for kind, figures in side.items():
                share = figures[sex]
                interval = f" ({_span(share['interval_95'])})" if "interval_95" in share else ""
                column = f"{sex} {kind.removeprefix('by_')}s right"
                table[name][column] = f"{share['right']:,} of {share['of']:,}{interval}"
    return pd.DataFrame(table).T


def calibration_table(result: dict[str, Any]) -> pd.DataFrame:
    """Calibration error, Brier score and log loss, without and with the model's temperature."""
    names = {"expected_calibration_error": "calibration error", "brier": "Brier score", "log_loss": "log loss"}
    rows = {"without a temperature": "before", f"at temperature {result['temperature']:.2f}": "after"}
    stages = {row: result["calibration"][stage] for row, stage in rows.items()}
    return pd.DataFrame({row: {names[k]: f"{v:.3f}" for k, v in figures.items()} for row, figures in stages.items()}).T


def abstention_words(result: dict[str, Any]) -> str:
    """On how many clips `predict` would abstain, and how good the model is on the others."""
    a, (low, high) = result["abstentions"], result["uncertain"]
    silent, unsure = a["no speech"], a["uncertain"]
    band = f"a probability between {low:.2f} and {high:.2f}" if low < high else "an uncertain probability"
    if not silent + unsure:
        return f"The model would answer for every clip: none has too little voice or {band}."
    rest = a["balanced_accuracy_of_the_rest"]
    return (
        f"The model would abstain on {silent + unsure:,} of {result['clips']:,} clips: {silent:,} with too little voice, "
        f"{unsure:,} with {band}. It is wrong on {a['wrong_among_them']:,} of them"
        + (f"; on the rest its balanced accuracy is {rest:.3f}." if rest is not None else ".")
    )


def reliability_picture(result: dict[str, Any]) -> Figure:
    """The share of male clips against the mean probability of each bin, with intervals and the diagonal."""
    bins = pd.DataFrame(result["calibration"]["reliability"])
    fig, (ax,) = figure(1)
    ax.plot([0, 1], [0, 1], color=GREY, ls="--", lw=1, label="perfectly calibrated")
    bars = [bins["male"] - bins["low"], bins["high"] - bins["male"]]
    ax.errorbar(bins["p"], bins["male"], bars, color=BLUE, marker="o", ms=5, lw=1, ls="", capsize=3, label="clips")
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel="probability of male", ylabel="share that is male")
    ax.set_title(f"reliability at temperature {result['temperature']:.2f}")
    legend_below(fig)
    return fig


def against_f0(rows: pd.DataFrame, f0_hz: float) -> Figure:
    """Log-odds of every clip against its median F0 on a logarithmic scale; errors circled."""
    fig, (ax,) = figure(1, height=4.2)
    fig.set_figwidth(8.0)
    for sex, colour in COLOURS.items():
        clips = rows[rows["sex"] == sex]
        ax.plot(clips["f0_hz"], clips["log_odds"], ".", color=colour, ms=5, alpha=0.6, label=sex)
    wrong = rows[~rows["right"]]
    ax.plot(wrong["f0_hz"], wrong["log_odds"], "o", mfc="none", mec="black", ms=9, ls="", label="wrong")
    ax.axhline(0, color=GREY, lw=1)
    ax.axvline(f0_hz, color=GREY, ls="--", lw=1, label=f"F0 {f0_hz:.0f} Hz")
    ax.set_xscale("log")
    low, high = 0.9 * np.nanmin(rows["f0_hz"]), 1.1 * np.nanmax(rows["f0_hz"])
    ticks = [hz for hz in (60, 80, 100, 125, 150, 200, 250, 300, 400, 500) if low <= hz <= high]
    ax.set_xticks(ticks, [str(hz) for hz in ticks])
    ax.minorticks_off()
    ax.set(xlabel="median F0 (Hz)", ylabel="log-odds of male")
    legend_below(fig)
    return fig


def _table_of(rows: list[dict[str, Any]], columns: dict[str, str], empty: str, file: str) -> str:
    """The first rows, as text, indexed by the first of the columns {key: title}; empty: the words without any row."""
    if not rows:
        return page.paragraph(empty)
    table = pd.DataFrame(rows[:SHOWN_ROWS], columns=list(columns))
    for key, form in {"p": "{:.3f}", "f0_hz": "{:.0f}", "seconds": "{:.1f}", "voice_s": "{:.1f}"}.items():
        if key in table:
            table[key] = ["" if pd.isna(v) else form.format(v) for v in table[key]]
    rest = len(rows) - SHOWN_ROWS
    more = page.paragraph(f"{rest:,} more are in {file}.") if rest > 0 else ""
    return page.table(table.set_index(next(iter(columns))).rename(columns=columns)) + more


def _with_interval(figures: dict[str, Any], what: str = "balanced_accuracy", words: str = "") -> str:
    interval = "interval_95" if what == "balanced_accuracy" else f"{what}_95"
    return f"{figures[what]:.3f} ({words}{_span(figures[interval])})"


def _span(ends: list[float]) -> str:
    return f"{ends[0]:.3f} to {ends[1]:.3f}"
