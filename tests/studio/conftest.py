"""The real window with the real worker and Pocket; and a watch over what a test leaves behind."""

from __future__ import annotations

import gc
import logging
import os
import sys
import threading
from contextlib import closing
from pathlib import Path

if os.environ.get("QT_QPA_PLATFORM", "offscreen") == "offscreen":  # its own screen is of 800 x 800 pixels
    os.environ["QT_QPA_PLATFORM"] = f"offscreen:configfile={Path(__file__).with_name('screen.json')}"

import numpy as np
import pytest
import shiboken6
from PySide6.QtCore import QCoreApplication, QEvent, QThread, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from engine.heads.head import BlockHead, Head, HeadInfo, ModelIdentity
from engine.library.catalog import votes
from engine.library.store import LibraryStore
from studio.app.main_window import Window
from studio.widgets import theme, translation
from tests.engine.model.test_hub import hub, stored  # noqa: F401 - fixtures, for models in the window

LOADING_MS = 90_000
HARMLESS_THREADS = (threading._DummyThread,)  # how Python sees Qt's and torch's own
HARMLESS_NAMES = ("(process_request_thread)", "tqdm_monitor")  # a test's own server; a library's bars
# The offscreen platform says so: of resizes, floating docks, menus that pop up.
HARMLESS = ("propagateSizeHints", "raise()", "grabbing the keyboard")


class Complaints(logging.Handler):
    """Words of every record at WARNING or above; a test that expects some clears them."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.words: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.words.append(f"{record.name}: {record.getMessage()}")


@pytest.fixture(scope="session", autouse=True)
def language(qapp: QApplication) -> None:
    """The window's words as a person reads them, with the forms of one and of many."""
    translation.install(qapp)


@pytest.fixture
def complaints():
    handler = Complaints()
    logging.getLogger().addHandler(handler)
    yield handler.words
    logging.getLogger().removeHandler(handler)


@pytest.fixture(autouse=True)
def nothing_left_behind(qapp: QApplication, qtlog, complaints):
    """Fails a test that leaves a thread, an active timer, a widget, a logged warning or a Qt warning."""
    theme.apply(qapp, theme.LIGHT)
    widgets = set(map(id, qapp.topLevelWidgets()))
    before = set(threading.enumerate())
    yield
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    qapp.processEvents()
    gc.collect()
    living = [o for o in gc.get_objects() if issubclass(type(o), QThread | QTimer) and shiboken6.isValid(o)]
    threads = [o for o in living if isinstance(o, QThread) and o.isRunning()]
    timers = [(o, o.parent()) for o in living if isinstance(o, QTimer) and o.isActive()]
    warnings = [r.message for r in qtlog.records if r.log_type_name != "QtDebugMsg"]
    warnings = [w for w in warnings if not any(h in w for h in HARMLESS)]
    strangers = [t for t in threading.enumerate() if t not in before and not isinstance(t, HARMLESS_THREADS)]
    strangers = [t for t in strangers if not t.name.endswith(HARMLESS_NAMES)]
    if "torch._inductor" in sys.modules:  # the compiler keeps a pool of its own
        strangers = [t for t in strangers if not t.name.startswith("ThreadPoolExecutor")]
    del living
    gc.freeze()  # what is there now is looked at once: else every test looks through all that came before
    shown = [w for w in qapp.topLevelWidgets() if w.isVisible() and id(w) not in widgets]
    assert not threads, f"threads still running: {threads}"
    assert not strangers, f"threads still running: {strangers}"
    assert not shown, f"windows still open: {shown}"
    assert not complaints, f"logged: {complaints}"
    assert not timers, f"timers still active: {timers}"
    assert not warnings, f"Qt complained: {warnings}"


def close(made: Window) -> None:
    """As a person would, whatever the window is doing; of what cannot be saved they take leave."""
    made.close()
    for _ in range(LOADING_MS // 10):
        if made.leaving.distilling is not None:
            made.leaving.distilling.cancel.click()
        if made.leaving.dialog is not None:
            made.leaving.dialog.discard.click()
        if not made.isVisible():
            break
        QTest.qWait(10)  # files that were promised are written first
    assert not made.controllers.worker.alive and not made.autosave.worker.alive
    made.deleteLater()


@pytest.fixture
def fresh_window(qtbot):
    """A window not yet shown, which keeps nothing; closed and destroyed afterwards."""
    made = Window()
    yield made
    close(made)


@pytest.fixture
def open_window(qtbot, tmp_path):
    """Opens windows over the test's own folder, one after the other; the last is closed afterwards."""
    opened: list[Window] = []

    def open_one(source: str | None = None) -> Window:
        if opened:
            close(opened.pop())
        opened.append(Window(source, tmp_path / "home"))
        opened[0].show()
        return opened[0]

    yield open_one
    if opened:
        close(opened.pop())


def ready(qtbot, window: Window) -> Window:
    qtbot.waitUntil(lambda: window.workspace.loading.facts is not None, timeout=LOADING_MS)
    return window


@pytest.fixture
def window(qtbot, fresh_window):
    """A shown window with Pocket loaded."""
    fresh_window.show()
    qtbot.waitUntil(lambda: fresh_window.workspace.loading.facts is not None, timeout=LOADING_MS)
    return fresh_window


def library(window: Window) -> closing[LibraryStore]:
    """A connection of its own to the window's library, whose own one is its worker's alone."""
    return closing(LibraryStore(window.autosave.archive._need().path.parent))


def kept_votes(window: Window) -> list[dict]:
    with library(window) as store:
        return votes(store)


def make_head(name: str = "pirate", blocks: int = 2, width: int = 4) -> Head:
    """A head of random rows that fits no real model."""
    rng = np.random.default_rng(0)
    rows = {}
    for block in range(blocks):
        w, b, z = rng.normal(size=(1, width)), rng.normal(size=1), rng.normal(size=(1, width))
        rows[block] = BlockHead(w.astype(np.float32), b.astype(np.float32), z.astype(np.float32)).canonical()
    identity = ModelIdentity("tiny", None, "Tiny", width, blocks, 8, "0")
    return Head(rows, "relu", HeadInfo(name, "a-psr", "Talk like a pirate.", identity))
