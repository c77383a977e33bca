"""A training kept epoch by epoch, and the page on which its gates move: each number is that of the epoch's own file."""

import base64
import json
import re

import numpy as np
import pandas as pd
import pytest
import soundfile as sf

from experiments.voices import clip_model, training
from experiments.voices.inside import epochs
from experiments.voices.inside.epochs import kept
from experiments.voices.inside.epochs_picture import picture
from experiments.voices.inside.look import hear
from experiments.voices.judge import judge_file
from features.clips import read_clips
from features.recipes import recipe_named


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


def test_every_epoch_is_kept_from_the_untrained_network_on(watched):
    files = kept(watched.run / "epochs")
    assert {epoch: path.name for epoch, path in files.items()} == {k: f"0{k}.safetensors" for k in range(4)}
    models = {epoch: clip_model.load(path) for epoch, path in files.items()}
    final = clip_model.load(watched.run / "model.safetensors").network
    assert models[3].network.metadata == final.metadata
    for a, b in zip(final.get_weights(), models[3].network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert models[3].network.metadata["temperature"] != 1.0  # fitted before, so that all epochs are judged alike
    clips, settings = read_clips(watched.data), clip_model.Settings(**watched.settings)
    drawn = clip_model.network(settings, len(clips.columns), seed=0)
    for a, b in zip(drawn.get_weights(), models[0].network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    states = []
    clip_model.train(
        clips.take(training.sides(clips, 0)[0]),
        settings,
        after_epoch=lambda k, m: states.append(m.network.get_weights()),
    )
    for epoch, weights in enumerate(states):  # a training that nobody watched
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


def test_the_pages_numbers_are_those_of_each_epochs_file(watched, voice_file, values_of):
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
    assert epochs.evenly(list(range(41)), 5) == [0, 10, 20, 30, 40]
    assert epochs.evenly([0, 1, 2], 5) == [0, 1, 2]
    heard = hear(voice_file, recipe_named("frames"))
    history = pd.read_csv(watched.run / "history.csv", index_col="epoch")
    whole = (watched.run / "gates.html").stat().st_size
    monkeypatch.setattr(epochs, "MOST_BYTES", whole)  # of it some is left free for what is not counted
    text = epochs.page(heard, watched.run / "epochs", history)
    assert len(text.encode()) < whole
    assert numbers(text)["epochs"] == [0, 3]
    assert "2 of 4 epochs are shown, evenly" in text


@pytest.mark.usefixtures("undrawn")
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


def test_what_cannot_be_watched_is_said_before_the_training(lstm_engine, watched, voice_file, tables, tmp_path):
    silent = tmp_path / "silent.wav"
    sf.write(silent, np.random.default_rng(0).normal(0, 0.01, 16_000), 16_000)
    cases = [
        ((watched.data, "--watch", silent), "nothing to look into, no voice in it"),
        ((watched.data, "--watch", tmp_path / "none.wav"), "none.wav: "),
        ((tables, "--watch", voice_file), "--watch can go with frames only, as features --recipe frames writes them"),
        ((tables, "--keep-epochs"), "--keep-epochs can go with frames only"),
        ((tables, "--task", "digits", "--keep-epochs"), "--keep-epochs cannot go with --task digits"),
    ]
    for arguments, said in cases:
        outcome = lstm_engine("train", *arguments, "--out", tmp_path / "run")
        assert outcome.code == 2
        assert said in outcome.err
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("undrawn")
def test_the_command_says_where_the_gates_are(lstm_engine, watched, voice_file, tmp_path):
    options = ("--epochs", 1, "--units", 2, "--watch", voice_file, "--out", tmp_path / "run")
    shown = lstm_engine("train", watched.data, *options)
    assert shown.code == 0
    assert f"Gates, epoch by epoch: {tmp_path / 'run' / 'gates.html'}" in shown.out


def test_each_column_of_the_picture_is_the_network_of_its_epoch(watched, voice_file):
    folder = watched.run / "epochs"
    fig = picture(folder, voice_file, [0, 3])
    heard = hear(voice_file, recipe_named("frames"))
    before, after = (epochs.see(heard, kept(folder)[epoch])[1] for epoch in (0, 3))
    order = np.argsort(after["forward/f"].mean(axis=0))
    shown = [ax.images[0].get_array() for ax in fig.axes if ax.images]
    drawn = [values[f"forward/{name}"][:, order].T for name in "fc" for values in (before, after)]
    assert len(shown) == 4
    for image, values in zip(shown, drawn, strict=True):
        np.testing.assert_allclose(image, values)


def test_an_epoch_that_was_not_kept_is_named(watched, voice_file):
    with pytest.raises(ValueError, match="has no epoch 9: there are 0 to 3"):
        picture(watched.run / "epochs", voice_file, [0, 9])
