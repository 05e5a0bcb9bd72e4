"""ReFT-r1: one direction, scaled per sequence by its strongest latents.

    h_t <- h_t + strength * mean(top-k over the sequence of ReLU(h . w + b)) z

is how it is trained, by likelihood; the factor is the same for all tokens of a response. While answering
the rest of the sequence is not known yet: the factor is a constant then, its mean over the responses.
AxBench's L1 on the other latents is left out: it makes the latents a detector, which nothing here reads.

Source: Wu et al. 2025 (AxBench), arXiv 2501.17148.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from engine.distill.methods import psr
from engine.distill.methods.method import BlockData, Method, Solution
from engine.heads.head import BlockHead
from engine.heads.mix import MixBlock
from engine.heads.steering import steer

_TOP = 8


def apply(hidden: Tensor, part: MixBlock, strengths: Tensor) -> tuple[Tensor, Tensor]:
    """Steers in training, by one factor per row.

    Args:
        hidden: [N, t, d].
        part: the block's arrays, of rank 1.
        strengths: [N, t, 1], 0 where nothing is steered and where latents do not count.

    Returns:
        The steered states [N, t, d] and the coefficients [N, t, 1].
    """
    latents = torch.relu(torch.nn.functional.linear(hidden.float(), part.w, part.b)) * (strengths != 0)
    factor = latents.topk(min(_TOP, hidden.shape[1]), dim=1).values.mean(1, keepdim=True)  # [N, 1, 1]
    constant = replace(part, w=torch.zeros_like(part.w), b=torch.ones_like(part.b))
    return steer(hidden, constant, strengths * factor)


def finalize(part: BlockHead, hidden: Tensor, groups: Tensor) -> BlockHead:
    """The constant that stands for a trained part at inference: the mean of its factor over the responses.

    Args:
        part: the trained arrays, of rank 1.
        hidden: the responses' states before the part acts, [M, d].
        groups: the response of each position, [M].
    """
    w, b = torch.from_numpy(part.w).to(hidden.device), torch.from_numpy(part.b).to(hidden.device)
    latents = torch.relu(torch.nn.functional.linear(hidden.float(), w, b))[:, 0]
    rows = [latents[groups == group] for group in groups.unique()]
    factor = torch.stack([row.topk(min(_TOP, len(row))).values.sum() / _TOP for row in rows]).mean()
    return BlockHead(np.zeros_like(part.w), factor.reshape(1).cpu().numpy(), part.z)


def solve(data: BlockData, rank: int) -> Solution:
    """The closed form of one block, from that of PSR; the rank is always 1."""
    gated = psr.solve(data, 1).part
    return Solution(finalize(gated, data.hidden, data.groups), start=gated)


REFT_R1 = Method(
    name="reft-r1",
    title="ReFT-r1",
    about="One block; a constant sized by the strongest tokens of each answer, trained by likelihood",
    every_block=False,
    solve=solve,
    trainable=("w", "b", "z"),
    recipe="refine",
    objective="ll",
    apply=apply,
    finalize=finalize,
)
