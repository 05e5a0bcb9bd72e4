"""How much of a steering prompt's effect a head captures, on questions that no distillation asks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from engine.distill.request import Request
from engine.distill.responses import Sampler
from engine.distill.steered_pass import steered_pass
from engine.distill.token_losses import divergences
from engine.distill.training_data import TrainingData, gather
from engine.events import Cancel
from engine.heads.mix import Mix
from engine.model.language_model import LanguageModel


def captured(model: LanguageModel, data: TrainingData, states: Tensor) -> float:
    """The share of the prompt's effect that a steered run has (engine/README.md, Eq. 15).

        captured = 1 - sum_i KL(prompted_i || steered_i) / sum_i KL(prompted_i || plain_i)

    Args:
        model: the model of the run.
        data: the responses that were run.
        states: the trunk's output of the steered run at their learned positions, [M, d].

    Returns:
        1 for the prompt itself, 0 for doing nothing, below 0 for worse than that.
    """
    left = divergences(model, data.prompted.unsqueeze(1), states)[:, 0].sum()
    return float(1 - left / data.divergences.sum().clamp_min(1e-9))


@torch.inference_mode()
def captured_at_one(model: LanguageModel, data: TrainingData, mix: Mix) -> float:
    """`captured` of a mix at strength 1, on all of the responses."""
    return captured(model, data, steered_pass(model, data, data.whole, mix, 1.0).states)


def unseen_responses(
    model: LanguageModel, request: Request, sampler: Sampler, asked: Sequence[str], cancel: Cancel
) -> TrainingData | None:
    """Responses under the prompt to questions that the distillation never saw, run with and without it.

    They are not filtered: a head has to do what the prompt does, also where that is no good answer.

    Args:
        model: the model.
        request: the distillation.
        sampler: samples them; it records the prompted states of the response alone.
        asked: the questions.
        cancel: stops it between two blocks.

    Returns:
        What `captured` is measured on; None when every response is empty.
    """
    kept, heard = sampler.unfiltered(request.prompt, asked)
    return gather(model, request, kept, heard, cancel) if kept else None
