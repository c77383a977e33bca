"""A pytest plugin: the outcome and the seconds of every test as JSON; hypothesis draws the same examples in every run."""

import json
import os
from pathlib import Path
from typing import Any

SEEN: dict[str, dict[str, Any]] = {}


def pytest_configure() -> None:
    from hypothesis import settings

    settings.register_profile("mutants", derandomize=True, database=None, deadline=None)
    settings.load_profile("mutants")


def pytest_runtest_logreport(report: Any) -> None:
    seen = SEEN.setdefault(report.nodeid, {"outcome": "passed", "setup": 0.0, "call": 0.0})
    seen["setup" if report.when == "setup" else "call"] += report.duration
    if report.outcome != "passed":
        seen["outcome"] = report.outcome


def pytest_sessionfinish(session: Any) -> None:
    if not hasattr(session.config, "workerinput"):
        Path(os.environ["MUTANTS_RECORD"]).write_text(json.dumps(SEEN, indent=0))
