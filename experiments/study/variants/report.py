"""The study's tables, a picture of all seeds, and which variants differ from V, beside the paper's findings, as a page."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from experiments.reports import page, pictures
from experiments.reports.run import Run
from experiments.reports.scores import class_mean_interval
from experiments.study import solving
from experiments.study.finish import drawn, finish
from experiments.study.seeds import Result
from experiments.study.variants.cells import CELLS
from experiments.study.variants.training import Settings

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
FAIR = (
    "With the same seed every variant starts from the numbers of V, without the parts that it does not have; its gates' "
    "biases are drawn by a lag of {memory}, and it has its best rate of {rates}. Batches, limits, clipping and a seed's "
    "sequences are the same for all. Why this start is difficult for NIG, and more on the paper, whose findings are "
    "given here as they are commonly cited: docs/memory/variants.md."
)
APART = (
    'The column "against V" says whether every seed of a variant is better, or worse, than every seed of V; a seed that '
    "fails on adding is worse than any that does not. On the digits the interval of the paired difference, over test "
    "speakers, must exclude 0 as well. Ranges that overlap do not prove that the two are alike."
)
CHOSEN = (
    "Trials with seeds {seeds}, which no other table uses; the chosen rate has a star. Adding: the mean number of "
    "sequences, {limit:,} where a training failed (beside it, how many solved it); where all failed at every rate, the "
    "lowest mean error at the end decides. Digits, if they were trained: mean accuracy on held-out training speakers."
)
CAPTION = (
    "A dot is a seed: on adding how many sequences it needed, with a cross at {limit:,} where it failed; on the digits, "
    "if they were trained, its accuracy on test speakers, with the 95 % interval of the seeds' mean. Only if all dots of "
    "a variant lie apart from all dots of V may the two differ."
)
QUICK = "A quick run: three variants, two seeds, easier tasks. It shows that the study works, and nothing about the variants."
ByVariant = Mapping[str, Sequence[Result]]


def write(
    run: Run, results: Mapping[str, ByVariant], choices: Mapping[str, Any], s: Settings, quick: bool,
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
    limit, memory = s.adding.limit, f"{s.adding.memory}"
    parts = [
        page.heading(f"{_adding_title(s)}: {page.counted(s.adding.units, 'unit')}"),
        page.table(adding_frame(numbers)),
    ]
    if numbers["digits"]:
        memory += f", on the digits {s.digits.memory}"
        parts += [
            page.heading(f"Spoken digits, on test speakers: units {s.digits.units}, epochs {s.digits.epochs}"),
            page.table(digits_frame(numbers)),
        ]
    parts += [
        drawn(run, "variants.png", picture(results, s), CAPTION.format(limit=limit)),
        page.paragraph(f"{APART} {worth(numbers)}"),
        page.paragraph(FAIR.format(memory=memory, rates=", ".join(f"{rate:g}" for rate in s.rates))),
        page.heading("The rates, and how they were chosen"),
        page.paragraph(CHOSEN.format(seeds=", ".join(map(str, s.choosing)), limit=limit)),
        page.table(choices_frame(numbers)),
    ]
    groups = (({"part": part, "variant": v}, r) for part, by_variant in results.items() for v, r in by_variant.items())
    tables = {
        "trainings.csv": solving.trainings_table(
            groups, "seed rate units weights sequences wrong trained accuracy seconds"
        ),
        "choices.csv": pd.DataFrame(numbers["choices"]),
    }
    title = "The LSTM and its eight variants (Greff et al. 2017)"
    return finish(run, NUMBERS, title, numbers, parts, commands, QUICK if quick else "", tables)


# -- numbers -----------------------------------------------------------------------------------------------------------


def adding_rows(by_variant: ByVariant) -> list[dict[str, Any]]:
    """One for each variant, as JSON values. against_v: "better" or "worse" where every seed is, else ""."""
    needed = {  # infinite for a failure
        variant: [np.inf if result["sequences"] is None else result["sequences"] for result in results]
        for variant, results in by_variant.items()
    }
    return [
        {"variant": variant, "rate": results[0]["rate"], "against_v": separated(needed[variant], needed["V"])}
        | solving.summary_of_seeds(results)
        for variant, results in by_variant.items()
    ]


def separated(values: Sequence[float], other: Sequence[float]) -> str:
    """ "better" or "worse" where all values are less, or more, than all of other; otherwise ""."""
    return "better" if max(values) < min(other) else "worse" if min(values) > max(other) else ""


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
        against = separated(np.negative(accuracies), np.negative(v_accuracies))
        row = {
            "variant": variant,
            "weights": results[0]["weights"],
            "rate": results[0]["rate"],
            "seeds": len(results),
            "accuracy": solving.spread(accuracies),
            "interval_95": list(class_mean_interval(right, sexes, speakers)),
            "difference": float(np.mean(accuracies) - np.mean(v_accuracies)),
            "difference_interval_95": list(apart),
            "against_v": "" if apart[0] <= 0 <= apart[1] else against,
            "seconds": float(np.mean([result["seconds"] for result in results])),
        }
        if equal[variant]:
            row["equal"] = {
                "units": equal[variant][0]["units"],
                "weights": equal[variant][0]["weights"],
                "accuracy": solving.spread([result["accuracy"] for result in equal[variant]]),
            }
        rows.append(row)
    return rows


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
        _first_columns(row)
        | solving.solved_columns(row)
        | {"against V": _against(row), "s per seed": f"{row['seconds']:.1f}"}
        for row in numbers["adding"]
    ]
    return pd.DataFrame(rows).set_index("variant")


def digits_frame(numbers: Mapping[str, Any]) -> pd.DataFrame:
    rows = [
        _first_columns(row)
        | {
            "accuracy, % (seeds)": _percent_words(row["accuracy"]),
            "95 %, over speakers": solving.percent(row["interval_95"], 1),
            "points above V": "" if row["variant"] == "V" else _difference(row),
            "against V": _against(row),
            "with V's number of weights": _equal(row),
            "s per seed": f"{row['seconds']:.1f}",
            "the paper": PAPER[row["variant"]],
        }
        for row in numbers["digits"]
    ]
    return pd.DataFrame(rows).set_index("variant")


def _first_columns(row: Mapping[str, Any]) -> dict[str, str]:
    name = f"{row['variant']}: {CELLS[row['variant']].words}"
    return {"variant": name, "weights": f"{row['weights']:,}", "rate": f"{row['rate']:g}"}


def narrow(numbers: Mapping[str, Any]) -> pd.DataFrame:
    """The same for a terminal."""
    accuracy = {row["variant"]: f"{100 * row['accuracy']['mean']:.1f} %" for row in numbers["digits"]}
    rows = [
        {
            "": row["variant"],
            "adding solved": solving.share_words(row),
            "sequences, of solved": solving.spread_words(row["sequences_of_solved"]),
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
    return pd.DataFrame(table.values()).set_index("variant")


def _percent_words(accuracy: Mapping[str, float]) -> str:
    return solving.spread_words({name: 100 * value for name, value in accuracy.items()}, "{:.1f}", "{:.1f}")


def _difference(row: Mapping[str, Any]) -> str:
    low, high = row["difference_interval_95"]
    return f"{100 * row['difference']:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


def _equal(row: Mapping[str, Any]) -> str:
    equal = row.get("equal")
    return f"{_percent_words(equal['accuracy'])}, {page.counted(equal['units'], 'unit')}" if equal else "the same"


# -- words -------------------------------------------------------------------------------------------------------------


def verdict(numbers: Mapping[str, Any], s: Settings) -> str:
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


def _adding_title(s: Settings) -> str:
    """The task and its criterion."""
    goal = s.adding.goal
    most = f"at most {goal.wrong} wrong" if goal.wrong else "none wrong"
    error = f" and a mean error below {goal.error:g}" if np.isfinite(goal.error) else ""
    return f"Adding, T = {s.adding.task.T}, until {most} of the {goal.count:,} latest sequences{error}"


# -- picture -----------------------------------------------------------------------------------------------------------


def picture(results: Mapping[str, ByVariant], s: Settings) -> Figure:
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
