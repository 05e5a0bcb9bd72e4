"""The strength that brings a head to a coherence, or to the KL of 1 nat."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from engine.distill.iso_kl import LIMIT_NATS, IsoKL

_FIRST, _STRONGEST = 1.0, 64.0
_STEPS = 6  # halvings of the bracket
_FINE = (
    0.12  # a bracket this narrow, relative to its end, is halved no more: coherence is not known more finely
)
_ALIKE = 0.02  # a dozen answers tell coherences no nearer to each other apart
_NEAR = 0.08  # further than that from the target a strength is not called matched
_RANGE = (0.0, 0.25, 0.5, 0.75, 1.0)  # of the iso-KL strength: what is tried on the way there


@dataclass(frozen=True)
class Point:
    """One strength tried, on the half of the questions that strengths are chosen on.

    Attributes:
        strength: the strength.
        trait: mean, in [0, 1].
        coherence: mean, in [0, 1].
        missing: answers without a score.
    """

    strength: float
    trait: float
    coherence: float
    missing: int


def search(at: Callable[[float], Point], target: float) -> tuple[float, tuple[Point, ...], bool, str]:
    """The strength at which the coherence is that of the target (engine/README.md, Eq. 18).

    Doubles the strength until the coherence is below the target, then halves the bracket. Of the strengths
    tried that are as coherent as the target (within 0.02) it is the strongest, else the nearest: half a
    head's strength often breaks more of the language than all of it, so that a coherence just below the
    target at strength 1 must not lead to hardly any steering at all. A model that is less coherent than the
    target by itself is matched to itself, which the note says.

    Args:
        at: measures a strength.
        target: the coherence, in [0, 1].

    Returns:
        The strength, all points tried, whether the target was reached, and a note ("" for none).
    """
    low = at(0.0)
    tried = [low]
    note = ""
    if low.coherence < target:
        note = f"unsteered coherence is only {low.coherence:.2f}, so that was matched instead"
        target = low.coherence
    strength = _FIRST
    while True:
        high = at(strength)
        tried.append(high)
        if high.coherence < target or strength >= _STRONGEST:
            break
        low, strength = high, strength * 2
    reached = high.coherence < target
    if not reached:
        note = f"coherence never fell to {target:.2f}, so this is the largest strength tried"
        return strength, tuple(tried), False, note
    for _ in range(_STEPS):
        if high.strength - low.strength <= _FINE * high.strength:
            break
        middle = at((low.strength + high.strength) / 2)
        tried.append(middle)
        low, high = (middle, high) if middle.coherence >= target else (low, middle)
    alike = [point for point in tried if abs(point.coherence - target) <= _ALIKE]
    nearest = min((low, high), key=lambda point: abs(point.coherence - target))
    nearest = max(alike, key=lambda point: point.strength, default=nearest)
    if not note and abs(nearest.coherence - target) > _NEAR:
        note = f"coherence jumps past {target:.2f}; the nearest value is {nearest.coherence:.2f}"
    return nearest.strength, tuple(sorted(tried, key=lambda p: p.strength)), not note, note


def at_iso_kl(at: Callable[[float], Point], iso: IsoKL) -> tuple[float, tuple[Point, ...], bool, str]:
    """What `search` gives, for the iso-KL strength, with the range below it as the points tried.

    Args:
        at: measures a strength.
        iso: the iso-KL strength.
    """
    note = ""
    if not iso.reached:
        note = f"KL never reached {LIMIT_NATS:g} nat, so this is the largest strength tried"
        if iso.kl >= LIMIT_NATS:
            note = f"the prompt alone shifts tokens by {iso.kl:.1f} nats"
    curve = tuple(at(strength) for strength in dict.fromkeys(share * iso.strength for share in _RANGE))
    return iso.strength, curve, iso.reached, note
