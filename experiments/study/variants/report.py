"""The study's tables, a picture of all seeds, and which variants differ from V, beside the paper's findings, as a page."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from experiments.reports import page, pictures
from experiments.reports.run import Run, footer
from experiments.reports.scores import class_mean_interval
from experiments.study.seeds import Result
from experiments.study.solving import (
    percent,
    share_words,
    solved_columns,
    spread,
    spread_words,
    summary_of_seeds,
    trainings_table,
)  # fmt: skip
from experiments.study.variants.cells import CELLS

if TYPE_CHECKING:
    from experiments.study.variants.study import Settings

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
    "settings. Its abstract says that no variant is significantly better than V, that CIFG and NP do not significantly hurt, "
    "and that forget gate and output activation are the critical parts. The rest is as it is commonly cited: it was not "
    "checked against the paper's tables."
)
FAIR = (
    "With the same seed, every variant starts from the numbers of V, without the parts that it does not have; peepholes, and "
    "the gates' weights on gates, start at 0, so that V, NP and FGR are the same function at first. Forget gates start open "
    "and input gates closed, by the lag: b_f = log u and b_i = -b_f, with u uniform from 1 to {memory} less 1. A cell with "
    "one of the two gates has this gate's bias; CIFG has b_i, and f = 1 - i then has b_f by itself. For NIG this is a "
    "difficult start: open forget gates add up everything that no input gate limits, so its states lie where tanh is flat "
    "before it has learnt anything. Its result shows the start as much as the missing gate. Batches, limits and clipping are "
    "the same for all; each variant has its best rate of {rates}. A seed's sequences are the same for all variants."
)
APART = (
    'The column "against V" says whether every seed of a variant is better, or worse, than every seed of V; a seed that '
    "fails on adding is worse than any that does not. On the digits the interval of the paired difference, over test "
    "speakers, must exclude 0 as well. Otherwise the ranges of the seeds overlap, which does not prove that the two are "
    "alike."
)
QUICK = "A quick run: three variants, two seeds, easier tasks. It shows that the study works, and nothing about the variants."
ByVariant = Mapping[str, Sequence[Result]]


def write(
    run: Run, results: Mapping[str, ByVariant], choices: Mapping[str, Any], s: "Settings", quick: bool,
    commands: Sequence[str],
) -> dict[str, Any]:  # fmt: skip
    """Writes trainings.csv, choices.csv, variants.json, variants.png and report.html; returns what the JSON holds.

    results: by part ("adding", "digits", "equal") and variant, one per seed; choices: by part, variant and rate, likewise.
    """
    numbers: dict[str, Any] = {
        "commands": list(commands),
        "adding": adding_rows(results["adding"]),
        "digits": digits_rows(results["digits"], results["equal"]),
        "choices": choice_rows(choices),
    }
    numbers["words"] = verdict(numbers, s)
    figure = pictures.png(picture(results, s))
    groups = (({"part": part, "variant": v}, r) for part, by_variant in results.items() for v, r in by_variant.items())
    table = trainings_table(groups, "seed rate units weights sequences wrong trained accuracy seconds")
    run.write("trainings.csv", table.to_csv(index=False))
    run.write("choices.csv", pd.DataFrame(numbers["choices"]).to_csv(index=False))
    run.write("variants.png", figure)
    run.write_json(NUMBERS, numbers)
    parts = [
        page.paragraph(numbers["words"], "lead"),
        *([page.paragraph(QUICK, "note")] if quick else []),
        page.heading(f"{_adding_title(s)}: {s.adding.units} units"),
        page.table(adding_frame(numbers).set_index("variant")),
    ]
    if numbers["digits"]:
        parts += [
            page.heading(f"Spoken digits, on test speakers: units {s.digits.units}, epochs {s.digits.epochs}"),
            page.table(digits_frame(numbers).set_index("variant")),
        ]
    memory = f"{s.adding.memory}" + (f", on the digits {s.digits.memory}," if numbers["digits"] else "")
    parts += [
        pictures.inline(figure, caption(numbers, s)),
        page.paragraph(f"{APART} {worth(numbers)}"),
        page.paragraph(FAIR.format(memory=memory, rates=", ".join(f"{rate:g}" for rate in s.rates))),
        page.heading("The rates, and how they were chosen"),
        page.paragraph(chosen_words(numbers, s)),
        page.table(choices_frame(numbers).set_index("variant")),
        page.heading("What the paper found"),
        page.paragraph(ABOUT_PAPER),
    ]
    title = "The LSTM and its eight variants (Greff et al. 2017)"
    run.write("report.html", page.page(title, parts, footer("; ".join(commands))))
    return numbers


# -- numbers -----------------------------------------------------------------------------------------------------------


def adding_rows(by_variant: ByVariant) -> list[dict[str, Any]]:
    """One for each variant, as JSON values. against_v: "better" or "worse" where every seed is, else ""."""
    rows = []
    for variant, results in by_variant.items():
        side = separated(_effort(results), _effort(by_variant["V"]))
        against = {"": "", "less": "better", "more": "worse"}[side]
        rows.append({"variant": variant, "rate": results[0]["rate"], "against_v": against} | summary_of_seeds(results))
    return rows


def separated(values: Sequence[float], other: Sequence[float]) -> str:
    """ "less" or "more" where all values are less, or more, than all of other; otherwise ""."""
    return "less" if max(values) < min(other) else "more" if min(values) > max(other) else ""


def once_in(seeds: int) -> float:
    """Among pairs of groups of so many seeds from one distribution, one in how many has a group wholly below the other."""
    return math.comb(2 * seeds, seeds) / 2


def digits_rows(by_variant: ByVariant, equal: ByVariant) -> list[dict[str, Any]]:
    """One for each variant, as JSON values; none where the folder has no digits. Intervals: 95 %, over test speakers."""
    if not by_variant["V"]:
        return []
    v_right, rows = right_of(by_variant["V"])[0], []
    v_accuracies = [result["accuracy"] for result in by_variant["V"]]
    for variant, results in by_variant.items():
        right, sexes, speakers = right_of(results)
        accuracies = [result["accuracy"] for result in results]
        apart = class_mean_interval(right - v_right, sexes, speakers, (-1.0, 1.0))
        side = "" if apart[0] <= 0 <= apart[1] else separated(accuracies, v_accuracies)
        row = {
            "variant": variant,
            "weights": results[0]["weights"],
            "rate": results[0]["rate"],
            "seeds": len(results),
            "accuracy": spread(accuracies),
            "interval_95": list(class_mean_interval(right, sexes, speakers)),
            "difference": float(np.mean(accuracies) - np.mean(v_accuracies)),
            "difference_interval_95": list(apart),
            "against_v": {"": "", "less": "worse", "more": "better"}[side],
            "seconds": float(np.mean([result["seconds"] for result in results])),
        }
        if equal[variant]:
            row["equal"] = {
                "units": equal[variant][0]["units"],
                "weights": equal[variant][0]["weights"],
                "accuracy": spread([result["accuracy"] for result in equal[variant]]),
            }
        rows.append(row)
    return rows


def _effort(results: Sequence[Result]) -> list[float]:
    """The sequences that each seed needed; infinite for a failure."""
    return [np.inf if result["sequences"] is None else result["sequences"] for result in results]


def right_of(results: Sequence[Result]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """By clip: the share of seeds that got it right, the sex, and the speaker."""
    speakers = results[0]["by_speaker"]
    right = [[int(answer) for who in speakers for answer in seed["by_speaker"][who]["right"]] for seed in results]
    sexes = [who["sex"] for who in speakers.values() for _ in who["right"]]
    names = [name for name, who in speakers.items() for _ in who["right"]]
    return np.mean(right, axis=0), np.array(sexes), np.array(names)


def choice_rows(choices: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One for each task, variant and rate: the results of its trials, in words."""
    rows = []
    for part, by_variant in choices.items():
        for variant, by_rate in by_variant.items():
            for rate, trials in by_rate.items():
                if trials:
                    value = _trials_words(part, trials)
                    rows.append({"part": part, "variant": variant, "rate": rate, "trials": len(trials), "value": value})
    return rows


def _trials_words(part: str, trials: Sequence[Result]) -> str:
    if part == "digits":
        return f"{100 * np.mean([trial['accuracy'] for trial in trials]):.1f} %"
    solved = sum(trial["sequences"] is not None for trial in trials)
    return f"{np.mean([trial['trained'] for trial in trials]):,.0f} ({solved} of {len(trials)})"


# -- tables ------------------------------------------------------------------------------------------------------------


def adding_frame(numbers: Mapping[str, Any]) -> pd.DataFrame:
    rows = [
        _first_columns(row) | solved_columns(row) | {"against V": _against(row), "s per seed": f"{row['seconds']:.1f}"}
        for row in numbers["adding"]
    ]
    return pd.DataFrame(rows)


def digits_frame(numbers: Mapping[str, Any]) -> pd.DataFrame:
    rows = [
        _first_columns(row)
        | {
            "accuracy, % (seeds)": _percent_words(row["accuracy"]),
            "95 %, over speakers": percent(row["interval_95"], 1),
            "points above V": "" if row["variant"] == "V" else _difference(row),
            "against V": _against(row),
            "with V's number of weights": _equal(row),
            "s per seed": f"{row['seconds']:.1f}",
            "the paper": PAPER[row["variant"]],
        }
        for row in numbers["digits"]
    ]
    return pd.DataFrame(rows)


def _first_columns(row: Mapping[str, Any]) -> dict[str, str]:
    name = f"{row['variant']}: {CELLS[row['variant']].words}"
    return {"variant": name, "weights": f"{row['weights']:,}", "rate": f"{row['rate']:g}"}


def narrow(numbers: Mapping[str, Any]) -> pd.DataFrame:
    """The same for a terminal."""
    accuracy = {row["variant"]: f"{100 * row['accuracy']['mean']:.1f} %" for row in numbers["digits"]}
    rows = [
        {
            "": row["variant"],
            "adding solved": share_words(row),
            "sequences, of solved": spread_words(row["sequences_of_solved"]),
            "digits": accuracy.get(row["variant"], "-"),
            "the paper": PAPER[row["variant"]],
        }
        for row in numbers["adding"]
    ]
    return pd.DataFrame(rows).set_index("")


def choices_frame(numbers: Mapping[str, Any]) -> pd.DataFrame:
    """A row for each variant, a column for each task and rate."""
    table: dict[str, dict[str, str]] = {}
    for row in numbers["choices"]:
        cells = table.setdefault(row["variant"], {"variant": row["variant"]})
        chosen = next(r["rate"] for r in numbers[row["part"]] if r["variant"] == row["variant"]) == row["rate"]
        cells[f"{row['part']}, {row['rate']:g}"] = row["value"] + (" *" if chosen else "")
    return pd.DataFrame(table.values())


def _percent_words(accuracy: Mapping[str, float]) -> str:
    return spread_words({name: 100 * value for name, value in accuracy.items()}, "{:.1f}", "{:.1f}")


def _difference(row: Mapping[str, Any]) -> str:
    low, high = row["difference_interval_95"]
    return f"{100 * row['difference']:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


def _equal(row: Mapping[str, Any]) -> str:
    equal = row.get("equal")
    return f"{_percent_words(equal['accuracy'])}, {equal['units']} units" if equal else "the same"


# -- words -------------------------------------------------------------------------------------------------------------


def verdict(numbers: Mapping[str, Any], s: "Settings") -> str:
    """Which variants differ from V and which do not, and how much that proves."""
    words = [f"On adding (T = {s.adding.task.T}), {_verdict(numbers['adding'], _adding_words)}."]
    if numbers["digits"]:
        words.append(f"On the digits, {_verdict(numbers['digits'], _digits_words)}.")
    return " ".join([*words, worth(numbers)])


def worth(numbers: Mapping[str, Any]) -> str:
    """How much so many seeds prove: of all comparisons together, chance may separate one in 5 % of studies at most."""
    tasks = [rows for rows in (numbers["adding"], numbers["digits"]) if rows]
    seeds, comparisons = min(row["seeds"] for rows in tasks for row in rows), sum(len(rows) - 1 for rows in tasks)
    expected = comparisons / once_in(seeds)
    words = (
        f"By chance alone {expected:.2g} of these {comparisons} comparisons of {seeds} seeds with {seeds} would differ"
    )
    return words + (", which is rare enough to count." if expected < 0.05 else ": the differences here prove nothing.")


def _verdict(rows: Sequence[Mapping[str, Any]], words: Callable[[Mapping[str, Any], Mapping[str, Any]], str]) -> str:
    v = next(row for row in rows if row["variant"] == "V")
    parts = [words(row, v) for row in rows if row["against_v"]]
    if same := [row["variant"] for row in rows if not row["against_v"] and row["variant"] != "V"]:
        parts.append(f"{', '.join(same)} {'overlaps' if len(same) == 1 else 'overlap'} with V")
    return "; ".join(parts)


def _adding_words(row: Mapping[str, Any], v: Mapping[str, Any]) -> str:
    if min(row["solved"], v["solved"]) == 0:
        return (
            f"{row['variant']} is solved by {row['solved']} of {row['seeds']} seeds, V by {v['solved']} of {v['seeds']}"
        )
    more = {"better": "fewer", "worse": "more"}[row["against_v"]]
    mean, of_v = (f"{one['sequences_of_solved']['mean']:,.0f}" for one in (row, v))
    return f"every seed of {row['variant']} needs {more} sequences than every seed of V (mean {mean}, V {of_v})"


def _digits_words(row: Mapping[str, Any], v: Mapping[str, Any]) -> str:
    mean, of_v = (f"{100 * one['accuracy']['mean']:.1f} %" for one in (row, v))
    return f"every seed of {row['variant']} is {row['against_v']} than every seed of V (mean {mean}, V {of_v})"


def _against(row: Mapping[str, Any]) -> str:
    if row["variant"] == "V":
        return ""
    return f"every seed {row['against_v']}" if row["against_v"] else "ranges overlap"


def table_title(numbers: Mapping[str, Any]) -> str:
    return f"Adding{', spoken digits on test speakers,' if numbers['digits'] else ''} and what the paper found"


def _adding_title(s: "Settings") -> str:
    """The task and its criterion."""
    goal = s.adding.goal
    most = f"at most {goal.wrong} wrong" if goal.wrong else "none wrong"
    error = f" and a mean error below {goal.error:g}" if np.isfinite(goal.error) else ""
    return f"Adding, T = {s.adding.task.T}, until {most} of the {goal.count:,} latest sequences{error}"


def chosen_words(numbers: Mapping[str, Any], s: "Settings") -> str:
    """How the rates were chosen."""
    seeds = ", ".join(map(str, s.choosing))
    words = (
        f"Trials with seeds {seeds}, which no other table uses. Adding: the mean number of sequences, {s.adding.limit:,} "
        "where a training failed (beside it, how many solved it); where all failed at every rate, the lowest mean error at "
        "the end decides."
    )
    if numbers["digits"]:
        words += (
            f" Digits: mean accuracy on folds of the training speakers, one of {s.digits.folds} for each seed; the test "
            "speakers are not used. A network with V's number of weights takes the rate of its variant."
        )
    return words + " The chosen rate has a star."


# -- picture -----------------------------------------------------------------------------------------------------------


def picture(results: Mapping[str, ByVariant], s: "Settings") -> Figure:
    """A dot for each seed: the sequences it needed (a cross at the limit where it failed), and its accuracy on the digits."""
    names = list(results["adding"])
    fig, axes = pictures.figure(2 if results["digits"]["V"] else 1, height=0.6 + 0.36 * len(names))
    rows = {name: len(names) - k for k, name in enumerate(names)}  # V on top
    dots = {"ls": "", "marker": "o", "ms": 5, "mfc": "none", "color": pictures.BLUE}
    for name, of_variant in results["adding"].items():
        solved = [result["sequences"] for result in of_variant if result["sequences"] is not None]
        axes[0].plot(solved, [rows[name]] * len(solved), **dots)
        if failed := len(of_variant) - len(solved):
            beside = rows[name] + np.linspace(-0.2, 0.2, failed)
            axes[0].plot([s.adding.limit] * failed, beside, ls="", marker="x", color=pictures.ORANGE, clip_on=False)
    axes[0].set(xlim=(0, s.adding.limit), xlabel="sequences needed", title=f"adding, T = {s.adding.task.T}")
    axes[0].xaxis.set_major_formatter("{x:,.0f}")
    axes[0].locator_params(axis="x", nbins=5)
    if results["digits"]["V"]:
        for name, of_variant in results["digits"].items():
            interval = np.multiply(100, class_mean_interval(*right_of(of_variant)))
            axes[1].plot(interval, [rows[name]] * 2, color=pictures.GREY, lw=1)
            accuracies = [100 * result["accuracy"] for result in of_variant]
            axes[1].plot(accuracies, [rows[name]] * len(accuracies), **dots)
        axes[1].set(xlabel="accuracy on test speakers, %", title="spoken digits")
    for ax in axes:
        ax.set_yticks(list(rows.values()), list(rows))
        ax.set_ylim(0.4, len(names) + 0.6)
    return fig


def caption(numbers: Mapping[str, Any], s: "Settings") -> str:
    words = (
        "A dot is a seed. Left: how many sequences it needed until the criterion was met; a cross had not met it at the "
        f"limit of {s.adding.limit:,}."
    )
    if numbers["digits"]:
        words += (
            " Right: accuracy on the test speakers; the grey line is the 95 % interval of the seeds' mean for other "
            "speakers. Only if all dots of a variant lie apart from all dots of V may the two differ."
        )
    return words
