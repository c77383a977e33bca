"""The tests of a mutant: chosen by coverage, run in a fork."""

import collections
import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.mutants.statements import ROOT, Statement, planted

SEARCHED = ("lstm_engine/**/*.py", "features/**/*.py")  # where `--again` looks for the statements
SECONDS, LEAST = 45.0, 15  # a mutant's tests: the cheapest up to so many seconds, and at least so many tests
OPENING = 1.0  # seconds that a test file costs beside its tests: its import
WARM = [
    "numpy",
    "numba",
    "scipy.signal",
    "pandas",
    "librosa",
    "matplotlib.pyplot",
    "hypothesis",
    "pytest",
]  # imported before the forks


def measure(folder: Path, marks: str) -> None:
    """Runs the tests with these marks once: which test executes which line, and how long each takes."""
    folder.mkdir(parents=True, exist_ok=True)
    include = "".join(f"\n    {ROOT / pattern}" for pattern in SEARCHED)
    omit = f"\nomit =\n    {ROOT}/lstm_engine/kernels/*"  # compiled
    (folder / "coveragerc").write_text(f"[run]\ndata_file = {folder}/coverage\ninclude ={include}{omit}\n")
    cover = ["--cov", f"--cov-config={folder}/coveragerc", "--cov-context=test", "--cov-report="]
    command = [sys.executable, "-m", "pytest", "-q", "-m", marks, "-n", "2", "--dist", "loadscope", *cover]
    environment = os.environ | {"MUTANTS_RECORD": str(folder / "tests.json")}
    code = subprocess.run([*command, "-p", "tests.mutants.recorder"], cwd=ROOT, env=environment).returncode
    if code not in (0, 1):  # with 1, tests have failed: no mutant is tried with those
        sys.exit(f"pytest ended with {code}: no test was chosen")


class Suite:
    """Which tests execute which line, and what they cost."""

    def __init__(self, folder: Path) -> None:
        from coverage import CoverageData

        self.tests = json.loads((folder / "tests.json").read_text())
        self.coverage = CoverageData(str(folder / "coverage"))
        self.coverage.read()
        self.shared = collections.Counter()  # seconds of the costliest setup in a file, which others there share
        for test, seen in self.tests.items():
            file = test.partition("::")[0]
            self.shared[file] = max(self.shared[file], seen["setup"])

    def covering(self, statement: Statement) -> set[str]:
        """The tests that pass and execute it. A fixture counts for its whole file; what runs on import, for all tests."""
        contexts = self.coverage.contexts_by_lineno(str(ROOT / statement.file))
        seen = {c for line in statement.lines for c in contexts.get(line, ())}
        if seen == {""}:
            seen = {c for line in contexts.values() for c in line}
        tests = {c.rpartition("|")[0] for c in seen}
        files = {c.partition("::")[0] for c in seen if c.endswith("|setup")}
        tests |= {t for t in self.tests if t.partition("::")[0] in files}
        return {t for t in tests if t in self.tests and self.tests[t]["outcome"] == "passed"}

    def cheapest(self, tests: set[str], seconds: float = SECONDS, first: str = "") -> list[str]:
        """The tests to run, by file; a test with the name of `first` comes before all others."""

        def cost(test: str) -> tuple[bool, float, str]:
            other = test.rpartition("/")[2] != first.rpartition("/")[2]
            return other, self.tests[test]["call"] + self.shared[test.partition("::")[0]], test

        chosen, total = collections.defaultdict(list), 0.0
        for number, test in enumerate(sorted(tests, key=cost)):
            file = test.partition("::")[0]
            total += self.tests[test]["call"] + (0.0 if file in chosen else self.shared[file] + OPENING)
            if number >= LEAST and total > seconds:
                break
            chosen[file].append(test)
        return [test for tests in chosen.values() for test in tests]

    def limit(self, tests: list[str]) -> int:
        """Seconds of processor time, after which a mutant counts as killed by the clock."""
        return 120 + 6 * int(sum(self.tests[t]["setup"] + self.tests[t]["call"] for t in tests))


def run(tests: list[str], tree: Path, limit: int) -> tuple[str, str]:
    """The outcome of pytest on these tests in a fork of this process: survived, or killed and by which."""
    names, record = tree / "mutants-tests.txt", tree / "mutants-record.json"
    names.write_text("\n".join(tests))
    record.unlink(missing_ok=True)
    process = os.fork()
    if not process:
        os.setsid()
        os.chdir(tree)
        log = os.open("mutants-log.txt", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0), os.dup2(log, 1), os.dup2(log, 2)
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 10))  # ends an endless loop, not a slow machine's run
        with contextlib.suppress(OSError):  # a mutant may ask for all memory: Linux is to end it, not other programs
            Path("/proc/self/oom_score_adj").write_text("1000")
        path = os.pathsep.join([str(tree), os.environ.get("PYTHONPATH", "")])
        os.environ |= {"PYTHONPATH": path, "MUTANTS_RECORD": str(record), "PYTHONDONTWRITEBYTECODE": "1"}
        sys.path[:] = [str(tree), *(p for p in sys.path if Path(p or ".").resolve() != ROOT)]
        sys.dont_write_bytecode = True
        for module in [m for m in sys.modules if m.partition(".")[0] == "tests"]:
            del sys.modules[module]
        import pytest

        options = "-x -q --tb=line -p no:cacheprovider -p no:xdist -p tests.mutants.recorder"
        code = pytest.main([*options.split(), f"@{names}"])
        sys.stdout.flush()
        os._exit(int(code))
    end = time.monotonic() + 5 * limit  # a deadlock
    while True:
        done, status = os.waitpid(process, os.WNOHANG)
        if done or time.monotonic() > end:
            break
        time.sleep(0.05)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process, signal.SIGKILL)  # and what the tests have started
    if not done:
        _, status = os.waitpid(process, 0)
    seen = json.loads(record.read_text()) if record.exists() else {}
    failed = [test for test, result in seen.items() if result["outcome"] == "failed"]
    if os.WIFSIGNALED(status):
        return "killed", f"signal {os.WTERMSIG(status)}"
    return ("killed", failed[0] if failed else "collection") if os.WEXITSTATUS(status) else ("survived", "")


def judge(mutant: dict[str, Any], suite: Suite, tree: Path, sources: dict[str, str], found: tuple) -> dict[str, Any]:
    """Plants the mutant in the copy of the tree and runs its tests."""
    statement, new, how = found
    covering = suite.covering(statement)
    tests = suite.cheapest(covering, first=mutant.get("by", ""))
    result = mutant | {"found": how, "now": f"{statement.file} {statement.function}"}
    result |= {"covering": len(covering), "run": len(tests), "cut": len(tests) < len(covering)}
    if not tests:
        return result | {"outcome": "survived", "by": "no test executes it"}
    begin, file = time.monotonic(), tree / statement.file
    file.write_text(planted(sources[statement.file], statement.node, mutant["path"], new))
    try:
        outcome, by = run(tests, tree, suite.limit(tests))
        if outcome == "survived" and mutant.get("outcome") == "killed" and result["cut"]:
            tests = suite.cheapest(covering, seconds=float("inf"))
            outcome, by = run(tests, tree, suite.limit(tests))
            result |= {"run": len(tests), "cut": False}
    finally:
        file.write_text(sources[statement.file])
    return result | {"outcome": outcome, "by": by, "seconds": round(time.monotonic() - begin, 1)}
