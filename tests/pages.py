"""Opens pages (HTML files) as a reader does, wide and narrow, light and dark, and says what is wrong with them.

`python -m tests.pages runs/demo/report.html` writes four screenshots of each page and fails on errors in the console,
requests to a network, a body wider than the window, a number broken over two lines, and what axe-core finds against WCAG 2 AA
(contrast, labels, ...). It needs Chromium and the extra `browser`.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

WIDTHS, SCHEMES = (1280, 390), ("light", "dark")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
LOCAL = ("file:", "data:", "blob:", "about:")
WIDER = """() => innerWidth >= document.documentElement.scrollWidth ? [] : [...document.body.querySelectorAll("*")]
    .filter((e) => e.getBoundingClientRect().right > innerWidth + 1).slice(0, 3)
    .map((e) => e.tagName.toLowerCase() + (e.id && "#" + e.id) + " " + (e.textContent || "").trim().slice(0, 40))"""
BROKEN = r"""() => {
    const number = /[-+−]?\d[\d.,:]*(?:e[-+−]?\d+)?(?:[ \u00a0\u202f](?:%|ms|s|Hz|kHz|dB|MiB|GiB|MB|GB)(?![\p{L}\d]))?/gu;
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const range = document.createRange(), broken = [];
    for (let node; (node = walker.nextNode());) {
        if (node.parentElement.closest("script, style, pre, code, textarea")) continue;
        for (const found of node.data.matchAll(number)) {
            const [from, to] = [found.index, found.index + found[0].length];
            range.setStart(node, from);
            range.setEnd(node, to);
            const lines = new Set([...range.getClientRects()].map((r) => Math.round(r.top)));
            if (lines.size > 1) broken.push(node.data.slice(Math.max(0, from - 20), to + 10));
        }
    }
    return broken.slice(0, 5);
}"""


def check(browser: Any, file: Path, out: Path) -> list[str]:
    """The problems of a page at both widths in both schemes, a line each; out: the folder of its screenshots."""
    return [
        f"{file.name} at {width} px, {scheme}: {problem}"
        for width in WIDTHS
        for scheme in SCHEMES
        for problem in _problems(browser, file, out / f"{_name(file)}_{width}_{scheme}.png", width, scheme)
    ]


def _name(file: Path) -> str:
    return re.sub(r"\W+", "_", "_".join([*file.absolute().parts[-2:-1], file.stem]))


def _problems(browser: Any, file: Path, picture: Path, width: int, scheme: str) -> Iterator[str]:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    heard: list[str] = []
    page.on("console", lambda message: heard.append(f"console: {message.text}") if message.type == "error" else None)
    page.on("pageerror", lambda error: heard.append(f"error: {error}"))
    page.on(
        "request", lambda r: None if r.url.startswith(LOCAL) else heard.append(f"asks the network for {r.url[:80]}")
    )
    page.goto(file.absolute().as_uri(), wait_until="load")
    page.evaluate("() => { for (const part of document.querySelectorAll('details')) part.open = true; }")
    page.wait_for_timeout(300)
    picture.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=picture, full_page=True)
    yield from heard
    for element in page.evaluate(WIDER):
        yield f"wider than the window: {element}"
    for text in page.evaluate(BROKEN):
        yield f"a number is broken over two lines: ...{text}..."
    yield from _against_wcag(page)
    page.close()


def _against_wcag(page: Any) -> Iterator[str]:
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": RULES}})
    for violation in found.response["violations"]:
        for node in violation["nodes"][:3]:
            data = next((c["data"] for c in node["any"] if isinstance(c.get("data"), dict)), {})
            ratio = f" ({data['contrastRatio']} of {data['expectedContrastRatio']})" if "contrastRatio" in data else ""
            more = f", {len(violation['nodes'])} in all" if len(violation["nodes"]) > 3 else ""
            yield f"{violation['id']}{ratio}: {node['html'][:90]}{more}"


def main(
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, help="HTML files")],
    out: Annotated[Path, typer.Option(help="Folder for the screenshots")] = Path("runs/pages"),
) -> None:
    """Open pages at 1280 and 390 px, light and dark, and fail on what a reader would meet.

    Example: python -m tests.pages runs/demo/report.html
    """
    from playwright.sync_api import sync_playwright

    if (
        program := shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    ) is None:
        typer.echo("needs Chromium on the PATH: apt install chromium", err=True)
        raise typer.Exit(2)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        problems = [problem for file in files for problem in check(browser, file, out)]
        browser.close()
    typer.echo("\n".join([*problems, f"{len(problems)} problems; screenshots: {out}"]))
    raise typer.Exit(1 if problems else 0)


if __name__ == "__main__":
    typer.run(main)
