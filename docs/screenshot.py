"""A picture of a page for these documents: what a browser window of a given size shows of it.

    python docs/screenshot.py page.html picture.png --width 900 --height 600 --dark

Chromium without a window, driven by playwright (the extra `browser`).
"""

import shutil
from pathlib import Path
from typing import Annotated

import typer
from playwright.sync_api import sync_playwright


def main(
    page: Annotated[Path, typer.Argument(help="The HTML file.")],
    picture: Annotated[Path, typer.Argument(help="The PNG to write.")],
    width: Annotated[int, typer.Option(help="Of the window, in pixels.")] = 900,
    height: Annotated[int, typer.Option(help="Of the window, in pixels.")] = 600,
    dark: Annotated[bool, typer.Option("--dark", help="In the dark scheme.")] = False,
) -> None:
    """Draws the top of a page."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        scheme = "dark" if dark else "light"
        window = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
        window.goto(page.resolve().as_uri())
        window.screenshot(path=picture)
        browser.close()


if __name__ == "__main__":
    typer.run(main)
