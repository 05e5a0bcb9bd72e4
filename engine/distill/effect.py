"""What a prompt or a head does to the model: in nats, and in how faithfully it does what the prompt does."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from engine.distill.request import Effect
from engine.distill.teacher import Rows, record, run
from engine.events import Cancel
from engine.heads.mix import Mix
from engine.heads.steering import Steering
from engine.model.language_model import LanguageModel

# Below this mean KL per token the prompt changes next to nothing, and what is left to learn is noise.
_LEAST_NATS = 0.05
_ISO_NATS = 1.0
_ISO_SHARE = 0.95
_STRONGEST = 4.0


def kl_per_token(logits: Tensor, reference: Tensor, rows: Rows) -> Tensor:
    """KL(logits || reference) in nats [M] at the valid R positions of [N, n+1, V]."""
    p = logits[rows.valid].float().log_softmax(-1)
    q = reference[rows.valid].float().log_softmax(-1)
    return (p.exp() * (p - q)).sum(-1)


def token_weights(divergences: Tensor) -> Tensor:
    """How much each token counts in a closed form: sqrt(KL + 0.02 nats), from KL(prompted || unprompted) [M].

    *Ours*, beyond the paper: most of a response's tokens are the same with and without the prompt. Unweighted
    they pull direction, gate and strength towards doing too little on the few that carry the behaviour; by
    the KL itself, towards doing too much everywhere else. The floor keeps teaching the head to do nothing.
    """
    return (divergences.clamp_min(0) + 0.02).sqrt()


def prompt_effect(divergences: Tensor) -> Effect:
    """The verdict on a steering prompt, from KL(prompted || unprompted) [M] at its own responses."""
    kl = float(divergences.mean())
    if kl < _LEAST_NATS:
        return Effect(kl, f"{kl:.3f} nats per token: the prompt changes next to nothing", False)
    size = "a slight" if kl < 0.2 else "a clear" if kl < 1.0 else "a strong"
    return Effect(kl, f"{kl:.2f} nats per token: {size} effect", True)


@torch.inference_mode()
def faithfulness(
    model: LanguageModel, rows: Rows, mix: Mix, base: Sequence[Tensor], targets: Sequence[Tensor]
) -> dict[int, float]:
    """Per block |Delta_head - Delta_PS| / |Delta_PS| over the R positions, accumulated, at strength 1."""
    with Steering(model, mix) as steering:
        steering.strengths = rows.steered.unsqueeze(-1)
        steered, _ = record(model, rows)
    return distances(steered, base, targets)


def distances(
    states: Sequence[Tensor], base: Sequence[Tensor], targets: Sequence[Tensor]
) -> dict[int, float]:
    """Per block |states - targets| / |base - targets|: 0 is the prompt itself, 1 doing nothing."""
    return {
        block: float((state - target).norm() / (plain - target).norm().clamp_min(1e-9))
        for block, (state, plain, target) in enumerate(zip(states, base, targets, strict=True))
    }


@torch.inference_mode()
def strength_range(
    model: LanguageModel, rows: Rows, mix: Mix, plain: Tensor, prompted: Tensor, cancel: Cancel
) -> tuple[float, float]:
    """(0, hi): hi is where the 95th percentile of KL(steered || unsteered) per token reaches the limit.

    The limit is 1 nat (iso-KL, METHOD.md section 5) or what the prompt itself reaches, if that is more:
    below it the head does less than it was made for.
    """
    rows_few = rows.select(torch.arange(min(8, rows.ids.shape[0]), device=rows.ids.device))
    few, wide = rows_few.valid.shape
    plain, prompted = plain[:few, :wide], prompted[:few, :wide]
    limit = max(_ISO_NATS, float(_high(kl_per_token(prompted, plain, rows_few))))
    low, high = 0.0, _STRONGEST
    with Steering(model, mix) as steering:
        for _ in range(6):
            cancel.check()
            middle = (low + high) / 2
            steering.strengths = rows_few.steered.unsqueeze(-1) * middle
            if float(_high(kl_per_token(run(model, rows_few), plain, rows_few))) < limit:
                low = middle
            else:
                high = middle
    return 0.0, round(max(1.0, (low + high) / 2), 2)


def _high(values: Tensor) -> Tensor:
    return values.quantile(_ISO_SHARE)
