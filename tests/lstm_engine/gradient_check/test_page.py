"""The page of a report: what a reader sees of it, in HTML and in a browser."""

from html.parser import HTMLParser

import numpy as np
import pytest

import lstm_engine as le
from lstm_engine.gradient_check import Lead
from lstm_engine.gradient_check.report import FAILED, PASSED, Report, Row

SIZE = 12


class Page(HTMLParser):
    """What a reader sees: cells by row, the titles of what is open and of what is folded, names of maps, all text."""

    def __init__(self, page):
        super().__init__()
        self.rows, self.open, self.folded, self.maps, self.text, self.tags, self.inside = [], [], [], [], "", [], []
        self.kinds, self.rects = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append(tag)
        self.inside.append(tag)
        if tag == "tr":
            self.rows.append([])
            self.kinds.append(attrs.get("class", ""))
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag == "details":
            self.into = self.open if "open" in attrs else self.folded
        if attrs.get("role") == "img":
            self.maps.append(attrs["aria-label"])
        if tag == "rect":
            self.rects.append((attrs["class"], int(attrs["width"])))

    def handle_data(self, data):
        if not self.inside or self.inside[-1] == "style":
            return
        self.text += data
        if self.inside[-1] in ("td", "th"):
            self.rows[-1][-1] += data
        if self.inside[-1] == "summary":
            self.into.append(data.split(":")[0])


def report_of(*failed, lead=None, **arrays):
    """A report with a row for every array; those named failed."""
    rows, pairs = [], {}
    for name, a in arrays.items():
        verdict = FAILED if name in failed else PASSED
        rows.append(Row(name, "", a.size, a.size, 0.5, 0.5, None, (0,) * a.ndim, 1.5, 1.0, verdict))
        pairs[name] = (a * (1.5 if name in failed else 1), a)
    return Report(rows, "complex", 1e-10, dict.fromkeys(arrays, 1e-20), pairs, lead=lead)


A = np.arange(1.0, 1 + SIZE).reshape(3, 4)


def test_a_passed_report_shows_its_verdict_first_and_every_map_folded():
    report = report_of(x=A, W=A)
    page = Page(report._repr_html_())
    assert page.text.startswith(f"✓ {report.verdict()}")
    assert [row[0] for row in page.rows[1:]] == ["x", "W"]
    assert {row[2] for row in page.rows[1:]} == {PASSED}
    assert page.folded == ["x", "W"]
    assert page.open == []
    assert page.maps == [f"{name}: passed, norm-wise error 5.0e-01" for name in ("x", "W")]


def test_the_lead_is_on_top_and_what_follows_is_dimmed_and_folded():
    lead = Lead("inside a step", "δf", "Look at δf.", "δf = δc∘c'", "δc∘c", ("x",), certain=True)
    page = Page(report_of("x", "W", lead=lead, x=A, W=A)._repr_html_())
    assert page.text.startswith("Look at δf.")
    assert "rightδf = δc∘c'insteadδc∘cfollowsx: wrong only because of it" in page.text
    assert [row[2] for row in page.rows[1:]] == ["FAILED, follows", "FAILED"]
    assert page.kinds[1:] == ["failed follows", "failed"]
    assert (page.open, page.folded) == (["W"], ["x"])


def test_cells_have_the_shade_of_their_error_and_neighbours_of_one_shade_are_one():
    analytic = A * (1 + np.array([[0, 0, 1e-12, 1e-12], [1e-9, 1e-3, 0.5, 0.5], [np.nan, 0, 0, 0]]))
    report = report_of("W", W=A)
    report.arrays["W"] = (analytic, np.where(np.arange(SIZE).reshape(3, 4) == 11, np.nan, A))
    key = 5
    assert Page(report._repr_html_()).rects[key:] == [
        ("p0", 2), ("p1", 2), ("f0", 1), ("f1", 1), ("f2", 2), ("nan", 1), ("p0", 2), ("none", 1),
    ]  # fmt: skip


def test_names_and_notes_are_escaped():
    report = report_of(**{'<script>alert("x")</script>': A})
    report.notes.append("1 < 2 & <i>so</i>")
    page = Page(report._repr_html_())
    assert not {"script", "i", "u"} & set(page.tags)
    assert page.rows[1][0] == '<script>alert("x")</script>'
    assert "1 < 2 & <i>so</i>" in page.text
    assert page.maps[0].startswith('<script>alert("x")</script>: passed')


def network_report(spoiled=False):
    model = le.Sequential([le.Input((5, 2)), le.LSTM(3), le.Dense(2)], seed=0, dtype="float64", backend="numpy")
    model.compile("sgd", "mse")
    le.gradient_check.unit_scale(model)
    rng = np.random.default_rng(0)
    if spoiled:
        model.weights["dense/kernel"][...] = 0.0
    return le.gradcheck(model, rng.standard_normal((3, 5, 2)), rng.standard_normal((3, 2)))


def test_what_was_not_exercised_is_not_called_proved():
    page = Page(network_report(spoiled=True)._repr_html_())
    assert page.text.startswith("? NOT proved: of 17 rows, 15 not exercised")
    assert "lstm/kernel: not exercised" in page.maps


def test_a_large_weight_makes_a_small_page_and_no_row_of_it_is_lost(tmp_path):
    errors = np.ones((300, 1000))
    errors[7, 900] = 2
    report = report_of("W", W=np.ones((300, 1000)))
    report.arrays["W"] = (errors, np.ones((300, 1000)))
    report.save(tmp_path / "report.html", "A large one")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert len(text) < 40_000
    assert ("f2", 1) in Page(text).rects
    assert "<title>A large one</title>" in text
    assert "http" not in text


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_its_window_and_every_word_can_be_read(tmp_path, chromium, width, scheme):
    """No scrolling sideways but inside tables, no message in the console, and a contrast of 4.5 and more (WCAG AA)."""
    lead = Lead("inside a step", "δf", "Look at δf.", "δf = δc∘c'", "δc∘c", ("x",), certain=True)
    report_of("x", "W", lead=lead, x=A, W=A, U=A).save(tmp_path / "report.html")
    browser, messages = chromium(), []
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.on("console", lambda message: messages.append(message.text))
    page.goto((tmp_path / "report.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    contrasts = page.evaluate(CONTRASTS)
    browser.close()
    assert messages == []
    assert len(contrasts) > 30
    assert min(contrast for contrast, _ in contrasts) >= 4.5, sorted(contrasts)[:3]


CONTRASTS = """() => {
  const rgb = s => s.match(/[\\d.]+/g).map(Number);
  const light = c => c.slice(0, 3).map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, k) => sum + v * [.2126, .7152, .0722][k], 0);
  const behind = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor);
    if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
  return [...document.querySelectorAll("main *")].filter(e => e.tagName !== "STYLE" &&
    [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())).map(e => {
      const [a, b] = [light(rgb(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
      return [(a + .05) / (b + .05), e.textContent]; });
}"""
