"""Is this machine fit, and does it compute what others compute: doctor."""

from dataclasses import asdict
from typing import Any

import typer

from experiments.cli.shared import AsJson, app, print_columns, print_json, print_line


@app.command(rich_help_panel="Proofs", epilog="Examples: lstm-engine doctor   |   lstm-engine doctor --json")
def doctor(as_json: AsJson = False) -> None:
    """The machine, the versions, what is missing and how to get it, and a self-test against stored hashes.

    The self-test takes a few seconds once the kernels are compiled. Exit 1 when it differs and nothing explains it.
    """
    from experiments.promises.doctor import examine
    from experiments.promises.self_test import run

    facts, findings = examine(), run()
    if as_json:
        print_json(facts | {"self-test": [asdict(finding) for finding in findings]})
    else:
        print_columns({"": "left", " ": "left"}, [(name, _words(value)) for name, value in facts.items()])
        for finding in findings:
            print_line(f"self-test, {finding.part}: {finding.said}")
    raise typer.Exit(0 if all(finding.ok for finding in findings) else 1)


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return "\n".join(f"{name}: {_words(each)}" for name, each in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
