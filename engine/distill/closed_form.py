"""The instant fit: all blocks in one forward, each on what the heads before it have made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.distill.calibration import calibrate, tensors, weighted_loss
from engine.distill.methods import Method, Moment
from engine.distill.teacher import Rows, run, tapped
from engine.events import Cancel, Meter
from engine.heads.head import BlockHead
from engine.heads.steering import steer
from engine.model.language_model import LanguageModel


@dataclass(frozen=True, eq=False)
class ClosedForm:
    """The blocks' parts; r2 per gated block; loss: weighted NLL (nats) of the responses under the head."""

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

    targets: per block the prompted states [M, d] of the R positions; weights [M]: how much each position
    counts (see `token_weights`). METHOD.md section 6: because each block sees what the earlier heads did,
    this is the paper's local Delta, at the cost of one forward over the responses. Then the head's strength
    1 is set, for methods that want it, to where the responses are likeliest.
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
        part = tensors(solution.part, method, model).on(hidden.device)
        return steer(hidden, part, rows.steered.unsqueeze(-1).to(hidden.device))[0]

    with tapped(model, solve):
        logits = run(model, rows)
    if not method.calibrated:
        return ClosedForm(parts, r2, weighted_loss(logits, rows, rows.spread(weights)))
    scaled, loss = calibrate(model, rows, weights, parts, method, cancel)
    return ClosedForm(scaled, r2, loss)


def response_loss(logits: Tensor, rows: Rows) -> Tensor:
    """Mean NLL per response token, its end included (the paper's LL objective)."""
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), rows.labels.flatten())
