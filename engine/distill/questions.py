"""Questions to sample responses to, and others to judge heads on; drawn from what the model's kind offers."""

from __future__ import annotations

import random

from engine.distill.model_kind import kind_of
from engine.errors import InputError
from engine.model.language_model import LanguageModel

EVALUATION_SEED = 7
"""Draws the questions of every comparison (Lab, benchmarks): all figures are of the same questions."""


def questions(model: LanguageModel, count: int, seed: int) -> list[str]:
    """Questions to sample responses to.

    Args:
        model: the model, whose kind offers them.
        count: how many; different ones while there are so many, then repetitions.
        seed: of the draw.
    """
    pool = kind_of(model).training_questions()
    rng = random.Random(f"questions {seed}")
    found: list[str] = []
    while len(found) < count:
        found += rng.sample(pool, min(len(pool), count - len(found)))
    return found


def evaluation_questions(model: LanguageModel, count: int, seed: int = EVALUATION_SEED) -> list[str]:
    """Questions that no distillation asks; for Pocket, on other topics.

    Args:
        model: the model, whose kind offers them.
        count: how many.
        seed: of the draw.

    Raises:
        InputError: when there are not so many, or none are asked for.
    """
    pool = kind_of(model).evaluation_questions()
    if not 1 <= count <= len(pool):
        raise InputError(
            "The questions cannot be chosen",
            f"There are {len(pool)} to evaluate this model on, not {count}.",
            f"Ask for 1 to {len(pool)}, or bring your own in a file.",
        )
    return random.Random(f"evaluation {seed}").sample(pool, count)
