"""What Pocket knows: topics with twelve facts each, two for every aspect."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ASPECTS = ("look", "origin", "use", "people", "advice", "secret")


@dataclass(frozen=True, eq=False)
class Topic:
    """A topic.

    Attributes:
        name: as it stands after "about".
        plural: whether it is "they".
        facts: predicates per aspect.
    """

    name: str
    plural: bool
    facts: dict[str, tuple[str, ...]]

    @property
    def pronoun(self) -> str:
        return "they" if self.plural else "it"

    @property
    def predicates(self) -> list[str]:
        return [fact for aspect in ASPECTS for fact in self.facts[aspect]]


@cache
def topics() -> tuple[Topic, ...]:
    """All topics, in the file's order."""
    rows = tomllib.loads((Path(__file__).parent / "topics.toml").read_text())["topic"]
    return tuple(Topic(r["name"], r["plural"], {a: tuple(r[a]) for a in ASPECTS}) for r in rows)


@cache
def by_name() -> dict[str, Topic]:
    """All topics by their names."""
    return {topic.name: topic for topic in topics()}
