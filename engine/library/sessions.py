"""The session as it is: saved in one step, given back whole at the next start."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from engine.decoding import from_json
from engine.library.records import AnswerRecord, ConversationRecord, Page, SessionRecord, TurnRecord
from engine.library.store import LibraryStore, now
from engine.text import encodable

TITLE = 60  # characters of the first question that name a conversation


def save_session(
    store: LibraryStore,
    session: SessionRecord,
    order: Sequence[str] = (),
    changed: Iterable[TurnRecord] = (),
    beside: Iterable[Page] = (),
) -> list[str]:
    """Writes the session, its conversation's `changed` turns, the `order` of all its turns by key, and the
    pages `beside` it.

    Turns that an order does not name are gone from their conversation. When this returns, all of it survives
    `kill -9` and a power cut. Raises LibraryError; then nothing of it is written. A turn that cannot be
    stored stops no other: the keys of such turns are returned.
    """
    moment, unstored = now(), list[str]()
    with store.writing() as db:
        for page in (Page(session.conversation, order, tuple(changed)), *beside):
            unstored += _save_page(db, page, moment)
        db.execute(
            "INSERT INTO session VALUES (1, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET conversation = "
            "excluded.conversation, state = excluded.state, clean = excluded.clean, saved = excluded.saved",
            (session.conversation, _text(session.state), session.clean, moment),
        )
    return unstored


def last_session(store: LibraryStore) -> SessionRecord | None:
    """The session as it was saved last; None at the first start. Of a damaged record the state is empty."""
    with store.reading() as db:
        row = db.execute("SELECT conversation, state, clean, saved FROM session").fetchone()
    return SessionRecord(row[0], _values(row[1]) or {}, bool(row[2]), row[3]) if row else None


def conversation(store: LibraryStore, key: str) -> ConversationRecord | None:
    """The conversation with all turns that can be read; None where there is none of that key."""
    with store.reading() as db:
        found = db.execute("SELECT title, kind, facts FROM conversation WHERE key = ?", (key,)).fetchone()
        rows = db.execute(
            "SELECT key, question, facts FROM turn WHERE conversation = ? ORDER BY place", (key,)
        ).fetchall()
        answers = {turn: _answers(db, turn) for turn, _, _ in rows}
    if found is None:
        return None
    turns: list[TurnRecord] = []
    damaged: list[str] = []
    for turn, question, facts in rows:
        values = _values(facts)
        if values is None or answers[turn] is None or not isinstance(question, str):
            damaged.append(turn)  # one bad record never hides the rest
        else:
            turns.append(TurnRecord(turn, question, values, answers[turn] or ()))
    title, kind, text = found
    return ConversationRecord(key, title, tuple(turns), tuple(damaged), kind, _values(text) or {})


def raw_turn(store: LibraryStore, key: str) -> dict[str, Any]:
    """What lies in the library of a turn and its answers, unread; of a trace only how long it is."""
    with store.reading() as db:
        return {
            "turn": _rows(db, "SELECT * FROM turn WHERE key = ?", key),
            "answers": _rows(
                db,
                "SELECT lane, place, state, text, facts, length(trace) AS trace_bytes FROM answer "
                "WHERE turn = ? ORDER BY place",
                key,
            ),
        }


def raw_session(store: LibraryStore) -> bytes:
    """The session's state as it lies in the library, byte by byte; none at the first start."""
    with store.reading() as db:
        row = db.execute("SELECT CAST(state AS BLOB) FROM session").fetchone()
    return bytes(row[0]) if row else b""


def _rows(db: sqlite3.Connection, query: str, key: str) -> list[dict[str, Any]]:
    found = db.execute(query, (key,))
    names = [column[0] for column in found.description]
    return [dict(zip(names, row)) for row in found]


def _save_page(db: sqlite3.Connection, page: Page, moment: str) -> list[str]:
    """The keys of turns that cannot be stored."""
    key, order, changed, facts = page.key, page.order, page.changed, _text(page.facts)
    kept = [
        row[0] for row in db.execute("SELECT key FROM turn WHERE conversation = ? ORDER BY place", (key,))
    ]
    was = db.execute("SELECT facts FROM conversation WHERE key = ?", (key,)).fetchone()
    if not changed and list(order) == kept and was in (None, (facts,)):
        return []
    if not order:  # an empty page is no conversation, unless somebody gave it a name
        db.execute("DELETE FROM turn WHERE conversation = ?", (key,))
        db.execute("DELETE FROM conversation WHERE key = ? AND NOT named", (key,))
        return []
    db.execute(
        "INSERT INTO conversation VALUES (?, '', 0, ?, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET changed = excluded.changed, facts = excluded.facts",
        (key, moment, moment, page.kind, facts),
    )
    unstored = []
    for turn in changed:
        try:
            facts_of_turn = _text(turn.facts)
            answers = [
                (turn.key, a.lane, place, a.state, encodable(a.text), _text(a.facts), a.trace)
                for place, a in enumerate(turn.answers)
            ]
        except (ValueError, TypeError):  # a number that JSON has no word for, or no plain value
            unstored.append(turn.key)
            continue
        db.execute(
            "INSERT INTO turn VALUES (?, ?, 0, ?, ?) ON CONFLICT DO UPDATE SET conversation = "
            "excluded.conversation, question = excluded.question, facts = excluded.facts",
            (turn.key, key, encodable(turn.question), facts_of_turn),
        )
        db.execute("DELETE FROM answer WHERE turn = ?", (turn.key,))
        db.executemany("INSERT INTO answer VALUES (?, ?, ?, ?, ?, ?, ?)", answers)
    gone = set(kept) - set(order)
    db.executemany("DELETE FROM turn WHERE key = ?", [(turn,) for turn in gone])
    db.executemany("UPDATE turn SET place = ? WHERE key = ?", [(p, turn) for p, turn in enumerate(order)])
    first = db.execute(
        "SELECT question FROM turn WHERE conversation = ? ORDER BY place LIMIT 1", (key,)
    ).fetchone()
    title = " ".join(first[0].split()) if first else ""
    title = title if len(title) <= TITLE else title[: TITLE - 1].rstrip() + "…"
    db.execute("UPDATE conversation SET title = ? WHERE key = ? AND NOT named", (title, key))
    return unstored


def _answers(db: sqlite3.Connection, turn: str) -> tuple[AnswerRecord, ...] | None:
    """None when one of them is damaged."""
    found = []
    rows = db.execute(
        "SELECT lane, state, text, facts, trace FROM answer WHERE turn = ? ORDER BY place", (turn,)
    )
    for lane, state, text, facts, trace in rows:
        values = _values(facts)
        plain = all(isinstance(value, str) for value in (lane, state, text))
        if values is None or not plain or not isinstance(trace, bytes | None):
            return None
        found.append(AnswerRecord(lane, state, text, values, trace))
    return tuple(found)


def _text(values: dict[str, Any]) -> str:
    return encodable(json.dumps(values, ensure_ascii=False, allow_nan=False))


def _values(text: str) -> dict[str, Any] | None:
    try:
        found = from_json(text)
    except (ValueError, TypeError):
        return None
    return found if isinstance(found, dict) else None
