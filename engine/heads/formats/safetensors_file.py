"""Safetensors files of other tools: their metadata and arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.decoding import FLOATS, refusing, safetensors_header
from engine.errors import HeadError
from engine.heads.formats.format import refuse

_LARGEST = 4 << 30  # bytes
_LONGEST_HEADER = 8 << 20  # bytes


def names_in(path: Path) -> list[str]:
    """The names of the tensors, from the header alone; none when it is not a safetensors file."""
    try:
        return list(safetensors_header(path, _LARGEST, _LONGEST_HEADER).tensors)
    except (OSError, ValueError):
        return []


def read_arrays(path: Path) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """Raises HeadError when the file cannot be read. bfloat16, which numpy lacks, is read too."""
    from safetensors import safe_open

    what, remedy = f"{path.name} was not converted", "Download the file again."
    with refusing(HeadError, what, remedy, "It is damaged or not a safetensors file."):
        header = safetensors_header(path, _LARGEST, _LONGEST_HEADER)
        others = sorted({kind for kind, _ in header.tensors.values()} - set(FLOATS))
        if others:
            refuse(
                path, f"It holds numbers of the kind {others[0]}.", "Choose vectors in float32 or float16."
            )
        with safe_open(path, framework="pt") as file:
            arrays = {name: file.get_tensor(name).float().numpy() for name in file.keys()}  # noqa: SIM118
            return dict(header.metadata), arrays
