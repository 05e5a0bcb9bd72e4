"""Projection to a target: each token is brought to one value along one direction.

    h <- h + strength * (target - h . z) z        identity gate, w = -z, b = target

z is the unit mean difference, the target the mean projection of the prompted states on it, both weighted by
Eq. 6 (engine/README.md): plain means leave Pocket as it is. On every block at once it breaks the language
before it steers (pirate 0.95 at a coherence of 0.37), so it is one block.

Source: Stolfo et al. 2025, arXiv 2410.12877.
"""

from __future__ import annotations

import torch

from engine.distill.methods.method import BlockData, Method, Solution
from engine.heads.head import BlockHead


def solve(data: BlockData, rank: int) -> Solution:
    """Direction and target of one block; the rank is always 1."""
    share = (data.weights / data.weights.sum()).unsqueeze(0)
    z = torch.nn.functional.normalize(share @ data.difference)
    target = (share @ (data.hidden + data.difference) @ z.T)[0]
    return Solution(BlockHead((-z).cpu().numpy(), target.cpu().numpy(), z.cpu().numpy()).canonical())


PROJECTION = Method(
    name="projection",
    title="Projection",
    about="One block; moves each token's projection on the mean difference to that of prompted tokens",
    every_block=False,
    solve=solve,
    calibrated=False,
    gate="identity",
)
