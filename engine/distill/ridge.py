"""Ridge regression with the penalty chosen by leave-one-response-out error."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

# Relative to the mean eigenvalue of the standardised inputs' covariance.
_PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)


@dataclass(frozen=True, eq=False)
class Ridge:
    """weights [d, r], intercepts [r]; penalty: the one chosen; r2: 1 - error / variance about 0, left out."""

    weights: Tensor
    intercepts: Tensor
    penalty: float
    r2: float


def ridge(
    inputs: Tensor,
    aims: Tensor,
    groups: Tensor,
    weights: Tensor | None = None,
    penalty: float | None = None,
) -> Ridge:
    """Fits aims [M, r] = inputs [M, d] @ weights + intercepts, all float32; weights [M]: how much rows count.

    Inputs are standardised, so that a few massive dimensions do not set the penalty's scale. The error
    that chooses the penalty is that of the gated prediction, ReLU, on responses left out one at a time: in
    closed form from the hat matrix, without refitting. groups [M]: each row's response. penalty: the one to
    take instead of choosing, relative to the mean eigenvalue of the standardised inputs' covariance.
    """
    share = torch.ones_like(inputs[:, 0]) if weights is None else weights / weights.mean()
    root = share.sqrt().unsqueeze(1)
    mean, centre = _mean(inputs, share), _mean(aims, share)
    spread = _mean((inputs - mean).square(), share).sqrt().clamp_min(1e-6)
    wanted = (aims - centre) * root
    left, values, right = torch.linalg.svd((inputs - mean) / spread * root, full_matrices=False)
    coordinates = left.T @ wanted  # [k, r]
    squares = values.square()
    scale = squares.sum() / values.numel()
    members = [torch.nonzero(groups == g)[:, 0] for g in groups.unique()]
    total = (aims * root).square().sum().clamp_min(1e-12)
    best = (float("inf"), _PENALTIES[0])
    for tried in _PENALTIES if penalty is None else (penalty,):
        shrink = squares / (squares + tried * scale)
        predicted = left @ (shrink.unsqueeze(1) * coordinates)
        error = 0.0
        for member in members:
            own = left[member]
            hat = (own * shrink) @ own.T
            residual = wanted[member] - predicted[member]
            held_out = torch.linalg.solve(torch.eye(len(member), device=hat.device) - hat, residual)
            gated = (aims[member] - held_out / root[member]).clamp_min(0)
            error += float(((gated - aims[member]) * root[member]).square().sum())
        best = min(best, (error, tried))
    error, chosen = best
    inner = values / (squares + chosen * scale)
    solution = (right.T @ (inner.unsqueeze(1) * coordinates)) / spread.unsqueeze(1)
    return Ridge(solution, centre - mean @ solution, chosen, 1 - error / float(total))


def _mean(rows: Tensor, share: Tensor) -> Tensor:
    return (rows * share.unsqueeze(1)).mean(0)
