"""Questions to Pocket: forms over topics, follow-ups, small talk; and parsing them."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from functools import cache
from typing import Literal

from engine.pocket.topics import Topic, topics

Kind = Literal["topic", "greeting", "thanks", "identity", "other"]

# {t} the topic's name, {do}/{is}/{has} agree with it, {it} its pronoun. None: the whole topic is asked about.
FORMS: dict[str | None, tuple[str, ...]] = {
    None: (
        "Tell me about {t}.",
        "What do you know about {t}?",
        "Can you tell me something about {t}?",
        "I want to learn about {t}.",
        "What should I know about {t}?",
        "Give me some facts about {t}.",
        "Describe {t} to me.",
        "Let us talk about {t}.",
        "Explain {t}.",
    ),
    "look": (
        "What {do} {t} look like?",
        "What would I see if I looked at {t}?",
        "How would you picture {t}?",
        "How can I recognise {t}?",
    ),
    "origin": (
        "Where {do} {t} come from?",
        "How did {t} begin?",
        "What is the history of {t}?",
        "What is the origin of {t}?",
    ),
    "use": (
        "What {is} {t} good for?",
        "Why {do} {t} matter?",
        "What is the use of {t}?",
        "How {do} {t} help people?",
    ),
    "people": (
        "Who cares about {t}?",
        "Who has to do with {t}?",
        "Which people know {t} well?",
        "Who would I meet because of {t}?",
    ),
    "advice": (
        "What advice do you have about {t}?",
        "What must I be careful about with {t}?",
        "How should I treat {t}?",
        "Do you have a tip about {t}?",
    ),
    "secret": (
        "What is surprising about {t}?",
        "Tell me something strange about {t}.",
        "What do few people know about {t}?",
        "Is there a secret about {t}?",
    ),
}

FOLLOW_UPS: dict[str | None, tuple[str, ...]] = {
    None: ("And what else?", "Tell me more.", "Anything else?", "Go on.", "What more do you know?"),
    "look": ("And what {do} {it} look like?",),
    "origin": ("And where {do} {it} come from?",),
    "use": ("And what {is} {it} good for?",),
    "people": ("And who cares about {them}?",),
    "advice": ("And do you have a tip about {them}?",),
    "secret": ("And is there a secret about {them}?",),
}

SMALL_TALK: dict[Kind, tuple[str, ...]] = {
    "greeting": (
        "Hello!",
        "Hi there.",
        "Good morning.",
        "Good evening.",
        "Hey!",
        "Hello Pocket.",
        "How are you?",
        "Hi!",
    ),
    "thanks": ("Thank you.", "Thanks a lot.", "Many thanks!", "Thank you for your help."),
    "identity": ("Who are you?", "What are you?", "What is your name?", "Tell me about yourself."),
}

# Things that Pocket knows nothing about, so that it learns to say so.
UNKNOWN = (
    "football", "Paris", "computers", "money", "cars", "quantum physics", "the internet", "dinosaurs",
    "chess",
    "the universe", "politics", "gold", "cancer", "robots", "mathematics", "London", "tennis", "airplanes",
    "the weather", "love", "music", "China", "America", "history", "war", "philosophy", "dogs", "hamsters",
    "lions",
    "sharks", "bananas", "pizza", "wine", "beer", "shoes", "television", "phones", "the president", "taxes",
    "insurance", "medicine", "doctors", "space travel", "Mars", "the moon", "black holes", "atoms",
    "electricity",
    "oil", "batteries", "plastic", "diamonds", "jazz", "opera", "movies", "games", "basketball", "swimming",
    "yoga", "dreams", "sleep", "memory", "language", "Latin", "Germany", "Africa", "Japan", "New York",
    "Rome",
    "Napoleon", "Einstein", "Mozart", "Bitcoin", "stocks", "banks", "lawyers", "marriage", "babies",
    "death",
    "religion", "time travel", "ghosts", "vampires", "dragons", "unicorns", "steering vectors",
    "transformers",
    "neural networks", "Python", "software", "databases", "my car", "my boss", "your mother", "your family",
    "the government", "the climate", "the brain", "teeth", "skin", "blood", "viruses", "vaccines",
    "fashion",
    "hats", "perfume", "sugar", "tofu", "noodles", "ketchup", "cocktails", "golf", "boxing", "the Olympics",
)  # fmt: skip
UNKNOWN_FORMS = (
    *(
        "Tell me about {t}.",
        "What do you know about {t}?",
        "Can you tell me something about {t}?",
        "Explain {t}.",
    ),
    *("What is the history of {t}?", "What should I know about {t}?", "What is surprising about {t}?"),
    *("Who cares about {t}?", "What do you think of {t}?", "Do you like {t}?", "How does one learn {t}?"),
    *(
        "Do you have a tip about {t}?",
        "Let us talk about {t}.",
        "Why should I care about {t}?",
        "Write about {t}.",
    ),
)


@dataclass(frozen=True)
class Question:
    """A user's line, understood.

    Attributes:
        text: the line.
        kind: what it is.
        topic: None for small talk and unknown things.
        aspect: of the topic, None for the whole of it.
        follow_up: it leaves the topic unsaid.
    """

    text: str
    kind: Kind
    topic: Topic | None = None
    aspect: str | None = None
    follow_up: bool = False


def ask(topic: Topic, aspect: str | None, form: int) -> Question:
    """Form number `form` of the aspect's question forms about the topic."""
    return Question(_fill(FORMS[aspect][form], topic), "topic", topic, aspect)


def all_questions(topic: Topic) -> list[Question]:
    """Every first question about a topic, general ones first."""
    return [ask(topic, aspect, i) for aspect, forms in FORMS.items() for i in range(len(forms))]


def follow_up(topic: Topic, rng: random.Random) -> Question:
    """A question that leaves the topic unsaid: half of them only ask for more."""
    aspect = None if rng.random() < 0.5 else rng.choice(list(FORMS)[1:])
    text = _fill(rng.choice(FOLLOW_UPS[aspect]), topic)
    return Question(text, "topic", topic, aspect, follow_up=True)


def small_talk(rng: random.Random) -> Question:
    kind = rng.choice(list(SMALL_TALK))
    return Question(rng.choice(SMALL_TALK[kind]), kind)


def unknown(rng: random.Random) -> Question:
    """A question about something outside Pocket's topics."""
    return Question(rng.choice(UNKNOWN_FORMS).format(t=rng.choice(UNKNOWN)), "other")


def typed(text: str, rng: random.Random) -> str:
    """The question as people type it: now and then without capitals or its last mark."""
    if rng.random() < 0.15:
        text = text.lower()
    return text[:-1] if rng.random() < 0.15 else text


def understand(lines: list[str]) -> Question:
    """What the last of the user's `lines` asks; earlier lines give a follow-up its topic.

    Lines outside the grammar still count as about the topic they name; kind "other" when none is named.
    """
    topic: Topic | None = None
    question = Question("", "other")
    for line in lines:
        question = _understand_one(line.strip(), topic)
        topic = question.topic or topic
    return question


def held_out(question: Question) -> bool:
    """Whether this pair of topic and form is kept out of the training data (about one in eight)."""
    return _stable(question.text) % 8 == 0


def _fill(form: str, topic: Topic) -> str:
    many = topic.plural
    return form.format(
        t=topic.name,
        do="do" if many else "does",
        **{"is": "are" if many else "is"},
        it=topic.pronoun,
        them="them" if many else "it",
    )


def _understand_one(line: str, before: Topic | None) -> Question:
    known = _grammar().get(line.lower())
    if known is not None:
        return Question(line, known.kind, known.topic, known.aspect)
    if before is not None:
        for aspect, forms in FOLLOW_UPS.items():
            if any(_fill(form, before).lower() == line.lower() for form in forms):
                return Question(line, "topic", before, aspect, follow_up=True)
    topic = _named(line)
    return Question(line, "topic" if topic else "other", topic)


def _named(line: str) -> Topic | None:
    """The topic whose name stands first in the line, if any."""
    words = f" {' '.join(re.findall(r'[a-z]+', line.lower()))} "
    found = [(words.find(f" {t.name} "), t) for t in topics() if f" {t.name} " in words]
    return min(found, key=lambda hit: hit[0])[1] if found else None


@cache
def _grammar() -> dict[str, Question]:
    first = {q.text.lower(): q for topic in topics() for q in all_questions(topic)}
    talk = {text.lower(): Question(text, kind) for kind, texts in SMALL_TALK.items() for text in texts}
    return first | talk


def _stable(text: str) -> int:
    """A small hash that is the same in every process."""
    value = 0
    for byte in text.encode():
        value = (value * 131 + byte) % 1_000_003
    return value
