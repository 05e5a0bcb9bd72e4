"""The closed form: all blocks in one forward pass, each fitted on already steered states."""

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
    """A fit without training.

    Attributes:
        head: the calibrated arrays.
        starts: the arrays that training begins from, per block.
        r2: per gated block, see Solution.
    """

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
    """Fits a method on the given blocks (engine/README.md, section 3).

    Args:
        model: the model.
        data: the responses.
        method: the method.
        blocks: the blocks to steer.
        rank: directions per block.
        penalty: of the gates' ridge, None to choose it per block.
        cancel: checked at every block.
        meter: is stepped once per block.

    Raises:
        Cancelled: when asked to stop.
        ModelError: when the model computes values that are not finite.
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
            block_data = BlockData(
                target.float() - here, here, groups.to(here.device), weights.to(here.device), penalty
            )
            solution = method.solve(block_data, rank)
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
