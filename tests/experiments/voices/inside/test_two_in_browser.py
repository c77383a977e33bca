"""The pages that compare, in Chromium: two clips that one network hears, and two networks that hear one clip."""

import numpy as np
import pytest
from scipy.special import expit

from experiments.voices import clip_model
from experiments.voices.inside.look import look

pytestmark = pytest.mark.slow  # a browser


@pytest.fixture(scope="module", params=[1280, 390])
def width(request):
    return request.param


@pytest.fixture(scope="module")
def clips(width, inspected, seen, seen_elsewhere):
    return inspected(width, seen, seen_elsewhere)


@pytest.fixture(scope="module")
def networks(width, inspected, seen, seen_earlier):
    return inspected(width, seen_earlier, seen, names=["early", "late"])


@pytest.fixture(scope="module")
def unlike(inspected, voice_file, seen, drawn_apart):
    """8 units beside 4."""
    return inspected(1280, seen, look(voice_file, clip_model.load(drawn_apart(4))), names=["eight", "four"])


@pytest.fixture(params=["clips", "networks"])
def both(request, clips, networks):
    return {"clips": clips, "networks": networks}[request.param]


def test_the_sides_stand_beside_each_other_or_on_a_phone_below(both):
    assert both.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for plot in ("wave", "answer", "map-f", "unit-gates", "memory", "lag"):
        a, b = (both.page.locator(f"#{plot}-{letter}").bounding_box() for letter in "AB")
        assert a["width"] == b["width"]
        if both.page.viewport_size["width"] > 600:
            assert a["y"] == b["y"]
            assert a["x"] + a["width"] < b["x"]
        else:
            assert a["x"] == b["x"]
            assert a["y"] + a["height"] <= b["y"]


def test_each_side_is_named_at_every_picture(both, seen_elsewhere):
    names = both.page.evaluate("Array.from(document.querySelectorAll('.plots .side-name'), (e) => e.textContent)")
    assert {"A", "B"} <= {name[0] for name in names}
    assert "B: " in both.page.get_attribute("#map-f-B", "aria-label")


@pytest.mark.parametrize("way", ["forward", "backward"])
def test_a_unit_that_is_picked_is_drawn_on_both_sides(clips, networks, seen, seen_elsewhere, seen_earlier, way):
    for page, looks in ((clips, (seen, seen_elsewhere)), (networks, (seen_earlier, seen))):
        page.page.select_option("#way", way)
        page.page.select_option("#unit", "6")
        for letter, own in zip("AB", looks, strict=True):
            values = own.directions[way].values
            np.testing.assert_allclose(page.drawn(f"unit-gates-{letter}", 1), values["f"][:, 6], rtol=1e-6)
            np.testing.assert_allclose(page.drawn(f"unit-cell-{letter}"), values["c"][:, 6], rtol=1e-6)


def test_a_row_is_one_unit_on_both_sides(clips, seen, seen_elsewhere):
    clips.page.select_option("#way", "forward")
    clips.page.select_option("#sort", "ablation")
    weights = [np.abs(own.directions["forward"].ablation) for own in (seen, seen_elsewhere)]
    order = np.argsort(-np.maximum(*weights))
    for letter, own in zip("AB", (seen, seen_elsewhere), strict=True):
        rows = clips.drawn(f"map-o-{letter}", what="z")
        np.testing.assert_allclose(rows, own.directions["forward"].values["o"].T[order], rtol=1e-6)


@pytest.mark.parametrize("what", ["value", "gradient"])
def test_maps_beside_each_other_have_one_scale(both, what):
    both.page.select_option("#what", what)
    for name in "ifgoch":
        a, b = (both.drawn(f"map-{name}-{letter}", what="z") for letter in "AB")
        limits = [both.page.evaluate(f"document.getElementById('map-{name}-{s}').data[0].zmax") for s in "AB"]
        assert limits[0] == limits[1]
        assert limits[0] >= np.quantile(np.abs(a), 0.9)
        assert limits[0] >= np.quantile(np.abs(b), 0.9)
    both.page.select_option("#what", "value")


def test_a_change_shows_what_it_makes_of_both(clips, seen, seen_elsewhere):
    page = clips.page
    page.select_option("#way", "backward")
    page.select_option("#unit", "2")
    page.select_option("#kind", "one")
    page.select_option("#gate", "f")
    page.select_option("#held", "0.99")
    found = [expit(side.what_if["backward/f/0.99/2"].mean()) for side in (seen, seen_elsewhere)]
    said = page.inner_text("#outcome")
    for letter, own, p in zip("AB", (seen, seen_elsewhere), found, strict=True):
        assert f"{letter} {own.judgement.probability:.3f} → {p:.3f}" in said
    page.select_option("#kind", "none")


def test_of_two_clips_one_plays_at_a_time(clips):
    a, b = clips.frame("A"), clips.frame("B")
    clips.page.click("#play-A")
    clips.until(lambda: clips.frame("A") > a + 5)
    assert clips.frame("B") == b
    clips.page.click("#play-B")
    clips.until(lambda: clips.frame("B") > b + 5)
    assert clips.page.inner_text("#play-A") == "Play"
    assert clips.page.evaluate("document.getElementById('sound-A').paused")
    clips.page.click("#play-B")


def test_a_stretch_of_one_clip_leaves_the_other_whole(clips):
    clips.page.fill("#from-B", "1")
    clips.page.keyboard.press("Tab")
    clips.stands()
    ranges = [clips.page.evaluate(f"document.getElementById('map-f-{s}').layout.xaxis.range") for s in "AB"]
    assert ranges == [[0, 3], [1, 2]]  # B is 2 s long, and as wide as A is until a stretch is chosen
    clips.page.click("#whole-B")


@pytest.mark.parametrize(("start", "end"), [("3", None), ("2", "4"), ("1.5", "1"), (None, "")])
def test_a_stretch_beyond_the_shorter_clip_is_said_and_not_shown(clips, start, end):
    for field, value in (("#from-B", start), ("#to-B", end)):
        if value is not None:
            clips.page.fill(field, value)
            clips.page.keyboard.press("Tab")
    clips.stands()
    low, high = clips.page.evaluate("document.getElementById('map-f-B').layout.xaxis.range")
    assert low < 2 <= high
    assert "The pictures still show" in clips.page.inner_text("#note-B")
    clips.page.click("#whole-B")
    assert clips.page.inner_text("#note-B") == ""


def test_a_second_at_the_line_of_the_shorter_clip_is_in_it(clips):
    clips.page.focus("#time-B")
    clips.page.keyboard.press("End")
    clips.page.click("#near-B")
    clips.stands()
    assert clips.page.evaluate("document.getElementById('map-f-B').layout.xaxis.range") == pytest.approx([1, 2])
    clips.page.click("#whole-B")


def test_the_line_of_one_clip_moves_through_both_networks(networks):
    assert networks.page.locator("#play-B").count() == 0
    networks.page.focus("#time-A")
    networks.page.keyboard.press("ArrowRight")
    assert networks.line("map-c-A") == networks.line("map-c-B")
    before = networks.line("map-c-B")
    networks.page.keyboard.press("ArrowRight")
    assert networks.line("map-c-B") > before


def test_pointing_at_one_network_reads_both(networks, seen, seen_earlier):
    page, frame = networks.page, seen.heard.part.start + 40
    page.select_option("#way", "forward")
    page.select_option("#sort", "index")
    page.locator("#map-f-B").scroll_into_view_if_needed()
    at = {"x": networks.x("map-f-B", frame * 0.02 / 3.0), "y": 4 + 3.5 / 8 * (150 - 30)}
    page.locator("#map-f-B").hover(position=at)
    lines = page.inner_text("#readout").splitlines()
    for line, sentence, seen_by in zip(lines[:2], lines[2:], (seen_earlier, seen), strict=True):
        value = seen_by.directions["forward"].values["f"][40, 3]
        assert "unit 3: " in line
        assert f"f {value:.2f}" in line
        assert f"Unit 3 keeps {100 * value:.0f}" in sentence


def test_both_answers_stand_in_one_picture(networks, seen, seen_earlier):
    np.testing.assert_allclose(networks.drawn("both-p", 0), seen_earlier.p, rtol=1e-6)
    np.testing.assert_allclose(networks.drawn("both-p", 1), seen.p, rtol=1e-6)


def test_the_difference_is_what_the_later_network_has_more(networks, seen, seen_earlier):
    networks.page.select_option("#way", "backward")
    networks.page.check("#difference")
    less = seen.directions["backward"].values["g"] - seen_earlier.directions["backward"].values["g"]
    np.testing.assert_allclose(networks.drawn("difference-g", what="z"), less.T, rtol=0, atol=1e-6)  # float32
    networks.page.select_option("#sort", "index")
    networks.page.locator("#difference-c").scroll_into_view_if_needed()
    at = {"x": networks.x("difference-c", (seen.heard.part.start + 40) * 0.02 / 3.0), "y": 4 + 3.5 / 8 * (150 - 30)}
    networks.page.locator("#difference-c").hover(position=at)
    more = seen.directions["backward"].values["c"][40, 3] - seen_earlier.directions["backward"].values["c"][40, 3]
    said = networks.page.inner_text("#readout").splitlines()[2]
    assert said.startswith("B − A  unit 3: ")
    assert float(said.partition("  c ")[2].split()[0].replace("−", "-")) == pytest.approx(more, abs=0.0051)
    networks.page.mouse.move(0, 0)
    networks.page.uncheck("#difference")
    assert not networks.page.is_visible("#difference-g")


def test_a_unit_that_one_network_lacks_is_said_and_not_drawn(unlike, seen):
    unlike.page.select_option("#unit", "6")
    facts = unlike.page.inner_text("#unit-facts")
    assert "B: There is no unit 6: this network has 4 in each direction." in facts
    assert len(unlike.drawn("unit-gates-B", 1)) == 0
    np.testing.assert_allclose(unlike.drawn("unit-gates-A", 1), seen.directions["forward"].values["f"][:, 6], rtol=1e-6)
    assert not unlike.page.is_visible("#difference-choice")
    assert unlike.page.is_visible("#both")
    unlike.page.select_option("#kind", "silence")
    assert unlike.page.inner_text("#outcome").endswith("B no unit 6 here")
