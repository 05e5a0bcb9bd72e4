"""Sampling of the next token: penalty, temperature, top-k, top-p, and which draws could give which token."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from engine.errors import InputError
from engine.model.placement import in_float64

# The least divisor in float32: with a smaller temperature the logits would become 0 / 0.
_LEAST_TEMPERATURE = torch.finfo(torch.float32).tiny


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are sampled.

    Attributes:
        temperature: 0 is greedy.
        top_k: only this many of the most probable tokens; 0 for all.
        top_p: only the most probable tokens up to this cumulative probability; 1 for all.
        max_tokens: the most tokens of an answer.
        stop: strings that end the answer and are cut from it.
        repetition_penalty: above 1, tokens of the prompt and the answer so far become less probable, see
            `penalize`; 1 is off.

    Raises:
        InputError: a value is out of its range.
    """

    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    max_tokens: int = 256
    stop: tuple[str, ...] = ()
    repetition_penalty: float = 1.0

    def __post_init__(self) -> None:
        _require(math.isfinite(self.temperature) and self.temperature >= 0, "temperature", "0 or more")
        _require(self.top_k >= 0, "top-k", "0 (off) or more")
        _require(0 < self.top_p <= 1, "top-p", "above 0 and at most 1")
        penalty = self.repetition_penalty
        _require(math.isfinite(penalty) and penalty > 0, "repetition penalty", "a number above 0; 1 is off")
        _require(self.max_tokens >= 1, "number of tokens", "1 or more")
        _require(
            not isinstance(self.stop, str) and all(self.stop), "stop strings", "a tuple of texts, none empty"
        )


def seeded_generator(seed: int) -> torch.Generator:
    """A random generator on the CPU for any integer seed; torch's own seeds have 64 bits."""
    return torch.Generator().manual_seed(seed % (1 << 64))


def draw_uniform(generators: Sequence[torch.Generator]) -> Tensor:
    """One number from each row's generator, float64 [rows] in [0, 1)."""
    return torch.cat([torch.rand(1, dtype=torch.float64, generator=g) for g in generators])


def penalize(logits: Tensor, seen: Tensor, penalty: float) -> Tensor:
    """The logits with those of seen tokens lowered by a repetition penalty.

    Source: CTRL (arXiv:1909.05858), section 4.1, as transformers' RepetitionPenaltyLogitsProcessor does it:
    positive logits are divided by the penalty, negative ones multiplied.

    Args:
        logits: [rows, V].
        seen: bool [rows, V], the tokens of the row's prompt and of its answer so far.
        penalty: above 0; below 1 it favours seen tokens.

    Returns:
        float32 [rows, V].
    """
    scores = logits.float()
    return torch.where(seen, torch.where(scores < 0, scores * penalty, scores / penalty), scores)


def choose_tokens(logits: Tensor, sampling: Sampling, draws: Tensor | None) -> Tensor:
    """The next token of every row, by inverting its cumulative distribution at the row's draw.

    A row's token thus depends on nothing but its own logits and draw, on any device.

    Args:
        logits: [rows, V], penalized already.
        sampling: temperature, top-k and top-p.
        draws: [rows] from `draw_uniform`; not used at temperature 0.

    Returns:
        int64 [rows].
    """
    if sampling.temperature == 0:
        return logits.float().argmax(-1)  # argmax is many times slower in half precision
    assert draws is not None
    weights, order = _weights(logits, sampling)
    cumulative = in_float64(weights).cumsum(-1)
    target = draws.to(cumulative.device).unsqueeze(-1) * cumulative[:, -1:]
    index = (cumulative <= target).sum(-1, keepdim=True).clamp_max(cumulative.shape[-1] - 1).to(logits.device)
    return (index if order is None else order.gather(-1, index)).squeeze(-1)


def may_choose(logits: Tensor, sampling: Sampling, draw: float | None, token: int, slack: float) -> bool:
    """Whether `choose_tokens` could give `token` for logits that are a little different.

    Where the difference of any two logits changes by at most `slack`, all odds change by a factor of at most
    exp(slack / temperature), and so do those of a cumulative probability.

    Args:
        logits: [V] of one row, penalized already.
        sampling: as in `choose_tokens`.
        draw: the row's draw in [0, 1); None at temperature 0.
        token: the token in question.
        slack: in logits.
    """
    if sampling.temperature == 0:
        return bool(logits.float().max() - logits[token].float() <= slack)
    assert draw is not None
    log_factor = min(slack / max(sampling.temperature, _LEAST_TEMPERATURE), 500.0)  # exp must stay finite
    intervals = []
    for rules in _near_top_p(sampling, slack):
        for shift in (slack, -slack):  # equal logits may be sorted either way
            shifted = logits.float().clone()
            shifted[token] += shift
            intervals.append(_interval(shifted, rules, token))
    ends = [end for interval in intervals for end in interval]
    if not ends:
        return False
    if not all(intervals):
        ends.append(1.0)  # in some case top-k or top-p leaves it out, so in another it can be the last one in
    return _scale_odds(min(ends), -log_factor) <= draw <= _scale_odds(max(ends), log_factor)


def _weights(logits: Tensor, sampling: Sampling) -> tuple[Tensor, Tensor | None]:
    """Unnormalised probabilities [rows, n] and their token ids [rows, n]; None where n = V in order."""
    scaled = logits.float()
    scaled = (scaled - scaled.amax(-1, keepdim=True)) / max(sampling.temperature, _LEAST_TEMPERATURE)
    order = None
    if sampling.top_k or sampling.top_p < 1:
        count = min(sampling.top_k or scaled.shape[-1], scaled.shape[-1])
        scaled, order = scaled.topk(count)
    weights = scaled.softmax(-1)
    if sampling.top_p < 1:
        weights = weights * (weights.cumsum(-1) - weights < sampling.top_p)
    return weights, order


def _near_top_p(sampling: Sampling, slack: float) -> list[Sampling]:
    """The rules with a slightly smaller and a slightly larger top-p, as rounding may decide at its bound."""
    if sampling.top_p == 1:
        return [sampling]
    below_one = math.nextafter(1.0, 0.0)  # exactly 1 would switch top-p off, and the sorting with it
    bounds = (max(sampling.top_p - slack, 1.0 - below_one), min(sampling.top_p + slack, below_one))
    return [replace(sampling, top_p=bound) for bound in bounds]


def _interval(logits: Tensor, sampling: Sampling, token: int) -> list[float]:
    """The two draws between which `token` is chosen; empty when top-k or top-p leaves it out."""
    rows, order = _weights(logits.unsqueeze(0), sampling)
    places = [token] if order is None else (order[0] == token).nonzero().flatten().tolist()
    weights = in_float64(rows[0])
    if not places or not weights[places[0]]:
        return []
    cumulative = weights.cumsum(-1)
    stop = cumulative[places[0]]
    return (torch.stack([stop - weights[places[0]], stop]) / cumulative[-1]).tolist()


def _scale_odds(probability: float, log_factor: float) -> float:
    """A probability whose odds are exp(log_factor) times those of `probability`."""
    factor = math.exp(log_factor)
    return probability * factor / (probability * factor + 1 - probability)


def _require(condition: bool, what: str, allowed: str) -> None:
    if not condition:
        raise InputError(f"The {what} cannot be used", "It is out of range.", f"Give {allowed}.")
