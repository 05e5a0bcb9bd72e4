"""PyTorch files of other tools: only tensors are read from them, code in them is never run."""

from __future__ import annotations

import io
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from engine.atomic_write import write_atomic
from engine.errors import HeadError
from engine.heads.formats.format import refuse

_LARGEST = 4 << 30  # bytes


def read_tensor(path: Path) -> np.ndarray:
    """The single tensor in the file, as float32. Raises HeadError for anything else."""
    import torch

    if path.is_file() and path.stat().st_size > _LARGEST:
        refuse(path, f"It has {path.stat().st_size >> 30} GB, too many for vectors.", "Choose another.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what cannot be read is an error below
            value: Any = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        refuse(path, f"There is no {path.name} in {path.parent}.", "Check the path.")
    except OSError as error:
        refuse(path, f"{error.strerror or error}.", "Choose a file that can be read.")
    except pickle.UnpicklingError:
        refuse(
            path,
            "It is damaged, or holds more than tensors; such files can run code and are never opened.",
            "Ask its maker for safetensors, or fetch it again from a place that you trust.",
        )
    except Exception as error:  # on damaged bytes the restricted reader may stumble over anything
        raise HeadError(
            f"{path.name} was not converted", "It is damaged or not a tensor file.", "Download it again."
        ) from error
    if not isinstance(value, torch.Tensor) or not value.is_floating_point():
        refuse(path, f"It holds {type(value).__name__} and no tensor of numbers.", "Choose another file.")
    return value.detach().to_dense().float().numpy()


def write_tensor(path: Path, array: np.ndarray) -> None:
    """Writes one float32 tensor, whole or not at all. Raises HeadError when it cannot."""
    import torch

    buffer = io.BytesIO()
    torch.save(torch.from_numpy(np.ascontiguousarray(array, np.float32)), buffer)
    write_atomic(path, buffer.getvalue(), "vector", HeadError)
