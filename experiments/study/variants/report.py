"""The study's tables, a picture of all seeds, and what can be told apart, beside what the paper found, as a page."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from experiments.reports import page, pictures
from experiments.reports.run import Run, footer
from experiments.reports.scores import class_mean_interval
from experiments.study.solved import OF_SOLVED, percent, share_words, solved_summary, spread, spread_words
from experiments.study.solving import TESTED
from experiments.study.variants.cells import CELLS

NUMBERS = "variants.json"
PAPER = {
    "V": "none of the eight is significantly better",
    "NIG": "worse in speech and handwriting, not in music",
    "NFG": "worse in all three",
    "NOG": "worse in speech and handwriting, not in music",
    "NIAF": "worse in speech and handwriting, not in music",
    "NOAF": "worse in all three",
    "CIFG": "no significant difference, and simpler",
    "NP": "no significant difference, and simpler",
    "FGR": "no gain",
}
ABOUT_PAPER = (
    "The paper trained on speech (TIMIT), handwriting (IAM Online) and music (JSB Chorales), each variant with 200 random "
    "settings. That no variant is significantly better than V, that CIFG and NP do not significantly hurt, and that forget "
    "gate and output activation are the critical parts, is in its abstract. The rest is as it is commonly cited: it was not "
    "checked against the paper's tables."
)
FAIR = (
    "Every variant starts from the numbers of V with the same seed, less what it has not; peepholes, and the gates' weights "
    "on gates, start at 0, so that V, NP and FGR are one function at first. Forget gates start open and input gates shut, "
    "by the lag: b_f = log u and b_i = -b_f, with u even from 1 to {memory} less 1. A cell with one of the two gates has its "
    "one; CIFG has b_i, with which f = 1 - i has b_f by itself. For NIG this is a hard start: open forget gates add up what "
    "no input gate holds back, so that its states lie where tanh is flat before it has learnt anything; what it does here "
    "shows the start as much as the missing gate. Batches, limits and clipping are the same for all; the rate is each one's "
    "own, one of {rates}. A seed's sequences are the same for all variants."
)
APART = (
    "Against V, the tables say whether every seed of a variant is better, or worse, than every seed of V; a seed that fails "
    "on adding is worse than any that does not. On the digits the interval of the paired difference, test speakers drawn, "
    "must leave 0 out as well. The seeds' ranges meet otherwise, which is no proof that the two are alike."
)
QUICK = "A quick run: three variants, two seeds, easier tasks. It shows that the study works, and nothing about the variants."


def write(
    run: Run, s: Any, found: Mapping[str, Any], choices: Mapping[str, Any], quick: bool, commands: Sequence[str]
) -> dict[str, Any]:
    """Writes trainings.csv, choices.csv, variants.json, variants.png and report.html; returns what the JSON holds.

    found: by part ("adding", "digits", "equal") and variant the trainings, a seed each. choices: by part, variant and rate.
    """
    result: dict[str, Any] = {
        "commands": list(commands),
        "adding": adding_rows(found["adding"]),
        "digits": digits_rows(found["digits"], found["equal"]),
        "choices": choice_rows(choices),
    }
    result["words"] = verdict(result, s)
    fig = picture(found, s)
    run.write("trainings.csv", trainings(found).to_csv(index=False))
    run.write("choices.csv", pd.DataFrame(result["choices"]).to_csv(index=False))
    run.write("variants.png", pictures.png(fig))
    run.write_json(NUMBERS, result)
    parts = [
        page.paragraph(result["words"], "lead"),
        *([page.paragraph(QUICK, "note")] if quick else []),
        page.heading(f"{_adding_title(s)}: {s.adding.units} units"),
        page.table(adding_frame(result).set_index("variant")),
    ]
    if result["digits"]:
        parts += [
            page.heading(f"Spoken digits, on speakers never heard: units {s.digits.units}, epochs {s.digits.epochs}"),
            page.table(digits_frame(result).set_index("variant")),
        ]
    parts += [
        pictures.inline(fig, caption(result, s)),
        page.paragraph(f"{APART} {worth(result)}"),
        page.paragraph(FAIR.format(memory=_memory(result, s), rates=", ".join(f"{rate:g}" for rate in s.rates))),
        page.heading("The rates, and how they were chosen"),
        page.paragraph(chosen_words(result, s)),
        page.table(choices_frame(result).set_index("variant")),
        page.heading("What the paper found"),
        page.paragraph(ABOUT_PAPER),
    ]
    title = "The LSTM and its eight variants (Greff et al. 2017)"
    run.write("report.html", page.page(title, parts, footer("; ".join(commands))))
    return result


# -- numbers -----------------------------------------------------------------------------------------------------------


def adding_rows(found: Mapping[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """One a variant, as JSON values. against_v: "better" or "worse" where every seed is, else ""."""
    rows = []
    for variant, own in found.items():
        side = separated(_effort(own), _effort(found["V"]))
        against = {"": "", "less": "better", "more": "worse"}[side]
        rows.append({"variant": variant, "rate": own[0]["rate"], "against_v": against} | solved_summary(own))
    return rows


def separated(own: Sequence[float], other: Sequence[float]) -> str:
    """ "less" or "more" where all of own are less, or more, than all of other; otherwise ""."""
    return "less" if max(own) < min(other) else "more" if min(own) > max(other) else ""


def once_in(seeds: int) -> float:
    """How many pairs of like groups of so many seeds there are for each in which one lies wholly below the other."""
    return math.comb(2 * seeds, seeds) / 2


def digits_rows(
    found: Mapping[str, list[dict[str, Any]]], equal: Mapping[str, list[dict[str, Any]]]
) -> list[dict[str, Any]]:
    """One a variant, as JSON values; none where the folder has no digits. Intervals are 95 %, test speakers drawn."""
    if not found["V"]:
        return []
    v_right, rows = right_of(found["V"])[0], []
    v_accuracies = [one["accuracy"] for one in found["V"]]
    for variant, own in found.items():
        right, sexes, speakers = right_of(own)
        accuracies = [one["accuracy"] for one in own]
        apart = class_mean_interval(right - v_right, sexes, speakers, (-1.0, 1.0))
        side = "" if apart[0] <= 0 <= apart[1] else separated(accuracies, v_accuracies)
        row = {
            "variant": variant,
            "weights": own[0]["weights"],
            "rate": own[0]["rate"],
            "seeds": len(own),
            "accuracy": spread(accuracies),
            "interval_95": list(class_mean_interval(right, sexes, speakers)),
            "difference": float(np.mean(accuracies) - np.mean(v_accuracies)),
            "difference_interval_95": list(apart),
            "against_v": {"": "", "less": "worse", "more": "better"}[side],
            "seconds": float(np.mean([one["seconds"] for one in own])),
        }
        if equal[variant]:
            row["equal"] = {
                "units": equal[variant][0]["units"],
                "weights": equal[variant][0]["weights"],
                "accuracy": spread([one["accuracy"] for one in equal[variant]]),
            }
        rows.append(row)
    return rows


def _effort(found: Sequence[Mapping[str, Any]]) -> list[float]:
    """The sequences that each seed needed; a failure is more than any."""
    return [np.inf if one["sequences"] is None else one["sequences"] for one in found]


def right_of(found: Sequence[Mapping[str, Any]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """By clip: the share of seeds that got it right, the sex, and the speaker."""
    speakers = found[0]["by_speaker"]
    right = [[int(one) for who in speakers for one in seed["by_speaker"][who]["right"]] for seed in found]
    sexes = [who["sex"] for who in speakers.values() for _ in who["right"]]
    names = [name for name, who in speakers.items() for _ in who["right"]]
    return np.mean(right, axis=0), np.array(sexes), np.array(names)


def choice_rows(choices: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One a task, variant and rate: what the trials came to, on the seeds that were for choosing."""
    rows = []
    for part, by_variant in choices.items():
        for variant, by_rate in by_variant.items():
            for rate, own in by_rate.items():
                if own and part == "adding":
                    solved, trained = sum(one["sequences"] is not None for one in own), [one["trained"] for one in own]
                    value = f"{np.mean(trained):,.0f} ({solved} of {len(own)})"
                elif own:
                    value = f"{100 * np.mean([one['accuracy'] for one in own]):.1f} %"
                else:
                    continue
                rows.append({"part": part, "variant": variant, "rate": rate, "trials": len(own), "value": value})
    return rows


def trainings(found: Mapping[str, Any]) -> pd.DataFrame:
    """A row a training."""
    columns = {
        "seed": "seed",
        "rate": "rate",
        "units": "units",
        "weights": "weights",
        "sequences": "sequences_if_solved",
    }
    columns |= {"wrong": "wrong_if_solved", "trained": "trained", "accuracy": "accuracy", "seconds": "seconds"}
    table = [
        {"part": part, "variant": variant} | {shown: one.get(name) for name, shown in columns.items()}
        for part, by_variant in found.items()
        for variant, own in by_variant.items()
        for one in own
    ]
    whole = ("sequences_if_solved", "wrong_if_solved", "trained")
    return pd.DataFrame(table).astype(dict.fromkeys(whole, "Int64"))


# -- tables ------------------------------------------------------------------------------------------------------------


def adding_frame(result: Mapping[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "variant": f"{row['variant']}: {CELLS[row['variant']].words}",
                "weights": f"{row['weights']:,}",
                "rate": f"{row['rate']:g}",
                "solved": f"{share_words(row)} ({percent(row['solved_interval_95'])})",
                f"sequences, {OF_SOLVED}": spread_words(row["sequences_of_solved"]),
                f"wrong of {TESTED:,}, {OF_SOLVED}": spread_words(row["wrong_of_solved"], "{:.1f}"),
                "against V": _against(row),
                "s a seed": f"{row['seconds']:.1f}",
            }
            for row in result["adding"]
        ]
    )


def digits_frame(result: Mapping[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "variant": f"{row['variant']}: {CELLS[row['variant']].words}",
                "weights": f"{row['weights']:,}",
                "rate": f"{row['rate']:g}",
                "accuracy, % (seeds)": spread_words(_times_100(row["accuracy"]), "{:.1f}", "{:.1f}"),
                "95 %, speakers drawn": percent(row["interval_95"], 1),
                "points above V": "" if row["variant"] == "V" else _difference(row),
                "against V": _against(row),
                "with V's number of weights": _equal(row),
                "s a seed": f"{row['seconds']:.1f}",
                "the paper": PAPER[row["variant"]],
            }
            for row in result["digits"]
        ]
    )


def narrow(result: Mapping[str, Any]) -> pd.DataFrame:
    """The same for a terminal."""
    accuracy = {row["variant"]: f"{100 * row['accuracy']['mean']:.1f} %" for row in result["digits"]}
    rows = [
        {
            "": row["variant"],
            "adding solved": share_words(row),
            "sequences, of solved": spread_words(row["sequences_of_solved"]),
            "digits": accuracy.get(row["variant"], "-"),
            "the paper": PAPER[row["variant"]],
        }
        for row in result["adding"]
    ]
    return pd.DataFrame(rows).set_index("")


def choices_frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """A row a variant, a column a task and rate."""
    table: dict[str, dict[str, str]] = {}
    for row in result["choices"]:
        own = table.setdefault(row["variant"], {"variant": row["variant"]})
        chosen = next(r["rate"] for r in result[row["part"]] if r["variant"] == row["variant"]) == row["rate"]
        own[f"{row['part']}, {row['rate']:g}"] = row["value"] + (" *" if chosen else "")
    return pd.DataFrame(table.values())


def _times_100(spread: Mapping[str, float]) -> dict[str, float]:
    return {name: 100 * value for name, value in spread.items()}


def _difference(row: Mapping[str, Any]) -> str:
    low, high = row["difference_interval_95"]
    return f"{100 * row['difference']:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


def _equal(row: Mapping[str, Any]) -> str:
    if "equal" not in row:
        return "the same"
    own = row["equal"]
    return f"{spread_words(_times_100(own['accuracy']), '{:.1f}', '{:.1f}')}, {own['units']} units"


# -- words -------------------------------------------------------------------------------------------------------------


def verdict(result: Mapping[str, Any], s: Any) -> str:
    """What falls apart from V and what does not, and what that is worth."""
    words = [f"On adding (T = {s.adding.task.T}), {_verdict(result['adding'], _adding_words)}."]
    if result["digits"]:
        words.append(f"On the digits, {_verdict(result['digits'], _digits_words)}.")
    return " ".join([*words, worth(result)])


def worth(result: Mapping[str, Any]) -> str:
    """What so many seeds can tell: all comparisons together are to find something by chance in 5 % of studies at most."""
    tasks = [rows for rows in (result["adding"], result["digits"]) if rows]
    seeds, comparisons = min(row["seeds"] for rows in tasks for row in rows), sum(len(rows) - 1 for rows in tasks)
    expected = comparisons / once_in(seeds)
    words = (
        f"By chance alone {expected:.2g} of these {comparisons} comparisons of {seeds} seeds with {seeds} fall apart"
    )
    return words + (", which is rare enough to count." if expected < 0.05 else ": what falls apart here is no proof.")


def _verdict(rows: Sequence[Mapping[str, Any]], words: Any) -> str:
    v = next(row for row in rows if row["variant"] == "V")
    parts = [words(row, v) for row in rows if row["against_v"]]
    if same := [row["variant"] for row in rows if not row["against_v"] and row["variant"] != "V"]:
        parts.append(f"{', '.join(same)} {'does' if len(same) == 1 else 'do'} not fall apart from V")
    return "; ".join(parts)


def _adding_words(row: Mapping[str, Any], v: Mapping[str, Any]) -> str:
    if min(row["solved"], v["solved"]) == 0:
        return (
            f"{row['variant']} is solved by {row['solved']} of {row['seeds']} seeds, V by {v['solved']} of {v['seeds']}"
        )
    more = {"better": "fewer", "worse": "more"}[row["against_v"]]
    own, other = (f"{one['sequences_of_solved']['mean']:,.0f}" for one in (row, v))
    return f"every seed of {row['variant']} needs {more} sequences than every seed of V (mean {own}, V {other})"


def _digits_words(row: Mapping[str, Any], v: Mapping[str, Any]) -> str:
    own, other = (f"{100 * one['accuracy']['mean']:.1f} %" for one in (row, v))
    return f"every seed of {row['variant']} is {row['against_v']} than every seed of V (mean {own}, V {other})"


def _against(row: Mapping[str, Any]) -> str:
    if row["variant"] == "V":
        return ""
    return f"every seed {row['against_v']}" if row["against_v"] else "ranges meet"


def table_title(result: Mapping[str, Any]) -> str:
    return f"Adding{', digits of speakers never heard,' if result['digits'] else ''} and what the paper found"


def _adding_title(s: Any) -> str:
    """The task and its criterion."""
    goal = s.adding.goal
    most = f"at most {goal.wrong} wrong" if goal.wrong else "none wrong"
    error = f" and a mean error below {goal.error:g}" if np.isfinite(goal.error) else ""
    return f"Adding, T = {s.adding.task.T}, until {most} of the {goal.count:,} latest sequences{error}"


def _memory(result: Mapping[str, Any], s: Any) -> str:
    return f"{s.adding.memory}" + (f", on the digits {s.digits.memory}," if result["digits"] else "")


def chosen_words(result: Mapping[str, Any], s: Any) -> str:
    """How the rates were chosen."""
    seeds = ", ".join(map(str, s.choosing))
    words = (
        f"Seeds {seeds}, which no other table has. Adding: the mean number of sequences, {s.adding.limit:,} where a "
        "training failed (beside it, how many solved it); where all failed at every rate, the lowest mean error at the end."
    )
    if result["digits"]:
        words += (
            f" Digits: mean accuracy on folds of the training speakers, one of {s.digits.folds} a seed; the test speakers "
            "had no say. A network with V's number of weights takes the rate of its variant."
        )
    return words + " The chosen rate has a star."


# -- picture -----------------------------------------------------------------------------------------------------------


def picture(found: Mapping[str, Any], s: Any) -> Figure:
    """A dot a seed: the sequences that it needed (a cross at the limit where it failed), and its accuracy on the digits."""
    names = list(found["adding"])
    fig, axes = pictures.figure(2 if found["digits"]["V"] else 1, height=0.6 + 0.36 * len(names))
    rows = {name: len(names) - k for k, name in enumerate(names)}  # V on top
    for name, own in found["adding"].items():
        solved = [one["sequences"] for one in own if one["sequences"] is not None]
        axes[0].plot(solved, [rows[name]] * len(solved), ls="", marker="o", ms=5, mfc="none", color=pictures.BLUE)
        if failed := len(own) - len(solved):
            beside = rows[name] + np.linspace(-0.2, 0.2, failed)
            axes[0].plot([s.adding.limit] * failed, beside, ls="", marker="x", color=pictures.ORANGE, clip_on=False)
    axes[0].set(xlim=(0, s.adding.limit), xlabel="sequences needed", title=f"adding, T = {s.adding.task.T}")
    axes[0].xaxis.set_major_formatter("{x:,.0f}")
    axes[0].locator_params(axis="x", nbins=5)
    if found["digits"]["V"]:
        for name, own in found["digits"].items():
            right, sexes, speakers = right_of(own)
            axes[1].plot(
                np.multiply(100, class_mean_interval(right, sexes, speakers)),
                [rows[name]] * 2,
                color=pictures.GREY,
                lw=1,
            )
            accuracies = [100 * one["accuracy"] for one in own]
            axes[1].plot(accuracies, [rows[name]] * len(own), ls="", marker="o", ms=5, mfc="none", color=pictures.BLUE)
        axes[1].set(xlabel="accuracy on test speakers, %", title="spoken digits")
    for ax in axes:
        ax.set_yticks(list(rows.values()), list(rows))
        ax.set_ylim(0.4, len(names) + 0.6)
    return fig


def caption(result: Mapping[str, Any], s: Any) -> str:
    words = (
        "A dot is a seed. Left: how many sequences it needed until the criterion was met; a cross had not met it at the "
        f"limit of {s.adding.limit:,}."
    )
    if result["digits"]:
        words += (
            " Right: accuracy on the test speakers; the grey line is where the seeds' mean would lie for other speakers, "
            "95 %. Look whether a variant's dots lie apart from V's, all of them, before you believe that it is another."
        )
    return words
