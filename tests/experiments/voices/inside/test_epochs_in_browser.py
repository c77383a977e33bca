"""The page of a training in Chromium: its slider, its player, and the numbers of each epoch."""

import re

import numpy as np
import pytest

from experiments.voices import clip_model
from experiments.voices.inside.epochs import kept
from experiments.voices.inside.look import hear
from experiments.voices.judge import judge_file
from features.recipes import recipe_named

pytestmark = pytest.mark.slow  # a browser
SHOWN = "ifgoch"


@pytest.fixture(scope="module", params=[1280, 390])
def opened(request, open_page, watched):
    own = open_page(watched.run / "gates.html", request.param)
    yield own
    assert own.wrong == []  # after all that the tests did
    own.page.close()


def shown_map(opened, name):
    """(H, T): the bytes of a map as the page draws them."""
    return np.array(
        opened.page.evaluate(f"document.getElementById('map-{name}').data[0].z.map((row) => Array.from(row))")
    )


def go(opened, epoch):
    opened.page.evaluate(
        f"(() => {{ const e = document.getElementById('epoch'); e.value = {epoch}; e.dispatchEvent(new Event('input')); }})()"
    )
    opened.page.wait_for_timeout(50)
    opened.until(lambda: opened.page.evaluate("!now.due && !Plot.waiting.size"))  # drawn


def test_it_opens_without_errors_or_requests_and_fits_the_width(opened):
    assert opened.wrong == []
    assert opened.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_slider_shows_what_the_network_of_that_epoch_computes(opened, watched, voice_file, values_of):
    heard, page = hear(voice_file, recipe_named("frames")), opened.page
    units = page.evaluate("D.units")
    for way in ("backward", "forward"):
        page.select_option("#way", way)
        for epoch in (1, 3, 0):
            go(opened, epoch)
            file = kept(watched.run / "epochs")[epoch]
            expected = values_of(file, heard)
            for name in SHOWN:
                zero, unit = units[f"{way}/{name}"]
                drawn = (shown_map(opened, name) - zero) * unit
                np.testing.assert_allclose(drawn, expected[f"{way}/{name}"], rtol=0, atol=unit / 2 + 1e-5)
            said = judge_file(voice_file, clip_model.load(file))
            np.testing.assert_allclose(opened.drawn("answer", 2), said.p[~np.isnan(said.p)], rtol=1e-6)  # float32
            assert f"male {said.probability:.2f}" in page.inner_text("#readout")
            assert page.inner_text("#clock") == (f"epoch {epoch} of 3" if epoch else "before training")
            share = page.evaluate("plots.loss.playhead.style.getPropertyValue('--at')")
            assert float(share) == pytest.approx(epoch / 3)


def test_play_goes_through_the_epochs_and_stops_at_the_last(opened):
    go(opened, 1)
    opened.page.click("#play")
    assert opened.page.get_attribute("#play", "aria-pressed") == "true"
    opened.until(lambda: opened.page.input_value("#epoch") == "3")
    opened.until(lambda: opened.page.inner_text("#play") == "Play")
    press = "(() => { $('play').click(); return [$('play').textContent, now.at]; })()"
    assert opened.page.evaluate(f"[{press}, {press}]") == [["Pause", 0], ["Play", 0]]  # again, from the beginning


def test_the_arrow_keys_go_through_the_epochs(opened):
    go(opened, 1)
    opened.page.focus("#epoch")
    opened.page.keyboard.press("ArrowRight")
    assert opened.page.inner_text("#clock") == "epoch 2 of 3"
    assert opened.page.get_attribute("#epoch", "aria-valuetext").startswith("epoch 2, loss 0.")


def test_rows_are_sorted_by_what_is_remembered_after_training_at_every_epoch(opened, watched, voice_file, values_of):
    heard = hear(voice_file, recipe_named("frames"))
    f = values_of(kept(watched.run / "epochs")[3], heard)["forward/f"]
    order = np.argsort(-np.log(f).mean(axis=1))
    opened.page.select_option("#way", "forward")
    opened.page.select_option("#sort", "half_life")
    go(opened, 2)
    expected = values_of(kept(watched.run / "epochs")[2], heard)["forward/f"][order]
    np.testing.assert_allclose(shown_map(opened, "f") / 255, expected, rtol=0, atol=0.5 / 255 + 1e-5)
    opened.page.select_option("#sort", "index")


def test_pointing_at_a_map_reads_its_number_and_a_click_on_a_row_goes_to_its_epoch(
    opened, watched, voice_file, values_of
):
    heard, page = hear(voice_file, recipe_named("frames")), opened.page
    page.select_option("#way", "forward")
    go(opened, 3)
    page.locator("#map-c").scroll_into_view_if_needed()
    box = page.locator("#map-c").bounding_box()
    left, right = (58, 12) if page.viewport_size["width"] > 600 else (40, 6)
    frame = heard.part.start + 30
    x = left + frame * 0.02 / 3.0 * (box["width"] - left - right)
    page.locator("#map-c").hover(position={"x": x, "y": 4 + 2.5 / 4 * (150 - 30)})  # the third of four rows
    value = values_of(kept(watched.run / "epochs")[3], heard)["forward/c"][2, 30]
    said = page.inner_text("#readout")
    assert "unit 2: " in said
    assert float(re.search(r"c (−?[\d.]+)", said)[1].replace("−", "-")) == pytest.approx(value, abs=0.02)
    page.locator("#answers").click(position={"x": x, "y": 4 + 1.5 / 4 * (170 - 30)})
    assert page.inner_text("#clock") == "epoch 1 of 3"
