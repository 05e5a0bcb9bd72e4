"""The closed leave-one-response-out error is the error of really leaving responses out."""

from __future__ import annotations

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


def test_the_left_out_error_equals_refitting_without_the_response(monkeypatch) -> None:
    inputs, aims, groups = data()
    penalty = 0.01
    monkeypatch.setattr("engine.distill.ridge._PENALTIES", (penalty,))
    found = ridge(inputs, aims, groups)
    standard = (inputs - inputs.mean(0)) / inputs.std(0)
    centred = aims - aims.mean(0)
    scale = torch.linalg.svdvals(standard).square().mean()
    error = 0.0
    for group in range(6):
        x, y = standard[groups != group], centred[groups != group]
        weights = torch.linalg.solve(x.T @ x + penalty * scale * torch.eye(12), x.T @ y)
        guess = (standard[groups == group] @ weights + aims.mean(0)).clamp_min(0)
        error += float((guess - aims[groups == group]).square().sum())
    assert abs(found.r2 - (1 - error / float(aims.square().sum()))) < 1e-4


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
