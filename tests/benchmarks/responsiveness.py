"""How long the GUI thread is away while the real window distills and generates (offscreen)."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

from tests.benchmarks.table import Bar, print_table

_PATIENCE = 180.0


def measure(options: argparse.Namespace) -> list[Bar]:
    """A probe timer in the window's own thread measures the lateness of its ticks through both jobs."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtWidgets import QApplication

    from studio.app.main_window import Window
    from studio.state.requests import FitRequest
    from studio.widgets import theme
    from tests.benchmarks.lag_probe import LagProbe

    app = QApplication.instance() or QApplication([])
    assert isinstance(app, QApplication)
    app.setStyle("Fusion")
    theme.apply(app, theme.of_system())
    window = Window("pocket")
    window.show()
    session, workspace = window.controllers, window.workspace
    send, distill = session.answering.send, session.distilling.start
    until(lambda: workspace.loading.facts is not None)
    until(after(0.5))
    probe = LagProbe()
    found = []

    def during(name: str, start: Callable[[], object], busy: Callable[[], bool]) -> None:
        probe.start()
        start()
        until(lambda: not busy())
        probe.stop()
        found.append((name, probe.p99_ms, probe.worst_ms, float(probe.ticks)))

    during("generating", lambda: send("Tell me about the harbour."), lambda: session.talking)
    during(
        "distilling, instant",
        lambda: distill(FitRequest("Be gloomy.")),
        lambda: session.fitting,
    )
    refine = FitRequest("Be cheerful.", recipe="refine")
    during("distilling, refined", lambda: distill(refine), lambda: session.fitting)
    during("generating again", lambda: send("Tell me about bees."), lambda: session.talking)
    window.close()
    print_table(("GUI thread lateness in ms", "p99", "worst", "ticks"), found)
    return [Bar("GUI thread, longest away", max(row[2] for row in found), 50.0, False, " ms")]


def after(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


def until(done: Callable[[], bool], every_ms: int = 20) -> None:
    from PySide6.QtCore import QEventLoop, QTimer

    limit = time.monotonic() + _PATIENCE
    loop, timer = QEventLoop(), QTimer()

    def look() -> None:
        if done() or time.monotonic() > limit:
            loop.quit()

    timer.timeout.connect(look)
    timer.start(every_ms)
    loop.exec()
    timer.stop()
    if not done():
        raise TimeoutError("the window did not get there")
