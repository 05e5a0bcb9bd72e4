"""What is written when the studio fails, and read at the next start."""

from __future__ import annotations

import faulthandler
import logging
import sys
import threading
import traceback
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from PySide6.QtCore import QMessageLogContext, QtMsgType, qInstallMessageHandler

log = logging.getLogger("studio.app.crash_report")

_LEVELS = {
    QtMsgType.QtDebugMsg: logging.DEBUG,
    QtMsgType.QtInfoMsg: logging.INFO,
    QtMsgType.QtWarningMsg: logging.WARNING,
    QtMsgType.QtCriticalMsg: logging.ERROR,
    QtMsgType.QtFatalMsg: logging.CRITICAL,
}
KEPT = 200_000  # characters of a report that are shown: its end


class CrashReport:
    """One file. Python's fatal errors, exceptions that nobody caught in any thread, and Qt's last words.

    Where no file can be written, the terminal is told instead: the library tells the person the same cause.
    """

    def __init__(self, folder: Path) -> None:
        """Takes over the report of the run before; `before` is its text, "" after a run without a fault, and
        `kept` where it lies."""
        self.path, self.kept, self.before = folder / "crash.txt", folder / "crash-before.txt", ""
        self._file: TextIO = sys.stderr
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.before = _read(self.path)
            if self.before:
                self.path.replace(self.kept)
            self._file = self.path.open("w", encoding="utf-8")
        except OSError as error:
            log.error("No crash report can be kept: %s", error)
        self.told: Callable[[str], Any] = lambda text: None  # hears of exceptions as they come

    def install(self) -> None:
        """From now on every fault of this process is written down."""
        faulthandler.enable(self._file)
        sys.excepthook = self._on_exception
        threading.excepthook = self._on_thread
        qInstallMessageHandler(_on_qt)

    def close(self) -> None:
        """The end of a run in order; the file is gone when nothing was written."""
        faulthandler.disable()
        qInstallMessageHandler(None)
        sys.excepthook, threading.excepthook = sys.__excepthook__, threading.__excepthook__
        if self._file is not sys.stderr:
            self._file.close()
            if not _read(self.path):
                self.path.unlink(missing_ok=True)

    def write(self, where: str, text: str) -> None:
        moment = datetime.now().astimezone().isoformat(timespec="seconds")
        try:
            self._file.write(f"{moment} {where}\n{text}\n")
            self._file.flush()
        except OSError as error:  # a full disk is no reason to tell nobody
            log.error("The crash report was not kept: %s", error)

    def _on_exception(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
            return
        text = "".join(traceback.format_exception(kind, error, trace))
        self.write("main thread", text)
        log.error("%s", text)
        self.told(text)

    def _on_thread(self, failed: threading.ExceptHookArgs) -> None:
        text = "".join(traceback.format_exception(failed.exc_type, failed.exc_value, failed.exc_traceback))
        name = failed.thread.name if failed.thread else "a thread"
        self.write(f"thread {name}", text)
        log.error("%s", text)


def _on_qt(kind: QtMsgType, context: QMessageLogContext, message: str) -> None:
    logging.getLogger("studio.qt").log(_LEVELS.get(kind, logging.INFO), "%s", message)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")[-KEPT:]
    except FileNotFoundError:
        return ""
