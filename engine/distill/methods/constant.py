"""Constant steering, trained: the same vector on every token (engine/README.md, Eq. 2 with w = 0).

Training starts from the mean difference (DiffMean), on every block taken on already steered inputs.

Source: S-Const and A-Const of the paper.
"""

from __future__ import annotations

import numpy as np

from engine.distill.methods.method import BlockData, Method, Solution
from engine.heads.head import BlockHead


def solve(data: BlockData, rank: int) -> Solution:
    """The mean difference of one block; the rank is always 1."""
    vector = data.difference.mean(0, keepdim=True).cpu().numpy()
    part = BlockHead(np.zeros_like(vector), np.ones(1, np.float32), vector)
    return Solution(part.canonical())


ALL = Method(
    name="a-const",
    title="A-Const",
    about="All blocks; the same vector on every token",
    every_block=True,
    solve=solve,
    trainable=("z",),
    recipe="refine",
    objective="ll",
)
SINGLE = Method(
    name="s-const",
    title="S-Const",
    about="One block; the same vector on every token",
    every_block=False,
    solve=solve,
    trainable=("z",),
    recipe="refine",
    objective="ll",
)
