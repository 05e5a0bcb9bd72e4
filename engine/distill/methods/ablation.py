"""Directional ablation (Arditi et al. 2024): what the prompt adds is taken away, for use with the prompt.

    h <- h - strength * (h . z) z        identity gate, w = -z, b = 0

z is the main direction of what the prompt adds at each block (as PSR's), measured on the plain model: the
head removes what the prompt would make of it, so a block must not see the work of those before. Under the
prompt, Pocket's pirate falls from a trait of 1.00 to 0.35 with it and to 0.61 with the mean difference.
"""

from __future__ import annotations

import numpy as np

from engine.distill.methods.method import BlockData, Method, Solution
from engine.distill.methods.psr import directions
from engine.heads.head import BlockHead


def solve(moment: BlockData, rank: int) -> Solution:
    z = directions(moment.difference * moment.weights.sqrt().unsqueeze(1), 1).cpu().numpy()
    return Solution(BlockHead(-z, np.zeros(1, np.float32), z).canonical())


ABLATION = Method(
    "ablation",
    "Ablation",
    "All blocks, the direction that the prompt adds is removed; suppresses what the prompt asks for",
    True,
    solve,
    (),
    "instant",
    None,
    calibrated=False,
    sequential=False,
    gate="identity",
)
