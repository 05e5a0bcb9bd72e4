"""The instant fit: all blocks in one forward, each on what the heads before it have made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.distill.methods import Method, Moment
from engine.distill.teacher import Rows, run, tapped
from engine.events import Cancel, Meter
from engine.heads.head import BlockHead
from engine.heads.mix import Mix, MixBlock, floor_of
from engine.heads.steering import Steering, steer
from engine.model.language_model import LanguageModel

# Strengths at which a fitted head is tried. A ridge shrinks and a gate regresses to the mean, so the closed
# form does too little rather than too much; one block alone has to carry what all of them would.
_TRIED = (1.0, 1.15, 1.3, 1.5, 1.75, 2.0, 2.5, 3.0)
_TRIED_ON = 12  # responses


@dataclass(frozen=True, eq=False)
class ClosedForm:
    """The blocks' parts; r2 per gated block; loss: mean NLL (nats) of the responses under the new head."""

    parts: dict[int, BlockHead]
    r2: dict[int, float]
    loss: float


@torch.inference_mode()
def fit(
    model: LanguageModel,
    rows: Rows,
    targets: Sequence[Tensor],
    weights: Tensor,
    method: Method,
    blocks: Sequence[int],
    rank: int,
    *,
    cancel: Cancel,
    meter: Meter | None = None,
) -> ClosedForm:
    """Fits `method` on the given blocks.

    targets: per block the prompted states [M, d] of the R positions; weights [M]: how much the prompt changes
    the token after each of them (KL in nats). METHOD.md section 6: because each block sees what the earlier
    heads did, this is the paper's local Delta, at the cost of one forward over the responses. Then the
    head's strength 1 is set, for methods that want it, to where the responses are likeliest.
    """
    parts: dict[int, BlockHead] = {}
    r2: dict[int, float] = {}
    groups = rows.groups

    def solve(index: int, hidden: Tensor) -> Tensor | None:
        cancel.check()
        if index not in blocks:
            return None
        here = rows.at_response(hidden)
        solution = method.solve(Moment(targets[index] - here, here, groups, weights), rank)
        parts[index] = solution.part
        if solution.r2 is not None:
            r2[index] = solution.r2
        if meter is not None:
            meter.step()
        return steer(hidden, tensors(solution.part, method, model), rows.steered.unsqueeze(-1))[0]

    with tapped(model, solve):
        logits = run(model, rows)
    if not method.calibrated:
        return ClosedForm(parts, r2, float(response_loss(logits, rows)))
    strength, loss = _likeliest(model, rows, parts, method, cancel)
    scaled = {i: BlockHead(part.w * strength, part.b * strength, part.z) for i, part in parts.items()}
    return ClosedForm(scaled, r2, loss)


def response_loss(logits: Tensor, rows: Rows) -> Tensor:
    """Mean NLL per response token, its end included (the paper's LL objective)."""
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), rows.labels.flatten())


def tensors(part: BlockHead, method: Method, model: LanguageModel) -> MixBlock:
    """One block's arrays as the tensors that steer, on the model's device."""
    w, b, z = (torch.from_numpy(array).to(model.device) for array in (part.w, part.b, part.z))
    return MixBlock(w, b, z, torch.full((part.rank,), floor_of(method.gate), device=model.device))


def _likeliest(
    model: LanguageModel, rows: Rows, parts: dict[int, BlockHead], method: Method, cancel: Cancel
) -> tuple[float, float]:
    """The strength at which some of the responses are likeliest, and their loss there.

    Walks up the tried strengths until the loss rises: it has one minimum.
    """
    few = rows.select(torch.arange(min(_TRIED_ON, rows.ids.shape[0]), device=rows.ids.device))
    rank = next(iter(parts.values())).rank
    mix = Mix.of_tensors({i: tensors(part, method, model) for i, part in parts.items()}, [rank])
    best = (float("inf"), 1.0)
    with Steering(model, mix) as steering:
        for strength in _TRIED:
            cancel.check()
            steering.strengths = few.steered.unsqueeze(-1) * strength
            loss = float(response_loss(run(model, few), few))
            if loss >= best[0]:
                break
            best = (loss, strength)
    return best[1], best[0]
