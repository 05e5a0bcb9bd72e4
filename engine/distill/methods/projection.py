"""Projection to a target (Stolfo et al. 2025): each token is brought to one value along one direction.

    h <- h + strength * (target - h . z) z        identity gate, w = -z, b = target

z is the unit mean difference, the target the mean projection of the prompted states on it, both weighted by
how much the prompt changes the next token: plain means leave Pocket as it is. On every block at once it
garbles before it steers (pirate 0.95 at a coherence of 0.37), so it is one block.
"""

from __future__ import annotations

import torch

from engine.distill.methods.method import BlockData, Method, Solution
from engine.heads.head import BlockHead


def solve(moment: BlockData, rank: int) -> Solution:
    share = (moment.weights / moment.weights.sum()).unsqueeze(0)
    z = torch.nn.functional.normalize(share @ moment.difference)
    target = (share @ (moment.hidden + moment.difference) @ z.T)[0]
    return Solution(BlockHead((-z).cpu().numpy(), target.cpu().numpy(), z.cpu().numpy()).canonical())


PROJECTION = Method(
    "projection",
    "Projection",
    "One block, each token brought to the value that prompted ones have along the mean difference",
    False,
    solve,
    (),
    "instant",
    None,
    calibrated=False,
    gate="identity",
)
