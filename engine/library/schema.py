"""The tables of the library, and the way from older versions to this one."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from engine.errors import LibraryError
from engine.library.causes import INSTEAD

VERSION = 1
APPLICATION = 0x57EE2  # marks the file as ours, so that no other database is ever written into

_TABLES = """
CREATE TABLE session (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    conversation TEXT NOT NULL,
    state TEXT NOT NULL,
    clean INTEGER NOT NULL,
    saved TEXT NOT NULL
);
CREATE TABLE conversation (
    key TEXT PRIMARY KEY,
    title TEXT NOT NULL,
    named INTEGER NOT NULL DEFAULT 0,
    created TEXT NOT NULL,
    changed TEXT NOT NULL
);
CREATE TABLE turn (
    key TEXT PRIMARY KEY,
    conversation TEXT NOT NULL REFERENCES conversation(key) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    question TEXT NOT NULL,
    facts TEXT NOT NULL
);
CREATE INDEX turn_by_place ON turn (conversation, place);
CREATE TABLE answer (
    turn TEXT NOT NULL REFERENCES turn(key) ON DELETE CASCADE,
    lane TEXT NOT NULL,
    place INTEGER NOT NULL,
    state TEXT NOT NULL,
    text TEXT NOT NULL,
    facts TEXT NOT NULL,
    trace BLOB,
    PRIMARY KEY (turn, lane)
);
CREATE TABLE head (
    key TEXT PRIMARY KEY,
    title TEXT NOT NULL,
    prompt TEXT NOT NULL,
    facts TEXT NOT NULL,
    kept INTEGER NOT NULL,
    created TEXT NOT NULL,
    changed TEXT NOT NULL
);
CREATE TABLE run (
    key TEXT PRIMARY KEY,
    title TEXT NOT NULL,
    kind TEXT NOT NULL,
    facts TEXT NOT NULL,
    created TEXT NOT NULL,
    changed TEXT NOT NULL
);
CREATE TABLE tag (
    shelf TEXT NOT NULL,
    key TEXT NOT NULL,
    word TEXT NOT NULL,
    PRIMARY KEY (shelf, key, word)
);
CREATE TABLE vote (
    key INTEGER PRIMARY KEY,
    cast_at TEXT NOT NULL,
    facts TEXT NOT NULL
);
"""


def prepare(connection: sqlite3.Connection, name: str) -> None:
    """Makes the tables of a new file; brings an old one up to date.

    Raises LibraryError for a file of a newer version, one that is not a library, or one that lacks a part.
    """
    what = f"The library {name} was not opened"
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if version > VERSION and application == APPLICATION:
        raise LibraryError(
            what, f"It has version {version}, and this studio knows up to {VERSION}.", "Update the studio."
        )
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables and application != APPLICATION:
        raise LibraryError(what, "It is another program's database.", "Choose another folder.")
    if tables and (lacking := _columns_wanted() - _columns(connection)):
        why = f"It lacks {', '.join(sorted(lacking))}: another program has changed it."
        raise LibraryError(what, why, INSTEAD)
    if not tables:
        connection.executescript(
            f"BEGIN; {_TABLES} PRAGMA application_id = {APPLICATION}; "
            f"PRAGMA user_version = {VERSION}; COMMIT;"
        )


def _columns(connection: sqlite3.Connection) -> set[str]:
    """As table.column."""
    return {
        f"{table}.{column}"
        for table, column in connection.execute(
            "SELECT t.name, c.name FROM sqlite_master AS t, pragma_table_info(t.name) AS c "
            "WHERE t.type = 'table'"
        )
    }


def _columns_wanted() -> set[str]:
    with closing(sqlite3.connect(":memory:")) as empty:
        empty.executescript(_TABLES)
        return _columns(empty)
