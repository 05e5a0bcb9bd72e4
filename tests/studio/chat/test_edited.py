"""An answer whose words a person changed: plain text, marked everywhere, undoable, kept."""

from __future__ import annotations

import json

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from engine.generation.result import SteeredTokens
from studio.export.markdown import as_markdown
from studio.runtime.lane_builder import lanes_of
from studio.state.conversation import STEERED, UNSTEERED, WRITTEN, history
from studio.state.requests import LaneRequest
from tests.studio.conftest import ready

ANSWER_MS = 60_000
WORDS = "Bees are small.\nThey like flowers."


def ask(qtbot, window, question: str) -> None:
    window.controllers.answering.send(question)
    qtbot.waitUntil(lambda: not window.controllers.talking, timeout=ANSWER_MS)


def column(window, place: int = 0, lane: str = STEERED):
    return window.conversation.column(window.workspace.turns[place].answer(lane))


def edit(window, text: str, place: int = 0, lane: str = STEERED) -> None:
    at = column(window, place, lane)
    QTest.mouseClick(at.edit, Qt.MouseButton.LeftButton)
    at.field.text.setPlainText(text)
    QTest.keyClick(at.field.text, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)


@pytest.fixture
def talked(qtbot, window):
    ask(qtbot, window, "Tell me about bees.")
    ask(qtbot, window, "Tell me about tea.")
    return window


def test_an_answer_is_edited_in_place_and_marked(qtbot, talked):
    before = talked.workspace.turns
    at = column(talked)
    QTest.mouseClick(at.edit, Qt.MouseButton.LeftButton)
    assert at.field.isVisible() and at.field.text.toPlainText() == before[0].answers[0].text
    QTest.keyClick(at.field.text, Qt.Key.Key_Escape)
    assert at.view.isVisible() and not at.field.isVisible() and talked.workspace.turns == before
    talked.workspace.select(before[0].answers[0], 1)
    edit(talked, WORDS)
    assert talked.focusWidget() is talked.composer.question
    [turn] = talked.workspace.turns  # the second one answered other words
    answer = turn.answers[0]
    assert answer.edited and answer.text == WORDS and answer.trace is None and answer.said is None
    assert talked.workspace.selection is None and "Edited by you" in column(talked)._head.text()
    view = column(talked).view
    assert view.height() > 2 * view._flow.line_height  # both lines are drawn
    QTest.mouseClick(view, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, view.rect().center())
    assert talked.workspace.selection is None
    view.copy()
    talked.workspace.undo()
    assert talked.workspace.turns == before and not before[0].answers[0].edited
    talked.workspace.redo()
    assert talked.workspace.turns == (turn,)


def test_the_conversation_goes_on_from_the_edited_words_unsteered(qtbot, talked):
    edit(talked, WORDS)
    ask(qtbot, talked, "Tell me about tea.")
    told = history(talked.workspace.turns[:1], STEERED, talked.workspace.loading.facts.key)
    assert told[1] == ("assistant", WORDS, WRITTEN)
    job = talked.workspace.turns[1].answers[0]
    assert job.state == "eos" and len(job) > 3
    model = talked.controllers.host.need_model()
    [lane] = lanes_of(model, [LaneRequest(tuple(told))], 0)
    said = lane.messages[1].tokens
    assert isinstance(said, SteeredTokens) and said.heads == () and model.tokenizer.decode(said.ids) == WORDS


def test_one_of_two_lanes_is_edited_and_the_other_stays(qtbot, talked):
    talked.controllers.answering.compare(True)
    qtbot.waitUntil(lambda: not talked.controllers.talking, timeout=ANSWER_MS)
    other = talked.workspace.turns[1].answer(UNSTEERED)
    edit(talked, WORDS, place=1)
    turn = talked.workspace.turns[1]
    assert turn.answer(STEERED).edited and turn.answer(UNSTEERED).trace is other.trace
    assert turn.answer(UNSTEERED).turn is turn and turn.answer(UNSTEERED).text == other.text


def test_edited_answers_come_back_as_such(qtbot, open_window):
    window = ready(qtbot, open_window())
    ask(qtbot, window, "Tell me about bees.")
    window.autosave.flush()
    same_length = "x" * len(window.workspace.turns[0].answers[0].text)
    edit(window, same_length)
    other = ready(qtbot, open_window())
    answer = other.workspace.turns[0].answers[0]
    assert answer.edited and answer.text == same_length and answer.trace is None
    assert column(other).view._flow.count == 1


def test_every_export_tells_of_the_edit(qtbot, talked, tmp_path):
    edit(talked, WORDS)
    assert "edited by hand" in as_markdown(talked.workspace.turns)
    path = tmp_path / "chat.html"
    talked.exporting.write("export_chat", path)
    qtbot.waitUntil(path.exists, timeout=20_000)
    page = path.read_text()
    assert "edited by hand" in page and WORDS in page
    facts = json.loads(page.split('id="provenance">')[1].split("</script>")[0])
    [told] = facts[0]["answers"]
    assert told["lane"] == STEERED and told["edited"] and told["heads"] == []
    failures: list = []
    talked.controllers.worker.failed.connect(failures.append)
    for number, key in enumerate(("export_trace", "export_figure", "export_run"), start=1):
        talked.exporting.write(key, tmp_path / f"none.{key}")
        qtbot.waitUntil(lambda number=number: len(failures) == number, timeout=10_000)
        assert "edited by you" in failures[-1].why


def test_nothing_is_edited_while_an_answer_comes(qtbot, talked):
    talked.controllers.answering.send("Tell me about the castle.")
    at = column(talked)
    assert not at.edit.isEnabled()
    assert not talked.conversation.turn(talked.workspace.turns[0]).again.isEnabled()
    talked.controllers.answering.rewrite(talked.workspace.turns[0].answers[0], WORDS)
    assert not talked.workspace.turns[0].answers[0].edited
    qtbot.waitUntil(lambda: not talked.controllers.talking, timeout=ANSWER_MS)
    assert at.edit.isEnabled()
