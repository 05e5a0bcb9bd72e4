"""Iso-KL: the strength at which steering changes the next-token distributions by a given amount."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import exp, log, sqrt

from torch import Tensor

LIMIT_NATS = 1.0
SHARE = 0.95  # of the tokens change by less than the limit

_FLAT = 0.1  # a power law with a smaller exponent never gets to the limit
_MARGIN = 0.05  # of a bracket's width in log strength: no guess is taken nearer to its ends
_LEAST_KL = 1e-6  # nats; zero has no logarithm


@dataclass(frozen=True)
class IsoKL:
    """The result of a search.

    Attributes:
        strength: the strength found.
        kl: the 95th percentile of the KL per token measured there, in nats.
        reached: whether `kl` is the limit; if not, `strength` is the end of the range that comes nearest.
    """

    strength: float
    kl: float
    reached: bool


def percentile(kl: Tensor) -> float:
    """The 95th percentile over tokens.

    Args:
        kl: KL per token, [M], in nats.
    """
    return float(kl.float().quantile(SHARE))


def find_strength(
    kl_at: Callable[[float], float],
    *,
    limit: float = LIMIT_NATS,
    known: Mapping[float, float] | None = None,
    lowest: float = 0.0,
    highest: float = 64.0,
    evaluations: int = 16,
    tolerance: float = 0.05,
) -> IsoKL:
    """The strength at which the percentile of the KL is `limit` (engine/README.md, Eq. 17).

    Each next strength is taken from a power law through the two points nearest to the limit, KL being about
    quadratic in a small change; once the limit lies between two points, never from outside of them.

    Args:
        kl_at: measures the 95th percentile of KL(steered || unsteered) at a strength, in nats.
        limit: the KL that is looked for, in nats.
        known: strengths measured already, with their KL.
        lowest: the least strength that is an answer.
        highest: the greatest one.
        evaluations: how many points may be known in the end. With few of them the answer is where the power
            law reaches the limit, not a point that was measured.
        tolerance: relative distance to `limit` at which a measured point is the answer.

    Returns:
        The strength; `reached` is False where the KL stays below `limit` up to `highest`, or is above it at
        `lowest`.
    """

    def clamped(strength: float) -> float:
        return min(highest, max(lowest, strength))

    found = dict(known or {})
    if not found:
        start = clamped(1.0)
        found[start] = kl_at(start)
    while len(found) < evaluations:
        best = min(found, key=lambda strength: abs(found[strength] - limit))
        if abs(found[best] - limit) <= tolerance * limit:
            return IsoKL(clamped(best), found[best], True)
        strength = _within(found, limit, clamped(predicted_strength(found, limit)))
        if strength in found:
            break
        found[strength] = kl_at(strength)
    strength = clamped(predicted_strength(found, limit))
    nearest = min(found, key=lambda tried: abs(tried - strength))
    return IsoKL(strength, found[nearest], min(found.values()) <= limit <= max(found.values()))


def predicted_strength(found: Mapping[float, float], limit: float) -> float:
    """Where a power law through the two points nearest to the limit reaches it.

    Args:
        found: strengths above 0 with their KL in nats; through a single one goes the square.
        limit: in nats.

    Returns:
        The strength; that of the nearest point where the KL hardly grows with the strength.
    """
    logs = {strength: log(max(kl, _LEAST_KL) / limit) for strength, kl in found.items()}
    near = sorted(logs, key=lambda strength: abs(logs[strength]))[:2]
    power = 2.0
    if len(near) == 2:
        power = (logs[near[0]] - logs[near[1]]) / log(near[0] / near[1])
    if power < _FLAT:
        return near[0]
    return near[0] * exp(-logs[near[0]] / power)


def _within(found: Mapping[float, float], limit: float, strength: float) -> float:
    """The strength itself, or the middle of the limit's bracket where it is not well inside of that."""
    low = max((s for s, kl in found.items() if kl < limit), default=None)
    high = min((s for s, kl in found.items() if kl >= limit), default=None)
    if low is None or high is None or low >= high:
        return strength
    margin = (high / low) ** _MARGIN
    return strength if low * margin <= strength <= high / margin else sqrt(low * high)
