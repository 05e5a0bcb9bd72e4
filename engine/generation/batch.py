"""A batch of prompts running through the network: padding, cache, one forward pass at a time."""

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
from engine.generation.kv_cache import growing_cache, join_rows, split_row
from engine.heads.mix import Mix
from engine.model.language_model import LanguageModel
from engine.model.steerability_check import recurrent


class Batch:
    """Rows of one batch with their key-value cache.

    Prompts of unequal length are padded on the left. Without padding, neither an attention mask nor positions
    are passed: networks then take their fastest path.

    Args:
        model: the model that runs the batch.
        prompts: token ids, one prompt per row.
        cache: keys and values of the first `cached` tokens of a single prompt, which are not run again.
        cached: how many tokens the cache holds.

    Attributes:
        width: length of the longest prompt.
        padding: per row the number of positions before its prompt.
    """

    def __init__(
        self, model: LanguageModel, prompts: Sequence[Sequence[int]], cache: Any = None, cached: int = 0
    ) -> None:
        self._model, self._network = model, model.network
        self._cache = growing_cache(model.network.config) if cache is None else cache
        self._length = cached
        self.width = max(map(len, prompts))
        self.padding = [self.width - len(prompt) for prompt in prompts]
        filler = model.tokenizer.pad_token_id or 0
        self._ids = torch.tensor(
            [[filler] * pad + list(ids) for pad, ids in zip(self.padding, prompts, strict=True)],
            device=model.device,
        )[:, self._length :]
        self._compiled: CompiledStep | None = None
        accepted = inspect.signature(type(model.network).forward).parameters
        self._arguments: dict[str, Any] = {"logits_to_keep": 1} if "logits_to_keep" in accepted else {}

    @classmethod
    def of(cls, model: LanguageModel, rows: Sequence[Batch], prompts: Sequence[Sequence[int]]) -> Batch:
        """One batch of single-row batches after their prefill; their caches must be `can_truncate`."""
        if len(rows) == 1:
            return rows[0]
        joined = cls(model, prompts)
        joined._cache = join_rows([row._cache for row in rows], joined.padding)
        joined._length = joined.width
        return joined

    def padded(self, rows: Sequence[np.ndarray]) -> Tensor:
        """Strengths of all prompt tokens as one tensor.

        Args:
            rows: per row [T, K].

        Returns:
            [rows, T, K] of the tokens that are still to be run, 0 on the padding.
        """
        wide = [np.pad(row, ((pad, 0), (0, 0))) for pad, row in zip(self.padding, rows, strict=True)]
        return torch.from_numpy(np.stack(wide))[:, self._length :]

    def prefill(self) -> Tensor:
        """Runs the prompts; the logits [rows, V] after them."""
        with _contiguous_input(self._network.get_output_embeddings()):
            return self._forward(self._ids)

    def step(self, ids: Tensor) -> Tensor:
        """Runs one more token per row, ids [rows]; the logits [rows, V] after it."""
        return self._forward(ids.unsqueeze(1)) if self._compiled is None else self._compiled.step(ids)

    def use_compiled(self, step: CompiledStep, mix: Mix) -> None:
        """From now on `step` runs in place of the network, from the batch's present state."""
        step.begin(self._cache, self._mask(self._length) if any(self.padding) else None, mix)
        self._compiled = step

    @property
    def can_drop_rows(self) -> bool:
        """Whether rows can leave the batch: not from recurrent layers, nor from a compiled graph."""
        return self._compiled is None and not recurrent(self._cache)

    def keep_rows(self, rows: Sequence[int]) -> None:
        """Drops all other rows from the batch."""
        self._cache.batch_select_indices(torch.tensor(rows, device=self._model.device))
        self.padding = [self.padding[row] for row in rows]

    def cache_of(self, row: int) -> Any:
        """The cache of one row without its padding: a copy, or the batch's own for a single unpadded row."""
        if self._compiled is not None:
            self._compiled.end(self._cache)
            self._compiled = None
        return self._cache if self.padding == [0] else split_row(self._cache, row, self.padding[row])

    def _mask(self, length: int) -> Tensor:
        """[rows, length], 0 on the padding."""
        shift = torch.tensor(self.padding, device=self._model.device).unsqueeze(1)
        return (torch.arange(length, device=self._model.device) >= shift).long()

    def _forward(self, ids: Tensor) -> Tensor:
        start, self._length = self._length, self._length + ids.shape[1]
        arguments = {**self._arguments, self._model.cache_argument: self._cache}
        if any(self.padding):
            shift = torch.tensor(self.padding, device=self._model.device).unsqueeze(1)
            columns = torch.arange(start, self._length, device=self._model.device)
            arguments["attention_mask"] = self._mask(self._length)
            arguments["position_ids"] = (columns - shift).clamp_min(0)
        output = self._network(input_ids=ids, use_cache=True, **arguments)
        return output.logits[:, -1]


@contextmanager
def _contiguous_input(module: nn.Module) -> Iterator[None]:
    """Within it the module's input is contiguous.

    The last positions of a prompt are a view with wide strides, and in bfloat16 the product of such a view
    with a vocabulary of 150,000 takes half a second per row on a CPU, instead of a hundredth.
    """

    def make_contiguous(module: nn.Module, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        states = arguments[0]
        # Where a size is 1, contiguous() keeps the strides as they are; the reshape drops them.
        return states.reshape(-1).view(states.shape), *arguments[1:]

    handle = module.register_forward_pre_hook(make_contiguous)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def interruptible(model: LanguageModel, cancel: Cancel | None) -> Iterator[None]:
    """Within it a forward pass raises Cancelled between two blocks once `cancel` is set."""
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
