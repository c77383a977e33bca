"""Mutation testing: plant one small mistake at a time in the engine, and see whether a test notices it.

    python -m tests.mutants --sample 400 --seed 0 --out before.json    before a change of the tests or of the layout
    python -m tests.mutants --again before.json --out after.json       after it: what was killed before must be killed

Needs `pip install -e ".[dev,mutants]"`. cosmic-ray makes the mutants; the seed draws them, one for each place in the source
before a second one. A mutant is known by its function and its statement, without line numbers or files, so that `--again`
finds it in a tree that was moved about. Its tests are those of the fast suite (or of --marks) that execute the statement,
the cheapest first; coverage and durations are measured once, into --folder. Mutants are planted in a copy of the tree, never
in the checkout. Results are JSON lines: a run that was stopped continues where it ended.
"""

import argparse
import collections
import json
import os
import shutil
from pathlib import Path
from typing import Any

from tests.mutants.sampling import sample
from tests.mutants.statements import ROOT, find, read, statements
from tests.mutants.suite import SEARCHED, WARM, Suite, judge, measure


def identity(mutant: dict[str, Any]) -> tuple:
    return tuple(str(mutant[k]) for k in ("file", "function", "statement", "index", "path", "new"))


def results(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, default=400, help="how many mutants to draw")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--again", type=Path, help="results of an earlier run, whose killed mutants to run again")
    parser.add_argument("--out", type=Path, required=True, help="JSON lines, one a mutant")
    parser.add_argument(
        "--folder", type=Path, default=ROOT / "build" / "mutants", help="for coverage and copies of the tree"
    )
    parser.add_argument("--marks", default="not slow", help="pytest's -m: the tests that are measured and run")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    folder = options.folder.resolve()
    if not (folder / "tests.json").exists():
        measure(folder, options.marks)
    if options.again:
        mutants = [m for m in results(options.again) if m["outcome"] == "killed"]
    else:
        mutants = sample(options.sample, options.seed)
    done = {identity(m) for m in results(options.out)}
    left = [m for m in mutants if identity(m) not in done]
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # Numba's threads would take a core while they wait
    for module in WARM:
        __import__(module)
    workers = []
    for k in range(options.workers):
        if process := os.fork():
            workers.append(process)
            continue
        work(left[k :: options.workers], folder, folder / f"copy-{k}", options.out)
        os._exit(0)
    for process in workers:
        os.waitpid(process, 0)
    report(results(options.out), again=options.again is not None)


def work(mutants: list[dict[str, Any]], folder: Path, tree: Path, out: Path) -> None:
    shutil.rmtree(tree, ignore_errors=True)
    ignored = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", ".hypothesis", "build", "runs", "site")
    shutil.copytree(ROOT, tree, ignore=ignored)
    suite, sources = Suite(folder), read(SEARCHED)
    everything = [s for file, source in sources.items() for s in statements(file, source)]
    for mutant in mutants:
        found = find(mutant, everything)
        result = judge(mutant, suite, tree, sources, found) if found else mutant | {"outcome": "gone"}
        with out.open("a") as lines:
            lines.write(json.dumps(result, ensure_ascii=False) + "\n")


def report(mutants: list[dict[str, Any]], again: bool) -> None:
    titles = {"gone": "statement no longer there", "survived": "LOST" if again else "survived"}
    for outcome, title in titles.items():
        for m in (m for m in mutants if m["outcome"] == outcome):
            print(f"{title}: {m['file']} {m['function']}: {m['old']}  ->  {m['new']}  {m['by']}".rstrip())
    print(dict(collections.Counter(m["outcome"] for m in mutants)))
    print("statements found:", dict(collections.Counter(m["found"] for m in mutants if m["outcome"] != "gone")))
    print("lists of tests that were cut:", sum(m["cut"] for m in mutants if m["outcome"] != "gone"))


if __name__ == "__main__":
    main()
