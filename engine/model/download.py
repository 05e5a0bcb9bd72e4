"""Brings files from the hub over a connection that may stall, break and come back."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import Cancelled, ModelError
from engine.events import Cancel, Download, Emit
from engine.model.interruptible_wait import of_the_network, wait_for
from engine.model.memory import in_words

PART = ".part"  # ends the name of a file that has not come whole

_SILENCE = 10.0  # seconds without a byte after which the connection is given up and made anew
_STALLED = 3.0  # seconds without a byte after which the person is told
_ATTEMPTS = 6  # in a row that bring nothing
_WINDOW = 3.0  # seconds that a rate is taken over
_TOLD = 0.1  # seconds between two events


@dataclass(frozen=True)
class Wanted:
    """A file to bring. target: where it ends up, named by its hash, by which it is checked; shown: where
    the hub library shows it under its name, once it has been handed over; size in bytes."""

    name: str
    url: str
    target: Path
    shown: Path
    size: int

    @property
    def part(self) -> Path:
        """What has come so far."""
        return self.target.with_name(self.target.name + PART)

    @property
    def lock(self) -> Path:
        """The hub library's own lock of this file, against two programs that bring it at a time."""
        repository = self.target.parent.parent
        return repository.parent / ".locks" / repository.name / f"{self.target.name}.lock"

    @property
    def whole(self) -> bool:
        return self.target.is_file() or (self.shown.is_file() and self.shown.stat().st_size == self.size)

    @property
    def here(self) -> int:
        """Bytes that need not be fetched any more."""
        if self.whole:
            return self.size
        return min(self.part.stat().st_size, self.size) if self.part.is_file() else 0


def download(files: Sequence[Wanted], headers: dict[str, str], *, emit: Emit, cancel: Cancel | None) -> None:
    """Brings what is missing, one file after the other, and checks each by its hash.

    What has come stays when it ends early, and is gone on from. Raises Cancelled, ModelError (the
    connection broke off for good, a file that came damaged), OSError (a full disk) and the hub library's
    own errors for what the hub refuses.
    """
    missing = [file for file in files if not file.whole]
    if not missing:
        return
    total = sum(file.size for file in files)
    transfer = _Transfer(missing, headers, total - sum(file.size for file in missing), total)
    gauge = _Gauge(transfer, emit)
    try:
        wait_for(transfer.run, cancel=cancel, meanwhile=gauge.look)
    finally:
        transfer.stop.set()
    gauge.tell()


class _Transfer:
    """Runs in its own thread, so that no silence of the network keeps a cancel waiting."""

    def __init__(self, files: Sequence[Wanted], headers: dict[str, str], whole: int, total: int) -> None:
        self.stop = threading.Event()
        self.total = total
        self._whole, self._current = whole, 0  # bytes of whole files, and of the one that is coming
        self._files, self._headers = files, headers

    @property
    def done(self) -> int:
        return self._whole + self._current

    def run(self) -> None:
        from huggingface_hub.utils import WeakFileLock

        for file in self._files:
            file.lock.parent.mkdir(parents=True, exist_ok=True)
            file.target.parent.mkdir(parents=True, exist_ok=True)
            with WeakFileLock(file.lock):
                if not file.whole:  # another program may have brought it meanwhile
                    self._bring(file)
            self._whole, self._current = self._whole + file.size, 0

    def _bring(self, file: Wanted) -> None:
        self._sums = _sums(file)
        file.part.touch()
        with file.part.open("rb") as stream:  # what came before is checked along with what comes now
            while block := stream.read(1 << 20):
                self._take(block)
        silent = 0
        while (have := self._current) < file.size:
            try:
                self._stream(file)
            except Cancelled:
                raise
            except Exception as error:
                if not _passing(error):
                    raise
                self.stop.wait(min(silent, 3))
            silent = 0 if self._current > have else silent + 1
            if silent == _ATTEMPTS:
                raise ModelError(
                    f"The file {file.name} could not be downloaded",
                    f"The connection was lost after {in_words(self._current)} of {in_words(file.size)}.",
                    "Try again; the download resumes where it stopped.",
                )
        if self._sums.hexdigest() != file.target.name:
            file.part.unlink()
            raise ModelError(
                f"The file {file.name} could not be downloaded", "The download was corrupted.", "Try again."
            )
        file.part.replace(file.target)

    def _stream(self, file: Wanted) -> None:
        from huggingface_hub import get_session
        from huggingface_hub.utils import hf_raise_for_status

        have = self._current
        headers = {**self._headers, "Range": f"bytes={have}-"} if have else self._headers
        with get_session().stream("GET", file.url, headers=headers, timeout=_SILENCE) as answer:
            hf_raise_for_status(answer)
            if have and answer.status_code == 200:  # the server sends all of it, whatever was asked
                have = self._current = 0
                self._sums = _sums(file)
            with file.part.open("ab" if have else "wb") as out:
                for chunk in answer.iter_bytes():
                    out.write(chunk)
                    self._take(chunk)

    def _take(self, block: bytes) -> None:
        if self.stop.is_set():
            raise Cancelled
        self._sums.update(block)
        self._current += len(block)


class _Gauge:
    """Tells how far a transfer is, at most ten times a second."""

    def __init__(self, transfer: _Transfer, emit: Emit) -> None:
        self._transfer, self._emit = transfer, emit
        now = time.monotonic()
        self._points: deque[tuple[float, int]] = deque([(now, transfer.done)])
        self._moved, self._told = now, 0.0

    def look(self) -> None:
        now, done = time.monotonic(), self._transfer.done
        if done != self._points[-1][1]:
            self._moved = now
        self._points.append((now, done))
        while self._points[0][0] < now - _WINDOW:
            self._points.popleft()
        if now - self._told >= _TOLD:
            self._told = now
            self.tell()

    def tell(self) -> None:
        (began, before), (now, done) = self._points[0], self._points[-1]
        done, total = self._transfer.done, self._transfer.total
        rate = max(0.0, (done - before) / (now - began)) if now > began else 0.0
        stalled = done < total and time.monotonic() - self._moved > _STALLED
        eta = (total - done) / rate if rate else None
        self._emit(
            Download("connection stalled" if stalled else "downloading", done, total, eta, rate, stalled)
        )


def _sums(file: Wanted) -> Any:
    """The hash that the hub names a file by, of nothing yet: sha256, or git's own for small files."""
    if len(file.target.name) == 64:
        return hashlib.sha256()
    return hashlib.sha1(b"blob %d\0" % file.size, usedforsecurity=False)


def _passing(error: Exception) -> bool:
    """Whether an error may be gone at the next try: one of the network, or of a server in trouble."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return status >= 500 if status is not None else of_the_network(error)
