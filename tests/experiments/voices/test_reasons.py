"""Why a model is wrong: silenced inputs, a pitch that moves, errors by pitch; and the command that asks all of it."""

import json

import numpy as np
import pandas as pd
import pytest

from experiments.voices import clip_model, moved_pitch, reasons
from experiments.voices.pretrained import SHIPPED
from features import synth
from features.clips import Clips
from features.frames import ENERGY_DB, LOG_F0, frames
from features.synth import write_corpus


@pytest.fixture(scope="module")
def voices():
    """(the shipped model, a man and a woman of half a second each)."""
    model, rng = clip_model.load(SHIPPED), np.random.default_rng(0)
    sounds = [synth.speak(synth.draw_speaker(sex, sex, rng), 0.5, rng) for sex in ("male", "female")]
    facts = [np.array(of, object) for of in (["m", "f"], ["", ""], ["m.wav", "f.wav"], ["1", "2"])]
    sequences = [model.recipe.measure(x, synth.RATE) for x in sounds]
    return model, Clips(sequences, np.array([1, 0]), *facts, model.recipe.columns, model.recipe.stamp())


def test_the_pitch_moves_alone_and_stays_in_its_range(voices):
    clips = voices[1]
    up = moved_pitch.moved_column(clips, 12)
    change = up.sequences[0] - clips.sequences[0]
    assert not np.delete(change, LOG_F0, axis=1).any()
    assert np.median(change[:, LOG_F0]) == pytest.approx(np.log(2), abs=1e-5)
    assert np.exp(moved_pitch.moved_column(clips, 60).sequences[1][:, LOG_F0]).max() == pytest.approx(500, rel=1e-5)


def test_a_silenced_pitch_has_no_part_in_the_answer(voices):
    model, clips = voices
    values = np.zeros(len(clips.columns))
    quiet = reasons.replace(model, prepare=reasons.Silenced(model.prepare, [LOG_F0], values))
    other = moved_pitch.moved_column(clips, 7)
    np.testing.assert_array_equal(quiet.log_odds(clips), quiet.log_odds(other))
    assert (model.log_odds(clips) != model.log_odds(other)).all()
    assert (model.prepare(clips.sequences[0])[:, ENERGY_DB] <= 1).all()  # silencing wrote into an array of its own


def test_an_answer_turns_at_the_first_semitone_that_makes_it_wrong():
    called = np.array([[1, 1, 1, 0], [1, 1, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0]], bool)  # at -2, 0, 2 and 4
    turns = moved_pitch.turning_points(called, np.array([1, 1, 1, 0], bool), (-2, 0, 2, 4))
    assert turns["male"] == {"clips": 2, "median": None, "never": 0.5}  # the third was wrong from the start
    called[2, 1] = False
    assert moved_pitch.turning_points(called, np.array([1, 1, 1, 0], bool), (-2, 0, 2, 4))["male"]["median"] == 2
    assert turns["female"]["never"] == 1


def test_errors_are_counted_by_sex_and_pitch():
    rows = pd.DataFrame(
        {"sex": ["male", "male", "female"], "f0_hz": [110.0, 119.0, 210.0], "right": [True, False, True]}
    )
    assert reasons.by_pitch(rows) == [
        {"sex": "female", "low_hz": 200, "high_hz": 230, "right": 1, "of": 1},
        {"sex": "male", "low_hz": 100, "high_hz": 120, "right": 1, "of": 2},
    ]


def test_the_command_writes_figures_and_pictures(tmp_path, capsys):
    write_corpus(tmp_path / "a", speakers=1, test_speakers=0, clips=1, seconds=0.5, seed=1)
    files = sorted(f.relative_to(tmp_path / "a").as_posix() for f in (tmp_path / "a").rglob("*.wav"))
    lines = [f"{file},s{n},{file.split('/')[0].lower()},calm" for n, file in enumerate(files)]
    (tmp_path / "a" / "metadata.csv").write_text("\n".join(["path,speaker,sex,manner", *lines]))
    table, out = str(tmp_path / "a" / "metadata.csv"), tmp_path / "out"
    reasons.main([table, "--model", f"one={SHIPPED}", "--work", str(tmp_path / "work"), "--out", str(out)])
    told = capsys.readouterr().out
    result = json.loads((out / "reasons.json").read_text())["one"]["a"]
    assert result["silenced"].keys() >= {"nothing", "log_f0", "energy", "whole spectrum", "mfcc20"}
    assert result["by"][0]["value"] == "calm"
    assert {len(share) for share in (result["column_moved"]["LSTM"]["male"],)} == {len(moved_pitch.SEMITONES)}
    (tmp_path / "earlier.json").write_text(json.dumps({"other": {"b": {}}}))
    with pytest.raises(SystemExit):
        reasons.main([table, "--beside", str(tmp_path / "earlier.json")])
    assert "other was judged on b, not on these tables" in capsys.readouterr().err
    assert {p.name for p in out.glob("*.svg")} == {f"reasons_{name}.svg" for name in ("pitch", "inputs", "moved")}
    assert "| one, a, log_f0 alone, LSTM |" in told


def test_a_voice_spoken_again_has_the_pitch_that_was_asked_for():
    pytest.importorskip("pyworld", reason="the package pyworld is not installed")
    rng = np.random.default_rng(1)
    x = synth.speak(synth.draw_speaker("male", "one", rng), 1.0, rng)
    first, up = (frames(y, synth.RATE) for y in moved_pitch.world_sounds(x, synth.RATE, (0, 6)))
    voiced = (first[:, 1] > 0.6) & (up[:, 1] > 0.6)
    assert np.median((up - first)[voiced, LOG_F0]) == pytest.approx(np.log(2) / 2, abs=0.02)


def test_what_cannot_be_read_is_told_in_one_line(tmp_path, capsys):
    for options in (["--model", str(tmp_path / "nowhere")], []):
        with pytest.raises(SystemExit):
            reasons.main([str(tmp_path / "nowhere.csv"), *options])
        assert "nowhere" in capsys.readouterr().err
