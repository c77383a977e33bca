"""What a training looks like from inside: the numbers are the engine's own, and looking changes nothing."""

import numpy as np
import pandas as pd
import pytest

import lstm_engine as le
from experiments.microscope import watching_report
from experiments.microscope.watching import PROBE, Watch, probe

RNG = np.random.default_rng(3)
X, y = RNG.standard_normal((12, 6, 3)), np.tile([0, 1], 6)
LENGTHS = (4, 6, 2, 5, 6, 3, 4, 6, 2, 5, 6, 3)
ROUNDING = 1e-10  # float64: the compiled kernels add in another order than NumPy

LAYERS = {
    "lstm": lambda: [le.LSTM(4)],
    "gru": lambda: [le.GRU(4)],
    "simple_rnn": lambda: [le.SimpleRNN(4)],
    "both ways": lambda: [le.Bidirectional(le.LSTM(4))],
    "stacked": lambda: [le.GRU(4, return_sequences=True), le.Dropout(0.4), le.LSTM(3, go_backwards=True)],
    "dropout inside": lambda: [le.LSTM(4, dropout=0.3, recurrent_dropout=0.2, kernel_regularizer="l2")],
}


def network(kind, **options):
    model = le.Sequential([*LAYERS[kind](), le.Dense(1, activation="sigmoid")], seed=1, **options)
    model.compile(le.Adam(0.01), "binary_crossentropy", metrics=["accuracy"])
    return model


def watched(kind, epochs=2, X=X, y=y, **options):
    """A network after its training, and what was seen of it on its first eight samples."""
    watch, model = Watch(X[:8], y[:8]), network(kind, **options)
    model.fit(X, y, batch_size=5, epochs=epochs, verbose=0, callbacks=watch)
    return model, watch.table().set_index(["epoch", "layer", "quantity"]).sort_index()


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("given", [X, [x[:n] for x, n in zip(X, LENGTHS, strict=True)]], ids=["array", "lists"])
def test_a_watched_training_is_bit_for_bit_the_same(kind, given):
    alone = network(kind)
    alone.fit(given, y, batch_size=5, epochs=3, verbose=0)
    seen, _ = watched(kind, 3, given)
    for a, b in zip(alone.get_weights(), seen.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_equal(alone.history.history, seen.history.history)


def test_a_stateful_layer_keeps_its_states():
    def trained(callbacks):
        model = le.Sequential([le.LSTM(4, stateful=True), le.Dense(1)], seed=1)
        model.compile("adam", "mse")
        model.fit(X, y, batch_size=4, epochs=2, shuffle=False, verbose=0, callbacks=callbacks)
        return model

    alone, seen = trained([]), trained([Watch(X[:3], y[:3])])
    for a, b in zip(alone.get_weights(), seen.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(alone.layers[0].states, seen.layers[0].states)


@pytest.mark.parametrize(
    ("kind", "layers", "gates", "flows"),
    [
        ("lstm", ["lstm"], "i f o", "g c h"),
        ("gru", ["gru"], "z r", "candidate h"),
        ("simple_rnn", ["simple_rnn"], "", "h"),
        ("both ways", ["bidirectional/forward_lstm", "bidirectional/backward_lstm"], "i f o", "g c h"),
    ],
)
def test_every_kind_of_layer_is_seen_before_training_and_after_each_epoch(kind, layers, gates, flows):
    model, table = watched(kind)
    assert table.index.is_unique
    assert table.index.unique("epoch").tolist() == [0, 1, 2]
    assert set(table.index.unique("layer")) == {*layers, "dense"}
    for layer in layers:
        own = table.loc[(2, layer)]
        assert set(own.index[own["mean"].notna()]) == set(gates.split())
        assert set(own.index[own["size"].notna()]) == set(flows.split())
        trace = model.trace(X[:8], y[:8], dtype="float32")[layer]
        for gate in gates.split():
            a = trace[gate].astype(float)
            assert own.loc[gate, "mean"] == a.mean()
            assert own.loc[gate, "spread"] == a.std()
            assert own.loc[gate, "low"] == np.mean(a < 0.1)
            assert own.loc[gate, "high"] == np.mean(a > 0.9)
        for flow in flows.split():
            assert own.loc[flow, "size"] == np.abs(trace[flow].astype(float)).mean()


def test_masked_steps_do_not_count():
    ragged = [x[:n] for x, n in zip(X, LENGTHS, strict=True)]
    model, table = watched("lstm", X=ragged)
    trace = model.trace(ragged[:8], dtype="float32")["lstm"]
    steps = {name: np.concatenate([a[:n] for a, n in zip(trace[name], LENGTHS, strict=False)]) for name in ("f", "c")}
    own = table.loc[(2, "lstm")]
    assert own.loc["f", "mean"] == pytest.approx(steps["f"].astype(float).mean(), rel=1e-12)
    assert own.loc["c", "size"] == pytest.approx(np.abs(steps["c"].astype(float)).mean(), rel=1e-12)


@pytest.mark.parametrize("kind", LAYERS)
def test_gradient_norms_are_those_of_the_models_gradients(kind):
    model, table = watched(kind, dtype="float64")
    _, gradients = model.gradients(X[:8], y[:8])
    for name, g in gradients.items():
        layer, _, quantity = name.rpartition("/")
        own = table.loc[(2, layer)]
        assert own.loc[quantity, "gradient"] == pytest.approx(np.linalg.norm(g), rel=ROUNDING)
        assert own.loc[quantity, "weight"] == pytest.approx(np.linalg.norm(model.weights[name]), rel=1e-12)
    if kind == "lstm":
        f = table.loc[(2, "lstm", "recurrent_kernel/f"), "gradient"]
        assert f == pytest.approx(np.linalg.norm(gradients["lstm/recurrent_kernel"][:, 4:8]), rel=ROUNDING)
        parts = table.loc[[(2, "lstm", f"bias/{gate}") for gate in "ifgo"], "gradient"]
        assert np.linalg.norm(parts) == pytest.approx(table.loc[(2, "lstm", "bias"), "gradient"], rel=1e-12)


def test_the_update_is_that_of_an_epochs_last_step():
    first, last = np.arange(6), np.arange(6, 12)
    before, after, watch = network("lstm"), network("lstm"), Watch(X[:8], y[:8])
    before.fit(X, y, order=[[first]], verbose=0)
    after.fit(X, y, order=[[first, last]], verbose=0, callbacks=watch)
    update = watch.table().set_index(["epoch", "layer", "quantity"])["update"]
    assert update.loc[0].isna().all()
    for name, w in after.weights.items():
        layer, _, quantity = name.rpartition("/")
        w, old = w.astype(float), before.weights[name].astype(float)
        expected = np.linalg.norm(w - old) / np.linalg.norm(w)
        assert update.loc[(1, layer, quantity)] == pytest.approx(
            expected, rel=1e-6
        )  # a float32 difference, rounded once


def test_a_fit_for_each_epoch_is_seen_as_one_for_all():
    order = [[np.arange(k, 12), np.arange(k)] for k in (5, 7)]
    once, turns, model = Watch(X[:8], y[:8]), Watch(X[:8], y[:8]), network("stacked")
    network("stacked").fit(X, y, epochs=2, order=order, verbose=0, callbacks=once)
    for own in order:
        model.fit(X, y, order=[own], verbose=0, callbacks=turns)
    pd.testing.assert_frame_equal(once.table(), turns.table())


@pytest.mark.parametrize("backwards", [False, True])
def test_a_layer_that_forgets_has_a_gradient_that_vanishes_on_its_way_to_the_first_step_read(backwards):
    model = le.Sequential([le.SimpleRNN(4, go_backwards=backwards), le.Dense(1, activation="sigmoid")], seed=1)
    model.build((None, 3))
    model.compile("sgd", "binary_crossentropy")
    model.weights["simple_rnn/recurrent_kernel"][:] = 0.01 * np.eye(4)
    watch = Watch([x[:n] for x, n in zip(X, LENGTHS, strict=True)], y)
    watch.set_model(model)
    watch.look()
    norm = watch.table().set_index("quantity")["gradient"]
    first, last = norm["h at the first step"], norm["h at the last step"]
    # ∂L/∂h_t = .01 (1 - h²) ∂L/∂h_(t+1) on each step back, and the shortest sequences have one such step
    assert 0 < first < 0.011 * last
    p = model.predict(watch.X, verbose=0).ravel()
    of_head = np.abs(p - y) / len(y) * np.linalg.norm(model.weights["dense/kernel"])  # ‖∂L/∂h_T‖ of each sequence
    assert last == pytest.approx(of_head.mean(), rel=1e-5)  # float32


@pytest.mark.parametrize("n", [1, 7, PROBE, 300])
def test_a_probe_has_every_label_by_its_share(n):
    labels = np.arange(n) % 10 < 3
    rows = probe(labels)
    assert len(rows) == len(set(rows)) == min(n, PROBE)
    assert abs(labels[rows].sum() - labels.mean() * len(rows)) <= 1


FAST = ("stacked", "simple_rnn")  # a GRU and an LSTM, and a layer without gates; the others draw the same pictures


@pytest.mark.parametrize("kind", [k if k in FAST else pytest.param(k, marks=pytest.mark.slow) for k in LAYERS])
def test_a_report_draws_every_kind_of_layer(kind):
    _, table = watched(kind)
    page = "".join(watching_report.parts(table.reset_index()))
    gated = kind != "simple_rnn"
    assert page.count("<img") == 5 + 2 * gated
    assert ("forget gate that rises" in page) == gated


def test_a_network_without_recurrent_layers_is_drawn_too():
    model, watch = le.Sequential([le.Dense(1, activation="sigmoid")], seed=0), Watch(X[:, 0], y)
    model.compile("adam", "binary_crossentropy")
    model.fit(X[:, 0], y, verbose=0, callbacks=watch)
    assert "".join(watching_report.parts(watch.table())).count("<img") == 2


def test_the_pictures_lines_are_the_tables_numbers():
    _, table = watched("lstm")
    whole = table.reset_index()
    (gates,) = watching_report.by_layer(whole, "mean", "", watching_report.open_gates).axes
    drawn = {line.get_label(): line.get_ydata() for line in gates.lines}
    np.testing.assert_array_equal(drawn["f"], table.xs(("lstm", "f"), level=("layer", "quantity"))["mean"])
    (by_weights,) = watching_report.of_network(whole, "", watching_report.gradients).axes
    norms = [table.loc[(2, "lstm", name), "gradient"] for name in ("kernel", "recurrent_kernel", "bias")]
    drawn = {line.get_label(): line.get_ydata() for line in by_weights.lines}
    assert drawn["lstm"][2] == pytest.approx(np.linalg.norm(norms), rel=1e-12)
    (by_gate,) = watching_report.by_layer(whole, "size", "", watching_report.gradient_of_gates).axes
    norms = [table.loc[(2, "lstm", f"{name}/o"), "gradient"] for name in ("kernel", "recurrent_kernel", "bias")]
    drawn = {line.get_label(): line.get_ydata() for line in by_gate.lines}
    assert drawn["o"][2] == pytest.approx(np.linalg.norm(norms), rel=1e-12)


def test_a_picture_reaches_as_high_as_the_largest_of_its_layers():
    rows = [
        (epoch, layer, 0.2 + size * epoch) for epoch in range(3) for layer, size in (("small", 0.1), ("large", 3.0))
    ]
    table = pd.DataFrame([{"epoch": e, "layer": name, "quantity": "c", "size": size} for e, name, size in rows])
    for panel in watching_report.by_layer(table, "size", "", watching_report.flows).axes:
        low, high = panel.get_ylim()
        assert high >= table["size"].max()
        assert low <= 0
