"""How the next token is chosen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.errors import InputError


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


def choose(logits: Tensor, sampling: Sampling, generators: Sequence[torch.Generator]) -> Tensor:
    """The next ids [rows] for logits [rows, V].

    Each row draws one number from its own CPU generator and looks it up in the cumulated probabilities, so
    that a row's choice depends on nothing but its own logits and seed, on any device.
    """
    if sampling.temperature == 0:
        return logits.float().argmax(-1)  # in half precision it is many times slower
    scaled = logits.float()
    # The least that a float32 can be divided by: what is colder would be 0 / 0.
    temperature = max(sampling.temperature, torch.finfo(torch.float32).tiny)
    scaled = (scaled - scaled.amax(-1, keepdim=True)) / temperature
    order = None
    if sampling.top_k or sampling.top_p < 1:
        count = min(sampling.top_k or scaled.shape[-1], scaled.shape[-1])
        scaled, order = scaled.topk(count)
    share = scaled.softmax(-1)
    if sampling.top_p < 1:
        share = share * (share.cumsum(-1) - share < sampling.top_p)
    cumulated = share.double().cumsum(-1)
    draws = torch.cat([torch.rand(1, dtype=torch.float64, generator=g) for g in generators])
    aim = draws.to(logits.device).unsqueeze(-1) * cumulated[:, -1:]
    index = (cumulated <= aim).sum(-1, keepdim=True).clamp_max(cumulated.shape[-1] - 1)
    return (index if order is None else order.gather(-1, index)).squeeze(-1)


def _require(fine: bool, what: str, allowed: str) -> None:
    if not fine:
        raise InputError(f"The {what} cannot be used", "It is out of range.", f"Give {allowed}.")
