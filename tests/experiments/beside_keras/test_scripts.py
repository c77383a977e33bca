"""The harness of public Keras scripts, on small scripts of our own: imports, mends, data, records and their comparison."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

import lstm_engine as le
from experiments.beside_keras.scripts import report, stand_ins
from experiments.beside_keras.scripts.comparing import compare, difference
from experiments.beside_keras.scripts.listing import SCRIPTS, Script
from experiments.beside_keras.scripts.process import EngineSide, Record, peeked, watched, window_batches
from experiments.beside_keras.scripts.rewriting import KERAS_2, SIZE, Mend, code, mended, rewritten

TINY = """
import numpy as np
from keras.models import Sequential
from keras.optimizers import Adam
from keras.layers.recurrent import LSTM
from keras.layers.core import Dense, Dropout
X, y = np.random.rand(6, 3, 2), np.random.rand(6, 1)
model = Sequential()
model.add(LSTM(3, input_shape=(3, 2), dropout=0.5))
model.add(Dropout(0.5))
model.add(Dense(1))
model.compile(optimizer=Adam(lr=0.01), loss="mse")
model.fit(X, y, epochs=50, batch_size=2, workers=1)
print(model.predict(X[:2]))
"""


@pytest.mark.parametrize(
    ("written", "keras", "engine"),
    [
        ("import keras", "import keras", "import lstm_engine as keras"),
        ("from tensorflow import keras", "import keras", "import lstm_engine as keras"),
        ("import tensorflow as tf", "import tensorflow as tf", "import tensorflow as tf"),
        ("from keras.layers import LSTM", "from keras.layers import LSTM", "from lstm_engine.layers import LSTM"),
        (
            "from tensorflow.keras.layers import LSTM as L", "from keras.layers import LSTM as L",
            "from lstm_engine.layers import LSTM as L",
        ),
        ("from keras.layers.recurrent import GRU", "from keras.layers import GRU", "from lstm_engine.layers import GRU"),
        ("from keras.utils import np_utils", "from keras import utils as np_utils",
         "from lstm_engine import utils as np_utils"),
        ("from keras.layers import recurrent", "from keras import layers as recurrent",
         "from lstm_engine import layers as recurrent"),
        ("import keras.backend as K", "import keras.backend as K", "import lstm_engine.backend as K"),
        ("import keras.losses", "import keras.losses\nimport keras",
         "import lstm_engine.losses\nimport lstm_engine as keras"),
        ("from .dnn import DNN", "from .dnn import DNN", "from .dnn import DNN"),
        ("import keras_hub", "import keras_hub", "import keras_hub"),
    ],
)  # fmt: skip
def test_only_imports_of_keras_change(written, keras, engine):
    assert rewritten(written, "keras").strip() == keras
    assert rewritten(written, "lstm_engine").strip() == engine


def test_rates_of_dropout_become_zero():
    text = rewritten("LSTM(3, dropout=0.2, recurrent_dropout=r)\nlayers.Dropout(0.5)\nDropout(rate=0.5)", "keras")
    assert text.split("\n") == [
        "LSTM(3, dropout=0.0, recurrent_dropout=0.0)",
        "layers.Dropout(0.0)",
        "Dropout(rate=0.0)",
        "",
    ]


def test_notebook_is_its_code_without_shell_lines():
    cells = [
        {"cell_type": "markdown", "source": ["text"]},
        {"cell_type": "code", "source": ["!wget x\n", "a = 1\n", "%time"]},
    ]
    assert code(json.dumps({"cells": cells}), "x.ipynb") == "a = 1"


def test_mend_that_does_not_fit_is_an_error():
    assert mended("epochs = 40", [Mend("40", "2", SIZE)]) == "epochs = 2"
    with pytest.raises(ValueError, match="the listed commit"):
        mended("epochs = 30", [Mend("40", "2", SIZE)])


def test_listed_scripts_are_46_and_every_mend_that_matters_says_why():
    assert len({(s.repository, s.commit, s.path) for s in SCRIPTS}) == len({s.name for s in SCRIPTS}) == 46
    assert all(mend.why for script in SCRIPTS for mend in script.mends if mend.kind != SIZE)


@pytest.mark.parametrize("write", [stand_ins.nietzsche, stand_ins.french, stand_ins.french_zipped, stand_ins.stories])
def test_stand_ins_are_the_same_each_time(write, tmp_path):
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
        write(folder)
    first, second = ({f.name: f.stat().st_size for f in d.rglob("*") if f.is_file()} for d in folders)
    assert first == second
    assert min(first.values()) > 0


def test_windows_are_those_of_the_documentation():
    batches = window_batches(np.arange(10)[:-3], np.arange(10)[3:], sequence_length=3, batch_size=2)
    x, y = zip(*batches, strict=True)
    assert np.concatenate(x).tolist() == [[0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5], [4, 5, 6]]
    assert np.concatenate(y).tolist() == [3, 4, 5, 6, 7]


def test_difference_is_norm_wise_and_infinite_where_nothing_corresponds():
    assert difference([3.0, 4.0 + 5e-3], [3.0, 4.0]) == pytest.approx(1e-3)
    assert difference([np.nan, 1], [np.nan, 1]) == 0
    assert difference([np.nan], [1]) == difference([1, 2], [1]) == np.inf


def reference(tmp_path) -> Record:
    """The record of one fit and one predict, with weights 2 and 1 of a Dense(1), as Keras's side leaves it."""
    record = Record()
    fit, predict = record.begin("fit"), record.begin("predict")
    for event in (fit, predict):
        event["layers"] = [2]
        record.keep(event, "weights", [[np.array([[2.0]]), np.array([1.0])]])
    record.order(fit, 4)  # to see the shapes
    record.order(fit, 4)
    fit["history"] = {"loss": [25.0]}
    record.write(tmp_path)
    return Record(tmp_path)


def test_engine_begins_with_the_weights_and_the_order_that_were_recorded(tmp_path):
    record = reference(tmp_path)
    side = EngineSide(record)
    model = le.Sequential([le.Dense(1)])
    model.compile("sgd", "mse")
    X = np.full((4, 1), 2.0)
    seen = []

    def fit(self, x=None, y=None, batch_size=None, epochs=1, verbose=1, order=None):
        seen.extend([epochs, order, *self.get_weights()])
        return self.fit(x, y, batch_size, epochs, verbose, order=order)

    watched(fit, "fit", record, side)(model, X, np.zeros(4), batch_size=2, epochs=1)
    epochs, order, kernel, bias = seen
    assert (epochs, kernel.item(), bias.item()) == (1, 2.0, 1.0)
    assert np.concatenate(order[0]).tolist() == record.reference.arrays["0/order/1"].tolist()
    moved = model.get_weights()[0].item()
    watched(le.Sequential.predict, "predict", record, side)(model, X)
    assert model.get_weights()[0].item() == moved != 2.0  # weights are given once
    assert [event["verb"] for event in record.events] == ["fit", "predict"]


def test_another_call_than_keras_made_is_an_error(tmp_path):
    record = reference(tmp_path)
    model = le.Sequential([le.Dense(1)])
    with pytest.raises(ValueError, match="call 0 is predict here"):
        watched(le.Sequential.predict, "predict", record, EngineSide(record))(model, np.zeros((2, 1)))


def test_comparison_sees_a_wrong_loss_a_wrong_output_and_a_missing_call():
    def record(loss: float, output: float, calls: int) -> Record:
        made = Record()
        made.begin("fit")["history"] = {"loss": [1.0, loss], "accuracy": [loss, loss]}
        for _ in range(calls):
            made.keep(made.begin("predict"), "result", np.array([output, 1.0]))
        return made

    right = record(1.0, 1.0, 1)
    assert compare(record(1.0 + 9e-5, 1.0, 1), right).same
    assert compare(record(1.0 + 2e-4, 1.0, 1), right).where == "call 0, fit: loss of epoch 1"
    assert compare(record(1.0, 1.001, 1), right).where == "call 1, predict: result 0"
    assert not compare(record(1.0, 1.0, 0), right).same
    assert compare(right, right).outputs == 1


def listed(tmp_path: Path, text: str) -> Script:
    """A script of our own, in a folder that stands for a clone."""
    clone = tmp_path / "clones" / "me+mine"
    clone.mkdir(parents=True)
    (clone / "tiny.py").write_text(text)
    words = (
        Mend("lr=", "learning_rate=", KERAS_2, "lr is learning_rate"),
        Mend(", workers=1", "", KERAS_2, "no workers"),
    )
    return Script("tiny", "me/mine", "0" * 40, "tiny.py", mends=words)


def test_script_without_a_clone_says_how_to_get_it(tmp_path):
    script = Script("tiny", "me/mine", "0" * 40, "tiny.py")
    outcome = report.run_both(script, tmp_path, tmp_path)
    assert (outcome.result, outcome.says) == (
        report.MISSING,
        f"git clone https://github.com/me/mine {tmp_path}/me+mine",
    )


@pytest.mark.slow
def test_script_runs_in_both_with_the_same_numbers(tmp_path):
    pytest.importorskip("keras")
    script = listed(tmp_path, TINY)
    outcome = report.run_both(script, tmp_path / "clones", tmp_path)
    assert outcome.result == report.RUNS, outcome.says
    assert (outcome.comparison.calls, outcome.comparison.losses, outcome.comparison.outputs) == (2, 2, 1)
    assert outcome.comparison.largest < 1e-5
    page = report.page([outcome])
    assert "**1 of 1 run to their end" in page
    assert "- 1 of these have words of Keras 2" in page
    assert "| tiny | runs |" in page
    assert "| for Keras alone: lr is learning_rate; for Keras alone: no workers |" in page
    here, theirs = ((tmp_path / f"in_{side}" / "tiny.py").read_text() for side in ("lstm_engine", "keras"))
    assert "Adam(lr=0.01)" in here
    assert "Adam(learning_rate=0.01)" in theirs


def test_batches_that_were_looked_at_are_shown_once():
    first, batches = peeked(iter(range(6)))
    assert first == [0, 1]
    assert next(batches()) == 0  # Keras looks at the first to see the shapes, and begins again
    assert list(itertools.islice(batches(), 4)) == [0, 1, 2, 3]
    assert list(batches()) == [4, 5]
