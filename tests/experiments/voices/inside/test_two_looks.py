"""What of two looks can be compared, and what to call them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import lstm_engine as le
from experiments.voices import clip_model
from experiments.voices.inside.look import look
from experiments.voices.inside.two_looks import comparable, differ_by_row, models_apart, names_apart, same_units

LAYER = "bidirectional/forward_lstm"


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["a/x.wav", "b/y.wav"], ["x.wav", "y.wav"]),
        (["runs/a/model", "runs/b/model"], ["a/model", "b/model"]),
        (["x.wav", "b/x.wav"], ["x.wav", "b/x.wav"]),
        (["c\\x.wav"], ["x.wav"]),
        (["a/x.wav", "a/x.wav"], ["x.wav", "x.wav"]),
    ],
)
def test_a_name_is_the_end_of_the_path_that_tells_it_from_the_other(paths, names):
    assert names_apart(paths) == names


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["r/epochs/00.safetensors", "r/epochs/05.safetensors"], ["epoch 0", "epoch 5"]),
        (["r/epochs/120.safetensors", "r/model.safetensors"], ["epoch 120", "model"]),
        (["a/epochs/05.safetensors", "b/epochs/05.safetensors"], ["a, epoch 5", "b, epoch 5"]),
        (["a/05.safetensors", "a/epochs/best.safetensors"], ["05", "best"]),
    ],
)
def test_an_epoch_that_was_kept_is_called_by_its_number(files, names):
    assert models_apart([Path(file) for file in files]) == names


def test_units_of_one_training_are_known_by_their_weights(voice_model, earlier_model, drawn_apart):
    model = le.load(voice_model)
    assert same_units(model, le.load(earlier_model), LAYER) == 1
    assert same_units(model, le.load(drawn_apart(8)), LAYER) < 0.5


def test_units_that_changed_places_are_not_the_same(voice_model):
    model, moved = le.load(voice_model), le.load(voice_model)
    order = np.roll(np.arange(8), 1)
    for name in ("kernel", "recurrent_kernel"):
        w = moved.weights[f"{LAYER}/{name}"]
        w[:] = w.reshape(len(w), 4, 8)[:, :, order].reshape(w.shape)
    assert same_units(model, moved, LAYER) == 0


def test_what_a_units_number_means_is_said(voice_file, seen, seen_elsewhere, seen_earlier, drawn_apart):
    assert comparable(seen, seen_elsewhere).startswith("One network hears both clips: unit 7 is the same unit")
    assert comparable(seen_earlier, seen).startswith(
        "The weights show that the networks are two states of one training"
    )
    other, small = (look(voice_file, clip_model.load(drawn_apart(units))) for units in (8, 4))
    assert comparable(seen, other).startswith("The weights show that the networks come from different trainings")
    assert comparable(seen, small).startswith("A has 8 units in each direction and B 4")


def test_maps_are_subtracted_where_a_row_is_one_unit_at_one_time(
    voice_file, seen, seen_elsewhere, seen_earlier, drawn_apart
):
    assert differ_by_row(seen_earlier, seen)
    assert not differ_by_row(seen, seen_elsewhere)  # another sound
    assert not differ_by_row(seen, look(voice_file, clip_model.load(drawn_apart(8))))  # other units
    shifted = replace(
        seen_earlier,
        heard=replace(seen.heard, part=slice(seen.heard.part.start + 1, seen.heard.part.start + 1 + len(seen.p))),
    )  # as another way to find where somebody speaks would have it
    assert not differ_by_row(shifted, seen)
    assert comparable(shifted, seen).endswith("and read other frames, so no difference is drawn.")
