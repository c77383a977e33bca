"""The microscope's page: the numbers in it, the command that writes it, and in Chromium what a person does with it."""

import base64
import json
import re
import sys

import numpy as np
import pytest

from experiments.microscope import page as pages


@pytest.fixture
def undrawn(monkeypatch):
    """plotly left out, where a test does not draw."""
    monkeypatch.setattr(pages, "plotly", lambda: "/* plotly */")


def numbers(text):
    """The page's data, arrays as NumPy's."""
    stored = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)[1])
    for name, a in stored["arrays"].items():
        values = np.frombuffer(base64.b64decode(a["base64"]), {"float32": "<f4", "uint8": "u1"}[a["type"]])
        stored["arrays"][name] = values.reshape(a["shape"])
    return stored


def test_the_pages_numbers_are_what_was_seen(undrawn, seen):
    stored = numbers(pages.page(seen))
    T = len(seen.p)
    assert (stored["first"], stored["frames"], stored["seconds"]) == (seen.first, len(seen.frames), 3.0)
    assert stored["what_if"] == {w.name: w.probability for w in seen.what_if}
    for way, own in seen.directions.items():
        for name, values in own.values.items():
            np.testing.assert_array_equal(stored["arrays"][f"{way}/value/{name}"], values.T.astype("f4"))
            np.testing.assert_array_equal(
                stored["arrays"][f"{way}/gradient/{name}"], own.gradients[name].T.astype("f4")
            )
    rests = stored["arrays"]["rests"]
    assert rests.shape == (T, T)
    assert (rests.max(axis=1) == 255).all()  # each answer's largest is 1
    np.testing.assert_allclose(
        rests / 255, seen.rests / seen.rests.max(axis=1, keepdims=True), rtol=0, atol=0.5 / 255 + 1e-9
    )


def test_a_page_asks_for_nothing_from_elsewhere(undrawn, seen):
    text = pages.page(seen)
    assert "default-src 'none'" in text
    assert not re.findall(r"(?:src|href)=\"(?!data:)", text)
    assert "@@" not in text
    assert "voice &amp; co.wav" in text
    assert "voice & co.wav" not in text


def test_without_plotly_the_command_says_what_to_install(lstm_engine, voice_file, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    outcome = lstm_engine("inspect", voice_file, "--out", tmp_path / "page.html")
    assert outcome.code == 2
    assert outcome.err.startswith("error: inspect draws with plotly, which is not installed: pip install plotly")
    assert not (tmp_path / "page.html").exists()


def test_the_command_writes_the_page_and_says_where(undrawn, lstm_engine, voice_file, voice_model, tmp_path, seen):
    out = tmp_path / "made" / "page.html"
    shown = lstm_engine("inspect", voice_file, "--model", voice_model, "--out", out)
    assert shown.code == 0
    assert f"Page: {out}" in shown.out
    assert numbers(out.read_text(encoding="utf-8"))["probability"] == seen.judgement.probability
    refused = lstm_engine("inspect", voice_file, "--model", voice_model, "--out", out)
    assert refused.code == 2
    assert "replace it with --force" in refused.err
    told = lstm_engine("inspect", voice_file, "--model", voice_model, "--out", out, "--force", "--json", "--seconds", 2)
    assert json.loads(told.out)["seconds"] == 2.0
    assert json.loads(told.out)["page"] == str(out)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("{voice} --start 9", "is 3.0 s long: there is nothing from 9 s on"),
        ("{tmp}/none.wav", "none.wav: "),
        ("{voice} --out {tmp}", "is a folder: name a file for the page with --out"),
        ("{voice} --model {tables_model}", "reads one row a clip"),
    ],
)
def test_bad_input_is_said_in_a_line(undrawn, lstm_engine, voice_file, trained, arguments, said, tmp_path):
    places = {"voice": voice_file, "tmp": tmp_path, "tables_model": trained.model}
    words = [a.format(**places) for a in arguments.split()]
    outcome = lstm_engine("inspect", *words, *([] if "--out" in words else ["--out", tmp_path / "page.html"]))
    assert outcome.code == 2
    assert said in outcome.err
    assert outcome.err.count("\n") == 1


# -- in a browser -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[1280, 390])
def opened(request, open_page, seen, tmp_path_factory):
    pytest.importorskip("plotly", reason="needs plotly: pip install plotly")
    file = tmp_path_factory.mktemp("page") / "page.html"
    file.write_text(pages.page(seen), encoding="utf-8")
    own = open_page(file, request.param)
    yield own
    assert own.wrong == []  # after all that the tests did
    own.page.close()


def test_it_opens_without_errors_or_requests_and_fits_the_width(opened):
    assert opened.wrong == []
    assert opened.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_play_moves_the_line_through_every_picture(opened):
    before = int(opened.page.input_value("#time"))
    line = "getComputedStyle(document.getElementById('{}'), '::before').left"
    at = {plot: opened.page.evaluate(line.format(plot)) for plot in ("wave", "answer", "map-c", "memory")}
    assert len(set(at.values())) == 1
    opened.page.click("#play")
    opened.until(lambda: int(opened.page.input_value("#time")) > before + 10)
    opened.page.click("#play")
    moved = {plot: opened.page.evaluate(line.format(plot)) for plot in at}
    assert len(set(moved.values())) == 1
    assert float(moved["wave"][:-2]) > float(at["wave"][:-2])


def test_the_arrow_keys_move_through_time(opened):
    opened.page.focus("#time")
    before = int(opened.page.input_value("#time"))
    opened.page.keyboard.press("ArrowLeft")
    assert int(opened.page.input_value("#time")) == before - 1
    assert f"{(before - 1) * 0.02:.2f} s" == opened.page.inner_text("#clock")


def test_a_unit_that_is_picked_is_drawn(opened, seen):
    for way in ("backward", "forward"):
        opened.page.select_option("#way", way)
        for unit in (1, 6):
            opened.page.select_option("#unit", str(unit))
            own = seen.directions[way].values
            for plot, names in {"unit-gates": "ifo", "unit-states": "gch"}.items():
                for trace, name in enumerate(names):
                    np.testing.assert_allclose(opened.drawn(plot, trace), own[name][:, unit], rtol=1e-6)  # float32


def test_a_change_shows_the_number_that_the_engine_computed(opened, seen):
    by_name = {w.name: w for w in seen.what_if}
    page = opened.page
    page.select_option("#way", "forward")
    page.select_option("#unit", "4")
    page.select_option("#kind", "silence")
    said = [page.inner_text("#outcome")]
    np.testing.assert_allclose(opened.drawn("answer", 3), by_name["forward/silence/4"].p, rtol=1e-6)
    page.select_option("#kind", "hold")
    page.select_option("#gate", "g")
    page.select_option("#held", "-0.5")
    page.select_option("#where", "backward")
    said.append(page.inner_text("#outcome"))
    for text, name in zip(said, ("forward/silence/4", "backward/g/-0.5"), strict=True):
        assert text.endswith(f"→ {by_name[name].probability:.3f}".replace(" 0.", " ."))
    page.select_option("#kind", "none")
    assert page.inner_text("#outcome").endswith(f"{seen.judgement.probability:.3f}".removeprefix("0"))


def test_pointing_at_a_map_reads_its_number_and_a_click_picks_its_unit(opened, seen):
    page = opened.page
    page.select_option("#way", "forward")
    page.select_option("#what", "value")
    page.select_option("#sort", "half_life")
    order = np.argsort(-seen.directions["forward"].half_life)
    page.locator("#map-f").scroll_into_view_if_needed()
    box = page.locator("#map-f").bounding_box()
    left, right = (58, 12) if box["width"] > 600 else (40, 6)
    frame = seen.first + 30
    x = left + frame * 0.02 / 3.0 * (box["width"] - left - right)
    y = 4 + (5 + 0.5) / len(order) * (150 - 24)  # the sixth row
    page.locator("#map-f").hover(position={"x": x, "y": y})
    value = seen.directions["forward"].values["f"][30, order[5]]
    assert f"unit {order[5]}: " in page.inner_text("#readout")
    assert f"f {value:.2f}".replace(" 0.", " .") in page.inner_text("#readout")
    page.locator("#map-f").click(position={"x": x, "y": y})
    assert page.input_value("#unit") == str(order[5])
    assert int(page.input_value("#time")) == frame
