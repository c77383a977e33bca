"""Small networks for the page of any network, with what they read, and pages in a browser."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lstm_engine as le
from experiments.microscope.page import Page, inspect_page
from lstm_engine.gradient_check import unit_scale

CHARACTERS = "abc de\n"
TEXT = "a bad bee\nbad decade " * 2


def network(*layers: Any, features: int, loss: str, **metadata: Any) -> le.Sequential:
    """A network with weights of unit scale, in float64 on the readable pair."""
    made = le.Sequential([le.Input((None, features)), *layers], seed=0, dtype="float64", backend="numpy")
    made.compile("sgd", loss)
    made.metadata = metadata
    return unit_scale(made)


@pytest.fixture(scope="session")
def reader() -> le.Sequential:
    """Reads characters, and answers with the next one at each step. Not to be changed."""
    K = len(CHARACTERS)
    layers = le.LSTM(6, return_sequences=True), le.Dense(K, activation="softmax")
    return network(*layers, features=K, loss="sparse_categorical_crossentropy", characters=CHARACTERS)


@pytest.fixture(scope="session")
def stacked() -> le.Sequential:
    """Both directions of a GRU, a SimpleRNN, and a number at each step. Not to be changed."""
    layers = le.Bidirectional(le.GRU(3, return_sequences=True)), le.SimpleRNN(4, return_sequences=True), le.Dense(1)
    return network(*layers, features=2, loss="mse", columns=["wind", "rain"])


@pytest.fixture(scope="session")
def classifier() -> le.Sequential:
    """Answers once, with three probabilities. Not to be changed."""
    layers = le.GRU(5, reset_after=False), le.Dense(3, activation="softmax")
    return network(*layers, features=2, loss="sparse_categorical_crossentropy", classes=["low", "mid", "high"])


@pytest.fixture(scope="session")
def numbers() -> tuple[np.ndarray, np.ndarray]:
    """X (3, 9, 2) and a target (3, 9, 1) for each step. Not to be changed."""
    rng = np.random.default_rng(1)
    return rng.standard_normal((3, 9, 2)), rng.standard_normal((3, 9, 1))


@pytest.fixture(scope="session")
def text_page(reader: le.Sequential) -> Page:
    return inspect_page(reader, TEXT, name="words & letters.txt")


@pytest.fixture
def opened_page(browser: Any, tmp_path: Path) -> Any:
    """opened_page(page, width, scheme): the page in a browser; at the end nothing must have gone wrong in it."""
    wrong: list[str] = []

    def open_one(page: Page, width: int = 1280, scheme: str = "light") -> Any:
        window = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        window.on("console", lambda m: wrong.append(m.text) if m.type in ("error", "warning") else None)
        window.on("pageerror", lambda error: wrong.append(str(error)))
        window.on("request", lambda r: wrong.append(r.url[:99]) if r.url.startswith(("http", "ws")) else None)
        window.goto(page.save(tmp_path / f"{len(wrong)}-{width}-{scheme}.html").as_uri())
        _settle(window)
        return window

    yield open_one
    assert wrong == []


@pytest.fixture(scope="session")
def settle() -> Callable[[Any], None]:
    return _settle


def _settle(window: Any) -> None:
    """Waits until everything is drawn: wait_for_function would need eval, which the page forbids."""
    drawn = "[...Plot.all].every(({ element }) => element.canvas || !element.clientWidth)"
    for _ in range(1200):  # a minute: other programs may keep the machine busy
        if window.evaluate(f"Plot.all.size > 6 && Plot.waiting.size === 0 && !due && {drawn}"):
            return
        window.wait_for_timeout(50)
    raise TimeoutError("60 s, and it is not drawn yet")
