"""The size of a prompt's effect on the next tokens, and how far a head's strength slider should go."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from engine.distill.iso_kl import LIMIT_NATS, find_strength, percentile
from engine.distill.steered_pass import SteeredPass, steered_pass
from engine.distill.token_losses import divergences
from engine.distill.training_data import TrainingData
from engine.events import Cancel, Effect
from engine.heads.mix import Mix
from engine.model.language_model import LanguageModel

# Below this mean KL per token the prompt changes next to nothing, and what is left to learn is noise.
LEAST_NATS = 0.05
_SMALL, _MEDIUM = 0.2, 1.0  # nats, upper ends
_RANGE = (1.0, 4.0)  # of the end of a slider
_EVALUATIONS = 3


def prompt_effect(kl: Tensor) -> Effect:
    """The size of a steering prompt's effect, in nats and in words (engine/README.md, Eq. 14).

    How much the prompt changes, not whether that is what its words ask for.

    Args:
        kl: KL(prompted || unprompted) of the next token, at the prompt's own responses, [M], in nats.
    """
    mean = float(kl.mean())
    if mean < LEAST_NATS:
        return Effect(mean, f"{mean:.3f} nats/token (very small)", False)
    size = "small" if mean < _SMALL else "medium" if mean < _MEDIUM else "large"
    return Effect(mean, f"{mean:.2f} nats/token ({size})", True)


@torch.inference_mode()
def strength_range(
    model: LanguageModel,
    data: TrainingData,
    mix: Mix,
    readings: Mapping[float, SteeredPass],
    cancel: Cancel,
) -> tuple[float, float]:
    """The range of strengths to offer for a head: from 0 to its iso-KL strength (engine/README.md, Eq. 17).

    The limit is 1 nat, or what the prompt itself reaches if that is more: below it the head does less than
    it was made for. Measured on a sixth of the responses.

    Args:
        model: the model.
        data: the responses.
        mix: the head.
        readings: steered passes that were run already, by their strength; at most one more is run.
        cancel: checked before a pass.

    Returns:
        (0, end) with an end from 1 to 4.

    Raises:
        Cancelled: when asked to stop.
    """
    sample = data.first(6, 2)
    plain = data.plain[: sample.count]

    def percentiles(*passes: SteeredPass) -> list[float]:
        states = torch.stack([each.states[: sample.count] for each in passes], 1)
        return [percentile(kl) for kl in divergences(model, states, plain).unbind(1)]

    def kl_at(strength: float) -> float:
        cancel.check()
        return percentiles(steered_pass(model, data, sample, mix, strength))[0]

    ends = sorted({min(readings), max(readings)})
    found = find_strength(
        kl_at,
        limit=max(LIMIT_NATS, percentile(data.divergences[: sample.count])),
        known=dict(zip(ends, percentiles(*(readings[strength] for strength in ends)), strict=True)),
        lowest=_RANGE[0],
        highest=_RANGE[1],
        evaluations=_EVALUATIONS,
    )
    return 0.0, round(found.strength, 2)
