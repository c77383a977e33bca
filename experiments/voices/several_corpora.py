"""One model on several corpora: a page with a row for each of them, and the corpus on which the model is worst.

For `evaluate` with more than one --corpus. A figure on one corpus tells little: a network may lean on what goes with the sex
in that corpus alone. Each corpus keeps its own report, in a folder of its name beside the page.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from experiments.reports import page
from experiments.reports.run import Run, footer
from experiments.voices import groups
from experiments.voices.clip_model import ClipModel
from experiments.voices.cross_corpus import cells_of, evaluate_corpus
from features import corpora as kinds
from features.dataset import LABELS
from features.extraction import Progress
from features.store import MANIFEST

LEAST_ANSWERED = 0.8  # the share of clips below which a model abstains too often to be of use


def evaluate_corpora(
    model: ClipModel,
    metadata: dict[str, Any],
    corpora: Sequence[str | Path],
    out: str | Path,
    parts: Sequence[str] = ("all",),
    by: str | None = None,
    allow_known: bool = False,
    jobs: int = 1,
    force: bool = False,
    begin: Callable[[str], Progress] = lambda title: lambda done, total, seconds: None,
    say: Callable[[str], None] = lambda text: None,
) -> tuple[dict[str, Any], int]:
    """Evaluate a model on each corpus (see `evaluate_corpus`); report.html and result.json go into `out`.

    Returns the result as JSON values, and how many clips could not be measured. parts: one for all corpora, or one for each.
    begin(title) starts a corpus and returns its progress. What no corpus has, such as a folder that is not there, is refused
    before the first is measured.
    """
    if len(parts) not in (1, len(corpora)):
        raise ValueError(
            f"there are {len(corpora)} corpora and {len(parts)} parts: give one part, or one for each corpus"
        )
    named = names(corpora)
    for name, corpus in named.items():
        if (Path(out) / name).resolve() in (corpus.resolve(), corpus.resolve().parent):
            raise ValueError(
                f"the report on {name} would be written among its recordings: choose another --out than {out}"
            )
    begun = Path(out).is_dir() and {path.name for path in Path(out).iterdir()} <= {*named}  # stopped before: resume it
    run = Run(out, force or begun)
    for corpus in named.values():
        if not (corpus / MANIFEST).exists():
            kinds.detect(corpus)
    grouped = {} if by is None else {name: has_column(corpus, by) for name, corpus in named.items()}
    if grouped and not any(grouped.values()):
        cells_of(next(iter(named.values())), None, str(by))  # says what is missing
    run.begin()
    results, failed = {}, 0
    for (name, corpus), part in zip(named.items(), [*parts] * (len(corpora) // len(parts)), strict=True):
        options = {"part": part, "allow_known": allow_known, "jobs": jobs, "force": force or begun, "say": say}
        options["by"] = by if grouped.get(name) else None
        results[name], lost = evaluate_corpus(
            model, metadata, corpus, run.folder / name, progress=begin(f"Measuring {name}"), **options
        )
        failed += lost
        if by is not None and not grouped[name]:
            results[name]["notes"].append(f"It has no column {by!r} to group by.")
    result = summary(results)
    run.write_json("result.json", result)
    run.write("report.html", report(result))
    run.write_config("evaluate --corpus", corpora=[*named], parts=list(parts), by=by, allow_known=allow_known)
    return result, failed


def has_column(corpus: Path, column: str) -> bool:
    """Whether a corpus is listed in a table with this column."""
    try:
        return bool(cells_of(corpus, None, column))
    except ValueError:
        return False


def names(corpora: Sequence[str | Path]) -> dict[str, Path]:
    """{name: corpus}: the folder's name, for a table that of its folder; of two alike the second gets -2."""
    named: dict[str, Path] = {}
    for corpus in map(Path, corpora):
        whole = corpus.resolve()
        name = stem = (whole.parent if whole.is_file() else whole).name
        number = 1
        while name in named:
            number += 1
            name = f"{stem}-{number}"
        named[name] = corpus
    return named


def summary(results: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Results of `evaluate_corpus` by corpus, each with its `figures`; the worst corpus, and every side's mean over them."""
    model, *_ = next(iter(results.values()))["sides"]
    corpora = {name: result | {"figures": figures(result)} for name, result in results.items()}
    accuracy = {
        name: [side["by_clip"]["balanced_accuracy"] for side in r["sides"].values()] for name, r in results.items()
    }
    sides = list(next(iter(results.values()))["sides"])
    return {
        "model": model,
        "worst": min(accuracy, key=lambda name: accuracy[name][0]),
        "mean": dict(zip(sides, np.mean(list(accuracy.values()), axis=0).tolist(), strict=True)),
        "corpora": corpora,
    }


def figures(result: dict[str, Any]) -> dict[str, Any]:
    """Of the model on one corpus: the shares answered, of them right, and of all wrong; the worst sex and its share right."""
    abstained = result["abstentions"]
    wrong, silent = len(result["errors"]), abstained["no speech"] + abstained["uncertain"]
    answered = result["clips"] - silent
    wrong_answers = wrong - abstained["wrong_among_them"]
    model = next(iter(result["sides"].values()))["by_clip"]
    shares = {sex: model[sex]["right"] / model[sex]["of"] for sex in LABELS}
    worst = min(shares, key=lambda sex: shares[sex])
    return {
        "answered": answered / result["clips"],
        "right_of_answered": 1 - wrong_answers / answered if answered else None,
        "wrong": wrong / result["clips"],
        "worst_sex": worst,
        "worst_sex_right": shares[worst],
    }


# -- what a person reads -----------------------------------------------------------------------------------------------


def tables(result: dict[str, Any]) -> dict[str, pd.DataFrame]:
    """The tables by title, a row a corpus, narrow enough for a terminal."""
    accuracy: dict[str, dict[str, str]] = {}
    answers: dict[str, dict[str, str]] = {}
    for name, corpus in result["corpora"].items():
        accuracy[name] = {side: _with_interval(f["by_clip"]) for side, f in corpus["sides"].items()}
        f, model = corpus["figures"], corpus["sides"][result["model"]]["by_clip"]
        rest = f["right_of_answered"]
        answers[name] = {f"{sex} right": f"{model[sex]['right']} of {model[sex]['of']}" for sex in LABELS} | {
            "worst sex": f"{f['worst_sex']} {f['worst_sex_right']:.3f}",
            "answered": f"{f['answered']:.3f}",
            "right of them": "" if rest is None else f"{rest:.3f}",
        }
    accuracy["mean"] = {side: f"{value:.3f}" for side, value in result["mean"].items()}
    return {
        "Balanced accuracy by clip (95 % interval)": pd.DataFrame(accuracy).T,
        f"The {result['model']}'s answers": pd.DataFrame(answers).T,
    }


def sentence(result: dict[str, Any]) -> str:
    """The worst corpus, the means, and on how many corpora the model is ahead of its strongest baseline."""
    model, means = result["model"], result["mean"]
    worst = result["corpora"][result["worst"]]
    figure = _with_interval(worst["sides"][model]["by_clip"])
    others = {side: mean for side, mean in means.items() if side != model}
    best = max(others, key=lambda side: others[side])
    pairs = [
        [c["sides"][side]["by_clip"]["balanced_accuracy"] for side in (model, best)] for c in result["corpora"].values()
    ]
    ahead = sum(ours > theirs for ours, theirs in pairs)
    lead = means[model] - means[best]
    return (
        f"The {model} is worst on {result['worst']}: {figure}. Over {page.counted(len(pairs), 'corpus', 'corpora')} its mean "
        f"is {means[model]:.3f}, that of the {best} {means[best]:.3f} ({lead:+.3f}); it is ahead on {ahead} of them."
    )


def report(result: dict[str, Any]) -> str:
    """The page."""
    accuracy, answers = tables(result).values()
    parts = [
        page.paragraph(sentence(result), "lead"),
        *(page.paragraph(f"{name}: {note}", "note") for name, c in result["corpora"].items() for note in c["notes"]),
        page.heading("Beside the baselines"),
        page.table(accuracy),
        page.paragraph(
            "Balanced accuracy, the mean of the two sexes' shares of right answers, counts every clip by the side of its "
            "probability, answered or not. The intervals are bootstrap intervals that draw speakers with all of their clips."
        ),
        page.heading("Answers"),
        page.table(answers),
        page.paragraph(
            f"Answered: the share of clips that get male or female, not uncertain or no speech; below {LEAST_ANSWERED:.2f} a "
            "model is of little use. Then the share of those that is right."
        ),
    ]
    for name, corpus in result["corpora"].items():
        if "by" in corpus:
            parts += [
                page.heading(f"{name} by {corpus['by']['column']}"),
                page.table(groups.table(corpus["by"]["groups"])),
            ]
        parts.append(page.link(f"{name}/report.html", f"{name}: the whole evaluation, with its errors and speakers"))
    return page.page("One network on several corpora", parts, footer("lstm-engine evaluate --corpus --corpus"))


def _with_interval(figures: dict[str, Any]) -> str:
    low, high = figures["interval_95"]
    return f"{figures['balanced_accuracy']:.3f} ({low:.2f} to {high:.2f})"
