"""What a safetensors file says of its tensors: names, types and shapes, without torch."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Described:
    """One tensor of a file: its type as the format spells it (`F32`, `BF16`) and its shape."""

    dtype: str
    shape: tuple[int, ...]


def described_tensors(path: Path) -> Mapping[str, Described]:
    """Name -> type and shape, from the file's header.

    The header is JSON behind its own length in eight bytes, little-endian; the data is not read,
    but the file must be as long as the header says.

    Raises:
        ValueError: it is no whole safetensors file.
        OSError: it cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np"):  # compares the size with the header, and the header
            pass
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return {
        name: Described(entry["dtype"], tuple(entry["shape"]))
        for name, entry in header.items()
        if name != "__metadata__"
    }
