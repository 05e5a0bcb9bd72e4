"""Where a model runs: the main processor, one GPU, or spread over all that there is."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import torch
from torch import nn

from engine.errors import ModelError
from engine.model.memory import free_memory

DEVICES = ("cpu", "cuda", "auto")

Place = torch.device | None  # None: spread over everything


def choose_place(name: str | None) -> Place:
    """cpu, cuda, or auto (spread over all GPUs and, for the rest, main memory); by default a GPU if any.

    Raises ModelError for a name that is none of these, a GPU that is not there, and for auto without
    accelerate, the library that spreads a model.
    """
    if name not in (None, *DEVICES):
        raise ModelError("The model was not loaded", f"There is no device {name}.", "Use cpu, cuda or auto.")
    usable = torch.cuda.is_available()
    if name == "cuda" and not usable:
        raise ModelError(
            "The model was not loaded", "This machine offers no usable GPU.", "Use the device cpu."
        )
    if name == "auto" and not can_spread():
        raise ModelError(
            "The model was not loaded",
            "Spreading it over several devices needs the package accelerate.",
            "Install it with `pip install 'steering-studio[gpus]'`, or use the device cpu or cuda.",
        )
    if name == "auto":
        return None
    return torch.device(name or ("cuda" if usable else "cpu"))


def can_spread() -> bool:
    return find_spec("accelerate") is not None


def several_gpus() -> bool:
    return torch.cuda.is_available() and torch.cuda.device_count() > 1


def free_at(place: Place) -> int:
    """Bytes that are free there."""
    if place is None:
        gpus = range(torch.cuda.device_count() if torch.cuda.is_available() else 0)
        return free_memory() + sum(torch.cuda.mem_get_info(gpu)[0] for gpu in gpus)
    return torch.cuda.mem_get_info(place)[0] if place.type == "cuda" else free_memory()


def held_at(place: Place, model: Any) -> int:
    """Bytes that a loaded model holds there."""
    return model.bytes if place is None or place.type == model.device.type else 0


def room(instead_of: Any = None) -> int:
    """Bytes that are free where a model is loaded unless told otherwise, those that a loaded one would give
    back counted as free."""
    places = [choose_place(None)]
    if several_gpus() and can_spread():
        places.append(None)
    held = [held_at(place, instead_of) if instead_of is not None else 0 for place in places]
    return max(free_at(place) + back for place, back in zip(places, held))


def devices_of(modules: Sequence[nn.Module]) -> list[torch.device]:
    """Per module the device that its output comes out on.

    Where accelerate has spread a model, the weights of a module may lie elsewhere until it runs; its hook
    knows.
    """
    return [_device(module) for module in modules]


def _device(module: Any) -> torch.device:
    spread = getattr(getattr(module, "_hf_hook", None), "execution_device", None)
    if spread is not None:
        return torch.device(spread)
    weight = next(module.parameters(), None)
    return torch.device("cpu") if weight is None else weight.device
