"""Questions to sample responses to: about Pocket's topics, or general ones for any other model."""

from __future__ import annotations

import random
from pathlib import Path

from engine.errors import InputError
from engine.model.language_model import LanguageModel
from engine.pocket.question_forms import FORMS, ask
from engine.pocket.topics import Topic, topics

# Distillation never asks about these, so that a head can be judged on what it has not seen.
_EVALUATION_TOPICS = 24


def questions(model: LanguageModel, count: int, seed: int) -> list[str]:
    """`count` different questions while there are so many, then repetitions; the same for the same seed."""
    pool = _pocket_questions(topics()[:-_EVALUATION_TOPICS]) if model.is_pocket else _lines("questions")
    rng = random.Random(f"questions {seed}")
    found: list[str] = []
    while len(found) < count:
        found += rng.sample(pool, min(len(pool), count - len(found)))
    return found


def evaluation_questions(model: LanguageModel, count: int, seed: int) -> list[str]:
    """`count` different questions that no distillation asks: for Pocket, on other topics.

    Raises InputError when there are not so many, or none are asked for.
    """
    pool = (
        _pocket_questions(topics()[-_EVALUATION_TOPICS:])
        if model.is_pocket
        else _lines("evaluation_questions")
    )
    if not 1 <= count <= len(pool):
        raise InputError(
            "The questions cannot be chosen",
            f"There are {len(pool)} to evaluate this model on, not {count}.",
            f"Ask for 1 to {len(pool)}, or bring your own in a file.",
        )
    return random.Random(f"evaluation {seed}").sample(pool, count)


def _pocket_questions(chosen: tuple[Topic, ...]) -> list[str]:
    """Half of them general, half about one aspect."""
    general = [ask(t, None, i).text for t in chosen for i in range(len(FORMS[None]))]
    aspects = [ask(t, a, i).text for t in chosen for a in FORMS if a for i in range(len(FORMS[a]))]
    rng = random.Random("pool")
    return general + rng.sample(aspects, len(general))


def _lines(name: str) -> list[str]:
    return (Path(__file__).parent / f"{name}.txt").read_text(encoding="utf-8").splitlines()
