"""The hook of `mkdocs build`, named in mkdocs.yml: adds the pages that are not made from docs/*.md, and mends links.

The README becomes the front page, each lesson a page as marimo exports it, and `inspect` makes the page of a synthetic voice.
Links to other files of the repository lead to their pages, or become plain text. The site needs no network.
"""

import html
import itertools
import os
import posixpath
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import marimo
import numpy as np
import soundfile
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.plugins import get_plugin_logger
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import lstm_engine as le
from experiments import lessons
from features.synth import RATE, draw_speaker, speak

HOUSE = Path(__file__).parents[1]
PROSE = {
    "README.md": "index.md",
    "CHANGELOG.md": "changes.md",
    "experiments/voices/pretrained/CARD.md": "voice-model.md",
}
LESSONS = [lessons.Lesson.read(file) for file in lessons.files()]
PAGES = PROSE | {lesson.file.relative_to(HOUSE).as_posix(): f"lessons/{lesson.file.stem}.html" for lesson in LESSONS}
LINK = re.compile(r"\[((?:!\[[^\]]*\]\([^)\s]*\)|[^\]])*)\]\(([^)#\s]+)(#[^)\s]*)?\)")  # its text may be a picture
FRONT_END = re.compile(r"https://cdn\.jsdelivr\.net/npm/@marimo-team/frontend@[^/]+/dist")
MATHJAX = re.compile(r"https://cdn\.jsdelivr\.net/npm/mathjax-full@[\w./-]+")
FROM_DISK = """<script>if (location.protocol === "file:") document.write(
 "<b>Browsers run no lesson from disk: <code>python -m http.server --directory site</code> serves it.</b>")</script>"""
COMPILED = re.compile(r"compiling kernels, \d+ of \d+: ")  # the engine's log message, in a cell's output
LARGE = os.environ | {"MARIMO_OUTPUT_MAX_BYTES": "50000000"}  # a lesson has a microscope's page within it
BAR = """<body><style>
.site-bar { display: flex; flex-wrap: wrap; gap: .1rem 1.2rem; padding: .5rem 1rem; background: #4051b5; color: #fff;
 font: 15px/1.6 system-ui, sans-serif; } .site-bar a { color: #fff; text-decoration: underline; }
@media (max-width: 600px) { .site-bar { font-size: 13px; padding: .3rem .6rem; } }
body:has(#root) { display: flex; flex-direction: column; height: 100dvh; }
#root { flex: 1; position: relative; min-height: 0; }  /* marimo fills its root; the bar is above it */
[data-testid="static-notebook-banner"] { display: none !important; }  /* marimo's; the bar says it for this project */
</style><nav class="site-bar">%s</nav>"""

log = get_plugin_logger("site")


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Adds pages from outside docs/, and the lessons to the sidebar."""
    for source, uri in PROSE.items():
        files.append(File.generated(config, uri, abs_src_path=str(HOUSE / source)))
    log.info("The microscope looks at a synthetic voice")
    files.append(File.generated(config, "inspect.html", content=look()))
    compile_kernels()
    log.info(f"Running {len(LESSONS)} lessons")
    with ThreadPoolExecutor(2) as two_at_a_time:
        pages = list(two_at_a_time.map(run, LESSONS))
    sidebar = next(section["Lessons"] for section in config.nav if "Lessons" in section)
    for n, page in enumerate(pages):
        uri = f"lessons/{LESSONS[n].file.stem}.html"
        files.append(File.generated(config, uri, content=with_bar(page, around(n))))
        sidebar.append({name(LESSONS[n]): uri})


def compile_kernels() -> None:
    """Runs each cell once: a page would show the notice that its kernels are being compiled."""
    log.info("Compiling the kernels, where this machine has not done so yet")
    x, y = np.zeros((2, 3, 1)), np.zeros((2, 1))
    for layer, dtype in itertools.product((le.LSTM, le.GRU, le.SimpleRNN), ("float32", "float64")):
        model = le.Sequential([layer(2), le.Dense(1)], dtype=dtype)
        model.compile("adam", "mse")
        model.train_on_batch(x, y)
        model.predict(x, verbose=0)
        model.stream().step(np.zeros((1, 1)))


def look() -> str:
    """The page of five seconds of a synthetic voice, as `lstm-engine inspect` writes it."""
    rng = np.random.default_rng(3)
    with TemporaryDirectory() as folder:
        voice = Path(folder, "a synthetic voice.wav")
        soundfile.write(voice, speak(draw_speaker("male", "nobody", rng), 5.0, rng, RATE), RATE)
        page = written("experiments.cli", "inspect", voice, "--out")
    return with_bar(page, [link("index.html", "lstm-engine"), link("microscope.html", "What the numbers are")])


def run(lesson: lessons.Lesson) -> str:
    """The page of a lesson after all its cells have run; it loads marimo's front end from the site.

    Where a run had to compile kernels, the page says so; a second run finds them on disk.
    """
    export = ("marimo", "export", "html", lesson.file, "--output")
    page = written(*export)
    if COMPILED.search(page):
        page = written(*export)
    return FRONT_END.sub("../marimo", page)


def written(*command: str | Path) -> str:
    """The text that `python -m command FILE` writes into FILE. PluginError, which ends the build, if the command fails."""
    with TemporaryDirectory() as folder:
        out = Path(folder, "page.html")
        ran = subprocess.run(
            [sys.executable, "-m", *command, out], env=LARGE, capture_output=True, text=True, encoding="utf-8"
        )
        if ran.returncode:
            raise PluginError(f"failed: python -m {' '.join(map(str, command))}\n{ran.stdout}{ran.stderr}")
        return out.read_text(encoding="utf-8")


def name(lesson: lessons.Lesson) -> str:
    return f"{lesson.number} {lesson.title}"


def around(n: int) -> list[str]:
    """The bar above lesson n, from 0: links to other pages, and how to move the sliders."""
    links = [link("../index.html", "lstm-engine"), link("../lessons.html", "Lessons")]
    for word, m in (("Back", n - 1), ("Next", n + 1)):
        if 0 <= m < len(LESSONS):
            links.append(link(f"{LESSONS[m].file.stem}.html", f"{word}: {name(LESSONS[m])}"))
    how = f"<code>lstm-engine lessons {LESSONS[n].number}</code>"
    return [*links, f"<span>Sliders stand still on this page; {how} moves them.</span>", FROM_DISK]


def link(uri: str, text: str) -> str:
    return f'<a href="{uri}">{html.escape(text)}</a>'


def with_bar(page: str, links: list[str]) -> str:
    return page.replace("<body>", BAR % " ".join(links), 1)


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links as the repository has them, to the pages that the site makes of their files."""
    folder = Path(page.file.abs_src_path).parent.relative_to(HOUSE).as_posix()
    if page.file.src_uri in ("index.md", "design.md"):
        page.meta["hide"] = ["toc"]  # room for the equations and the tree

    def on_the_site(link_as_written: re.Match[str]) -> str:
        text, target, anchor = link_as_written.groups(default="")
        text = LINK.sub(on_the_site, text)
        path = posixpath.normpath(posixpath.join(folder, target))
        if not (HOUSE / path).exists():
            return f"[{text}]({target}{anchor})"  # an address, or code; mkdocs warns if it is a link that leads nowhere
        uri = PAGES.get(path) or path.removeprefix("docs/")
        if not files.get_file_from_path(uri):
            return f"{text} (`{path}`)"
        return f"[{text}]({posixpath.relpath(uri, posixpath.dirname(page.file.src_uri) or '.')}{anchor})"

    return LINK.sub(on_the_site, markdown)


def on_post_build(config: MkDocsConfig) -> None:
    """Copies marimo's front end, which all lessons share, into the site, without the MathJax that it loads from elsewhere.

    plotly would need MathJax for TeX in a picture's title. The lessons' equations use KaTeX, which is part of the front end.
    """
    assets = Path(config.site_dir, "marimo", "assets")
    shutil.copytree(
        Path(marimo.__file__).parent / "_static", assets.parent, ignore=shutil.ignore_patterns("*.md", "index.html")
    )
    for script in assets.glob("index-*.js"):
        text = script.read_text(encoding="utf-8")
        script.write_text(MATHJAX.sub("data:text/javascript,", text), encoding="utf-8")
