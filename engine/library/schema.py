"""The tables of the library, and the way from older versions to this one."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from engine.errors import LibraryError
from engine.sqlite_errors import INSTEAD
from engine.sqlite_transaction import transaction

VERSION = 2
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
    changed TEXT NOT NULL,
    kind TEXT NOT NULL DEFAULT '',
    facts TEXT NOT NULL DEFAULT '{}'
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

_STEPS = {  # from the version to the next one
    1: (
        "ALTER TABLE conversation ADD COLUMN kind TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE conversation ADD COLUMN facts TEXT NOT NULL DEFAULT '{}'",
    ),
}


def prepare(connection: sqlite3.Connection, name: str) -> None:
    """Makes the tables of a new file; brings an old one up to date.

    Raises LibraryError for a file of a newer version, one that is not a library, or one that lacks a part.
    """
    what = f"The library {name} was not opened"
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    version = _version(connection)
    if version > VERSION and application == APPLICATION:
        raise LibraryError(
            what, f"It has version {version}, and this studio reads up to {VERSION}.", "Update the studio."
        )
    tables = _tables(connection)
    if tables and application != APPLICATION:
        raise LibraryError(what, "It is another program's database.", "Choose another folder.")
    if tables:
        _bring_up(connection, what)
    else:
        with transaction(connection):
            if _tables(connection):
                return  # another studio has just made them
            for statement in filter(str.strip, _TABLES.split(";")):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {VERSION}")


def _bring_up(connection: sqlite3.Connection, what: str) -> None:
    """All steps to this version, or none where a part is lacking then."""
    with transaction(connection, write=_version(connection) < VERSION):
        version = _version(connection)  # asked anew: another studio may have done it
        if version < 1:  # damaged, and the tables say themselves what they are
            version = VERSION if _columns_wanted() <= _columns(connection) else 1
            connection.execute(f"PRAGMA user_version = {version}")
        for before in range(version, VERSION):
            for step in _STEPS[before]:
                connection.execute(step)
            connection.execute(f"PRAGMA user_version = {before + 1}")
        foreign = connection.execute("SELECT name FROM sqlite_master WHERE type IN ('trigger', 'view')")
        for (name,) in foreign.fetchall():
            raise LibraryError(
                what, f"It holds {name}, which runs by itself: another program has changed it.", INSTEAD
            )
        if lacking := _columns_wanted() - _columns(connection):
            why = f"It lacks {', '.join(sorted(lacking))}: another program has changed it."
            raise LibraryError(what, why, INSTEAD)


def _tables(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


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
