"""The result of a training on spoken digits in words, and its page."""

from typing import Any

import pandas as pd

from experiments.microscope import watching_report
from experiments.reports import page, pictures


def digits_sentence(result: dict[str, Any]) -> str:
    """The result in one sentence."""
    (low, high), reference = result["interval_95"], result.get("reference")
    worst = next(iter(result["by_speaker"].items()))
    text = (
        f"{result['target']}: accuracy {result['accuracy']:.4f} on "
        f"{page.counted(result['clips'], 'clip')} of {page.counted(result['speakers'], 'test speaker')} "
        f"(95 % interval {low:.3f} to {high:.3f}, by speaker; the worst speaker, {worst[0]}, has {worst[1]:.2f})"
    )
    if reference:
        text += (
            f"; the same network in Keras {reference['accuracy']:.4f}, both give the same answer for "
            f"{result['agreement']:.1%} of the clips"
        )
    return text + "."


def page_parts(result: dict[str, Any], table: pd.DataFrame, watched: pd.DataFrame) -> list[str]:
    """The parts of the report."""
    sides = {side: name for side, name in (("engine", "engine"), ("reference", "Keras")) if f"{side}_loss" in table}
    curves = pictures.training_curves(table, sides)
    names = [f"said {label}" if result["target"] == "digit" else label for label in result["labels"]]
    confusion = pd.DataFrame(result["confusion"], index=names, columns=[f"recognised as {x}" for x in result["labels"]])
    by_speaker = pd.DataFrame({"engine": result["by_speaker"]})
    if "reference" in result:
        by_speaker["Keras"] = pd.Series(result["reference"]["by_speaker"])
    note = "The recipe was chosen on training speakers alone. The test speakers were used once, after the training."
    caption = "Measured during the epochs, while the weights change, with the recipe's dropout."
    if "reference" in result and result["recipe"]["every_step"]:
        caption += " On JAX, Keras's accuracy here counts padded steps as wrong; its loss and its evaluation do not."
    return [
        page.paragraph(digits_sentence(result), "lead"),
        page.paragraph(note),
        page.heading("Learning"),
        pictures.inline(curves, caption),
        page.heading("Confusion matrix"),
        page.table(confusion),
        page.heading("Each test speaker's share of right answers"),
        page.table(by_speaker, dict.fromkeys(by_speaker, "{:.2f}")),
        *watching_report.parts(watched),
        page.folded("Every epoch", page.table(table, dict.fromkeys(table, "{:.4f}"))),
    ]
