"""What the microscope gathers: the numbers of `predict`, and those of the engine for every change."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile as sf
from scipy.special import expit

from experiments.voices import clip_model
from experiments.voices.inside.look import HELD, look
from experiments.voices.judge import judge_file
from features.audio import BadClip

RATE, UNITS = 16_000, 8
FLOAT32 = (
    1e-5  # a probability through a float32 network, whose batches of other sizes round otherwise: some 1e-7 each step
)


@pytest.fixture
def model(voice_model):
    return clip_model.load(voice_model)


def heard(seen):
    return seen.heard.frames[seen.heard.part.start : seen.heard.part.start + len(seen.p)]


def test_the_answer_is_predicts(seen, voice_file, model):
    said = judge_file(voice_file, model)
    assert seen.judgement.probability == said.probability
    np.testing.assert_array_equal(seen.p, said.p[~np.isnan(said.p)])
    assert seen.heard.part.start > 10  # the silence at the beginning is not the network's
    assert seen.heard.whole_s == 3.0


def test_so_far_is_the_answer_for_each_beginning(seen, model):
    for t in (0, 20, len(seen.p) - 1):
        z = model.frame_log_odds(heard(seen)[: t + 1]).mean() / 2.0  # the fixture's temperature
        assert seen.so_far[t] == pytest.approx(expit(z), abs=FLOAT32)
    assert seen.so_far[-1] == pytest.approx(seen.judgement.probability, abs=FLOAT32)


def test_every_change_gets_the_engines_number(seen, model):
    assert len(seen.what_if) == 2 * UNITS + (3 + 2 * UNITS) * 4 * len(HELD["f"])
    weights, found = model.network.weights, seen.what_if["backward/silence/3"]
    weights["bidirectional/backward_lstm/recurrent_kernel"][3] = 0
    weights["dense/kernel"][UNITS + 3] = 0
    z = model.frame_log_odds(heard(seen)) / 2.0
    np.testing.assert_allclose(expit(found), expit(z), rtol=0, atol=FLOAT32)
    assert expit(found.mean()) == pytest.approx(expit(z.mean()), abs=FLOAT32)
    assert abs(expit(found.mean()) - seen.judgement.probability) > 10 * FLOAT32


def test_a_gate_held_in_both_directions_is_held_in_both(seen, model):
    weights = model.network.weights
    for way in ("forward", "backward"):
        for name in ("kernel", "recurrent_kernel"):
            weights[f"bidirectional/{way}_lstm/{name}"][:, UNITS : 2 * UNITS] = 0
        weights[f"bidirectional/{way}_lstm/bias"][UNITS : 2 * UNITS] = np.log(0.25 / 0.75)
    found = seen.what_if["both/f/0.25"]
    np.testing.assert_allclose(expit(found), expit(model.frame_log_odds(heard(seen)) / 2.0), rtol=0, atol=FLOAT32)


def test_one_units_gate_held_is_held_for_it_alone(seen, model):
    weights = model.network.weights
    for name in ("kernel", "recurrent_kernel"):
        weights[f"bidirectional/backward_lstm/{name}"][:, UNITS + 3] = 0
    weights["bidirectional/backward_lstm/bias"][UNITS + 3] = np.log(0.25 / 0.75)
    found = seen.what_if["backward/f/0.25/3"]
    np.testing.assert_allclose(expit(found), expit(model.frame_log_odds(heard(seen)) / 2.0), rtol=0, atol=FLOAT32)
    assert abs(expit(found.mean()) - seen.judgement.probability) > 10 * FLOAT32


def test_a_units_ablation_is_what_its_silence_does_to_the_log_odds(seen):
    p = seen.judgement.probability
    for way, own in seen.directions.items():
        for u in range(UNITS):
            q = expit(seen.what_if[f"{way}/silence/{u}"].mean())
            assert own.ablation[u] == pytest.approx(np.log(q / (1 - q)) - np.log(p / (1 - p)), abs=1e-4)


def test_gradients_are_those_of_the_clips_log_odds(seen, model):
    """An output's gradient times how far the head's weight moves it: shrink a unit's row in the head alone."""
    kernel, small = model.network.twin().weights["dense/kernel"], 1e-5
    own = seen.directions["backward"]
    direct = kernel[UNITS:, 0] / len(seen.p) / 2.0  # (H,): ∂s/∂h but for what goes on through the recurrence
    np.testing.assert_allclose(own.gradients["h"][0], direct, rtol=1e-6)  # the first frame is the last that it reads
    twin, x = model.network.twin(), model.prepare(heard(seen))[None]
    slopes = []
    for share in (1 - small, 1 + small):
        edited = twin.twin()
        edited.weights["bidirectional/backward_lstm/recurrent_kernel"][2] *= share
        edited.weights["dense/kernel"][UNITS + 2] *= share
        p = edited(x).ravel()
        slopes.append(np.log(p / (1 - p)).mean() / 2.0)
    assert own.by_gradient[2] == pytest.approx((slopes[0] - slopes[1]) / (2 * small), rel=1e-5)


def test_the_gradient_against_the_lag_is_the_last_answers(seen, model):
    """Its log-odds are the head's weights times the last outputs, and those move with the outputs one frame before."""
    network = model.network.twin()
    kernel, x = network.weights["dense/kernel"][:, 0], model.prepare(heard(seen)).astype(float)
    for way, head, steps in (("forward", kernel[:UNITS], x), ("backward", kernel[UNITS:], x[::-1])):
        found, w = seen.directions[way].by_lag, network.weights
        assert found[0] == pytest.approx(np.linalg.norm(head) / 2.0, rel=1e-6)  # the fixture's temperature
        W, U, b = (w[f"bidirectional/{way}_lstm/{k}"] for k in ("kernel", "recurrent_kernel", "bias"))
        own, at = seen.directions[way].values, -1 if way == "forward" else 0
        before = at - 1 if way == "forward" else 1
        slopes = []
        for u in range(UNITS):
            h = own["h"][before] + 1e-30j * np.eye(UNITS)[u]
            i, f, g, o = np.split(steps[-1] @ W + h @ U + b, 4)
            i, f, o = (1 / (1 + np.exp(-z)) for z in (i, f, o))
            c = f * own["c"][before] + i * np.tanh(g)
            slopes.append((o * np.tanh(c)).imag @ head / 1e-30 / 2.0)
        assert found[1] == pytest.approx(np.linalg.norm(slopes), rel=1e-6)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def run(network, way, x, c=None, h=None):
    """(f, o, c, h) of each step, (S, H) each, of a direction that reads x (S, D) from first to last, by the equations."""
    W, U, b = (network.weights[f"bidirectional/{way}_lstm/{k}"] for k in ("kernel", "recurrent_kernel", "bias"))
    c, h, steps = np.zeros(UNITS) if c is None else c, np.zeros(UNITS) if h is None else h, []
    for x_t in x:
        i, f, g, o = np.split(x_t @ W + h @ U + b, 4)
        i, f, o = sigmoid(i), sigmoid(f), sigmoid(o)
        c = f * c + i * np.tanh(g)
        h = o * np.tanh(c)
        steps.append((f, o, c, h))
    return [np.array(a) for a in zip(*steps, strict=True)]


@pytest.mark.parametrize("way", ["forward", "backward"])
def test_half_lives_are_seconds_and_the_shares_those_of_the_forget_gate(seen, model, way):
    x = model.prepare(heard(seen)).astype(float)
    f, _, _, _ = run(model.network, way, x if way == "forward" else x[::-1])
    own = seen.directions[way]
    kept = np.prod(f, axis=0)  # (H,), of what a cell held at the beginning; half is gone every half-life
    np.testing.assert_allclose(0.5 ** (len(f) * 0.02 / own.half_life), kept, rtol=1e-5)  # a frame every 20 ms
    np.testing.assert_array_equal(own.low, (f < 0.1).mean(axis=0))
    np.testing.assert_array_equal(own.high, (f > 0.9).mean(axis=0))
    assert (own.low != own.high).any()


@pytest.mark.parametrize("way", ["forward", "backward"])
@pytest.mark.parametrize("before", [0, 1, 6])
def test_memory_is_the_last_outputs_derivative_by_a_cell_in_all_and_along_it(seen, model, way, before):
    """By complex steps into the cell so many frames before the last that the direction reads."""
    x = model.prepare(heard(seen)).astype(float)
    x = x if way == "forward" else x[::-1]
    f, o, c, _ = run(model.network, way, x)
    t, total = len(x) - 1 - before, np.zeros((UNITS, UNITS))
    for u in range(UNITS):
        cell = c[t] + 1e-30j * np.eye(UNITS)[u]
        out = o[t] * np.tanh(cell)
        total[:, u] = (run(model.network, way, x[t + 1 :], cell, out)[-1][-1] if before else out).imag / 1e-30
    along = np.diag(o[-1] * (1 - np.tanh(c[-1]) ** 2) * f[t + 1 :].prod(axis=0))
    found = seen.directions[way].memory[:, t if way == "forward" else before]  # in the order of time
    expected = [np.linalg.norm(a) for a in (total, along, total - along)]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-12)
    assert before < 2 or abs(expected[1] - expected[2]) > 0.01 * expected[0]  # neither path passes for the other


def test_a_row_of_rests_is_one_answers_and_a_column_one_frames_input(seen, model):
    network, x = model.network.twin(), model.prepare(heard(seen)).astype(float)
    small, tau, t = 1e-6, 40, 35
    moved = (
        x
        + small * (np.arange(len(x)) == t)[:, None] * np.concatenate([s * np.eye(x.shape[1]) for s in (1, -1)])[:, None]
    )
    p = network(moved)[..., 0]  # (2 D, T)
    slopes = (p[: x.shape[1]] - p[x.shape[1] :]) / (2 * small)  # (D, T): of every answer by the numbers of frame t
    np.testing.assert_allclose(seen.rests[:, t], np.linalg.norm(slopes, axis=0), rtol=1e-4, atol=1e-9)
    assert seen.rests[tau, t] != pytest.approx(seen.rests[t, tau], rel=0.01)


def test_a_stretch_of_a_file_is_looked_into(voice_file, model):
    seen = look(voice_file, model, start_s=0.5, seconds=1.0)
    assert len(seen.heard.sound) == RATE
    assert (seen.heard.start_s, seen.judgement.seconds, seen.heard.whole_s) == (0.5, 1.0, 3.0)


def test_what_cannot_be_looked_into_is_said(voice_file, model, bad_clips, tmp_path):
    with pytest.raises(ValueError, match=r"is 3\.0 s long: there is nothing from 7 s on"):
        look(voice_file, model, start_s=7.0)
    with pytest.raises(ValueError, match="takes up to 20 s, got 60"):
        look(voice_file, model, seconds=60)
    with pytest.raises(BadClip, match="it is silent"):
        look(bad_clips["silent"], model)
    sf.write(noise := tmp_path / "noise.wav", np.random.default_rng(0).normal(0, 0.1, RATE), RATE)
    with pytest.raises(ValueError, match="nothing to look into, no voice in it"):
        look(noise, model)
    with pytest.raises(ValueError, match="bidirectional LSTM that answers at every frame"):
        look(voice_file, replace(model, answer="last"))
