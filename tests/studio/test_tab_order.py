"""Tab goes through everything that is in sight, and down the page."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDockWidget, QTabBar, QWidget

from studio.workspace import Workspace


def walk(window) -> list[QWidget]:
    """What Tab stops at, from the question back to it."""
    window.composer.question.setFocus()
    seen: list[QWidget] = []
    while (at := QApplication.focusWidget()) is not None and at not in seen:
        seen.append(at)
        QTest.keyClick(at, Qt.Key.Key_Tab)
    return seen


def dock_of(widget: QWidget) -> str:
    while not isinstance(widget, QDockWidget):
        widget = widget.parentWidget()
        if widget is None:
            return ""
    return widget.objectName()


def test_every_stop_is_in_sight_and_each_panel_is_gone_through_in_one_piece(qtbot, window):
    stops = walk(window)
    assert all(window.rect().contains(widget.mapTo(window, widget.rect().center())) for widget in stops)
    docks = [dock_of(widget) for widget in stops]
    pieces = [dock for dock, before in zip(docks, [None, *docks], strict=False) if dock and dock != before]
    assert pieces == ["inspector", "faithfulness", "steering", "mixer"]
    mixer = [widget for widget in stops if dock_of(widget) == "mixer"]
    heights = [widget.mapTo(window, widget.rect().center()).y() // 16 for widget in mixer]
    assert heights == sorted(heights)


def test_a_head_that_comes_later_is_gone_through_in_its_place(qtbot, window):
    workspace: Workspace = window.workspace
    key = workspace.channels[0].key
    workspace.remove_head(key)
    workspace.undo()
    qtbot.waitUntil(window.mixer.row(key).isVisible, timeout=5_000)
    mixer = [widget for widget in walk(window) if dock_of(widget) == "mixer"]
    names = [widget.accessibleName() for widget in mixer]
    places = [next(i for i, n in enumerate(names) if channel.name in n) for channel in workspace.channels]
    assert places == sorted(places) and places[0] == 3


def test_the_tabs_of_docks_are_stopped_at_while_they_are_there(qtbot, window):
    def tabs() -> list[str]:
        return [w.tabText(1) for w in walk(window) if isinstance(w, QTabBar)]

    window.actions_["panel_settings"].trigger()
    qtbot.waitUntil(lambda: tabs() == ["SETTINGS"], timeout=5_000)
    window.actions_["panel_settings"].trigger()
    qtbot.waitUntil(lambda: tabs() == [], timeout=5_000)
