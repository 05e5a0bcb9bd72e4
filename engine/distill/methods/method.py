"""The interface of a fitting method: a closed form per block, and what training may change of it."""

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
    """The closed form of one block.

    Attributes:
        part: the block's arrays, in canonical form.
        r2: the share of the targets that the gate predicts on left-out responses (engine/README.md, Eq. 9);
            None for methods without a gate.
        start: the arrays that training begins from, where they are not those of the head.
    """

    part: BlockHead
    r2: float | None = None
    start: BlockHead | None = None


@dataclass(frozen=True, eq=False)
class BlockData:
    """The input of one block's closed form, at the M learned positions of all responses.

    Attributes:
        difference: prompted minus present states, float32 [M, d]: the local Delta (engine/README.md, Eq. 1).
        hidden: the present states, float32 [M, d].
        groups: the response of each position, integers [M].
        weights: how much each position counts, [M] (engine/README.md, Eq. 6).
        penalty: of the ridge, None to choose it (see `ridge`).
    """

    difference: Tensor
    hidden: Tensor
    groups: Tensor
    weights: Tensor
    penalty: float | None = None


Solve = Callable[[BlockData, int], Solution]
"""(data, rank) -> Solution."""


Apply = Callable[[Tensor, MixBlock, Tensor], tuple[Tensor, Tensor]]
"""Steers in training: (hidden [N, t, d], part, strengths [N, t, 1]) -> (steered, coefficients [N, t, K])."""

Finalize = Callable[[BlockHead, Tensor, Tensor], BlockHead]
"""(trained part, hidden [M, d], groups [M]) -> the head's part."""


@dataclass(frozen=True, kw_only=True)
class Method:
    """A fitting method (engine/README.md, section 4).

    Attributes:
        name: as in requests and head files.
        title: as in the window.
        about: one line for a person who chooses.
        every_block: steers all blocks, or one.
        solve: the closed form of a block.
        trainable: the arrays that "refine" and "paper" train; none for methods that are their closed form.
        recipe: the default recipe.
        objective: the default objective of training; None for methods that are not trained.
        ranked: can have several directions per block.
        calibrated: strength 1 is set to where the responses are likeliest (engine/README.md, Eq. 10).
        polished: a few steps of training on KL can follow the closed form in the recipe "instant".
        sequential: each block is fitted on states that the blocks before have steered, not on plain ones.
        gate: of the head.
        apply: how it steers in training.
        finalize: makes the head's part of a trained one; None where they are the same.
    """

    name: str
    title: str
    about: str
    every_block: bool
    solve: Solve
    trainable: tuple[Literal["w", "b", "z"], ...] = ()
    recipe: Recipe = "instant"
    objective: Objective | None = None
    ranked: bool = False
    calibrated: bool = True
    polished: bool = False
    sequential: bool = True
    gate: Gate = "relu"
    apply: Apply = steer
    finalize: Finalize | None = None

    @property
    def recipes(self) -> tuple[Recipe, ...]:
        """The recipes that it has, its default first."""
        return (self.recipe, *(r for r in RECIPES if self.trainable and r != self.recipe))
