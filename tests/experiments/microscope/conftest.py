"""A recording to look into, what is seen there, and a browser for its pages."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf

from experiments.microscope.looking import Look, look
from experiments.voices import clip_model
from features.synth import draw_speaker, speak

RATE = 16_000


@pytest.fixture(scope="session")
def voice_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a second of silence and 2.5 s of a synthetic voice; its name must not be taken for markup."""
    rng = np.random.default_rng(5)
    voice = speak(replace(draw_speaker("female", "female", rng), f0=220.0), 2.5, rng, RATE)
    path = tmp_path_factory.mktemp("look") / "voice & co.wav"
    sf.write(path, np.concatenate([np.zeros(RATE // 2), voice]), RATE)
    return path


@pytest.fixture(scope="session")
def seen(voice_file: Path, voice_model: Path) -> Look:
    """Not to be changed."""
    return look(voice_file, clip_model.load(voice_model))


# -- in a browser -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("needs Chromium on the PATH: apt install chromium")
    with playwright.sync_playwright() as driver:
        own = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield own
        own.close()


class Opened:
    """The page in a browser window, with whatever went wrong in it."""

    def __init__(self, browser: Any, file: Path, width: int) -> None:
        self.page = browser.new_page(viewport={"width": width, "height": 900})
        self.wrong: list[str] = []
        self.page.on("console", lambda m: self.wrong.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", lambda r: self.wrong.append(r.url[:99]) if r.url.startswith(("http", "ws")) else None)
        self.page.goto(file.as_uri())
        self.until(lambda: self.page.evaluate("document.querySelectorAll('.plot .main-svg').length > 20"))

    def until(self, condition: Callable[[], bool]) -> None:
        """Asks again and again: wait_for_function would need eval, which the page forbids."""
        for _ in range(200):
            if condition():
                return
            self.page.wait_for_timeout(50)
        raise TimeoutError("10 s, and it is not so yet")

    def drawn(self, plot: str, trace: int = 0) -> np.ndarray:
        """The numbers of a line that plotly has drawn."""
        return np.array(self.page.evaluate(f"Array.from(document.getElementById('{plot}').data[{trace}].y)"))


@pytest.fixture(scope="session")
def open_page(browser: Any) -> Callable[[Path, int], Opened]:
    """Opens a file at a width in pixels."""
    return lambda file, width: Opened(browser, file, width)
