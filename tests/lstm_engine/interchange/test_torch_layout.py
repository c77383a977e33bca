"""PyTorch's layout: live torch modules with our weights compute what we compute, and theirs come in."""

import numpy as np
import pytest

import lstm_engine as le
from lstm_engine.interchange import from_torch, load_torch, save_torch, to_torch

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

T, D, H = 5, 3, 4
# float32, five steps at unit scale: two implementations differ by some 10 roundings of 6e-8
CLOSE = {"float32": {"rtol": 1e-6, "atol": 1e-6}, "float64": {"rtol": 1e-14, "atol": 1e-14}}
CELLS = {
    "LSTM": (le.LSTM, {}, nn.LSTM, {}),
    "GRU": (le.GRU, {}, nn.GRU, {}),
    "SimpleRNN": (le.SimpleRNN, {}, nn.RNN, {}),
    "a ReLU SimpleRNN": (le.SimpleRNN, {"activation": "relu"}, nn.RNN, {"nonlinearity": "relu"}),
    "LSTM without bias": (le.LSTM, {"use_bias": False}, nn.LSTM, {"bias": False}),
    "GRU without bias": (le.GRU, {"use_bias": False}, nn.GRU, {"bias": False}),
}


def draw(module, dtype="float32"):
    torch.manual_seed(0)
    for p in module.parameters():
        nn.init.normal_(p, std=0.5)
    return module.to(getattr(torch, dtype))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("both_ways", [False, True], ids=["one way", "bidirectional"])
def test_torch_and_we_compute_the_same_with_each_others_weights(ours, x, cell, dtype, both_ways):
    Ours, options, Theirs, their_options = CELLS[cell]
    layer = Ours(H, return_sequences=True, name="rnn", **options)
    model = ours([le.Bidirectional(layer, name="rnn") if both_ways else layer], dtype=dtype)
    module = draw(
        nn.ModuleDict({"rnn": Theirs(D, H, batch_first=True, bidirectional=both_ways, **their_options)}), dtype
    )
    x = x.astype(dtype)

    def agree():
        y = module["rnn"](torch.from_numpy(x))[0].detach().numpy()
        np.testing.assert_allclose(model(x), y, **CLOSE[dtype])

    from_torch(model, module.state_dict())
    agree()
    before = model.get_weights()
    for w in model.weights.values():
        w *= -0.5
    module.load_state_dict({k: torch.from_numpy(v) for k, v in to_torch(model).items()})
    agree()
    from_torch(model, module.state_dict())
    assert all(np.array_equal(a, b * -0.5) for a, b in zip(model.get_weights(), before, strict=True))


class Voices(nn.Module):
    """A torch model with layers of our names, one nn.LSTM of two levels, and a head."""

    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(D, H, num_layers=2, batch_first=True)
        self.head = nn.Linear(H, 2)

    def forward(self, x):
        return self.head(self.rnn(x)[0])


NAMES = {"lstm": ("rnn", 0), "lstm_1": ("rnn", 1), "time_distributed": "head"}


def stacked(ours, **more):
    two = [le.LSTM(H, return_sequences=True), le.Dropout(0.5), le.LSTM(H, return_sequences=True)]
    return ours([*two, le.TimeDistributed(le.Dense(2))], **more)


def test_two_layers_lie_in_one_torch_lstm_of_two_levels(ours, x):
    model, module = stacked(ours), draw(Voices())
    from_torch(model, module.state_dict(), names=NAMES)
    np.testing.assert_allclose(model(x), module(torch.from_numpy(x)).detach().numpy(), **CLOSE["float32"])
    assert {k: v.shape for k, v in to_torch(model, NAMES).items()} == {
        k: tuple(v.shape) for k, v in module.state_dict().items()
    }


def test_a_safetensors_file_goes_into_torch_and_comes_back(ours, x, tmp_path):
    from safetensors.torch import load_file, save_file

    model, module, back = stacked(ours), Voices(), stacked(ours, seed=1)
    save_torch(model, tmp_path / "m.safetensors", NAMES)
    module.load_state_dict(load_file(tmp_path / "m.safetensors"))
    np.testing.assert_allclose(model(x), module(torch.from_numpy(x)).detach().numpy(), **CLOSE["float32"])
    save_file(module.state_dict(), tmp_path / "n.safetensors")
    load_torch(back, tmp_path / "n.safetensors", NAMES)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), back.get_weights(), strict=True))


def test_of_two_biases_only_the_sum_survives_but_a_gru_keeps_both(ours):
    for cell, split_survives in (("LSTM", False), ("GRU", True)):
        model, module = ours([getattr(le, cell)(H, name="rnn")]), draw(nn.ModuleDict({"rnn": getattr(nn, cell)(D, H)}))
        state = {k: v.numpy() for k, v in module.state_dict().items()}
        from_torch(model, state)
        back = to_torch(model)
        assert np.array_equal(back["rnn.bias_ih_l0"], state["rnn.bias_ih_l0"]) is split_survives
        np.testing.assert_array_equal(
            back["rnn.bias_ih_l0"] + back["rnn.bias_hh_l0"], state["rnn.bias_ih_l0"] + state["rnn.bias_hh_l0"]
        )


def test_the_arrays_are_copies(ours):
    model = ours([le.Dense(2)])
    to_torch(model)["dense.weight"][...] = 9.0
    assert not (model.weights["dense/kernel"] == 9.0).any()


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (lambda: le.GRU(2, reset_after=False), "reset_after=False"),
        (lambda: le.LSTM(2, activation="relu"), "cannot compute relu with gates of sigmoid"),
        (lambda: le.GRU(2, recurrent_activation="hard_sigmoid"), "gates of hard_sigmoid"),
        (lambda: le.SimpleRNN(2, go_backwards=True), "go_backwards"),
        (lambda: le.Bidirectional(le.LSTM(2), backward_layer=le.LSTM(3, go_backwards=True)), "alike"),
    ],
    ids=["reset_after", "activation", "gates", "go_backwards", "unlike halves"],
)
def test_what_torch_cannot_compute_is_refused_by_name(ours, layer, message):
    with pytest.raises(ValueError, match=message):
        to_torch(ours([layer()]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("lstm.weight_hh_l0"), r"lstm.weight_hh_l0 has shape \(16, 4\) here, but is missing there"),
        (
            lambda s: s.update({"lstm.weight_hr_l0": np.zeros((2, 4))}),
            r"lstm.weight_hr_l0 \(2, 4\) there has no place here",
        ),
        (lambda s: s.update({"lstm.weight_ih_l0": np.zeros((16, 7))}), r"\(16, 3\) here, \(16, 7\) there"),
        (lambda s: s.update({"dense.bias": np.array([np.inf])}), "NaN or infinity"),
        (lambda s: s.update({"dense.bias": np.array([1])}), "no floating-point numbers but int64"),
    ],
    ids=["missing", "a projection", "shape", "infinity", "integers"],
)
def test_a_state_that_does_not_fit_changes_nothing(ours, change, message):
    model = ours([le.LSTM(4), le.Dense(1)])
    state, before = to_torch(model), model.get_weights()
    state["lstm.bias_ih_l0"] += 1.0
    change(state)
    with pytest.raises(ValueError, match=message):
        from_torch(model, state)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), before, strict=True))


def test_names_that_lead_nowhere_or_to_one_place_are_refused(ours, tmp_path):
    model = stacked(ours)
    with pytest.raises(
        ValueError, match="names has gru, the model's layers are lstm, dropout, lstm_1, time_distributed"
    ):
        to_torch(model, {"gru": "rnn"})
    with pytest.raises(ValueError, match=r"two layers at rnn.weight_ih_l0"):
        to_torch(model, {"lstm": "rnn", "lstm_1": "rnn"})
    (tmp_path / "m.safetensors").write_bytes(b"no header")
    with pytest.raises(ValueError, match="not a safetensors file"):
        load_torch(model, tmp_path / "m.safetensors")
