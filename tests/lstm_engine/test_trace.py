import numpy as np
import pytest

import lstm_engine as le
from lstm_engine.activations import ACTIVATIONS
from lstm_engine.gradient_check import unit_scale

N, T, D, H = 3, 6, 2, 4
MASK = np.array([[1, 1, 0, 1, 1, 1], [1, 1, 1, 0, 0, 0], [0, 0, 1, 1, 1, 1]], bool)
CELLS = {
    "LSTM": le.LSTM,
    "GRU": le.GRU,
    "GRU before": lambda *a, **k: le.GRU(*a, reset_after=False, **k),
    "SimpleRNN": le.SimpleRNN,
}
SIGMOID = {"i": "z_i", "f": "z_f", "o": "z_o", "z": "z_z", "r": "z_r"}  # gates by sigmoid, and their pre-activations
EXACT = 1e-12  # float64: a few roundings a step, relative to arrays of size 1


def model(*layers, dtype="float64", **options):
    made = le.Sequential([le.Input((None, D)), *layers], seed=0, dtype=dtype, **options)
    made.compile("sgd", "mse")
    return unit_scale(made)


def sequences(cell, **options):
    return model(CELLS[cell](H, return_sequences=True, **options), le.Dense(2))


@pytest.fixture
def batch():
    rng = np.random.default_rng(1)
    return rng.standard_normal((N, T, D)), rng.standard_normal((N, T, 2))


@pytest.mark.parametrize("cell", CELLS)
def test_a_traces_prediction_and_gradients_are_the_kernels(cell, batch):
    net = sequences(cell)
    assert net.layers[0].backends() == {"numba"}
    trace, (loss, gradients) = net.trace(*batch, mask=MASK), net.gradients(*batch, mask=MASK)
    np.testing.assert_allclose(trace.p, net.predict(batch[0], mask=MASK, verbose=0), rtol=0, atol=EXACT)
    assert trace.loss == pytest.approx(loss, rel=EXACT)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(trace.grad[name], gradient, rtol=0, atol=EXACT, err_msg=name)


@pytest.mark.parametrize("targets", [True, False])
@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("cell", CELLS)
def test_by_now_is_what_each_beginning_would_have_got(cell, last, targets, batch):
    x, y = batch
    net = model(
        le.LSTM(3, return_sequences=True), CELLS[cell](H, return_sequences=not last), le.Dropout(0.5), le.Dense(2)
    )
    said = net.trace(x, (y[:, 0] if last else y) if targets else None, mask=MASK).by_now
    for t in range(T):
        beginning = net.predict(x[:, : t + 1], mask=MASK[:, : t + 1], verbose=0)
        np.testing.assert_allclose(said[:, t], beginning if last else beginning[:, -1], rtol=0, atol=EXACT)


@pytest.mark.parametrize("layer", [le.Bidirectional(le.LSTM(H)), le.LSTM(H, go_backwards=True)])
def test_what_reads_from_the_end_says_nothing_by_now(layer, batch):
    assert model(layer, le.Dense(2)).trace(batch[0]).by_now is None


def test_a_float32_model_is_traced_in_float64_unless_asked(batch):
    net = model(le.LSTM(H), le.Dense(1), dtype="float32")
    y = batch[1][:, 0, :1]
    assert net.trace(batch[0], y)["lstm"].f.dtype == np.float64
    narrow = net.trace(batch[0], y, dtype="float32")
    assert narrow["lstm"].f.dtype == narrow["lstm"].grad.f.dtype == np.float32
    np.testing.assert_allclose(narrow.p, net.predict(batch[0], verbose=0), rtol=0, atol=1e-6)


def test_a_file_has_the_mask_and_no_name_twice(batch, tmp_path):
    trace = sequences("LSTM").trace(*batch, mask=MASK)
    trace.to_npz(tmp_path / "trace.npz")
    np.testing.assert_array_equal(np.load(tmp_path / "trace.npz")["mask"], MASK)
    named = model(le.LSTM(H, return_sequences=True, name="grad"), le.Dense(2)).trace(*batch)
    with pytest.raises(ValueError, match='a layer named "grad"'):
        named.to_npz(tmp_path / "other.npz")


def test_a_table_of_nothing_is_refused(batch):
    with pytest.raises(ValueError, match="no recurrent layer was traced"):
        model(le.Dense(2)).trace(*batch).to_frame()


@pytest.mark.parametrize("cell", CELLS)
def test_gates_are_the_activations_of_their_pre_activations(cell, batch):
    layer = next(iter(sequences(cell).trace(*batch).layers.values()))
    for gate, z in (SIGMOID | {"g": "z_g", "candidate": "z_candidate"}).items():
        if gate in layer:
            activation = ACTIVATIONS["sigmoid" if gate in SIGMOID else "tanh"]
            np.testing.assert_allclose(activation.forward(layer[z]), layer[gate], rtol=0, atol=EXACT, err_msg=gate)
            np.testing.assert_allclose(
                activation.backward(layer[gate], layer.grad[gate]), layer.grad[z], rtol=0, atol=EXACT, err_msg=gate
            )


def test_an_lstms_values_keep_its_equations(batch):
    net = sequences("LSTM")
    t = net.trace(*batch)["lstm"]
    before = np.concatenate([t.c0[:, None], t.c[:, :-1]], axis=1)
    np.testing.assert_allclose(t.c, t.f * before + t.i * t.g, rtol=0, atol=EXACT)
    np.testing.assert_allclose(t.h, t.o * np.tanh(t.c), rtol=0, atol=EXACT)
    np.testing.assert_allclose(t.grad.f, t.grad.c * before, rtol=0, atol=EXACT)
    W, U, b = net.layers[0].get_weights()
    h_before = np.concatenate([t.h0[:, None], t.h[:, :-1]], axis=1)
    z = np.concatenate([t.z_i, t.z_f, t.z_g, t.z_o], axis=-1)
    np.testing.assert_allclose(z, t.x @ W + h_before @ U + b, rtol=0, atol=EXACT)


@pytest.mark.parametrize("cell", ["LSTM", "SimpleRNN"])
def test_pre_activation_gradients_add_up_to_the_bias_gradient(cell, batch):
    net = sequences(cell)
    layer = net.trace(*batch, mask=MASK)[net.layers[0].name]
    summed = np.concatenate([layer.grad[z].sum((0, 1)) for z in layer if z.startswith("z_")])
    np.testing.assert_allclose(
        summed, net.gradients(*batch, mask=MASK)[1][f"{net.layers[0].name}/bias"], rtol=0, atol=EXACT
    )


@pytest.mark.parametrize("cell", CELLS)
def test_a_masked_step_has_no_gates_and_hands_its_state_on(cell, batch):
    net = sequences(cell)
    layer = net.trace(*batch, mask=MASK)[net.layers[0].name]
    np.testing.assert_array_equal(layer.mask, MASK)
    for name in layer.by_unit():
        if name not in ("h", "c"):
            np.testing.assert_array_equal(np.isnan(layer[name][..., 0]), ~MASK, err_msg=name)
            assert (layer.grad[name][~MASK] == 0).all()
    np.testing.assert_array_equal(layer.h[0, 2], layer.h[0, 1])


@pytest.mark.parametrize("cell", CELLS)
def test_padding_changes_nothing(cell):
    """A sequence in a padded list has the values that it has alone, and the gradients, for its share of the loss."""
    rng = np.random.default_rng(2)
    rows, y = [rng.standard_normal((n, D)) for n in (3, 6)], rng.standard_normal((2, 1))
    net = model(CELLS[cell](H), le.Dense(1))
    name = net.layers[0].name
    both, alone = net.trace(rows, y)[name], net.trace(rows[0][None], y[:1])[name]
    for key in alone.by_unit():
        np.testing.assert_allclose(both[key][0, :3], alone[key][0], rtol=0, atol=EXACT, err_msg=key)
        np.testing.assert_allclose(both.grad[key][0, :3], alone.grad[key][0] / 2, rtol=0, atol=EXACT, err_msg=key)


def test_a_layer_that_reads_backwards_is_shown_in_the_inputs_order(batch):
    x, y = batch
    net = model(le.LSTM(H, go_backwards=True), le.Dense(1))
    forwards = model(le.LSTM(H), le.Dense(1))
    forwards.set_weights(net.get_weights())
    there, back = net.trace(x, y[:, 0, :1])["lstm"], forwards.trace(x[:, ::-1], y[:, 0, :1])["lstm"]
    assert there.go_backwards
    for name in there.by_unit():
        np.testing.assert_allclose(there[name], back[name][:, ::-1], rtol=0, atol=EXACT, err_msg=name)
        np.testing.assert_allclose(there.grad[name], back.grad[name][:, ::-1], rtol=0, atol=EXACT, err_msg=name)
    np.testing.assert_array_equal(there.x, x)


def test_every_recurrent_layer_and_direction_has_a_trace(batch):
    x, y = batch
    net = model(le.Bidirectional(le.GRU(H, return_sequences=True)), le.LSTM(3), le.Dense(1))
    trace = net.trace(x, y[:, 0, :1])
    assert list(trace.layers) == ["bidirectional/forward_gru", "bidirectional/backward_gru", "lstm"]
    merged = np.concatenate([trace["bidirectional/forward_gru"].h, trace["bidirectional/backward_gru"].h], axis=-1)
    np.testing.assert_allclose(merged, trace["lstm"].x, rtol=0, atol=EXACT)
    dx = np.concatenate(
        [trace["bidirectional/forward_gru"].grad.h, trace["bidirectional/backward_gru"].grad.h], axis=-1
    )
    assert dx.shape == trace["lstm"].grad.x.shape
    last, first = trace["bidirectional/forward_gru"].grad.h[:, -1], trace["bidirectional/backward_gru"].grad.h[:, 0]
    np.testing.assert_allclose(
        last, trace["lstm"].grad.x[:, -1, :H], rtol=0, atol=EXACT
    )  # nothing comes back from a later step
    np.testing.assert_allclose(first, trace["lstm"].grad.x[:, 0, H:], rtol=0, atol=EXACT)


def test_without_targets_there_are_values_and_no_gradients(batch):
    trace = sequences("LSTM").trace(batch[0])
    assert trace.loss is None
    assert trace["lstm"].grad is None
    assert not trace.grad
    assert not [name for name in trace["lstm"].to_frame() if name.startswith("grad")]


def test_kept_states_are_where_a_trace_begins_and_stay(batch):
    x, y = batch
    net = model(le.LSTM(H, stateful=True), le.Dense(1))
    net.predict(x, batch_size=N, verbose=0)
    kept = [s.copy() for s in net.layers[0].states]
    trace = net.trace(x, y[:, 0, :1])
    np.testing.assert_array_equal(trace["lstm"].h0, kept[0])
    np.testing.assert_array_equal(trace["lstm"].c0, kept[1])
    assert np.abs(trace["lstm"].grad.c0).min() > 0
    for now, before in zip(net.layers[0].states, kept, strict=True):
        np.testing.assert_array_equal(now, before)


def test_a_frame_has_a_row_for_every_live_step_and_unit(batch):
    trace = model(le.LSTM(H, return_sequences=True), le.LSTM(2), le.Dense(1)).trace(
        batch[0], batch[1][:, 0, :1], mask=MASK
    )
    frame = trace.to_frame()
    assert len(frame) == MASK.sum() * (H + 2)
    row = frame.loc[("lstm", 1, 2, 3)]
    assert row["f"] == trace["lstm"].f[1, 2, 3]
    assert row["grad_c"] == trace["lstm"].grad.c[1, 2, 3]
    assert not frame.isna().any().any()


def test_a_file_holds_every_array(batch, tmp_path):
    trace = sequences("GRU").trace(*batch, mask=MASK)
    trace.to_npz(tmp_path / "trace.npz")
    with np.load(tmp_path / "trace.npz") as file:
        np.testing.assert_array_equal(file["gru/r"], trace["gru"].r)
        np.testing.assert_array_equal(file["gru/grad/r"], trace["gru"].grad.r)
        np.testing.assert_array_equal(file["gru/mask"], MASK)
        np.testing.assert_array_equal(file["grad/gru/kernel"], trace.grad["gru/kernel"])
        assert float(file["loss"]) == trace.loss
        assert {"p", "gru/h0", "grad/x"} <= set(file)


def test_names_that_are_not_there_are_answered_with_those_that_are(batch):
    trace = sequences("LSTM").trace(*batch)
    with pytest.raises(KeyError, match="no recurrent layer 'gru' was traced, but lstm"):
        trace["gru"]
    with pytest.raises(AttributeError, match="no 'forget' here, but x, z_i"):
        _ = trace["lstm"].forget
    with pytest.raises(ValueError, match="there is none without y"):
        sequences("LSTM").trace(batch[0], sample_weight=np.ones(N))


def test_a_trace_keeps_blas_to_one_thread(batch, monkeypatch):
    """Its products are small, and a second thread waits longer for the first than either computes."""
    from threadpoolctl import threadpool_info, threadpool_limits

    seen, forward_pass = [], le.Sequential.forward_pass

    def watched(*arguments, **options):
        seen.extend(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
        return forward_pass(*arguments, **options)

    monkeypatch.setattr(le.Sequential, "forward_pass", watched)
    with threadpool_limits(2, "blas"):
        sequences("LSTM").trace(*batch)
    assert set(seen) == {1}
