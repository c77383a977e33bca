"""A collection of recordings before it costs time: the command check, and the first lines of features."""

import shlex
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from experiments.cli.shared import (
    AsJson,
    Jobs,
    app,
    err_console,
    escape_markup,
    print_columns,
    print_json,
    print_line,
    stages,
)
from experiments.reports.page import counted

if TYPE_CHECKING:
    from experiments.voices.measure import Source
    from features.checking import Check, Kind

SHOWN = 8  # kinds of file in the table; the rest is counted
Root = Annotated[
    Path | None, typer.Argument(help="Folder of a corpus (see --corpus), or a .csv or .tsv that lists clips.")
]
CorpusName = Annotated[
    str | None,
    typer.Option(
        help="Which corpus ROOT is, if it cannot be detected: folders (Male, Female, perhaps Male Test, Female Test), "
        "librispeech, common-voice, voxceleb, vctk, table."
    ),
]
Male = Annotated[Path | None, typer.Option(help="Folder of male clips; a folder inside it is a speaker.")]
Female = Annotated[Path | None, typer.Option(help="Folder of female clips.")]
MaleTest = Annotated[Path | None, typer.Option(help="Folder of male clips to test on.")]
FemaleTest = Annotated[Path | None, typer.Option(help="Folder of female clips to test on.")]


@app.command(
    rich_help_panel="Voices",
    epilog="Examples: lstm-engine check recordings   |   lstm-engine check speakers.csv --jobs -1   |   "
    "lstm-engine check recordings --quick --json",
)
def check(
    root: Root = None,
    corpus: CorpusName = None,
    male: Male = None,
    female: Female = None,
    male_test: MaleTest = None,
    female_test: FemaleTest = None,
    quick: Annotated[bool, typer.Option("--quick", help="Look at names and bytes only: decode nothing.")] = False,
    jobs: Jobs = 1,
    as_json: AsJson = False,
) -> None:
    """What is in a collection of recordings, what is left out and why, and what contradicts.

    Every clip is decoded, to find broken and silent ones, and one sound under two names or two labels.

    Nothing is written. Exit code 1 if something needs a decision.
    """
    from time import perf_counter

    from experiments.cli import durations
    from experiments.voices.measure import source_of
    from features import checking

    source = source_of(root, corpus, male, female, male_test, female_test)
    if source.summary and not as_json:
        print_line(source.summary)
    began = perf_counter()
    if quick:
        result = checking.glance(source.clips, source.notes, source.folder)
    else:
        takes = durations.of_sound(source.clips, "decoded", None, 1, jobs)
        with stages(takes=takes) as stage:
            result = checking.check(source.clips, source.notes, source.folder, jobs, stage("Listening"))
    took = perf_counter() - began
    if as_json:
        print_json(_as_json(source, result, took))
    else:
        _show(result, took, quick)
        _show_end(result, root)
    raise typer.Exit(1 if result.to_decide else 0)


def first_lines(source: "Source", result: "Check", as_json: bool) -> None:
    """What `features` says before it measures: the collection in two lines, and a note for each finding."""
    if not as_json:
        if source.summary:
            print_line(source.summary)
        kinds: dict[str, int] = {}
        for kind in result.kinds:
            kinds[kind.ending] = kinds.get(kind.ending, 0) + sum(kind.clips.values())
        print_line(f"Kinds of file: {', '.join(f'{ending} {count}' for ending, count in kinds.items())}")
    for finding in result.findings:
        err_console.print(f"[yellow]note:[/yellow] {escape_markup(finding.says)}", soft_wrap=True)
    if len(result.to_decide) > 1:
        err_console.print("[yellow]note:[/yellow] `lstm-engine check` lists all of it", soft_wrap=True)


def _as_json(source: "Source", result: "Check", took_s: float) -> dict[str, Any]:
    numbers = {"folder": str(source.folder), "corpus": source.kind, "ok": not result.to_decide}
    numbers |= {"to_decide": len(result.to_decide), "took_s": took_s}
    return numbers | asdict(result)


def _show(result: "Check", took_s: float, quick: bool) -> None:
    """The numbers by sex, the kinds of file, and the findings."""
    rows = [("speakers", result.speakers, "{:,}"), ("clips", result.clips, "{:,}")]
    rows += [] if quick else [_amount(result.seconds)]
    rows += [
        (f"clips in {part or 'no part'}", n, "{:,}")
        for part, n in result.parts.items()
        if len(result.parts) > 1 or part
    ]
    rows += [(_words(kind), kind.clips, "{:,}") for kind in result.kinds[:SHOWN]]
    table = [
        (name, form.format(n["male"]), form.format(n["female"]), form.format(n["male"] + n["female"]))
        for name, n, form in rows
    ]
    print_columns({"": "left", "male": "right", "female": "right", "all": "right"}, table)
    if more := result.kinds[SHOWN:]:
        print_line(f"and {counted(len(more), 'more kind')} of file, {counted(_clips(more), 'clip')} together")
    if not quick:
        low, middle, high = result.lengths_s
        print_line(f"Clips last {low:.1f} to {high:.1f} s, the median is {middle:.1f} s. Decoded in {took_s:.1f} s.")


def _show_end(result: "Check", root: Path | None) -> None:
    told = [finding for finding in result.findings if not finding.decide]
    for title, findings in (("To decide", result.to_decide), ("Good to know", told)):
        if findings:
            print_line(f"\n{title}:")
        for number, finding in enumerate(findings, start=1):
            print_line(f"  {number}. {finding.says}")
    if result.to_decide:
        count = len(result.to_decide)
        print_line(f"\n{counted(count, 'thing')} {'needs' if count == 1 else 'need'} a decision before training.")
    else:
        next_ = shlex.quote(str(root)) if root else "--male ... --female ..."
        print_line(f"\nNothing needs a decision. Next: lstm-engine features {next_} --out my_features")


def _amount(seconds: dict[str, float]) -> tuple[str, dict[str, float], str]:
    unit, name = (3600, "hours") if sum(seconds.values()) >= 3600 else (60, "minutes")
    return name, {sex: s / unit for sex, s in seconds.items()}, "{:.1f}"


def _words(kind: "Kind") -> str:
    """ ".wav, 16 kHz, mono, 16 bit"."""
    ending = kind.ending or "no ending"
    if not kind.rate_hz:
        return ending
    channels = {1: "mono", 2: "stereo"}.get(kind.channels, f"{kind.channels} channels")
    return f"{ending}, {kind.rate_hz / 1000:g} kHz, {channels}, {kind.coding}"


def _clips(kinds: Iterable["Kind"]) -> int:
    return sum(sum(kind.clips.values()) for kind in kinds)
