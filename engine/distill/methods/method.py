"""What a fitting method is: a closed form per block, and what a gradient may change of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from engine.distill.request import Objective, Recipe
from engine.heads.head import BlockHead, Gate


@dataclass(frozen=True, eq=False)
class Solution:
    """One block's closed form; r2: how well its gate predicts unseen responses, None for ungated methods."""

    part: BlockHead
    r2: float | None = None


Solve = Callable[[Tensor, Tensor, Tensor, int], Solution]
"""(difference [M, d], hidden [M, d], groups [M], rank) -> Solution.

difference: what the prompt would add to hidden, the states at the response positions; groups: the response
that each position belongs to.
"""


@dataclass(frozen=True)
class Method:
    """One row of METHOD.md section 4.

    every_block: whether it steers all blocks, fitted one after the other on already steered inputs, or one.
    trainable: the arrays that `refine` and `paper` train; none for methods that are their closed form.
    """

    name: str
    title: str
    every_block: bool
    solve: Solve
    trainable: tuple[Literal["w", "b", "z"], ...]
    recipe: Recipe
    objective: Objective | None
    gate: Gate = "relu"

    @property
    def recipes(self) -> tuple[Recipe, ...]:
        return ("instant", "refine", "paper") if self.trainable else ("instant",)
