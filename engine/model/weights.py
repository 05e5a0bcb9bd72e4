"""What a model folder's weight files hold, read from their headers alone and checked for damage."""

from __future__ import annotations

import json
import math
import re
import struct
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any

from engine.errors import ModelError
from engine.model.json_file import read_json

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"

_PART = re.compile(r"model-(\d+)-of-(\d+)\.safetensors")
_MOST_PARTS = 10_000
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

    A whole file counts before an index beside it, as in transformers; parts need no index.
    Raises ModelError for what would break the loading half-way: no such files, an unreadable index or one
    that names files elsewhere, a missing part, a file that was cut short or whose header makes no sense.
    """
    names = _names(folder)
    values: dict[str, int] = {}
    for name in names:
        for kind, count in _counts(folder / name).items():
            values[kind] = values.get(kind, 0) + count
    return Weights(names, sum((folder / name).stat().st_size for name in names), values)


def weight_files(names: set[str]) -> set[str]:
    """Which files of a listing hold the weights: the whole one, or the parts and their index, or nothing.

    Other safetensors files beside them are other editions of the same weights.
    """
    if SINGLE in names:
        return {SINGLE}
    return (names & {INDEX}) | {name for name in names if _PART.fullmatch(name)}


def tensor_names(file: Path) -> list[str]:
    """The names of the tensors in a safetensors file. Raises ModelError for a damaged one."""
    return list(_entries(file))


def _names(folder: Path) -> tuple[str, ...]:
    if (folder / SINGLE).is_file():
        return (SINGLE,)
    names = _indexed(folder / INDEX) if (folder / INDEX).is_file() else _numbered(folder)
    for name in names:
        if not (folder / name).is_file():
            raise ModelError(
                f"The model in {folder} is incomplete",
                f"Its part {name} is missing.",
                "Download it again; parts that are there are kept.",
            )
    return names


def _indexed(index: Path) -> tuple[str, ...]:
    """The parts that an index names: files of its own folder, for nothing else is the model's."""
    try:
        names = set(read_json(index)["weight_map"].values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise _damaged(index, "cannot be read") from None
    for name in names:
        if not isinstance(name, str) or not name:
            raise _damaged(index, f"names {name!r} where the name of a file belongs")
        if name in (".", "..") or "/" in name or "\\" in name or PureWindowsPath(name).drive:
            raise _damaged(index, f"names {name}, which is no file of its folder")
    if not names:
        raise _damaged(index, "names no files")
    return tuple(sorted(names))


def _numbered(folder: Path) -> tuple[str, ...]:
    """Parts without an index, whose names say how many there are."""
    found = [match for file in folder.glob("model-*.safetensors") if (match := _PART.fullmatch(file.name))]
    if not found:
        raise ModelError(f"The model in {folder} was not loaded", *_without_weights(folder))
    number, count = (len(digits) for digits in found[0].groups())
    total = max(int(match[2]) for match in found)
    if total > _MOST_PARTS:
        raise _damaged(folder / found[0].string, "says that it is one of too many parts")
    return tuple(f"model-{part:0{number}}-of-{total:0{count}}.safetensors" for part in range(1, total + 1))


def _without_weights(folder: Path) -> tuple[str, str]:
    if any(folder.glob("*.gguf")):
        return "It holds a GGUF file, and nothing in safetensors.", "Choose that file itself."
    if any(file for ending in ("bin", "pt", "pth", "ckpt") for file in folder.glob(f"*.{ending}")):
        return (
            "It has no safetensors weights, and pickled weights are never loaded.",
            "Choose a model that is stored as safetensors.",
        )
    return "It has no safetensors weights.", "Choose a folder in the Hugging Face layout, weights included."


def _counts(file: Path) -> dict[str, int]:
    """Values per dtype."""
    values: dict[str, int] = {}
    for entry in _entries(file).values():
        kind = _NAMES.get(entry["dtype"], entry["dtype"])
        values[kind] = values.get(kind, 0) + math.prod(entry["shape"])
    return values


def _entries(file: Path) -> dict[str, dict[str, Any]]:
    """What the header says of each tensor: its dtype, its shape, where it lies.

    The format: 8 bytes with the header's length, the header as JSON, the numbers.
    """
    size = file.stat().st_size
    with file.open("rb") as stream:
        start = stream.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else _MOST_HEADER + 1
        if length > _MOST_HEADER or 8 + length > size:
            raise _damaged(file, "is cut short or no safetensors file")
        try:
            header: dict[str, Any] = json.loads(stream.read(length))
            entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
            end = 8 + length + max((entry["data_offsets"][1] for entry in entries.values()), default=0)
            sound = all(_sound(entry) for entry in entries.values())
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
            sound, end = False, 0
    if not sound:
        raise _damaged(file, "has a header that cannot be read")
    if end > size:
        raise _damaged(file, f"is cut short: {size:,} of {end:,} bytes are there")
    return entries


def _sound(entry: dict[str, Any]) -> bool:
    numbers = (*entry["shape"], *entry["data_offsets"])
    return isinstance(entry["dtype"], str) and all(type(number) is int and number >= 0 for number in numbers)


def _damaged(file: Path, how: str) -> ModelError:
    return ModelError(
        f"The model in {file.parent} was not loaded", f"Its file {file.name} {how}.", "Download it again."
    )
