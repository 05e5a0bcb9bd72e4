"""Where the keyboard is can be seen, on every stop of the Tab key."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from tests.studio.app.test_main_job import ask
from tests.studio.app.test_tab_order import walk
from tests.studio.chat.test_compare_page import compare
from tests.studio.widgets.test_contrast import contrast

LEAST = 3.0  # to 1, of a sign of focus against what was there before


def picture(widget: QWidget) -> np.ndarray:
    """[height, width, 3] of 0 to 1."""
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGBA8888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.width(), 4)
    return rows[..., :3] / 255


def unseen(window) -> list[str]:
    """The stops that look with the keyboard as they do without it."""
    found = []
    for stop in walk(window):
        stop.setFocus(Qt.FocusReason.TabFocusReason)
        there = picture(stop)
        QTest.keyClick(stop, Qt.Key.Key_Tab)
        gone = picture(stop)
        if there.shape != gone.shape or contrast(there, gone).max() < LEAST:
            found.append(f"{type(stop).__name__} {stop.accessibleName()}")
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", ["conversation", "compare", "lab"])
def test_the_stop_that_has_the_keyboard_looks_otherwise(qtbot, window, page, scheme):
    window.preferences.set("scheme", scheme)
    window.resize(1920, 1080)
    window.docks.arrange()
    ask(qtbot, window, "Tell me about the harbour.")
    if page == "compare":
        compare(qtbot, window, blind=True)
    window.actions_[f"page_{page}"].trigger()
    found = unseen(window)
    for key in ("library", "log", "settings"):
        window.docks.show(key)
    qtbot.wait(50)
    found += unseen(window)
    window.workspace.select(window.workspace.turns[-1].answers[0], 2)
    found += unseen(window)
    assert not found, found


def test_nothing_moves_with_the_keyboard(qtbot, window):
    ask(qtbot, window, "Tell me about the harbour.")
    view = window.conversation.view(window.workspace.shown)
    for stop in (view, window.heatmap.plot, window.inspector, window.composer.send):
        window.composer.question.setFocus()
        gone = picture(stop)
        stop.setFocus()
        there = picture(stop)
        assert there.shape == gone.shape
        inside = (slice(3, -3), slice(3, -3))  # a frame at the edge is all there is to see
        assert np.array_equal(there[inside], gone[inside]), stop


def test_the_keyboard_goes_on_where_votes_are_shown_when_a_vote_is_cast(qtbot, window):
    page = window.compare_page
    window.activateWindow()
    compare(qtbot, window, blind=True)
    page.columns[1].vote.setFocus()
    QTest.keyClick(page.columns[1].vote, Qt.Key.Key_Space)
    assert not page.tie.isVisible() and QApplication.focusWidget() is page.votes
