"""The prompted states, overheard while the responses are sampled: no pass of their own is needed for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import torch
from torch import Tensor

from engine.model.blocks import hidden_of
from engine.model.language_model import LanguageModel


@dataclass(frozen=True, eq=False)
class RecordedStates:
    """States at the learned positions of some responses, flat in their order, in the model's dtype.

    blocks: per block [M, d]; last: the trunk's output [M, d].
    """

    blocks: list[Tensor]
    last: Tensor

    @classmethod
    def joined(cls, parts: Sequence[RecordedStates]) -> RecordedStates:
        """One after the other; of nothing, nothing."""
        if not parts:
            return cls([], torch.empty(0))
        blocks = [torch.cat(same) for same in zip(*(part.blocks for part in parts), strict=True)]
        return cls(blocks, torch.cat([part.last for part in parts]))


class ActivationRecorder:
    """Listens to one `generate`, whose `on_forward` it takes.

    marks: per lane, which tokens of its prompt are learned from. Hooks sit on the network during a forward
    only: between two of them another run may use it.
    """

    def __init__(self, model: LanguageModel, marks: Sequence[Sequence[bool]]) -> None:
        self._model = model
        width = max(map(len, marks))
        self._marks = torch.tensor([[False] * (width - len(row)) + [*row] for row in marks])
        self._counts = self._marks.sum(1).tolist()
        self._lanes: list[Tensor] = []
        self._blocks: list[list[Tensor]] = [[] for _ in model.blocks]
        self._last: list[Tensor] = []
        self._handles: list[Any] = []

    def __enter__(self) -> ActivationRecorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._detach()

    def on_forward(self, lanes: Sequence[int]) -> None:
        """Hears the forward that comes next, with these lanes in its batch."""
        self._detach()
        named = torch.tensor(lanes)
        prefill = not self._lanes
        if prefill:
            named = named.unsqueeze(1).expand(-1, self._marks.shape[1])[self._marks]
        self._lanes.append(named)

        def heard(states: Tensor) -> Tensor:
            return states[self._marks.to(states.device)] if prefill else states[:, -1].clone()

        def hook_of(kept: list[Tensor]) -> Any:
            return lambda block, arguments, output: kept.append(heard(hidden_of(output)))

        def end(trunk: Any, arguments: Any, output: Any) -> None:
            self._last.append(heard(output.last_hidden_state))
            self._detach()

        for block, kept in zip(self._model.blocks, self._blocks, strict=True):
            self._handles.append(block.register_forward_hook(hook_of(kept)))
        self._handles.append(self._model.trunk.register_forward_hook(end))

    def of(self, chosen: Sequence[int], lengths: Sequence[int]) -> RecordedStates:
        """What was heard of the chosen lanes: of each its prompt's learned tokens and `length` more."""
        lanes = torch.cat(self._lanes)
        index = torch.cat(
            [
                torch.nonzero(lanes == lane)[: self._counts[lane] + length, 0]
                for lane, length in zip(chosen, lengths, strict=True)
            ]
        )
        return RecordedStates([_picked(kept, index) for kept in self._blocks], _picked(self._last, index))

    def _detach(self) -> None:
        while self._handles:
            self._handles.pop().remove()


def _picked(kept: list[Tensor], index: Tensor) -> Tensor:
    """Rows of the parts laid end to end; the parts are given up."""
    whole = torch.cat(kept)
    kept.clear()
    return whole[index.to(whole.device)]
