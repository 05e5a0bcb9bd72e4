"""PSR: a direction and a gate that reads its strength from the token's own activation.

    h <- h + strength * sum_k ReLU(h . w_k + b_k) z_k      (the paper's Eq. 7 and 8; rank r as in METHOD.md)

Closed form (METHOD.md section 6): z are the first right singular vectors of the differences, uncentred; the
gate is a ridge regression of the differences' coordinates on the hidden state, its ridge chosen by
leave-one-response-out error. In both a token counts by how much the prompt changes what follows it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.distill.methods.method import BlockData, Method, Solution
from engine.distill.ridge import ridge
from engine.heads.head import BlockHead


def solve(moment: BlockData, rank: int) -> Solution:
    z = directions(moment.difference * moment.weights.sqrt().unsqueeze(1), rank)
    fit = ridge(moment.hidden, moment.difference @ z.T, moment.groups, moment.weights, moment.penalty)
    part = BlockHead(fit.weights.T.cpu().numpy(), fit.intercepts.cpu().numpy(), z.cpu().numpy())
    return Solution(part.canonical(), fit.r2)


def directions(difference: Tensor, rank: int) -> Tensor:
    """The first right singular vectors [rank, d] of [M, d], their mean coordinates positive."""
    count, width = difference.shape
    if count < width:
        left = torch.linalg.eigh(difference @ difference.T)[1]
        z = (left[:, -rank:].T @ difference).flip(0)
    else:
        z = torch.linalg.eigh(difference.T @ difference)[1][:, -rank:].T.flip(0)
    z = z / z.norm(dim=1, keepdim=True).clamp_min(1e-12)  # a GPU's are of unit length to 1e-5 only
    means = (difference @ z.T).mean(0)
    return z * torch.where(means < 0, -1.0, 1.0).unsqueeze(1)


ALL = Method(
    "a-psr",
    "A-PSR",
    "All blocks, the strength read from each token, as a prompt does",
    True,
    solve,
    ("w", "b", "z"),
    "instant",
    "mse",
    ranked=True,
)
SINGLE = Method(
    "s-psr",
    "S-PSR",
    "One block, the strength read from each token",
    False,
    solve,
    ("w", "b", "z"),
    "refine",
    "ll",
    ranked=True,
)
