"""ONNX: onnxruntime, which shares no line with us, computes the same from our tensors and from our exported models."""

import numpy as np
import pytest

import lstm_engine as le
from lstm_engine.interchange import export_onnx, from_onnx_tensors, to_onnx_tensors

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
from onnx import helper  # noqa: E402

T, D, H = 5, 3, 4
# Values are of size 1, float32 rounds at 6e-8, and some ten roundings meet in a step: 1e-6. The most that was measured is a
# third of it; a wrong gate or direction errs by 0.1.
CLOSE = {"rtol": 1e-6, "atol": 1e-6}


def run(source, **inputs):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    return session.run(None, inputs)[0]


def exported(model, tmp_path, **more):
    export_onnx(model, tmp_path / "m.onnx", **more)
    return str(tmp_path / "m.onnx")


# -- tensors ---------------------------------------------------------------------------------------------------------

LAYERS = {
    "LSTM": lambda **o: le.LSTM(H, return_sequences=True, **o),
    "GRU": lambda **o: le.GRU(H, return_sequences=True, **o),
    "GRU, reset before": lambda **o: le.GRU(H, return_sequences=True, reset_after=False, **o),
    "SimpleRNN": lambda **o: le.SimpleRNN(H, return_sequences=True, **o),
}


@pytest.mark.parametrize("use_bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("both_ways", [False, True], ids=["one way", "bidirectional"])
@pytest.mark.parametrize("kind", LAYERS)
def test_a_node_with_our_tensors_computes_what_the_layer_does_and_they_come_back(ours, x, kind, both_ways, use_bias):
    layer = LAYERS[kind](use_bias=use_bias)
    layer = le.Bidirectional(layer) if both_ways else layer
    model = ours([layer])
    tensors = to_onnx_tensors(layer)
    G, dirs = {"LSTM": 4, "GRU": 3, "Simp": 1}[kind[:4].strip(",")], 1 + both_ways
    expected = {"W": (dirs, G * H, D), "R": (dirs, G * H, H)} | ({"B": (dirs, 2 * G * H)} if use_bias else {})
    assert {k: v.shape for k, v in tensors.items()} == expected
    node = helper.make_node(
        {"L": "LSTM", "G": "GRU", "S": "RNN"}[kind[0]], ["X", *tensors], ["Y"], hidden_size=H,
        direction="bidirectional" if both_ways else "forward", **({"linear_before_reset": 1} if kind == "GRU" else {}),
    )  # fmt: skip
    initial = [onnx.numpy_helper.from_array(np.ascontiguousarray(v), k) for k, v in tensors.items()]
    info = [helper.make_tensor_value_info(n, 1, [None] * d) for n, d in (("X", 3), ("Y", 4))]
    graph = helper.make_graph([node], "one", info[:1], info[1:], initial)
    whole = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    y = run(whole.SerializeToString(), X=x.swapaxes(0, 1))  # (T, dirs, N, H)
    np.testing.assert_allclose(model(x), y.transpose(2, 0, 1, 3).reshape(4, T, dirs * H), **CLOSE)

    before = model.get_weights()
    for w in layer.weights.values():
        w[...] = 7.0
    from_onnx_tensors(layer, **tensors)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), before, strict=True))


def test_of_two_biases_the_sum_is_read_and_no_bias_is_zero(ours):
    layer = le.LSTM(H)
    ours([layer])
    tensors = to_onnx_tensors(layer)
    tensors["B"][:, 4 * H :] = 1.0  # Rb
    before = layer.weights["bias"].copy()
    from_onnx_tensors(layer, **tensors)
    np.testing.assert_array_equal(layer.weights["bias"], before + 1)
    from_onnx_tensors(layer, tensors["W"], tensors["R"])
    assert not layer.weights["bias"].any()


def test_tensors_that_do_not_fit_are_refused_with_both_shapes(ours):
    layer, bare = le.LSTM(H), le.LSTM(H, use_bias=False)
    ours([layer]), ours([bare])
    t = to_onnx_tensors(layer)
    with pytest.raises(ValueError, match=r"lstm does not fit.*R has shape \(1, 16, 4\) here, \(16, 4\) there"):
        from_onnx_tensors(layer, t["W"] + 1, t["R"][0], t["B"])
    np.testing.assert_array_equal(to_onnx_tensors(layer)["W"], t["W"])
    with pytest.raises(ValueError, match=r"B \(1, 32\) there has no place here"):
        from_onnx_tensors(bare, **t)
    with pytest.raises(TypeError, match="got Dense"):
        to_onnx_tensors(ours([le.Dense(1)]).layers[0])
    with pytest.raises(ValueError, match="these differ"):
        to_onnx_tensors(ours([le.Bidirectional(le.LSTM(2), backward_layer=le.LSTM(3, go_backwards=True))]).layers[0])
    with pytest.raises(ValueError, match="no weights yet"):
        to_onnx_tensors(le.LSTM(2))


# -- whole models ----------------------------------------------------------------------------------------------------

SHAPES = [(4, T), (1, 1), (3, 17)]  # samples and steps: as built, the least there can be, odd
STACKS = {
    "the tutorial's": lambda: [le.LSTM(H), le.Dense(1, activation="sigmoid")],
    "all sequences": lambda: [
        le.Bidirectional(le.LSTM(H, return_sequences=True)),
        le.GRU(3, return_sequences=True, go_backwards=True),
        le.TimeDistributed(le.Dense(3, "relu")),
        le.Dropout(0.5),
        le.SimpleRNN(2, return_sequences=True),
    ],
    "backwards": lambda: [le.SimpleRNN(3, return_sequences=True, go_backwards=True), le.LSTM(3, go_backwards=True)],
    "both ways to the end": lambda: [le.Bidirectional(le.GRU(3, reset_after=False), "mul"), le.Dense(2, "softmax")],
    "unlike halves": lambda: [
        le.Bidirectional(
            le.LSTM(3, return_sequences=True), backward_layer=le.GRU(2, return_sequences=True, go_backwards=True)
        ),
        le.Bidirectional(le.GRU(2), "sum", backward_layer=le.SimpleRNN(2, go_backwards=True)),
    ],
    "the first half backwards": lambda: [
        le.Bidirectional(
            le.LSTM(3, return_sequences=True, go_backwards=True), "ave", backward_layer=le.LSTM(3, return_sequences=True)
        ),
    ],
    "a bare sum of both ways": lambda: [le.Bidirectional(le.LSTM(3, use_bias=False, return_sequences=True), "sum")],
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("stack", STACKS)
def test_an_exported_model_computes_the_same_on_shapes_of_all_kinds(ours, stack, dtype, tmp_path):
    model = ours(STACKS[stack](), dtype=dtype)
    path, rng = exported(model, tmp_path), np.random.default_rng(3)
    for N, steps in SHAPES:
        x = rng.standard_normal((N, steps, D)).astype("float32")
        np.testing.assert_allclose(run(path, x=x), model(x), **CLOSE)


@pytest.mark.parametrize("stack", [*STACKS, "with Masking", "Masking alone", "zero outputs"])
def test_with_lengths_it_computes_what_the_mask_makes_of_the_model(ours, stack, tmp_path):
    more = {
        "with Masking": lambda: [le.Masking(9.0), le.TimeDistributed(le.Dense(2)), le.GRU(3, return_sequences=True)],
        "Masking alone": lambda: [le.Masking(9.0), le.TimeDistributed(le.Dense(2))],
        "zero outputs": lambda: [
            le.LSTM(3, zero_output_for_mask=True, return_sequences=True),
            le.GRU(3, zero_output_for_mask=True, return_sequences=True, go_backwards=True),
            le.SimpleRNN(3, zero_output_for_mask=True),
        ],
    }
    model = ours((STACKS | more)[stack]())
    path, lengths = exported(model, tmp_path, lengths=True), np.array([5, 1, 3, 0], "int32")
    mask = np.arange(T) < lengths[:, None]
    x = np.random.default_rng(4).standard_normal((4, T, D)).astype("float32")
    if "Masking" in stack:
        x[~mask] = 9.0
    np.testing.assert_allclose(run(path, x=x, lengths=lengths), model(x, mask=mask), **CLOSE)


def test_zero_outputs_at_the_end_go_backwards_too(ours, tmp_path):
    model = ours([le.LSTM(3, zero_output_for_mask=True, go_backwards=True)])
    x, lengths = np.random.default_rng(5).standard_normal((2, T, D)).astype("float32"), np.array([0, 3], "int32")
    y = run(exported(model, tmp_path, lengths=True), x=x, lengths=lengths)
    np.testing.assert_allclose(y, model(x, mask=np.arange(T) < lengths[:, None]), **CLOSE)


IN_CELLS = ["elu", "hard_sigmoid", "leaky_relu", "linear", "relu", "sigmoid", "softplus", "softsign", "tanh"]
IN_CELLS += ["hard_sigmoid_keras2"]


@pytest.mark.parametrize("activation", [*IN_CELLS, "exponential", "relu6", "selu", "softmax"])
def test_every_activation_of_the_engine_is_exported_or_refused_by_name(ours, activation, tmp_path):
    model = ours([le.Dense(4, activation)])
    x = 4 * np.random.default_rng(6).standard_normal((4, T, D)).astype("float32")
    np.testing.assert_allclose(run(exported(model, tmp_path), x=x), model(x), **CLOSE)
    cell = ours([le.GRU(2, activation="leaky_relu", recurrent_activation=activation)])
    other = ours([le.LSTM(2, activation=activation, recurrent_activation="hard_sigmoid")])
    x = np.random.default_rng(7).standard_normal((4, T, D)).astype("float32")
    for model in (cell, other, ours([le.SimpleRNN(2, activation=activation)])):
        model.set_weights([w / 4 for w in model.get_weights()])  # so that what has no bound stays small
        if activation in IN_CELLS:
            np.testing.assert_allclose(run(exported(model, tmp_path), x=x), model(x), **CLOSE)
        else:
            with pytest.raises(ValueError, match=f"no activation '{activation}'"):
                exported(model, tmp_path)


@pytest.mark.parametrize(
    ("layer", "message"),
    [(lambda: le.Masking(), "lengths=True"), (lambda: le.LSTM(2, stateful=True), "stateful")],
    ids=["Masking", "stateful"],
)
def test_what_a_graph_cannot_hold_is_refused_by_name(ours, layer, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        export_onnx(ours([layer()]), tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_without_onnx_the_error_says_what_to_install(ours, monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'lstm-engine\[interop\]'"):
        export_onnx(ours([le.LSTM(2)]), tmp_path / "m.onnx")


def seq2seq():
    source, target = le.Input((None, 2), name="source"), le.Input((None, 3), name="target")
    _, h, c = le.LSTM(4, return_state=True)(source)
    y, _, _ = le.LSTM(4, return_sequences=True, return_state=True)(target, initial_state=[h, c])
    return le.Model([source, target], le.Dense(3, activation="softmax")(y), seed=0)


def both_states():
    x = le.Input((None, 2), name="x")
    y, *states = le.Bidirectional(le.GRU(3, return_state=True), merge_mode="sum")(x)
    return le.Model(x, [y, *states], seed=0)


def names_that_clash():
    x, y = le.Input((None, 2), name="x"), le.Input((None, 3), name="y")
    return le.Model([x, y], le.layers.Concatenate()([x, y]), seed=0)


@pytest.mark.parametrize("make", [seq2seq, both_states, names_that_clash])
def test_a_graph_of_layers_computes_the_same(make, tmp_path):
    model = make()
    export_onnx(model, tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"))
    rng = np.random.default_rng(0)
    x = {
        name: rng.standard_normal((5, 6, shape[-1])).astype("float32")
        for name, shape in zip(
            model.graph.inputs, model.input_shape if len(model.inputs) > 1 else [model.input_shape], strict=True
        )
    }
    theirs = session.run(None, x)
    ours = model.predict(list(x.values()) if len(x) > 1 else x["x"], verbose=0)
    for one, other in zip(theirs, ours if isinstance(ours, list) else [ours], strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)
