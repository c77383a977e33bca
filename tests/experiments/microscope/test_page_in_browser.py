"""The page of any network in Chromium: what a person does with it, on a desk and on a phone, light and dark."""

import numpy as np
import pytest

from experiments.microscope import page_speed
from experiments.microscope.page import inspect_page

from .conftest import CHARACTERS, TEXT

pytestmark = pytest.mark.slow  # a browser
PLACES = [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")]


def frame(window):
    return int(window.input_value("#time"))


def said(window):
    return window.inner_text("#readout")


@pytest.mark.parametrize(("width", "scheme"), PLACES)
def test_it_opens_whole_and_is_used_with_keys_and_mouse(opened_page, settle, reader, text_page, width, scheme):
    window = opened_page(text_page, width, scheme)
    assert window.evaluate("document.documentElement.scrollWidth <= innerWidth")
    background = window.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == {"light": "rgb(255, 255, 255)", "dark": "rgb(21, 24, 28)"}[scheme]
    keys = window.keyboard
    keys.press("ArrowRight")
    keys.press("ArrowRight")
    assert frame(window) == 2
    keys.press("Space")
    for _ in range(200):
        if frame(window) > 4:
            break
        window.wait_for_timeout(50)
    assert window.inner_text("#play") == "Pause"
    keys.press("Space")
    assert window.inner_text("#play") == "Play"
    keys.press("End")
    assert frame(window) == len(TEXT) - 2
    keys.press("Home")
    before = int(window.input_value("#unit"))
    keys.press("ArrowDown" if before == 0 else "ArrowUp")
    assert int(window.input_value("#unit")) == (1 if before == 0 else before - 1)
    keys.press("?")
    assert window.locator("#help").is_visible()
    assert "play or stop" in window.inner_text("#help")
    keys.press("Escape")
    assert not window.locator("#help").is_visible()
    window.evaluate("document.activeElement.blur()")
    settle(window)


def test_pointing_marks_the_row_and_reads_its_numbers_and_a_click_moves_the_cell(
    opened_page, settle, reader, text_page
):
    window = opened_page(text_page)
    trace = reader.trace(np.eye(len(CHARACTERS))[[CHARACTERS.index(ch) for ch in TEXT[:-1]]][None])["lstm"]
    window.click("#whole") if window.locator("#whole").is_enabled() else None
    settle(window)
    place = window.locator("#map-f")
    place.evaluate("(e) => e.scrollIntoView({ block: 'center' })")
    box = place.bounding_box()
    t, unit = 12, 4
    at = {"x": 58 + (t + 0.5) / (len(TEXT) - 1) * (box["width"] - 70), "y": 4 + (unit + 0.5) / 6 * 120}
    place.hover(position=at)
    assert said(window).startswith(f"step {t} “{TEXT[t].replace(' ', '␣')}”")
    assert f"Unit {unit} keeps {100 * trace.f[0, t, unit]:.0f}" in said(window)
    assert f"f {trace.f[0, t, unit]:.3f}" in said(window)
    mark = window.locator("#map-f .row-hover")
    assert mark.is_visible()
    assert mark.inner_text().strip() == f"unit {unit}"
    place.click(position=at)
    settle(window)
    assert (window.input_value("#unit"), frame(window)) == (str(unit), t)
    assert window.inner_text("#cell-title").startswith(f"Unit {unit} at step {t}")
    c_before, f = trace.c[0, t - 1, unit], trace.f[0, t, unit]
    equation = window.inner_text("#cell .equation[data-part=c]").replace("−", "-")
    assert f"{f:.2f}·" in equation
    assert f"{abs(c_before):.2f}" in equation
    assert f"{trace.c[0, t, unit]:.2f}" in equation


def test_rows_have_the_numbers_of_units_and_follow_the_order(opened_page, settle, text_page):
    window = opened_page(text_page)
    window.select_option("#sort", "effect")
    settle(window)
    order = window.evaluate("order")
    effect = np.abs(window.evaluate("Array.from(L.A.effect.a)"))
    assert order == np.argsort(-effect, kind="stable").tolist()
    window.locator("#map-h").scroll_into_view_if_needed()
    settle(window)
    assert window.evaluate("Plot.all.size && document.getElementById('map-h').plot.drawn.yaxis.ticktext") == order


def test_gradients_layers_and_sequences_are_chosen(opened_page, settle, stacked, numbers):
    X, y = numbers
    mask = np.arange(9) < np.array([[9], [5], [9]])
    window = opened_page(inspect_page(stacked, X, y, mask=mask, sample=[0, 1]), 390)
    for layer in ("bidirectional/backward_gru", "simple_rnn"):
        window.select_option("#layer", layer)
        for n in (1, 0):
            window.select_option("#sequence", str(n))
            window.select_option("#what", "gradient")
            settle(window)
            assert window.locator("#masked-note").is_visible() == (n == 1)
            window.locator("#map-h").scroll_into_view_if_needed()
            settle(window)
            drawn = window.evaluate("document.getElementById('map-h').data[0].z.map((row) => Array.from(row))")
            expected = stacked.trace(X[n : n + 1], y[n : n + 1], mask=mask[n : n + 1])[layer].grad.h[0].T
            np.testing.assert_allclose(drawn, expected, rtol=2**-10, atol=1e-6 * np.abs(expected).max())
            window.select_option("#what", "value")
    assert window.locator("#map-z").is_hidden()
    assert window.locator("#map-h").is_visible()


def test_the_letters_are_coloured_and_a_click_goes_to_a_step(opened_page, text_page):
    window = opened_page(text_page)
    shown = window.locator("#text span")
    assert shown.count() == len(TEXT) - 1
    colours = window.evaluate("Array.from(document.querySelectorAll('#text span'), (e) => e.style.background)")
    assert len(set(colours)) > 5
    shown.nth(7).click()
    assert frame(window) == 7


def test_every_act_is_timed(browser, text_page, tmp_path, monkeypatch):
    monkeypatch.setattr(page_speed, "OPENINGS", 1)
    monkeypatch.setattr(page_speed, "STEPS", 4)
    _, tries, _cpu = zip(*page_speed.measure(browser, text_page.save(tmp_path / "page.html")), strict=True)
    assert [len(of_act) for of_act in tries] == [1, 1, 4, 4, 4, 4]
    assert all(took > 0 for of_act in tries for took in of_act)
