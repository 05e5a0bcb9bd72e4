"""A batch of prompts running through the network: padding, cache, one forward at a time."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from engine.events import Cancel
from engine.generation.compiled_step import CompiledStep
from engine.generation.kv_cache import growing_cache, join, split
from engine.heads.mix import Mix
from engine.model.language_model import LanguageModel
from engine.model.steerability_check import recurrent


class Batch:
    """Rows of one batch with their key-value cache.

    Prompts of unequal length are padded on the left; without padding no attention mask and no positions are
    passed, which is the network's own fast path.
    """

    def __init__(
        self, model: LanguageModel, prompts: Sequence[Sequence[int]], cache: Any = None, known: int = 0
    ) -> None:
        """cache: of the first `known` tokens of a lone prompt, which are then not run again."""
        self._model, self._network = model, model.network
        self._cache = growing_cache(model.network.config) if cache is None else cache
        self._length = known
        self.width = max(map(len, prompts))
        self.pads = [self.width - len(prompt) for prompt in prompts]
        filler = model.tokenizer.pad_token_id or 0
        self._ids = torch.tensor(
            [[filler] * pad + list(ids) for pad, ids in zip(self.pads, prompts, strict=True)],
            device=model.device,
        )[:, self._length :]
        self._compiled: CompiledStep | None = None
        accepted = inspect.signature(type(model.network).forward).parameters
        self._extra: dict[str, Any] = {"logits_to_keep": 1} if "logits_to_keep" in accepted else {}

    @classmethod
    def of(cls, model: LanguageModel, rows: Sequence[Batch], prompts: Sequence[Sequence[int]]) -> Batch:
        """Rows that were run alone as one batch; their layers must all be growing ones."""
        if len(rows) == 1:
            return rows[0]
        made = cls(model, prompts)
        made._cache = join([row._cache for row in rows], made.pads)
        made._length = made.width
        return made

    def padded(self, rows: Sequence[np.ndarray]) -> Tensor:
        """One [rows, T, K] of values per prompt token [T, K] that is still to run, 0 on the padding."""
        wide = [np.pad(row, ((pad, 0), (0, 0))) for pad, row in zip(self.pads, rows, strict=True)]
        return torch.from_numpy(np.stack(wide))[:, self._length :]

    def prefill(self) -> Tensor:
        """The logits [rows, V] after the prompts."""
        with _dense(self._network.get_output_embeddings()):
            return self._forward(self._ids)

    def step(self, ids: Tensor) -> Tensor:
        """The logits [rows, V] after one more token per row."""
        return self._forward(ids.unsqueeze(1)) if self._compiled is None else self._compiled.step(ids)

    def hand_over(self, step: CompiledStep, mix: Mix) -> None:
        """From now on `step` stands for the network; it has the batch as it is now."""
        step.begin(self._cache, self._mask(self._length) if any(self.pads) else None, mix)
        self._compiled = step

    @property
    def droppable(self) -> bool:
        """Whether rows can be dropped: recurrent layers and graphs know no such operation."""
        return self._compiled is None and not recurrent(self._cache)

    def keep(self, rows: Sequence[int]) -> None:
        """Drops all other rows from the batch."""
        self._cache.batch_select_indices(torch.tensor(rows, device=self._model.device))
        self.pads = [self.pads[row] for row in rows]

    def cache_of(self, row: int) -> Any:
        """The cache of one row alone, without its padding; of a lone row that has none the very same."""
        if self._compiled is not None:
            self._compiled.end(self._cache)
            self._compiled = None
        return self._cache if self.pads == [0] else split(self._cache, row, self.pads[row])

    def _mask(self, length: int) -> Tensor:
        """[rows, length], 0 on the padding."""
        shift = torch.tensor(self.pads, device=self._model.device).unsqueeze(1)
        return (torch.arange(length, device=self._model.device) >= shift).long()

    def _forward(self, ids: Tensor) -> Tensor:
        start, self._length = self._length, self._length + ids.shape[1]
        extra = self._extra
        if any(self.pads):
            shift = torch.tensor(self.pads, device=self._model.device).unsqueeze(1)
            columns = torch.arange(start, self._length, device=self._model.device)
            extra = {
                **extra,
                "attention_mask": self._mask(self._length),
                "position_ids": (columns - shift).clamp_min(0),
            }
        extra = {**extra, self._model.cache_argument: self._cache}
        output = self._network(input_ids=ids, use_cache=True, **extra)
        return output.logits[:, -1]


@contextmanager
def _dense(module: nn.Module) -> Iterator[None]:
    """Within it the module's input lies densely in memory, and its strides say so.

    The last positions of a prompt are a view with wide strides, and in bfloat16 the product of such a view
    with a vocabulary of 150,000 takes half a second per row on a processor, instead of a hundredth.
    """

    def lay(module: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        states = given[0]
        return states.reshape(-1).view(states.shape), *given[1:]

    handle = module.register_forward_pre_hook(lay)
    try:
        yield
    finally:
        handle.remove()


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
