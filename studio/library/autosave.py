"""Keeps the workspace in the library: a moment after every change, and at once before anything runs."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from studio.library.library_jobs import LibraryJobs, OpenedConversation
from studio.library.session_writer import Signature, Snapshot, signature, take
from studio.runtime.worker import Job, JobFailure, Worker
from studio.state.conversation import Turn
from studio.state.workspace import Workspace

PAUSE_MS = 400  # after a change, though others follow
STREAM_MS = 2000  # between saves while text streams
RETRY_MS = 15_000  # after a failure


class Saving(threading.Event):
    """Set when everything up to a moment is on the disk, or could not be written; kept: which of the two."""

    kept = False


class Autosave(QObject):
    """Owns the library's thread. Nothing is saved before `begin`: what was not read is never replaced.

    trouble: why nothing can be kept right now, None while all goes well. It is tried again by itself.
    """

    stateChanged = Signal(str)  # "saved", "saving", "failed"

    def __init__(self, workspace: Workspace, folder: Path | None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self.keeps = folder is not None
        self.archive = LibraryJobs(folder)
        self.worker = Worker(parent=self, name="library")
        self._known: dict[str, dict[str, Signature]] = {}  # by conversation and turn, what the library has
        self._versions: Counter[str] = Counter()  # by conversation, how often it was changed in the library
        self._gone: set[str] = set()  # rounds that were taken back; each save says so, for one may fail
        self._begun = False
        self._under_way = 0  # saves, and the opening
        self.trouble: JobFailure | None = None
        self._told: tuple[str, str] | None = None  # what and why of the failure that was told last
        self._then: Callable[[Any], None] = lambda left: None
        self._unreadable: Callable[[JobFailure], None] = lambda failed: None
        self._pause = self._timer(PAUSE_MS, self._on_due)
        self._stream = self._timer(STREAM_MS, self._on_due)
        self._retry = self._timer(RETRY_MS, self.retry)
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

    def open(self, then: Callable[[Any], None], failed: Callable[[JobFailure], None]) -> None:
        """Opens the library; `then` hears of the session that was left, an archive.Left or None.

        After a failure that leads to `give_up` it is tried again, and either is called again.
        """
        self._then, self._unreadable = then, failed
        self.worker.start()
        self._open()

    def begin(self) -> None:
        """From now on the workspace is kept."""
        self._begun = self.keeps
        self.flush()

    def give_up(self, failed: JobFailure) -> None:
        """Nothing is kept until the library opens: what lies in it is never written over unread."""
        self.keeps = False
        self._fail(failed)

    @Slot()
    def retry(self) -> None:
        """Tries again what failed: to save, or to open the library."""
        if self._begun:
            self.flush()
        elif self.trouble is not None and not self._under_way:
            self._open()

    def save_now(self) -> None:
        """By the person's wish: what fails is told again."""
        self._told = None
        self.retry()

    def know(self, conversation: str, turns: tuple[Turn, ...]) -> None:
        """These turns are in the library as they are, and are not written again."""
        self._known[conversation] = {turn.key: signature(turn) for turn in turns}

    def open_conversation(self, label: str, key: str, then: Callable[[OpenedConversation], None]) -> None:
        """Reads a conversation; `then` gets it. Its turns are known to be in the library unless they were
        saved, removed or put back meanwhile: then the next save writes all of them."""
        version = self._versions[key]

        def on_done(opened: OpenedConversation) -> None:
            if opened.lost:
                pass  # a copy goes on, under another key
            elif self._versions[key] == version:
                self.know(key, opened.turns)
            else:
                self._known.pop(key, None)
            then(opened)

        self.worker.submit(Job(label, lambda emit, cancel: self.archive.turns(key), on_done=on_done))

    def expect_change(self, key: str) -> None:
        """Something else than a save is about to change the conversation in the library."""
        self._versions[key] += 1
        self._known.pop(key, None)

    def flush(self, clean: bool = False) -> Saving:
        """Saves now; clean: the session ends in order with it. Where nothing is to be kept, all is."""
        saving = Saving()
        for timer in (self._pause, self._stream):
            timer.stop()
        if not self._begun:
            opening = self.keeps and self._under_way > 0
            saving.kept = self.trouble is None and not opening
            saving.set()
            return saving
        self._retry.stop()
        snapshot, known = self._take(clean), self._known
        for key, turns in self._pages():
            self.know(key, turns)
            self._versions[key] += 1
        self._under_way += 1
        self.stateChanged.emit("saving")
        job = Job(
            self.tr("Saving"),
            lambda emit, cancel: self._save(snapshot, saving),
            on_done=lambda _: self._on_saved(known),
            on_failed=self._on_failed,
        )
        job.quiet = True  # a failure is told once, however often it is tried again
        self.worker.submit(job)
        return saving

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
            Job(self.tr("Saving the vote"), lambda emit, cancel: self.archive.add_vote(key, facts))
        )

    @Slot(str)
    def drop_vote(self, key: str) -> None:
        """Takes it out again."""
        self.worker.submit(
            Job(self.tr("Withdrawing the vote"), lambda emit, cancel: self.archive.drop_vote(key))
        )

    @Slot(str)
    def drop_round(self, key: str) -> None:
        """A comparison was taken back: the library keeps it no longer, unless it is shown again."""
        self._gone.add(key)
        self.expect_change(key)
        self._on_change()

    def close(self, abandon: bool = False) -> None:
        """What waits is done, or dropped: abandon. The last save is made before, with `flush`."""
        for timer in (self._pause, self._stream, self._retry):
            timer.stop()
        self._begun = False
        if abandon:
            self.worker.close()
        else:
            self.worker.finish()
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

    @Slot()
    def _on_due(self) -> None:
        """One save at a time: while another program holds the library, each of them waits."""
        if self._under_way:
            self._pause.start()
        else:
            self.flush()

    def _open(self) -> None:
        def work() -> Any:
            self.archive.close()  # of a try that came half-way
            return self.archive.open()

        self._under_way += 1
        job = Job(
            self.tr("Opening the library"),
            lambda emit, cancel: work(),
            on_done=self._on_opened,
            on_failed=self._on_unopened,
        )
        job.quiet = True  # its words are for who asked
        self.worker.submit(job)

    def _on_opened(self, left: Any) -> None:
        self._under_way -= 1
        self.keeps = self.keeps or self.trouble is not None
        self._settle()
        self._then(left)

    def _on_unopened(self, failed: JobFailure) -> None:
        self._under_way -= 1
        self._unreadable(failed)

    def _pages(self) -> list[tuple[str, tuple[Turn, ...]]]:
        """Key and turns of the conversation, and of the round on the Compare page."""
        at = self._workspace.round
        own = (self._workspace.conversation, self._workspace.turns)
        return [own] if at is None else [own, (at.key, at.turns)]

    def _take(self, clean: bool) -> Snapshot:
        pages = [key for key, _ in self._pages()]
        self._gone.difference_update(pages)
        known = {turn: told for page in pages for turn, told in self._known.get(page, {}).items()}
        return take(self._workspace, known, clean, self._gone)

    def _save(self, snapshot: Snapshot, saving: Saving) -> None:
        try:
            self.archive.save(snapshot)
            saving.kept = True
        finally:
            saving.set()

    def _on_saved(self, known: dict[str, dict[str, Signature]]) -> None:
        self._under_way -= 1
        if known is not self._known:
            self.flush()  # one before it failed, and turns that it was to write are in neither
        else:
            self._settle()
            self.stateChanged.emit("saved")

    def _on_failed(self, failed: JobFailure) -> None:
        self._under_way -= 1
        self._known = {}  # nothing of it counts as written
        self._fail(failed)

    def _fail(self, failed: JobFailure) -> None:
        self.trouble = failed
        self._retry.start()
        self.stateChanged.emit("failed")
        if self._told != (failed.what, failed.why):
            self._told = (failed.what, failed.why)
            self.worker.failed.emit(failed)

    def _settle(self) -> None:
        """What failed has gone well."""
        if self.trouble is not None:
            self.worker.succeeded.emit(self.trouble.job)
        self.trouble = self._told = None

    def _timer(self, milliseconds: int, do: Callable[[], Any]) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(milliseconds)
        timer.timeout.connect(do)
        return timer
