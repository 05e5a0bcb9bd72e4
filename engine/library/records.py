"""What the library holds, as plain values that may cross threads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Shelf = Literal["conversation", "head", "run"]
COMPARISON = "comparison"  # the kind of conversation whose turns answer one question side by side


@dataclass(frozen=True)
class AnswerRecord:
    """One lane's answer; facts: its figures as JSON values; trace: see engine.library.traces."""

    lane: str
    state: str
    text: str
    facts: dict[str, Any] = field(default_factory=dict)
    trace: bytes | None = None


@dataclass(frozen=True)
class TurnRecord:
    """A question and its answers; facts: sampling and mix as JSON values."""

    key: str
    question: str
    facts: dict[str, Any] = field(default_factory=dict)
    answers: tuple[AnswerRecord, ...] = ()


@dataclass(frozen=True)
class ConversationRecord:
    """A conversation; damaged: the keys of turns that could not be read and are left out; kind: COMPARISON,
    or "" where turn follows turn; facts: what is to be known of it beside its turns, as JSON values."""

    key: str
    title: str
    turns: tuple[TurnRecord, ...] = ()
    damaged: tuple[str, ...] = ()
    kind: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Page:
    """A conversation as it is to be kept: the `order` of all its turns by key, and those that `changed`.
    Without any turn it is no longer kept."""

    key: str
    order: Sequence[str] = ()
    changed: tuple[TurnRecord, ...] = ()
    kind: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SessionRecord:
    """The workspace as it was left. state: JSON values; clean: whether the studio was closed by its user;
    saved: when, in ISO 8601, UTC."""

    conversation: str
    state: dict[str, Any]
    clean: bool
    saved: str = ""


@dataclass(frozen=True)
class LibraryItem:
    """One line of the library's list; about: what it is, in a few words; dates in ISO 8601, UTC; named: a
    person gave the title, which no longer follows the first question; kind: of a conversation or a run."""

    shelf: Shelf
    key: str
    title: str
    about: str
    created: str
    changed: str
    tags: tuple[str, ...] = ()
    named: bool = False
    kind: str = ""
