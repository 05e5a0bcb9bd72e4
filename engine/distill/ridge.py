"""Ridge regression with the penalty chosen by leave-one-response-out error."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

# Relative to the mean eigenvalue of the standardised inputs' covariance.
_PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)


@dataclass(frozen=True, eq=False, kw_only=True)
class Ridge:
    """A fitted regression.

    Attributes:
        weights: [d, r].
        intercepts: [r].
        penalty: the one chosen, relative to the mean eigenvalue of the standardised inputs' covariance.
        r2: 1 - left-out error / sum of the squared targets: the share that the gate predicts on responses
            that it was not fitted on; negative where it predicts worse than 0 does.
    """

    weights: Tensor
    intercepts: Tensor
    penalty: float
    r2: float


def ridge(
    inputs: Tensor,
    targets: Tensor,
    groups: Tensor,
    weights: Tensor | None = None,
    penalty: float | None = None,
) -> Ridge:
    """Fits `targets` = `inputs` @ weights + intercepts (engine/README.md, Eq. 8 and 9).

    Inputs are standardised, so that a few massive dimensions do not set the penalty's scale. The penalty is
    chosen by the error of the gated prediction, ReLU, on responses left out one at a time. That error comes
    from the hat matrix and equals a refit without the response, its intercept and centring included; only the
    standardisation's scale and the absolute penalty, which hardly depend on one response, stay those of all
    rows.

    Args:
        inputs: hidden states, float32 [M, d].
        targets: coordinates along the directions, float32 [M, r].
        groups: the response of each row, integers [M].
        weights: how much each row counts, [M]; None for all alike.
        penalty: the penalty to take instead of choosing one.

    Returns:
        The fit on all rows.

    Source:
        Leave-out residuals of a linear smoother: Hastie, Tibshirani and Friedman, The Elements of Statistical
        Learning, 7.10.
    """
    share = torch.ones_like(inputs[:, 0]) if weights is None else weights / weights.mean()
    root = share.sqrt().unsqueeze(1)
    mean, centre = _mean(inputs, share), _mean(targets, share)
    spread = _mean((inputs - mean).square(), share).sqrt().clamp_min(1e-6)
    wanted = (targets - centre) * root
    left, values, right = torch.linalg.svd((inputs - mean) / spread * root, full_matrices=False)
    coordinates = left.T @ wanted  # [k, r]
    squares = values.square()
    scale = squares.sum() / values.numel()
    members = [torch.nonzero(groups == g)[:, 0] for g in groups.unique()]
    total = (targets * root).square().sum().clamp_min(1e-12)
    best = (float("inf"), _PENALTIES[0])
    for tried in _PENALTIES if penalty is None else (penalty,):
        shrink = squares / (squares + tried * scale)
        predicted = left @ (shrink.unsqueeze(1) * coordinates)
        error = 0.0
        for member in members:
            own = left[member]
            # The second term is the intercept's: without it the means would be those of all rows.
            hat = (own * shrink) @ own.T + root[member] @ root[member].T / share.sum()
            residual = wanted[member] - predicted[member]
            kept_out = torch.linalg.solve(torch.eye(len(member), device=hat.device) - hat, residual)
            gated = (targets[member] - kept_out / root[member]).clamp_min(0)
            error += float(((gated - targets[member]) * root[member]).square().sum())
        best = min(best, (error, tried))
    error, chosen = best
    inner = values / (squares + chosen * scale)
    solution = (right.T @ (inner.unsqueeze(1) * coordinates)) / spread.unsqueeze(1)
    return Ridge(
        weights=solution,
        intercepts=centre - mean @ solution,
        penalty=chosen,
        r2=1 - error / float(total),
    )


def _mean(rows: Tensor, share: Tensor) -> Tensor:
    return (rows * share.unsqueeze(1)).mean(0)
