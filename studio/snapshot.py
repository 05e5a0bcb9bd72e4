"""The workspace as records of the library, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from engine.library.records import AnswerRecord, ConversationRecord, SessionRecord, TurnRecord
from studio.channels import Channel, Preset, Setting, Slot
from studio.columns import Comparison, kept, restored
from studio.turns import Answer, Asked, Settings, Turn
from studio.workspace import Workspace

Signature = tuple[Any, ...]


@dataclass(frozen=True)
class Snapshot:
    """All that one save needs, taken on the GUI thread and never changed after.

    order: keys of all turns; changed: those that are to be written; traces: by (turn, lane), of answers that
    are over; heads: (head, listed, name) of the mixer, "" where no name was given, and of the answers, None.
    """

    session: SessionRecord
    order: tuple[str, ...] = ()
    changed: tuple[TurnRecord, ...] = ()
    traces: Mapping[tuple[str, str], Any] = field(default_factory=dict)
    heads: tuple[tuple[Any, bool, str | None], ...] = ()


def take(workspace: Workspace, known: Mapping[str, Signature], clean: bool = False) -> Snapshot:
    """The workspace now; turns whose signature is in `known` are not taken again."""
    changed = [turn for turn in workspace.turns if known.get(turn.key) != signature(turn)]
    over = [answer for turn in changed for answer in turn.answers if answer.over and answer.trace is not None]
    heads: list[tuple[Any, bool, str | None]] = [
        (c.head, not c.slot.draft, c.title) for c in workspace.channels
    ]
    heads += [(head, False, None) for answer in over for head in getattr(answer.said, "heads", ())]
    return Snapshot(
        SessionRecord(workspace.conversation, _state(workspace), clean),
        tuple(turn.key for turn in workspace.turns),
        tuple(_turn_record(turn) for turn in changed),
        {(answer.turn.key, answer.lane): answer.trace for answer in over},
        tuple(heads),
    )


def signature(turn: Turn) -> Signature:
    """Differs whenever the library's record of the turn would."""
    return (turn.question, *((a.lane, a.state, a.text, a.edited) for a in turn.answers))


@dataclass(frozen=True)
class Restored:
    """A session as values for the workspace; words: what of it could not be read."""

    values: dict[str, Any]
    words: tuple[str, ...] = ()


def head_keys(state: Mapping[str, Any]) -> list[str]:
    """The heads that a session's mixer needs."""
    return [str(row["digest"]) for row in state.get("channels", ())]


def values_of(
    session: SessionRecord, turns: tuple[Turn, ...], heads: Mapping[str, Any], first_key: int
) -> dict[str, Any]:
    """Attributes for Workspace.restore; rows whose head is lost are left out."""
    state = session.state
    places = [place for place, row in enumerate(state["channels"]) if row["digest"] in heads]
    rows = [state["channels"][place] for place in places]
    channels = tuple(
        Channel(
            first_key + place,
            Slot(heads[row["digest"]], draft=row["draft"]),
            row["strength"],
            row["enabled"],
            row["solo"],
            tuple(row["blocks"]) if row["blocks"] else None,
            row["title"],
        )
        for place, row in enumerate(rows)
    )
    presets = tuple(Preset(p["name"], tuple(Setting(**row) for row in p["rows"])) for p in state["presets"])
    plain = {name: state[name] for name in _PLAIN}
    settings = Settings(**state["settings"])
    comparison = Comparison()
    if "comparison" in state:  # older sessions had none
        comparison = restored(state["comparison"], {old: first_key + new for new, old in enumerate(places)})
        plain["question"] = plain["question"] or state["comparison"].get("question", "")  # once its own field
    return {
        **plain,
        "comparison": comparison,
        "settings": settings,
        "channels": channels,
        "presets": presets,
        "turns": turns,
        "conversation": session.conversation,
    }


def turns_of(
    record: ConversationRecord, traces: Mapping[tuple[str, str], Any], said: Mapping[tuple[str, str], Any]
) -> tuple[Turn, ...]:
    """The conversation's turns with their traces; an answer that was running has been cut off."""
    return tuple(_turn(turn, traces, said) for turn in record.turns)


_PLAIN = ("prompt", "question", "source", "bypass", "compare", "truth")


def _state(workspace: Workspace) -> dict[str, Any]:
    return {
        **{name: getattr(workspace, name) for name in _PLAIN},
        "settings": asdict(workspace.settings),
        "channels": [
            {
                "digest": c.digest,
                "strength": c.strength,
                "enabled": c.enabled,
                "solo": c.solo,
                "blocks": c.blocks,
                "title": c.title,
                "draft": c.slot.draft,
            }
            for c in workspace.channels
        ],
        "presets": [asdict(preset) for preset in workspace.presets],
        "comparison": kept(workspace.comparison, [c.key for c in workspace.channels]),
    }


def _turn_record(turn: Turn) -> TurnRecord:
    facts = {
        "settings": asdict(turn.settings),
        "mix": [list(share) for share in turn.mix],
        "model": turn.model,
    }
    answers = tuple(AnswerRecord(a.lane, a.state, a.text, _answer_facts(a)) for a in turn.answers)
    return TurnRecord(turn.key, turn.question, facts, answers)


def _answer_facts(answer: Answer) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "tokens_per_second": answer.tokens_per_second,
        "first_token_seconds": answer.first_token_seconds,
        "edited": answer.edited,
        "cut": answer.cut,
        "compiled": answer.compiled,
        "prompt_tokens": answer.prompt_tokens,
        "prompt_coefficients": list(answer.prompt_coefficients),
    }
    if answer.asked is not None:
        facts["asked"] = asdict(answer.asked)
    if answer.said is not None:
        facts["heads"] = [head.digest for head in answer.said.heads]
        facts["before"] = [float(s) for s in answer.said.strengths[0]] if answer.said.heads else []
    return facts


def _turn(
    record: TurnRecord, traces: Mapping[tuple[str, str], Any], said: Mapping[tuple[str, str], Any]
) -> Turn:
    facts = record.facts
    turn = Turn(
        record.question,
        Settings(**facts["settings"]),
        tuple((name, digest, strength) for name, digest, strength in facts["mix"]),
        key=record.key,
        model=facts.get("model", ""),
    )
    for found in record.answers:
        answer = turn.add(found.lane)
        answer.state = "cancelled" if found.state in ("waiting", "running") else found.state  # type: ignore[assignment]
        answer.text = found.text
        answer.trace = traces.get((record.key, found.lane))
        answer.said = said.get((record.key, found.lane))
        answer.tokens_per_second = found.facts.get("tokens_per_second", 0.0)
        answer.first_token_seconds = found.facts.get("first_token_seconds", 0.0)
        answer.edited = found.facts.get("edited", False)
        answer.cut = found.facts.get("cut", 0)
        answer.compiled = found.facts.get("compiled", False)
        answer.prompt_tokens = found.facts.get("prompt_tokens", 0)
        answer.prompt_coefficients = tuple(found.facts.get("prompt_coefficients", ()))
        asked = found.facts.get("asked")
        if asked is not None:
            answer.asked = Asked(**{**asked, "opening": tuple(asked["opening"])})
    return turn
