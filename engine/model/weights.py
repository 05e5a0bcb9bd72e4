"""What a model folder's weight files hold, read from their headers alone and checked for damage."""

from __future__ import annotations

import json
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import ModelError

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"

_PART = re.compile(r"model-\d+-of-\d+\.safetensors")
_MOST_HEADER = 100 << 20  # bytes; a longer header is no header
_NAMES = {"F64": "float64", "F32": "float32", "BF16": "bfloat16", "F16": "float16", "I8": "int8"}


@dataclass(frozen=True)
class Weights:
    """files: names in their folder; bytes: their size together; values: how many numbers of each dtype."""

    files: tuple[str, ...]
    bytes: int
    values: dict[str, int]

    @property
    def count(self) -> int:
        return sum(self.values.values())

    @property
    def dtype(self) -> str:
        """The one that most values have; "unknown" for an empty model."""
        return max(self.values, key=lambda name: self.values[name], default="unknown")


def read_weights(folder: Path) -> Weights:
    """The folder's safetensors files, one or several; no tensor is read.

    Raises ModelError for what would break the loading half-way: no such files, an unreadable index, a
    missing part, a file that was cut short or whose header makes no sense.
    """
    names = _names(folder)
    values: dict[str, int] = {}
    for name in names:
        for kind, count in _header(folder / name).items():
            values[kind] = values.get(kind, 0) + count
    return Weights(names, sum((folder / name).stat().st_size for name in names), values)


def weight_files(names: set[str]) -> set[str]:
    """Which files of a listing hold the weights: the index and its parts, or the single file, or nothing.

    Other safetensors files beside them are other editions of the same weights.
    """
    if INDEX not in names:
        return names & {SINGLE}
    return {INDEX, *(name for name in names if _PART.fullmatch(name))}


def _names(folder: Path) -> tuple[str, ...]:
    index = folder / INDEX
    if not index.is_file():
        if not (folder / SINGLE).is_file():
            raise ModelError(
                f"The model in {folder} was not loaded",
                "It has no safetensors weights, and pickled weights are never loaded.",
                "Choose a model stored as safetensors.",
            )
        return (SINGLE,)
    try:
        names = tuple(sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _damaged(index, "cannot be read") from None
    for name in names:
        if not (folder / name).is_file():
            raise ModelError(
                f"The model in {folder} is incomplete",
                f"Its part {name} is missing.",
                "Download it again; parts that are there are kept.",
            )
    return names


def _header(file: Path) -> dict[str, int]:
    """Values per dtype. The format: 8 bytes with the header's length, the header as JSON, the numbers."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        start = stream.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else _MOST_HEADER + 1
        if length > _MOST_HEADER or 8 + length > size:
            raise _damaged(file, "is cut short or no safetensors file")
        try:
            header: dict[str, Any] = json.loads(stream.read(length))
            entries = [entry for name, entry in header.items() if name != "__metadata__"]
            end = 8 + length + max((entry["data_offsets"][1] for entry in entries), default=0)
            values: dict[str, int] = {}
            for entry in entries:
                count = 1
                for extent in entry["shape"]:
                    count *= extent
                kind = _NAMES.get(entry["dtype"], entry["dtype"])
                values[kind] = values.get(kind, 0) + count
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
            raise _damaged(file, "has a header that cannot be read") from None
    if end > size:
        raise _damaged(file, f"is cut short: {size:,} of {end:,} bytes are there")
    return values


def _damaged(file: Path, how: str) -> ModelError:
    return ModelError(
        f"The model in {file.parent} was not loaded", f"Its file {file.name} {how}.", "Download it again."
    )
