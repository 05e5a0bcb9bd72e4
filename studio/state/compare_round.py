"""A round of the Compare page: one question's answers side by side, and how the library keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import uuid4

from studio.state.conversation import Answer, Turn

LETTERS = "ABCD"


@dataclass(frozen=True)
class CompareRound:
    """One question's answers, each of a turn of its own, in the order that they are shown.

    names, made: who spoke in each column, and how that was made, "" for a mix, whose strengths move while it
    speaks; methods: titles by the digests of its heads; blind: nobody knows yet who is who; choice: the place
    of the answer that was voted for; key: its name in the library.
    """

    names: tuple[str, ...]
    made: tuple[str, ...]
    answers: tuple[Answer, ...]
    methods: Mapping[str, str]
    blind: bool
    choice: int | None = None
    key: str = field(default_factory=lambda: uuid4().hex)

    @property
    def over(self) -> bool:
        return all(answer.over for answer in self.answers)

    @property
    def judgeable(self) -> bool:
        """Whether a blind vote is open: every answer has words and gets no more."""
        return self.blind and self.over and all(answer.text for answer in self.answers)

    @property
    def question(self) -> str:
        return self.answers[0].turn.question

    @property
    def turns(self) -> tuple[Turn, ...]:
        return tuple(answer.turn for answer in self.answers)
