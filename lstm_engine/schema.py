"""What the JSON of a model file may say, field by field: read and checked before anything is made of it.

The classes below are the schema of the engine's own files. What a layer, an initializer or an optimizer may be told is the
annotation of its constructor (`registry.make`). Nothing here allocates more than a small multiple of the text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

MOST_LAYERS = 500
MOST_TEXT = 2**23  # bytes of one JSON text
MOST_VALUES = 500_000  # in one JSON text: each takes some hundred bytes of memory

Count = Annotated[int, Meta(ge=0, le=2**53)]
Size = Annotated[int, Meta(ge=1, lt=2**31)]  # of an axis
Name = Annotated[str, Meta(max_length=200)]
Config = dict[Name, Any]


class LayerRow(Struct, forbid_unknown_fields=True, rename={"kind": "class"}):
    """A layer: its class, its name, and the arguments of its constructor."""

    kind: Name
    name: Name
    config: Config


class Words(Struct, forbid_unknown_fields=True):
    """An optimizer by its name."""

    name: Name
    config: Config


class Described(Struct, forbid_unknown_fields=True):
    """A loss or a metric that is more than a name."""

    class_name: Name
    config: Config
    module: str | None = None
    registered_name: str | None = None


class State(Struct, forbid_unknown_fields=True):
    """Two numbers of 128 bits."""

    state: int
    inc: int


class Generator(Struct, forbid_unknown_fields=True):
    """NumPy's state of a generator of random numbers."""

    bit_generator: Literal["PCG64"]
    state: State
    has_uint32: Literal[0, 1]
    uinteger: Annotated[int, Meta(ge=0, lt=2**32)]


class Compiled(Struct, forbid_unknown_fields=True):
    """What compile said, and the steps that the optimizer made."""

    optimizer: Words
    iterations: Count
    loss: Name | Described | list[Name | Described]
    metrics: list[Name | Described | list[Name | Described]]
    loss_weights: list[float] = []


class NodeRow(Struct, forbid_unknown_fields=True):
    """One call of a layer; an edge is the name of a node and the number of its output."""

    layer: Name
    name: Name
    inputs: list[tuple[Name, Count]]
    states: list[tuple[Name, Count]]


class GraphRow(Struct, forbid_unknown_fields=True):
    """The inputs' names, the calls in order, and the edges that are the outputs."""

    inputs: list[Name]
    nodes: Annotated[list[NodeRow], Meta(max_length=10 * MOST_LAYERS)]
    outputs: list[tuple[Name, Count]]


class Architecture(Struct, forbid_unknown_fields=True):
    """A model, and where its training stands."""

    layers: Annotated[list[LayerRow], Meta(min_length=1, max_length=MOST_LAYERS)]
    input_shape: list[Size | list[Size | None] | None] | None
    dtype: Literal["float32", "float64"]
    seed: Annotated[int, Meta(ge=0)] | None
    epochs_done: Count
    compile: Compiled | None
    entropy: int | list[int] = 0
    generators: Annotated[list[Generator], Meta(max_length=10 * MOST_LAYERS)] = []
    graph: GraphRow | None = None
    output_names: list[Name] | None = None


class Ours(Struct, forbid_unknown_fields=True):
    """What the engine alone knows of a model, in a Keras file."""

    metadata: dict[str, Any] = {}
    seed: Annotated[int, Meta(ge=0)] | None = None
    epochs_done: Count = 0
    generators: Annotated[list[Generator], Meta(max_length=10 * MOST_LAYERS)] = []


def parse(content: bytes | str, what: str, kind: Any = Any) -> Any:
    """The JSON as plain values, if it is what `kind` says. ValueError names `what`, the field, and what was expected."""
    text = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    if len(text) > MOST_TEXT:
        raise ValueError(f"{what} has {len(text):,} bytes, at most {MOST_TEXT:,} are read")
    if (values := sum(map(text.count, (b",", b"[", b"{")))) > MOST_VALUES:
        raise ValueError(f"{what} has some {values:,} values, at most {MOST_VALUES:,} are read")
    try:
        value = msgspec.json.decode(text)
        return fitting(value, what, kind) and value if kind is not Any else value
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{what} is no JSON that can be read: {error}") from None


def fitting(value: Any, what: str, kind: Any) -> Any:
    """The plain values as an object of this type. ValueError names `what`, the field, and what was expected there."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        said, _, field = (
            str(error).replace("`", "").partition(" - at $")
        )  # "Expected `int`, got `str` - at `$.layers[0]`"
        raise ValueError(f"{what} cannot be used: {field.strip('.')}{': ' * bool(field)}{said:.300}") from None


def check_generators(states: Any, parts: Mapping[str, Any], what: str) -> None:
    """ValueError unless there is a state that NumPy takes for the generator of every part."""
    rows = fitting(states, what, list[Generator])
    if len(rows) != len(parts):
        raise ValueError(f"{what} are {len(rows)}, the model has {len(parts)}")
    for name, row in zip(parts, rows, strict=True):
        if not (0 <= row.state.state < 2**128 and 0 <= row.state.inc < 2**128):
            raise ValueError(f"{what}: the state for {name!r} is out of range, expected 0 to 2**128 - 1")
