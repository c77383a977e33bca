"""Lesson 10: the right answers are the engine's, mistakes are named, and the training shows what a wrong gradient does."""

import inspect

import numpy as np
import pytest

from experiments.lessons import own
from experiments.lessons.exercises import judged
from experiments.lessons.solutions import lesson_10 as solution

RIGHT = {f"answer_{n}": getattr(solution, f"answer_{n}") for n in (1, 2, 3)}


def changed(line, instead):
    """The right walk back with a line changed."""
    source = inspect.getsource(solution.answer_3)
    assert source.count(line) == 1
    names = {"np": np}
    exec(source.replace(line, instead), names)
    return names["answer_3"]


@pytest.fixture(scope="module")
def answered(lesson):
    return lesson(10, **RIGHT)


def test_without_answers_the_solution_is_trained_and_is_the_engines(lesson):
    defined = lesson(10)
    assert "until yours are right" in defined["walk"].whose
    assert defined["apart"].max() < 1e-10


def test_the_right_answers_are_right_and_trained(answered):
    assert [answered[f"check_{n}"].state for n in (1, 2, 3)] == ["right", "right", "right"]
    assert answered["walk"].whose == "your functions above"
    assert answered["walk"].backward is solution.answer_3
    assert answered["apart"].max() < 1e-10
    np.testing.assert_allclose(answered["learned"].p, answered["engine"].p, rtol=0, atol=1e-9)


def test_it_learns(answered):
    losses = answered["learned"].losses
    assert losses[-10:].mean() < 0.5 * losses[:10].mean()


def test_a_wrong_step_and_a_wrong_walk_are_told(lesson):
    def gates_exchanged(x, h, c, W, U, b):
        (h_new, c_new), cache = solution.answer_1(x, h, c, W, U, b)
        return (c_new, h_new), cache

    def state_not_carried(x, W, U, b, h0, c0):
        return np.stack([solution.answer_1(x_t, h0, c0, W, U, b)[0][0] for x_t in x]), None

    defined = lesson(10, answer_1=gates_exchanged, answer_2=state_not_carried)
    assert [defined[f"check_{n}"].state for n in (1, 2)] == ["wrong", "wrong"]
    assert "where" in defined["check_1"].text
    assert "until yours are right" in defined["walk"].whose


@pytest.mark.parametrize(
    ("line", "instead", "named"),
    [
        ("di, df, dg, do = dc * g, dc * c, dc * i", "di, df, dg, do = dc * g, dc * np.arctanh(tanh_c), dc * i", "f"),
        ("dU += h.T @ dz", "dU = h.T @ dz", "U"),
    ],
)
def test_the_judge_names_what_is_wrong_in_a_walk_back(line, instead, named):
    outcome = judged(solution.answer_2, changed(line, instead), exercise=(10, 3))
    assert outcome.state == "wrong"
    assert f"look at δ{named}" in outcome.text
    assert outcome.help[-1][0] == "Solution"


def test_a_wrong_gradient_learns_all_the_same_and_parts_from_the_engine(answered):
    walk = own.Walk(solution.answer_2, changed("dc = dc + dh", "dc = dh"), "wrong")
    wrong = own.by_hand(walk, answered["data"], 40)
    apart = np.abs(wrong.losses - answered["engine"].losses[:40])
    assert apart[0] < 1e-12  # the forward pass is right
    assert apart.max() > 1e-4
    assert wrong.losses[-5:].mean() < wrong.losses[:5].mean()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "There is no file"),
        ("def lstm_forward(): pass\n", "has no lstm_backward: keep the names of the starter."),
        ("1 / 0\n", "stops with ZeroDivisionError: division by zero"),
    ],
)
def test_a_file_without_the_functions_is_said_in_a_sentence(tmp_path, text, sentence):
    file = tmp_path / "lstm.py"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ValueError, match=sentence):
        own.from_file(str(file))


def test_a_learners_file_is_judged_and_trained(lesson, tmp_path):
    from types import SimpleNamespace

    source = inspect.getsource(solution).replace("answer_2", "lstm_forward").replace("answer_3", "lstm_backward")
    (tmp_path / "lstm.py").write_text(source, encoding="utf-8")
    defined = lesson(10, path=SimpleNamespace(value=str(tmp_path / "lstm.py")))
    assert defined["walk"].whose == "the functions in lstm.py"
    assert defined["apart"].max() < 1e-10


def test_nobody_is_in_both_parts():
    data = own.voices(speakers=1, clips=2)
    assert data.x.shape == data.unseen_x.shape == (4, 11, 11)
    assert data.y.mean() == data.unseen_y.mean() == 0.5
    assert not np.intersect1d(data.x.reshape(4, -1)[:, 0], data.unseen_x.reshape(4, -1)[:, 0]).size
