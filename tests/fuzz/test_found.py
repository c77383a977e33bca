"""Inputs that the harnesses found: each is a valid file with one value changed, and is refused in words since."""

import json

import av
import numpy as np
import pytest

from features.audio import BadClip, read_clip
from tests.fuzz.doors import DOORS, store_tree, tree_of
from tests.fuzz.findings import LONGEST

GRAPH, LAYERS = ["architecture", "graph"], ["config.json", "config", "layers"]
DENSE = {"class_name": "Dense", "config": {"name": "d", "units": 2}}
FOUND = [  # harness, the entry by which its tree is known, the place in it, the value, the words
    ("models", "graph", [*GRAPH, "inputs", 0], "c", "its graph begins at 'c', its input layers are a, b"),
    ("models", "graph", [*GRAPH, "nodes", 2, "inputs"], [], "'dense' of the layer 'dense' with 0 inputs"),
    ("models", "graph", [*GRAPH, "nodes", 0, "inputs", 0, 0], "dense", "no input or node before it"),
    ("models", "graph", [*GRAPH, "outputs", 0, 1], 7, "'dense' has no output 7"),
    (
        "models",
        "Embedding",
        ["architecture", "layers", 0, "config", "embeddings_initializer"],
        {"a": "b" * 9000},
        "initializer",
    ),
    ("keras", "batch_shape", [*LAYERS, 2, "registered_name"], 7, "registered_name is '7', expected a text"),
    ("keras", "input_layers", [*LAYERS, 1, "inbound_nodes", 0, "args"], [[]], "is called on an empty list"),
    ("keras", "input_layers", [*LAYERS, 1, "inbound_nodes", 0, "args", 0], [{}, 1], "as its inbound_nodes say"),
    ("keras", "input_layers", [*LAYERS, 1, "class_name"], [], "is described by class_name and config"),
    ("keras", "batch_shape", [*LAYERS, 1, "config", "dtype"], {"config": []}, "layer masking computes in"),
    ("keras", "batch_shape", [*LAYERS, 2, "config", "layer"], None, "layer bidirectional: it has no layer inside"),
    ("keras", "batch_shape", ["config.json", "compile_config", "metrics"], 7, "metrics is a list"),
    ("importers", "batch_shape", ["json", "class_name"], {}, "it describes no model of Keras's"),
    ("importers", "input_layers", ["json", "config", "layers", 1, "name"], {"a": "b" * 9000}, "expected a text"),
    ("importers", "input_layers", ["json", "config", "layers", 1, "name"], "b" * 9000, "at most 1000 letters"),
    (
        "importers",
        "Bidirectional",
        ["json", "config", "layers", 2, "config"],
        {"layer": DENSE, "backward_layer": DENSE},
        "Bidirectional takes an LSTM",
    ),
    ("stores", "entries", ["entries", 1, "index"], 5, "its arrays do not fit its list of clips"),
]


@pytest.mark.parametrize(("door", "kind", "place", "value", "words"), FOUND)
def test_what_was_found_is_refused_in_words(door, kind, place, value, words, tmp_path):
    trees = filter(None, map(tree_of, DOORS[door].seeds()))
    tree = next(tree for tree in trees if f'"{kind}"' in json.dumps(tree))
    parent = tree
    for key in place[:-1]:
        parent = parent[key]
    parent[place[-1]] = value
    with pytest.raises(ValueError, match=words) as told:
        DOORS[door].enter(json.dumps(tree).encode(), tmp_path)
    assert len(str(told.value)) <= LONGEST


def test_a_manifest_with_bytes_that_are_not_utf_8_is_refused_in_words(tmp_path):
    header = json.dumps(store_tree()["header"] | {"note": "?"}).encode()
    with pytest.raises(ValueError, match=r"is not a manifest .* line 1 cannot be used"):
        DOORS["stores"].enter(header[1:].replace(b"?", b"\xff"), tmp_path)


def test_a_recording_of_eight_channels_is_read_and_one_of_more_is_refused(tmp_path):
    for layout, channels in (("7.1", 8), ("hexadecagonal", 16)):
        path = tmp_path / f"{channels}.mka"
        with av.open(path, "w", format="matroska") as file:
            stream = file.add_stream("pcm_f32le", rate=8000, layout=layout)
            x = np.tile(np.sin(np.arange(2000, dtype=np.float32)), (channels, 1)) / 9  # (channels, n)
            frame = av.AudioFrame.from_ndarray(x.T.reshape(1, -1), format="flt", layout=layout)
            frame.sample_rate = 8000
            file.mux([*stream.encode(frame), *stream.encode(None)])
        if channels == 8:
            np.testing.assert_allclose(read_clip(path)[0], x[0], rtol=1e-6, atol=1e-8)
        else:
            with pytest.raises(BadClip, match="it has 16 channels, at most 8 are read"):
                read_clip(path)
