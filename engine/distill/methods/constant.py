"""Constant steering, trained: the same vector on every token (lambda = 1 in the paper's Eq. 7).

The start is the mean difference (DiffMean); on every block it is taken on already steered inputs.
"""

from __future__ import annotations

import numpy as np

from engine.distill.methods.method import BlockData, Method, Solution
from engine.heads.head import BlockHead


def solve(moment: BlockData, rank: int) -> Solution:
    vector = moment.difference.mean(0, keepdim=True).cpu().numpy()
    part = BlockHead(np.zeros_like(vector), np.ones(1, np.float32), vector)
    return Solution(part.canonical())


ALL = Method(
    "a-const",
    "A-Const",
    "All blocks, the same vector on every token",
    True,
    solve,
    ("z",),
    "refine",
    "ll",
)
SINGLE = Method(
    "s-const",
    "S-Const",
    "One block, the same vector on every token",
    False,
    solve,
    ("z",),
    "refine",
    "ll",
)
