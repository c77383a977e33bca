"""The page of an evaluation, its tables, and the answer in a sentence; the terminal shows the same tables."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from experiments.reports import page
from experiments.reports.pictures import BLUE, GREY, ORANGE, by_sex, figure, inline
from experiments.reports.run import Run, footer

COLOURS = {"male": BLUE, "female": ORANGE}
SHOWN_ROWS = 100  # of a table on the page; the CSV beside it has all
TERMINAL_ROWS = 10


def write(
    run: Run, result: dict[str, Any], rows: pd.DataFrame, notes: list[str], command: str, more: Sequence[str] = ()
) -> None:
    """result.json, clips.csv (every clip), errors.csv and report.html, with more parts at its end, into the run's folder."""
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
            "Right answers as balanced accuracy, the mean of the two sexes' shares, so that guessing gives .5. A speaker's "
            "answer is the mean log-odds of the speaker's clips. Intervals hold 95 % of 2,000 draws of as many speakers, "
            "each with all of their clips, and of half an answer that was not seen; those of a difference draw both "
            "classifiers on the same speakers."
        ),
        page.table(sex_table(result)),
        page.heading("How sure, and rightly so?"),
        page.row(
            inline(
                reliability_picture(result),
                "Of the clips that were given a probability, how many are male: on the diagonal the network means what it "
                "says. Each point holds as many clips; the bars are Wilson's 95 % intervals.",
            ),
            inline(
                by_sex(rows["p"], rows["sex"] == "male", 0.5, "probability of male", "what the network says"),
                "A good classifier piles up at both ends, each sex at its own.",
            ),
        ),
        page.table(calibration_table(result)),
        page.paragraph(abstention_words(result)),
        page.heading("Where it is wrong"),
        inline(
            against_f0(rows, f0_hz),
            "Log-odds against median F0. Marked are the errors: right of the dashed line a male voice is high, left of it a "
            "female voice is low, and a network that errs there follows pitch.",
        ),
        _table_of(error_table(result), "Every clip was right.", "errors.csv"),
        page.heading("Every speaker"),
        page.folded("Those with errors first", _table_of(people_table(result), "No speaker is known.", "clips.csv")),
        *more,
    ]
    run.write("report.html", page.page("A network on voices that it has not heard", parts, footer(command)))


def sentence(result: dict[str, Any]) -> str:
    """The answer: how good, how sure, and against what."""
    (name, model), *baselines = result["sides"].items()
    people = f" of {result['speakers']:,} speakers" if result["speakers"] else ""
    by_speaker = f" and {_with_interval(model['by_speaker'])} by speaker" if "by_speaker" in model else ""
    text = (
        f"On {result['clips']:,} clips{people} ({result['hours']:.2f} h) the {name}'s balanced accuracy is "
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
    """What the reader of these figures must know."""
    if not (unknown := result["clips_of_unknown_speakers"]):
        return []
    return [
        f"The speaker of {unknown:,} of {result['clips']:,} clips is unknown, and each stands for a speaker of its own: "
        "where one person said several, the intervals are too narrow."
    ]


def tables(result: dict[str, Any]) -> dict[str, pd.DataFrame]:
    """The page's tables by title, as they fit into a terminal."""
    sides = side_table(result)
    lead = [column for column in sides if "lead" in column]
    return {
        "Balanced accuracy (95 % interval)": sides.drop(columns=lead),
        "The model's lead (95 % interval)": sides[lead].iloc[1:],
        "Right answers (95 % interval)": sex_table(result),
        "Probabilities": calibration_table(result),
    }


def error_lines(result: dict[str, Any]) -> list[str]:
    """The surest errors, a line each, and how many more there are."""
    wrong = result["errors"]
    lines = [f"wrong: {e['path']} ({e['sex']}, p(male) {e['p']:.3f}): {e['remark']}" for e in wrong[:TERMINAL_ROWS]]
    more = len(wrong) - TERMINAL_ROWS
    return lines + [f"and {more:,} more: all of them are in errors.csv"] * (more > 0)


def side_table(result: dict[str, Any]) -> pd.DataFrame:
    """A row a side: balanced accuracy with its interval by clip and by speaker, and the model's lead over a baseline."""
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
    """A row a side: how many of each sex's clips and speakers are right, those of speakers with Wilson's interval."""
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
    """Calibration error, Brier score and log loss, as the network gives its log-odds and at the model's temperature."""
    names = {"expected_calibration_error": "calibration error", "brier": "Brier score", "log_loss": "log loss"}
    rows = {"as the network gives them": "before", f"at temperature {result['temperature']:.2f}": "after"}
    stages = {row: result["calibration"][stage] for row, stage in rows.items()}
    return pd.DataFrame({row: {names[k]: f"{v:.3f}" for k, v in figures.items()} for row, figures in stages.items()}).T


def abstention_words(result: dict[str, Any]) -> str:
    a, (low, high) = result["abstentions"], result["uncertain"]
    silent, unsure = a["no speech"], a["uncertain"]
    band = f"between {low:.2f} and {high:.2f}" if low < high else "of no band"
    if not silent + unsure:
        return f"It would have answered on every clip: none has too little voice, none a probability {band}."
    rest = a["balanced_accuracy_of_the_rest"]
    return (
        f"It would have abstained on {silent + unsure:,} of {result['clips']:,} clips: {silent:,} with too little voice, "
        f"{unsure:,} with a probability {band}. Of these {a['wrong_among_them']:,} are wrong"
        + (f"; on the rest its balanced accuracy is {rest:.3f}." if rest is not None else ".")
    )


def error_table(result: dict[str, Any]) -> pd.DataFrame:
    """The misjudged clips, the surest first."""
    names = {
        "speaker": "speaker",
        "sex": "label",
        "p": "p(male)",
        "f0_hz": "F0 (Hz)",
        "seconds": "s",
        "voice_s": "voice (s)",
    }
    names["remark"] = "remark"
    if not result["errors"]:
        return pd.DataFrame()
    table = pd.DataFrame(result["errors"]).set_index("path")[list(names)]
    forms = {"p": "{:.3f}", "f0_hz": "{:.0f}", "seconds": "{:.1f}", "voice_s": "{:.1f}"}
    return _formed(table, forms).rename(columns=names)


def people_table(result: dict[str, Any]) -> pd.DataFrame:
    """A row a known speaker, those with errors first."""
    if not result["people"]:
        return pd.DataFrame()
    table = pd.DataFrame(result["people"]).set_index("speaker")[["sex", "clips", "right", "said", "p", "f0_hz"]]
    names = {"sex": "label", "said": "all clips together say", "p": "p(male)", "f0_hz": "F0 (Hz)"}
    return _formed(table, {"p": "{:.3f}", "f0_hz": "{:.0f}"}).rename(columns=names)


def reliability_picture(result: dict[str, Any]) -> Figure:
    """Share of male clips against the mean probability of each bin, with intervals and the diagonal."""
    bins = pd.DataFrame(result["calibration"]["reliability"])
    fig, (ax,) = figure(1)
    ax.plot([0, 1], [0, 1], color=GREY, ls="--", lw=1, label="means what it says")
    bars = [bins["male"] - bins["low"], bins["high"] - bins["male"]]
    ax.errorbar(bins["p"], bins["male"], bars, color=BLUE, marker="o", ms=5, lw=1, ls="", capsize=3, label="clips")
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel="probability of male", ylabel="share that is male")
    ax.set_title(f"reliability at temperature {result['temperature']:.2f}")
    ax.legend(fontsize=8, loc="upper left")
    return fig


def against_f0(rows: pd.DataFrame, f0_hz: float) -> Figure:
    """Log-odds of every clip against its median F0 on a logarithmic scale; errors circled."""
    fig, (ax,) = figure(1, height=4.2)
    fig.set_figwidth(8.0)
    for sex, colour in COLOURS.items():
        own = rows[rows["sex"] == sex]
        ax.plot(own["f0_hz"], own["log_odds"], ".", color=colour, ms=5, alpha=0.6, label=sex)
    wrong = rows[~rows["right"]]
    ax.plot(wrong["f0_hz"], wrong["log_odds"], "o", mfc="none", mec="black", ms=9, ls="", label="wrong")
    ax.axhline(0, color=GREY, lw=1)
    ax.axvline(f0_hz, color=GREY, ls="--", lw=1, label=f"F0 {f0_hz:.0f} Hz")
    ax.set_xscale("log")
    ticks = [hz for hz in (60, 80, 100, 125, 150, 200, 250, 300, 400, 500) if _within(hz, rows["f0_hz"])]
    ax.set_xticks(ticks, [str(hz) for hz in ticks])
    ax.minorticks_off()
    ax.set(xlabel="median F0 (Hz)", ylabel="log-odds of male")
    ax.legend(fontsize=8)
    return fig


def _within(hz: float, f0: pd.Series) -> bool:
    return bool(0.9 * np.nanmin(f0) <= hz <= 1.1 * np.nanmax(f0))


def _formed(table: pd.DataFrame, forms: dict[str, str]) -> pd.DataFrame:
    shown = table.copy()
    for column, form in forms.items():
        shown[column] = ["" if pd.isna(v) else form.format(v) for v in table[column]]
    return shown


def _table_of(table: pd.DataFrame, empty: str, file: str) -> str:
    if table.empty:
        return page.paragraph(empty)
    rest = len(table) - SHOWN_ROWS
    more = page.paragraph(f"{rest:,} more are in {file}.") if rest > 0 else ""
    return page.table(table.head(SHOWN_ROWS)) + more


def _with_interval(figures: dict[str, Any], what: str = "balanced_accuracy", words: str = "") -> str:
    interval = "interval_95" if what == "balanced_accuracy" else f"{what}_95"
    return f"{figures[what]:.3f} ({words}{_span(figures[interval])})"


def _span(ends: list[float]) -> str:
    return f"{ends[0]:.3f} to {ends[1]:.3f}"
