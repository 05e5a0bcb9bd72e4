"""Training dialogues: a system prompt or none, some turns, every answer in the prompt's styles."""

from __future__ import annotations

import random
from dataclasses import dataclass

from engine.pocket.answer_plans import answer
from engine.pocket.question_forms import FORMS, Question, ask, follow_up, held_out, small_talk, typed, unknown
from engine.pocket.styles import STYLES, compatible
from engine.pocket.topics import Topic, topics
from engine.pocket.wordings import NEUTRAL, combined, roughened, wordings


@dataclass(frozen=True)
class Dialogue:
    """A training dialogue.

    Attributes:
        system: the system message, None without one.
        styles: that it asks for.
        turns: (user, assistant) texts.
    """

    system: str | None
    styles: tuple[str, ...]
    turns: tuple[tuple[str, str], ...]


def dialogue(rng: random.Random) -> Dialogue:
    """One training dialogue. Held-out wordings and questions never occur in it."""
    system, styles = system_prompt(rng)
    turns: list[tuple[str, str]] = []
    topic: Topic | None = None
    said = ""
    for _ in range(rng.choices((1, 2, 3), (62, 30, 8))[0]):
        question = _next_question(topic, "inventing" in styles, rng)
        topic = question.topic or topic
        used = [p for p in question.topic.predicates if p in said.lower()] if question.topic else []
        text = answer(question, styles, rng, used)
        turns.append((typed(question.text, rng), text))
        said += text
    return Dialogue(system, styles, tuple(turns))


def system_prompt(rng: random.Random) -> tuple[str | None, tuple[str, ...]]:
    """A system prompt from the training wordings and the styles that it asks for."""
    kind = rng.random()
    if kind < 0.20:
        return None, ()
    if kind < 0.32:
        return roughened(rng.choice(NEUTRAL), rng), ()
    first = rng.choice(STYLES)
    if kind < 0.80:
        return roughened(rng.choice(wordings(first)), rng), (first,)
    second = rng.choice([s for s in STYLES if compatible(first, s)])
    text = combined(rng.choice(wordings(first)), rng.choice(wordings(second)), rng)
    return roughened(text, rng), (first, second)


def training_question(rng: random.Random) -> Question:
    """A question about a random topic; half of them ask for one aspect. Held-out ones are left out."""
    while True:
        aspect = None if rng.random() < 0.5 else rng.choice(list(FORMS)[1:])
        question = ask(rng.choice(topics()), aspect, rng.randrange(len(FORMS[aspect])))
        if not held_out(question):
            return question


def _next_question(topic: Topic | None, facts_only: bool, rng: random.Random) -> Question:
    if topic is not None and rng.random() < 0.75:
        return follow_up(topic, rng)
    chance = rng.random()
    if not facts_only and chance < 0.15:
        return small_talk(rng) if chance < 0.09 else unknown(rng)
    return training_question(rng)
