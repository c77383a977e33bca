"""Arrays and texts of HDF5 files, written and read in the one way in which Keras stores them: plainly, inside the file.

Whatever is stored otherwise is refused by name before it is read: links to other places, external and virtual datasets,
compressed, chunked or never-written ones, datasets that together declare more than the file holds.
"""

import io
from typing import Any

import numpy as np

from ..activations import Array
from ..schema import MOST_TEXT
from .common import optional

MOST_NAMES = 1000  # in one attribute
MOST_ITEMS = 15_000  # groups and arrays in a file: a thousand layers have some ten each
DEEPEST = 12  # groups inside each other


def datasets(file: Any) -> dict[str, Any]:
    """Every dataset by its path. ValueError for links that lead elsewhere, and for more groups than Keras writes."""
    h5py = optional("h5py")
    found: dict[str, Any] = {}
    pending, count = [("", file)], 0
    while pending:
        path, group = pending.pop()
        count += len(group)
        if count > MOST_ITEMS or path.count("/") > DEEPEST:
            raise ValueError(
                f"it has more than {MOST_ITEMS:,} groups and arrays, or some {DEEPEST} groups deep, as no file of Keras's"
            )
        for name in group:
            place = f"{path}{name}"
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ValueError(f"{place:.200} is a link to another place: Keras writes none, and none is followed")
            item = group[name]
            if isinstance(item, h5py.Group):
                pending.append((f"{place}/", item))
            elif isinstance(item, h5py.Dataset):
                found[place] = item
    return dict(sorted(found.items()))


def floats(file: Any, stored: dict[str, Any]) -> int:
    """How many numbers these datasets hold. ValueError unless all of them lie plainly in the file and fit into it."""
    for name, dataset in stored.items():
        require_plain(name, dataset)
    nbytes = sum(_nbytes(dataset) for dataset in stored.values())
    if nbytes > (size := file.id.get_filesize()):
        raise ValueError(f"its arrays declare {nbytes:,} bytes, the file has {size:,}")
    return sum(int(np.prod(dataset.shape, dtype=object)) for dataset in stored.values())


def require_plain(name: str, dataset: Any, kinds: str = "f") -> None:
    """ValueError unless the dataset is stored as Keras does it: numbers in one piece, of as many bytes as its shape needs."""
    if dataset.dtype.kind not in kinds:
        raise ValueError(f"{name} is stored as {dataset.dtype}, expected floating-point numbers")
    if dataset.external or dataset.is_virtual or dataset.chunks or dataset.id.get_storage_size() != _nbytes(dataset):
        raise ValueError(f"{name} is stored outside the file, compressed, in chunks or not at all, as Keras never does")


def _nbytes(dataset: Any) -> int:
    return int(np.prod(dataset.shape, dtype=object)) * dataset.dtype.itemsize


def read(name: str, dataset: Any, kinds: str = "f") -> Array:
    require_plain(name, dataset, kinds)
    return dataset[()]


def names(group: Any, attribute: str) -> list[str]:
    """A list of names, which Keras splits into attribute0, attribute1, ... where it is long; [] where there is none."""
    parts = [attribute] if attribute in group.attrs else []
    while parts[:1] != [attribute] and f"{attribute}{len(parts)}" in group.attrs:
        parts.append(f"{attribute}{len(parts)}")
    found: list[str] = []
    for part in parts:
        if (count := np.prod(group.attrs.get_id(part).shape, dtype=object)) > MOST_NAMES:
            raise ValueError(f"{group.name}: {part} declares {count:,.0f} names, at most {MOST_NAMES:,} are read")
        found += [name.decode() if isinstance(name, bytes) else str(name) for name in group.attrs[part]]
    return found


def text(group: Any, attribute: str) -> str | None:
    """A text of Keras 2 (bytes) or 3 (str), or None where there is none."""
    if attribute not in group.attrs:
        return None
    if (size := group.attrs.get_id(attribute).get_storage_size()) > MOST_TEXT:
        raise ValueError(f"{attribute} has {size:,} bytes, at most {MOST_TEXT:,} are read")
    value = group.attrs[attribute]
    if not isinstance(value, bytes | str) or len(value) > MOST_TEXT:
        raise ValueError(f"{attribute} is no text of at most {MOST_TEXT:,} bytes, as Keras writes it")
    return value.decode() if isinstance(value, bytes) else value


def to_bytes(arrays: dict[str, Any], attributes: dict[str, dict[str, Any]]) -> bytes:
    """A file with these arrays by path, and by group its attributes; a list of texts is stored as Keras stores names."""
    buffer = io.BytesIO()
    with optional("h5py").File(buffer, "w") as file:
        for place, array in arrays.items():
            file.create_dataset(place, data=array)
        for place, values in attributes.items():
            group = file.require_group(place)
            for name, value in values.items():
                group.attrs[name] = np.array(value, "S") if isinstance(value, list) else value
    return buffer.getvalue()
