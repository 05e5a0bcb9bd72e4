"""The closed leave-one-response-out error is the error of really leaving responses out."""

from __future__ import annotations

import pytest
import torch

from engine.distill.methods.psr import directions
from engine.distill.ridge import ridge


def data(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(60, 12, generator=generator) * torch.linspace(0.1, 30, 12) + 3
    aims = (inputs @ torch.randn(12, 2, generator=generator)).clamp_min(0) + torch.randn(
        60, 2, generator=generator
    )
    return inputs, aims, torch.arange(6).repeat_interleave(10)


def weighted_mean(rows: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    return (weights[:, None] * rows).sum(0) / weights.sum()


@pytest.mark.parametrize("even", [True, False])
def test_the_left_out_error_equals_refitting_without_the_response(even: bool) -> None:
    """The refit knows nothing of the response: its means and intercept are those of the other rows."""
    inputs, targets, groups = data()
    weights = torch.ones(60) if even else torch.rand(60, generator=torch.Generator().manual_seed(3)) + 0.1
    penalty = 0.01
    found = ridge(inputs, targets, groups, weights, penalty)
    share = weights / weights.mean()
    centred = inputs - weighted_mean(inputs, share)
    spread = weighted_mean(centred.square(), share).sqrt()
    absolute = penalty * torch.linalg.svdvals(centred / spread * share.sqrt()[:, None]).square().mean()
    error = 0.0
    for group in range(6):
        kept, out = groups != group, groups == group
        mean, centre = weighted_mean(inputs[kept], share[kept]), weighted_mean(targets[kept], share[kept])
        x, y, each = (inputs[kept] - mean) / spread, targets[kept] - centre, share[kept][:, None]
        solution = torch.linalg.solve(x.T @ (each * x) + absolute * torch.eye(12), x.T @ (each * y))
        guess = ((inputs[out] - mean) / spread @ solution + centre).clamp_min(0)
        error += float(((guess - targets[out]).square() * share[out][:, None]).sum())
    total = float((targets.square() * share[:, None]).sum())
    assert found.r2 == pytest.approx(1 - error / total, abs=1e-4)


def test_noise_gets_the_largest_penalty_and_a_law_the_smallest() -> None:
    inputs, _, groups = data()
    noise = torch.randn(60, 2, generator=torch.Generator().manual_seed(9)) + 1
    assert ridge(inputs, noise, groups).penalty > ridge(inputs, inputs[:, :2] * 2 + 200, groups).penalty


def test_it_fits_with_fewer_rows_than_columns() -> None:
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(20, 300, generator=generator)
    fit = ridge(inputs, inputs[:, :1] * 2, torch.arange(4).repeat_interleave(5))
    assert fit.weights.shape == (300, 1) and bool(torch.isfinite(fit.weights).all())


def test_directions_are_unit_ordered_and_point_with_the_mean() -> None:
    generator = torch.Generator().manual_seed(2)
    for rows in (200, 10):  # more and fewer rows than columns
        strong = torch.randn(rows, 1, generator=generator).abs() @ torch.randn(1, 32, generator=generator) * 5
        difference = strong + torch.randn(rows, 32, generator=generator) * 0.1
        z = directions(difference, 3)
        right = torch.linalg.svd(difference)[2][:3]
        assert torch.allclose(z @ z.T, torch.eye(3), atol=1e-4)
        assert torch.allclose((z * right).sum(1).abs(), torch.ones(3), atol=1e-3)
        assert bool(((difference @ z.T).mean(0) >= 0).all())
