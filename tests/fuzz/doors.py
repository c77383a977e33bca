"""The six kinds of file that come from outside, each with files that our own code makes and the reader that opens them.

An input is bytes. Where its first sign is {, it is JSON from which a file is made (`structure`); else it is the file. What a
reader may raise is ValueError and OSError, in words that are not a codec's or a parser's own.
"""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import lstm_engine as le
from tests.fuzz import structure


@dataclass(frozen=True)
class Door:
    """seeds(): valid inputs. enter(data, folder): write the input into an empty folder and read it as a user's file."""

    name: str
    seeds: Callable[[], Iterator[bytes]]
    enter: Callable[[bytes, Path], None]


def tree_of(data: bytes) -> dict[str, Any] | None:
    """The JSON object of an input; None if it is a file's bytes."""
    if not data.startswith(b"{"):
        return None
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return tree if isinstance(tree, dict) else None


def written(folder: Path, name: str, content: bytes) -> Path:
    (path := folder / name).write_bytes(content)
    return path


# -- tables ----------------------------------------------------------------------------------------------------------


def table_seeds() -> Iterator[bytes]:
    from features.recipes import TUTORIAL_COLUMNS

    header = ",".join(["", *TUTORIAL_COLUMNS, "label"])
    row = ",".join(["0", *(f"{n / 7:.3f}" for n in range(len(TUTORIAL_COLUMNS))), "male"])
    yield f"f{header}\n{row}\n".encode()
    yield b"tpath,speaker,sex,split,start_s,end_s\na.wav,ann,female,train,0,1.5\nb.wav,bob,male,test,,\n"
    yield b'tsep=;\n"Path";"Speaker";"Sex"\n"a;b.wav";"=ann";"f"\n'
    yield b"t" + "path\tspeaker\tsex\na.wav\tann\tF\n".encode("utf-16")
    yield b"rrow,path,speaker,sex,split,start_s,end_s\n0,a.wav,'=x,male,,0.0,\n1,b.wav,,male,,1.5,2.5\n"
    yield b"cclient_id\tpath\tgender\nab12\tone.mp3\tmale_masculine\ncd34\ttwo.mp3\tfemale\n"
    yield b"l; readers\n14 | F | train-clean-360 | 25.03 | Kristin LeMoine\n60 | M | dev-clean | 20.18 | |CBW|Simon\n"
    yield b"vID AGE SEX ACCENTS REGION\n225 23 F English Southern\np226 22 M English Surrey\n"
    yield b"xVoxCeleb1 ID\tGender\tSet\nid10001\tm\tdev\nid10002\tf\ttest\n"


def enter_table(data: bytes, folder: Path) -> None:
    from features import tables
    from features.corpora import common_voice, librispeech, speaker_table, vctk, voxceleb

    content = data[1:]
    match data[:1]:
        case b"f":
            tables.read_features(written(folder, "male_features.csv", content), "male")
        case b"r":
            tables.read_rows(written(folder, "male_rows.csv", content), "male", 2)
        case b"c":
            (folder / "clips").mkdir()
            written(folder / "clips", "one.mp3", b"")
            written(folder, "train.tsv", content)
            common_voice.read(folder)
        case b"l":
            librispeech.read_speakers(written(folder, "SPEAKERS.TXT", content))
        case b"v":
            vctk.read_speakers(written(folder, "speaker-info.txt", content))
        case b"x":
            (folder / "id10001").mkdir()
            written(folder / "id10001", "a.wav", b"")
            written(folder, "vox1_meta.csv", content)
            voxceleb.read(folder)
        case _:
            speaker_table.read(written(folder, "metadata.csv", content))


# -- models of the engine --------------------------------------------------------------------------------------------


@cache
def networks() -> dict[str, Any]:
    """Small compiled models, one of each kind that a file describes differently."""
    deep = [le.Masking(), le.Bidirectional(le.LSTM(2, return_sequences=True)), le.GRU(2, dropout=0.1), le.Dropout(0.2)]
    words = [le.Embedding(5, 2, mask_zero=True), le.SimpleRNN(2, stateful=True, kernel_regularizer="l2")]
    made = {
        "deep": le.Sequential([*deep, le.LayerNormalization(), le.Dense(1, "sigmoid")], seed=0, backend="numpy"),
        "words": le.Sequential([*words, le.Dense(3, "softmax")], seed=1, backend="numpy"),
    }
    a, b = le.Input((4, 2), name="a"), le.Input((3,), name="b")
    y = le.Dense(2)(le.layers.concatenate([le.LSTM(2)(a), b]))
    made["graph"] = le.Model([a, b], y, seed=2, backend="numpy")
    made["deep"].build((None, 3))
    made["words"].build((4,))
    made["deep"].compile(le.Adam(le.schedules.CosineDecay(1e-3, 10)), "binary_crossentropy", metrics=["accuracy"])
    made["words"].compile("rmsprop", "sparse_categorical_crossentropy")
    made["graph"].compile(le.SGD(0.1, momentum=0.9), "mse")
    return made


def saved(name: str, ending: str, **metadata: Any) -> bytes:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        path = Path(folder) / f"m{ending}"
        networks()[name].save(path, metadata=metadata)
        return path.read_bytes()


@cache
def voice_file() -> bytes:
    """A model of the tutorial with its metadata."""
    from tempfile import TemporaryDirectory

    from experiments.tutorial.task import LABEL_NAMES, voice_model
    from features.recipes import TUTORIAL

    model = voice_model(2)
    model.build((11, 11))
    about = {"recipe": TUTORIAL.stamp(), "reading": "frames", "scaler": {"mean": [0.0] * 112, "scale": [1.0] * 112}}
    with TemporaryDirectory() as folder:
        model.save(
            path := Path(folder) / "m.safetensors",
            metadata=about | {"labels": LABEL_NAMES, "threshold": 0.5, "temperature": 1.0},
        )
        return path.read_bytes()


def model_tree(content: bytes) -> bytes:
    """The JSON from which `structure.safetensors` makes the file again, without its checksum."""
    from safetensors.numpy import load

    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])["__metadata__"]
    tree = {k: v if k == "format" else json.loads(v) for k, v in header.items() if k != "checksum"}
    return json.dumps(tree | {"arrays": structure.specs(load(content))}).encode()


def shipped_tree() -> bytes:
    from experiments.voices.pretrained import SHIPPED

    return model_tree(Path(SHIPPED).read_bytes())


def model_seeds() -> Iterator[bytes]:
    files = [saved(name, ".safetensors", note="a") for name in networks()] + [voice_file()]
    yield from files[:2]
    yield from map(model_tree, files)
    yield shipped_tree()


def enter_model(data: bytes, folder: Path) -> None:
    from experiments.tutorial.task import check_recipe, scaler_from
    from experiments.tutorial.training import load_voice_model
    from experiments.voices import clip_model

    tree = tree_of(data)
    path = written(folder, "m.safetensors", data if tree is None else structure.safetensors(tree))
    network = le.load(path, backend="numpy")
    if "recipe" in network.metadata or "task" in network.metadata:
        if clip_model.reads_frames(network):
            clip_model.of_network(network, path)
        else:
            load_voice_model(path, network)
            check_recipe(network.metadata["recipe"], str(path))
            scaler_from(network.metadata["scaler"])


# -- Keras's files ---------------------------------------------------------------------------------------------------


KERAS = ("deep", "graph")


@cache
def keras_file(name: str, ending: str) -> bytes:
    return saved(name, ending, note="a")


def archive_tree(name: str) -> dict[str, Any]:
    with zipfile.ZipFile(io.BytesIO(keras_file(name, ".keras"))) as file:
        texts = {n: json.loads(file.read(n)) for n in file.namelist() if n.endswith(".json")}
    return {"file": "keras", "weights": name, **texts}


def legacy_tree(name: str) -> dict[str, Any]:
    import h5py

    with h5py.File(io.BytesIO(keras_file(name, ".h5"))) as file:
        texts = {n: json.loads(file.attrs[n]) for n in ("model_config", "training_config")}
    return {"file": "h5", "weights": name, **texts}


def keras_seeds() -> Iterator[bytes]:
    for name in KERAS:
        yield keras_file(name, ".keras")
        yield keras_file(name, ".h5")
        yield json.dumps(archive_tree(name)).encode()
        yield json.dumps(legacy_tree(name)).encode()


def keras_made(tree: dict[str, Any]) -> tuple[str, bytes]:
    """(ending, content) of a valid file of Keras's with other texts."""
    import h5py

    name = tree["weights"] if tree.get("weights") in KERAS else KERAS[0]
    texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in tree.items() if k not in ("file", "weights")}
    out = io.BytesIO()
    if tree.get("file") == "h5":
        out.write(keras_file(name, ".h5"))
        with h5py.File(out, "r+") as file:
            for key in ("model_config", "training_config"):
                if key in texts:
                    file.attrs[key] = texts[key].encode("utf-8", "backslashreplace")[
                        :60_000
                    ]  # all that an attribute holds
        return ".h5", out.getvalue()
    with zipfile.ZipFile(io.BytesIO(keras_file(name, ".keras"))) as old, zipfile.ZipFile(out, "w") as new:
        for member in old.namelist():
            new.writestr(
                member, texts[member].encode("utf-8", "backslashreplace") if member in texts else old.read(member)
            )
    return ".keras", out.getvalue()


def enter_keras(data: bytes, folder: Path) -> None:
    tree = tree_of(data)
    if tree is not None:
        ending, data = keras_made(tree)
    else:
        ending = ".keras" if data.startswith(b"P") else ".h5"
    le.load_model(written(folder, f"m{ending}", data), backend="numpy")


# -- sound -----------------------------------------------------------------------------------------------------------


def sound_seeds() -> Iterator[bytes]:
    import soundfile as sf

    rate = 8000
    x = 0.3 * np.sin(2 * np.pi * 150 * np.arange(rate // 8) / rate)  # 0.125 s
    kinds = (
        ("WAV", "PCM_16"), ("WAV", "FLOAT"), ("WAVEX", "PCM_24"), ("AIFF", "PCM_16"), ("AU", "ULAW"), ("CAF", "ALAC_16"),
        ("W64", "PCM_16"), ("RF64", "PCM_16"), ("NIST", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS"),
        ("MP3", "MPEG_LAYER_III"),
    )  # fmt: skip
    for kind, subtype in kinds:
        out = io.BytesIO()
        sf.write(out, x, rate, format=kind, subtype=subtype)
        yield out.getvalue()
    for kind, codec in (
        ("webm", "libopus"),
        ("mp4", "aac"),
        ("adts", "aac"),
        ("tta", "tta"),
        ("asf", "wmav2"),
        ("wv", "wavpack"),
    ):
        if content := _contained(x, rate, kind, codec):
            yield content


def _contained(x: np.ndarray, rate: int, kind: str, codec: str) -> bytes:
    """The sound in a container that PyAV writes; nothing if this build of it has no such codec."""
    import av

    out = io.BytesIO()
    try:
        with av.open(out, "w", format=kind) as file:
            stream = file.add_stream(codec, rate=48000 if codec == "libopus" else rate)
            stream.layout = "mono"
            frame = av.AudioFrame.from_ndarray((x[None] * 32767).astype(np.int16), format="s16", layout="mono")
            frame.sample_rate = rate
            for f in (
                *av.AudioResampler(stream.format, "mono", stream.rate, stream.frame_size or None).resample(frame),
            ):
                file.mux(stream.encode(f))
            file.mux(stream.encode(None))
    except (av.FFmpegError, ValueError):
        return b""
    return out.getvalue()


def enter_sound(data: bytes, folder: Path) -> None:
    from features.audio import duration, read_clip

    path = written(folder, "a.wav", data)  # the first bytes decide, not the name
    duration(path)
    read_clip(path, longest_s=60)


# -- importers -------------------------------------------------------------------------------------------------------


def importer_seeds() -> Iterator[bytes]:
    from safetensors.numpy import save

    state = le.interchange.to_torch(importing())
    yield save(state)
    yield json.dumps({"arrays": structure.specs(state)}).encode()
    for number, layer in enumerate(onnx_layers()):
        yield json.dumps({"onnx": number, "arrays": structure.specs(le.interchange.to_onnx_tensors(layer))}).encode()
    yield json.dumps({"json": json.loads(networks()["deep"].to_json())}).encode()
    yield json.dumps({"json": json.loads(networks()["graph"].to_json())}).encode()


@cache
def importing() -> Any:
    model = le.Sequential(
        [le.Embedding(5, 2), le.Bidirectional(le.LSTM(2, return_sequences=True)), le.GRU(2), le.Dense(1)], seed=0
    )
    model.build((4,))
    return model


@cache
def onnx_layers() -> list[Any]:
    layers = [le.LSTM(2), le.GRU(2), le.SimpleRNN(2), le.Bidirectional(le.LSTM(2))]
    for layer in layers:
        le.Sequential([layer], seed=0).build((3, 2))
    return layers


def enter_importer(data: bytes, folder: Path) -> None:
    tree = tree_of(data)
    if tree is not None and "json" in tree:
        if any(n > 1000 for n in structure.sizes(tree)):  # it draws the weights that it describes, however many
            return
        le.model_from_json(tree["json"] if isinstance(tree["json"], str) else json.dumps(tree["json"]))
    elif tree is not None and "onnx" in tree:
        layers = onnx_layers()
        tensors = structure.arrays(tree.get("arrays"))
        which = tree["onnx"] if isinstance(tree["onnx"], int) else 0
        if "W" in tensors and "R" in tensors:
            le.interchange.from_onnx_tensors(layers[which % len(layers)], tensors["W"], tensors["R"], tensors.get("B"))
    else:
        content = data if tree is None else structure.safetensors({"arrays": tree.get("arrays")})
        le.interchange.load_torch(importing(), written(folder, "m.safetensors", content))


# -- stores and recipes ----------------------------------------------------------------------------------------------


@cache
def store_tree() -> dict[str, Any]:
    """A store of two clips, one of which failed: its header, its entries, and the arrays of its shard."""
    from features.recipes import frames_recipe
    from features.store import header_of

    recipe = frames_recipe()
    place = {"speaker": "ann", "sex": "female", "split": "", "start_s": 0.0, "end_s": None, "bytes": 99, "shard": 0}
    good = {
        "path": "a.wav",
        **place,
        "status": "ok",
        "reason": None,
        "message": None,
        "seconds": 0.1,
        "sha256": "0" * 64,
    }
    bad = {
        "path": "b.wav",
        **place,
        "status": "failed",
        "reason": "silent",
        "message": "it is silent",
        "seconds": None,
        "sha256": None,
    }
    header = header_of(recipe, []) | {"clips": 2}
    arrays = {"frames": [recipe.dtype, [5, len(recipe.columns)]]}  # the offsets are made to fit
    return {"header": header, "entries": [good | {"index": 0}, bad | {"index": None}], "arrays": arrays}


def store_seeds() -> Iterator[bytes]:
    tree = store_tree()
    yield json.dumps(tree).encode()
    yield json.dumps(tree | {"entries": tree["entries"][:1], "header": tree["header"] | {"clips": 1}}).encode()
    lines = [tree["header"], *tree["entries"]]
    yield "\n".join(map(json.dumps, lines)).encode()[1:]  # with {, which `enter_store` puts back, it would be a tree


def enter_store(data: bytes, folder: Path) -> None:
    from safetensors.numpy import save

    from features.clips import read_clips
    from features.recipes import recipe_from
    from features.store import open_store

    tree = tree_of(data)
    if tree is None:
        written(folder, "manifest.jsonl", b"{" + data)
    else:
        rows = tree.get("entries")
        lines = [tree.get("header"), *(rows if isinstance(rows, list) else [])]
        written(folder, "manifest.jsonl", "\n".join(map(json.dumps, lines)).encode())
        (folder / "shards").mkdir()
        stored = structure.arrays(tree.get("arrays"))
        if "offsets" not in stored:
            stored["offsets"] = np.array([0, *np.shape(stored.get("frames"))[:1]], np.int64)
        text = json.dumps({"header": tree.get("header"), "entries": rows})
        written(folder / "shards", "00000.safetensors", save(stored, {"extraction": text}))
    store = open_store(folder)
    for _ in store.manifest:
        pass
    recipe_from(store.stamp, str(folder))
    if tree is not None:
        read_clips(folder)


DOORS = {
    door.name: door
    for door in (
        Door("tables", table_seeds, enter_table),
        Door("models", model_seeds, enter_model),
        Door("keras", keras_seeds, enter_keras),
        Door("sounds", sound_seeds, enter_sound),
        Door("importers", importer_seeds, enter_importer),
        Door("stores", store_seeds, enter_store),
    )
}
