"""Recordings to look into, what is seen there, and a browser for its pages."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import soundfile as sf

import lstm_engine as le
from experiments.voices import clip_model, training
from experiments.voices.inside.look import Heard, Look, look
from experiments.voices.inside.page import page
from features import corpora
from features.extraction import extract
from features.recipes import recipe_named
from features.synth import draw_speaker, speak, write_corpus

RATE = 16_000
QUICK = {"epochs": 3, "units": 4}


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


@pytest.fixture(scope="session")
def other_voice_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2 s of another voice, lower and without a silence before it."""
    rng = np.random.default_rng(6)
    path = tmp_path_factory.mktemp("look") / "other.wav"
    sf.write(path, speak(replace(draw_speaker("male", "male", rng), f0=110.0), 2.0, rng, RATE), RATE)
    return path


def kept(path: Path, network: le.Sequential, like: Path, **settings: Any) -> Path:
    """A model's file that says of itself what another's does, but for some settings."""
    told = le.load(like).metadata
    network.save(path, metadata=told | {"settings": told["settings"] | settings})
    return path


@pytest.fixture(scope="session")
def earlier_model(voice_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same units, as they might have been some epochs before."""
    network, rng = le.load(voice_model), np.random.default_rng(0)
    network.set_weights([0.7 * w + rng.normal(0, 0.05, w.shape) for w in network.get_weights()])
    return kept(tmp_path_factory.mktemp("models") / "earlier.safetensors", network, voice_model)


@pytest.fixture(scope="session")
def drawn_apart(voice_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """drawn_apart(units): a network of so many units that had no part in the other's training."""
    folder, features = tmp_path_factory.mktemp("models"), le.load(voice_model).input_shape[-1]

    def draw(units: int) -> Path:
        network = clip_model.network(clip_model.Settings(units=units), features, seed=units)
        return kept(folder / f"{units}.safetensors", network, voice_model, units=units)

    return draw


@pytest.fixture(scope="session")
def seen_elsewhere(other_voice_file: Path, seen: Look) -> Look:
    """The same network at the other voice. Not to be changed."""
    return look(other_voice_file, seen.model)


@pytest.fixture(scope="session")
def seen_earlier(voice_file: Path, earlier_model: Path) -> Look:
    """The earlier network at the same voice. Not to be changed."""
    return look(voice_file, clip_model.load(earlier_model))


class Watched(NamedTuple):
    """A folder of frames, and the run of a training on it that was watched."""

    data: Path
    run: Path
    settings: dict[str, int]


@pytest.fixture(scope="session")
def watched(tmp_path_factory: pytest.TempPathFactory, voice_file: Path) -> Watched:
    """Three epochs, watched on the recording. Not to be changed."""
    folder = tmp_path_factory.mktemp("watched")
    write_corpus(folder / "corpus", speakers=7, test_speakers=0, clips=1, seconds=1.0, seed=1)
    extract(corpora.tutorial_folders(folder / "corpus"), folder / "clips", recipe=recipe_named("frames"))
    training.train(folder / "clips", folder / "run", watch=voice_file, **QUICK)
    return Watched(folder / "clips", folder / "run", QUICK)


@pytest.fixture(scope="session")
def values_of() -> Callable[[Path, Heard], dict[str, np.ndarray]]:
    """values_of(file, heard): what the network in a file does with the heard part, by direction and name, (H, T)."""

    def compute(file: Path, heard: Heard) -> dict[str, np.ndarray]:
        model = clip_model.load(file)
        trace = model.network.trace(model.prepare(heard.frames[heard.part])[None])
        ways = zip(("forward", "backward"), trace.layers.values(), strict=True)
        return {f"{way}/{name}": layer[name][0].T for way, layer in ways for name in "ifgoch"}

    return compute


# -- in a browser -----------------------------------------------------------------------------------------------------


class Opened:
    """The page in a browser window, with whatever went wrong in it."""

    def __init__(self, browser: Any, file: Path, width: int) -> None:
        self.page = browser.new_page(viewport={"width": width, "height": 900})
        self.wrong: list[str] = []
        self.page.on("console", lambda m: self.wrong.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", lambda r: self.wrong.append(r.url[:99]) if r.url.startswith(("http", "ws")) else None)
        self.page.goto(file.as_uri())
        self.stands()

    def stands(self) -> None:
        """Waits until every picture is drawn."""
        drawn = "[...Plot.all].every(({ element }) => element.canvas || !element.clientWidth)"
        self.until(lambda: self.page.evaluate(f"Plot.all.size > 9 && Plot.waiting.size === 0 && {drawn}"))

    def until(self, condition: Callable[[], bool]) -> None:
        """Asks again and again: wait_for_function would need eval, which the page forbids."""
        for _ in range(1200):  # a minute: other programs may keep the machine busy
            if condition():
                return
            self.page.wait_for_timeout(50)
        raise TimeoutError("60 s, and it is not so yet")

    def drawn(self, plot: str, trace: int = 0) -> np.ndarray:
        """The numbers of a line that the page has drawn."""
        return np.array(self.page.evaluate(f"Array.from(document.getElementById('{plot}').data[{trace}].y)"))


@pytest.fixture(scope="module")
def open_page(browser: Any) -> Callable[[Path, int], Opened]:
    """Opens a file at a width in pixels."""
    return lambda file, width: Opened(browser, file, width)


class Inspected(Opened):
    """The microscope's page of one look or two."""

    def __init__(self, browser: Any, file: Path, width: int) -> None:
        super().__init__(browser, file, width)
        for whole in self.page.locator(".whole:enabled").all():  # the page opens without the silence around a voice
            whole.click()
        self.stands()

    def drawn(self, plot: str, trace: int = 0, what: str = "y") -> np.ndarray:
        """The numbers of a line, or the rows of a map ("z"), that the page has drawn."""
        self.stands()
        one = f"document.getElementById('{plot}').data[{trace}].{what}"
        return np.array(self.page.evaluate(f"Array.from({one}, (v) => v.length === undefined ? v : Array.from(v))"))

    def line(self, plot: str) -> float:
        """Where in a picture the line is, in pixels from its left."""
        found = f"getComputedStyle(document.querySelector('#{plot} .playhead')).left"
        return float(self.page.evaluate(found).removesuffix("px"))

    def frame(self, clip: str = "A") -> int:
        return int(self.page.input_value(f"#time-{clip}"))

    def x(self, plot: str, share: float) -> float:
        """Pixels from a picture's left to that share of its time axis."""
        width = self.page.locator(f"#{plot}").bounding_box()["width"]
        left, right = (58, 12) if self.page.viewport_size["width"] > 600 else (40, 6)
        return left + share * (width - left - right)


@pytest.fixture(scope="module")
def inspected(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Inspected]]:
    """inspected(width, look, ...) opens the page of one look or two; at the end nothing must have gone wrong in any."""
    pages: list[Inspected] = []

    def open_one(width: int, *looks: Look, **names: Any) -> Inspected:
        file = tmp_path_factory.mktemp("page") / "page.html"
        file.write_text(page(*looks, **names), encoding="utf-8")
        pages.append(Inspected(browser, file, width))
        return pages[-1]

    yield open_one
    for opened in pages:
        assert opened.wrong == []
        opened.page.close()
