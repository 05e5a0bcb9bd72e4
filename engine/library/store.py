"""The library's file: opened with care, written durably, one whole step or nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from engine.errors import LibraryError
from engine.library.schema import prepare
from engine.sqlite_errors import cause_of
from engine.sqlite_transaction import transaction

BUSY_S = 5.0  # how long to wait for another process that writes
LONGEST_S = 60.0  # how long one use of the library may take, in seconds

_INSTRUCTIONS = 100_000  # of SQLite's machine, some milliseconds, between two looks at the clock


class LibraryStore:
    """One connection, used by one thread at a time. `folder` holds the database and the head files."""

    def __init__(self, folder: Path) -> None:
        """Opens or makes `folder`/library.sqlite. Raises LibraryError; nothing is changed then."""
        self.folder = folder
        self.path = folder / "library.sqlite"
        self.heads = folder / "heads"
        self._connection: sqlite3.Connection | None = None
        try:
            self.heads.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self.path, BUSY_S, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise _failed(f"The library in {folder} was not opened", error) from None
        try:
            # A broken byte costs one character, not the record that it is in.
            connection.text_factory = lambda text: text.decode("utf-8", "replace")
            self._until = monotonic() + LONGEST_S
            connection.set_progress_handler(lambda: monotonic() > self._until, _INSTRUCTIONS)
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.execute("PRAGMA foreign_keys = ON")
            prepare(connection, str(self.path))  # first: another's file is not even given another journal
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")  # what was acknowledged survives a power cut
        except (sqlite3.Error, UnicodeError) as error:  # its messages quote names that may be no text
            connection.close()
            raise _failed(f"The library {self.path} was not opened", error) from None
        except LibraryError:
            connection.close()
            raise
        self._connection = connection
        self._file = _identity(self.path)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection; sqlite's errors come out as LibraryError."""
        if self._connection is None:
            raise LibraryError("The library is closed", "The studio is closing.", "Start it again.")
        self._until = monotonic() + LONGEST_S
        try:
            yield self._connection
        except (sqlite3.Error, UnicodeError) as error:
            raise _failed(f"The library {self.path} failed", error) from None

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction: on leaving, all of it is on the disk, or none of it when something was raised."""
        with self.reading() as connection:
            if _identity(self.path) != self._file:  # SQLite would go on writing into a file that nobody finds
                raise LibraryError(
                    f"The library {self.path} failed",
                    "Its file was moved away or removed while the studio was running.",
                    "Put it back where it was. Where that cannot be, export what you need and start the "
                    "studio again: a new library is begun then.",
                )
            with transaction(connection):
                yield connection

    def close(self) -> None:
        """Ends the connection; closing twice is allowed."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _identity(path: Path) -> tuple[int, int] | None:
    """The same as long as the same file lies there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def now() -> str:
    """The time in ISO 8601, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _failed(what: str, error: Exception) -> LibraryError:
    """The same failure with its true cause and what to do about that."""
    words = (str(error).strip() or type(error).__name__).rstrip(".")
    cause, remedy = cause_of(error)
    return LibraryError(what, f"{cause} ({words}).", f"{remedy} Nothing in it was changed.")
