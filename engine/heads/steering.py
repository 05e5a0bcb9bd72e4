"""Applies a mix to a running network: the only place where anything is added to a hidden state."""

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
    """While entered, every forward pass of the model's network is steered by the mix.

        h <- h + sum_k strength_k * gate(h . w_k + b_k) * z_k

    Leaving gives every block its own forward method back, whatever happened. Works under autograd: nothing is
    changed in place. Source: engine/README.md, Eq. 2 to 4 (paper, Eq. 7 and 8).

    Args:
        model: the model to be steered.
        mix: the heads.

    Attributes:
        mix: the heads.
        strengths: float32 [rows, T, K], or a shape that broadcasts to it, for the next forward pass; 0 where
            a position must be left alone. None steers nothing.
    """

    def __init__(self, model: LanguageModel, mix: Mix) -> None:
        self.mix = mix
        self.strengths: Tensor | None = None
        self._blocks, self._devices = model.blocks, model.devices
        self._coefficients: dict[int, Tensor] = {}
        self._before: dict[int, Tensor] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Steering:
        steered = [self._blocks[index] for index in self.mix.blocks]
        rows = [(index, block.on(self._devices[index])) for index, block in self.mix.blocks.items()]
        self._stack.enter_context(
            rewired(steered, lambda place, forward: _steered_forward(self, *rows[place], forward))
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
        self._coefficients.clear()
        self._before.clear()

    def coefficients(self) -> list[Tensor]:
        """Per steered block, in order, the coefficients [rows, T, K] of the last forward pass.

        They are the tensors that were added, strengths included.
        """
        return [self._coefficients[index] for index in self.mix.blocks]

    def before(self) -> list[Tensor]:
        """Per steered block, in order, the hidden states [rows, T, d] before the last addition."""
        return [self._before[index] for index in self.mix.blocks]


def applied_length(coefficients: Tensor, gram: Tensor) -> Tensor:
    """The signed length of a whole addition, in activation units.

    With one column it is the coefficient itself, else sqrt(c G c^T) with the sign of the coefficients' sum.
    Source: engine/README.md, Eq. 5.

    Args:
        coefficients: c, [..., K].
        gram: G = Z Z^T of the directions, [..., K, K].

    Returns:
        [...]
    """
    if coefficients.shape[-1] == 1:
        return coefficients[..., 0]
    row = coefficients.unsqueeze(-2)
    return (row @ gram @ row.mT)[..., 0, 0].clamp_min(0).sqrt().copysign(coefficients.sum(-1))


def steer(hidden: Tensor, block: MixBlock, strengths: Tensor) -> tuple[Tensor, Tensor]:
    """The steering formula.

    It uses as few tensor operations as possible: at one token per forward pass, each of them costs as much as
    the arithmetic of a small model's layer. Source: engine/README.md, Eq. 2 to 4 (paper, Eq. 7 and 8).

    Args:
        hidden: a block's output, [rows, T, d].
        block: the block's rows.
        strengths: float32 [rows, T, K] or a shape that broadcasts to it.

    Returns:
        The steered hidden state [rows, T, d] and the coefficients applied, float32 [rows, T, K].
    """
    precise = hidden if hidden.dtype is torch.float32 else hidden.float()
    c = torch.maximum(nn.functional.linear(precise, block.w, block.b), block.floor) * strengths
    if precise is not hidden:
        return hidden + (c @ block.z).to(hidden.dtype), c
    return torch.addcmul(hidden, c, block.z) if block.z.shape[0] == 1 else hidden + c @ block.z, c


def _steered_forward(steering: Steering, index: int, block: MixBlock, forward: Any) -> Any:
    """A block's forward method followed by the addition."""
    coefficients, before = steering._coefficients, steering._before
    several_devices = len(set(steering._devices)) > 1

    def steered(*arguments: Any, **options: Any) -> Any:
        output = forward(*arguments, **options)
        strengths = steering.strengths
        if strengths is None:
            return output
        if several_devices:
            strengths = strengths.to(block.z.device)
        before[index] = hidden_of(output)
        hidden, coefficients[index] = steer(before[index], block, strengths)
        return replace_hidden(output, hidden)

    return steered
