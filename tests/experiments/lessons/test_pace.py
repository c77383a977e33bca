"""The setting that cuts the lessons' trainings short."""

import importlib

import pytest

from experiments.lessons import pace


@pytest.mark.parametrize(("setting", "steps"), [(None, 400), ("", 400), ("0", 400), ("1", 20)])
def test_trainings_are_cut_where_the_setting_asks_for_it_and_nowhere_else(monkeypatch, setting, steps):
    with monkeypatch.context() as patch:
        patch.delenv("LSTM_ENGINE_LESSONS_QUICK", raising=False)
        if setting is not None:
            patch.setenv("LSTM_ENGINE_LESSONS_QUICK", setting)
        assert importlib.reload(pace).cut(400, 20) == steps
    importlib.reload(pace)
