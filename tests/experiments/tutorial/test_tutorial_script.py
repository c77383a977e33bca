"""The tutorial's Keras script on the engine: the same script with its imports changed, and not a letter more."""

import re
from pathlib import Path

import numpy as np
import pytest

from features.tables import write_features

SCRIPT = (Path(__file__).parent / "tutorial_script.py").read_text()
KERAS_IMPORTS = "from keras.layers import LSTM, Dense\nfrom keras.models import Sequential\n"
ON_THE_ENGINE = SCRIPT.replace(KERAS_IMPORTS, "from lstm_engine import LSTM, Dense, Sequential\n")


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Runs a script beside the two tables of a tutorial of 40 clips; gives its variables and what it printed."""
    rng = np.random.default_rng(0)
    for sex in ("male", "female"):
        write_features(tmp_path / f"{sex}_features.csv", rng.standard_normal((20, 111)), sex)
    monkeypatch.chdir(tmp_path)

    def execute(script):
        variables = {}
        exec(compile(script, "tutorial_script.py", "exec"), variables)
        return variables, capsys.readouterr().out

    return execute


def signature(variables):
    """The names, shapes and types of everything that the script gets back, and what its weights look like."""
    history, scores, probabilities = (variables[name] for name in ("history", "scores", "probabilities"))
    return {
        "history": {name: (len(values), {type(v) for v in values}) for name, values in history.history.items()},
        "epochs": history.epoch,
        "scores": (type(scores), [type(score) for score in scores]),
        "probabilities": (type(probabilities), probabilities.shape, probabilities.dtype),
        "weights": [(w.shape, w.dtype) for w in variables["model"].get_weights()],
        "parameters": variables["model"].count_params(),
    }


def test_the_script_runs_on_the_engine_with_its_imports_changed(run):
    assert SCRIPT.count(KERAS_IMPORTS) == 1
    assert "keras" not in ON_THE_ENGINE.split('"""', 2)[2]
    variables, printed = run(ON_THE_ENGINE)
    assert type(variables["model"]).__module__.startswith("lstm_engine")
    loss = variables["history"].history["loss"]
    assert len(loss) == 20
    assert loss[-1] < loss[0]
    assert variables["scores"] == pytest.approx(variables["model"].evaluate(variables["X"], variables["y"], verbose=0))
    assert 0 < variables["probabilities"].min() < variables["probabilities"].max() < 1
    assert (
        "16,961" in printed
    )  # parameters of LSTM(64) on one number a step, 4 · 64 · (1 + 64 + 1), and of Dense(1), 65
    assert re.findall(r"Epoch (\d+)/20", printed) == [str(n) for n in range(1, 21)]


def test_keras_gives_the_unchanged_script_the_same_kinds_of_results(run):
    pytest.importorskip("keras")
    shortened = [script.replace("EPOCHS = 20", "EPOCHS = 2") for script in (SCRIPT, ON_THE_ENGINE)]
    (keras, keras_printed), (engine, engine_printed) = map(run, shortened)
    assert type(keras["model"]).__module__.startswith("keras")
    assert signature(engine) == signature(keras)
    for said in (r"Epoch 2/2", r"val_accuracy: \d\.\d+", r"Accuracy: \d+\.\d\d %", r"16,961"):
        assert re.search(said, keras_printed), said
        assert re.search(said, engine_printed), said
