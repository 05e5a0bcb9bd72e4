"""Forward passes over teacher-forced rows; the KV of the questions is computed once."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor

from engine.distill.teacher_forcing import TeacherForcedBatch
from engine.errors import ModelError
from engine.heads.head import Positions
from engine.model.blocks import hidden_of, replace_hidden, rewired
from engine.model.language_model import LanguageModel


def run(
    model: LanguageModel,
    rows: TeacherForcedBatch,
    prefix: PrefixKV | None = None,
    entry: BlockInputs | None = None,
) -> Tensor:
    """One forward of the trunk; `engine.distill.token_losses` turns its output into losses.

    Args:
        model: the model.
        rows: the batch.
        prefix: what has been run already of these rows.
        entry: the output of the blocks before the first steered one, which are then not run.

    Returns:
        The trunk's output, final norm included, at the learned positions, [M, d].

    Raises:
        ModelError: when it is not finite: what is fitted to it would not be either.
    """
    start, extra = 0, dict[str, Any](use_cache=False)
    if prefix is not None:
        start, extra = rows.first, {model.cache_argument: prefix.cache(), "use_cache": True}
    with nullcontext() if entry is None else entry.given(model):
        output = model.trunk(
            input_ids=rows.ids[:, start:],
            attention_mask=rows.mask,
            position_ids=rows.positions[:, start:],
            **extra,
        )
    return finite(rows.at(output.last_hidden_state))


class PrefixKV:
    """The KV of all columns before the response, which no head changes: computed once for all passes."""

    def __init__(self, cache: Any) -> None:
        self._cache = cache

    @classmethod
    def of(cls, model: LanguageModel, rows: TeacherForcedBatch, positions: Positions) -> PrefixKV | None:
        """Runs the columns before the response once.

        Args:
            model: the model.
            rows: the batch.
            positions: where the head steers.

        Returns:
            The KV; None where heads change it (question_and_response), where there is nothing before the
                response, or
            where a layer keeps no plain KV.
        """
        from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

        cache = DynamicCache(config=model.network.config)
        plain = all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in cache.layers)
        if positions != "response" or rows.first == 0 or not plain:
            return None
        before = slice(None), slice(0, rows.first)
        model.trunk(
            input_ids=rows.ids[before],
            attention_mask=rows.mask[before],
            position_ids=rows.positions[before],
            use_cache=True,
            **{model.cache_argument: cache},
        )
        return cls(cache)

    def cache(self) -> Any:
        """A cache to run with; tensors in it are shared with this one and never changed in place."""
        made = copy.copy(self._cache)
        made.layers = [copy.copy(layer) for layer in self._cache.layers]
        return made

    def select(self, index: Tensor) -> PrefixKV:
        """The KV of some rows only, by their index [n]."""
        made = self.cache()
        made.batch_select_indices(index)
        return PrefixKV(made)


class BlockInputs:
    """The output of the block before the first steered one, which no head changes.

    Computed once, so that a pass runs only the blocks from `first` on.
    """

    def __init__(self, first: int, output: Any) -> None:
        self._first, self._output = first, output

    @classmethod
    def of(
        cls, model: LanguageModel, rows: TeacherForcedBatch, prefix: PrefixKV | None, first: int
    ) -> BlockInputs | None:
        """Runs the blocks before `first` once.

        Args:
            model: the model.
            rows: the batch.
            prefix: what has been run already of the rows.
            first: the first steered block.

        Returns:
            Their output; None where `first` is 0.
        """
        if first == 0:
            return None
        found: list[Any] = []
        handle = model.blocks[first - 1].register_forward_hook(lambda *call: found.append(call[2]))
        try:
            with torch.no_grad():
                run(model, rows, prefix)
        finally:
            handle.remove()
        return cls(first, found[0])

    def select(self, index: Tensor, width: int) -> BlockInputs:
        """Some rows only, by their index [n], cut to the first `width` columns."""
        hidden = hidden_of(self._output)
        return BlockInputs(
            self._first, replace_hidden(self._output, hidden[index.to(hidden.device), :width].contiguous())
        )

    def given(self, model: LanguageModel) -> AbstractContextManager[None]:
        """A context in which the blocks before `first` return what was kept instead of running."""
        return giving(model.blocks[: self._first], self._output)


def giving(modules: Sequence[Any], output: Any) -> AbstractContextManager[None]:
    """A context in which modules return a given value instead of running; afterwards they are as before.

    Args:
        modules: the modules.
        output: what each of them returns, whatever its input is.
    """
    return rewired(modules, lambda index, own: lambda *arguments, **options: output)


@contextmanager
def output_hooks(model: LanguageModel, tap: Callable[[int, Tensor], Tensor | None]) -> Iterator[None]:
    """A context in which a function is called with every block's output.

    A Steering has been applied by then. All hooks are removed afterwards.

    Args:
        model: the model.
        tap: (block, hidden [N, T, d]) -> None, or the states that take the place of the output.
    """

    def hook_of(index: int) -> Any:
        def hook(block: Any, arguments: Any, output: Any) -> Any:
            changed = tap(index, hidden_of(output))
            return None if changed is None else replace_hidden(output, changed)

        return hook

    handles: list[Any] = []
    try:
        for index, block in enumerate(model.blocks):
            handles.append(block.register_forward_hook(hook_of(index)))
        yield
    finally:
        for handle in handles:
            handle.remove()


def finite(values: Tensor) -> Tensor:
    """The values themselves.

    Raises:
        ModelError: when one of them is not finite.
    """
    if not bool(torch.isfinite(values.detach()).all()):
        raise ModelError(
            "The prompt was not distilled",
            "The model produced NaN or infinite values.",
            "Load the model in float32, or rephrase the prompt.",
        )
    return values


def squares(states: Tensor, targets: Tensor) -> Tensor:
    """Squared distances per position.

    Args:
        states: [M, d].
        targets: [M, d].

    Returns:
        |states - targets|^2, float32 [M], on the targets' device.
    """
    return (states.to(targets.device).float() - targets.float()).square().sum(-1)
