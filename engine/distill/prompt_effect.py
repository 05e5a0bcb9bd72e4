"""What a prompt or a head does to the model's next tokens, in nats."""

from __future__ import annotations

from collections.abc import Mapping
from math import log

import torch
from torch import Tensor

from engine.distill.request import Effect
from engine.distill.steered_pass import SteeredPass, steered_pass
from engine.distill.token_losses import divergences
from engine.distill.training_data import TrainingData
from engine.events import Cancel
from engine.heads.mix import Mix
from engine.model.language_model import LanguageModel

# Below this mean KL per token the prompt changes next to nothing, and what is left to learn is noise.
_LEAST_NATS = 0.05
_ISO_NATS = 1.0
_ISO_SHARE = 0.95
_STRONGEST = 4.0
_POINTS = 3
_LEAST_POWER = 0.1  # flatter than that it reaches nothing


def prompt_effect(found: Tensor) -> Effect:
    """The verdict on a steering prompt, from KL(prompted || unprompted) [M] at its own responses.

    How much the prompt changes, not whether that is what its words ask for.
    """
    kl = float(found.mean())
    if kl < _LEAST_NATS:
        return Effect(kl, f"{kl:.3f} nats per token: the prompt changes next to nothing", False)
    size = "a slight" if kl < 0.2 else "a clear" if kl < 1.0 else "a strong"
    return Effect(kl, f"{kl:.2f} nats per token: {size} change", True)


@torch.inference_mode()
def strength_range(
    model: LanguageModel,
    data: TrainingData,
    mix: Mix,
    readings: Mapping[float, SteeredPass],
    cancel: Cancel,
) -> tuple[float, float]:
    """(0, hi): hi is where the 95th percentile of KL(steered || unsteered) per token reaches the limit.

    The limit is 1 nat (iso-KL, METHOD.md section 5) or what the prompt itself reaches, if that is more:
    below it the head does less than it was made for. Looked for between 1 and 4, on a sixth of the
    responses, from the least and the greatest strength that a steered pass was run at already, and one pass
    more.
    """
    sample = data.first(6, 2)
    plain = data.plain[: sample.count]
    limit = max(_ISO_NATS, float(_high(data.divergences[: sample.count])))

    def highs(*several: SteeredPass) -> list[float]:
        states = torch.stack([reading.states[: sample.count] for reading in several], 1)
        return [max(1e-6, float(_high(kl))) for kl in divergences(model, states, plain).unbind(1)]

    ends = sorted({min(readings), max(readings)})
    found = dict(zip(ends, highs(*(readings[strength] for strength in ends)), strict=True))
    while len(found) < _POINTS:
        cancel.check()
        strength = reached(found, limit)
        if strength in found:
            break
        [found[strength]] = highs(steered_pass(model, data, sample, mix, strength))
    return 0.0, round(reached(found, limit), 2)


def reached(found: Mapping[float, float], limit: float) -> float:
    """Where a power law through the two points nearest to the limit reaches it, from 1 to 4.

    Through one point alone: the square, which KL is for small changes.
    """
    near = sorted(found, key=lambda strength: abs(log(found[strength] / limit)))[:2]
    power = 2.0
    if len(near) == 2:
        power = log(found[near[0]] / found[near[1]]) / log(near[0] / near[1])
    if power < _LEAST_POWER:
        return min(_STRONGEST, max(1.0, near[0]))
    return min(_STRONGEST, max(1.0, near[0] * (limit / found[near[0]]) ** (1 / power)))


def _high(values: Tensor) -> Tensor:
    return values.quantile(_ISO_SHARE)
