"""PCA: the first principal component of the per-response differences, constant.

A pair is one response with and without the prompt, its difference the mean over the response's tokens. RepE
swaps the two at random, so that their mean is 0; the component of the uncentred differences is that of all
swaps at once. The length is the mean projection on it, whose sign it takes.

Source: Zou et al. 2023 (RepE), arXiv 2310.01405.
"""

from __future__ import annotations

import numpy as np
import torch

from engine.distill.methods.method import BlockData, Method, Solution
from engine.distill.methods.psr import directions
from engine.heads.head import BlockHead


def solve(data: BlockData, rank: int) -> Solution:
    """The component of one block; the rank is always 1."""
    pairs = torch.stack([data.difference[data.groups == g].mean(0) for g in data.groups.unique()])
    z = directions(pairs, 1)
    length = (pairs @ z.T).mean(0).cpu().numpy()
    part = BlockHead(np.zeros((1, z.shape[1]), np.float32), length.astype(np.float32), z.cpu().numpy())
    return Solution(part.canonical())


PCA = Method(
    name="pca",
    title="PCA",
    about="One block; the first principal component of the answers' mean differences; no training",
    every_block=False,
    solve=solve,
    calibrated=False,
)
