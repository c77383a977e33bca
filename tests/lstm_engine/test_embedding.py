"""Embedding: rows of a table for ids, their gradient as a sum, masks, and models that begin with ids."""

import numpy as np
import pytest

import lstm_engine as le
from lstm_engine.gradient_check import unit_scale

V, D, N, T = 6, 3, 4, 5
IDS = np.array([[1, 2, 1, 0, 0], [5, 1, 4, 2, 3], [3, 3, 3, 3, 0], [2, 0, 1, 0, 0]])


def model(*layers, loss="mse", dtype="float64", **options):
    made = le.Sequential([*layers], seed=0, dtype=dtype, **options)
    made.compile("sgd", loss)
    return made


def built(layer, shape=(T,), dtype="float64"):
    layer.build(shape, dtype, "numpy", np.random.default_rng(0))
    return layer


def test_a_step_is_the_row_of_its_id_and_an_id_that_stands_twice_adds_both_gradients():
    layer = built(le.Embedding(V, D))
    E = layer.weights["embeddings"]
    y, states, tape = layer.forward(IDS.astype(float))
    np.testing.assert_array_equal(y, E[IDS])
    assert states == []
    dy = np.random.default_rng(1).standard_normal(y.shape)
    dx, _, gradients = layer.backward(tape, dy)
    one_hot = np.eye(V)[IDS]
    np.testing.assert_allclose(gradients["embeddings"], np.einsum("ntv,ntd->vd", one_hot, dy), rtol=1e-14, atol=1e-15)
    assert dx is None
    y += 1  # what is handed out may be written to
    np.testing.assert_array_equal(layer.forward(IDS.astype(float))[0], E[IDS])


def test_ids_of_any_shape_get_one_more_axis():
    layer = built(le.Embedding(V, D), (2, 5))
    assert layer(np.ones((4, 2, 5))).shape == (4, 2, 5, D)
    assert layer(np.ones((4, 7))).shape == (4, 7, D)  # the table fits ids of any shape
    assert layer.output_shape((2, 5)) == (2, 5, D)


@pytest.mark.parametrize("mask_zero", [False, True])
def test_steps_of_id_0_are_masked_with_mask_zero_and_a_mask_that_is_there_is_kept(mask_zero):
    layer = built(le.Embedding(V, D, mask_zero=mask_zero))
    given = np.arange(T) < np.array([[2], [5], [3], [4]])
    assert (layer.output_mask(IDS, None) is None) == (not mask_zero)
    if mask_zero:
        np.testing.assert_array_equal(layer.output_mask(IDS, None), IDS != 0)
    np.testing.assert_array_equal(layer.output_mask(IDS, given), given & (IDS != 0) if mask_zero else given)


def test_padding_changes_nothing_with_mask_zero():
    net = model(le.Embedding(V, D, mask_zero=True), le.Bidirectional(le.LSTM(3)), le.Dense(2))
    short = net.predict(IDS[3:, :1], verbose=0)
    np.testing.assert_allclose(net.predict(np.array([[2, 0, 0, 0, 0, 0]]), verbose=0), short, rtol=1e-14)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (V, r"X\[2, 1\] is 6: input_dim must be larger"),
        (-1, r"whole numbers from 0 to 5, but X\[2, 1\] is -1$"),
        (1.5, r"X\[2, 1\] is 1.5$"),
        (np.nan, r"X\[2, 1\] is nan"),
    ],
)
def test_what_is_no_id_is_named_by_sample_and_value_before_anything_moves(wrong, words):
    net = model(le.Embedding(V, D), le.GRU(3), le.Dense(1))
    y = np.zeros((N, 1))
    net.fit(IDS, y, verbose=0)
    before, x = net.get_weights(), IDS.astype(float)
    x[2, 1] = wrong
    calls = [lambda: net.fit(x, y, batch_size=1, shuffle=False, verbose=0), lambda: net.train_on_batch(x, y)]
    calls += [lambda: net.predict(x, verbose=0), lambda: net.evaluate(x, y, verbose=0), lambda: net.gradients(x, y)]
    for call in calls:
        with pytest.raises(ValueError, match=words):
            call()
    for w, kept in zip(net.get_weights(), before, strict=True):
        np.testing.assert_array_equal(w, kept)
    with pytest.raises(ValueError, match=words.replace("X", "x")):
        net.layers[0](x)


def test_a_list_of_sequences_of_ids_at_several_places_is_read_with_their_lengths():
    net = model(le.Embedding(V, D), le.TimeDistributed(le.Flatten()), le.LSTM(2), le.Dense(1))
    rows = [np.array([[1, 2], [3, 4]]), np.array([[5, 1]]), np.array([[2, 2], [1, 0], [0, 3]])]
    net.build((None, 2))
    together = net.predict(rows, verbose=0)
    alone = [net.predict(row[None], verbose=0)[0] for row in rows]
    np.testing.assert_allclose(together, alone, rtol=1e-13)
    with pytest.raises(ValueError, match=r"X\[1\]\[0, 1\] is 6"):
        net.predict([rows[0], rows[1] * [1, 6]], verbose=0)


def test_float32_refuses_more_ids_than_it_holds_and_float64_does_not():
    wide = le.Embedding(2**24 + 1, 1)
    with pytest.raises(ValueError, match=r'16,777,216.*16,777,217.*dtype="float64"'):
        built(wide, dtype="float32")
    assert built(le.Embedding(2**24 + 1, 1, "zeros")).weights["embeddings"].shape == (2**24 + 1, 1)


def test_a_table_to_start_with_is_keras_s_weights():
    table = np.random.default_rng(0).standard_normal((V, D))
    for given in (table, [table]):
        layer = built(le.Embedding(V, D, weights=given))
        np.testing.assert_array_equal(layer.weights["embeddings"], table)
        assert "weights" not in layer.config()
    with pytest.raises(ValueError, match=r"\(6, 3\).*got shape \(3, 6\)"):
        le.Embedding(V, D, weights=[table.T])


def test_a_table_that_is_not_trainable_stays():
    table = np.random.default_rng(0).standard_normal((V, D))
    net = model(le.Embedding(V, D, weights=[table], trainable=False), le.SimpleRNN(2), le.Dense(1))
    net.fit(IDS, np.ones(N), epochs=2, verbose=0)
    np.testing.assert_array_equal(net.get_weights()[0], table)


def test_input_length_is_taken_with_a_warning_as_keras_does():
    with pytest.warns(UserWarning, match="input_length"):
        layer = le.Embedding(V, D, input_length=5)
    assert built(layer)(IDS[:, :2]).shape == (N, 2, D)


@pytest.mark.parametrize(("arguments", "words"), [((0, 3), "input_dim"), ((3, 1.5), "output_dim")])
def test_sizes_are_whole_numbers(arguments, words):
    with pytest.raises(ValueError, match=words):
        le.Embedding(*arguments)


@pytest.fixture(scope="module")
def tagger():
    """Ids to two numbers a step, through every kind of layer that a mask passes."""
    made = model(
        le.Embedding(V, D, mask_zero=True), le.LSTM(4, return_sequences=True), le.LayerNormalization(), le.Activation("tanh"),
        le.Dense(2),
    )  # fmt: skip
    made.build((T,))
    return unit_scale(made)


Y = np.random.default_rng(2).standard_normal((N, T, 2))


@pytest.mark.parametrize("method", ["complex", "central"])
def test_a_gradient_check_leaves_ids_out_and_says_so(tagger, method):
    report = le.gradcheck(tagger, IDS, Y, method=method)
    assert report.ok, report
    assert "x" not in report.arrays
    assert report.arrays["embedding/embeddings"][0].shape == (V, D)
    assert "x holds ids, which have no gradient: it was left out." in report.notes


def test_a_gradient_check_of_ids_names_a_wrong_embedding(tagger, monkeypatch):
    right = le.Embedding.backward

    def twice(self, tape, dy, dstates=None, want_dx=True):
        dx, _, gradients = right(self, tape, dy)
        return dx, [], {"embeddings": 2 * gradients["embeddings"]}

    monkeypatch.setattr(le.Embedding, "backward", twice)
    report = le.gradcheck(tagger, IDS, Y)
    assert report.failed
    assert (report.departure.layer, report.departure.quantity) == ("embedding", "embeddings")
    assert "δE[k] = Σ δy" in report.departure.term


def test_a_gradient_check_wants_three_steps_of_ids_too(tagger):
    with pytest.raises(ValueError, match="longest sequence has 2 steps"):
        le.gradcheck(tagger, IDS[:, :2], Y[:, :2])


def test_gradients_and_the_trace_have_the_table_but_not_the_ids(tagger):
    _, gradients = tagger.gradients(IDS, Y)
    trace = tagger.trace(IDS, Y)
    assert set(trace.grad) == set(gradients)
    for name, g in gradients.items():
        np.testing.assert_allclose(trace.grad[name], g, rtol=1e-11, atol=1e-13)
    assert trace["lstm"].f.shape == (N, T, 4)


def test_a_file_a_twin_and_a_stream_give_the_same_predictions(tagger, tmp_path):
    expected = tagger.predict(IDS, verbose=0)
    tagger.save(tmp_path / "tagger.safetensors")
    np.testing.assert_array_equal(le.load(tmp_path / "tagger.safetensors").predict(IDS, verbose=0), expected)
    np.testing.assert_allclose(tagger.twin().predict(IDS, verbose=0), expected, rtol=1e-11)
    stream = tagger.stream(batch=N)
    steps = IDS.copy()
    steps[steps == 0] = 1  # a stream has no masks
    together = tagger.predict(steps, verbose=0)
    for t in range(T):
        np.testing.assert_allclose(stream.step(steps[:, t]), together[:, t], rtol=1e-11)
    with pytest.raises(ValueError, match=r"shape \(4,\), \(batch,\), an id each, got \(4, 1\)"):
        stream.step(steps[:, :1])


def test_sequences_of_any_length_fit_a_model_that_begins_with_ids(tagger, capsys):
    assert tagger.predict(IDS[:, :3], verbose=0).shape == (N, 3, 2)
    tagger.summary()
    assert "embedding (Embedding)" in capsys.readouterr().out
    with pytest.raises(ValueError, match=r"built for X of shape \(samples, 5\), got \(samples, 5, 1\)"):
        tagger.predict(IDS[:, :, None], verbose=0)


def test_layers_below_an_embedding_get_no_gradient():
    net = model(le.Reshape((T,)), le.Embedding(V, D), le.LSTM(3), le.Dense(1))
    net.build((T, 1))
    _, gradients = net.gradients(IDS[..., None], np.ones((N, 1)))
    assert set(gradients) == set(net.weights)


def test_an_embedding_learns_which_ids_matter():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 20, (256, 6))
    y = (x == 7).any(axis=1).astype(float)
    net = le.Sequential([le.Embedding(20, 4), le.LSTM(8), le.Dense(1, activation="sigmoid")], seed=0)
    net.compile(le.Adam(0.03), "binary_crossentropy", metrics=["accuracy"])
    net.fit(x, y, epochs=15, verbose=0)
    assert net.evaluate(x, y, verbose=0)[1] > 0.95
