"""The microscope's page: the numbers in it, and the command that writes it."""

import base64
import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from scipy.special import expit

import lstm_engine as le
from experiments.voices import clip_model
from experiments.voices.inside import page as pages
from experiments.voices.inside.look import look
from experiments.voices.predict import SHIPPED
from features.synth import draw_speaker, speak


def numbers(text):
    """The page's data, arrays as NumPy's."""
    stored = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)[1])
    for side in stored["sides"]:
        for name, a in side["arrays"].items():
            values = np.frombuffer(base64.b64decode(a["base64"]), {"float32": "<f4", "uint8": "u1"}[a["type"]])
            side["arrays"][name] = values.reshape(a["shape"])
    return stored


def holds(side, seen):
    """Whether a side of the page has the numbers that were seen."""
    T, arrays = len(seen.p), side["arrays"]
    assert side["first"] == seen.heard.part.start
    assert side["what_if"] == {name: expit(z.mean()) for name, z in seen.what_if.items()}
    for way, own in seen.directions.items():
        for name, values in own.values.items():
            np.testing.assert_array_equal(arrays[f"{way}/value/{name}"], values.T.astype("f4"))
            np.testing.assert_array_equal(arrays[f"{way}/gradient/{name}"], own.gradients[name].T.astype("f4"))
        np.testing.assert_array_equal(arrays[f"{way}/by_lag"], own.by_lag.astype("f4"))
    assert arrays["rests"].shape == (T, T)
    assert (arrays["rests"].max(axis=1) == 255).all()  # each answer's largest is 1
    rounding = (0.5 + 2**-17) / 255  # half a level, of 255 p in float32, which is off by 2^-17 at most below 256
    shares = seen.rests / seen.rests.max(axis=1, keepdims=True)
    np.testing.assert_allclose(arrays["rests"] / 255, shares, rtol=0, atol=rounding)
    np.testing.assert_allclose(arrays["what_if"] / 255, expit(list(seen.what_if.values())), rtol=0, atol=rounding)


def test_the_pages_numbers_are_what_was_seen(seen):
    stored = numbers(pages.page(seen))
    assert stored["clips"] == [{"seconds": 3.0, "frames": len(seen.heard.frames)}]
    assert not stored["one_sound"]
    (side,) = stored["sides"]
    holds(side, seen)


def test_two_clips_have_a_player_each_and_their_own_numbers(seen, seen_elsewhere):
    text = pages.page(seen, seen_elsewhere)
    stored = numbers(text)
    assert text.count("<audio ") == len(stored["clips"]) == 2
    assert [side["clip"] for side in stored["sides"]] == [0, 1]
    assert [side["name"] for side in stored["sides"]] == ["voice & co.wav", "other.wav"]
    assert (stored["one_sound"], stored["differences"]) == (False, False)
    for side, shown in zip(stored["sides"], (seen, seen_elsewhere), strict=True):
        holds(side, shown)


def test_two_networks_that_hear_one_clip_share_its_player(seen, seen_earlier):
    text = pages.page(seen_earlier, seen, names=["early", "late"])
    stored = numbers(text)
    assert text.count("<audio ") == len(stored["clips"]) == 1
    assert [(side["clip"], side["name"]) for side in stored["sides"]] == [(0, "early"), (0, "late")]
    assert (stored["one_sound"], stored["differences"]) == (True, True)
    assert "Inside two networks while they hear voice &amp; co.wav" in text
    for side, shown in zip(stored["sides"], (seen_earlier, seen), strict=True):
        holds(side, shown)


@pytest.mark.parametrize("sides", [1, 2])
def test_a_page_asks_for_nothing_from_elsewhere(seen, seen_elsewhere, sides):
    text = pages.page(*[seen, seen_elsewhere][:sides])
    assert "default-src 'none'" in text
    assert not re.findall(r"(?:src|href)=\"(?!data:)", text)
    assert "@@" not in text
    assert "voice &amp; co.wav" in text
    assert "voice & co.wav" not in text


def test_the_command_writes_the_page_and_says_where(lstm_engine, voice_file, voice_model, tmp_path, seen):
    out = tmp_path / "made" / "page.html"
    shown = lstm_engine("inspect", voice_file, "--model", voice_model, "--out", out)
    assert shown.code == 0
    assert f"Page: {out}" in shown.out
    (side,) = numbers(out.read_text(encoding="utf-8"))["sides"]
    assert side["probability"] == seen.judgement.probability
    refused = lstm_engine("inspect", voice_file, "--model", voice_model, "--out", out)
    assert refused.code == 2
    assert "replace it with --force" in refused.err
    told = lstm_engine("inspect", voice_file, "--model", voice_model, "--out", out, "--force", "--json", "--seconds", 2)
    assert json.loads(told.out)["sides"][0]["seconds"] == 2.0
    assert json.loads(told.out)["page"] == str(out)


def test_the_command_compares_two_clips(lstm_engine, voice_file, other_voice_file, voice_model, tmp_path):
    out = tmp_path / "page.html"
    shown = lstm_engine("inspect", voice_file, "--clip", other_voice_file, "--model", voice_model, "--out", out)
    assert shown.code == 0
    assert [re.split(r" \(|: ", line)[0] for line in shown.out.splitlines()] == [
        *map(str, (voice_file, other_voice_file)),
        "Page",
    ]
    sides = numbers(out.read_text(encoding="utf-8"))["sides"]
    assert [side["name"] for side in sides] == ["voice & co.wav", "other.wav"]
    assert sides[0]["probability"] != sides[1]["probability"]


def test_the_command_compares_two_models(lstm_engine, voice_file, voice_model, earlier_model, tmp_path):
    models = "--model", earlier_model, "--model", voice_model
    told = lstm_engine("inspect", "--clip", voice_file, *models, "--json", "--out", tmp_path / "page.html")
    sides = json.loads(told.out)["sides"]
    assert [side["name"] for side in sides] == ["earlier", "voice"]
    assert [side["file"] for side in sides] == [str(voice_file)] * 2
    assert sides[0]["probability"] != sides[1]["probability"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("{voice} --start 9", "is 3.0 s long: there is nothing from 9 s on"),
        ("{tmp}/none.wav", "none.wav: there is no such file"),
        ("{voice} --out {tmp}", "is a folder: name a file for the page with --out"),
        ("{voice} --model {tables_model}", "reads one row a clip"),
        ("{voice} --model {other_model}", "is no model of voices as frames"),
        ("{voice} --out {voice}/page.html", "voice & co.wav is a file, so "),
        ("--seconds 5", "give one recording, two recordings to compare, or one recording and two models"),
        ("{voice} {voice} --clip {voice}", "got 3 recordings and 1 model"),
        ("{voice} {voice} --model a --model b", "got 2 recordings and 2 models"),
    ],
)
def test_bad_input_is_said_in_a_line(lstm_engine, voice_file, trained, arguments, said, tmp_path):
    places = {
        "voice": voice_file,
        "tmp": tmp_path,
        "tables_model": trained.model,
        "other_model": tmp_path / "m.safetensors",
    }
    words = [a.format(**places) for a in arguments.split()]
    le.Sequential([le.Input((None, 3)), le.LSTM(2), le.Dense(1)]).save(
        places["other_model"], metadata={"task": "counting"}
    )
    outcome = lstm_engine("inspect", *words, *([] if "--out" in words else ["--out", tmp_path / "page.html"]))
    assert outcome.code == 2
    assert said in outcome.err
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize(
    ("out", "said"),
    [("{voice}/page.html", "choose another --out"), ("/proc/none/page.html", "/proc cannot be written to")],
)
def test_a_place_for_the_page_that_will_not_do_is_said_before_anything_is_computed(
    lstm_engine, voice_file, monkeypatch, out, said
):
    if out.startswith("/proc") and not Path("/proc/self").exists():
        pytest.skip("needs a folder in which even root writes nothing: Linux's /proc")
    monkeypatch.setattr(pages, "look", lambda *a, **k: pytest.fail("it was computed first"))
    outcome = lstm_engine("inspect", voice_file, "--out", out.format(voice=voice_file))
    assert outcome.code == 2
    assert said in outcome.err
    assert "Errno" not in outcome.err


MOST = 5_000_000  # bytes of a page


@pytest.mark.slow  # 3,420 runs of the network
def test_a_page_of_5_s_full_of_voice_stays_under_5_megabytes(tmp_path):
    """With the shipped network, whose units decide how much there is to draw."""
    rng = np.random.default_rng(1)
    sf.write(tmp_path / "x.wav", speak(draw_speaker("male", "x", rng), 5.0, rng, 16_000), 16_000)
    seen = look(tmp_path / "x.wav", clip_model.load(SHIPPED))
    assert len(seen.p) > 200  # of 250 frames
    own = len(pages.page(seen).encode())
    assert own <= MOST
    assert own >= seen.heard.sound.size * 2 * 4 / 3  # the sound, in base64, is in it
