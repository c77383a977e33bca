"""How fast a page of `inspect` is in a browser: until it is drawn, and from an input of the user to the picture.

    python -m experiments.microscope.page_speed page.html

Chromium without a window, driven by playwright, with keys and mouse. A step's time is from the browser's receipt of the input
to the end of the frame that shows the result. The table also has the CPU time of the page's main thread, which depends
less on other programs.
"""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import mean, median
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

OPENINGS, STEPS = 5, 40
STAND = """Array.from(document.querySelectorAll('.plot')).filter((p) => p.clientWidth && %s)
  .every((p) => p.canvas)"""
WATCH = """(kind) => {
  window.watching?.abort();
  [window.watching, window.took] = [new AbortController(), []];
  addEventListener(kind, ({ timeStamp }) => requestAnimationFrame(() => {
    const painted = new MessageChannel();
    painted.port1.onmessage = () => took.push(performance.now() - timeStamp);
    painted.port2.postMessage(0);
  }), { capture: true, signal: watching.signal });
}"""


def chromium() -> str:
    """The browser's path. Exits with what to install if there is none."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if program := shutil.which(name):
            return program
    sys.exit("this needs Chromium on the PATH: apt install chromium")


def measure(browser: Any, file: Path, width: int = 1280) -> list[tuple[str, list[float], float]]:
    """Open the page several times in playwright's browser; use the last one for the other timings.

    A timing: what was done, milliseconds of each try, and the mean CPU time of the page's main thread for one try, in ms.
    """
    tries: list[tuple[float, ...]] = []
    for _ in range(OPENINGS):
        page = browser.new_page(viewport={"width": width, "height": 900})
        devtools = page.context.new_cdp_session(page)
        devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
        page.goto(file.resolve().as_uri(), wait_until="commit")
        first = _until(page, "p.getBoundingClientRect().top < innerHeight"), _worked(devtools)
        tries.append((*first, _until(page, "true"), _worked(devtools)))
    first, first_cpu, every, every_cpu = zip(*tries, strict=True)
    timings = [
        ("opened, until the first screen is drawn", list(first), mean(first_cpu)),
        ("opened, until every picture is drawn", list(every), mean(every_cpu)),
    ]
    side = "-A" if page.locator("#time-A").count() else ""  # on a page of voices every picture has a side
    part = ("#near-A", "#whole-A") if side else ("#near", "#whole")
    for what, sight, kind, act in (
        (
            "a step of the slider",
            f"#rests{side}",
            "keydown",
            lambda k: page.locator(f"#time{side}").press("ArrowRight"),
        ),
        ("pointing at a map", f"#map-h{side}", "pointermove", _pointing(page, f"#map-h{side}")),
        ("another unit", f"#unit-states{side}", "change", lambda k: page.select_option("#unit", index=k % 4)),
        ("another part of the sequence, or all", part[0], "click", lambda k: page.click(part[k % 2])),
    ):
        page.locator(sight).scroll_into_view_if_needed()  # the picture that changes must be on the screen
        page.evaluate(WATCH, kind)
        before = _worked(devtools)
        for k in range(STEPS):
            act(k)
            while page.evaluate("took.length") <= k:
                page.wait_for_timeout(5)
        timings.append((what, page.evaluate("took"), (_worked(devtools) - before) / STEPS))
    return timings


def _until(page: Any, which: str) -> float:
    """Milliseconds from the navigation's start until those pictures are drawn."""
    while not page.evaluate(f"document.readyState === 'complete' && {STAND % which}"):
        page.wait_for_timeout(10)
    return page.evaluate("performance.now()")


def _worked(devtools: Any) -> float:
    """CPU time of the page's main thread so far, in ms."""
    metrics = {m["name"]: m["value"] for m in devtools.send("Performance.getMetrics")["metrics"]}
    return 1e3 * metrics["TaskDuration"]


def _pointing(page: Any, picture: str) -> Callable[[int], None]:
    def point(k: int) -> None:
        box = page.locator(picture).bounding_box()
        page.mouse.move(box["x"] + box["width"] / 5 + 5 * k, box["y"] + box["height"] / 4 + 2 * (k % 20))

    return point


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: python -m experiments.microscope.page_speed page.html")
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        sys.exit("this needs playwright, which is not installed: pip install playwright")
    with sync_playwright() as driver, driver.chromium.launch(executable_path=chromium()) as browser:
        timings = measure(browser, Path(sys.argv[1]))
    table = Table(title=f"{sys.argv[1]} in Chromium, ms", box=box.SIMPLE_HEAD)
    for column in ("what", "median", "largest", "CPU, mean", "tries"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for what, tries, cpu in timings:
        table.add_row(what, f"{median(tries):.0f}", f"{max(tries):.0f}", f"{cpu:.0f}", str(len(tries)))
    Console(highlight=False).print(table)


if __name__ == "__main__":
    main()
