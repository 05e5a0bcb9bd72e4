"""The instant fit: all blocks in one forward, each on what the heads before it have made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.distill.calibration import Calibrated, calibrate, mix_of, tensors
from engine.distill.hooked_forward import finite, output_hooks, run, squares
from engine.distill.methods import BlockData, Method
from engine.distill.steered_pass import SteeredPass, steered_pass
from engine.distill.training_data import TrainingData
from engine.events import Cancel, Meter
from engine.heads.head import BlockHead
from engine.heads.steering import steer
from engine.model.language_model import LanguageModel


@dataclass(frozen=True, eq=False)
class ClosedForm:
    """The head; starts: the parts that training begins from; r2 per gated block."""

    head: Calibrated
    starts: dict[int, BlockHead]
    r2: dict[int, float]


@torch.inference_mode()
def fit(
    model: LanguageModel,
    data: TrainingData,
    method: Method,
    blocks: Sequence[int],
    rank: int,
    *,
    penalty: float | None = None,
    cancel: Cancel,
    meter: Meter | None = None,
) -> ClosedForm:
    """Fits `method` on the given blocks.

    METHOD.md section 6: because each block sees what the earlier heads did, this is the paper's local Delta,
    at the cost of one forward over the responses. Then the head's strength 1 is set, for methods that want
    it, to where the responses are likeliest. penalty: the gates' ridge, None to choose it per block.
    """
    parts: dict[int, BlockHead] = {}
    starts: dict[int, BlockHead] = {}
    r2: dict[int, float] = {}
    errors: list[Tensor] = []
    applied: dict[int, Tensor] = {}
    sample, weights = data.whole, data.weights
    groups = sample.rows.groups

    def solve(index: int, hidden: Tensor) -> Tensor | None:
        cancel.check()
        target = data.targets[index]
        changed = None
        if index in blocks:
            here = finite(sample.rows.at(hidden).float())
            moment = BlockData(
                target.float() - here, here, groups.to(here.device), weights.to(here.device), penalty
            )
            solution = method.solve(moment, rank)
            parts[index] = solution.part
            starts[index] = solution.part if solution.start is None else solution.start
            if solution.r2 is not None:
                r2[index] = solution.r2
            if meter is not None:
                meter.step()
            if method.sequential:
                part = tensors(solution.part, method, model).on(hidden.device)
                changed, coefficients = steer(hidden, part, sample.marks.to(hidden.device))
                applied[index] = sample.rows.at(coefficients)
        errors.append(squares(sample.rows.at(hidden if changed is None else changed), target))
        return changed

    with output_hooks(model, solve):
        states = run(model, sample.rows, sample.prefix)
    if method.sequential:
        reading = SteeredPass(states, errors, applied)
    else:
        reading = steered_pass(model, data, data.first(4, 3), mix_of(parts, method, model), 1.0)
    head = calibrate(model, data, parts, method, reading, cancel)
    return ClosedForm(head, starts if method.finalize else head.parts, r2)
