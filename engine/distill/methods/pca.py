"""PCA (Zou et al. 2023, RepE): the first principal component of the per-response differences, constant.

A pair is one response with and without the prompt, its difference the mean over the response's tokens.
RepE swaps the two at random, so that their mean is 0; the component of the differences as they are, not
centred, is that of all swaps at once. The length is the mean projection on it, whose sign it takes.
"""

from __future__ import annotations

import numpy as np
import torch

from engine.distill.methods.method import BlockData, Method, Solution
from engine.distill.methods.psr import directions
from engine.heads.head import BlockHead


def solve(moment: BlockData, rank: int) -> Solution:
    pairs = torch.stack([moment.difference[moment.groups == g].mean(0) for g in moment.groups.unique()])
    z = directions(pairs, 1)
    length = (pairs @ z.T).mean(0).cpu().numpy()
    part = BlockHead(np.zeros((1, z.shape[1]), np.float32), length.astype(np.float32), z.cpu().numpy())
    return Solution(part.canonical())


PCA = Method(
    "pca",
    "PCA",
    "One block, the main direction among the answers' mean differences; nothing is trained",
    False,
    solve,
    (),
    "instant",
    None,
    calibrated=False,
)
