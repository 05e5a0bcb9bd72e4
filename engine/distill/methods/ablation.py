"""Directional ablation: what the prompt adds along one direction is removed; for use with the prompt.

    h <- h - strength * (h . z) z        identity gate, w = -z, b = 0

z is the first direction of Eq. 7 (engine/README.md) at each block, measured on the plain model: the head
removes what the prompt would add, so a block must not see the work of those before. Under the prompt,
Pocket's pirate falls from a trait of 1.00 to 0.35 with it, and to 0.61 with the mean difference.

Source: Arditi et al. 2024, arXiv 2406.11717.
"""

from __future__ import annotations

import numpy as np

from engine.distill.methods.method import BlockData, Method, Solution
from engine.distill.methods.psr import directions
from engine.heads.head import BlockHead


def solve(data: BlockData, rank: int) -> Solution:
    """The closed form of one block; the rank is always 1."""
    z = directions(data.difference * data.weights.sqrt().unsqueeze(1), 1).cpu().numpy()
    return Solution(BlockHead(-z, np.zeros(1, np.float32), z).canonical())


ABLATION = Method(
    name="ablation",
    title="Ablation",
    about="All blocks; removes the direction that the prompt adds, to suppress what the prompt asks for",
    every_block=True,
    solve=solve,
    calibrated=False,
    sequential=False,
    gate="identity",
)
