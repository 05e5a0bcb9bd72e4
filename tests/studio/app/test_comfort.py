"""Palette, settings, wheel, log, model picker, tour, keyboard."""

from __future__ import annotations

import logging

import pytest
from PySide6.QtCore import QPoint, QPointF, QRect, QSize, Qt
from PySide6.QtGui import QAccessible, QGuiApplication, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QDockWidget,
    QLineEdit,
    QPlainTextEdit,
    QWidget,
)

from studio.app.command_palette import MISS, CommandPalette, score
from studio.app.dock_layout import PLACES
from studio.app.intro_tour import beside
from studio.app.model_picker import ModelPicker
from studio.state.preferences import Preferences
from tests.studio.app.test_main_job import ANSWER_MS
from tests.studio.conftest import ready


@pytest.mark.parametrize(
    "typed, first", [("dist", "Distill"), ("regen", "Regenerate"), ("dstl", "Distill"), ("dark", "Dark")]
)
def test_the_palette_finds_by_beginnings_words_and_scattered_letters(qtbot, window, typed, first):
    dialog = CommandPalette(window.actions_, window)
    dialog.line.setText(typed)
    assert dialog.list.item(0).text().startswith(first)
    dialog.line.setText("xyzzy")
    assert [dialog.list.item(i).text() for i in range(dialog.list.count())] == ["No matching commands"]
    QTest.keyClick(dialog.line, Qt.Key.Key_Return)
    assert dialog.isEnabled() and dialog.result() == 0  # there is nothing to run
    dialog.done(0)


def test_nearer_matches_stand_first():
    names = (("Zoom in", ""), ("The zoom", ""), ("Azoom", ""), ("Text", "zoom it"), ("Z o o m", ""))
    ranks = [score("zoom", *pair) for pair in names]
    assert ranks == sorted(ranks) and len(set(ranks)) == 5 and score("zoom", "Quit", "") == MISS


def test_the_palette_runs_what_is_chosen(qtbot, window):
    window.actions_["palette"].trigger()
    dialog = window.findChild(CommandPalette)
    dialog.line.setText("bypass")
    QTest.keyClick(dialog.line, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: window.workspace.bypass)


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

    window.composer.question.setFocus()
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


def test_the_tour_goes_on_by_the_keyboard_and_covers_no_heatmap(qtbot, window):
    window.actions_["welcome"].trigger()
    line, tour = window.composer.question, window.welcome
    line.setFocus()

    def covered() -> bool:
        spot = QRect(window.docks["heatmap"].mapTo(window, QPoint()), window.docks["heatmap"].size())
        return tour.bubble.geometry().intersects(spot)

    assert tour.bubble.count.text().startswith("1 of 4") and not covered()
    QTest.keyClick(line, Qt.Key.Key_Return)  # as the first step asks for
    qtbot.waitUntil(lambda: tour.bubble.count.text().startswith("2 of 4"))
    assert not covered()
    qtbot.waitUntil(lambda: not window.controllers.talking, timeout=ANSWER_MS)
    QTest.keyClick(line, Qt.Key.Key_F1)
    assert tour.bubble.count.text().startswith("3 of 4") and not covered()
    QTest.keyClick(window, Qt.Key.Key_Escape)
    assert not tour.running


def test_a_screen_reader_hears_what_a_choice_is_about(window):
    for choice in (window.heatmap.choice, window.lab_page.picture):
        interface = QAccessible.queryAccessibleInterface(choice)
        labels = [to.text(QAccessible.Text.Name) for to, how in interface.relations()]
        assert choice.accessibleName() in labels
    send = QAccessible.queryAccessibleInterface(window.composer.send)
    assert send.text(QAccessible.Text.Name) == "Send"
    assert send.text(QAccessible.Text.Description) == window.composer.send.toolTip()


def test_the_columns_of_a_comparison_are_told_apart(window):
    boxes = window.compare_page.next.boxes
    for part in ("choice", "strength", "removeWanted"):
        names = [getattr(box, part).accessibleName() for box in boxes]
        assert [name.split()[-1] for name in names] == ["1", "2", "3"] and not any("×" in n for n in names)


def test_what_shows_no_words_of_its_own_says_what_it_is_for(window):
    for place in PLACES:
        window.docks.show(place.key)
    silent = [
        w
        for dock in window.findChildren(QDockWidget)
        for w in dock.findChildren(QWidget)
        if isinstance(w, QComboBox) or (isinstance(w, QAbstractButton) and not w.text())
        if not w.toolTip() and not isinstance(w.parent(), QLineEdit)
    ]
    assert not silent, [(w, w.accessibleName(), w.objectName()) for w in silent]


def test_the_model_picker_lists_what_is_here_and_tells_of_the_hub(qtbot, window, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    picked = []
    picker = ModelPicker("pocket", ["/models/gone", "owner/used"], window)
    picker.picked.connect(picked.append)
    picker.open()
    qtbot.waitUntil(lambda: picker.list.count() >= 3, timeout=30_000)
    texts = [picker.list.item(i).text() for i in range(picker.list.count())]
    assert "in use" in texts[0] and "fits" in texts[0]
    assert "6.1 MB on disk" in texts[0] and "in memory" in texts[0]
    assert "Weights in memory" in window.header.facts.toolTip()
    assert any("Folder not found" in text for text in texts) and any("Used before" in text for text in texts)
    picker.hub.setText("not an id")
    picker.look.click()
    qtbot.waitUntil(lambda: "Asking" not in picker.told.text(), timeout=30_000)
    assert not picker.fetch.isEnabled() and picker.told.text()
    picker.use.click()
    assert picked == ["pocket"]


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


def test_the_tour_brings_a_panel_out_from_behind_another(qtbot, window):
    window.activateWindow()
    window.resize(1280, 800)
    window.docks.arrange()
    window.actions_["panel_library"].trigger()  # its tab stands before the mixer's
    assert window.docks.hides(window.mixer)
    QTest.keyClick(window, Qt.Key.Key_F1)
    QTest.keyClick(window, Qt.Key.Key_F1)
    assert window.welcome.bubble.title.text() == "Change the strength"
    qtbot.waitUntil(lambda: not window.docks.hides(window.mixer))
    spot = window.mixer.mapTo(window, QPoint(0, 0))
    qtbot.waitUntil(lambda: window.rect().contains(spot) and window.welcome.bubble.x() > spot.x())
    QTest.keyClick(window, Qt.Key.Key_Escape)
    assert not window.welcome.running
