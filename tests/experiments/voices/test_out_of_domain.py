"""The table of sounds for which no answer is due: every draw is counted once, and the hummed tune is one."""

import numpy as np

from experiments.voices import clip_model, out_of_domain
from features.frames import LOG_F0, VOICING, frames


def test_every_draw_of_a_sound_gets_one_answer(voice_model, monkeypatch):
    monkeypatch.setattr(out_of_domain, "OTHERS", {})
    monkeypatch.setattr(out_of_domain, "VOICES", {"a child": out_of_domain.child})
    rows = list(out_of_domain.answers(clip_model.load(voice_model), draws=1))
    assert [row["sound"] for row in rows] == ["humming", "a child"]
    assert all(sum(row[label] for label in out_of_domain.LABELS) == 1 for row in rows)


def test_a_hummed_tune_is_voiced_and_moves_by_notes():
    x = frames(out_of_domain.humming(np.random.default_rng(0)), out_of_domain.RATE)
    voiced = x[x[:, VOICING] > 0.5, LOG_F0]
    assert len(voiced) > 0.9 * len(x)
    assert np.ptp(np.percentile(voiced, (10, 90))) > np.log(2) / 12  # more than a semitone, the vibrato's range
