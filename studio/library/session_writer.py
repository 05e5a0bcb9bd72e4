"""The workspace as records of the library; studio.library.session_reader is the way back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from engine.library.records import COMPARISON, Page, SessionRecord, TurnRecord
from studio.library.session_format import PLAIN, turn_record
from studio.state.compare_columns import Comparison
from studio.state.compare_round import CompareRound
from studio.state.conversation import Turn
from studio.state.workspace import Workspace

Signature = tuple[Any, ...]


@dataclass(frozen=True)
class Snapshot:
    """All that one save needs, taken on the GUI thread and never changed after.

    order: keys of all turns of the conversation; changed: those that are to be written; beside: the round of
    the Compare page, and those that are kept no longer; traces: by (turn, lane), of answers that are over;
    heads: (head, listed, name) of the mixer, "" where no name was given, and of the answers, None.
    """

    session: SessionRecord
    order: tuple[str, ...] = ()
    changed: tuple[TurnRecord, ...] = ()
    beside: tuple[Page, ...] = ()
    traces: Mapping[tuple[str, str], Any] = field(default_factory=dict)
    heads: tuple[tuple[Any, bool, str | None], ...] = ()


def take(
    workspace: Workspace, known: Mapping[str, Signature], clean: bool = False, gone: Iterable[str] = ()
) -> Snapshot:
    """The workspace now; turns whose signature is in `known` are not taken again; gone: rounds, by key, that
    are kept no longer."""
    at = workspace.round
    columns = at.turns if at else ()
    changed = [t for t in (*workspace.turns, *columns) if known.get(t.key) != signature(t)]
    over = [answer for turn in changed for answer in turn.answers if answer.over and answer.trace is not None]
    heads: list[tuple[Any, bool, str | None]] = [
        (c.head, not c.slot.draft, c.title) for c in workspace.channels
    ]
    heads += [(head, False, None) for answer in over for head in getattr(answer.said, "heads", ())]
    records = {turn.key: turn_record(turn) for turn in changed}

    def parts(turns: tuple[Turn, ...]) -> tuple[tuple[str, ...], tuple[TurnRecord, ...]]:
        order = tuple(turn.key for turn in turns)
        return order, tuple(records[key] for key in order if key in records)

    shown = [Page(at.key, *parts(columns), COMPARISON, facts_of(at))] if at else []
    return Snapshot(
        SessionRecord(workspace.conversation, _state(workspace), clean),
        *parts(workspace.turns),
        (*shown, *map(Page, gone)),
        {(answer.turn.key, answer.lane): answer.trace for answer in over},
        tuple(heads),
    )


def signature(turn: Turn) -> Signature:
    """Differs whenever the library's record of the turn would."""
    return (turn.question, *((a.lane, a.state, a.text, a.edited) for a in turn.answers))


def _state(workspace: Workspace) -> dict[str, Any]:
    keys = [c.key for c in workspace.channels]
    return {
        **{name: getattr(workspace, name) for name in PLAIN},
        "touched": workspace.has_edits,
        "chosen": keys.index(workspace.selected_key) if workspace.selected_key in keys else None,
        "settings": asdict(workspace.settings),
        "fit_options": asdict(workspace.fit_options),
        "channels": [
            {
                "digest": c.digest,
                "strength": c.strength,
                "enabled": c.enabled,
                "solo": c.solo,
                "blocks": c.blocks,
                "title": c.title,
                "accepted": c.accepted,
                "draft": c.slot.draft,
            }
            for c in workspace.channels
        ],
        "presets": [asdict(preset) for preset in workspace.presets],
        "comparison": kept(workspace.comparison, keys),
        "round": workspace.round.key if workspace.round else None,
    }


def facts_of(at: CompareRound) -> dict[str, Any]:
    """As JSON values, what must be known of a round beside its turns; those are named by their keys, so that
    one that cannot be read later costs no other its name."""
    keys = [turn.key for turn in at.turns]
    return {
        "columns": {key: [name, made] for key, name, made in zip(keys, at.names, at.made, strict=True)},
        "methods": dict(at.methods),
        "blind": at.blind,
        "choice": None if at.choice is None else keys[at.choice],
    }


def kept(comparison: Comparison, keys: Sequence[int]) -> dict[str, Any]:
    """As JSON values; a head is named by its place among `keys`, for keys end with the run."""
    columns = [
        {"kind": c.kind, "row": keys.index(c.key) if c.key in keys else None, "strength": c.strength}
        for c in comparison.columns
    ]
    return {"blind": comparison.blind, "columns": columns}
