"""Run files, `*.run.safetensors`: written whole or not at all, checked when read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from engine.atomic_write import write_atomic
from engine.decoding import from_json, refusing, safetensors_header
from engine.errors import RunError
from engine.generation.recorded_run import Run
from engine.generation.run_codec import DAMAGED, decode_run, encode_run

LARGEST = 1 << 30  # bytes
LONGEST_HEADER = 64 << 20  # bytes


def save_run(path: str | Path, run: Run) -> None:
    """Writes a run file.

    Raises:
        RunError: it cannot be written; an older file at `path` is then untouched.
    """
    write_atomic(Path(path), run_to_bytes(run), "run", RunError)


def run_to_bytes(run: Run) -> bytes:
    """The content of a run file: safetensors, with the header as JSON in its metadata under `run`."""
    from safetensors.numpy import save

    header, arrays = encode_run(run)
    return save(arrays, metadata={"run": json.dumps(header, ensure_ascii=False, allow_nan=False)})


def load_run(path: str | Path) -> Run:
    """Reads and checks a run file; nothing in it is ever unpickled.

    Raises:
        RunError: no such file, damaged, a newer format, or values that are not finite.
    """
    path = Path(path)
    what = f"The run {path.name} was not loaded"
    header, arrays = _read(path, what)
    return decode_run(header, arrays, what)


def _read(path: Path, what: str) -> tuple[Any, dict[str, np.ndarray]]:
    """The header, None where there is none, and all arrays."""
    from safetensors import safe_open

    with refusing(RunError, what, DAMAGED, "It is damaged or not a run file."):
        text = safetensors_header(path, LARGEST, LONGEST_HEADER).metadata.get("run")
        with safe_open(path, framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return (from_json(text) if text is not None else None), arrays
