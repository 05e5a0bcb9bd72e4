"""PyTorch files of other tools: only tensors are read from them, code in them is never run."""

from __future__ import annotations

import io
import pickle
import warnings
import zipfile
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from engine.atomic_write import write_atomic
from engine.decoding import refusing, require_file
from engine.errors import HeadError
from engine.heads.formats.format import refuse

_LARGEST = 1 << 30  # bytes
_MOST_PARTS = 10_000  # of the archive
_LONGEST_PICKLE = 1 << 20  # bytes


def read_tensor(path: Path) -> np.ndarray:
    """The one tensor that the file holds, as float32. Raises HeadError for anything else.

    The file is loaded twice: first without numbers, so that a tensor is known before it takes memory.
    """
    import torch

    what, remedy = f"{path.name} was not converted", "Download it again."
    with refusing(HeadError, what, remedy, "It is damaged or not a tensor file."):
        size = require_file(path, _LARGEST)
        _require_archive(path, size)
        shape = _load(path, "meta")
        if not isinstance(shape, torch.Tensor):
            refuse(path, f"It holds {type(shape).__name__} and no tensor of numbers.", "Choose another file.")
        plain = shape.layout == torch.strided and not shape.is_quantized
        if not plain or shape.dtype not in (torch.float32, torch.float16, torch.bfloat16, torch.float64):
            refuse(path, "Its tensor is not one of plain floating-point numbers.", "Save it as float32.")
        if shape.numel() * shape.element_size() > size:
            refuse(path, "Its tensor has more numbers than the file.", "Save it with .clone() first.")
        value = _load(path, "cpu")
        if value.device.type != "cpu":
            refuse(path, "Its tensor has a shape and no numbers.", "Choose another file.")
        return value.detach().float().contiguous().numpy()


def write_tensor(path: Path, array: np.ndarray) -> None:
    """Writes one float32 tensor, whole or not at all. Raises HeadError when it cannot."""
    import torch

    buffer = io.BytesIO()
    torch.save(torch.from_numpy(np.ascontiguousarray(array, np.float32)), buffer)
    write_atomic(path, buffer.getvalue(), "vector", HeadError)


def _require_archive(path: Path, size: int) -> None:
    """Raises HeadError for what is no archive of PyTorch, or one that unpacks to more than it is."""
    if not zipfile.is_zipfile(path):
        _refuse_code(path)
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
    if len(parts) > _MOST_PARTS:
        refuse(path, f"It holds {len(parts):,} parts.", "Choose another file.")
    for part in parts:
        # PyTorch compresses nothing, so whatever is compressed was made by something else.
        if part.compress_type != zipfile.ZIP_STORED or part.file_size > size:
            refuse(path, "It unpacks to more than it is.", "Choose another file.")
        if part.filename.endswith(".pkl") and part.file_size > _LONGEST_PICKLE:
            refuse(path, "It holds more than a tensor.", "Choose another file.")


def _load(path: Path, place: str) -> Any:
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what cannot be read our errors tell
            return torch.load(path, map_location=place, weights_only=True)
    except pickle.UnpicklingError:
        _refuse_code(path)


def _refuse_code(path: Path) -> NoReturn:
    refuse(
        path,
        "It is damaged, or holds more than tensors; such files can run code and are never opened.",
        "Ask its maker for safetensors, or fetch it again from a place that you trust.",
    )
