"""Records every block's output at the last position, and derives a prompt's effect from it."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from engine.model.blocks import hidden_of
from engine.model.language_model import LanguageModel


class OutputRecorder:
    """While entered, keeps the last position of every block's output.

    Steering that was attached before is included in the outputs.

    Args:
        model: the model whose blocks are recorded.
    """

    def __init__(self, model: LanguageModel) -> None:
        self._blocks, self._device = model.blocks, model.device
        self._outputs: list[Tensor] = [torch.empty(0)] * len(model.blocks)
        self._handles: list[RemovableHandle] = []

    def __enter__(self) -> OutputRecorder:
        try:
            for index, block in enumerate(self._blocks):
                self._handles.append(block.register_forward_hook(self._hook(index)))
        except BaseException:
            self._detach()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._detach()

    def outputs(self) -> Tensor:
        """The recorded outputs of the last forward pass, float32 [blocks, rows, d]."""
        return torch.stack([output.to(self._device) for output in self._outputs]).float()

    def _detach(self) -> None:
        while self._handles:
            self._handles.pop().remove()
        self._outputs = [torch.empty(0)] * len(self._blocks)

    def _hook(self, index: int) -> Any:
        def hook(block: nn.Module, arguments: Any, output: Any) -> None:
            self._outputs[index] = hidden_of(output)[:, -1]

        return hook


def prompt_effect_and_distance(hidden: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """A reference prompt's effect at one token, and how far steering is from it.

    The ratio of the two is the token's faithfulness. Source: engine/README.md, Eq. 1 (paper, Eq. 3), with
    the accumulated Delta_PS.

    Args:
        hidden: block outputs, [blocks, rows, d].
        rows: int64 [n, 3], the rows of n triples (steered, base, prompted).

    Returns:
        prompt_effect [n, blocks] = |A(prompted) - A(base)|, and distance_to_prompt [n, blocks] =
        |A(steered) - A(prompted)|, both in activation units.
    """
    steered, base, prompted = hidden[:, rows].unbind(2)
    return (prompted - base).norm(dim=-1).T, (steered - prompted).norm(dim=-1).T
