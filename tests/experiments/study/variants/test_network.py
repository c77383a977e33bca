"""A network of a variant: the engine's where the cell is the engine's, one start for all, trained as the engine trains."""

import numpy as np
import pytest

import lstm_engine as le
from experiments.study.networks import Learning
from experiments.study.tasks import Sequences
from experiments.study.tasks.adding import Adding
from experiments.study.tasks.reber import EmbeddedReber
from experiments.study.variants.cells import CELLS
from experiments.study.variants.network import VariantNetwork, count_weights, initial_weights

TASK, H = Adding(24), 5


def network(variant, seed=3):
    return VariantNetwork(variant, TASK, Learning(), seed, H, memory=24)


@pytest.fixture
def drawn():
    return TASK.draw(4, np.random.default_rng(0))


@pytest.mark.slow  # NP compiles for seconds
def test_np_learns_as_the_engine_s_lstm_does(drawn, rel):
    own, other = network("NP"), le.Sequential([le.Input((None, 2)), le.LSTM(H), le.Dense(1)], dtype="float64")
    other.set_weights([own.weights[name] for name in ("W", "U", "b", "dense/kernel", "dense/bias")])
    other.compile(Learning().optimizer(), "mean_squared_error")
    for _ in range(3):  # clipped gradients and Adam's moments too
        p = own.learn(drawn)
        assert rel(p, other(drawn.x.astype(float), mask=drawn.mask)) < 1e-13
        other.train_on_batch(drawn.x.astype(float), drawn.y.astype(float), mask=drawn.mask)
    for name, w in zip(("W", "U", "b", "dense/kernel", "dense/bias"), other.get_weights(), strict=True):
        assert rel(own.weights[name], w) < 1e-10  # where a gradient is near 0, Adam's step enlarges rounding


@pytest.mark.parametrize("variant", ["V", "FGR"])
def test_every_weight_s_gradient_is_the_loss_s(variant, drawn):
    own, rng = network(variant), np.random.default_rng(1)
    for w in own.weights.values():
        w += 0.3 * rng.standard_normal(w.shape)  # peepholes too
    _, gradients = own.gradients(drawn)
    for name, w in own.weights.items():
        way, at = rng.standard_normal(w.shape), w.copy()
        losses = []
        for step in (1e-5, -1e-5):
            w[...] = at + step * way
            losses.append(((own.answer(drawn) - drawn.y) ** 2).mean())
        w[...] = at
        # along a direction: truncation step² · f''' ~ 1e-10, rounding 1e-16 / step ~ 1e-11
        assert (losses[0] - losses[1]) / 2e-5 == pytest.approx((gradients[name] * way).sum(), rel=1e-6, abs=1e-9)


def test_learning_answers_first(drawn):
    own = network("V")
    before = own.answer(drawn)
    np.testing.assert_array_equal(own.learn(drawn), before)
    assert ((own.answer(drawn) - drawn.y) ** 2).mean() < ((before - drawn.y) ** 2).mean()


@pytest.mark.parametrize("variant", ["V", "FGR"])
def test_every_weight_learns(variant, drawn):
    own = network(variant)
    before = {name: w.copy() for name, w in own.weights.items()}
    own.learn(drawn)
    for name, w in own.weights.items():  # Adam's first step is the rate, where the gradient is large beside its 1e-7
        moved = np.abs(w - before[name])
        assert 0.009 < moved.max() < 0.0101, name
        assert (moved > 0).mean() > 0.9, name


@pytest.mark.parametrize("variant", ["V", "FGR"])
def test_padding_is_not_heard(variant, drawn):
    own = network(variant)
    longer = Sequences(np.concatenate([drawn.x, np.ones_like(drawn.x)], axis=1), drawn.lengths, drawn.y)
    np.testing.assert_array_equal(own.answer(drawn), own.answer(longer))


# -- the start ---------------------------------------------------------------------------------------------------------


def test_all_cells_start_from_the_numbers_of_v():
    v = {key: dict(zip("ifgo", np.split(w, 4, axis=-1), strict=True)) for key, w in start("V").items() if key in "WUb"}
    for variant, cell in CELLS.items():
        own = start(variant)
        for key in "WUb":
            for part, w in zip(cell.parts, np.split(own[key], len(cell.parts), axis=-1), strict=True):
                np.testing.assert_array_equal(w, v[key][part])
        assert own["p"].shape == (len(cell.peepholes) * H,)
        assert not own["p"].any()
    np.testing.assert_array_equal(v["b"]["i"], -v["b"]["f"])
    assert v["b"]["f"].max() > 1


def start(variant):
    return initial_weights(variant, 2, H, 24, seed=3)


def test_v_and_fgr_are_one_function_before_they_learn(drawn):
    np.testing.assert_allclose(network("V").answer(drawn), network("FGR").answer(drawn), rtol=1e-13)


def test_another_seed_starts_elsewhere():
    assert (start("V")["W"] != initial_weights("V", 2, H, 24, seed=4)["W"]).all()


# -- what there is -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", CELLS)
def test_weights_are_counted(variant):
    assert count_weights(variant, TASK.features, H, TASK.outputs) == network(variant).count_params()


def test_what_the_variants_cannot_do_is_refused():
    with pytest.raises(ValueError, match="there is no variant 'GRU': choose from V, NIG"):
        network("GRU")
    with pytest.raises(ValueError, match="answer at the end of a sequence; embedded Reber grammar asks at every step"):
        VariantNetwork("V", EmbeddedReber(), Learning(), 0, 3, 20)
