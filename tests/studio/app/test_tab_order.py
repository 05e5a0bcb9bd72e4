"""Tab goes through everything that is in sight, and down the page."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDockWidget, QTabBar, QWidget

from studio.library.library_panel import LibraryPanel
from studio.state.workspace import Workspace
from tests.studio.app.test_main_job import ask


def walk(window, key: Qt.Key = Qt.Key.Key_Tab) -> list[QWidget]:
    """What Tab stops at, from the question back to it."""
    window.activateWindow()
    QApplication.processEvents()
    window.composer.question.setFocus()
    seen: list[QWidget] = []
    while (at := QApplication.focusWidget()) is not None and at not in seen:
        assert in_sight(at), at
        seen.append(at)
        QTest.keyClick(at, key)
    assert at is window.composer.question, (at, seen)
    return seen


def in_sight(widget: QWidget) -> bool:
    parts = [widget, *widget.findChildren(QWidget)]  # a part that is covered by another is told of as hidden
    return any(not part.visibleRegion().isEmpty() for part in parts)


def reachable(window) -> set[QWidget]:
    """What is in sight of the window, or in what scrolls there, and takes the keyboard."""
    return {
        widget
        for widget in window.findChildren(QWidget)
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        and widget.focusProxy() is None
        and widget.window() is window
        and widget.isVisible()
        and widget.isEnabled()
        and not behind(widget)
    }


def behind(widget: QWidget) -> bool:
    """Whether it is in a panel whose tab is not the front one."""
    while not isinstance(widget, QDockWidget):
        widget = widget.parentWidget()
        if widget is None:
            return False
    return not in_sight(widget)


def dock_of(widget: QWidget) -> str:
    while not isinstance(widget, QDockWidget):
        widget = widget.parentWidget()
        if widget is None:
            return ""
    return widget.objectName()


def test_every_stop_is_in_sight_and_each_panel_is_gone_through_in_one_piece(qtbot, window):
    stops = walk(window)
    docks = [dock_of(widget) for widget in stops]
    pieces = [dock for dock, before in zip(docks, [None, *docks], strict=False) if dock and dock != before]
    assert pieces == ["inspector", "faithfulness", "steering", "mixer"]
    mixer = [widget for widget in stops if dock_of(widget) == "mixer"]
    heights = [widget.mapTo(window, widget.rect().center()).y() // 16 for widget in mixer]
    assert heights == sorted(heights)


@pytest.mark.parametrize("size", [(1280, 800), (1920, 1080)])
@pytest.mark.parametrize("page", ["conversation", "compare", "lab"])
def test_tab_goes_through_all_there_is_and_back(qtbot, window, page, size):
    window.resize(*size)
    window.docks.arrange()
    ask(qtbot, window, "Tell me about the harbour.")
    window.actions_[f"page_{page}"].trigger()
    for front in ((), ("library", "log", "settings")):
        for key in front:
            window.docks.show(key)
        qtbot.wait(50)
        qtbot.waitUntil(lambda: not any(p.list.isVisible() for p in window.findChildren(LibraryPanel)))
        wanted = reachable(window)
        for way in (Qt.Key.Key_Tab, Qt.Key.Key_Backtab):
            missed = wanted - set(walk(window, way))
            assert len(wanted) > 30 and not missed, [(w, w.accessibleName()) for w in missed]


def test_a_page_or_a_panel_is_entered_where_one_types(qtbot, window):
    window.activateWindow()
    for key, field in (
        ("compare", window.composer.question),
        ("lab", window.lab_page.form.methods),
        ("conversation", window.conversation),
    ):
        window.actions_[f"page_{key}"].trigger()
        assert QApplication.focusWidget() is field
    for key, name in (
        ("steering", "prompt"), ("mixer", "bypass"), ("library", "search"), ("log", "filter"),
    ):  # fmt: skip
        window.docks.show(key)
        assert QApplication.focusWidget() is getattr(window.docks[key].widget(), name)


def test_a_head_that_comes_later_is_gone_through_in_its_place(qtbot, window):
    workspace: Workspace = window.workspace
    key = workspace.channels[0].key
    workspace.mixer.remove_head(key)
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
