"""Pictures and words of a page: readable in the dark and on a phone."""

import base64
import re

import numpy as np
import pandas as pd
import pytest

from experiments.reports import page, pictures


@pytest.fixture
def curves():
    columns = ("engine_loss", "engine_val_loss", "engine_accuracy", "engine_val_accuracy")
    return pictures.training_curves(pd.DataFrame({c: [0.3, 0.5] for c in columns}, index=[1, 2]), {"engine": "engine"})


def test_a_page_holds_a_picture_for_wide_and_one_for_narrow_screens(curves):
    html = pictures.inline(curves, 'a "caption"')
    wide, narrow = (
        base64.b64decode(re.search(rf'{where}="data:image/svg\+xml;base64,([^"]+)"', html)[1]).decode()
        for where in ("src", "srcset")
    )
    width = [float(re.search(r'width="([\d.]+)pt"', svg)[1]) for svg in (wide, narrow)]
    assert width == [pytest.approx(2 * 4.6 * 72), pytest.approx(pictures.NARROW * 72)]
    assert 'media="(max-width: 640px)"' in html
    assert html.count("a &quot;caption&quot;") == 2


def test_the_colours_of_a_picture_follow_the_scheme(curves):
    svg = pictures.svg(curves).decode()
    style, drawing = re.search(r"<style>(svg.*?)</style>(.*)", svg, re.S).groups()
    assert "@media(prefers-color-scheme:dark)" in style
    assert "var(--c0072b2)" in drawing
    assert not re.search("#(000000|ffffff|0072b2|d55e00)", drawing)


def test_a_narrow_picture_has_its_panels_below_each_other_each_with_its_labels():
    fig, axes = pictures.figure(2)
    axes[0].set(ylabel="share", xlabel="lag", title="a title that is far too long for a phone and has to be broken")
    axes[1].set(xlabel="lag", title="second")
    axes[0].plot([1, 2], label="one")
    pictures.legend_below(fig)
    pictures.narrow_down(fig)
    pictures.png(fig)
    first, second = (ax.get_position() for ax in axes)
    assert first.y0 > second.y1
    assert fig.get_figwidth() == pictures.NARROW
    assert axes[1].get_ylabel() == "share"
    assert "\n" in axes[0].get_title()
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["one"]


def test_a_grid_with_titles_on_top_only_is_read_by_columns():
    fig = pictures.Figure(layout="constrained")
    axes = fig.subplots(2, 2, sharex=True, sharey="row")
    for ax, name in zip(axes[0], "AB", strict=True):
        ax.set_title(name)
    axes[1, 0].set(xlabel="lag", ylabel="needed")
    pictures.narrow_down(fig)
    pictures.png(fig)
    heights = [axes[place].get_position().y0 for place in ((0, 0), (1, 0), (0, 1), (1, 1))]
    assert heights == sorted(heights, reverse=True)
    assert axes[1, 1].get_ylabel() == "needed"
    assert axes[0, 0].get_xlabel() == "lag"


def test_a_legend_stands_below_the_axes_and_names_each_line_once(curves):
    pictures.png(curves)  # lays it out
    (legend,) = curves.legends
    assert [text.get_text() for text in legend.get_texts()] == ["engine, training", "engine, held-out speakers"]
    top = legend.get_window_extent().y1
    assert all(top < ax.get_window_extent().y0 for ax in curves.axes)


def test_a_map_of_many_cells_becomes_pixels():
    fig, (ax,) = pictures.figure(1)
    ax.pcolormesh(np.zeros((100, 100)))
    svg = pictures.svg(fig)
    assert b"image/png" in svg
    assert len(svg) < 60_000  # as shapes it has 10,000 paths


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("takes 3 ms of 5 minutes", "takes 3\u00a0ms of 5 minutes"),
        ("95 % of 20 Hz", "95\u00a0% of 20\u00a0Hz"),
        ("at most 1e-10 & 2 more", 'at most <span class="number">1e-10</span> &amp; 2 more'),
        ("5 sequences", "5 sequences"),
    ],
)
def test_a_number_and_its_unit_stay_together(text, html):
    assert page.unbroken(text) == html


def test_long_words_in_a_table_may_be_broken_and_numbers_may_not():
    frame = pd.DataFrame(
        {"n": ["1,024"], "why": ["a reason that takes far more than one line of a narrow table"]}, index=["a"]
    )
    html = page.table(frame)
    assert "<td>1,024</td>" in html
    assert '<td class="words">a reason' in html
    assert 'tabindex="0"' in html  # the box scrolls by the keyboard too


def test_a_picture_without_labels_gets_no_legend():
    fig, _ = pictures.figure(1)
    pictures.legend_below(fig)
    assert fig.legends == []
