"""The library's list: search, rename, tags, removal; for conversations, heads and runs alike."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from engine.decoding import from_json
from engine.errors import LibraryError
from engine.library.records import COMPARISON, LibraryItem, Shelf
from engine.library.store import LibraryStore, now
from engine.text import encodable

_ABOUT = {
    "conversation": "(SELECT count(*) FROM turn WHERE turn.conversation = i.key)",
    "head": "i.facts",
    "run": "i.kind",
}
_WORDS = {  # where a search looks, beside title and tags
    "conversation": "(i.kind LIKE :w ESCAPE '\\' OR EXISTS (SELECT 1 FROM turn LEFT JOIN answer "
    "ON answer.turn = turn.key WHERE turn.conversation = i.key AND (turn.question LIKE :w ESCAPE '\\' "
    "OR answer.text LIKE :w ESCAPE '\\')))",
    "head": "(i.prompt LIKE :w ESCAPE '\\' OR i.facts LIKE :w ESCAPE '\\')",
    "run": "(i.kind LIKE :w ESCAPE '\\' OR i.facts LIKE :w ESCAPE '\\')",
}


def items(store: LibraryStore, shelf: Shelf, words: str = "", limit: int = 500) -> list[LibraryItem]:
    """What lies on the shelf, the newest first; every one of `words` is in its title, a tag or its text."""
    clauses = ["i.kept > 0"] if shelf == "head" else ["1"]
    given: dict[str, str | int] = {"limit": limit, "shelf": shelf}
    for number, word in enumerate(words.split()):
        pattern = "%" + word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        tagged = (
            "EXISTS (SELECT 1 FROM tag WHERE shelf = :shelf AND tag.key = i.key AND word LIKE :w ESCAPE '\\')"
        )
        clause = f"(i.title LIKE :w ESCAPE '\\' OR {tagged} OR {_WORDS[shelf]})"
        clauses.append(clause.replace(":w", f":w{number}"))
        given[f"w{number}"] = pattern
    named = "i.named" if shelf == "conversation" else "0"
    kind = "''" if shelf == "head" else "i.kind"
    with store.reading() as db:
        rows = db.execute(
            f"SELECT i.key, i.title, {_ABOUT[shelf]}, i.created, i.changed, {named}, {kind} "
            f"FROM {shelf} AS i "
            f"WHERE {' AND '.join(clauses)} ORDER BY i.changed DESC, i.rowid DESC LIMIT :limit",
            given,
        ).fetchall()
        return [
            LibraryItem(
                shelf,
                key,
                title,
                _about(shelf, kind, about),
                created,
                changed,
                _tags(db, shelf, key),
                bool(own),
                kind,
            )
            for key, title, about, created, changed, own, kind in rows
        ]


def title(store: LibraryStore, shelf: Shelf, key: str) -> str:
    """Raises LibraryError for an item that is gone."""
    with store.reading() as db:
        row = db.execute(f"SELECT title FROM {shelf} WHERE key = ?", (key,)).fetchone()
    if row is None:
        raise LibraryError("The item was not found", "It is no longer in the library.", "Search again.")
    return str(row[0])


def rename(store: LibraryStore, shelf: Shelf, key: str, title: str, *, named: bool = True) -> None:
    """named: a conversation keeps the title; else that is the automatic one, which its first question gives.

    Raises LibraryError for an empty name or an item that is gone.
    """
    if not title.strip():
        raise LibraryError("The item was not renamed", "The name is empty.", "Type a name.")
    kept = f", named = {int(named)}" if shelf == "conversation" else ""
    with store.writing() as db:
        name = encodable(title.strip())
        done = db.execute(f"UPDATE {shelf} SET title = ?{kept} WHERE key = ?", (name, key))
        _require(done, title)


def set_tags(store: LibraryStore, shelf: Shelf, key: str, tags: tuple[str, ...]) -> None:
    """These tags instead of those that it had; case and order do not matter."""
    words = sorted({tag.strip().lower() for tag in tags if tag.strip()})
    with store.writing() as db:
        db.execute("DELETE FROM tag WHERE shelf = ? AND key = ?", (shelf, key))
        db.executemany("INSERT INTO tag VALUES (?, ?, ?)", [(shelf, key, word) for word in words])


@dataclass(frozen=True)
class Removed:
    """What `remove` took, for `put_back`: rows of the library's tables, in the order of their making."""

    shelf: Shelf
    key: str
    rows: tuple[tuple[str, tuple[Any, ...]], ...]


def remove(store: LibraryStore, shelf: Shelf, key: str) -> Removed:
    """Takes the item out of the library; the file of a head stays until no session and no answer uses it, and
    until then no save lists it again."""
    with store.writing() as db:
        rows = [] if shelf == "head" else _rows(db, shelf, "key = ?", key)
        if shelf == "conversation":
            rows += _rows(db, "turn", "conversation = ?", key)
            rows += _rows(db, "answer", "turn IN (SELECT key FROM turn WHERE conversation = ?)", key)
        rows += _rows(db, "tag", f"shelf = '{shelf}' AND key = ?", key)
        db.execute("DELETE FROM tag WHERE shelf = ? AND key = ?", (shelf, key))
        if shelf == "head":
            db.execute("UPDATE head SET kept = -1 WHERE key = ?", (key,))
        else:
            db.execute(f"DELETE FROM {shelf} WHERE key = ?", (key,))
    return Removed(shelf, key, tuple(rows))


def put_back(store: LibraryStore, removed: Removed) -> None:
    """The item is in the library again as it was; what has been written under its key meanwhile stays."""
    with store.writing() as db:
        if removed.shelf == "head":
            db.execute("UPDATE head SET kept = 1 WHERE key = ?", (removed.key,))
        for table, row in removed.rows:
            db.execute(f"INSERT OR IGNORE INTO {table} VALUES ({', '.join('?' * len(row))})", row)


def add_run(store: LibraryStore, kind: str, title: str, facts: dict[str, Any]) -> str:
    """Keeps what a distillation or an evaluation was asked and gave; facts: JSON values. Its key."""
    key, moment = uuid4().hex, now()
    with store.writing() as db:
        body = json.dumps(facts, ensure_ascii=False, allow_nan=False)
        db.execute("INSERT INTO run VALUES (?, ?, ?, ?, ?, ?)", (key, title, kind, body, moment, moment))
    return key


def run_facts(store: LibraryStore, key: str) -> dict[str, Any]:
    """The facts of a run. Raises LibraryError when it is gone or damaged."""
    with store.reading() as db:
        row = db.execute("SELECT facts FROM run WHERE key = ?", (key,)).fetchone()
    try:
        return dict(from_json(row[0]))
    except (TypeError, ValueError):
        raise LibraryError(
            "The run was not opened", "Its record is gone or damaged.", "Remove it from the library."
        ) from None


def add_vote(store: LibraryStore, facts: dict[str, Any]) -> int:
    """Keeps one vote of a blind comparison: what was compared, and which was preferred. Its key."""
    with store.writing() as db:
        body = json.dumps(facts, ensure_ascii=False, allow_nan=False)
        row = db.execute("INSERT INTO vote (cast_at, facts) VALUES (?, ?)", (now(), body)).lastrowid
    assert row is not None
    return row


def drop_vote(store: LibraryStore, key: int) -> None:
    """The vote was taken back."""
    with store.writing() as db:
        db.execute("DELETE FROM vote WHERE key = ?", (key,))


def votes(store: LibraryStore) -> list[dict[str, Any]]:
    """All votes, the oldest first, each with its time as `cast_at`; a damaged one's record is `unread`."""
    with store.reading() as db:
        rows = db.execute("SELECT cast_at, facts FROM vote ORDER BY key").fetchall()
    return [{"cast_at": moment, **_vote(facts)} for moment, facts in rows]


def _vote(facts: str) -> dict[str, Any]:
    try:
        return dict(from_json(facts))
    except (TypeError, ValueError):  # one bad record never hides the rest
        return {"unread": facts}


def _about(shelf: Shelf, kind: str, value: Any) -> str:
    if shelf == "conversation":
        what = "answer" if kind == COMPARISON else "turn"
        return f"{value} {what}s" if value != 1 else f"1 {what}"
    if shelf == "run":
        return str(value)
    try:
        facts = from_json(value)
        return f"{facts['method']}, {facts['model']}"
    except (ValueError, KeyError, TypeError):
        return "unreadable"


def _rows(db: sqlite3.Connection, table: str, where: str, key: str) -> list[tuple[str, tuple[Any, ...]]]:
    return [(table, tuple(row)) for row in db.execute(f"SELECT * FROM {table} WHERE {where}", (key,))]


def _tags(db: sqlite3.Connection, shelf: Shelf, key: str) -> tuple[str, ...]:
    rows = db.execute("SELECT word FROM tag WHERE shelf = ? AND key = ? ORDER BY word", (shelf, key))
    return tuple(word for (word,) in rows)


def _require(done: sqlite3.Cursor, name: str) -> None:
    if not done.rowcount:
        raise LibraryError(f"{name} was not found", "It is no longer in the library.", "Search again.")
