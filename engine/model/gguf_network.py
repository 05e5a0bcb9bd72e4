"""From a GGUF file to a network in full precision and its tokenizer, by transformers' own reader."""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from torch import nn

from engine.errors import ModelError
from engine.events import Cancel, Emit, Meter
from engine.model.gguf_file import GgufModel
from engine.model.memory import trim
from engine.model.placement import Place

_OFTEN = 16  # tensors
_patching = threading.Lock()


def require_readable(model: GgufModel) -> None:
    """Raises ModelError when transformers has no reader for the architecture or for a type of its weights."""
    from transformers.integrations import GGUF_CONFIG_MAPPING

    known = {name.replace("_", "-") for name in GGUF_CONFIG_MAPPING} | _newer_architectures()
    if model.architecture.replace("_", "-") not in known | {"qwen2moe", "qwen3moe"}:
        raise ModelError(
            f"The file {model.path} was not loaded",
            f"transformers cannot read the architecture {model.architecture} from GGUF.",
            "Choose the folder of the same model with safetensors weights.",
        )
    unread = sorted(set(model.values) - {"F32", "F16", *(kind.name for kind in gguf.quants._type_traits)})
    if unread:
        raise ModelError(
            f"The file {model.path} was not loaded",
            f"Its weights are stored in the type {unread[0]}, which cannot be turned back into numbers here.",
            "Choose another quantisation of the same model, Q4_K_M or Q8_0 for instance.",
        )


def _newer_architectures() -> set[str]:
    """Those that transformers reads in its second way, which older releases do not have."""
    try:
        from transformers.integrations.gguf import GGUF_ARCHS
    except ImportError:
        return set()
    return set(GGUF_ARCHS)


def gguf_config(path: Path) -> Any:
    """The settings of a GGUF model as transformers' configuration object."""
    from transformers import AutoConfig

    with quick_reading(None, None):
        return AutoConfig.from_pretrained(path.parent, gguf_file=path.name)


def gguf_tokenizer(path: Path) -> Any:
    """Its vocabulary, and its chat template where it has one."""
    from transformers.tokenization_utils_tokenizers import PreTrainedTokenizerFast

    with quick_reading(None, None):
        return PreTrainedTokenizerFast.from_pretrained(path.parent, gguf_file=path.name)


def gguf_network(
    path: Path, config: Any, dtype: torch.dtype, place: Place, emit: Emit, cancel: Cancel | None
) -> tuple[nn.Module, dict[str, Any]]:
    """The network with its weights dequantised to `dtype`, and transformers' report on what was missing.

    Emits Progress by the tensor; Cancelled ends it between two.
    """
    from transformers import AutoModelForCausalLM

    spread: dict[str, Any] = {"device_map": "auto"} if place is None else {}
    loader: Any = AutoModelForCausalLM
    with quick_reading(emit, cancel):
        return loader.from_pretrained(
            path.parent, gguf_file=path.name, config=config, dtype=dtype, output_loading_info=True, **spread
        )


@contextmanager
def quick_reading(emit: Emit | None, cancel: Cancel | None) -> Iterator[None]:
    """Within it transformers reads GGUF files by QuickReader, and tells how many tensors it has dequantised.

    Left alone, the package's reader takes 5 s for a vocabulary of 50,000 tokens, twice per load; transformers
    has the same table of names made anew for each module, which is another 10 s for 30 blocks; and its
    progress bar is drawn across the terminal and cannot be stopped.
    """
    from transformers import modeling_gguf_pytorch_utils as reading

    def steps(items: Iterable[Any], **_: Any) -> Iterator[Any]:
        tensors = list(items)
        meter = Meter(emit, "loading the model", len(tensors)) if emit else None
        for number, item in enumerate(tensors):
            if number % _OFTEN == 0:
                trim()  # what was dequantised leaves its first form behind
            if cancel is not None:
                cancel.check()
            yield item
            if meter is not None:
                meter.step()

    with _patching:
        before = gguf.GGUFReader, gguf.get_tensor_name_map, reading.tqdm
        names = cache(gguf.get_tensor_name_map)
        gguf.GGUFReader, gguf.get_tensor_name_map, reading.tqdm = QuickReader, names, steps  # type: ignore
        try:
            yield
        finally:
            gguf.GGUFReader, gguf.get_tensor_name_map, reading.tqdm = before  # type: ignore[misc]


class QuickReader(gguf.GGUFReader):
    """The package's reader, forty times as fast at vocabularies: it takes the values of an array together."""

    data: Any

    def __setattr__(self, name: str, value: Any) -> None:
        # Every slice of a memory map is an object of numpy's slow kind; a plain view of it is not.
        super().__setattr__(name, np.asarray(value) if name == "data" else value)

    def _get_field_parts(self, orig_offs: int, raw_type: int) -> Any:
        if raw_type != gguf.GGUFValueType.ARRAY or self.byte_order != "I":
            return super()._get_field_parts(orig_offs, raw_type)
        items, count = struct.unpack_from("<IQ", self.data, orig_offs)
        kind, at = gguf.GGUFValueType(items), orig_offs + struct.calcsize("<IQ")
        head = [self.data[orig_offs : orig_offs + 4].view(np.uint32), np.array([count], np.uint64)]
        if kind == gguf.GGUFValueType.STRING:
            parts, stop = _strings(self.data, at, count)
        elif kind in self.gguf_scalar_to_np:
            numbers = np.dtype(self.gguf_scalar_to_np[kind])
            stop = at + count * numbers.itemsize
            parts = list(self.data[at:stop].view(numbers).reshape(count, 1))
        else:
            return super()._get_field_parts(orig_offs, raw_type)
        kinds = [gguf.GGUFValueType.ARRAY, *([kind] if count else [])]
        return stop - orig_offs, [*head, *parts], list(range(2, 2 + count)), kinds


def _strings(data: Any, at: int, count: int) -> tuple[list[Any], int]:
    unpack, parts = struct.Struct("<Q").unpack_from, []
    for _ in range(count):
        stop = at + 8 + unpack(data, at)[0]
        parts.append(data[at + 8 : stop])
        at = stop
    return parts, at
