"""The first window on the screens that people have: the line to type in is on them, the frame included."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from PySide6.QtCore import QRect

from studio.app.screen_fit import keep_on_screen
from tests.studio.app.test_main_job import ask
from tests.studio.chat.test_compare_page import compare

FIRST_WINDOW = """
import json, sys
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
app = QApplication([])
app.setStyle("Fusion")
from studio.app.main_window import Window
window = Window()
def tell():
    free = window.screen().availableGeometry()
    parts = {"frame": window.frameGeometry()}
    for name, part in (("question", window.composer.question), ("send", window.composer.send),
                       ("status", window.status), ("header", window.header)):
        parts[name] = part.rect().translated(part.mapToGlobal(part.rect().topLeft()))
    print(json.dumps({"free": free.getRect(), **{name: at.getRect() for name, at in parts.items()}}))
    window.close()
window.painted.connect(lambda: QTimer.singleShot(300, tell))
window.show()
app.exec()
"""


@pytest.mark.parametrize(
    ("width", "height", "factor"), [(1280, 800, 1), (1366, 768, 1), (1920, 1080, 1.5), (1920, 1080, 1)]
)
def test_the_first_window_is_on_its_screen(tmp_path, width, height, factor):
    screen = {"name": "s", "x": 0, "y": 0, "width": width, "height": height, "logicalDpi": 96, "dpr": 1}
    (tmp_path / "screen.json").write_text(json.dumps({"screens": [screen]}))
    platform = f"offscreen:configfile={tmp_path / 'screen.json'}"
    env = {**os.environ, "QT_QPA_PLATFORM": platform, "QT_SCALE_FACTOR": str(factor)}
    run = subprocess.run(
        [sys.executable, "-c", FIRST_WINDOW], capture_output=True, text=True, check=True, env=env, timeout=120
    )
    parts = {name: QRect(*at) for name, at in json.loads(run.stdout.splitlines()[-1]).items()}
    free = parts.pop("free")
    assert free.width() == int(width / factor)
    for name, at in parts.items():
        assert free.contains(at), (name, at, free)


def test_a_window_that_is_kept_from_a_larger_screen_comes_back_onto_this_one(qtbot, window):
    free = window.screen().availableGeometry()
    window.move(300, 200)
    window.resize(free.width() + 500, free.height() + 300)
    keep_on_screen(window)
    qtbot.waitUntil(lambda: free.contains(window.frameGeometry()))


def test_answers_can_be_read_in_the_smallest_window(qtbot, window):
    ask(qtbot, window, "Tell me about the harbour.")
    compare(qtbot, window)
    window.resize(window.minimumSizeHint())
    qtbot.wait(100)
    line = window.fontMetrics().height()
    for page in ("compare", "conversation"):
        window.actions_[f"page_{page}"].trigger()
        qtbot.wait(50)
        assert window.pages.height() >= 11 * line and window.pages.width() >= 24 * line
    for column in window.compare_page.columns:
        assert column.width() >= 11 * line and column.area.height() >= 5 * line
