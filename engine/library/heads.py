"""Heads in the library: each a head file named by its hash, and a row that says what it is."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from engine.errors import HeadError
from engine.heads import HEAD_SUFFIX
from engine.heads.head import Head
from engine.heads.head_file import load_head, save_head
from engine.library.store import LibraryStore, now


def keep_head(store: LibraryStore, head: Head, *, listed: bool = True) -> str:
    """Writes the head, file first; its key. listed: shown in the library, and not only there for a session.

    A head that is there already keeps its name and tags; facts measured later replace the older ones. One
    that the person took out of the library (its `kept` is -1) stays out until `list_head`.
    """
    key, moment = head.digest, now()
    save_head(head, path_of(store, key))
    info = head.info
    facts = {"method": info.method, "model": info.model.id, "blocks": sorted(head.blocks), "rank": head.rank}
    with store.writing() as db:
        db.execute(
            "INSERT INTO head VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
            "facts = excluded.facts, kept = CASE WHEN kept < 0 THEN kept ELSE max(kept, excluded.kept) END",
            (key, info.name, info.prompt, json.dumps(facts), listed, info.created or moment, moment),
        )
    return key


def list_head(store: LibraryStore, key: str) -> None:
    """Shows the head in the library again, by the person's wish; no head under the key: nothing to do."""
    with store.writing() as db:
        db.execute("UPDATE head SET kept = 1 WHERE key = ? AND kept < 0", (key,))


def head_of(store: LibraryStore, key: str) -> Head:
    """The head under its name in the library. Raises HeadError when its file is gone or damaged."""
    head = load_head(path_of(store, key))
    with store.reading() as db:
        row = db.execute("SELECT title FROM head WHERE key = ?", (key,)).fetchone()
    return head.renamed(row[0]) if row else head


def heads_of(store: LibraryStore, keys: Iterable[str]) -> tuple[dict[str, Head], list[str]]:
    """The heads that can be read, by key, and the words about those that cannot."""
    found: dict[str, Head] = {}
    lost: list[str] = []
    for key in dict.fromkeys(keys):
        try:
            found[key] = head_of(store, key)
        except HeadError as error:  # one bad file never hides the rest
            lost.append(str(error))
    return found, lost


def path_of(store: LibraryStore, key: str) -> Path:
    return store.heads / f"{key}{HEAD_SUFFIX}"


def prune_heads(store: LibraryStore) -> int:
    """Removes the files that neither the library's list nor any session or answer needs; how many."""
    with store.writing() as db:
        needed = " ".join(
            str(row[0])
            for query in ("SELECT state FROM session", "SELECT facts FROM answer", "SELECT facts FROM turn")
            for row in db.execute(query)
        )
        spare = [key for (key,) in db.execute("SELECT key FROM head WHERE kept <= 0") if key not in needed]
        db.executemany("DELETE FROM head WHERE key = ?", [(key,) for key in spare])
    for key in spare:
        path_of(store, key).unlink(missing_ok=True)
    return len(spare)
