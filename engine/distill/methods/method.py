"""What a fitting method is: a closed form per block, and what a gradient may change of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from engine.distill.request import RECIPES, Objective, Recipe
from engine.heads.head import BlockHead, Gate
from engine.heads.mix import MixBlock
from engine.heads.steering import steer


@dataclass(frozen=True, eq=False)
class Solution:
    """One block's closed form.

    r2: how well its gate predicts unseen responses, None for ungated methods; start: the arrays that training
    begins from, where they are not those of the head.
    """

    part: BlockHead
    r2: float | None = None
    start: BlockHead | None = None


@dataclass(frozen=True, eq=False)
class BlockData:
    """What one block's closed form sees, at the M response positions of all responses.

    difference [M, d]: what the prompt would add; hidden [M, d]: the states that it would be added to;
    groups [M]: the response of each position; weights [M]: how much each counts (see Evidence.weights);
    penalty: the ridge's, None to choose it.
    """

    difference: Tensor
    hidden: Tensor
    groups: Tensor
    weights: Tensor
    penalty: float | None = None


Solve = Callable[[BlockData, int], Solution]
"""(moment, rank) -> Solution."""


Apply = Callable[[Tensor, MixBlock, Tensor], tuple[Tensor, Tensor]]
"""(hidden [N, t, d], part, strengths [N, t, 1]) -> (steered, coefficients [N, t, K]), while it is trained."""

Finalize = Callable[[BlockHead, Tensor, Tensor], BlockHead]
"""(trained part, hidden [M, d], groups [M]) -> the head's part."""


@dataclass(frozen=True)
class Method:
    """One row of METHOD.md section 4.

    every_block: whether it steers all blocks or one; sequential: whether blocks are fitted one after the
    other, each on states that the ones before have steered, or all on the plain model.
    trainable: the arrays that `refine` and `paper` train; none for methods that are their closed form.
    ranked: whether it can have several directions per block.
    calibrated: whether the closed form's strength 1 is set where the responses are likeliest.
    apply: how it steers while it is trained; settle: what is left of a trained part at inference, None when
    it is the same.
    """

    name: str
    title: str
    about: str
    every_block: bool
    solve: Solve
    trainable: tuple[Literal["w", "b", "z"], ...]
    recipe: Recipe
    objective: Objective | None
    ranked: bool = False
    calibrated: bool = True
    sequential: bool = True
    gate: Gate = "relu"
    apply: Apply = steer
    finalize: Finalize | None = None

    @property
    def recipes(self) -> tuple[Recipe, ...]:
        """Those that it has, its default first."""
        return (self.recipe, *(r for r in RECIPES if self.trainable and r != self.recipe))
