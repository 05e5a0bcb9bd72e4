"""Applies a mix to a running network. The one place where anything is added to a hidden state."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn

from engine.heads.mix import Mix, MixBlock
from engine.model.blocks import hidden_of, replace_hidden, rewired
from engine.model.language_model import LanguageModel


class Steering:
    """While entered, every forward of the model's network is steered by the mix.

        h <- h + sum_k strength_k * g_k(h . w_k + b_k) * z_k        (METHOD.md section 2, Eq. 7 and 8)

    Before each forward the caller sets `strengths`, a float32 tensor [rows, T, K] or one that broadcasts to
    it, 0 where a position must be left alone; None steers nothing. Leaving gives every block its own
    forward back, whatever happened. Works under autograd: nothing is changed in place.
    """

    def __init__(self, model: LanguageModel, mix: Mix) -> None:
        self.mix = mix
        self.strengths: Tensor | None = None
        self._blocks, self._devices = model.blocks, model.devices
        self._applied: dict[int, Tensor] = {}
        self._seen: dict[int, Tensor] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Steering:
        steered = [self._blocks[index] for index in self.mix.blocks]
        parts = [(index, part.on(self._devices[index])) for index, part in self.mix.blocks.items()]
        self._stack.enter_context(rewired(steered, lambda place, own: _steered(self, *parts[place], own)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
        self._applied.clear()
        self._seen.clear()

    def coefficients(self) -> list[Tensor]:
        """Per steered block, in order, the signed coefficients [rows, T, K] that the last forward applied.

        They are the very tensors of the addition, strengths included.
        """
        return [self._applied[index] for index in self.mix.blocks]

    def before(self) -> list[Tensor]:
        """Per steered block, in order, hidden states [rows, T, d] before the last addition."""
        return [self._seen[index] for index in self.mix.blocks]


def applied_length(coefficients: Tensor, gram: Tensor) -> Tensor:
    """The signed length of a whole addition, in activation units: [...] from [..., K] and gram [..., K, K].

    With one column it is the coefficient itself; else sqrt(c G c^T), with the sign of the coefficients' sum.
    """
    if coefficients.shape[-1] == 1:
        return coefficients[..., 0]
    row = coefficients.unsqueeze(-2)
    return (row @ gram @ row.mT)[..., 0, 0].clamp_min(0).sqrt().copysign(coefficients.sum(-1))


def steer(hidden: Tensor, part: MixBlock, strengths: Tensor) -> tuple[Tensor, Tensor]:
    """The formula itself: the steered hidden state [rows, T, d] and the coefficients [rows, T, K] applied.

    As few tensor operations as it allows: at one token per forward each of them costs as much as the
    arithmetic of a small model's layer.
    """
    seen = hidden if hidden.dtype is torch.float32 else hidden.float()
    c = torch.maximum(nn.functional.linear(seen, part.w, part.b), part.floor) * strengths
    if seen is not hidden:
        return hidden + (c @ part.z).to(hidden.dtype), c
    return torch.addcmul(hidden, c, part.z) if part.z.shape[0] == 1 else hidden + c @ part.z, c


def _steered(steering: Steering, index: int, part: MixBlock, forward: Any) -> Any:
    """What stands for a block's forward: the same, and then the addition."""
    applied, seen = steering._applied, steering._seen
    spread = len(set(steering._devices)) > 1

    def steered(*arguments: Any, **options: Any) -> Any:
        output = forward(*arguments, **options)
        strengths = steering.strengths
        if strengths is None:
            return output
        if spread:
            strengths = strengths.to(part.z.device)
        seen[index] = hidden_of(output)
        hidden, applied[index] = steer(seen[index], part, strengths)
        return replace_hidden(output, hidden)

    return steered
