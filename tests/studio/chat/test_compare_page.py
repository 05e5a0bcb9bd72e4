"""The Compare page with the real worker and model."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from studio.app.first_words import FIRST_QUESTION
from studio.chat.composer import QuestionEdit
from studio.library.session_reader import values_of
from studio.library.session_writer import take
from studio.state.compare_columns import ColumnChoice
from tests.benchmarks.long_runs import next_batch
from tests.studio.app.test_main_job import endless
from tests.studio.conftest import ready

WAIT_MS = 30000


def compare(qtbot, window, question="Tell me about bees.", blind=False):
    page = window.compare_page
    window.actions_["page_compare"].trigger()
    field = window.composer.question
    field.setPlainText(question)
    page.next.blind.setChecked(blind)
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert window.comparing.running
    qtbot.waitUntil(lambda: not window.comparing.running, timeout=WAIT_MS)
    return window.comparing.round


def test_columns_answer_one_question_with_one_seed(qtbot, window):
    page, key = window.compare_page, window.workspace.channels[1].key
    window.workspace.add_column(ColumnChoice("head", key, 1.2))
    assert len(page.next.boxes) == 4 and not page.next.more.isEnabled()
    found = compare(qtbot, window)
    assert found.names[:3] == ("unsteered", "prompt", "mixer") and found.names[3].endswith("1.20")
    texts = [answer.text for answer in found.answers]
    assert all(texts) and len(set(texts)) >= 3
    assert len({answer.turn.settings.seed for answer in found.answers}) == 1
    plain, prompted, mixed, one = (answer.trace.coefficients for answer in found.answers)
    assert not plain.any() and not prompted.any() and mixed.any() and one.any()
    assert window.workspace.turns == ()  # the conversation is another page
    assert [view.title.text() for view in page.columns] == list(found.names)
    scale = window.workspace.scales.activation
    assert scale.limit > 1.0
    window.workspace.begin_conversation()  # an empty page there takes no colours from these answers
    assert window.workspace.scales.activation == scale


def test_a_token_is_told_of_in_every_column_and_scrolling_is_linked(qtbot, window):
    found = compare(qtbot, window)
    views = [view.text for view in window.compare_page.columns]
    before = [view.grab().toImage() for view in views]
    window.workspace.select(found.answers[2], 3)
    assert all(view.grab().toImage() != image for view, image in zip(views, before, strict=True))  # framed
    told = [view.told for view in window.compare_page.columns]
    assert all(label.toolTip().startswith("Token 3") and " at token 3 " in label.text() for label in told)
    shortest, longest = sorted(found.answers, key=len)[:: len(told) - 1]
    window.workspace.select(longest, len(longest) - 1)
    place = found.answers.index(shortest)
    assert told[place].text() == f"No token {len(longest) - 1} here"
    window.workspace.clear_selection()
    assert [label.text() for label in told] == [f"{len(a)} tokens, finished" for a in found.answers]


def test_a_comparison_is_taken_back_with_its_answers(qtbot, window):
    page, workspace = window.compare_page, window.workspace
    first = compare(qtbot, window)
    window.composer.set_question("Tell me about the castle.")
    window.comparing.run()
    assert window.comparing.running and workspace.shown is window.comparing.round.answers[2]
    workspace.undo()  # while it is answered
    assert window.comparing.round is first and page.columns[0].text.answer is first.answers[0]
    assert workspace.shown is first.answers[2]
    qtbot.waitUntil(lambda: not window.comparing.running, timeout=WAIT_MS)
    workspace.redo()
    assert all(answer.over for answer in window.comparing.round.answers)
    for _ in range(2):
        workspace.undo()
    workspace.undo()  # the question, and the first of them
    assert window.comparing.round is None and workspace.shown is None


def test_stop_and_wrong_order(qtbot, window):
    page = window.compare_page
    window.composer.set_question("")
    window.comparing.run()  # no question yet
    assert not window.comparing.running
    model = window.controllers.host.need_model()
    ends, model.eos_ids = model.eos_ids, frozenset()
    window.composer.set_question("Tell me about the castle.")
    window.comparing.run()
    window.comparing.run()
    boxes, shown = page.next.boxes, [view.answer for view in page.columns]
    boxes[0].removeWanted.click()  # of the next round, while this one is answered
    qtbot.waitUntil(lambda: page.columns[0].told.text() == "Answering…", timeout=WAIT_MS)
    window.composer.stop.click()
    qtbot.waitUntil(lambda: not window.comparing.running, timeout=5000)
    assert page.columns[0].told.text() == f"{len(shown[0])} tokens, stopped"
    model.eos_ids = ends
    assert [view.answer for view in page.columns] == shown and not window.actions_["stop"].isEnabled()
    boxes[0].removeWanted.click()  # two stay
    assert len(boxes) == 2 and len(shown) == 3
    assert len(compare(qtbot, window).answers) == len(page.columns) == 2


def test_an_answer_keeps_the_name_that_it_was_made_under(qtbot, window):
    page, workspace = window.compare_page, window.workspace
    pirate, terse = workspace.channels[0], workspace.channels[1]
    workspace.add_column(ColumnChoice("head", terse.key, 1.2))
    workspace.mixer.set_strength(pirate.key, 0.7)
    compare(qtbot, window)

    def captions() -> list[tuple[str, str]]:
        return [(view.title.text(), view.made.text()) for view in page.columns]

    told = captions()
    assert told == [
        ("unsteered", "no prompt, no head"),
        ("prompt", f"“{workspace.prompt}”"),
        ("mixer", "pirate (A-PSR) × 0.70"),
        ("terse × 1.20", "A-PSR"),
    ]
    workspace.set_column(0, ColumnChoice("mixer"))
    workspace.mixer.set_strength(pirate.key, 2.0)
    workspace.set_prompt("Be gloomy.")
    workspace.mixer.rename_head(terse.key, "brief")
    workspace.remove_column(1)
    assert captions() == told
    assert [box.choice.currentText() for box in page.next.boxes] == ["Mixer", "Mixer", "brief"]
    compare(qtbot, window)
    assert captions() == [("mixer", "pirate (A-PSR) × 2.00")] * 2 + [("brief × 1.20", "A-PSR")]


def test_the_mixers_column_hears_its_sliders_while_it_speaks_and_one_heads_own_column_does_not(qtbot, window):
    page, workspace = window.compare_page, window.workspace
    pirate, terse = workspace.channels[:2]
    workspace.set_column(0, ColumnChoice("head", pirate.key, 1.0))
    model = window.controllers.host.need_model()
    ends, model.eos_ids = model.eos_ids, frozenset()
    workspace.set_question("Tell me about bees.")
    window.comparing.run()
    alone, _, mixed = window.comparing.round.answers
    qtbot.waitUntil(lambda: len(mixed) > 3, timeout=WAIT_MS)
    workspace.mixer.set_strength(pirate.key, 0.0)
    workspace.mixer.set_enabled(terse.key, True)
    assert "applies from the next comparison" in window.status.busy.text()
    qtbot.waitUntil(lambda: mixed.over, timeout=WAIT_MS)
    model.eos_ids = ends
    assert mixed.trace.strengths[0, 0] == 1.0 and mixed.trace.strengths[-1, 0] == 0.0
    assert (alone.trace.strengths == 1.0).all()
    assert [view.made.text() for view in page.columns] == [
        "A-PSR",
        f"“{workspace.prompt}”",
        "pirate (A-PSR) × 1.00 → 0.00",
    ]
    workspace.mixer.set_strength(pirate.key, 0.5)
    assert (
        mixed.trace.strengths[-1, 0] == 0.0 and page.columns[2].made.text() == "pirate (A-PSR) × 1.00 → 0.00"
    )


def test_an_answer_is_forked_into_a_conversation_that_undo_takes_back(qtbot, window):
    workspace = window.workspace
    pirate, terse = workspace.channels[:2]
    window.controllers.answering.send("Tell me about tea.")
    qtbot.waitUntil(lambda: not window.controllers.talking, timeout=WAIT_MS)
    old, conversation = workspace.turns, workspace.conversation
    workspace.set_column(0, ColumnChoice("head", terse.key, 1.5))
    workspace.mixer.set_solo(pirate.key, True)
    workspace.mixer.set_bypass(True)
    answer, prompted, _ = compare(qtbot, window).answers
    channels = workspace.channels
    workspace.select(answer, 2)
    others = answer.trace.alternatives[2]
    place = next(i for i, each in enumerate(others) if each[0] != answer.trace.ids[2])
    window.inspector.alternatives.chosen.emit(place)
    assert window.pages.current is window.conversation and "Ctrl+Z" in window.status.busy.text()
    [turn] = workspace.turns
    qtbot.waitUntil(lambda: not window.controllers.talking, timeout=WAIT_MS)
    assert turn.question == "Tell me about bees." and turn.mix == (("terse", terse.digest, 1.5, None),)
    assert turn.answers[0].trace.ids[:3].tolist() == [*answer.trace.ids[:2].tolist(), others[place][0]]
    assert (turn.answers[0].trace.strengths == 1.5).all()
    heard = {c.name: c.strength for c in workspace.active_rows()}
    assert heard == {"terse": 1.5} and not workspace.bypass and workspace.conversation != conversation
    workspace.undo()
    assert (workspace.turns, workspace.conversation) == (old, conversation)
    assert workspace.channels == channels and workspace.bypass
    for told, refused in (
        ("a conversation cannot carry", prompted),
        ("used “terse”, which is not in the mixer", answer),
    ):
        if refused is answer:
            workspace.mixer.remove_head(terse.key)
        window.actions_["page_compare"].trigger()
        assert not window.controllers.answering.fork(refused, 2, 5)
        assert told in window.status.busy.text() and workspace.turns == old
    answer.turn.model, old[0].model = "another", "another"
    for other in (answer, old[0].answers[0]):
        window.status.busy.clear()
        assert not window.controllers.answering.fork(other, 2, 5)
        assert "from another model" in window.status.busy.text() and workspace.turns == old
    answer.state = "running"
    assert not window.controllers.answering.fork(answer, 2, 5)
    assert "still streaming" in window.status.busy.text()


def test_a_fork_takes_the_blocks_that_the_head_steered(qtbot, window):
    workspace = window.workspace
    key, digest = workspace.channels[0].key, workspace.channels[0].digest
    workspace.mixer.set_blocks(key, (1, 3))
    workspace.set_column(0, ColumnChoice("head", key, 1.5))
    answer = compare(qtbot, window).answers[0]
    assert window.comparing.made(0) == "A-PSR (blocks 1–3)"
    assert not answer.trace.coefficients[:, [0, 4, 5]].any() and answer.trace.coefficients[:, 1:4].any()
    workspace.mixer.set_blocks(key, None)
    assert window.controllers.answering.fork(answer, 2, int(answer.trace.alternatives[2][1][0]))
    qtbot.waitUntil(lambda: not window.controllers.talking, timeout=WAIT_MS)
    assert workspace.turns[0].mix == (("pirate", digest, 1.5, (1, 3)),)
    assert workspace.channel(key).blocks == (1, 3)
    assert not workspace.turns[0].answers[0].trace.coefficients[:, [0, 4, 5]].any()
    workspace.undo()
    assert workspace.channel(key).blocks is None


def test_columns_are_undone_and_come_back_at_the_next_start(qtbot, open_window):
    window = ready(qtbot, open_window())
    page, workspace = window.compare_page, window.workspace
    page.next.more.click()
    view = page.next.boxes[3]
    view.choice.setCurrentIndex(view.choice.findText("terse"))
    view.strength.setValue(1.5)
    view.strength.setValue(2.5)
    page.next.boxes[0].removeWanted.click()
    page.next.blind.click()
    window.composer.question.setPlainText("Tell me about bees.")
    named = [c.kind for c in workspace.comparison.columns]
    assert named == ["prompt", "mixer", "head"]
    for _ in range(3):
        workspace.undo()
    assert len(page.next.boxes) == 4 and not page.next.blind.isChecked()
    assert workspace.question == window.composer.question.toPlainText() == FIRST_QUESTION
    workspace.undo()  # one drag, one step
    view = page.next.boxes[3]
    assert view.choice.currentText() == "terse" and view.strength.value() == 1.0
    for _ in range(4):
        workspace.redo()
    workspace.mixer.remove_head(workspace.channels[0].key)  # places of the others change
    other = ready(qtbot, open_window())
    page, found = other.compare_page, other.workspace.comparison
    assert (other.workspace.question, found.blind) == ("Tell me about bees.", True)
    assert [c.kind for c in found.columns] == named and found.columns[2].strength == 2.5
    assert page.next.boxes[2].choice.currentText() == "terse" and page.next.blind.isChecked()
    other.actions_["page_compare"].trigger()
    other.composer.send.click()
    qtbot.waitUntil(lambda: not other.comparing.running, timeout=WAIT_MS)
    assert sorted(other.comparing.round.names) == ["mixer", "prompt", "terse × 2.50"]


def test_one_question_field_serves_every_page(qtbot, window):
    window.activateWindow()
    field, page = window.composer.question, window.compare_page
    assert window.composer.send.text() == "Send"
    window.actions_["page_compare"].trigger()
    assert window.composer.send.text() == "Compare" and "column" in window.composer.send.toolTip()
    assert window.focusWidget() is field and "Ask a question below" in page.asked.text()
    beside = window.composer.compare, window.actions_["compare"]
    assert not beside[0].isVisible() and not beside[1].isEnabled()  # the columns say who else answers
    fields = [w for w in window.findChildren(QuestionEdit) if w.isVisible()]
    assert fields == [field]
    field.setPlainText("Tell me about bees.")
    window.actions_["send"].trigger()
    assert window.comparing.running and window.pages.current is page
    assert window.composer.stop.isVisible() and window.actions_["stop"].isEnabled()
    qtbot.waitUntil(lambda: not window.comparing.running, timeout=WAIT_MS)
    assert window.composer.send.isVisible()
    assert page.asked.text() == "Tell me about bees." == window.workspace.question  # may be asked again
    window.composer.set_question("Tell me about tea. " * 500)
    assert page.asked.text() == "Tell me about bees."
    window.actions_["page_conversation"].trigger()
    assert window.composer.send.text() == "Send" and not window.workspace.turns
    assert beside[0].isVisible() and beside[1].isEnabled()


def test_a_question_typed_on_an_older_compare_page_comes_back(qtbot, open_window):
    window = ready(qtbot, open_window())
    window.composer.set_question("")
    state = take(window.workspace, {}).session
    old = {**state.state, "comparison": {**state.state["comparison"], "question": "Tell me about bees."}}
    found = values_of(replace(state, state=old), (), {}).values
    assert found["question"] == "Tell me about bees."


def test_columns_scroll_together(qtbot, window):
    window.resize(900, 420)
    found = compare(qtbot, window)
    bars = [view.area.verticalScrollBar() for view in window.compare_page.columns]
    assert found and all(bar.maximum() > 0 for bar in bars)
    bars[1].setValue(5)
    assert [bar.value() for bar in bars] == [5, 5, 5]
    longest = max(bars, key=lambda bar: bar.maximum())
    longest.setValue(longest.maximum())
    assert [bar.value() for bar in bars] == [bar.maximum() for bar in bars]
    for key, end in ((Qt.Key.Key_PageUp, "minimum"), (Qt.Key.Key_PageDown, "maximum")):
        for _ in range(9):  # the text has the keyboard, what it scrolls in needs none
            QTest.keyClick(window.compare_page.columns[bars.index(longest)].text, key)
        assert longest.value() == getattr(longest, end)()
    assert not any(view.area.focusPolicy().value for view in window.compare_page.columns)
    view = max(window.compare_page.columns, key=lambda view: len(view.answer))
    for _ in range(5):  # it grows, and what has grown is asked for at once
        for token in next_batch(view.answer):
            view.answer.trace.append(token)
    window.workspace.answerGrew.emit(view.answer, 0)
    for token in (len(view.answer) - 1, 0, len(view.answer) // 2):
        window.workspace.select(view.answer, token)
        spot = view.text.mapTo(view.area.viewport(), view.text.line_of(token).center().toPoint())
        assert view.area.viewport().rect().contains(spot)
    assert len({min(bar.value(), min(b.maximum() for b in bars)) for bar in bars}) == 1


def test_a_removed_head_leaves_its_column_unsteered(qtbot, window):
    page, key = window.compare_page, window.workspace.channels[0].key
    window.workspace.add_column(ColumnChoice("head", key, 1.0))
    window.workspace.mixer.remove_head(key)
    assert page.next.boxes[3].column.kind == "none"
    window.workspace.undo()
    assert page.next.boxes[3].column == ColumnChoice("head", key, 1.0)
    window.workspace.redo()
    assert not compare(qtbot, window).answers[3].trace.coefficients.any()


def talking(qtbot, window) -> None:
    """A comparison in its middle, which nothing but a stop ends."""
    endless(window)
    window.actions_["page_compare"].trigger()
    window.workspace.set_question("Tell me about bees.")
    window.actions_["send"].trigger()
    qtbot.waitUntil(lambda: all(len(a) > 3 for a in window.comparing.round.answers), timeout=WAIT_MS)


def test_another_model_ends_a_comparison(qtbot, window):
    talking(qtbot, window)
    window.actions_["model_pocket"].trigger()
    qtbot.waitUntil(lambda: not window.comparing.running, timeout=WAIT_MS)
    assert {answer.state for answer in window.comparing.round.answers} == {"cancelled"}
    qtbot.waitUntil(lambda: window.workspace.loading.facts is not None, timeout=WAIT_MS)


def test_asked_while_a_comparison_ends_that_was_taken_back_it_waits_for_the_end(qtbot, window):
    talking(qtbot, window)
    window.workspace.undo()
    assert window.comparing.running and window.comparing.round is None
    window.workspace.set_settings(replace(window.workspace.settings, max_tokens=5))
    window.workspace.set_question("And the castle?")
    window.actions_["send"].trigger()
    qtbot.waitUntil(lambda: window.comparing.round is not None, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: not window.comparing.running, timeout=WAIT_MS)
    assert window.comparing.round.question == "And the castle?"
    assert all(answer.state == "length" for answer in window.comparing.round.answers)


def test_the_heatmap_is_of_an_answer_of_the_page_that_is_seen(qtbot, window):
    workspace = window.workspace
    window.controllers.answering.send("Tell me about tea.")
    qtbot.waitUntil(lambda: not window.controllers.talking, timeout=WAIT_MS)
    spoken = workspace.shown
    found = compare(qtbot, window)
    workspace.select(found.answers[2], 1)
    window.actions_["page_conversation"].trigger()
    assert workspace.shown is spoken and workspace.selection is None
    window.actions_["page_lab"].trigger()
    assert workspace.shown is spoken
    window.actions_["page_compare"].trigger()
    assert workspace.shown is found.answers[2]
    compare(qtbot, window, blind=True)
    for _ in range(2):
        assert workspace.shown is None and workspace.hidden_until_vote
        window.actions_["page_conversation"].trigger()
        assert workspace.shown is spoken and not workspace.hidden_until_vote
        window.actions_["page_compare"].trigger()
