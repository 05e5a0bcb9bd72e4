"""What the library's thread does, as plain calls. The engine is imported inside, late."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from engine.atomic_write import write_atomic
from engine.errors import LibraryError
from engine.library import catalog, sessions
from engine.library.records import COMPARISON, LibraryItem, SessionRecord, Shelf
from engine.library.store import LibraryStore
from studio.library.session_format import DAMAGE, PLAIN, head_digests, read_turn, traced
from studio.library.session_reader import head_keys, nameless, round_of, values_of
from studio.library.session_writer import Snapshot
from studio.state.compare_round import CompareRound
from studio.state.conversation import Turn
from studio.widgets.label import one_line
from studio.widgets.translation import tr

if TYPE_CHECKING:
    from engine.heads.head import Head

log = logging.getLogger("studio.library")


@dataclass(frozen=True)
class OpenedConversation:
    """A conversation of the library. round: that of a comparison; lost: what of it cannot be read, in
    sentences; details: those records as they lie there. Where something is lost, round and turns have keys of
    their own: they are copies."""

    turns: tuple[Turn, ...] = ()
    round: CompareRound | None = None
    lost: tuple[str, ...] = ()
    details: str = ""


@dataclass(frozen=True)
class StoredSession:
    """The session as it was left: values for the workspace, whether it ended in order, what was lost, and
    that as it lies in the library; known: the turns of what lies there just as it is here, by its key."""

    session: SessionRecord
    values: dict[str, Any]
    lost: tuple[str, ...] = ()
    details: str = ""
    known: Mapping[str, tuple[Turn, ...]] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Whether there is nothing in it that anybody would miss."""
        values = self.values
        another = values["source"] != PLAIN["source"]  # a model that was chosen is to be there again
        return not (values["turns"] or values["round"] or values["channels"] or another or self.lost)


class LibraryJobs:
    """The library in `folder`; None keeps nothing, and every call is a quiet no. One thread at a time."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._store: LibraryStore | None = None
        self._removed: dict[tuple[Shelf, str], catalog.Removed] = {}
        self._votes: dict[str, int] = {}  # rows of this run's votes
        self._titles: dict[str, str] = {}  # of heads that the mixer gave another, by digest
        self._written: dict[str, Any] = {}  # what is on the disk of each head, by digest

    def open(self) -> StoredSession | None:
        """Opens the library; the session that was left there, if any."""
        if self._folder is None:
            return None
        self._store = LibraryStore(self._folder)
        session = sessions.last_session(self._store)
        if session is None:
            return None
        return self._left(session)

    def save(self, snapshot: Snapshot) -> None:
        """When this returns, the snapshot survives `kill -9` and a power cut."""
        if self._store is None:
            return
        self._keep(snapshot.heads)
        changed = traced(snapshot.changed, snapshot.traces)
        beside = [replace(p, changed=traced(p.changed, snapshot.traces)) for p in snapshot.beside]
        unstored = sessions.save_session(self._store, snapshot.session, snapshot.order, changed, beside)
        if unstored:
            raise LibraryError(
                tr("A part of the conversation was not saved"),
                tr("%n turn(s) hold values that cannot be stored.", "", len(unstored)),
                tr("Everything else was saved. Regenerate or undo these turns."),
            )

    def put_session_by(self) -> Path:
        """Writes the session's record beside the library, before another session takes its place."""
        return self._put_by(sessions.raw_session(self._need()), "before")

    def close(self) -> None:
        """Ends the connection. Called by the window's thread after this one has ended."""
        if self._store is not None:
            self._store.close()

    # The library panel.

    def items(self, shelf: Shelf, words: str) -> list[LibraryItem]:
        return catalog.items(self._store, shelf, words) if self._store else []

    def rename(self, item: LibraryItem, title: str, named: bool) -> None:
        catalog.rename(self._need(), item.shelf, item.key, title, named=named)

    def tag(self, item: LibraryItem, tags: tuple[str, ...]) -> None:
        catalog.set_tags(self._need(), item.shelf, item.key, tags)

    def remove(self, items: tuple[LibraryItem, ...]) -> None:
        """Until the studio ends, `put_back` brings them back."""
        for item in items:
            self._removed[item.shelf, item.key] = catalog.remove(self._need(), item.shelf, item.key)

    def put_back(self, items: tuple[LibraryItem, ...]) -> None:
        for item in items:
            removed = self._removed.pop((item.shelf, item.key), None)
            if removed is not None:  # else its removal had failed
                catalog.put_back(self._need(), removed)

    def list_head(self, key: str) -> None:
        """The person made it anew, or brought it: it is in the list, though it may have been removed."""
        from engine.library.heads import list_head

        if self._store is not None:
            list_head(self._store, key)

    def head(self, key: str) -> Head:
        from engine.library.heads import head_of

        return head_of(self._need(), key)

    def turns(self, key: str) -> OpenedConversation:
        """The turns that can be read, and what of the conversation cannot."""
        from engine.library.heads import heads_of

        store = self._need()
        record = sessions.conversation(store, key)
        if record is None:
            return OpenedConversation()
        wanted = [
            digest for turn in record.turns for answer in turn.answers for digest in head_digests(answer)
        ]
        heads, _ = heads_of(store, wanted)
        turns: list[Turn] = []
        damaged, faded = list(record.damaged), []  # keys
        for found in record.turns:
            try:
                turn, whole = read_turn(found, heads)
            except DAMAGE as error:  # one bad record never hides the rest
                log.info("Turn %s of “%s”: %r", found.key, record.title, error)
                damaged.append(found.key)
                continue
            turns.append(turn)
            if not whole:
                faded.append(found.key)
        at, lost = None, []
        if record.kind == COMPARISON and turns:
            try:
                at = round_of(key, record.facts, turns)
            except DAMAGE as error:
                log.info("Comparison “%s”: %r", record.title, error)
                at = nameless(key, record.facts, turns)
                lost.append(tr("The column names of “{0}” cannot be read.").format(record.title))
        if not damaged and not faded and not lost:
            return OpenedConversation(tuple(turns), at)
        raw = {turn: sessions.raw_turn(store, turn) for turn in (*damaged, *faded)}
        if damaged:
            words = tr("%n turn(s) of “{0}” cannot be read: {1}.", "", len(damaged))
            lost.append(words.format(record.title, _questions(raw, damaged)))
        if faded:
            words = tr("The traces of %n answer(s) are damaged; the text is here: {0}.", "", len(faded))
            lost.append(words.format(_questions(raw, faded)))
        for turn in turns:
            turn.key = uuid4().hex  # a copy's: else the next save would take them out of the conversation
        told = {"conversation": key, "title": record.title, "records": list(raw.values())}
        details = json.dumps(told, indent=2, ensure_ascii=False, default=repr)
        if record.facts.get("blind"):
            details = ""  # they would tell who speaks
        copy = replace(at, key=uuid4().hex) if at else None
        return OpenedConversation(tuple(turns), copy, tuple(lost), details)

    def add_run(self, kind: str, title: str, facts: dict[str, Any]) -> None:
        if self._store is not None:
            catalog.add_run(self._store, kind, title, facts)

    def run(self, key: str) -> dict[str, Any]:
        return catalog.run_facts(self._need(), key)

    def add_vote(self, key: str, facts: dict[str, Any]) -> None:
        """Until the studio ends, `drop_vote` takes it back."""
        if self._store is not None:
            self._votes[key] = catalog.add_vote(self._store, facts)

    def votes(self) -> list[dict[str, Any]]:
        return catalog.votes(self._need())

    def drop_vote(self, key: str) -> None:
        if key in self._votes:  # else there is no library, or it had not taken the vote
            catalog.drop_vote(self._need(), self._votes.pop(key))

    def _need(self) -> LibraryStore:
        if self._store is None:
            raise LibraryError(
                tr("Library unavailable"),
                tr("It could not be opened (see the first message)."),
                tr("Nothing is being saved."),
            )
        return self._store

    def _keep(self, heads: Iterable[tuple[Head, bool, str | None]]) -> None:
        """Writes the heads that are not yet on the disk as they are; one may be used in several places."""
        from engine.library.heads import keep_head

        store = self._need()
        found: dict[str, tuple[Head, bool, str | None]] = {}
        for head, listed, name in heads:
            first, was_listed, named = found.get(head.digest, (head, False, None))
            found[head.digest] = (first, was_listed or listed, named if name is None else named or name)
        for key, (head, listed, name) in found.items():
            written = self._written.get(key)
            if written == (head.info, listed, name):
                continue
            keep_head(store, head, listed=listed)
            if name and (written is None or name != written[2]):
                if written is not None:
                    self.list_head(key)  # renamed in the mixer: wanted, though it may have been removed
                self._titles.setdefault(key, catalog.title(store, "head", key))
                catalog.rename(store, "head", key, name)
            elif name is not None and not name and key in self._titles:  # the name was taken back
                catalog.rename(store, "head", key, self._titles.pop(key))
            self._written[key] = (head.info, listed, name)

    def _left(self, session: SessionRecord) -> StoredSession:
        from engine.library.heads import heads_of, prune_heads

        prune_heads(self._need())
        heads, lost = heads_of(self._need(), head_keys(session.state))
        opened, compared = self.turns(session.conversation), self.turns(str(session.state.get("round") or ""))
        found = values_of(session, opened.turns, heads)
        for row in found.values["channels"]:  # they are there; a name that the library gave since stays
            self._written[row.digest] = (row.head.info, True, row.title)
        words = [*lost, *opened.lost, *compared.lost, *found.lost]
        details = "\n\n".join(part for part in (opened.details, compared.details) if part)
        if lost or found.lost:  # the next save writes over the record
            raw = sessions.raw_session(self._need())
            words.append(tr("The session record was saved as {0}.").format(self._put_by(raw)))
            details = "\n\n".join(part for part in (details, raw.decode("utf-8", "replace")) if part)
        pages = [(session.conversation, opened)]
        if compared.round is not None:
            pages.append((compared.round.key, compared))
        known = {key: page.turns for key, page in pages if not page.lost}
        values = {**found.values, "round": compared.round}
        return StoredSession(session, values, tuple(words), details, known)

    def _put_by(self, raw: bytes, why: str = "damaged") -> Path:
        """Writes a session beside the library; the same one once."""
        path = self._need().folder / f"session-{sha256(raw).hexdigest()[:12]}.{why}.json"
        if not path.exists():
            write_atomic(path, raw, "session", LibraryError)
        return path


def _questions(raw: Mapping[str, dict[str, Any]], keys: Iterable[str]) -> str:
    return ", ".join(f"“{one_line(str(row['question']))}”" for key in keys for row in raw[key]["turn"])
