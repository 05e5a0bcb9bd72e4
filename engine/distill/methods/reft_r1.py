"""ReFT-r1 (Wu et al. 2025, AxBench): one direction, scaled per sequence by its strongest latents.

    h_t <- h_t + strength * mean(top-k over the sequence of ReLU(h . w + b)) z

is how it is trained, by likelihood; the factor is the same for all tokens of a response. While answering the
rest of the sequence is not known yet: the factor is a constant then, its mean over the responses. AxBench's
L1 on the other latents is left out: it makes the latents a detector, which nothing here reads.
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
    """Steers [N, t, d] where strengths [N, t, 1] are not 0 by one factor per row."""
    latents = torch.relu(torch.nn.functional.linear(hidden.float(), part.w, part.b)) * (strengths != 0)
    factor = latents.topk(min(_TOP, hidden.shape[1]), dim=1).values.mean(1, keepdim=True)  # [N, 1, 1]
    constant = replace(part, w=torch.zeros_like(part.w), b=torch.ones_like(part.b))
    return steer(hidden, constant, strengths * factor)


def finalize(part: BlockHead, hidden: Tensor, groups: Tensor) -> BlockHead:
    """The constant that the trained part comes to, over the responses' states before it acts."""
    w, b = torch.from_numpy(part.w).to(hidden.device), torch.from_numpy(part.b).to(hidden.device)
    latents = torch.relu(torch.nn.functional.linear(hidden.float(), w, b))[:, 0]
    rows = [latents[groups == group] for group in groups.unique()]
    factor = torch.stack([row.topk(min(_TOP, len(row))).values.sum() / _TOP for row in rows]).mean()
    return BlockHead(np.zeros_like(part.w), factor.reshape(1).cpu().numpy(), part.z)


def solve(moment: BlockData, rank: int) -> Solution:
    gated = psr.solve(moment, 1).part
    return Solution(finalize(gated, moment.hidden, moment.groups), start=gated)


REFT_R1 = Method(
    "reft-r1",
    "ReFT-r1",
    "One block, a constant as strong as the strongest tokens of an answer call for, trained by likelihood",
    False,
    solve,
    ("w", "b", "z"),
    "refine",
    "ll",
    apply=apply,
    finalize=finalize,
)
