"""Records the prompted states while responses are sampled, so that no pass of its own is needed for them."""

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
    """States at the learned positions of some responses, flat in the responses' order, in the model's dtype.

    Attributes:
        blocks: per block its output, [M, d].
        last: the trunk's output, final norm included, [M, d].
    """

    blocks: list[Tensor]
    last: Tensor

    @classmethod
    def joined(cls, parts: Sequence[RecordedStates]) -> RecordedStates:
        """The parts one after the other; without any, no states."""
        if not parts:
            return cls([], torch.empty(0))
        blocks = [torch.cat(same) for same in zip(*(part.blocks for part in parts), strict=True)]
        return cls(blocks, torch.cat([part.last for part in parts]))


class ActivationRecorder:
    """Records one `generate`, which is given its `on_forward`; a context manager.

    Hooks are on the network during a forward only: between two of them another run may use it.

    Args:
        model: the model that generates.
        marks: per lane, which tokens of its prompt are recorded; of generated tokens all are.
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
        """Records the forward that comes next.

        Args:
            lanes: the lanes that are the rows of its batch.
        """
        self._detach()
        rows = torch.tensor(lanes)
        prefill = not self._lanes
        if prefill:
            rows = rows.unsqueeze(1).expand(-1, self._marks.shape[1])[self._marks]
        self._lanes.append(rows)

        def recorded(states: Tensor) -> Tensor:
            return states[self._marks.to(states.device)] if prefill else states[:, -1].clone()

        def hook_of(kept: list[Tensor]) -> Any:
            return lambda block, arguments, output: kept.append(recorded(hidden_of(output)))

        def end(trunk: Any, arguments: Any, output: Any) -> None:
            self._last.append(recorded(output.last_hidden_state))
            self._detach()

        for block, kept in zip(self._model.blocks, self._blocks, strict=True):
            self._handles.append(block.register_forward_hook(hook_of(kept)))
        self._handles.append(self._model.trunk.register_forward_hook(end))

    def states(self, lanes: Sequence[int], lengths: Sequence[int]) -> RecordedStates:
        """All that is recorded of some lanes; the recorder gives it up, so this is called once, at the end.

        Args:
            lanes: the lanes wanted, in the order wanted.
            lengths: per lane how many generated tokens are wanted beside the marked ones of its prompt.
        """
        index = self._index(lanes, lengths)
        return RecordedStates([_take(kept, index) for kept in self._blocks], _take(self._last, index))

    def last_states(self, lanes: Sequence[int], lengths: Sequence[int]) -> Tensor:
        """The trunk's output of the same positions, [M, d]; may be asked for while the run goes on."""
        recorded = torch.cat(self._last)
        return recorded[self._index(lanes, lengths).to(recorded.device)]

    def _index(self, lanes: Sequence[int], lengths: Sequence[int]) -> Tensor:
        rows = torch.cat(self._lanes)
        return torch.cat(
            [
                torch.nonzero(rows == lane)[: self._counts[lane] + length, 0]
                for lane, length in zip(lanes, lengths, strict=True)
            ]
        )

    def _detach(self) -> None:
        while self._handles:
            self._handles.pop().remove()


def _take(parts: list[Tensor], index: Tensor) -> Tensor:
    """Some rows of the concatenated parts; the list is emptied, so that the rest can be freed."""
    whole = torch.cat(parts)
    parts.clear()
    return whole[index.to(whole.device)]
