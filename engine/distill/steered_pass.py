"""One pass over responses under a head: how likely they are, and how far every block is from the prompt's."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.distill.hooked_forward import output_hooks, run, squares
from engine.distill.token_losses import losses
from engine.distill.training_data import BatchSlice, TrainingData
from engine.heads.mix import Mix
from engine.heads.steering import Steering
from engine.model.language_model import LanguageModel


@dataclass(frozen=True, eq=False)
class SteeredPass:
    """Of the first m learned positions: the trunk's output [m, d], per block |states - prompted|^2 [m], and
    per steered block the coefficients [m, K] that were applied."""

    states: Tensor
    errors: list[Tensor]
    applied: dict[int, Tensor]

    def means(self, count: int) -> dict[str, list[float]]:
        """Per block (as text) the mean coefficient of each of its directions at the first `count` positions.

        What is left of a gate where a format holds constants alone (engine.heads.formats).
        """
        return {
            str(block): [round(value, 6) for value in applied[:count].mean(0).tolist()]
            for block, applied in self.applied.items()
        }


def loss(model: LanguageModel, data: TrainingData, reading: SteeredPass, count: int) -> float:
    """NLL (nats) per token of the first `count` learned positions, each counting by its weight.

    On tokens that the prompt leaves alone any strength costs a little, and there are many of them.
    """
    labels = data.labels[:count]
    nll = losses(model, reading.states[:count], labels)
    counted = data.weights[:count] * (labels >= 0)
    return float((nll * counted).sum() / counted.sum().clamp_min(1e-9))


@torch.inference_mode()
def steered_pass(
    model: LanguageModel, data: TrainingData, sample: BatchSlice, mix: Mix, strength: float
) -> SteeredPass:
    """The sample's responses under the mix, all of it at one strength."""
    errors: list[Tensor] = []

    def compare(block: int, hidden: Tensor) -> None:
        errors.append(squares(sample.rows.at(hidden), data.targets[block][: sample.count]))

    with Steering(model, mix) as steering, output_hooks(model, compare):
        steering.strengths = sample.marks * strength
        states = run(model, sample.rows, sample.prefix)
        applied = [sample.rows.at(coefficients) for coefficients in steering.coefficients()]
    return SteeredPass(states, errors, dict(zip(mix.blocks, applied, strict=True)))
