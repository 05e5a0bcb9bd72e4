"""A head's strength 1, set to where the responses that it was made from are likeliest."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.distill.methods import Method
from engine.distill.teacher import Rows, run
from engine.events import Cancel
from engine.heads.head import BlockHead
from engine.heads.mix import Mix, MixBlock, floor_of
from engine.heads.steering import Steering
from engine.model.language_model import LanguageModel

# A ridge shrinks and a gate regresses to the mean, so a fit does too little rather than too much; one block
# alone has to carry what all of them would.
_TRIED_ON_ALL = (1.0, 1.15, 1.3, 1.5)
_TRIED_ON_ONE = (*_TRIED_ON_ALL, 1.75, 2.0, 2.5, 3.0)
_RESPONSES = 12


@torch.inference_mode()
def calibrate(
    model: LanguageModel,
    rows: Rows,
    weights: Tensor,
    parts: dict[int, BlockHead],
    method: Method,
    cancel: Cancel,
) -> tuple[dict[int, BlockHead], float]:
    """The parts scaled to the best of the tried strengths, and the weighted loss (nats) there.

    Positions count by `weights` [M] (see `token_weights`): on tokens that the prompt leaves alone any
    strength costs a little, and there are many of them. Walks up until the loss rises: it has one minimum.
    """
    few = rows.select(torch.arange(min(_RESPONSES, rows.ids.shape[0]), device=rows.ids.device))
    rank = next(iter(parts.values())).rank
    mix = Mix.of_tensors({i: tensors(part, method, model) for i, part in parts.items()}, [rank])
    best = (float("inf"), 1.0)
    with Steering(model, mix) as steering:
        for strength in _TRIED_ON_ALL if method.every_block else _TRIED_ON_ONE:
            cancel.check()
            steering.strengths = few.steered.unsqueeze(-1) * strength
            loss = weighted_loss(run(model, few), few, rows.spread(weights))
            if loss >= best[0]:
                break
            best = (loss, strength)
    loss, strength = best
    return {i: BlockHead(p.w * strength, p.b * strength, p.z) for i, p in parts.items()}, loss


def weighted_loss(logits: Tensor, rows: Rows, weights: Tensor) -> float:
    """NLL (nats) per response token, each counting by weights [>= N, >= n+1]."""
    losses = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1).float(), rows.labels.flatten(), reduction="none"
    )
    here = weights[: rows.labels.shape[0], : rows.labels.shape[1]]
    counted = (here * (rows.labels >= 0)).flatten()
    return float((losses * counted).sum() / counted.sum().clamp_min(1e-9))


def tensors(part: BlockHead, method: Method, model: LanguageModel) -> MixBlock:
    """One block's arrays as the tensors that steer, on the model's device."""
    w, b, z = (torch.from_numpy(array).to(model.device) for array in (part.w, part.b, part.z))
    return MixBlock(w, b, z, torch.full((part.rank,), floor_of(method.gate), device=model.device))
