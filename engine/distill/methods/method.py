"""What a fitting method is: a closed form per block, and what a gradient may change of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from engine.distill.request import RECIPES, Objective, Recipe
from engine.heads.head import BlockHead, Gate


@dataclass(frozen=True, eq=False)
class Solution:
    """One block's closed form; r2: how well its gate predicts unseen responses, None for ungated methods."""

    part: BlockHead
    r2: float | None = None


@dataclass(frozen=True, eq=False)
class Moment:
    """What one block's closed form sees, at the M response positions of all responses.

    difference [M, d]: what the prompt would add; hidden [M, d]: the states that it would be added to;
    groups [M]: the response of each position; weights [M]: how much each counts (see `token_weights`).
    """

    difference: Tensor
    hidden: Tensor
    groups: Tensor
    weights: Tensor


Solve = Callable[[Moment, int], Solution]
"""(moment, rank) -> Solution."""


@dataclass(frozen=True)
class Method:
    """One row of METHOD.md section 4.

    every_block: whether it steers all blocks, fitted one after the other on already steered inputs, or one.
    trainable: the arrays that `refine` and `paper` train; none for methods that are their closed form.
    calibrated: whether the closed form's strength 1 is set where the responses are likeliest.
    """

    name: str
    title: str
    about: str
    every_block: bool
    solve: Solve
    trainable: tuple[Literal["w", "b", "z"], ...]
    recipe: Recipe
    objective: Objective | None
    calibrated: bool = True
    gate: Gate = "relu"

    @property
    def recipes(self) -> tuple[Recipe, ...]:
        """Those that it has, its default first."""
        return (self.recipe, *(r for r in RECIPES if self.trainable and r != self.recipe))
