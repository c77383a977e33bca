"""The page of any network: the numbers in it, how exact they are, what it refuses, and the command that writes it."""

import base64
import json
import re

import numpy as np
import pytest

import experiments
import lstm_engine as le
from experiments.microscope import assembling, inputs
from experiments.microscope.page import inspect_page

from .conftest import CHARACTERS, TEXT, network

TYPES = {"float32": "<f4", "float16": "<f2", "uint8": "u1", "uint16": "<u2"}


def value(stored):
    """An array of the page, as its script reads it."""
    a = np.frombuffer(base64.b64decode(stored["base64"]), TYPES[stored["type"]]).reshape(stored["shape"])
    if stored["type"] == "uint16":
        return np.where(a == 65_535, np.nan, (a.astype(float) - stored["zero"]) * stored["unit"])
    return a.astype(float) * stored.get("unit", 1.0)


def data(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page.text, re.S)[1])


def one_hot(text):
    return np.eye(len(CHARACTERS))[[CHARACTERS.index(ch) for ch in text]][None]


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("size", [1e-9, 1.0, 3e5])
def test_16_bits_are_off_by_half_a_unit_at_most(signed, size):
    a = size * np.random.default_rng(0).uniform(-1 if signed else 0, 1, (40, 50))
    a[3, 4] = np.nan
    stored = assembling.in_16_bits(a, signed)
    assert stored["unit"] == pytest.approx(np.nanmax(np.abs(a)) * (2 if signed else 1) / 65_534)
    np.testing.assert_allclose(value(stored), a, rtol=0, atol=stored["unit"] / 2 * (1 + 1e-9))


def test_float16_shares_keep_three_digits_of_numbers_of_many_sizes():
    a = np.outer([1, -1], 10.0 ** np.arange(-7, 1)) * 3e-8  # a vanishing gradient
    read = value(assembling.as_float16(a))
    np.testing.assert_allclose(read, a, rtol=2**-11, atol=2**-25 * np.abs(a).max())
    assert np.all(value(assembling.as_float16(np.zeros((2, 3)))) == 0)


def test_the_pages_numbers_are_the_traces(reader, text_page):
    (one,) = data(text_page)["sequences"]
    targets = np.array([CHARACTERS.index(ch) for ch in TEXT[1:]])
    trace = reader.trace(one_hot(TEXT[:-1]), targets[None])
    arrays, traced = one["layers"]["lstm"]["arrays"], trace["lstm"]
    for name in "ifgoch":
        np.testing.assert_allclose(value(arrays[f"value/{name}"]), traced[name][0].T, rtol=0, atol=1e-4)
        gradient, largest = traced.grad[name][0].T, np.abs(traced.grad[name]).max()
        np.testing.assert_allclose(value(arrays[f"gradient/{name}"]), gradient, rtol=2**-11, atol=2**-24 * largest)
    assert one["loss"] == pytest.approx(trace.loss)
    np.testing.assert_allclose(value(one["arrays"]["loss"]).mean(), trace.loss, rtol=1e-6)
    np.testing.assert_array_equal(value(one["arrays"]["x"]), one_hot(TEXT[:-1])[0].argmax(axis=1))
    np.testing.assert_array_equal(value(one["arrays"]["right"]), targets)
    np.testing.assert_array_equal(value(one["arrays"]["best"])[0], trace.p[0].argmax(axis=1))


def test_a_page_asks_for_nothing_from_elsewhere(text_page):
    assert "default-src 'none'" in text_page.text
    assert not re.findall(r"(?:src|href)=\"(?!data:)", text_page.text)
    assert "@@" not in text_page.text
    assert "words &amp; letters.txt" in text_page.text
    assert "words & letters.txt" not in text_page.text
    assert "16 bits, at most" in text_page.text
    assert text_page._repr_html_().startswith("<iframe")


def test_layers_directions_and_cells_are_on_the_page(stacked, numbers):
    X, y = numbers
    stored = data(inspect_page(stacked, X, y, sample=[2, 0]))
    assert [one["name"] for one in stored["sequences"]] == ["sample 2", "sample 0"]
    layers = stored["sequences"][0]["layers"]
    assert list(layers) == ["bidirectional/forward_gru", "bidirectional/backward_gru", "simple_rnn"]
    assert [layer["backwards"] for layer in layers.values()] == [False, True, False]
    assert stored["labels"] == ["wind", "rain"]
    traced = stacked.trace(X[2:], y[2:])["bidirectional/backward_gru"]
    read = value(layers["bidirectional/backward_gru"]["arrays"]["value/z"])
    np.testing.assert_allclose(read, traced.z[0].T, rtol=0, atol=1e-5)


def test_an_answer_at_the_end_is_shown_as_if_the_sequence_ended_at_each_step(classifier, numbers):
    x = numbers[0][0]
    stored = data(inspect_page(classifier, x, 2))
    (one,) = stored["sequences"]
    assert stored["so_far"]
    assert stored["classes"] == ["low", "mid", "high"]
    p = np.stack([classifier.predict(x[None, : t + 1], verbose=0)[0] for t in range(len(x))])
    np.testing.assert_allclose(value(one["arrays"]["p"]).T, p, atol=1e-5)
    np.testing.assert_allclose(value(one["arrays"]["loss"]), -np.log(p[:, 2]), rtol=1e-5)
    assert one["layers"]["gru"]["cell"] == "gru_reset_before"


def test_masked_steps_have_no_gates_and_keep_the_state(stacked, numbers):
    X, y = numbers
    mask = np.arange(9) < np.array([[9], [5], [9]])
    (one,) = data(inspect_page(stacked, X, y, mask=mask, sample=1))["sequences"]
    assert one["mask"] == [1] * 5 + [0] * 4
    arrays = one["layers"]["bidirectional/forward_gru"]["arrays"]
    assert np.isnan(value(arrays["value/z"])[:, 5:]).all()
    h = value(arrays["value/h"])
    np.testing.assert_array_equal(h[:, 5:], np.repeat(h[:, 4:5], 4, axis=1))
    assert one["loss"] == pytest.approx(stacked.trace(X[1:2], y[1:2], mask=mask[1:2]).loss)


def test_sequences_of_different_lengths_come_in_a_list(classifier, numbers):
    rows = [numbers[0][0], numbers[0][1, :4]]
    stored = data(inspect_page(classifier, rows, [0, 1], sample=[0, 1]))
    assert [one["steps"] for one in stored["sequences"]] == [9, 4]


def test_steps_can_be_chosen(reader):
    stored = data(inspect_page(reader, TEXT, steps=(3, 11)))
    assert (stored["first"], stored["sequences"][0]["steps"]) == (3, 8)
    np.testing.assert_array_equal(
        value(stored["sequences"][0]["arrays"]["right"]), [CHARACTERS.index(ch) for ch in TEXT[4:12]]
    )


def test_a_model_of_words_reads_a_text_word_by_word():
    words = ["the", "gate", "opens", "closes"]
    layers = le.SimpleRNN(3, return_sequences=True), le.Dense(4, activation="softmax")
    model = network(*layers, features=4, loss="categorical_crossentropy", words=words)
    stored = data(inspect_page(model, "the gate opens\nthe gate closes"))
    assert (stored["kind"], stored["labels"], stored["classes"]) == ("symbols", words, words)
    np.testing.assert_array_equal(value(stored["sequences"][0]["arrays"]["x"]), [0, 1, 2, 0, 1])
    np.testing.assert_array_equal(value(stored["sequences"][0]["arrays"]["right"]), [1, 2, 0, 1, 3])
    with pytest.raises(ValueError, match=r"words that the model does not know: 'door' \(1 times\)\. It knows 4 words"):
        inspect_page(model, "the door opens")


def test_it_is_a_name_of_the_package():
    assert experiments.inspect_page is inspect_page
    with pytest.raises(AttributeError, match="has no attribute 'inspect_pages'"):
        experiments.inspect_pages  # noqa: B018


def test_a_page_is_saved_whole_and_never_over_another(text_page, tmp_path):
    file = text_page.save(tmp_path / "made" / "page.html")
    assert file.read_text(encoding="utf-8") == text_page.text
    with pytest.raises(FileExistsError, match="choose another"):
        text_page.save(file)


# -- refusals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            {"X": np.zeros((2, 5, 3))},
            r"expects sequences of shape \(any number of steps, 2\), and sample 0 has \(5, 3\)",
        ),
        ({"X": np.zeros(5)}, r"got float64 of shape \(5,\)"),
        (
            {"X": np.zeros((1, 1001, 2))},
            r"1,001 steps, and a page takes up to 1,000: .*--steps 400, .*--steps 1000:1400",
        ),
        ({"sample": 3}, "there is no sample 3: the data has 3, numbered from 0"),
        ({"steps": (20, 30)}, "sample 0 has 9 steps: there is none from 20 on"),
        ({"steps": (5, 2)}, "from < to"),
        ({"columns": ["wind"]}, "X has 2 columns, and 1 names came: wind"),
        ({"kind": "picture"}, "kind must be one of text, symbols, columns, map"),
        ({"y": [[0.0]] * 2}, "X has 3 samples and y 2"),
        ({"X": "wind"}, r'no characters.*metadata=\{"characters"'),
        ({"kind": "text"}, "no characters"),
        ({"kind": "symbols"}, "symbols are one-hot rows"),
        ({"X": np.full((1, 4, 2), np.inf)}, r"X has NaN or infinity in sample 0, first at \[0, 0\]"),
        ({"y": np.full((3, 9, 1), np.nan)}, "y has NaN or infinity in sample 0"),
        ({"mask": np.zeros((3, 9))}, "sample 0 has no step that exists"),
    ],
)
def test_what_does_not_fit_is_refused(stacked, numbers, arguments, said):
    with pytest.raises(ValueError, match=said):
        inspect_page(stacked, **({"X": numbers[0]} | arguments))


def test_a_network_without_recurrent_layers_is_refused():
    dense = network(le.Dense(1), features=2, loss="mse")
    with pytest.raises(
        ValueError, match=r"no recurrent layer to look into \(LSTM, GRU, SimpleRNN\); its layers: Dense"
    ):
        inspect_page(dense, np.zeros((1, 4, 2)))


def test_characters_that_the_model_does_not_know_are_named(reader):
    with pytest.raises(ValueError, match=r"does not know: 'x' \(2 times\), 'ü' \(1 times\). It knows 'abc de\\n'\.$"):
        inputs.encoded(reader, "axxü")
    with pytest.raises(ValueError, match="Its lower-case form would do"):
        inputs.encoded(reader, "A bee")


# -- the command -------------------------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path, reader, stacked, numbers):
    reader.save(tmp_path / "reader.safetensors")
    stacked.save(tmp_path / "stacked.safetensors")
    X, y = numbers
    np.savez(tmp_path / "x.npz", X=X, y=y, lengths=[9, 5, 7])
    (tmp_path / "story.txt").write_text(TEXT, encoding="utf-8")
    table = np.c_[y[0, :, 0], X[0]]
    np.savetxt(tmp_path / "x.csv", table, delimiter=",", header="later,wind,rain", comments="")
    (tmp_path / "words.csv").write_text("wind,rain\n1,2\n3,much\n", encoding="utf-8")
    (tmp_path / "other.csv").write_text("wind,snow\n1,2\n", encoding="utf-8")
    (tmp_path / "sheet.csv").write_text("\ufefflater; wind; rain\n1;0.5;1\n0;2;3\n", encoding="utf-8")
    (tmp_path / "comma.csv").write_text("wind;rain\n0,5;1\n", encoding="utf-8")
    (tmp_path / "hole.csv").write_text("wind,rain\n1,2\n3,\n", encoding="utf-8")
    (tmp_path / "names.csv").write_text("wind,rain\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("model", "file", "options", "kind", "steps"),
    [
        ("reader", "story.txt", (), "text", len(TEXT) - 1),
        ("stacked", "x.npz", ("--sample", 1), "columns", 9),
        ("stacked", "x.csv", ("--target", "later", "--steps", "2:8"), "columns", 6),
        ("stacked", "sheet.csv", ("--target", "later"), "columns", 2),  # as a spreadsheet writes it
    ],
)
def test_the_command_reads_texts_arrays_and_tables(lstm_engine, files, model, file, options, kind, steps):
    out = files / "made" / "page.html"
    shown = lstm_engine(
        "inspect", "--model", files / f"{model}.safetensors", "--data", files / file, "--out", out, *options, "--json"
    )
    assert shown.code == 0
    assert json.loads(shown.out)["page"] == str(out)
    text = out.read_text(encoding="utf-8")
    stored = json.loads(re.search(r'id="data">(.*?)</script>', text, re.S)[1])
    assert stored["kind"] == kind
    assert stored["sequences"][0]["steps"] == steps
    assert stored["sequences"][0]["loss"] is not None


def test_lengths_in_a_file_become_a_mask(files, stacked):
    assert inputs.read(files / "x.npz", stacked)["mask"].sum(axis=1).tolist() == [9, 5, 7]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--model {d}/reader.safetensors --data {d}/none.txt", "none.txt: there is no such file"),
        ("--model {d}/stacked.safetensors --data {d}/story.txt", "metadata has no characters"),
        (
            "--model {d}/stacked.safetensors --data {d}/words.csv",
            "column rain has 'much', which is no number, in row 3",
        ),
        (
            "--model {d}/stacked.safetensors --data {d}/comma.csv",
            "wind has '0,5', which is no number, in row 2: write 0.5",
        ),
        ("--model {d}/stacked.safetensors --data {d}/hole.csv", "column rain has nothing in row 3"),
        ("--model {d}/stacked.safetensors --data {d}/names.csv", "has no rows below its names"),
        ("--model {d}/stacked.safetensors --data {d}/other.csv", "has no column 'rain'; its columns: wind, snow"),
        ("--model {d}/reader.safetensors --data {d}/x.csv", "the model reads 7 columns, and"),
        (
            "--model {d}/reader.safetensors --data {d}/story.txt --steps many",
            "--steps takes a number, 400, or from and to",
        ),
        ("--model {d}/reader.safetensors --data me.wav", "me.wav: there is no such file"),
        ("--data {d}/x.npz", "--data needs its model, one --model"),
        ("--model {d}/reader.safetensors --data {d}/story.txt --seconds 2", "--seconds is for recordings"),
        ("me.wav --steps 4", "--steps needs --data"),
    ],
)
def test_the_command_says_in_a_line_what_does_not_fit(lstm_engine, files, arguments, said):
    outcome = lstm_engine("inspect", *arguments.format(d=files).split(), "--out", files / "new" / "page.html")
    assert outcome.code == 2
    assert said in outcome.err
    assert outcome.err.count("\n") == 1
    assert not (files / "new").exists()
