"""Watches every block's output while it runs, and says what a prompt would have done there."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from engine.model.blocks import hidden_of
from engine.model.language_model import LanguageModel


class OutputRecorder:
    """While entered, keeps the last position of every block's output, steering included if it was attached
    before."""

    def __init__(self, model: LanguageModel) -> None:
        self._blocks, self._device = model.blocks, model.device
        self._seen: list[Tensor] = [torch.empty(0)] * len(model.blocks)
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
        """float32 [L, rows, d] of the last forward."""
        return torch.stack([seen.to(self._device) for seen in self._seen]).float()

    def _detach(self) -> None:
        while self._handles:
            self._handles.pop().remove()
        self._seen = [torch.empty(0)] * len(self._blocks)

    def _hook(self, index: int) -> Any:
        def hook(block: nn.Module, arguments: Any, output: Any) -> None:
            self._seen[index] = hidden_of(output)[:, -1]

        return hook


def prompt_effect_and_distance(hidden: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """From hidden states [L, rows, d], for n triples of rows [n, 3] (steered, bare, prompted):

    truth [n, L] = |A(x') - A(x)|, the accumulated Delta_PS of METHOD.md section 1, and gap [n, L] =
    |A(steered) - A(x')|, what the steering leaves of it. Their ratio is a token's faithfulness.
    """
    steered, bare, prompted = hidden[:, rows].unbind(2)
    return (prompted - bare).norm(dim=-1).T, (steered - prompted).norm(dim=-1).T
