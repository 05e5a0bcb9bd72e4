"""One pass over responses under a head: their likelihood, and the distance to the prompted states."""

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
    """What one pass gave at the first m learned positions.

    Attributes:
        states: the trunk's output, [m, d].
        errors: per block |states - prompted|^2, [m].
        applied: per steered block the coefficients, [m, K].
    """

    states: Tensor
    errors: list[Tensor]
    applied: dict[int, Tensor]

    def means(self, count: int) -> dict[str, list[float]]:
        """The mean coefficients, for formats that hold constants alone (engine.heads.formats).

        Args:
            count: how many positions, from the first.

        Returns:
            Per block, its number as text, one value per direction.
        """
        return {
            str(block): [round(value, 6) for value in applied[:count].mean(0).tolist()]
            for block, applied in self.applied.items()
        }


def loss(model: LanguageModel, data: TrainingData, reading: SteeredPass, count: int) -> float:
    """The weighted NLL of the responses in a pass (engine/README.md, Eq. 10), in nats per token.

    Weighted, since on tokens that the prompt leaves alone any strength costs a little, and there are many of
    them.

    Args:
        model: the model.
        data: the responses.
        reading: the pass.
        count: how many positions, from the first.
    """
    labels = data.labels[:count]
    nll = losses(model, reading.states[:count], labels)
    counted = data.weights[:count] * (labels >= 0)
    return float((nll * counted).sum() / counted.sum().clamp_min(1e-9))


@torch.inference_mode()
def steered_pass(
    model: LanguageModel, data: TrainingData, sample: BatchSlice, mix: Mix, strength: float
) -> SteeredPass:
    """Runs the sample's responses under a mix at one strength.

    Args:
        model: the model.
        data: the responses, for their prompted states.
        sample: which of them are run.
        mix: the head.
        strength: of all of its columns.
    """
    errors: list[Tensor] = []

    def compare(block: int, hidden: Tensor) -> None:
        errors.append(squares(sample.rows.at(hidden), data.targets[block][: sample.count]))

    with Steering(model, mix) as steering, output_hooks(model, compare):
        steering.strengths = sample.marks * strength
        states = run(model, sample.rows, sample.prefix)
        applied = [sample.rows.at(coefficients) for coefficients in steering.coefficients()]
    return SteeredPass(states, errors, dict(zip(mix.blocks, applied, strict=True)))
