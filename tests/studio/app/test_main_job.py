"""The main job through the real window, worker and model."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QComboBox,
    QLabel,
    QPlainTextEdit,
    QSlider,
    QTabBar,
)

from engine.heads.head_file import save_head
from studio.app.first_words import FIRST_QUESTION
from studio.app.main_window import Window
from studio.app.screenshot_tour import ScreenshotTour
from studio.export.markdown import as_markdown
from studio.state.conversation import STEERED, UNSTEERED, used_heads
from studio.state.requests import FitRequest

ANSWER_MS = 60_000
FIT_MS = 120_000
CANCEL_MS = 5_000


def ask(qtbot, window: Window, question: str) -> None:
    window.composer.set_question(question)
    window.actions_["send"].trigger()
    qtbot.waitUntil(lambda: not window.controllers.talking, timeout=ANSWER_MS)


def endless(window: Window) -> None:
    """No token ends the answer: there is time to interrupt it."""
    window.controllers.host._model.eos_ids = frozenset()
    window.workspace.set_settings(replace(window.workspace.settings, max_tokens=900))


@pytest.mark.slow
def test_the_tour_goes_through(fresh_window, tmp_path):
    tour = ScreenshotTour(fresh_window, tmp_path)
    assert tour.run() == 0
    pictures = {path.name for path in tmp_path.glob("*.png")}
    assert len([name for name in pictures if name[0].isdigit()]) == len(tour.steps)
    for size in ("1280x800", "1920x1080"):
        assert {f"window-{size}-light.png", f"window-{size}-dark.png"} <= pictures


def test_the_first_start_needs_one_key(qtbot, window):
    assert [c.enabled for c in window.workspace.channels] == [True, False, False]
    assert window.composer.question.toPlainText() == FIRST_QUESTION
    QTest.keyClick(window.composer.question, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: not window.controllers.talking, timeout=ANSWER_MS)
    answer = window.workspace.turns[0].answer(STEERED)
    assert answer.state == "eos" and np.abs(answer.trace.coefficients).max() > 0
    assert np.array_equal(window.heatmap.values(), answer.trace.coefficients)


def test_a_question_sent_while_loading_waits_for_the_model(qtbot, fresh_window):
    window = fresh_window
    window.show()
    window.actions_["send"].trigger()
    assert window.controllers.talking and not window.workspace.turns
    qtbot.waitUntil(lambda: bool(window.workspace.turns), timeout=90_000)
    qtbot.waitUntil(lambda: not window.controllers.talking, timeout=ANSWER_MS)
    assert len(window.workspace.turns[0].answers[0]) > 1


def test_stop_really_stops_and_keeps_the_text(qtbot, window):
    endless(window)
    window.actions_["send"].trigger()
    qtbot.waitUntil(lambda: bool(window.workspace.turns) and len(window.workspace.turns[0].answers[0]) > 5)
    QTest.keyClick(window, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: not window.controllers.talking, timeout=2000)
    answer = window.workspace.turns[0].answers[0]
    assert answer.state == "cancelled" and 5 < len(answer) < 900
    assert "".join(answer.trace.pieces) == answer.text


def test_the_slider_is_live_while_text_streams(qtbot, window):
    endless(window)
    window.actions_["send"].trigger()
    qtbot.waitUntil(lambda: bool(window.workspace.turns) and len(window.workspace.turns[0].answers[0]) > 5)
    row = window.mixer.row(window.workspace.channels[0].key)
    row.box.setValue(-0.5)
    answer = window.workspace.turns[0].answers[0]
    qtbot.waitUntil(lambda: answer.trace.strengths[-1][0] == -0.5, timeout=5000)
    assert answer.trace.strengths[0][0] == 1.0
    window.actions_["stop"].trigger()
    qtbot.waitUntil(lambda: not window.controllers.talking)
    assert "pirate × 1.00 → -0.50" in [label.text() for label in window.conversation.findChildren(QLabel)]
    assert "pirate × 1 → -0.5 (" in as_markdown(window.workspace.turns)


def test_a_head_that_is_off_at_first_is_named_once_it_steers(qtbot, window):
    pirate = window.workspace.channels[0].key
    window.workspace.mixer.set_strength(pirate, 0.0)
    endless(window)
    window.actions_["send"].trigger()
    qtbot.waitUntil(lambda: bool(window.workspace.turns) and len(window.workspace.turns[0].answers[0]) > 5)
    answer = window.workspace.turns[0].answers[0]
    assert not used_heads(answer)
    window.workspace.mixer.set_strength(pirate, 1.5)
    qtbot.waitUntil(lambda: answer.trace.strengths[-1][0] == 1.5, timeout=5000)
    window.actions_["stop"].trigger()
    qtbot.waitUntil(lambda: not window.controllers.talking)
    assert [(head.name, head.strengths) for head in used_heads(answer)] == [("pirate", (0.0, 1.5))]


def test_a_strength_that_came_back_is_told_with_where_it_was_meanwhile(qtbot, window):
    workspace, seen = window.workspace, 0
    pirate = workspace.channels[0].key
    endless(window)
    window.actions_["send"].trigger()
    for strength in (1.0, 0.0, -1.0, 1.0):
        workspace.mixer.set_strength(pirate, strength)
        qtbot.waitUntil(lambda seen=seen: workspace.turns and len(workspace.turns[0].answers[0]) > seen + 6)
        seen = len(workspace.turns[0].answers[0])
    window.actions_["stop"].trigger()
    qtbot.waitUntil(lambda: not window.controllers.talking)
    assert "pirate × 1.00 → -1.00 → 1.00" in [x.text() for x in window.conversation.findChildren(QLabel)]


def test_the_second_click_of_a_double_click_stops_nothing(qtbot, window):
    endless(window)
    handle, composer = window.windowHandle(), window.composer
    spot = composer.send.mapTo(window, composer.send.rect().center())
    QTest.mouseDClick(handle, Qt.MouseButton.LeftButton, pos=spot)
    answer = window.workspace.turns[0].answers[0]
    qtbot.waitUntil(lambda: len(answer) > 20, timeout=ANSWER_MS)
    assert window.controllers.talking
    QTest.mouseClick(handle, Qt.MouseButton.LeftButton, pos=spot)
    qtbot.waitUntil(lambda: not window.controllers.talking)


def test_bypass_gives_the_unsteered_answer(qtbot, window):
    window.actions_["compare"].trigger()
    ask(qtbot, window, FIRST_QUESTION)
    other = window.workspace.turns[0].answer(UNSTEERED)
    assert other is not None and not np.any(other.trace.coefficients)
    window.actions_["compare"].trigger()
    window.actions_["bypass"].trigger()
    window.actions_["again"].trigger()
    qtbot.waitUntil(lambda: not window.controllers.talking, timeout=ANSWER_MS)
    assert window.workspace.turns[0].answer(STEERED).text == other.text
    assert window.mixer.bypass.isChecked()


def test_an_answer_comes_while_a_head_is_being_refined(qtbot, window):
    window.controllers.distilling.start(FitRequest("Talk like a pirate.", recipe="refine", responses=8))
    qtbot.waitUntil(lambda: bool(window.workspace.fit.losses), timeout=FIT_MS)
    assert len(window.workspace.channels) == 4
    ask(qtbot, window, FIRST_QUESTION)
    assert window.workspace.fit.running
    window.actions_["cancel_distill"].trigger()
    qtbot.waitUntil(lambda: not window.controllers.fitting, timeout=CANCEL_MS)
    assert "Available when" not in window.faithfulness._empty.text()
    assert window.workspace.fit.outcome == "Cancelled"
    assert len(window.workspace.channels) == 3


def test_closing_during_an_answer_and_a_distillation(qtbot, window):
    window.controllers.distilling.start(FitRequest("Talk like a pirate."))
    window.actions_["send"].trigger()
    qtbot.waitUntil(lambda: window.workspace.fit.total > 0, timeout=FIT_MS)
    window.close()  # it asks once; who closes again means it
    assert window.controllers.worker.alive
    window.close()
    assert not window.controllers.worker.alive


def test_a_damaged_head_file_is_explained_without_a_dialog(qtbot, window, tmp_path):
    path = tmp_path / "bad.head.safetensors"
    path.write_bytes(b"no head at all")
    window.controllers.load_head(path)
    qtbot.waitUntil(window.banner.isVisible)
    assert "bad.head" in window.banner.text.text()
    QTest.mouseClick(window.banner.copy, Qt.MouseButton.LeftButton)
    assert "HeadError" in QGuiApplication.clipboard().text()
    assert len(window.workspace.channels) == 3


def test_another_models_head_is_heard_only_after_a_word(qtbot, window, tmp_path):
    head = window.workspace.channels[0].head
    foreign = replace(head.info.model, template="another")
    path = tmp_path / "foreign.head.safetensors"
    save_head(replace(head, info=replace(head.info, model=foreign)), path)
    window.controllers.load_head(path)
    qtbot.waitUntil(lambda: len(window.workspace.channels) == 4, timeout=ANSWER_MS)
    row, key = window.workspace.channels[3], window.workspace.channels[3].key
    shown = window.mixer.row(key)
    assert row.enabled and not window.workspace.strength_of(key) and not shown.slider.isEnabled()
    assert "made for pocket" in shown.note.text() and "switched off" in window.status.busy.text()
    qtbot.wait(150)
    assert shown.accept.visibleRegion().boundingRect() == shown.accept.rect()  # a new row is in sight, whole
    QTest.mouseClick(shown.accept, Qt.MouseButton.LeftButton)
    assert window.workspace.strength_of(key) == 1.0 and shown.slider.isEnabled()
    assert not shown.accept.isVisible() and not shown.note.isVisible()


def test_a_model_that_is_not_there_leaves_the_one_before(qtbot, window, tmp_path):
    window.controllers.open_model(str(tmp_path / "nothing"))
    assert window.workspace.loading.coming == str(tmp_path / "nothing")
    qtbot.waitUntil(window.banner.isVisible, timeout=ANSWER_MS)
    assert not window.workspace.loading.coming
    assert window.workspace.source == "pocket" and len(window.workspace.channels) == 3
    ask(qtbot, window, FIRST_QUESTION)
    assert window.workspace.turns[0].answers[0].state == "eos"


def test_a_head_survives_saving_and_loading(qtbot, window, tmp_path):
    channel = window.workspace.channels[0]
    path = tmp_path / "copy.head.safetensors"
    window.controllers.save_head(channel, path)
    window.controllers.load_head(path)
    qtbot.waitUntil(lambda: len(window.workspace.channels) == 4, timeout=5000)
    assert window.workspace.channels[-1].digest == channel.digest


def test_every_control_has_a_name_for_screen_readers(qtbot, window):
    window.docks.show("log")  # behind the heatmap, with tabs
    kinds = QAbstractButton | QAbstractSpinBox | QComboBox | QPlainTextEdit | QSlider | QTabBar
    controls = [w for w in window.findChildren(object) if isinstance(w, kinds)]
    shown = [w for w in controls if w.isVisible() and not w.objectName().startswith("qt_")]
    nameless = [w for w in shown if not (w.accessibleName() or _text_of(w))]
    assert len(shown) > 20 and not nameless and any(isinstance(w, QTabBar) for w in shown)


def _text_of(control: object) -> str:
    return control.text() if isinstance(control, QAbstractButton) else ""


def test_the_window_comes_before_the_model_code():
    code = (
        "import sys, studio.app.main_window\n"
        "heavy = {'torch', 'transformers', 'numpy', 'pyqtgraph', 'safetensors'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
