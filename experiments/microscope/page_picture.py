"""A picture of a page, for the documentation: what a browser window of a given size shows of it.

    python -m experiments.microscope.page_picture page.html picture.png --at "#map-i" --unit 21 --right 57

Chromium without a window, driven by playwright.
"""

import io
from pathlib import Path
from typing import Annotated

import typer
from PIL import Image

from experiments.microscope.page_speed import chromium

SCROLL = """(element) => {
  const bar = document.getElementById("players");  // it stays on the screen
  const above = bar && element.compareDocumentPosition(bar) & 2;
  scrollTo(0, scrollY + element.getBoundingClientRect().top - 8 - (above ? bar.offsetHeight : 0));
}"""


def main(
    page: Annotated[Path, typer.Argument(help="An HTML file.")],
    picture: Annotated[Path, typer.Argument(help="The PNG to write.")],
    width: Annotated[int, typer.Option(help="Of the window, in pixels.")] = 1000,
    height: Annotated[int, typer.Option(help="Of the window, in pixels.")] = 760,
    at: Annotated[str, typer.Option(help="Begin with this element, a CSS selector.")] = "h1",
    right: Annotated[int, typer.Option(min=0, help="Press the right arrow so many times.")] = 0,
    unit: Annotated[int | None, typer.Option(min=0, help="Choose this unit.")] = None,
    dark: Annotated[bool, typer.Option("--dark", help="In the dark scheme.")] = False,
) -> None:
    """Write a picture of a page. Example: python -m experiments.microscope.page_picture page.html out.png --at "#map-i" """
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        raise SystemExit("this needs playwright, which is not installed: pip install playwright") from None
    with sync_playwright() as driver, driver.chromium.launch(executable_path=chromium()) as browser:
        window = browser.new_page(viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light")
        window.goto(page.resolve().as_uri())
        if unit is not None:
            window.select_option("#unit", str(unit))
        for _ in range(right):
            window.keyboard.press("ArrowRight")
        window.locator(at).first.evaluate(SCROLL)
        window.wait_for_timeout(1000)  # pictures are drawn when they come to the screen
        shot = Image.open(io.BytesIO(window.screenshot()))
    shot.quantize(256).save(picture, optimize=True)  # a third of the bytes


if __name__ == "__main__":
    typer.run(main)
