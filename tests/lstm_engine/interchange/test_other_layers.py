"""Embedding, LayerNormalization and the layers that lay numbers out anew, in the files of Keras, ONNX and PyTorch."""

import numpy as np
import pytest

import lstm_engine as le
from lstm_engine.gradient_check import unit_scale
from lstm_engine.interchange import export_onnx, from_torch, to_torch

T, D, V = 5, 3, 7
# float32: two implementations round some ten numbers of size 1 apart at a step, 1e-6
CLOSE = {"rtol": 1e-6, "atol": 2e-6}
rng = np.random.default_rng(0)
IDS = rng.integers(1, V, (4, T))
X = rng.standard_normal((4, T, D)).astype("float32")
STACKS = {
    "ids to a tag a step": lambda: [
        le.Embedding(V, 4), le.LSTM(3, return_sequences=True), le.LayerNormalization(), le.Dense(2), le.Activation("softmax")
    ],
    "encoder and decoder": lambda: [
        le.GRU(4), le.RepeatVector(3), le.LSTM(4, return_sequences=True), le.TimeDistributed(le.Dense(2)),
        le.Activation("relu6"),
    ],
    "laid out anew": lambda: [
        le.LSTM(4, return_sequences=True), le.Permute((2, 1)), le.LayerNormalization([1, 2]), le.Reshape((2, -1, 5)),
        le.TimeDistributed(le.Flatten()), le.TimeDistributed(le.Reshape((5, 2))), le.TimeDistributed(le.Permute((2, 1))),
        le.TimeDistributed(le.LayerNormalization(scale=False)), le.Flatten(), le.Dense(2),
    ],
    "steps of ids": lambda: [le.TimeDistributed(le.Embedding(V, 2)), le.TimeDistributed(le.Flatten()), le.SimpleRNN(3)],
    "repeated at every step": lambda: [le.TimeDistributed(le.RepeatVector(2)), le.TimeDistributed(le.Flatten()), le.GRU(2)],
}  # fmt: skip


def data(stack):
    return {"ids to a tag a step": IDS, "steps of ids": np.stack((IDS, IDS[::-1]), axis=-1)}.get(stack, X)


def built(layers, shape, dtype="float32"):
    return unit_scale(le.Sequential([le.Input(shape), *layers], seed=0, dtype=dtype), 1)


def session(path):
    onnxruntime = pytest.importorskip("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


# -- ONNX ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stack", STACKS)
def test_onnxruntime_computes_the_same(stack, tmp_path):
    pytest.importorskip("onnx")
    x = data(stack)
    model = built(STACKS[stack](), x.shape[1:])
    export_onnx(model, tmp_path / "m.onnx")
    runs = session(tmp_path / "m.onnx")
    for rows in (x, x[:1]):
        np.testing.assert_allclose(runs.run(None, {"x": rows})[0], model.predict(rows, verbose=0), **CLOSE)
    if stack != "laid out anew":  # there the number of steps is the number of features
        np.testing.assert_allclose(runs.run(None, {"x": x[:, :2]})[0], model.predict(x[:, :2], verbose=0), **CLOSE)


def test_with_lengths_masked_ids_change_nothing_and_the_mask_ends_at_a_repeat_vector(tmp_path):
    pytest.importorskip("onnx")
    decoder = [le.RepeatVector(2), le.LSTM(3, return_sequences=True)]
    model = built([le.Embedding(V, 4, mask_zero=True), le.GRU(3, return_sequences=True), le.LSTM(3), *decoder], (T,))
    export_onnx(model, tmp_path / "m.onnx", lengths=True)
    lengths = np.array([5, 1, 3, 2], "int32")
    ids = np.where(np.arange(T) < lengths[:, None], IDS, 0)
    y = session(tmp_path / "m.onnx").run(None, {"x": ids, "lengths": lengths})[0]
    np.testing.assert_allclose(y, model.predict(ids, verbose=0), **CLOSE)


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        (lambda: [le.Embedding(V, 2, mask_zero=True), le.LSTM(2)], "embedding: a graph has no masks"),
        (
            lambda: [le.Embedding(V, 2), le.LayerNormalization(1)],
            "layer_normalization: ONNX's LayerNormalization takes",
        ),
    ],
)
def test_what_a_graph_cannot_hold_is_refused_by_name(layers, words, tmp_path):
    pytest.importorskip("onnx")
    with pytest.raises(ValueError, match=words):
        export_onnx(built(layers(), (T,)), tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


# -- PyTorch's layout ------------------------------------------------------------------------------------------------


def test_torch_s_names_and_shapes_are_those_of_its_modules():
    model = built([le.Embedding(V, 4), le.LSTM(3, return_sequences=True), le.LayerNormalization(), le.Dense(2)], (T,))
    state = to_torch(model)
    assert {name: a.shape for name, a in state.items() if not name.startswith("lstm")} == {
        "embedding.weight": (V, 4), "layer_normalization.weight": (3,), "layer_normalization.bias": (3,),
        "dense.weight": (2, 3), "dense.bias": (2,),
    }  # fmt: skip
    np.testing.assert_array_equal(state["embedding.weight"], model.weights["embedding/embeddings"])
    np.testing.assert_array_equal(state["layer_normalization.weight"], model.weights["layer_normalization/gamma"])
    before = model.get_weights()
    model.set_weights([0 * w for w in before])
    from_torch(model, state)
    for w, kept in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(w, kept)


def test_torch_s_modules_compute_the_same_with_our_weights():
    torch = pytest.importorskip("torch")
    model = built([le.Embedding(V, 4), le.LayerNormalization(epsilon=1e-5)], (T,))
    modules = torch.nn.ModuleDict({"embedding": torch.nn.Embedding(V, 4), "layer_normalization": torch.nn.LayerNorm(4)})
    modules.load_state_dict({name: torch.from_numpy(a) for name, a in to_torch(model).items()})
    y = modules["layer_normalization"](modules["embedding"](torch.from_numpy(IDS)))
    np.testing.assert_allclose(model.predict(IDS, verbose=0), y.detach().numpy(), **CLOSE)


@pytest.mark.parametrize(
    ("options", "words"), [({"axis": 1}, "over the last axes only"), ({"scale": False}, r"no bias \(beta\) without")]
)
def test_what_torch_s_layer_norm_does_not_have_is_named(options, words):
    with pytest.raises(ValueError, match=words):
        to_torch(built([le.LayerNormalization(**options)], (T, D)))


# -- Keras's files ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_keras_opens_our_files_and_we_read_keras_s(tmp_path):
    """Every one of these layers; without a recurrent one, which Keras takes seconds to draw."""
    keras = pytest.importorskip("keras")
    pytest.importorskip("h5py")
    layers = [
        le.Embedding(V, 4), le.TimeDistributed(le.LayerNormalization(epsilon=0.1)), le.Permute((2, 1)), le.Reshape((2, -1)),
        le.Flatten(), le.RepeatVector(3), le.LayerNormalization([1, 2], center=False), le.Activation("softsign"), le.Dense(2),
    ]  # fmt: skip
    model = built(layers, (T,))
    expected = model.predict(IDS, verbose=0)
    model.save_weights(tmp_path / "m.keras")
    theirs = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(np.asarray(theirs(IDS)), expected, **CLOSE)
    theirs.save_weights(tmp_path / "m.weights.h5")
    theirs.save(tmp_path / "m.h5")
    for name in ("m.weights.h5", "m.h5"):
        model.set_weights([0 * w for w in model.get_weights()])
        model.load_weights(tmp_path / name)
        np.testing.assert_array_equal(model.predict(IDS, verbose=0), expected)
