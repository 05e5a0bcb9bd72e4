"""The real window with the real worker and Pocket; and a watch over what a test leaves behind."""

from __future__ import annotations

import gc
import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
import pytest
import shiboken6
from PySide6.QtCore import QCoreApplication, QEvent, QThread, QTimer
from PySide6.QtWidgets import QApplication

from engine.heads.head import BlockHead, Head, HeadInfo, ModelIdentity
from studio import theme
from studio.window import Window

LOADING_MS = 90_000
HARMLESS = ("propagateSizeHints",)  # the offscreen platform says so at every resize


@pytest.fixture(autouse=True)
def nothing_left_behind(qapp: QApplication, qtlog):
    """Fails a test that leaves a running thread, an active timer, or a Qt warning."""
    theme.apply(qapp, theme.LIGHT)
    yield
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    qapp.processEvents()
    living = [o for o in gc.get_objects() if issubclass(type(o), QThread | QTimer) and shiboken6.isValid(o)]
    threads = [o for o in living if isinstance(o, QThread) and o.isRunning()]
    timers = [(o, o.parent()) for o in living if isinstance(o, QTimer) and o.isActive()]
    warnings = [r.message for r in qtlog.records if r.log_type_name != "QtDebugMsg"]
    warnings = [w for w in warnings if not any(h in w for h in HARMLESS)]
    assert not threads, f"threads still running: {threads}"
    assert not timers, f"timers still active: {timers}"
    assert not warnings, f"Qt complained: {warnings}"


@pytest.fixture
def fresh_window(qtbot):
    """A window not yet shown; closed and destroyed afterwards, whatever it was doing."""
    made = Window()
    yield made
    made.close()
    assert not made.session.worker.alive
    made.deleteLater()


@pytest.fixture
def window(qtbot, fresh_window):
    """A shown window with Pocket loaded."""
    fresh_window.show()
    qtbot.waitUntil(lambda: fresh_window.workspace.loading.facts is not None, timeout=LOADING_MS)
    return fresh_window


def make_head(name: str = "pirate", blocks: int = 2, width: int = 4) -> Head:
    """A head of random rows that fits no real model."""
    rng = np.random.default_rng(0)
    rows = {}
    for block in range(blocks):
        w, b, z = rng.normal(size=(1, width)), rng.normal(size=1), rng.normal(size=(1, width))
        rows[block] = BlockHead(w.astype(np.float32), b.astype(np.float32), z.astype(np.float32)).canonical()
    identity = ModelIdentity("tiny", None, "Tiny", width, blocks, 8, "0")
    return Head(rows, "relu", HeadInfo(name, "a-psr", "Talk like a pirate.", identity))
