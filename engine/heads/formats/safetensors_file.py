"""Safetensors files of other tools: their metadata and arrays."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from engine.heads.formats.format import refuse

_LARGEST = 4 << 30  # bytes


def names_in(path: Path) -> list[str]:
    """The names of the tensors, from the header alone; none when it is not a safetensors file."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            return list(json.loads(file.read(length))) if 2 <= length <= path.stat().st_size else []
    except (OSError, ValueError, TypeError, RecursionError):
        return []


def read_arrays(path: Path) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """The metadata and the arrays, all as float32. Raises HeadError when the file cannot be read."""
    from safetensors import SafetensorError, safe_open

    try:
        if path.stat().st_size > _LARGEST:
            refuse(path, f"It has {path.stat().st_size >> 30} GB, too many for vectors.", "Choose another.")
        with safe_open(path, framework="pt") as file:
            arrays = {name: file.get_tensor(name).float().numpy() for name in file.keys()}  # noqa: SIM118
            return file.metadata() or {}, arrays
    except FileNotFoundError:
        refuse(path, "There is no such file.", "Check the path.")
    except OSError as error:
        refuse(path, f"{error.strerror or error}.", "Choose a file that can be read.")
    except (SafetensorError, TypeError, ValueError, RuntimeError):
        refuse(path, "It is damaged or not a safetensors file.", "Download the file again.")
