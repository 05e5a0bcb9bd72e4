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
    left, squares, right = _factors((inputs - mean) / spread * root)
    coordinates = left.T @ wanted  # [k, r]
    scale = squares.sum() / squares.numel()
    rows, real = _members(groups)
    own = left[rows] * real  # [G, n, k]; rows that only fill a response up to n are 0
    weight = root[rows] * real
    aims = targets[rows] * weight
    unit = torch.eye(rows.shape[1], device=inputs.device)
    # The intercept's part of the hat matrix: without it the means would be those of all rows.
    intercept = weight @ weight.mT / share.sum()
    best = (float("inf"), _PENALTIES[0])
    for tried in _PENALTIES if penalty is None else (penalty,):
        shrink = squares / (squares + tried * scale)
        residual = (wanted - left @ (shrink.unsqueeze(1) * coordinates))[rows] * real
        hat = (own * shrink) @ own.mT + intercept
        kept_out = torch.linalg.solve(unit - hat, residual)
        error = float(((aims - kept_out).clamp_min(0) - aims).square().sum())
        best = min(best, (error, tried))
    error, chosen = best
    inner = squares.sqrt() / (squares + chosen * scale)
    solution = (right.T @ (inner.unsqueeze(1) * coordinates)) / spread.unsqueeze(1)
    total = aims.square().sum().clamp_min(1e-12)
    return Ridge(
        weights=solution,
        intercepts=centre - mean @ solution,
        penalty=chosen,
        r2=1 - error / float(total),
    )


def _factors(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """left [M, k], squared singular values [k] and right [k, d] of [M, d], k the smaller of M and d.

    From the smaller Gram matrix, which costs a third of a singular value decomposition. What lies under the
    float's precision relative to the greatest value is noise there; a ridge shrinks it to nothing.
    """
    count, width = matrix.shape
    gram = matrix.T @ matrix if width <= count else matrix @ matrix.T
    squares, vectors = torch.linalg.eigh(gram)
    squares = squares.clamp_min(float(squares[-1]) * torch.finfo(squares.dtype).eps + 1e-30)
    if width <= count:
        return matrix @ vectors / squares.sqrt(), squares, vectors.T
    return vectors, squares, (matrix.T @ vectors / squares.sqrt()).T


def _members(groups: Tensor) -> tuple[Tensor, Tensor]:
    """Each group's rows [G, n], filled up with row 0 to the length of the longest; and which of these are
    real [G, n, 1], 1 or 0."""
    members = [torch.nonzero(groups == g)[:, 0] for g in groups.unique()]
    rows = torch.nn.utils.rnn.pad_sequence(members, batch_first=True, padding_value=-1)
    return rows.clamp_min(0), (rows >= 0).float().unsqueeze(-1)


def _mean(rows: Tensor, share: Tensor) -> Tensor:
    return (rows * share.unsqueeze(1)).mean(0)
