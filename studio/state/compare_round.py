"""A round of the Compare page: one question's answers side by side, and how the library keeps it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from studio.state.conversation import Answer, Turn, steered_by
from studio.widgets.translation import tr

LETTERS = "ABCD"


@dataclass(frozen=True)
class Round:
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


def facts_of(at: Round) -> dict[str, Any]:
    """As JSON values, what must be known of a round beside its turns; those are named by their keys, so that
    one that cannot be read later costs no other its name."""
    keys = [turn.key for turn in at.turns]
    return {
        "columns": {key: [name, made] for key, name, made in zip(keys, at.names, at.made, strict=True)},
        "methods": dict(at.methods),
        "blind": at.blind,
        "choice": None if at.choice is None else keys[at.choice],
    }


def round_of(key: str, facts: Mapping[str, Any], turns: Sequence[Turn]) -> Round:
    """The way back. Raises one of restoring.DAMAGE."""
    columns = [facts["columns"][turn.key] for turn in turns]
    keys = [turn.key for turn in turns]
    return Round(
        tuple(str(name) for name, _ in columns),
        tuple(str(made) for _, made in columns),
        tuple(turn.answers[0] for turn in turns),
        {str(digest): str(title) for digest, title in facts["methods"].items()},
        bool(facts["blind"]),
        keys.index(facts["choice"]) if facts["choice"] in keys else None,
        key,
    )


def nameless(key: str, facts: Mapping[str, Any], turns: Sequence[Turn]) -> Round:
    """A round whose names cannot be read; blind it stays, if that much can."""
    answers = tuple(turn.answers[0] for turn in turns)
    names = tuple(steered_by(answer) for answer in answers)
    return Round(
        names,
        tuple(tr("its name is lost") for _ in answers),
        answers,
        {},
        bool(facts.get("blind")),
        None,
        key,
    )


def as_markdown(at: Round) -> str:
    """For a file: each answer with its name, heads and seed; of a blind one before the vote, with none."""
    parts = [f"**You:** {at.question}"]
    for place, answer in enumerate(at.answers):
        how = [
            at.names[place],
            steered_by(answer),
            f"seed {answer.turn.settings.seed}",
            *(["the vote"] if at.choice == place else []),
        ]
        who = f"Answer {LETTERS[place]}" if at.blind else "; ".join(word for word in how if word)
        parts.append(f"**{who}:** {answer.text}")
    return "\n\n".join(parts) + "\n"
