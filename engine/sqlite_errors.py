"""Why a database file could not be used, and what a person can do about it."""

from __future__ import annotations

import errno
import sqlite3

INSTEAD = "Put a copy of before in its place, or move it away: a new one is begun then."

_FULL = ("The disk is full", "Make room on it, and try again.")
_RIGHTS = ("It may not be written", "Give yourself the right to write to that folder and all that is in it.")
_HELD = ("Another program holds it", "End that program, and try again.")
_DAMAGED = (
    "The file is damaged",
    f"Keep it: `sqlite3 FILE .recover` gets out of it what can still be read. {INSTEAD}",
)
_BY_SQLITE = {
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_BUSY: _HELD,
    sqlite3.SQLITE_LOCKED: _HELD,
    sqlite3.SQLITE_READONLY: _RIGHTS,
    sqlite3.SQLITE_PERM: _RIGHTS,
    sqlite3.SQLITE_CANTOPEN: _RIGHTS,
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_INTERRUPT: ("It took too long: its content is damaged or far too large", INSTEAD),
    sqlite3.SQLITE_IOERR: ("The disk did not do what it was asked", "Check the disk, and try again."),
    sqlite3.SQLITE_ERROR: ("It is not as this version made it", INSTEAD),  # no such column, no such table
}
_IN_THE_WAY = ("There is a file where a folder should be", "Move it away, or choose another folder.")
_BY_SYSTEM = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EROFS: _RIGHTS,
    errno.EEXIST: _IN_THE_WAY,
    errno.ENOTDIR: _IN_THE_WAY,
}
_UNKNOWN = ("It cannot be used", "Copy the details into a report.")


def cause_of(error: Exception) -> tuple[str, str]:
    """Cause and remedy of a sqlite3.Error or OSError, by SQLite's own code or the system's; a ValueError is a
    record's that is not as it was written."""
    if isinstance(error, ValueError):
        return _DAMAGED
    if isinstance(error, OSError):
        return _BY_SYSTEM.get(error.errno or 0, _UNKNOWN)
    return _BY_SQLITE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, _UNKNOWN)
