"""A training kept epoch by epoch, and the page on which its gates move: each number is that of the epoch's own file."""

import base64
import json
import re
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import soundfile as sf

from experiments.voices import clip_model, training
from experiments.voices.inside import epochs_page
from experiments.voices.inside.epochs import kept
from experiments.voices.inside.look import hear
from experiments.voices.judge import judge_file
from features import corpora
from features.clips import read_clips
from features.extraction import extract
from features.recipes import recipe_named
from features.synth import write_corpus

QUICK = {"epochs": 3, "units": 4}
SHOWN = "ifgoch"


class Watched(NamedTuple):
    """A folder of frames, and the run of a training on it that was watched."""

    data: Path
    run: Path


@pytest.fixture(scope="module")
def watched(tmp_path_factory, voice_file):
    """Not to be changed."""
    pytest.importorskip("plotly", reason="needs plotly: pip install plotly")
    folder = tmp_path_factory.mktemp("watched")
    write_corpus(folder / "corpus", speakers=7, test_speakers=0, clips=1, seconds=1.0, seed=1)
    extract(corpora.tutorial_folders(folder / "corpus"), folder / "clips", recipe=recipe_named("frames"))
    training.train(folder / "clips", folder / "run", watch=voice_file, **QUICK)
    return Watched(folder / "clips", folder / "run")


def numbers(text):
    """The page's data; gates and states (E, H, T) as numbers again, with their unit beside them."""
    stored = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)[1])
    arrays = {}
    for name, a in stored["arrays"].items():
        raw = np.frombuffer(base64.b64decode(a["base64"]), {"float32": "<f4", "uint8": "u1"}[a["type"]])
        arrays[name] = raw.reshape(a["shape"])
        if name in stored["units"]:
            zero, unit = stored["units"][name]
            arrays[name] = (arrays[name].astype(float) - zero) * unit, unit
    return stored | {"arrays": arrays}


def values_of(file, heard):
    """What the network in a file does with the heard part: by direction and name, (H, T)."""
    model = clip_model.load(file)
    trace = model.network.trace(model.prepare(heard.frames[heard.part])[None])
    ways = zip(("forward", "backward"), trace.layers.values(), strict=True)
    return {f"{way}/{name}": layer[name][0].T for way, layer in ways for name in SHOWN}


def test_every_epoch_is_kept_from_the_untrained_network_on(watched):
    files = kept(watched.run / "epochs")
    assert {epoch: path.name for epoch, path in files.items()} == {k: f"0{k}.safetensors" for k in range(4)}
    models = {epoch: clip_model.load(path) for epoch, path in files.items()}
    final = clip_model.load(watched.run / "model.safetensors").network
    assert models[3].network.metadata == final.metadata
    for a, b in zip(final.get_weights(), models[3].network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert models[3].network.metadata["temperature"] != 1.0  # fitted before, so that all epochs are judged alike
    clips, settings = read_clips(watched.data), clip_model.Settings(**QUICK)
    drawn = clip_model.network(settings, len(clips.columns), seed=0)
    for a, b in zip(drawn.get_weights(), models[0].network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    states = []
    clip_model.train(
        clips.take(training.sides(clips, 0)[0]),
        settings,
        after_epoch=lambda k, m: states.append(m.network.get_weights()),
    )
    for epoch, weights in enumerate(states, start=1):  # a training that nobody watched
        assert models[epoch].network.metadata == models[0].network.metadata
        for a, b in zip(weights, models[epoch].network.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


def test_the_run_tells_what_was_seen(watched):
    table = pd.read_csv(watched.run / "watched.csv")
    assert table["epoch"].unique().tolist() == [0, 1, 2, 3]
    assert {"bidirectional/forward_lstm", "bidirectional/backward_lstm", "dense"} == set(table["layer"])
    report = (watched.run / "report.html").read_text(encoding="utf-8")
    assert "Inside the network, epoch by epoch" in report
    assert '<a href="gates.html">' in report


def test_the_pages_numbers_are_those_of_each_epochs_file(watched, voice_file):
    page = numbers((watched.run / "gates.html").read_text(encoding="utf-8"))
    heard, history = hear(voice_file, recipe_named("frames")), pd.read_csv(watched.run / "history.csv")
    assert page["epochs"] == [0, 1, 2, 3]
    assert page["loss"] == {"epoch": history["epoch"].tolist(), "value": pytest.approx(history["loss"].tolist())}
    for k, file in kept(watched.run / "epochs").items():
        said = judge_file(voice_file, clip_model.load(file))
        assert page["probability"][k] == said.probability
        np.testing.assert_array_equal(page["arrays"]["p"][k], said.p[~np.isnan(said.p)].astype("f4"))
        assert page["first"] == np.flatnonzero(~np.isnan(said.p))[0]
        for name, values in values_of(file, heard).items():
            drawn, unit = page["arrays"][name]
            np.testing.assert_allclose(drawn[k], values, rtol=0, atol=unit / 2 + 1e-5)  # a byte; float32


def test_the_page_asks_for_nothing_from_elsewhere(watched):
    text = (watched.run / "gates.html").read_text(encoding="utf-8")
    own = re.sub(r"<script>.*?</script>", "", text, flags=re.S)
    assert "default-src 'none'" in text
    assert not re.findall(r"(?:src|href)=\"(?!data:)", own)
    assert "@@" not in own
    assert "voice &amp; co.wav" in own
    assert "voice & co.wav" not in re.sub(r"<code>.*?</code>", "", own)


def test_of_many_epochs_some_are_shown_evenly(watched, voice_file, monkeypatch):
    assert epochs_page.evenly(list(range(41)), 5) == [0, 10, 20, 30, 40]
    assert epochs_page.evenly([0, 1, 2], 5) == [0, 1, 2]
    heard = hear(voice_file, recipe_named("frames"))
    history = pd.read_csv(watched.run / "history.csv", index_col="epoch")
    whole = (watched.run / "gates.html").stat().st_size
    monkeypatch.setattr(epochs_page, "MOST_BYTES", whole)  # of it some is left free for what is not counted
    text = epochs_page.page(heard, watched.run / "epochs", history)
    assert len(text.encode()) < whole
    assert numbers(text)["epochs"] == [0, 3]
    assert "2 of 4 epochs are shown, evenly" in text


def test_another_run_in_the_folder_leaves_nothing_of_the_one_before(watched, tmp_path):
    (tmp_path / "epochs").mkdir()
    for name in ("epochs/07.safetensors", "epochs/mine.safetensors", "gates.html"):
        (tmp_path / name).write_text("of an earlier run")
    training.train(watched.data, tmp_path, force=True, keep_epochs=True, epochs=1, units=2)
    assert sorted(path.name for path in (tmp_path / "epochs").iterdir()) == [
        "00.safetensors",
        "01.safetensors",
        "mine.safetensors",
    ]
    assert not (tmp_path / "gates.html").exists()


def test_what_cannot_be_watched_is_said_before_the_training(
    lstm_engine, watched, voice_file, tables, tmp_path, monkeypatch
):
    silent = tmp_path / "silent.wav"
    sf.write(silent, np.random.default_rng(0).normal(0, 0.01, 16_000), 16_000)
    cases = [
        ((watched.data, "--watch", silent), "nothing to look into, no voice in it"),
        ((watched.data, "--watch", tmp_path / "none.wav"), "none.wav: "),
        ((tables, "--watch", voice_file), "--watch needs frames, as features --recipe frames writes them"),
        ((tables, "--keep-epochs"), "--keep-epochs needs frames"),
        ((tables, "--task", "digits", "--keep-epochs"), "--keep-epochs does nothing with --task digits"),
    ]
    for arguments, said in cases:
        outcome = lstm_engine("train", *arguments, "--out", tmp_path / "run")
        assert outcome.code == 2
        assert said in outcome.err
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    outcome = lstm_engine("train", watched.data, "--watch", voice_file, "--out", tmp_path / "run")
    assert outcome.err.startswith("error: train --watch draws with plotly, which is not installed: pip install plotly")
    assert not (tmp_path / "run").exists()


def test_the_command_says_where_the_gates_are(lstm_engine, watched, voice_file, tmp_path):
    options = ("--epochs", 1, "--units", 2, "--watch", voice_file, "--out", tmp_path / "run")
    shown = lstm_engine("train", watched.data, *options)
    assert shown.code == 0
    assert f"Gates, epoch by epoch: {tmp_path / 'run' / 'gates.html'}" in shown.out


# -- in a browser -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[1280, 390])
def opened(request, open_page, watched):
    own = open_page(watched.run / "gates.html", request.param)
    yield own
    assert own.wrong == []  # after all that the tests did
    own.page.close()


def shown_map(opened, name):
    """(H, T): the bytes of a map as plotly has them."""
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


def test_the_slider_shows_what_the_network_of_that_epoch_computes(opened, watched, voice_file):
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


def test_rows_are_sorted_by_what_is_remembered_after_training_at_every_epoch(opened, watched, voice_file):
    heard = hear(voice_file, recipe_named("frames"))
    f = values_of(kept(watched.run / "epochs")[3], heard)["forward/f"]
    order = np.argsort(-np.log(f).mean(axis=1))
    opened.page.select_option("#way", "forward")
    opened.page.select_option("#sort", "half_life")
    go(opened, 2)
    expected = values_of(kept(watched.run / "epochs")[2], heard)["forward/f"][order]
    np.testing.assert_allclose(shown_map(opened, "f") / 255, expected, rtol=0, atol=0.5 / 255 + 1e-5)
    opened.page.select_option("#sort", "index")


def test_pointing_at_a_map_reads_its_number_and_a_click_on_a_row_goes_to_its_epoch(opened, watched, voice_file):
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
