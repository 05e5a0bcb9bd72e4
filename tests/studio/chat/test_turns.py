"""A turn of the conversation is edited, answered again, compared and forked where it stands."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from studio.state.conversation import STEERED, UNSTEERED
from tests.studio.app.test_main_job import endless
from tests.studio.chat.test_compare_page import WAIT_MS


@pytest.fixture
def answered(qtbot, window):
    window.controllers.answering.send("Tell me about bees.")
    qtbot.waitUntil(lambda: not window.controllers.answering.talking, timeout=WAIT_MS)
    return window


def test_a_turns_question_is_edited_in_place(qtbot, answered):
    turn = answered.workspace.turns[0]
    view = answered.conversation.turn(turn)
    view.edit.click()
    assert view.field.isVisible() and not view.question.isVisible()
    QTest.keyClick(view.field.text, Qt.Key.Key_Escape)
    assert view.question.isVisible() and answered.workspace.turns == (turn,)
    view.edit.click()
    view.field.text.setPlainText("Tell me about tea.")
    QTest.keyClick(view.field.text, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: not answered.controllers.answering.talking, timeout=WAIT_MS)
    assert [t.question for t in answered.workspace.turns] == ["Tell me about tea."]
    answered.workspace.undo()
    assert answered.workspace.turns == (turn,)


def test_the_unsteered_answer_beside_is_one_step_with_its_switch(qtbot, answered):
    workspace, [turn], switch = answered.workspace, answered.workspace.turns, answered.actions_["compare"]
    steps = workspace.stack.count()
    switch.trigger()
    qtbot.waitUntil(lambda: not answered.controllers.talking, timeout=WAIT_MS)
    [wider] = workspace.turns
    other = wider.answer(UNSTEERED)
    assert other.state == "eos" and workspace.stack.count() == steps + 1
    workspace.undo()
    assert workspace.turns == (turn,) and not workspace.compare and not switch.isChecked()
    assert list(answered.conversation.turn(turn).columns) == [STEERED]
    assert workspace.shown is turn.answers[0] and len(turn.answers) == 1
    workspace.redo()
    assert workspace.turns == (wider,) and switch.isChecked() and not answered.controllers.talking
    assert list(answered.conversation.turn(wider).columns) == [STEERED, UNSTEERED]
    workspace.undo()
    switch.trigger()
    assert answered.controllers.talking
    workspace.undo()  # while it is answered
    qtbot.waitUntil(lambda: not answered.controllers.talking, timeout=WAIT_MS)
    assert workspace.turns == (turn,) and not switch.isChecked()


def test_a_turn_is_answered_again(qtbot, answered):
    turn = answered.workspace.turns[0]
    answered.conversation.turn(turn).again.click()
    qtbot.waitUntil(lambda: not answered.controllers.answering.talking, timeout=WAIT_MS)
    assert len(answered.workspace.turns) == 1 and answered.workspace.turns[0] is not turn
    assert answered.workspace.turns[0].answers[0].text == turn.answers[0].text


def test_a_fork_of_the_unsteered_answer_stays_unsteered(qtbot, answered):
    workspace, answering = answered.workspace, answered.controllers.answering
    answering.compare(True)
    qtbot.waitUntil(lambda: not answering.talking, timeout=WAIT_MS)
    workspace.set_compare(False)
    before = workspace.turns[0].answer(UNSTEERED)
    other = int(before.trace.alternatives[2][1][0])
    assert answering.fork(before, 2, other)
    qtbot.waitUntil(lambda: not answering.talking, timeout=WAIT_MS)
    [turn] = workspace.turns
    forked, steered = turn.answer(UNSTEERED), turn.answer(STEERED)
    assert forked.trace.ids[:3].tolist() == [*before.trace.ids[:2].tolist(), other]
    assert not forked.trace.coefficients.any()
    assert steered.trace.coefficients.any() and int(steered.trace.ids[2]) != other


def test_a_question_sent_while_a_stopped_answer_ends_is_answered_after_it(qtbot, window):
    endless(window)
    workspace, answering = window.workspace, window.controllers.answering
    answering.send("Tell me about bees.")
    qtbot.waitUntil(lambda: len(workspace.turns[0].answers[0]) > 3, timeout=WAIT_MS)
    workspace.set_settings(replace(workspace.settings, max_tokens=5))
    workspace.undo()
    workspace.undo()  # the question is taken back, and its answer not yet quiet
    workspace.set_settings(replace(workspace.settings, max_tokens=5))
    assert answering.talking and not workspace.turns
    workspace.set_question("And the castle?")
    window.actions_["send"].trigger()
    qtbot.waitUntil(lambda: not answering.talking, timeout=WAIT_MS)
    [turn] = workspace.turns
    assert turn.question == "And the castle?" and turn.answers[0].state == "length"
