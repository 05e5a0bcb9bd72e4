"""Where a model runs: the main processor, one GPU, an Apple one among them, or spread over all there are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import torch
from torch import nn

from engine.errors import ModelError
from engine.model.memory import free_memory
from engine.model.memory_fit import default_dtype

Place = torch.device | None  # None: spread over everything

_NAMES = "cpu, cuda, cuda:1, mps or auto"
_NAME = re.compile(r"cpu|mps|auto|cuda(:\d+)?")


def choose_place(name: str | None) -> Place:
    """cpu, cuda (one of several by its number, cuda:1), mps (an Apple GPU), or auto: spread over all GPUs
    and, for the rest, main memory. By default a GPU if there is one.

    Raises ModelError for a name that is none of these and for a GPU that is not there.
    """
    if name is None:
        usable = (kind for kind, there in (("cuda", has_cuda), ("mps", has_mps)) if there())
        return torch.device(next(usable, "cpu"))
    if not _NAME.fullmatch(name):
        raise _refused(f"There is no device {name}.", f"Use {_NAMES}.")
    if name == "auto":
        if not can_spread():
            raise _refused(
                "Spreading it over several devices needs the package accelerate.",
                "Install it with `pip install accelerate`, or use the device cpu or cuda.",
            )
        return None
    place = torch.device(name)
    if place.type == "cuda" and not has_cuda():
        raise _refused("This machine offers no usable GPU.", "Use the device cpu.")
    if place.type == "cuda" and (place.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise _refused(f"There is no device {name}: this machine has {count} GPU(s).", "Use cuda:0.")
    if place.type == "mps" and not has_mps():
        raise _refused("This machine offers no Apple GPU to torch.", "Use the device cpu.")
    return place


def devices() -> list[str]:
    """The devices that a model can be loaded on here, the one that is taken by default first."""
    found = ["mps"] if has_mps() else []
    if has_cuda():
        count = torch.cuda.device_count()
        found += [f"cuda:{index}" for index in range(count)] if count > 1 else ["cuda"]
        found += ["auto"] if count > 1 and can_spread() else []
    return [*found, "cpu"]


def has_cuda() -> bool:
    return torch.cuda.is_available()


def has_mps() -> bool:
    """Whether torch can use an Apple GPU."""
    return torch.backends.mps.is_available()


def in_float64(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor in double precision, on the processor where its device, an Apple GPU, has none."""
    return (tensor if has_float64(tensor.device) else tensor.cpu()).double()


def has_float64(device: torch.device) -> bool:
    return device.type != "mps"


def can_spread() -> bool:
    return find_spec("accelerate") is not None


def several_gpus() -> bool:
    return has_cuda() and torch.cuda.device_count() > 1


def default_dtype_at(place: Place, stored: int, quantised: bool = False) -> str:
    """What a model of `stored` bytes of weights runs in there unless the person says otherwise; quantised:
    its weights are stored in fewer bits, so that their size says nothing.

    bfloat16 where the device knows it, float16 on older GPUs and before macOS 14.
    """
    name = "bfloat16" if quantised else default_dtype(stored)
    if name != "bfloat16":
        return name
    if (place is None or place.type == "cuda") and has_cuda():
        return name if torch.cuda.is_bf16_supported() else "float16"
    if place is not None and place.type == "mps":
        return name if torch.backends.mps.is_macos_or_newer(14, 0) else "float16"
    return name


def free_at(place: Place) -> int:
    """Bytes that are free there. An Apple GPU shares main memory and may take a part of it."""
    if place is None:
        gpus = range(torch.cuda.device_count() if has_cuda() else 0)
        return free_memory() + sum(torch.cuda.mem_get_info(gpu)[0] for gpu in gpus)
    if place.type == "cuda":
        return torch.cuda.mem_get_info(place)[0]
    if place.type == "mps":
        allowed = torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
        return max(0, min(free_memory(), allowed))
    return free_memory()


def held_at(place: Place, model: Any) -> int:
    """Bytes that a loaded model holds there."""
    if place is None:
        return model.bytes
    shared = {place.type, model.device.type} == {"cpu", "mps"}  # one memory for both
    return model.bytes if shared or place.type == model.device.type else 0


def room(instead_of: Any = None, device: str | None = None) -> int:
    """Bytes that are free where a model is loaded on `device`, or where it goes unless told otherwise; those
    that a loaded one would give back are counted as free."""
    places = [choose_place(device)]
    if device is None and several_gpus() and can_spread():
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


def _refused(why: str, remedy: str) -> ModelError:
    return ModelError("The model was not loaded", why, remedy)
