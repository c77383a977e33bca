"""Every public name of Keras is in the engine, with Keras's arguments, or has an answer; docs/keras-names.md shows all."""

import inspect

import numpy as np
import pytest

import lstm_engine as le
from experiments.beside_keras import names
from lstm_engine import absent

pytest.importorskip("keras")

# What a constructor must be given.
REQUIRED = {
    "units": 2, "rate": 0.5, "layer": le.LSTM(2), "input_dim": 3, "output_dim": 2, "n": 2, "target_shape": (6,),
    "dims": (2, 1), "activation": "tanh", "axes": 1, "filename": "log.csv", "filepath": "m.keras", "schedule": float,
    "boundaries": [1], "values": [1.0, 0.5], "initial_learning_rate": 0.1, "decay_steps": 5, "decay_rate": 0.5,
    "first_decay_steps": 5, "learning_rate": 0.1, "backup_dir": "backup",
}  # fmt: skip
GIVEN = {"InputLayer": {"shape": (3,)}, "TimeDistributed": {"layer": le.Dense(2)}}
BASES = ("Layer", "Loss", "Metric", "Optimizer", "Callback", "Initializer", "Regularizer", "LearningRateSchedule")
# Where the engine's default is written otherwise, with the same meaning.
OTHER_DEFAULTS = {("Precision", "thresholds"): 0.5, ("Recall", "thresholds"): 0.5}


@pytest.fixture(scope="module")
def places():
    return names.keras_places()


def classes(places):
    """(name, the engine's, Keras's) of every class that both have, without the bases."""
    for place in names.SECTIONS[:8]:
        for name in names.public(places[place]):
            theirs = getattr(places[place], name)
            if names.is_here(place, name) and inspect.isclass(theirs) and name not in BASES:
                yield name, getattr(names.engine_at(place), name), theirs


def said_of(place, name):
    """What a reader is told who takes Keras's name from the engine; None where it is there."""
    try:
        if place in absent.OBJECTS:
            getattr(names.engine_at(place), name)
        else:
            exec(f"from {absent.path_of(place)} import {name}")
    except (ImportError, AttributeError) as error:
        return str(error)
    return None


def test_every_public_name_of_keras_is_here_or_is_answered_in_an_import(places):
    unanswered = [
        f"{place}.{name}: {said}"
        for place, owner in places.items()
        for name in names.public(owner)
        if (said := said_of(place, name)) and not said.startswith("Keras's ")
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
        asked = {name for name in names.public(places[place]) if f"{place}.{name}" not in names.SECTIONS}
        if place == "keras":  # its namespaces have sections, or a row with their number of names
            asked = {name for name in asked if name not in places}
        assert not {name for name in asked if f"`{name}`" not in page}, place


def test_arguments_have_keras_s_defaults(places):
    differing = {}
    for name, ours, theirs in classes(places):
        here = names.arguments(ours)
        for argument, parameter in names.arguments(theirs).items():
            if argument in here and argument != "name" and here[argument].default != parameter.default:
                differing[name, argument] = here[argument].default
    assert differing == OTHER_DEFAULTS


def test_arguments_without_names_have_keras_s_order(places):
    for name, ours, theirs in classes(places):
        mine, keras_s = (
            [p.name for p in inspect.signature(f).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
            for f in (ours, theirs)
        )
        assert mine == keras_s[: len(mine)], name


def test_an_argument_that_is_not_here_is_refused_by_name(places):
    for _, ours, theirs in classes(places):
        needed = [p.name for p in names.arguments(ours).values() if p.default is p.empty]
        given = {argument: REQUIRED[argument] for argument in needed} | GIVEN.get(ours.__name__, {})
        ours(**given)
        for argument in names.missing_arguments(ours, theirs):
            with pytest.raises(TypeError, match=argument):
                ours(**given, **{argument: "some other value"})


def test_attention_is_three_layers(places):
    """What the engine says to Attention."""
    rng = np.random.default_rng(0)
    decoder, encoder = (rng.standard_normal((2, T, 3)).astype("float32") for T in (4, 5))
    expected = np.asarray(places["layers"].Attention()([decoder, encoder]))
    scores = le.layers.Dot(axes=2)([decoder, encoder])
    context = le.layers.Dot(axes=(2, 1))([le.layers.Activation("softmax")(scores), encoder])
    np.testing.assert_allclose(context, expected, rtol=0, atol=3e-6)  # float32: some ten operations on numbers near 1


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
