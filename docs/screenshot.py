"""A picture of a page for these documents: what a browser window of a given size shows of it, as a small PNG.

    python docs/screenshot.py page.html picture.png --width 900 --height 600 --dark

Chromium without a window, driven by playwright (the extra `browser`).
"""

import io
import shutil
from pathlib import Path
from typing import Annotated

import typer
from PIL import Image
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
        shown = Image.open(io.BytesIO(window.screenshot())).convert("RGB")
        browser.close()
    shown.quantize(64).save(picture, optimize=True)


if __name__ == "__main__":
    typer.run(main)
