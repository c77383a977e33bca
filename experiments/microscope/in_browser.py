"""How fast a page of `inspect` is in a browser: until it stands, and from what a person does to what they then see.

    python -m experiments.microscope.in_browser page.html

Chromium without a window, driven by playwright, with real keys and a real mouse. A step's time runs from the browser's
receipt of the input to the end of the frame that shows it.
"""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table

OPENINGS, STEPS = 5, 40
STAND = """Array.from(document.querySelectorAll('.plot')).filter((p) => p.clientWidth && %s)
  .every((p) => p.querySelector('.main-svg'))"""
WATCH = """(kind) => {
  window.watching?.abort();
  [window.watching, window.took] = [new AbortController(), []];
  addEventListener(kind, ({ timeStamp }) => requestAnimationFrame(() => {
    const painted = new MessageChannel();
    painted.port1.onmessage = () => took.push(performance.now() - timeStamp);
    painted.port2.postMessage(0);
  }), { capture: true, signal: watching.signal });
}"""


class Timing(NamedTuple):
    """Milliseconds of each of several tries."""

    what: str
    tries: list[float]


def chromium() -> str:
    """The browser's path. Leaves, saying what to install, where there is none."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    sys.exit("this needs Chromium on the PATH: apt install chromium")


def measure(browser: Any, file: Path, width: int = 1280) -> list[Timing]:
    """Opens the page several times in playwright's browser, and uses the last."""
    first, all_of_it = [], []
    for _ in range(OPENINGS):
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.goto(file.resolve().as_uri(), wait_until="commit")
        first.append(_until(page, "p.getBoundingClientRect().top < innerHeight"))
        all_of_it.append(_until(page, "true"))
    return [
        Timing("opened, until the first screen stands", first),
        Timing("opened, until every picture stands", all_of_it),
        Timing("a step of the time slider", _slider(page)),
        Timing("pointing at a map", _pointing(page)),
        Timing("another unit", _each(page, "change", lambda k: page.select_option("#unit", index=k % 8))),
        Timing("a stretch of time, or all", _each(page, "click", lambda k: page.click(("#near-A", "#whole-A")[k % 2]))),
    ]


def _until(page: Any, which: str) -> float:
    """Milliseconds from the navigation's start until those pictures stand."""
    while not page.evaluate(f"document.readyState === 'complete' && {STAND % which}"):
        page.wait_for_timeout(10)
    return page.evaluate("performance.now()")


def _slider(page: Any) -> list[float]:
    page.focus("#time-A")
    return _each(page, "keydown", lambda k: page.keyboard.press("ArrowRight"))


def _pointing(page: Any) -> list[float]:
    page.locator("#map-f-A").scroll_into_view_if_needed()
    box = page.locator("#map-f-A").bounding_box()
    x, y = box["x"] + box["width"] / 5, box["y"] + box["height"] / 4
    return _each(page, "pointermove", lambda k: page.mouse.move(x + 5 * k, y + 2 * (k % 20)))


def _each(page: Any, kind: str, act: Callable[[int], Any]) -> list[float]:
    """The times of STEPS acts, each of which makes an event of that kind."""
    page.evaluate(WATCH, kind)
    for k in range(STEPS):
        act(k)
        while page.evaluate("took.length") <= k:
            page.wait_for_timeout(5)
    return page.evaluate("took")


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: python -m experiments.microscope.in_browser page.html")
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        sys.exit("this needs playwright, which is not installed: pip install playwright")
    with sync_playwright() as driver, driver.chromium.launch(executable_path=chromium()) as browser:
        timings = measure(browser, Path(sys.argv[1]))
    table = Table(title=f"{sys.argv[1]} in Chromium, ms", box=box.SIMPLE_HEAD)
    for column in ("what", "median", "largest", "tries"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for what, tries in timings:
        table.add_row(what, f"{median(tries):.0f}", f"{max(tries):.0f}", str(len(tries)))
    Console(highlight=False).print(table)


if __name__ == "__main__":
    main()
