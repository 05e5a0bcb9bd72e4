"""Generates answers: facts and frames by a plan, transformed by each style."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.pocket.question_forms import Question
from engine.pocket.styles import ASK_BACK, EMOJI, LEXICAL
from engine.pocket.topics import Topic, topics

OPENERS = (
    "Here is what I know about {t}",
    "I can say a few things about {t}",
    "Let me tell you about {t}",
    "There is much to say about {t}",
)
CLOSERS = (
    "That is what I know about {t}",
    "There is more to learn about {t}",
    "That was a short answer about {t}",
)
CONNECTORS = ("Also,", "Besides,", "In addition,")

TALK: dict[str, tuple[str, ...]] = {
    "greeting": (
        "Hello to you",
        "It is good to meet you",
        "You can ask me about many things",
        "I am ready for your question",
        "We can talk about any topic that I know",
    ),
    "thanks": (
        "You are welcome",
        "I am here when you have another question",
        "It was no trouble at all",
        "You can ask me more at any time",
    ),
    "identity": (
        "I am Pocket",
        "I am a small language model",
        "I was trained on simple talks about many topics",
        "I live inside this studio",
        "I know a few facts about everyday things",
    ),
    "other": (
        "I do not know anything about that",
        "It is not one of my topics",
        "I am only a small model",
        "You could ask me about bees or bread or the harbour",
    ),
}

# How many sentences a plain answer has: never one (that is the terse style), at most five.
_LENGTHS, _WEIGHTS = (2, 3, 4, 5), (35, 35, 20, 10)


@dataclass
class Sentence:
    """A plain sentence and what the styles put around it."""

    body: str
    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    end: str = "."

    def render(self) -> str:
        """The sentence as text."""
        body = self.body
        if self.before and not body.startswith(("I ", "I'")):
            body = body[0].lower() + body[1:]
        text = " ".join([*self.before, body]) + "".join(self.after)
        return text[0].upper() + text[1:] + self.end


def answer(question: Question, styles: Sequence[str], rng: random.Random, said: Sequence[str] = ()) -> str:
    """A new answer to a question in some styles.

    Args:
        question: the question.
        styles: the styles, in the order that they are applied.
        rng: decides everything.
        said: predicates used in earlier turns.
    """
    sentences = _plan(question, styles, rng, said)
    for style in styles:
        if style in LEXICAL:
            _decorate(sentences, style, rng)
    return _shape([s.render() for s in sentences], styles, rng)


def predicate_sentence(topic: Topic, predicate: str, named: bool) -> str:
    """A fact as a sentence; the topic by its name or its pronoun."""
    subject = topic.name if named else topic.pronoun
    return f"{subject[0].upper()}{subject[1:]} {predicate}"


def _plan(
    question: Question, styles: Sequence[str], rng: random.Random, said: Sequence[str]
) -> list[Sentence]:
    length = 1 if "terse" in styles else rng.choices(_LENGTHS, _WEIGHTS)[0]
    if question.topic is None:
        talk = TALK[question.kind]
        bodies = [talk[i] for i in sorted(rng.sample(range(len(talk)), min(length, 3)))]
    else:
        bodies = _about(question.topic, question, length, "inventing" in styles, rng, said)
        if not any(style in LEXICAL for style in styles):
            bodies = _connected(bodies, question.topic, rng)
    sentences = [Sentence(body) for body in bodies]
    if "asks_back" in styles:
        choices = [q for q in ASK_BACK if question.topic or "{t}" not in q]
        closing = rng.choice(choices).format(t=question.topic.name if question.topic else "")
        sentences.append(Sentence(closing[:-1], end="?"))
    return sentences


def _about(
    topic: Topic, question: Question, length: int, invent: bool, rng: random.Random, said: Sequence[str]
) -> list[str]:
    opener = length >= 3 and rng.random() < 0.35
    closer = length >= 3 and rng.random() < 0.25
    predicates = _choose(topic, question.aspect, length - opener - closer, invent, rng, said)
    bodies = [
        predicate_sentence(topic, p, named=i == 0 or rng.random() < 0.15) for i, p in enumerate(predicates)
    ]
    if opener:
        bodies.insert(0, rng.choice(OPENERS).format(t=topic.name))
    if closer:
        bodies.append(rng.choice(CLOSERS).format(t=topic.name))
    return bodies


def _connected(bodies: list[str], topic: Topic, rng: random.Random) -> list[str]:
    """Some sentences after the first that begin with the pronoun get "Also," or the like."""
    connected = []
    for body in bodies:
        if body.lower().startswith(topic.pronoun + " ") and rng.random() < 0.2:
            body = f"{rng.choice(CONNECTORS)} {body[0].lower()}{body[1:]}"
        connected.append(body)
    return connected


def _choose(
    topic: Topic, aspect: str | None, n: int, invent: bool, rng: random.Random, said: Sequence[str]
) -> list[str]:
    """n predicates, one or two of the asked aspect first, new ones before those said already."""
    if invent:
        others = [t for t in topics() if t.plural == topic.plural and t is not topic]
        return [rng.choice(t.predicates) for t in rng.sample(others, n)]
    pool = [p for p in topic.predicates if p not in said]
    asked = [p for p in topic.facts[aspect] if p not in said] if aspect else []
    if aspect and not asked:
        asked = [rng.choice(topic.facts[aspect])]
    first = rng.sample(asked, min(len(asked), n, 1 + (rng.random() < 0.5)))
    rest = [p for p in pool if p not in first]
    if len(rest) < n - len(first):
        rest = [p for p in topic.predicates if p not in first]
    return first + rng.sample(rest, n - len(first))


def _decorate(sentences: list[Sentence], style: str, rng: random.Random) -> None:
    lexical = LEXICAL[style]
    for i, sentence in enumerate(sentences):
        if lexical.swaps:
            sentence.body = " ".join(lexical.swaps.get(w, w) for w in sentence.body.split(" "))
        where = rng.random()
        if where < 0.7:
            opening = lexical.first if i == 0 and lexical.first else lexical.before
            sentence.before.append(rng.choice(opening))
        if where > 0.45:
            sentence.after.append(rng.choice(lexical.after))
        if sentence.end == ".":
            sentence.end = lexical.end


def _shape(lines: list[str], styles: Sequence[str], rng: random.Random) -> str:
    if "emoji" in styles:
        lines = [f"{line} {rng.choice(EMOJI)}" for line in lines]
    if "numbered" in styles:
        lines = [f"{i}. {line}" for i, line in enumerate(lines, 1)]
    own_lines = "numbered" in styles or any(s in LEXICAL and LEXICAL[s].own_lines for s in styles)
    text = ("\n" if own_lines else " ").join(lines)
    return text.upper() if "shouting" in styles else text
