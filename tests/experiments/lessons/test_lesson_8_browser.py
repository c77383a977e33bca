"""Lesson 8 as a person uses it: the microphone recorded in Chromium, whose fake device plays a file, and the answer to it."""

import io
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import numpy as np
import pytest
import soundfile as sf
from scipy.signal import correlate

from experiments import lessons
from experiments.voices.clip_model import load
from experiments.voices.judge import judge, judge_file
from experiments.voices.pretrained import SHIPPED
from features.synth import draw_speaker, speak

pytestmark = pytest.mark.slow  # marimo in a process, and a browser that listens

RATE = 44_100  # of Chromium's fake microphone: no resampling
QUIET_S, VOICE_S = 1.0, 3.0
PATIENCE_MS = 240_000  # two busy cores


@pytest.fixture(scope="module")
def voice_file(tmp_path_factory):
    """Silence, a synthetic voice, and more silence than anybody records: at its end Chromium plays a rest of it."""
    rng = np.random.default_rng(3)
    voice = speak(draw_speaker("male", "nobody", rng), VOICE_S, rng, RATE)
    samples = np.concatenate([np.zeros(round(QUIET_S * RATE)), voice, np.zeros(60 * RATE)])
    path = tmp_path_factory.mktemp("microphone") / "voice.wav"
    sf.write(path, samples, RATE, subtype="PCM_16")
    return path


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Where marimo serves the lesson as a page."""
    for package in ("marimo", "plotly", "anywidget"):
        pytest.importorskip(package, reason=f'needs {package}: pip install -e ".[lessons]"')
    (lesson,) = [file for file in lessons.files() if file.name.startswith("lesson_8_")]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "marimo", "run", lesson, "--headless", "--no-token", "--port", str(port)]
    environment = os.environ | {"PYTHONPATH": str(Path(lessons.__file__).parents[2])}
    with subprocess.Popen(
        command, env=environment, cwd=tmp_path_factory.mktemp("elsewhere"), stdout=subprocess.DEVNULL
    ) as marimo:
        yield f"http://127.0.0.1:{port}/"
        marimo.terminate()


@pytest.fixture(scope="module")
def page(address, voice_file, chromium):
    browser = chromium(
        "--use-fake-ui-for-media-stream",  # says yes when asked whether the page may use the microphone
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={voice_file}%noloop",
        "--disable-audio-output",
    )
    own = browser.new_page(viewport={"width": 1280, "height": 900})
    own.set_default_timeout(PATIENCE_MS)
    wait_for_server(own, address)
    own.goto(address)
    yield own
    browser.close()


def wait_for_server(page, address):
    for _ in range(PATIENCE_MS // 200):
        try:
            return urlopen(f"{address}health", timeout=5).close()
        except (URLError, OSError):
            page.wait_for_timeout(200)
    raise TimeoutError("marimo does not serve the lesson")


def record(page):
    """Clicks as a person would, and hears what the page hears: (n,) float, and the answer that the page then shows."""
    page.get_by_role("button", name="Record").click()
    clock = page.locator(".recorder output")
    until(page, lambda: float(clock.inner_text().removesuffix(" s") or 0) > QUIET_S + VOICE_S + 0.5)
    page.get_by_role("button", name="Stop").click()
    until(page, lambda: page.locator(".recorder audio").get_attribute("src"))
    content = page.locator(".recorder audio").evaluate(
        "async (audio) => Array.from(new Uint8Array(await (await fetch(audio.src)).arrayBuffer()))"
    )
    samples, rate = sf.read(io.BytesIO(bytes(content)))
    assert rate == RATE
    return samples


def until(page, condition):
    for _ in range(PATIENCE_MS // 100):
        if condition():
            return
        page.wait_for_timeout(100)
    raise TimeoutError("it is not so yet")


def begins_at(recorded, file):
    """The sample of the file with which a recording begins."""
    lags = correlate(file, recorded, mode="full", method="fft")
    return int(np.argmax(lags)) - len(recorded) + 1


def test_what_the_microphone_hears_is_judged_as_predict_judges_the_file(page, voice_file):
    model = load(SHIPPED)
    page.get_by_role("heading", name="What it says").wait_for()  # for the made-up voice
    page.get_by_role("tab", name="Record").click()
    page.get_by_text("Nothing to hear yet").wait_for()

    # A machine that is too busy loses sound, as it would of a person, who then records again.
    file, _ = sf.read(voice_file)
    for _ in range(3):
        recorded = record(page)
        at = begins_at(recorded, file[: 10 * RATE])
        heard = file[max(at, 0) : at + len(recorded)]
        apart = np.abs(recorded[max(-at, 0) :] - heard).max()
        if apart < 1.5 / 32767:
            break
    # 16 bits on either side, of which Chromium takes the largest for 32767 and libsndfile for 32768: less than a step each.
    assert apart < 1.5 / 32767

    page.get_by_role("heading", name="What it says").wait_for()
    said = page.locator("strong", has_text=re.compile(r"^(male|female|uncertain|no speech)\b")).first
    own, given = judge(recorded, RATE, model), judge_file(voice_file, model)
    until(page, lambda: said.inner_text() == f"{own.label}, p = {own.probability:.3f}.")

    # A recording begins anywhere within a frame of 20 ms. The file itself, begun anywhere, says how much that may change.
    starts = [judge(file[: 10 * RATE][round(k * 1e-3 * RATE) :], RATE, model).probability for k in range(20)]
    assert own.label == given.label == "male"
    assert min(starts) - 0.002 < own.probability < max(starts) + 0.002  # between two of those beginnings
    assert max(starts) - min(starts) < 0.02

    page.frame_locator("iframe").get_by_role("heading", name="your recording.wav").wait_for()
    assert (
        f"the probability of male is {own.probability:.3f}"
        in page.frame_locator("iframe").locator(".lead").inner_text()
    )

    with page.expect_download() as download:
        page.get_by_text("Keep this page").click()
    kept = Path(download.value.path()).read_text(encoding="utf-8")
    assert f"the probability of male is {own.probability:.3f}" in kept
    assert kept.rstrip().endswith("</html>")
