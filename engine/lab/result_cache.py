"""What a comparison has done already: answers, scores and cells, in SQLite by the hash of their content."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.errors import LabError
from engine.sqlite_errors import cause_of
from engine.sqlite_transaction import transaction

# Raised by hand whenever a method, the decoding, a judge's rules or rubric, or a formula of the Lab changes
# what it gives: then nothing that was kept before is found any more.
CACHE_VERSION = 4

_BUSY_S = 30.0  # how long to wait for another process that writes
_CHUNK = 500  # keys in one question to SQLite

_SCHEMA = """
CREATE TABLE IF NOT EXISTS done (
    kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
    made TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
    PRIMARY KEY (kind, key)
) WITHOUT ROWID
"""


def content_key(*facts: Any) -> str:
    """The key of something made from `facts` by this CACHE_VERSION.

    Args:
        facts: whatever JSON can hold.
    """
    text = json.dumps([CACHE_VERSION, facts], ensure_ascii=False, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


class ResultCache:
    """JSON values by kind and key, in SQLite; safe to use from several threads.

    What was put is on the disk when `put` returns, and survives a kill.

    Args:
        path: the file; None keeps everything in memory.

    Raises:
        LabError: when the file cannot be opened, or is something else.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Raises LabError when the file cannot be opened, or is something else."""
        self._lock = threading.Lock()
        self._name = "in memory" if path is None else str(path)
        try:
            self._connection = sqlite3.connect(
                ":memory:" if path is None else path, _BUSY_S, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute(_SCHEMA)
        except sqlite3.Error as error:
            raise self._failed("opened", error) from None

    def get(self, kind: str, keys: Sequence[str]) -> dict[str, Any]:
        """The values of those keys that are there."""
        found: dict[str, Any] = {}
        try:
            with self._lock:
                for start in range(0, len(keys), _CHUNK):
                    some = keys[start : start + _CHUNK]
                    marks = ",".join("?" * len(some))
                    rows = self._connection.execute(
                        f"SELECT key, value FROM done WHERE kind = ? AND key IN ({marks})", (kind, *some)
                    )
                    found |= {key: json.loads(value) for key, value in rows}
        except (sqlite3.Error, ValueError) as error:
            raise self._failed("read", error) from None
        return found

    def put(self, kind: str, values: Mapping[str, Any]) -> None:
        """All of them or none."""
        rows: Iterable[tuple[str, str, str]] = [
            (kind, key, json.dumps(value, ensure_ascii=False, allow_nan=False))
            for key, value in values.items()
        ]
        try:
            with self._lock, transaction(self._connection) as db:
                db.executemany("INSERT OR REPLACE INTO done (kind, key, value) VALUES (?, ?, ?)", rows)
        except sqlite3.Error as error:
            raise self._failed("written", error) from None

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    def _failed(self, done: str, error: Exception) -> LabError:
        cause, remedy = cause_of(error)
        words = str(error).rstrip(".") or type(error).__name__
        return LabError(
            f"The results ({self._name}) were not {done}",
            f"{cause} ({words}).",
            f"{remedy} Or name another file.",
        )
