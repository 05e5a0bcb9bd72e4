"""Palette, settings, log, layout, tour, keyboard."""

from __future__ import annotations

import logging

import pytest
from PySide6.QtCore import QPoint, QPointF, QRect, QSize, Qt
from PySide6.QtGui import QFont, QGuiApplication, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractScrollArea,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDockWidget,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QWidget,
)

from studio.docks import PLACES
from studio.label import Line
from studio.model_picker import ModelPicker
from studio.palette_dialog import MISS, PaletteDialog, score
from studio.settings import Preferences
from studio.settings_panel import SettingsPanel
from studio.welcome import beside
from tests.studio.conftest import ready
from tests.studio.test_main_job import ask


@pytest.mark.parametrize(
    "typed, first", [("dist", "Distill"), ("answ ag", "Answer again"), ("dstl", "Distill"), ("dark", "Dark")]
)
def test_the_palette_finds_by_beginnings_words_and_scattered_letters(qtbot, window, typed, first):
    dialog = PaletteDialog(window.actions_, window)
    dialog.line.setText(typed)
    assert dialog.list.item(0).text().startswith(first)
    dialog.line.setText("xyzzy")
    assert [dialog.list.item(i).text() for i in range(dialog.list.count())] == ["No command has these words."]
    QTest.keyClick(dialog.line, Qt.Key.Key_Return)
    assert dialog.isEnabled() and dialog.result() == 0  # there is nothing to run
    dialog.done(0)


def test_nearer_matches_stand_first():
    names = (("Zoom in", ""), ("The zoom", ""), ("Azoom", ""), ("Text", "zoom it"), ("Z o o m", ""))
    ranks = [score("zoom", *pair) for pair in names]
    assert ranks == sorted(ranks) and len(set(ranks)) == 5 and score("zoom", "Quit", "") == MISS


def test_the_palette_runs_what_is_chosen(qtbot, window):
    window.actions_["palette"].trigger()
    dialog = window.findChild(PaletteDialog)
    dialog.line.setText("bypass")
    QTest.keyClick(dialog.line, Qt.Key.Key_Return)
    assert window.workspace.bypass


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
    shown = [w for w in shown if not isinstance(w, Line) and not w.objectName().startswith("qt_")]
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
    """Over the edge of its parent, up to the first that scrolls; a tab that is behind lies outside."""
    while (parent := widget.parentWidget()) is not None and not isinstance(widget, QDockWidget):
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


def test_the_settings_are_as_wide_as_their_panel(qtbot, window):
    window.actions_["panel_settings"].trigger()
    panel = window.docks["settings"].widget()
    qtbot.waitUntil(panel.isVisible)
    qtbot.wait(50)
    assert panel.widget().width() <= panel.viewport().width()


def test_settings_are_kept_and_nonsense_in_the_file_is_the_default(qtbot, tmp_path):
    one = Preferences(tmp_path)
    one.set("zoom", 1.5)
    one.set("live", False)
    for number in range(12):
        one.note_recent("recent_models", f"m{number}")
    one.note_recent("recent_models", "m7")
    one.sync()
    two = Preferences(tmp_path)
    assert two.get("zoom") == 1.5 and two.get("live") is False
    assert two.recent("recent_models")[:3] == ["m7", "m11", "m10"] and len(two.recent("recent_models")) == 8
    (tmp_path / "settings.ini").write_text("[General]\nzoom=huge\nscheme=pink\nlive=maybe\n")
    three = Preferences(tmp_path)
    assert (three.get("zoom"), three.get("scheme")) == (1.0, "system")


def test_no_choice_makes_the_settings_wider_than_their_panel(qtbot, window):
    window.docks.show("settings")
    panel = window.findChild(SettingsPanel)
    qtbot.waitUntil(lambda: panel.isVisible() and panel.viewport().width() > 100)
    assert panel.widget().width() == panel.viewport().width()


def test_the_settings_panel_and_the_menu_say_the_same(qtbot, window):
    window.docks.show("settings")
    panel = window.docks["settings"].widget()
    panel.controls["scheme"].setCurrentIndex(2)
    assert window.actions_["scheme_dark"].isChecked()
    assert QApplication.palette().window().color().lightness() < 80
    window.actions_["live"].trigger()
    assert not panel.controls["live"].isChecked()
    window.actions_["zoom_in"].trigger()
    assert panel.controls["zoom"].currentData() == 1.1
    window.actions_["scheme_light"].trigger()
    window.actions_["zoom_reset"].trigger()


def wheel(control: QWidget) -> None:
    """One notch towards the person."""
    spot, up = QPointF(4, 4), QPoint(0, -120)
    still, none = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(
        control, QWheelEvent(spot, spot, QPoint(), up, still, none, Qt.ScrollPhase.NoScrollPhase, False)
    )


def test_the_wheel_turns_what_has_the_keyboard_and_scrolls_past_the_rest(qtbot, window):
    window.activateWindow()
    window.docks.show("settings")
    window.steering.options.more.click()
    panel = window.docks["settings"].widget()
    qtbot.waitUntil(lambda: panel.isVisible() and panel.verticalScrollBar().maximum() > 0)
    row = window.mixer.row(window.workspace.channels[0].key)
    options, page = window.steering.options, window.compare_page.next.boxes[0]
    options.responses.setValue(50)
    scheme = panel.controls["scheme"]
    scheme.setCurrentIndex(1)
    chosen = (scheme, options.method, options.recipe, window.lab_page.form.kind, page.choice)
    counted = (options.responses, options.weight, window.lab_page.form.questions, row.slider, row.box)

    def shown() -> list:
        return [box.currentIndex() for box in chosen] + [box.value() for box in counted]

    before = shown()
    for control in (*chosen, *counted):
        wheel(control)
    assert shown() == before and window.workspace.stack.count() == 1  # the answers, typed above
    spot = QPointF(scheme.mapTo(window, QPoint(40, 10)))
    QTest.wheelEvent(window.windowHandle(), spot, QPoint(0, -120))
    qtbot.waitUntil(lambda: panel.verticalScrollBar().value() > 0)
    assert shown() == before
    for control in (scheme, options.method, row.slider, options.responses):
        control.setFocus()
        qtbot.waitUntil(control.hasFocus)
        wheel(control)
    changed = [old != new for old, new in zip(before, shown(), strict=True)]
    assert changed[0] and changed[1] and changed[5] and changed[8]
    window.actions_["scheme_light"].trigger()


def test_the_log_is_filtered_and_copied(qtbot, window, complaints):
    window.docks.show("log")
    panel = window.docks["log"].widget()
    logging.getLogger("engine.test").warning("The whale is %s", "white")
    logging.getLogger("studio.test").debug("a small thing")
    complaints.clear()
    qtbot.waitUntil(lambda: "The whale is white" in panel.shown.toPlainText())
    assert "small thing" not in panel.shown.toPlainText()
    panel.level.setCurrentIndex(0)
    assert "small thing" in panel.shown.toPlainText()
    panel.filter.setText("WHALE")
    assert panel.shown.toPlainText().count("\n") == 0
    panel.copy.click()
    assert QGuiApplication.clipboard().text().endswith("The whale is white")


def test_the_first_start_shows_four_bubbles_and_never_again(qtbot, open_window):
    window = ready(qtbot, open_window())
    qtbot.waitUntil(lambda: window.welcome.running)
    titles = []
    while window.welcome.running:
        bubble = window.welcome.bubble
        titles.append(bubble.title.text())
        assert window.rect().contains(bubble.geometry())
        bubble.next.click()
    assert len(titles) == 4
    other = ready(qtbot, open_window())
    qtbot.wait(50)
    assert not other.welcome.running
    other.actions_["welcome"].trigger()
    other.welcome.bubble.skip.click()
    assert not other.welcome.running


def test_bubbles_stand_beside_what_they_mean():
    room = QRect(0, 0, 1000, 700)
    for spot in (QRect(0, 0, 300, 300), QRect(700, 0, 300, 700), QRect(0, 600, 1000, 100), room):
        at = QRect(beside(spot, 320, 180, room), QSize(320, 180))
        assert room.contains(at)
        assert spot == room or not at.intersects(spot)


def test_the_model_picker_lists_what_is_here_and_tells_of_the_hub(qtbot, window, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    picked = []
    picker = ModelPicker("pocket", ["/models/gone", "owner/used"], window)
    picker.picked.connect(picked.append)
    picker.open()
    qtbot.waitUntil(lambda: picker.list.count() >= 3, timeout=30_000)
    texts = [picker.list.item(i).text() for i in range(picker.list.count())]
    assert "in use" in texts[0] and "fits" in texts[0]
    assert "file 6.1 MB" in texts[0] and "at work" in texts[0]
    assert "weights in memory" in window.header.facts.toolTip()
    assert any("not here any more" in text for text in texts) and any("used before" in text for text in texts)
    picker.hub.setText("not an id")
    picker.look.click()
    qtbot.waitUntil(lambda: "Asking" not in picker.told.text(), timeout=30_000)
    assert not picker.fetch.isEnabled() and picker.told.text()
    picker.use.click()
    assert picked == ["pocket"]


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


def test_tab_reaches_every_control_of_the_shown_panels(qtbot, window):
    window.activateWindow()
    window.steering.prompt.setFocus()
    kinds = QAbstractButton | QComboBox | QLineEdit | QPlainTextEdit
    wanted = {
        w
        for w in window.findChildren(QWidget)
        if isinstance(w, kinds)
        and w.isVisible()
        and w.isEnabled()
        and not w.objectName().startswith("qt_")
        and w.focusPolicy() & Qt.FocusPolicy.TabFocus
    }
    reached, start = set(), QApplication.focusWidget()
    for _ in range(200):
        window.focusNextChild()
        reached.add(QApplication.focusWidget())
        if QApplication.focusWidget() is start:
            break
    missed = [w.accessibleName() or w.objectName() for w in wanted - reached]
    assert len(wanted) > 15 and not missed


def test_the_question_is_seen_whole_however_it_came_there(qtbot, window):
    field = window.composer.question
    one = field.height()
    window.workspace.set_question("And tea?\nAnd bees?\nAnd the castle?")
    qtbot.waitUntil(lambda: field.height() > 2 * one - 20)
    window.workspace.undo()
    qtbot.waitUntil(lambda: field.height() == one)
    window.workspace.set_question("Tell me about the harbour. " * 12)  # one paragraph, broken by the width
    qtbot.waitUntil(lambda: field.height() > one)
