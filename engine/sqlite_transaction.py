"""A SQLite transaction: all of it on the disk, or nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def transaction(connection: sqlite3.Connection, *, write: bool = True) -> Iterator[sqlite3.Connection]:
    """Commits on leaving; whatever is raised inside rolls everything back and goes on.

    connection: in autocommit mode (isolation_level None). write: takes the write lock at once, so that it is
    the beginning that waits for another process, and not a statement half-way.
    """
    connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk has made SQLite roll back by itself
            connection.execute("ROLLBACK")
        raise
