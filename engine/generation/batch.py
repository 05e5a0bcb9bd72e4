"""A batch of prompts running through the network: padding, cache, one forward at a time."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.events import Cancel
from engine.generation.compiled import CompiledStep
from engine.heads.mix import Mix
from engine.model.language_model import LanguageModel


class Batch:
    """Rows of one batch with their key-value cache.

    Prompts of unequal length are padded on the left; without padding no attention mask and no positions are
    passed, which is the network's own fast path.
    """

    def __init__(self, model: LanguageModel, prompts: Sequence[Sequence[int]], room: int) -> None:
        """room: the most tokens that will be generated."""
        from engine.generation.cache import growing_cache

        self.width = max(map(len, prompts))
        self._network = model.network
        self._pads = [self.width - len(prompt) for prompt in prompts]
        filler = model.tokenizer.pad_token_id or 0
        self._ids = torch.tensor(
            [[filler] * pad + list(ids) for pad, ids in zip(self._pads, prompts, strict=True)],
            device=model.device,
        )
        self._cache = growing_cache(model.network.config)
        self._length = 0
        self._compiled: CompiledStep | None = None
        self._mask = self._positions = None
        if any(self._pads):
            shift = torch.tensor(self._pads, device=model.device).unsqueeze(1)
            columns = torch.arange(self.width + room, device=model.device)
            self._mask = (columns >= shift).long()
            self._positions = (columns - shift).clamp_min(0)
        accepted = inspect.signature(type(model.network).forward).parameters
        self._extra: dict[str, Any] = {"logits_to_keep": 1} if "logits_to_keep" in accepted else {}

    def padded(self, rows: Sequence[np.ndarray]) -> Tensor:
        """One [rows, T, K] of values per prompt token [T, K], 0 on the padding; on the CPU."""
        wide = [np.pad(row, ((pad, 0), (0, 0))) for pad, row in zip(self._pads, rows, strict=True)]
        return torch.from_numpy(np.stack(wide))

    def prefill(self) -> Tensor:
        """The logits [rows, V] after the prompts."""
        return self._forward(self._ids)

    def step(self, ids: Tensor) -> Tensor:
        """The logits [rows, V] after one more token per row."""
        return self._forward(ids.unsqueeze(1)) if self._compiled is None else self._compiled.step(ids)

    def hand_over(self, step: CompiledStep, mix: Mix) -> None:
        """From now on `step` stands for the network; it has the batch as it is now."""
        step.begin(self._cache, None if self._mask is None else self._mask[:, : self._length], mix)
        self._compiled = step

    @property
    def rows(self) -> int:
        return len(self._pads)

    @property
    def droppable(self) -> bool:
        """Whether rows can be dropped: recurrent layers and graphs know no such operation."""
        return self._compiled is None and all(
            hasattr(layer, "batch_select_indices") for layer in self._cache.layers
        )

    def keep(self, rows: Tensor) -> None:
        """Drops all other rows from the batch."""
        self._cache.batch_select_indices(rows)
        if self._mask is not None and self._positions is not None:
            self._mask, self._positions = self._mask[rows], self._positions[rows]

    def _forward(self, ids: Tensor) -> Tensor:
        start, self._length = self._length, self._length + ids.shape[1]
        extra = self._extra
        if self._mask is not None and self._positions is not None:
            extra = {
                **extra,
                "attention_mask": self._mask[:, : self._length],
                "position_ids": self._positions[:, start : self._length],
            }
        output = self._network(input_ids=ids, past_key_values=self._cache, use_cache=True, **extra)
        return output.logits[:, -1]


@contextmanager
def interruptible(model: LanguageModel, cancel: Cancel | None) -> Iterator[None]:
    """Within it a forward raises Cancelled between two blocks once it was asked to stop."""
    if cancel is None:
        yield
        return

    def check(block: Any, arguments: Any) -> None:
        cancel.check()

    handles: list[Any] = []
    try:
        for block in model.blocks:
            handles.append(block.register_forward_pre_hook(check))
        yield
    finally:
        for handle in handles:
            handle.remove()
