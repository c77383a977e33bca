"""The adapters, with stand-ins of the public interfaces that are right, or wrong in one place."""

from dataclasses import replace
from functools import partial

import pytest

from experiments.assignment.mutants import solution_source
from experiments.laboratory.others import characters, courses, layers
from experiments.laboratory.others.judge import Verdict, disagreements, judge
from experiments.laboratory.others.passes import PROVED, STEPS, UNJUDGED, WRONG, Finding
from experiments.laboratory.others.source import Mend

CS231N = solution_source("lstm_cs231n")
COURSERA = (
    solution_source("lstm_coursera")
    .replace("return a_next, c_next, (a_next", "return a_next, c_next, None, (a_next")  # theirs predict y as well
    .replace("a_next, c_next, cache = lstm_cell", "a_next, c_next, y, cache = lstm_cell")
    .replace("return a, c, caches", "return a, None, c, caches")
)
COURSERA_NAMES = ("sigmoid", "lstm_cell_forward", "lstm_cell_backward", "lstm_forward", "lstm_backward")
MIN_CHAR_RNN = """
def lossFun(inputs, targets, hprev):
    hs, ps, loss = {-1: hprev}, {}, 0
    dWxh, dWhh, dWhy = np.zeros(Wxh.shape), np.zeros(Whh.shape), np.zeros(Why.shape)
    dbh, dby, dhnext = np.zeros(bh.shape), np.zeros(by.shape), np.zeros(hprev.shape)
    for t, (k, target) in enumerate(zip(inputs, targets)):
        hs[t] = np.tanh(Wxh[:, [k]] + Whh.dot(hs[t - 1]) + bh)
        e = np.exp(Why.dot(hs[t]) + by)
        ps[t] = e / e.sum()
        loss = loss - np.log(ps[t][target, 0])
    for t in reversed(range(len(inputs))):
        dy = ps[t].copy()
        dy[targets[t]] -= 1
        dWhy += dy.dot(hs[t].T)
        dby += dy
        dz = (Why.T.dot(dy) + dhnext) * (1 - hs[t] ** 2)
        dWxh[:, [inputs[t]]] += dz
        dWhh += dz.dot(hs[t - 1].T)
        dbh += dz
        dhnext = Whh.T.dot(dz)
    return loss, dWxh, dWhh, dWhy, dbh, dby, hs[len(inputs) - 1]
"""
TIME_RNN = """
class TimeRNN:
    def __init__(self, Wx, Wh, b, stateful):
        self.params, self.grads = [Wx, Wh, b], [np.zeros(a.shape) for a in (Wx, Wh, b)]

    def set_state(self, h):
        self.h = h

    def forward(self, xs):
        Wx, Wh, b = self.params
        self.xs, self.hs = xs, [self.h]
        for t in range(xs.shape[1]):
            self.hs.append(np.tanh(xs[:, t].dot(Wx) + self.hs[-1].dot(Wh) + b))
        out = np.empty((xs.shape[0], xs.shape[1], len(Wh)), dtype='f')
        for t, h in enumerate(self.hs[1:]):
            out[:, t] = h
        return out

    def backward(self, dhs):
        (Wx, Wh, b), dxs, dh = self.params, np.empty(self.xs.shape, dtype='f'), 0
        for t in reversed(range(dhs.shape[1])):
            dz = (dhs[:, t] + dh) * (1 - self.hs[t + 1] ** 2)
            for g, d in zip(self.grads, (self.xs[:, t].T.dot(dz), self.hs[t].T.dot(dz), dz.sum(axis=0))):
                g += d
            dxs[:, t], dh = dz.dot(Wx.T), dz.dot(Wh.T)
        self.dh = dh
        return dxs
"""


def test_a_right_lstm_in_the_convention_of_cs231n_is_proved(subject):
    names = (*STEPS["lstm"], "sigmoid")
    pass_, clone = subject({"layers.py": CS231N}, names, partial(courses.cs231n, cell="lstm"))
    verdict = judge(pass_, clone)
    assert verdict.verdict == PROVED
    assert verdict.rows == 14  # x, h0 and four gates of W, U and b
    assert verdict.forward < 1e-14
    assert disagreements(pass_, verdict) == []


@pytest.mark.parametrize("adapter", [courses.coursera_step, courses.coursera_lstm], ids=["step", "walk"])
def test_a_right_lstm_in_the_convention_of_coursera_is_proved(subject, adapter):
    pass_, clone = subject({"lstm.py": COURSERA}, COURSERA_NAMES, adapter)
    assert judge(pass_, clone).verdict == PROVED


def test_a_character_model_with_the_loss_inside_is_proved(subject):
    pass_, clone = subject({"rnn.py": MIN_CHAR_RNN}, ["lossFun"], characters.eliben_rnn, cell="rnn")
    verdict = judge(pass_, clone)
    assert (verdict.verdict, verdict.rows) == (PROVED, 5)
    assert verdict.forward < 1e-14


def test_a_layer_that_keeps_float32_is_proved_in_float64(subject):
    pass_, clone = subject({"layers.py": TIME_RNN}, ["TimeRNN"], partial(layers.oreilly, cell="rnn"), cell="rnn")
    assert judge(pass_, clone).verdict == PROVED


# -- wrong ones --------------------------------------------------------------------------------------------------------


def wrong_slope(subject, mended, **options):
    """A slope of f that is left out; the mend puts `mended` in its place."""
    right = "    dft = dc * c_prev * ft * (1 - ft)"
    text = COURSERA.replace(right, "    dft = dc * c_prev")
    line = text.split("\n").index("    dft = dc * c_prev") + 1
    finding = Finding(
        ("inside a step",), ("δz_f",), "", "", options.pop("error", 1.0), (Mend("lstm.py", line, mended),)
    )
    return subject({"lstm.py": text}, COURSERA_NAMES, courses.coursera_step, finding=finding, **options)


def test_a_wrong_line_fails_its_rows_and_is_proved_with_our_line_there(subject):
    pass_, clone = wrong_slope(subject, "dft = dc * c_prev * ft * (1 - ft)")
    verdict = judge(pass_, clone)
    assert verdict.verdict == WRONG
    assert verdict.wrong_rows == ["x", "h", "W f", "U f", "b f"]
    assert verdict.mended == PROVED
    assert verdict.places == [f"lstm.py:{pass_.finding.mends[0].first}"]


def test_whatever_a_clone_says_otherwise_is_said(subject):
    pass_, _ = wrong_slope(subject, "dft = 0", error=0.5)
    right, wrong = Verdict(PROVED), Verdict(WRONG, error=0.5, mended=PROVED)
    assert disagreements(pass_, wrong) == []
    assert disagreements(pass_, replace(wrong, error=0.6)) == ["off by 0.6, stated: 0.5"]
    assert disagreements(pass_, replace(wrong, mended=WRONG)) == ["wrong with its lines put right, too"]
    assert disagreements(pass_, right) == ["proved, stated: wrong"]
    assert disagreements(replace(pass_, finding=None), wrong) == ["wrong, stated: proved"]
    [line] = disagreements(replace(pass_, finding=None, forward="without tanh(c)"), replace(right, forward=0.0))
    assert line.endswith("stated: without tanh(c)")


def test_a_consistent_backward_of_another_forward_is_proved_and_the_forward_is_said(subject):
    text = CS231N.replace("next_h = o * np.tanh(next_c)", "next_h = o * next_c")
    text = text.replace("tanh_c = np.tanh(next_c)", "tanh_c = next_c").replace("o * (1 - tanh_c**2)", "o")
    names = (*STEPS["lstm"], "sigmoid")
    pass_, clone = subject({"layers.py": text}, names, partial(courses.cs231n, cell="lstm"))
    verdict = judge(pass_, clone)
    assert verdict.verdict == PROVED
    assert verdict.forward > 0.01
    [line] = disagreements(pass_, verdict)
    assert line.startswith("its forward differs from the engine's")


def test_code_that_raises_cannot_be_judged(subject):
    text = COURSERA.replace("n_a, m, T_x = da.shape", "n_a, m, T_x = None")
    pass_, clone = subject({"lstm.py": text}, COURSERA_NAMES, courses.coursera_lstm, cannot="an empty form")
    verdict = judge(pass_, clone)
    assert verdict.verdict == UNJUDGED
    assert verdict.why.startswith("TypeError: cannot unpack")
    assert disagreements(pass_, verdict) == []
