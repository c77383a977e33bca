"""The site as `make site` builds it: no warning, no link that leads nowhere, and in Chromium nothing that needs a network."""

import functools
import http.server
import importlib.util
import os
import re
import subprocess
import sys
import threading
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote, urlsplit

import pytest

import lstm_engine
from experiments import lessons

pytestmark = pytest.mark.slow
HOUSE = Path(__file__).parents[1]
LESSONS = [f"lessons/{file.stem}.html" for file in lessons.files()]
PROSE = [
    "index.html",
    "results.html",
    "gradient-checking.html",
    "voices.html",
    "memory/memory.html",
    "reference/model.html",
]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    for name in ("mkdocs", "material", "marimo", "plotly"):
        pytest.importorskip(name, reason=f'needs {name}: pip install -e ".[docs]"')
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder]
    built = subprocess.run(
        command, cwd=HOUSE, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True
    )
    assert built.returncode == 0, built.stderr
    assert "WARNING" not in built.stderr
    return folder


def test_a_lesson_that_had_to_compile_kernels_is_run_again_so_that_its_page_does_not_say_it(monkeypatch):
    pytest.importorskip("mkdocs")
    spec = importlib.util.spec_from_file_location("build_of_the_site", HOUSE / "docs" / "build.py")
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    runs = ["compiling kernels, 2 of 4: the LSTM's forward pass (1 s so far) ...", "a figure", "never asked for"]
    monkeypatch.setattr(build, "written", lambda *command: runs.pop(0))
    assert build.run(build.LESSONS[0]) == "a figure"
    assert build.run(build.LESSONS[1]) == "never asked for"  # one run is enough where the kernels lie on disk


def test_a_link_around_a_picture_leads_to_its_page_and_the_picture_is_found():
    pytest.importorskip("mkdocs")
    spec = importlib.util.spec_from_file_location("build_of_the_site", HOUSE / "docs" / "build.py")
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    page = SimpleNamespace(file=SimpleNamespace(abs_src_path=HOUSE / "README.md", src_uri="index.md"), meta={})
    files = SimpleNamespace(get_file_from_path=lambda uri: (HOUSE / "docs" / uri).exists())
    written = "[![A cell](docs/pictures/cell_lstm.svg)](docs/microscope.md)"
    assert build.on_page_markdown(written, page, None, files) == "[![A cell](pictures/cell_lstm.svg)](microscope.md)"


class Links(HTMLParser):
    """What a page leads to (a href), what it loads, and the names that others can lead to."""

    def __init__(self, page):
        super().__init__()
        self.leads_to, self.loads, self.names = [], [], set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        at = dict(attributes)
        self.names |= {at.get("id"), at.get("name")}
        for address in (at.get("href"), at.get("src")):
            if address and not address.startswith("data:"):
                (self.leads_to if tag == "a" else self.loads).append(address)


def test_no_link_leads_nowhere_and_nothing_is_loaded_from_elsewhere(site):
    pages = {page: Links(page) for page in site.rglob("*.html") if "marimo" not in page.relative_to(site).parts}
    assert {site / name for name in PROSE + LESSONS} <= set(pages)
    del pages[site / "404.html"]  # for a server at the root of its address
    for page, links in pages.items():
        assert not [address for address in links.loads if urlsplit(address).netloc]
        for address in links.leads_to + links.loads:
            at = urlsplit(address)
            if not at.netloc:
                target = (page.parent / unquote(at.path)).resolve() if at.path else page
                assert target.is_file(), f"{page.name} leads to {address}"
                if at.fragment and target in pages:
                    assert unquote(at.fragment) in pages[target].names, f"{page.name} leads to {address}"


def test_the_reference_has_every_public_name(site):
    """Public names are those of lstm_engine.__all__; of modules among them, the page shows the contents."""
    names = set().union(*(Links(page).names for page in (site / "reference").glob("*.html"))) - {None}
    last = {name.rpartition(".")[2] for name in names}
    assert set(lstm_engine.__all__) <= last


def test_pages_name_no_folder_of_the_machine_that_made_them(site):
    for page in site.rglob("*.html"):
        assert str(HOUSE) not in page.read_text(encoding="utf-8")


# -- in a browser -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def address(site):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=site))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture
def opened(browser, address):
    """opened(page, width=1280): the page, with no network but its server. Fails where anything went wrong or was missing."""
    wrong, windows = [], []

    def refuse(route):
        wrong.append(route.request.url)
        route.abort()

    def open_page(name, width=1280):
        window = browser.new_page(viewport={"width": width, "height": 900})
        window.set_default_timeout(120_000)  # cores may be busy
        windows.append(window)
        window.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
        window.on("pageerror", lambda error: wrong.append(str(error)))
        window.on("response", lambda r: wrong.append(f"{r.status} {r.url}") if r.status >= 400 else None)
        window.route(lambda url: url.startswith("http") and not url.startswith(address), refuse)
        window.goto(address + name, wait_until="networkidle")
        return window

    yield open_page
    for window in windows:
        window.close()
    assert not wrong


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", [*PROSE, "inspect.html"])
def test_a_page_opens_and_is_as_wide_as_its_window(opened, name, width):
    window = opened(name, width)
    assert window.locator("h1").first.is_visible()
    assert window.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_shows_its_text_its_pictures_and_its_exercises(opened, name):
    window = opened(name)
    window.get_by_role("heading", name=window.title()).first.wait_for()
    window.locator(".js-plotly-plot .main-svg").first.wait_for()
    assert window.get_by_text("Not answered yet").count() >= 2
    assert window.get_by_text("too large for marimo").count() == 0  # what stands in the place of an output that is
    for width in (1280, 390):
        window.set_viewport_size({"width": width, "height": 900})
        assert window.locator(".site-bar").get_by_role("link", name="Lessons").is_visible()
        assert window.evaluate("document.documentElement.scrollWidth") == width


def test_the_sidebar_leads_through_the_lessons_in_their_order(opened):
    window = opened("index.html")
    names = window.locator(".md-nav--primary a[href*='lesson_']").evaluate_all("all => all.map(a => a.href)")
    assert [re.sub(".*/lessons/", "lessons/", name) for name in names] == LESSONS


def test_search_finds_what_stands_in_a_page(opened):
    window = opened("index.html")
    window.get_by_placeholder("Search").press_sequentially("hidden Markov")
    found = window.locator(".md-search-result__item a").first
    found.wait_for()
    assert "voices.html" in found.get_attribute("href")
