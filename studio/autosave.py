"""Keeps the workspace in the library: a moment after every change, and at once before anything runs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from engine.errors import LibraryError
from studio.archive import Archive
from studio.snapshot import Signature, Snapshot, signature, take
from studio.turns import Turn
from studio.worker import Failed, Job, Worker
from studio.workspace import Workspace

log = logging.getLogger("studio.library")

PAUSE_MS = 400  # after a change, though others follow
STREAM_MS = 2000  # between saves while text streams


class Autosave(QObject):
    """Owns the library's thread. Nothing is saved before `begin`: what was not read is never replaced."""

    stateChanged = Signal(str)  # "saved", "saving", "failed"

    def __init__(self, workspace: Workspace, folder: Path | None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self.keeps = folder is not None
        self.archive = Archive(folder)
        self.worker = Worker(parent=self, name="library")
        self._known: dict[str, dict[str, Signature]] = {}  # by conversation and turn, what the library has
        self._gone: set[str] = set()  # rounds that were taken back; each save says so, for one may fail
        self._begun = False
        self._pause = self._timer(PAUSE_MS)
        self._stream = self._timer(STREAM_MS)
        for signal in (
            workspace.channelsChanged,
            workspace.strengthsChanged,
            workspace.presetsChanged,
            workspace.turnsChanged,
            workspace.answerChanged,
            workspace.promptChanged,
            workspace.questionChanged,
            workspace.settingsChanged,
            workspace.fitOptionsChanged,
            workspace.compareChanged,
            workspace.truthChanged,
            workspace.comparisonChanged,
            workspace.roundChanged,
            workspace.sourceChanged,
        ):
            signal.connect(self._on_change)
        workspace.answerGrew.connect(self._on_grown)
        workspace.leaving.connect(self._on_leaving)

    def open(self, then: Callable[[Any], None], failed: Callable[[Failed], None]) -> None:
        """Opens the library; `then` hears of the session that was left, an archive.Left or None."""
        self.worker.start()
        self.worker.submit(
            Job(
                self.tr("Opening the library"),
                lambda emit, cancel: self.archive.open(),
                on_done=then,
                on_failed=failed,
            )
        )

    def begin(self) -> None:
        """From now on the workspace is kept."""
        self._begun = self.keeps
        self.flush()

    def give_up(self) -> None:
        """Nothing is kept in this run: what lies in the library is never written over unread."""
        self.keeps = False
        self.stateChanged.emit("failed")

    def know(self, conversation: str, turns: tuple[Turn, ...]) -> None:
        """These turns are in the library as they are, and are not written again."""
        self._known[conversation] = {turn.key: signature(turn) for turn in turns}

    def flush(self) -> threading.Event:
        """Saves now; the event is set when everything up to now is on the disk, or could not be written."""
        done = threading.Event()
        self._pause.stop()
        self._stream.stop()
        if not self._begun:
            done.set()
            return done
        snapshot = self._take()
        self.know(self._workspace.conversation, self._workspace.turns)
        if self._workspace.round is not None:
            self.know(self._workspace.round.key, self._workspace.round.turns)
        self.stateChanged.emit("saving")
        self.worker.submit(
            Job(
                self.tr("Saving"),
                lambda emit, cancel: self._save(snapshot, done),
                on_done=lambda _: self._on_saved(),
                on_failed=self._on_failed,
            )
        )
        return done

    def read_votes(self, then: Callable[[list[dict[str, Any]]], None]) -> None:
        """`then` hears of the votes that were kept. A library that cannot be opened has told so already."""
        if self.keeps:
            job = Job(self.tr("Reading the votes"), lambda emit, cancel: self.archive.votes(), on_done=then)
            job.quiet = True
            self.worker.submit(job)

    @Slot(str, dict)
    def keep_vote(self, key: str, facts: dict[str, Any]) -> None:
        """Puts a vote of a blind comparison into the library."""
        self.worker.submit(
            Job(self.tr("Keeping the vote"), lambda emit, cancel: self.archive.add_vote(key, facts))
        )

    @Slot(str)
    def drop_vote(self, key: str) -> None:
        """Takes it out again."""
        self.worker.submit(
            Job(self.tr("Taking back the vote"), lambda emit, cancel: self.archive.drop_vote(key))
        )

    @Slot(str)
    def drop_round(self, key: str) -> None:
        """A comparison was taken back: the library keeps it no longer, unless it is shown again."""
        self._gone.add(key)
        self._known.pop(key, None)
        self._on_change()

    def close(self) -> None:
        """The last word: everything that waits is saved, and the session is marked as ended in order."""
        self._pause.stop()
        self._stream.stop()
        self.worker.finish()
        try:
            if self._begun:
                self._begun = False
                self.archive.save(self._take(clean=True))
        except LibraryError as error:  # nobody is there to be told any more
            log.error("%s", error)
        finally:
            self.archive.close()

    @Slot()
    def _on_change(self) -> None:
        if self._begun and not self._pause.isActive():
            self._pause.start()

    @Slot()
    def _on_leaving(self) -> None:
        """What was not yet saved of a page is saved while it is still there."""
        if self._pause.isActive() or self._stream.isActive():
            self.flush()

    @Slot()
    def _on_grown(self) -> None:
        if self._begun and not self._stream.isActive():
            self._stream.start()

    def _take(self, clean: bool = False) -> Snapshot:
        at = self._workspace.round
        pages = [self._workspace.conversation] + ([at.key] if at else [])
        self._gone.difference_update(pages)
        known = {turn: told for page in pages for turn, told in self._known.get(page, {}).items()}
        return take(self._workspace, known, clean, self._gone)

    def _save(self, snapshot: Snapshot, done: threading.Event) -> None:
        try:
            self.archive.save(snapshot)
        finally:
            done.set()

    def _on_saved(self) -> None:
        self.stateChanged.emit("saved")

    def _on_failed(self, failed: Failed) -> None:
        self._known = {}  # nothing of it counts as written
        self.stateChanged.emit("failed")

    def _timer(self, milliseconds: int) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(milliseconds)
        timer.timeout.connect(self.flush)
        return timer
