"""PSR: directions, and gates that read their strength from the token's own activation.

    h <- h + strength * sum_k ReLU(h . w_k + b_k) z_k        (engine/README.md, Eq. 2 and 3)

The closed form is Eq. 6 to 9 there.

Source: Heyman and Vandeputte 2026, arXiv 2605.03907, Eq. 7 and 8; rank above 1 and the closed form are ours.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.distill.methods.method import BlockData, Method, Solution
from engine.distill.ridge import ridge
from engine.heads.head import BlockHead


def solve(data: BlockData, rank: int) -> Solution:
    """Directions and gates of one block.

    Args:
        data: the block's states and differences.
        rank: how many directions.
    """
    z = directions(data.difference * data.weights.sqrt().unsqueeze(1), rank)
    fit = ridge(data.hidden, data.difference @ z.T, data.groups, data.weights, data.penalty)
    part = BlockHead(fit.weights.T.cpu().numpy(), fit.intercepts.cpu().numpy(), z.cpu().numpy())
    return Solution(part.canonical(), fit.r2)


def directions(difference: Tensor, rank: int) -> Tensor:
    """The first right singular vectors, uncentred (engine/README.md, Eq. 7).

    Args:
        difference: [M, d], float32.
        rank: how many, at most min(M, d).

    Returns:
        [rank, d], unit rows in descending order, each with a positive mean coordinate.
    """
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
    name="a-psr",
    title="A-PSR",
    about="All blocks; the coefficient depends on each token, as a prompt's effect does",
    every_block=True,
    solve=solve,
    trainable=("w", "b", "z"),
    recipe="instant",
    objective="mse",
    ranked=True,
    polished=True,
)
SINGLE = Method(
    name="s-psr",
    title="S-PSR",
    about="One block; the coefficient depends on each token",
    every_block=False,
    solve=solve,
    trainable=("w", "b", "z"),
    recipe="refine",
    objective="ll",
    ranked=True,
)
