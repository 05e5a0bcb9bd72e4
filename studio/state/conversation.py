"""The conversation as the window holds it: turns, each with one answer per lane and its trace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Literal, NamedTuple
from uuid import uuid4

from studio.state.color_scale import ColorScale
from studio.state.sampling_settings import SamplingSettings
from studio.widgets.translation import tr

STEERED, UNSTEERED = "steered", "unsteered"
WRITTEN = "written"  # in place of how an answer was made: a person wrote its words
State = Literal["waiting", "running", "eos", "length", "stop", "cancelled", "failed"]


@dataclass(frozen=True)
class Selection:
    """Tokens start..stop (inclusive) of one answer; `cursor` is the end that moves."""

    answer: Answer
    anchor: int
    cursor: int

    @property
    def start(self) -> int:
        return min(self.anchor, self.cursor)

    @property
    def stop(self) -> int:
        return max(self.anchor, self.cursor)


@dataclass(frozen=True)
class AnswerRequest:
    """What else an answer was asked with: a system message, the prompt whose effect was measured beside, the
    ids that it was made to begin with; batch: the same for answers that came together; precision: of the
    model's matrices; place: where the prompt stood. Both are "" where nobody noted it."""

    system: str | None = None
    truth: str | None = None
    opening: tuple[int, ...] = ()
    batch: str = ""
    precision: str = ""
    place: Literal["system", "before"] = "system"


@dataclass(eq=False)
class Answer:
    """One lane's answer.

    trace: engine.generation.trace.Trace, None before the first token and where a person wrote the words;
    said: its engine.generation.lanes.Said, once it is over; asked: None where nobody noted it; edited: a
    person wrote its words; cut: how many of the first messages the model did not read for want of room;
    prompt_tokens, prompt_coefficients: the prompt's length, and per block what was applied at its last token;
    compiled: whether a compiled step said it; scales: those that hold it, by unit, once somebody has asked.
    """

    lane: str
    turn: Turn
    state: State = "waiting"
    trace: Any = None
    text: str = ""
    said: Any = None
    tokens_per_second: float = 0.0
    first_token_seconds: float = 0.0
    asked: AnswerRequest | None = None
    edited: bool = False
    cut: int = 0
    prompt_tokens: int = 0
    prompt_coefficients: tuple[float, ...] = ()
    compiled: bool = False
    scales: Mapping[str, ColorScale] | None = None

    def __len__(self) -> int:
        return 0 if self.trace is None else len(self.trace)

    def __bool__(self) -> bool:
        return True

    @property
    def pieces(self) -> list[str]:
        """The text token by token; in one piece where nothing is known of its tokens."""
        if self.trace is not None:
            return list(self.trace.pieces)
        return [self.text] if self.text else []

    @property
    def over(self) -> bool:
        return self.state not in ("waiting", "running")


class MixEntry(NamedTuple):
    """A head in a mix. digest: of the whole head; blocks: the first and the last that it steered, None for
    all of its own."""

    name: str
    digest: str
    strength: float
    blocks: tuple[int, int] | None = None


def in_blocks(what: str, blocks: tuple[int, int] | None) -> str:
    """What steers, and in which blocks where these are not all of its own."""
    return tr("{0} (blocks {1}–{2})").format(what, *blocks) if blocks else what


@dataclass(frozen=True)
class UsedHead:
    """A head that steered an answer: its strength where it turned, from the first token to the last."""

    name: str
    digest: str
    strengths: tuple[float, ...]
    blocks: tuple[int, int] | None = None

    @property
    def words(self) -> str:
        """Name, blocks where they are not all, and strengths."""
        return f"{self.called} × {self.at}"

    @property
    def at(self) -> str:
        """Its strength, from the first token to the last."""
        return " → ".join(f"{strength:.2f}" for strength in self.strengths)

    @property
    def called(self) -> str:
        return in_blocks(self.name, self.blocks)


@dataclass(eq=False)
class Turn:
    """A question and its answers; `mix`: the heads at the start; `key`: its name in the library; `model`:
    which model answered, see studio.state.requests.ModelFacts."""

    question: str
    settings: SamplingSettings
    mix: tuple[MixEntry, ...] = ()
    answers: list[Answer] = field(default_factory=list)
    key: str = field(default_factory=lambda: uuid4().hex)
    model: str = ""

    def answer(self, lane: str) -> Answer | None:
        return next((a for a in self.answers if a.lane == lane), None)

    def add(self, lane: str) -> Answer:
        answer = Answer(lane, self)
        self.answers.append(answer)
        return answer


def came_together(one: Answer, other: Answer) -> bool:
    """Whether both were made in one batch."""
    asked, with_it = one.asked, other.asked
    return bool(asked and with_it and asked.batch and asked.batch == with_it.batch)


def rewritten(answer: Answer, text: str) -> Turn:
    """The answer's turn with other words in its place: plain text, of which no coefficient is known."""
    turn, place = _twin(answer.turn), answer.turn.answers.index(answer)
    turn.answers[place] = Answer(answer.lane, turn, "eos", text=text, edited=True, cut=answer.cut)
    return turn


def widened(turn: Turn, lane: str) -> Turn:
    """The turn with one more answer, which is yet to come."""
    wider = _twin(turn)
    wider.add(lane)
    return wider


def _twin(turn: Turn) -> Turn:
    """The same turn as another object, so that a step of the history has the one and the other."""
    twin = replace(turn, answers=[])
    twin.answers = [replace(answer, turn=twin) for answer in turn.answers]
    return twin


Told = tuple[Literal["user", "assistant"], str, Any]
"""Role, text, and how an answer was made: a Said, WRITTEN, or None where that is not known."""


def turns_in(messages: int) -> int:
    """How many turns so many of the first messages of a `history` are."""
    return messages // 2


def history(turns: tuple[Turn, ...], lane: str, model: str = "") -> list[Told]:
    """The turns as `lane` lived them; a lane without its own answer takes the first one's words.

    An answer stays steered as it was, but never in the unsteered lane. What another model said is text: its
    tokens and heads are not this one's. What a person wrote is steered by nothing.
    """
    told: list[Told] = []
    for turn in turns:
        answer = turn.answer(lane) or (turn.answers[0] if turn.answers else None)
        if answer is None or not answer.text:
            continue
        said = answer.said if turn.model == model else None
        if said is not None and lane == UNSTEERED:
            said = said.unsteered()
        if answer.edited:
            said = WRITTEN
        told += [("user", turn.question, None), ("assistant", answer.text, said)]
    return told


def used_heads(answer: Answer) -> list[UsedHead]:
    """The heads that steered the answer at any of its tokens."""
    mix, used = answer.turn.mix, None if answer.trace is None else answer.trace.strengths
    if answer.lane != STEERED or answer.edited:
        return []
    if used is None or not len(used) or used.shape[1] != len(mix):  # older turns name only heads that were on
        return [
            UsedHead(each.name, each.digest, (each.strength,), each.blocks) for each in mix if each.strength
        ]
    rows = [
        UsedHead(each.name, each.digest, _turns(own), each.blocks)
        for each, own in zip(mix, used.T, strict=True)
    ]
    return [row for row in rows if any(row.strengths)]


def _turns(strengths: Any) -> tuple[float, ...]:
    """The first, the last, and in between the least and the greatest where they lie beyond both."""
    first, last = float(strengths[0]), float(strengths[-1])
    beyond = [
        i for i in {int(strengths.argmin()), int(strengths.argmax())} if strengths[i] not in (first, last)
    ]
    told = [first, *(float(strengths[i]) for i in sorted(beyond)), last]
    return (*(at for at, after in pairwise(told) if at != after), last)


@dataclass(frozen=True)
class ColumnSource:
    """Who gave an answer that stands beside others: its column's name, and how that was made, in words."""

    name: str
    made: str


def steered_by(answer: Answer) -> str:
    """Every head with its strength and hash, and the system prompt where there was one, for a file."""
    made = [
        f"{each.called} × {' → '.join(f'{at:g}' for at in each.strengths)} ({each.digest})"
        for each in used_heads(answer)
    ]
    if answer.asked is not None and answer.asked.system:
        made.append(f"system prompt “{answer.asked.system}”")
    return ", ".join(made) or "unsteered"
