"""Every public name of Keras is in the engine, with Keras's arguments, or has an answer; docs/keras-names.md shows all of them."""

import inspect

import numpy as np
import pytest

import lstm_engine as le
from experiments.beside_keras import names
from lstm_engine import absent

pytest.importorskip("keras")

# Where the engine's default is another one on purpose, or has another form: the default here.
OTHER_DEFAULTS = {}
# Arguments of Keras that stand in a call of `self`, not in the constructor.
NOT_ARGUMENTS = ("self", "args", "kwargs")


@pytest.fixture(scope="module")
def places():
    return names.keras_places()


def pairs(places):
    """(place, name, the engine's, Keras's) of every class and function that both have."""
    for place, module in places.items():
        for name in names.public(module) if place in names.SECTIONS else ():
            if names.is_here(place, name) and callable(getattr(module, name)):
                yield place, name, getattr(names.engine_at(place), name), getattr(module, name)


def test_every_public_name_of_keras_is_here_or_has_an_answer(places):
    unanswered = [
        f"{place}.{name}"
        for place, owner in places.items()
        for name in names.public(owner)
        if not names.is_here(place, name) and not names.is_answered(place, name)
    ]
    assert unanswered == []


def test_no_answer_is_about_a_name_that_is_here():
    stale = [f"{at}.{name}" for at, answers in absent.table().items() for name in answers if names.is_here(at, name)]
    assert stale == ["keras.keras"]  # which is lstm_engine itself, but no module to import from


def test_the_page_is_what_its_command_writes():
    assert names.PAGE.read_text(encoding="utf-8") == names.page(), "run python -m experiments.beside_keras.names"


def test_the_page_has_every_name(places):
    page = names.PAGE.read_text(encoding="utf-8")
    for place in names.SECTIONS:
        missing = [name for name in names.public(places[place]) if f"`{name}`" not in page]
        assert not missing, place


def test_arguments_have_keras_s_names_and_defaults(places):
    differing = []
    for place, name, ours, theirs in pairs(places):
        here = names.arguments(ours)
        for argument, parameter in names.arguments(theirs).items():
            if argument in here and argument not in NOT_ARGUMENTS:
                mine, default = here[argument].default, parameter.default
                if mine != default and str(mine) != str(default) and type(default).__name__ not in ("type", "object"):
                    differing.append((f"{place}.{name}", argument, mine, default))
    assert {row[:2]: row[2] for row in differing} == OTHER_DEFAULTS


def test_arguments_without_names_have_keras_s_order(places):
    """An argument that may come without its name is Keras's of that place; Keras takes more of them so."""
    for place, name, ours, theirs in pairs(places):
        mine, keras_s = (
            [p.name for p in inspect.signature(f).parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
            for f in (ours, theirs)
        )
        assert mine == keras_s[: len(mine)], f"{place}.{name}"


def test_a_convolution_is_a_dense_over_windows(places):
    """What the engine says to Conv1D."""
    N, T, D, k, filters = 2, 7, 3, 4, 5
    X = np.random.default_rng(0).standard_normal((N, T, D)).astype("float32")
    conv = places["layers"].Conv1D(filters, k)
    expected = np.asarray(conv(X))
    kernel, bias = (np.asarray(w) for w in conv.get_weights())
    windows = np.lib.stride_tricks.sliding_window_view(X, k, axis=1)
    rows = windows.swapaxes(2, 3).reshape(N, T - k + 1, k * D)
    dense = le.Dense(filters)
    dense(rows)
    dense.set_weights([kernel.reshape(k * D, filters), bias])
    np.testing.assert_allclose(dense(rows), expected, rtol=0, atol=3e-6)  # float32: twelve products of numbers near 1
