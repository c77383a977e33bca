"""The page of one clip in Chromium, on a desk and on a phone: what a person does with it."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

pytestmark = pytest.mark.slow  # a browser


@pytest.fixture(scope="module", params=[1280, 390])
def opened(request, inspected, seen):
    return inspected(request.param, seen)


def test_it_opens_without_errors_or_requests_and_fits_the_width(opened):
    assert opened.wrong == []
    assert opened.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_play_moves_the_line_through_every_picture(opened):
    before, plots = opened.frame(), ("wave-A", "answer-A", "map-c-A", "memory-A")
    at = {opened.line(plot) for plot in plots}
    assert len(at) == 1
    opened.page.click("#play-A")
    opened.until(lambda: opened.frame() > before + 10)
    opened.page.click("#play-A")
    moved = {opened.line(plot) for plot in plots}
    assert len(moved) == 1
    assert moved.pop() > at.pop()


def test_the_arrow_keys_move_through_time(opened):
    opened.page.focus("#time-A")
    before = opened.frame()
    opened.page.keyboard.press("ArrowLeft")
    assert opened.frame() == before - 1
    assert f"{(before - 1) * 0.02:.2f} s" == opened.page.inner_text("#clock-A")


def test_a_unit_that_is_picked_is_drawn(opened, seen):
    for way in ("backward", "forward"):
        opened.page.select_option("#way", way)
        for unit in (1, 6):
            opened.page.select_option("#unit", str(unit))
            own = seen.directions[way].values
            for plot, names in {"unit-gates-A": "ifo", "unit-cell-A": "c", "unit-states-A": "gh"}.items():
                for trace, name in enumerate(names):
                    np.testing.assert_allclose(opened.drawn(plot, trace), own[name][:, unit], rtol=1e-6)  # float32


def test_a_change_shows_the_number_that_the_engine_computed(opened, seen):
    page = opened.page
    page.select_option("#way", "forward")
    page.select_option("#unit", "4")
    page.select_option("#kind", "silence")
    said = [page.inner_text("#outcome")]
    drawn = opened.drawn("answer-A", 3)
    np.testing.assert_allclose(
        drawn, expit(seen.what_if["forward/silence/4"]), rtol=0, atol=0.5 / 255 + 1e-6
    )  # in 255ths
    page.select_option("#kind", "hold")
    page.select_option("#gate", "g")
    page.select_option("#held", "-0.5")
    page.select_option("#where", "backward")
    said.append(page.inner_text("#outcome"))
    page.select_option("#kind", "one")
    said.append(page.inner_text("#outcome"))
    for text, name in zip(said, ("forward/silence/4", "backward/g/-0.5", "forward/g/-0.5/4"), strict=True):
        assert text.endswith(f"→ {expit(seen.what_if[name].mean()):.3f}")
    page.select_option("#kind", "none")
    assert page.inner_text("#outcome").endswith(f"{seen.judgement.probability:.3f}")


def test_pointing_at_a_map_reads_its_number_and_a_click_picks_its_unit(opened, seen):
    page = opened.page
    page.select_option("#way", "forward")
    page.select_option("#what", "value")
    page.select_option("#sort", "half_life")
    order = np.argsort(-seen.directions["forward"].half_life)
    page.locator("#map-f-A").scroll_into_view_if_needed()
    frame = seen.heard.part.start + 30
    at = {"x": opened.x("map-f-A", frame * 0.02 / 3.0), "y": 4 + (5 + 0.5) / len(order) * (150 - 30)}  # the sixth row
    page.locator("#map-f-A").hover(position=at)
    value = seen.directions["forward"].values["f"][30, order[5]]
    assert f"unit {order[5]}: " in page.inner_text("#readout")
    assert f"f {value:.2f}" in page.inner_text("#readout")
    page.locator("#map-f-A").click(position=at)
    assert page.input_value("#unit") == str(order[5])
    assert opened.frame() == frame


def test_the_gradients_reach_is_drawn_against_the_lag(opened, seen):
    for way in ("backward", "forward"):
        opened.page.select_option("#way", way)
        np.testing.assert_allclose(opened.drawn("lag-A"), seen.directions[way].by_lag, rtol=1e-6)
    np.testing.assert_allclose(opened.drawn("lag-A", what="x"), 0.02 * np.arange(len(seen.p)), rtol=1e-6)
    assert opened.page.locator("#lag-A .playhead").count() == 0  # its axis is not the clip's time


def reading(opened, plot, share, height):
    """What the bar says while the mouse is over a picture, so far along its time and so far down, in pixels."""
    opened.stands()
    opened.page.locator(f"#{plot}").scroll_into_view_if_needed()
    opened.page.locator(f"#{plot}").hover(position={"x": opened.x(plot, share), "y": height})
    return opened.page.inner_text("#readout").split("  |  ")


def short(v, digits=2):
    return f"{v:.{digits}f}".replace("-", "−")


def power(v):
    mantissa, exponent = f"{v:.1e}".split("e")
    return f"{mantissa}e{int(exponent):+d}"


def test_every_picture_is_read_by_pointing_at_it(opened, seen):
    page, frame = opened.page, seen.heard.part.start + 40
    page.select_option("#way", "forward")
    page.select_option("#unit", "4")
    page.select_option("#kind", "silence")
    page.locator("#answer-A").click(position={"x": opened.x("answer-A", (frame + 10) * 0.02 / 3.0), "y": 40})
    share = frame * 0.02 / 3.0
    mfcc = seen.heard.frames[:, 3:23]  # behind pitch, voicing and energy
    z = (mfcc[frame, 6] - mfcc[:, 6].mean()) / mfcc[:, 6].std()
    assert f"MFCC 7: {short(z)} standard deviations from its mean" in reading(
        opened, "mfcc-A", share, 4 + 13.5 / 20 * 120
    )
    rests = seen.rests[50] / seen.rests[50].max()
    (said,) = (part for part in reading(opened, "rests-A", share, 40) if "influence of this frame" in part)
    assert float(said.rpartition(" ")[2]) == pytest.approx(rests[40], abs=0.5 / 255 + 0.005)
    changed = expit(seen.what_if["forward/silence/4"][40])
    (said,) = (part for part in reading(opened, "answer-A", share, 40) if part.startswith("male "))
    assert float(said.rpartition("changed ")[2].strip(")")) == pytest.approx(changed, abs=0.5 / 255 + 0.005)
    parts = reading(opened, "memory-A", share, 40)
    for name, norm in zip(
        ("in total", "forget gates", "later gates"), seen.directions["forward"].memory[:, 40], strict=True
    ):
        assert f"{name} {power(norm)}" in parts
    lag = seen.directions["forward"].by_lag
    assert reading(opened, "lag-A", 20 / len(lag), 40) == [
        "0.40 s before the last frame",
        f"norm of the gradient {power(lag[20])}",
    ]
    page.select_option("#kind", "none")


def test_the_outcome_says_what_was_changed(opened):
    page = opened.page
    page.select_option("#way", "backward")
    page.select_option("#unit", "3")
    page.select_option("#kind", "silence")
    assert page.inner_text("#outcome").startswith("Unit 3, backward, silenced: probability of male: ")
    page.select_option("#kind", "one")
    page.select_option("#gate", "g")
    page.select_option("#held", "-0.5")
    assert page.inner_text("#outcome").startswith("Gate g of unit 3, backward, held at −0.5: probability of male: ")
    page.select_option("#kind", "hold")
    page.select_option("#where", "both")
    assert page.inner_text("#outcome").startswith("Gate g of all units in both directions, held at −0.5: ")
    page.select_option("#kind", "none")
    assert page.inner_text("#outcome").startswith("probability of male: ")


@pytest.mark.parametrize("times", [0.2, 1.0, 2.5])
def test_the_pitch_is_drawn_whole(inspected, seen, times):
    """A creak of 44 Hz, a voice of 220, and a shriek of 550."""
    judgement = replace(seen.judgement, f0=seen.judgement.f0 * times)
    page = inspected(1280, replace(seen, judgement=judgement))
    low, high = 10 ** np.array(page.page.evaluate("document.getElementById('pitch-A').layout.yaxis.range"))
    assert low < np.nanmin(judgement.f0)
    assert high > np.nanmax(judgement.f0)


def test_where_nobody_was_asked_is_said(opened, seen):
    said = opened.page.locator(".not-asked").first.inner_text()
    reads = "the network reads from the first voiced frame to the last, plus 0.2 s on each side."
    assert said == f"Empty before {short(seen.heard.part.start * 0.02)} s: {reads}"


def test_the_line_ends_above_the_times(opened):
    for plot in ("wave-A", "answer-A", "lag-A"):
        opened.page.locator(f"#{plot}").scroll_into_view_if_needed()
        opened.stands()
        of = f"document.getElementById('{plot}')"
        labels = np.array(opened.page.evaluate(f"{of}.labels"))  # left, right, top, bottom in the picture
        line = opened.page.evaluate(f"{of}.querySelector('.playhead')?.offsetHeight")
        assert line is None or line <= labels[:, 2].max()
        for k, (left, right, top, bottom) in enumerate(labels):
            for other in labels[k + 1 :]:
                assert not (left < other[1] and other[0] < right and top < other[3] and other[2] < bottom)


# -- a stretch of time ------------------------------------------------------------------------------------------------

IN_TIME = (
    "wave",
    "pitch",
    "mfcc",
    "answer",
    "rests",
    "map-i",
    "map-h",
    "unit-gates",
    "unit-cell",
    "unit-states",
    "memory",
)


def shown(opened, plot):
    opened.stands()
    return opened.page.evaluate(f"document.getElementById('{plot}-A').layout.xaxis.range")


@pytest.fixture
def whole(opened):
    """The page, which will show all of the clip again."""
    yield opened
    opened.page.click("#whole-A")
    assert all(shown(opened, plot) == [0, 3] for plot in IN_TIME)


@pytest.fixture
def stretched(whole):
    """The page shows 1.0 to 2.0 s, typed into its fields."""
    for field, value in (("#from-A", "1"), ("#to-A", "2")):
        whole.page.fill(field, value)
        whole.page.keyboard.press("Tab")
    return whole


def test_a_stretch_that_is_typed_is_what_every_picture_shows(stretched):
    assert all(shown(stretched, plot) == [1, 2] for plot in IN_TIME)


@pytest.mark.parametrize(
    ("fields", "stretch", "said"),
    [
        (("8", "2"), [0, 3], "The clip ends at 3.00 s. The pictures still show 0 to 3 s."),
        (
            ("2", "1.5"),
            [2, 3],
            "2 to 1.5 s is impossible: the end must come after the start. The pictures still show",
        ),
        (("100", "200"), [0, 3], "The clip ends at 3.00 s. The pictures still show 0 to 3 s."),
        (("1", ""), [1, 3], "Both fields need a number of seconds. The pictures still show 1 to 3 s."),
        (("1", "200"), [1, 3], "The clip ends at 3.00 s."),
        (("-1", "2"), [0, 2], ""),
        (("1", "2"), [1, 2], ""),
        (("1", "1.02"), [1, 1.1], ""),
    ],
)
def test_a_stretch_that_cannot_be_is_said_and_not_shown(whole, fields, stretch, said):
    for field, value in zip(("#from-A", "#to-A"), fields, strict=True):
        whole.page.fill(field, value)
        whole.page.keyboard.press("Tab")
    assert shown(whole, "map-f") == pytest.approx(stretch)
    assert whole.page.inner_text("#note-A").startswith(said)
    assert bool(whole.page.inner_text("#note-A")) == bool(said)


def test_in_a_stretch_the_line_and_the_mouse_are_where_the_time_is(stretched):
    stretched.page.locator("#answer-A").click(position={"x": stretched.x("answer-A", 0.6), "y": 40})
    assert stretched.frame() == 80  # 1.6 s
    assert stretched.line("map-c-A") == pytest.approx(stretched.x("map-c-A", 0.6), abs=1)
    stretched.page.locator("#answer-A").hover(position={"x": stretched.x("answer-A", 0.24), "y": 40})
    assert stretched.page.inner_text("#readout").startswith("1.24 s")
    pointer = "getComputedStyle(document.querySelector('#map-c-A .pointer')).left"
    left = float(stretched.page.evaluate(pointer).removesuffix("px"))
    assert left == pytest.approx(stretched.x("map-c-A", 0.24), abs=1)


def test_the_slider_stays_in_the_stretch_and_so_does_the_sound(stretched):
    stretched.page.focus("#time-A")
    stretched.page.keyboard.press("End")
    assert stretched.frame() == 100  # 2.0 s
    stretched.page.keyboard.press("Home")
    assert stretched.frame() == 50
    stretched.page.keyboard.press("End")
    for _ in range(10):
        stretched.page.keyboard.press("ArrowLeft")
    stretched.page.click("#play-A")  # the last 0.2 s
    stretched.until(lambda: stretched.page.inner_text("#play-A") == "Play" and stretched.frame() == 100)
    assert stretched.page.evaluate("document.getElementById('sound-A').currentTime") == pytest.approx(2.0)


def test_a_drag_over_the_waveform_shows_that_stretch(whole):
    whole.page.locator("#wave-A").evaluate("(wave) => wave.scrollIntoView({ block: 'center' })")
    box = whole.page.locator("#wave-A").bounding_box()
    before = whole.frame()
    at = [box["x"] + whole.x("wave-A", share) for share in (0.6, 0.2)]
    whole.page.mouse.move(at[0], box["y"] + 50)
    whole.page.mouse.down()
    whole.page.mouse.move(at[1], box["y"] + 50, steps=4)
    whole.page.mouse.up()
    pixel = 3.0 / (whole.x("wave-A", 1) - whole.x("wave-A", 0))
    assert shown(whole, "map-f") == pytest.approx([0.6, 1.8], abs=2 * pixel)
    assert whole.frame() == pytest.approx(min(max(before, 30), 90), abs=1)  # the end of a drag is no click


def test_one_second_around_the_line_is_a_press_away(whole):
    whole.page.focus("#time-A")
    whole.page.keyboard.press("Home")
    for _ in range(60):
        whole.page.keyboard.press("ArrowRight")
    whole.page.click("#near-A")
    assert shown(whole, "answer") == pytest.approx([0.7, 1.7])
