"""Files whose bytes depend on what they hold alone."""

import zipfile

import numpy as np
import pytest
from safetensors.numpy import load

import lstm_engine as le
from lstm_engine.files import as_safetensors


@pytest.fixture
def model():
    model = le.Sequential([le.LSTM(3), le.Dense(1, "sigmoid")], seed=0)
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    model.fit(np.ones((2, 3, 2)), np.ones(2), verbose=0)
    return model


def test_the_order_in_which_content_comes_leaves_no_trace():
    arrays, texts = {"b": np.arange(3.0), "a": np.float32([[1, 2]])}, {"z": "ü", "y": "2", "x": "3", "w": "4"}
    content = as_safetensors(arrays, texts)
    turned = [dict(reversed(items.items())) for items in (arrays, texts)]
    assert all(as_safetensors(*turned) == content for _ in range(5))
    read = load(content)
    assert {name: a.tolist() for name, a in read.items()} == {name: a.tolist() for name, a in arrays.items()}
    assert int.from_bytes(content[:8], "little") % 8 == 0  # else the arrays could not be mapped into memory


@pytest.mark.parametrize("ending", [".safetensors", ".keras", ".h5", ".weights.h5", ".npz"])
def test_one_model_has_one_file(model, tmp_path, ending):
    if "h5" in ending or "keras" in ending:
        pytest.importorskip("h5py")

    def written(name):
        path = tmp_path / (name + ending)
        if ending == ".npz":
            model.trace(np.ones((1, 3, 2)), np.ones(1)).save(path)
        elif ending == ".weights.h5":
            model.save_weights(path)
        else:
            model.save(path, **({} if ending in (".keras", ".h5") else {"metadata": {"b": 1, "a": [2]}}))
        if zipfile.is_zipfile(path):
            assert {member.date_time[0] for member in zipfile.ZipFile(path).infolist()} == {1980}
        return path.read_bytes()

    assert len({written(name) for name in "abcd"}) == 1
