"""Panels in their places, and no text cut, however large it is and wherever the window stands."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QSize, Qt
from PySide6.QtGui import QFont, QGuiApplication
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractScrollArea,
    QAbstractSpinBox,
    QComboBox,
    QDockWidget,
    QLabel,
    QTabBar,
    QWidget,
)

from studio.app.dock_layout import PLACES
from studio.app.settings_panel import SettingsPanel
from studio.state.compare_columns import ColumnChoice
from studio.widgets.label import ElidedLabel
from studio.widgets.plot_pens import pen
from tests.studio.app.test_main_job import ask
from tests.studio.conftest import ready


def test_every_panel_comes_and_goes_by_its_action(qtbot, window):
    for place in PLACES:
        action, dock = window.actions_[f"panel_{place.key}"], window.docks[place.key]
        before = action.isChecked()
        assert before == place.shown
        action.trigger()
        assert dock.isVisible() != before or dock.isHidden() != before
        action.trigger()
    window.actions_["reset_layout"].trigger()
    assert all(window.docks[p.key].isVisible() == p.shown for p in PLACES)


def test_an_arrangement_is_kept_and_can_be_put_back(qtbot, open_window):
    window = ready(qtbot, open_window())
    window.docks.show("log")
    window.docks["mixer"].hide()
    window.preferences.set("zoom", 1.25)
    other = ready(qtbot, open_window())
    assert other.docks["log"].isVisible() and not other.docks["mixer"].isVisible()
    assert other.preferences.get("zoom") == 1.25
    other.actions_["reset_layout"].trigger()
    assert other.docks["mixer"].isVisible() and not other.docks["log"].isVisible()
    other.actions_["zoom_reset"].trigger()
    assert other.preferences.get("zoom") == 1.0


def test_what_stood_on_a_screen_that_is_gone_is_pulled_back(qtbot, open_window):
    window = ready(qtbot, open_window())
    window.docks["mixer"].setFloating(True)
    window.docks["mixer"].move(9000, 7000)
    window.move(8000, 6000)
    other = ready(qtbot, open_window())
    screen = QGuiApplication.primaryScreen().availableGeometry()
    assert other.docks["mixer"].isFloating()
    for widget in (other, other.docks["mixer"]):
        assert screen.contains(widget.frameGeometry().topLeft()), widget.frameGeometry()
        assert screen.intersects(widget.frameGeometry().adjusted(40, 40, 0, 0))


def test_text_has_its_size_from_the_first_frame_on(qtbot, qapp, open_window):
    qapp.setStyleSheet("")
    qapp.setFont(QFont("Sans Serif", 9))  # as a program starts
    window = ready(qtbot, open_window())
    ours = [w for w in window.findChildren(QWidget) if w.isVisible() and not w.objectName().startswith("qt_")]
    fonts = [(w, w.font().pointSizeF()) for w in ours]
    window.look.apply()
    qtbot.wait(20)
    assert [(w, w.font().pointSizeF()) for w, _ in fonts] == fonts


@pytest.mark.parametrize("size", [(1280, 800), (1920, 1080)])
def test_the_first_arrangement_fits_the_window(qtbot, window, size):
    window.resize(*size)
    window.docks.arrange()
    qtbot.wait(50)
    assert (window.width(), window.height()) == size
    assert window.docks["library"].isVisible() == (size[0] >= 1600)
    for key in ("mixer", "heatmap", "inspector", "faithfulness"):
        dock = window.docks[key]
        corner = dock.mapTo(window, QPoint(dock.width(), dock.height()))
        assert corner.x() <= size[0] and corner.y() <= size[1], key


@pytest.mark.parametrize("size", [(1280, 800), (1920, 1080)])
def test_no_text_is_cut_however_large_it_is(qtbot, window, size):
    ask(qtbot, window, "Tell me about the harbour.")
    window.workspace.select(window.workspace.turns[0].answers[0], 4)
    window.resize(*size)
    window.docks.arrange()
    for zoom in (1.0, 1.25, 1.5, 1.75, 2.0):
        window.preferences.set("zoom", zoom)
        for key in ("lab", "compare", "conversation"):
            window.actions_[f"page_{key}"].trigger()
            qtbot.wait(80)
            assert window.size().toTuple() == size, (zoom, key)
            assert not cut(window), (zoom, key)
            assert window.composer.question.width() >= 16 * window.fontMetrics().height()
        for place in PLACES:
            if window.docks[place.key].isVisible():
                window.docks[place.key].raise_()
                qtbot.wait(20)
                assert not cut(window), (zoom, place.key)
    window.preferences.set("zoom", 1.0)


def cut(window):
    """What is smaller than its words need, or cut by what it lies in; a Line tells what it cuts."""
    kinds = QLabel | QAbstractButton | QComboBox | QAbstractSpinBox
    shown = [w for w in window.findChildren(QWidget) if isinstance(w, kinds) and w.isVisible()]
    shown = [w for w in shown if not isinstance(w, ElidedLabel) and not w.objectName().startswith("qt_")]
    return [
        (type(w).__name__, w.accessibleName(), _words(w), w.size().toTuple(), w.sizeHint().toTuple())
        for w in shown
        if _needs(w) or _sticks_out(w)
    ]


def _words(widget):
    return widget.text() if isinstance(widget, QLabel | QAbstractButton) else ""


def _needs(widget):
    size, hint = widget.size(), widget.sizeHint()
    if isinstance(widget, QLabel) and widget.wordWrap():
        return widget.heightForWidth(size.width()) > size.height() + 1
    if isinstance(widget, QComboBox) and widget.isEditable():
        return size.width() < widget.minimumSizeHint().width()
    if isinstance(widget, QLabel):  # a hint of no width is that of words that fit themselves in
        margins = widget.contentsMargins()
        wide = widget.fontMetrics().horizontalAdvance(widget.text()) + margins.left() + margins.right()
        hint = QSize(wide, hint.height())
    return hint.width() > size.width() + 1 or hint.height() > size.height() + 1


def _sticks_out(widget):
    """Over the edge of its parent, up to the first that scrolls; a tab that is behind lies outside, and
    so do tabs with nothing to choose between."""
    while (parent := widget.parentWidget()) is not None and not isinstance(widget, QDockWidget | QTabBar):
        if not parent.rect().adjusted(-1, -1, 1, 1).contains(widget.geometry()):
            area = parent.parentWidget()
            scrolls = isinstance(area, QAbstractScrollArea) and area.viewport() is parent
            return not scrolls or widget.width() > parent.width()
        widget = parent
    return False


@pytest.mark.parametrize("size", [(1280, 800), (1920, 1080)])
def test_large_text_puts_the_docks_into_tabs_and_normal_text_puts_them_back(qtbot, window, size):
    window.resize(*size)
    window.docks.arrange()
    window.docks["faithfulness"].hide()
    window.docks.show("settings")
    window.docks["settings"].widget().controls["zoom"].setFocus()
    window.resizeDocks([window.docks["steering"]], [400], Qt.Orientation.Vertical)
    qtbot.wait(200)
    seen = [dock for dock in (window.docks[p.key] for p in PLACES) if not dock.visibleRegion().isEmpty()]
    before = [dock.geometry() for dock in seen]
    window.preferences.set("zoom", 2.0)
    steering, mixer = window.docks["steering"], window.docks["mixer"]
    qtbot.waitUntil(lambda: mixer in window.tabifiedDockWidgets(steering))
    qtbot.waitUntil(lambda: not window.docks["settings"].visibleRegion().isEmpty())  # one is at work in it
    assert window.docks["faithfulness"].isHidden()
    window.preferences.set("zoom", 1.0)
    qtbot.waitUntil(lambda: not window.tabifiedDockWidgets(steering))
    qtbot.waitUntil(lambda: [dock.geometry() for dock in seen] == before)
    assert window.docks["faithfulness"].isHidden() and window.size().toTuple() == size


def test_what_is_tall_for_a_moment_leaves_the_window_as_large_as_it_was(qtbot, window):
    window.resize(1280, 800)
    window.docks.arrange()
    window.preferences.set("zoom", 1.25)
    window.header.setMinimumHeight(500)
    qtbot.waitUntil(lambda: window.height() > 800)
    window.preferences.set("zoom", 1.5)  # the size that it has now is nobody's choice
    qtbot.waitUntil(lambda: window.docks["mixer"] in window.tabifiedDockWidgets(window.docks["steering"]))
    assert window.height() > 800
    window.header.setMinimumHeight(0)
    qtbot.waitUntil(lambda: window.size().toTuple() == (1280, 800))
    window.preferences.set("scheme", "dark")
    window.resize(1920, 1080)  # at once after a change of the look
    qtbot.wait(50)
    assert window.size().toTuple() == (1920, 1080)


def test_other_colours_leave_everything_where_it_is(qtbot, window):
    window.resize(1280, 800)
    window.docks.arrange()
    window.resize(1280, 560)  # as short as tabs would be made for
    qtbot.wait(50)

    def places() -> list[object]:
        return [(window.docks[p.key].geometry(), window.docks[p.key].isHidden()) for p in PLACES]

    before = places()
    for key, value in (("scheme", "dark"), ("color_map", "viridis"), ("scheme", "light")):
        window.preferences.set(key, value)
        qtbot.wait(50)
        assert places() == before


def test_the_topmost_number_of_a_chart_is_whole(qtbot, window):
    plot = window.faithfulness.plot
    window.faithfulness.refresh()
    qtbot.wait(50)
    room = plot.getViewBox().sceneBoundingRect().top()
    assert room >= window.faithfulness._axes["left"]._metrics.height() / 2


def test_lines_of_plots_are_as_thick_on_a_fine_screen(window, monkeypatch):
    for plot in (window.faithfulness.plot, window.heatmap.plot, window.lab_page.plot):
        monkeypatch.setattr(plot, "devicePixelRatioF", lambda: 2.0)
    window._on_look()
    assert window.faithfulness.curve.opts["pen"].widthF() == 4
    assert window.faithfulness.paraphrase.opts["pen"].widthF() == 3
    assert window.heatmap._frame.pen().widthF() == 4 and window.heatmap._halo.pen().widthF() == 8
    assert pen(window.lab_page.plot, "#000000", 1.5).widthF() == 3


def test_the_tabs_of_panels_in_one_stack_are_whole(qtbot, window):
    window.resize(1280, 800)
    for place in PLACES:
        window.docks[place.key].show()
    for place in PLACES[1:]:
        window.tabifyDockWidget(window.docks["steering"], window.docks[place.key])
    qtbot.wait(100)
    [tabs] = [bar for bar in window.findChildren(QTabBar) if bar.count() == len(PLACES)]
    for at in range(tabs.count()):
        assert tabs.tabToolTip(at) == tabs.tabText(at)
        assert tabs.tabRect(at).width() >= tabs.fontMetrics().horizontalAdvance(tabs.tabText(at))
    assert window.width() == 1280


def test_the_word_that_all_is_saved_moves_nothing(qtbot, fresh_window):
    window = fresh_window
    window.show()
    qtbot.wait(100)
    saved, high = window.status.saved, window.status.height()
    assert not saved.isVisible()
    window.status.set_saved(None)
    assert saved.isVisible() and saved.width() >= saved.sizeHint().width() and saved.text() == "Autosaved"
    qtbot.wait(50)
    assert window.status.height() == high


def test_the_settings_are_as_wide_as_their_panel(qtbot, window):
    window.actions_["panel_settings"].trigger()
    panel = window.docks["settings"].widget()
    qtbot.waitUntil(panel.isVisible)
    qtbot.wait(50)
    assert panel.widget().width() <= panel.viewport().width()


def test_no_choice_makes_the_settings_wider_than_their_panel(qtbot, window):
    window.docks.show("settings")
    panel = window.findChild(SettingsPanel)
    qtbot.waitUntil(lambda: panel.isVisible() and panel.viewport().width() > 100)
    assert panel.widget().width() == panel.viewport().width()


@pytest.mark.parametrize("size", [(1280, 800), (1920, 1080)])
def test_the_default_layout_shows_every_alternative_whole(qtbot, window, size):
    ask(qtbot, window, "Tell me about the harbour.")
    window.resize(*size)
    window.docks.arrange()
    window.workspace.select(window.workspace.turns[0].answers[0], 4)
    qtbot.wait(50)
    last = window.inspector.alternatives
    assert last.isVisible() and last.visibleRegion().boundingRect() == last.rect()
    assert window.faithfulness.height() >= 150 and window.size().toTuple() == size


def test_the_question_is_seen_whole_however_it_came_there(qtbot, window):
    field = window.composer.question
    one = field.height()
    window.workspace.set_question("And tea?\nAnd bees?\nAnd the castle?")
    qtbot.waitUntil(lambda: field.height() > 2 * one - 20)
    window.workspace.undo()
    qtbot.waitUntil(lambda: field.height() == one)
    window.workspace.set_question("Tell me about the harbour. " * 12)  # one paragraph, broken by the width
    qtbot.waitUntil(lambda: field.height() > one)


@pytest.mark.parametrize("zoom", [1.0, 1.5, 2.0])
def test_four_heads_to_compare_leave_the_window_as_it_is(qtbot, window, zoom):
    workspace, page = window.workspace, window.compare_page
    window.preferences.set("zoom", zoom)
    window.actions_["page_compare"].trigger()
    qtbot.wait(200)
    size = window.size()
    workspace.add_column(ColumnChoice("prompt"))
    for place in range(4):
        workspace.set_column(place, ColumnChoice("head", workspace.channels[place % 3].key, -12.25))
    qtbot.wait(200)
    boxes = [box.strength for box in page.next.boxes]
    assert window.size() == size and len(boxes) == 4
    assert all(box.width() >= box.minimumSizeHint().width() for box in boxes)
    spots = {box.mapTo(page, box.rect().topLeft()).toTuple() for box in boxes}
    assert len(spots) == 4 and all(page.rect().contains(x, y) for x, y in spots)
