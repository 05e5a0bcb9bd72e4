"""How the next token is chosen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from engine.errors import InputError

# The least that a float32 can be divided by: what is colder would be 0 / 0.
_COLDEST = torch.finfo(torch.float32).tiny


@dataclass(frozen=True, slots=True)
class Sampling:
    """The rules of choice. temperature 0 is greedy; top_k 0 and top_p 1 leave every token in.

    max_tokens bounds the answer; stop: strings that end it and are cut from it.
    Raises InputError for values outside their range.
    """

    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    max_tokens: int = 256
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _require(math.isfinite(self.temperature) and self.temperature >= 0, "temperature", "0 or more")
        _require(self.top_k >= 0, "top-k", "0 (off) or more")
        _require(0 < self.top_p <= 1, "top-p", "above 0 and at most 1")
        _require(self.max_tokens >= 1, "number of tokens", "1 or more")
        _require(
            not isinstance(self.stop, str) and all(self.stop), "stop strings", "a tuple of texts, none empty"
        )


def seeded(seed: int) -> torch.Generator:
    """A generator on the CPU for any whole number: torch itself takes 64 bits."""
    return torch.Generator().manual_seed(seed % (1 << 64))


def draw(generators: Sequence[torch.Generator]) -> Tensor:
    """One number from each row's own CPU generator, float64 [rows] in [0, 1)."""
    return torch.cat([torch.rand(1, dtype=torch.float64, generator=g) for g in generators])


def choose(logits: Tensor, sampling: Sampling, draws: Tensor | None) -> Tensor:
    """The next ids [rows] for logits [rows, V].

    Each row looks its draw (of `draw`; not needed at temperature 0) up in the cumulated probabilities, so
    that a row's choice depends on nothing but its own logits and seed, on any device.
    """
    if sampling.temperature == 0:
        return logits.float().argmax(-1)  # in half precision it is many times slower
    assert draws is not None
    share, order = _shares(logits, sampling)
    cumulated = share.double().cumsum(-1)
    aim = draws.to(logits.device).unsqueeze(-1) * cumulated[:, -1:]
    index = (cumulated <= aim).sum(-1, keepdim=True).clamp_max(cumulated.shape[-1] - 1)
    return (index if order is None else order.gather(-1, index)).squeeze(-1)


def near(logits: Tensor, sampling: Sampling, drawn: float | None, token: int, slack: float) -> bool:
    """Whether `choose` could give `token` for logits [V] of which any two differ by `slack` more or less.

    Then all odds change by exp(slack / temperature) at most, and so do those of a cumulated probability.
    """
    if sampling.temperature == 0:
        return bool(logits.float().max() - logits[token].float() <= slack)
    assert drawn is not None
    most = min(slack / max(sampling.temperature, _COLDEST), 500.0)  # exp must be a number
    intervals = []
    for rules in _around(sampling, slack):
        for nudge in (slack, -slack):  # of equals the order is no more certain than their logits
            other = logits.float().clone()
            other[token] += nudge
            intervals.append(_interval(other, rules, token))
    ends = [end for interval in intervals for end in interval]
    if not ends:
        return False
    if not all(intervals):
        ends.append(1.0)  # it may be the last one that is left in
    return _scaled(min(ends), -most) <= drawn <= _scaled(max(ends), most)


def _shares(logits: Tensor, sampling: Sampling) -> tuple[Tensor, Tensor | None]:
    """The probabilities [rows, n] that tokens are drawn with, up to a factor, and the tokens' ids [rows, n];
    None where these are all ids in order."""
    scaled = logits.float()
    scaled = (scaled - scaled.amax(-1, keepdim=True)) / max(sampling.temperature, _COLDEST)
    order = None
    if sampling.top_k or sampling.top_p < 1:
        count = min(sampling.top_k or scaled.shape[-1], scaled.shape[-1])
        scaled, order = scaled.topk(count)
    share = scaled.softmax(-1)
    if sampling.top_p < 1:
        share = share * (share.cumsum(-1) - share < sampling.top_p)
    return share, order


def _around(sampling: Sampling, slack: float) -> list[Sampling]:
    """The rules, and those that leave in what is that near to the bound of top-p, or not even that."""
    if sampling.top_p == 1:
        return [sampling]
    whole = math.nextafter(1.0, 0.0)  # at 1 the order would be another
    bounds = (max(sampling.top_p - slack, 1.0 - whole), min(sampling.top_p + slack, whole))
    return [replace(sampling, top_p=bound) for bound in bounds]


def _interval(logits: Tensor, sampling: Sampling, token: int) -> list[float]:
    """Between which two draws `token` is chosen; nothing when it is left out."""
    shares, order = _shares(logits.unsqueeze(0), sampling)
    places = [token] if order is None else (order[0] == token).nonzero().flatten().tolist()
    share = shares[0].double()
    if not places or not share[places[0]]:
        return []
    cumulated = share.cumsum(-1)
    stop = cumulated[places[0]]
    return (torch.stack([stop - share[places[0]], stop]) / cumulated[-1]).tolist()


def _scaled(share: float, by: float) -> float:
    """A probability whose odds are exp(by) times those of `share`."""
    odds = math.exp(by)
    return share * odds / (share * odds + 1 - share)


def _require(fine: bool, what: str, allowed: str) -> None:
    if not fine:
        raise InputError(f"The {what} cannot be used", "It is out of range.", f"Give {allowed}.")
