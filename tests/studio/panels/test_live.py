"""Heads that follow the typing, and what runs beside answers and distillations."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from engine.errors import ModelError
from engine.generation.trace import Token
from studio.runtime.distill_controller import LIVE_RESPONSES, TYPING_PAUSE_MS
from studio.state.requests import FitRequest
from tests.studio.app.test_main_job import ANSWER_MS, FIT_MS, ask, endless


def test_a_head_follows_the_typing_in_one_row(qtbot, window):
    workspace = window.workspace
    workspace.set_prompt("Be gloomy.")
    assert not window.controllers.fitting  # only once the typing pauses
    qtbot.waitUntil(lambda: len(workspace.channels) == 4, timeout=FIT_MS)
    qtbot.waitUntil(lambda: not window.controllers.fitting, timeout=FIT_MS)
    row = workspace.channels[3]
    assert row.slot.draft and row.head.info.prompt == "Be gloomy."
    assert [c.enabled for c in workspace.channels] == [False, False, False, True]
    assert "other heads are off" in window.status.busy.text()  # one that was on is off now
    workspace.mixer.set_strength(row.key, 0.7)
    workspace.set_prompt("Be very formal.")
    qtbot.waitUntil(lambda: workspace.channels[3].head.info.prompt == "Be very formal.", timeout=FIT_MS)
    qtbot.waitUntil(lambda: not window.controllers.fitting, timeout=FIT_MS)
    assert len(workspace.channels) == 4 and workspace.strength_of(row.key) == 0.7
    assert not window.banner.isVisible()
    window.actions_["distill"].trigger()  # the one to keep takes the same row
    qtbot.waitUntil(lambda: not workspace.channels[3].slot.draft, timeout=FIT_MS)
    qtbot.waitUntil(lambda: not window.controllers.fitting, timeout=FIT_MS)
    assert len(workspace.channels) == 4 and workspace.strength_of(row.key) == 0.7


def test_words_that_have_a_head_switch_that_one_on(qtbot, window):
    workspace = window.workspace
    workspace.set_prompt("Be gloomy.")
    qtbot.waitUntil(lambda: len(workspace.channels) == 4, timeout=FIT_MS)
    qtbot.waitUntil(lambda: not window.controllers.fitting, timeout=FIT_MS)
    workspace.set_prompt(workspace.channels[0].head.info.prompt)
    qtbot.waitUntil(lambda: [c.enabled for c in workspace.channels] == [True, False, False, False])
    assert "already distilled" in window.status.busy.text()


def test_the_live_head_follows_no_undo_and_no_redo(qtbot, window):
    workspace = window.workspace

    def quiet() -> None:
        qtbot.wait(TYPING_PAUSE_MS + 200)
        qtbot.waitUntil(lambda: not window.controllers.fitting, timeout=FIT_MS)

    window.steering.prompt.setPlainText("Be gloomy.")
    qtbot.waitUntil(lambda: len(workspace.channels) == 4, timeout=FIT_MS)
    quiet()
    workspace.mixer.set_strength(workspace.channels[3].key, 2.5)
    steps = workspace.stack.count()
    while workspace.stack.canUndo():
        workspace.undo()
        quiet()
    while workspace.stack.canRedo():
        workspace.redo()
        quiet()
        assert workspace.stack.count() == steps
    assert len(workspace.channels) == 4 and workspace.strength_of(workspace.channels[3].key) == 2.5
    pirate = workspace.channels[0]
    window.steering.prompt.setPlainText(pirate.head.info.prompt)
    qtbot.waitUntil(lambda: workspace.channels[0].enabled)
    steps = workspace.stack.count()
    for _ in range(2):  # the switch, then the words
        workspace.undo()
    workspace.redo()
    quiet()
    assert workspace.stack.index() == steps - 1 and workspace.stack.canRedo()


def test_a_live_head_that_comes_after_an_undo_leaves_what_can_be_made_again(qtbot, window):
    workspace = window.workspace
    window.steering.prompt.setPlainText("Be gloomy.")
    workspace.mixer.set_bypass(True)
    qtbot.waitUntil(lambda: window.controllers.fitting, timeout=FIT_MS)
    workspace.undo()
    qtbot.waitUntil(lambda: not window.controllers.fitting, timeout=FIT_MS)
    assert len(workspace.channels) == 3 and workspace.stack.canRedo() and not window.steering.stage.text()
    workspace.redo()
    assert workspace.bypass
    workspace.mixer.set_bypass(False)
    window.steering.prompt.setPlainText("Be very gloomy.")
    qtbot.waitUntil(lambda: len(workspace.channels) == 4, timeout=FIT_MS)


def test_one_slow_head_does_not_end_the_following(qtbot, window):
    workspace, host = window.workspace, window.controllers.host
    host._pace = 8.0 / LIVE_RESPONSES  # as if the last had taken eight seconds
    workspace.set_prompt("Be gloomy.")
    qtbot.waitUntil(lambda: "Live preview off" in window.steering.stage.text(), timeout=FIT_MS)
    assert "8 s" in window.steering.stage.text() and len(workspace.channels) == 3
    workspace.set_prompt("Be polite.")
    qtbot.waitUntil(lambda: "4 s" in window.steering.stage.text(), timeout=FIT_MS)
    workspace.set_prompt("Be formal.")
    qtbot.waitUntil(lambda: len(workspace.channels) == 4, timeout=FIT_MS)


def test_a_live_head_that_gave_way_leaves_no_stage_behind(qtbot, window):
    endless(window)
    window.workspace.set_prompt("Be gloomy.")
    qtbot.waitUntil(lambda: window.controllers.fitting, timeout=FIT_MS)
    assert window.steering.stage.text()
    window.actions_["send"].trigger()
    qtbot.waitUntil(lambda: window.controllers.talking and not window.controllers.fitting)
    assert not window.steering.stage.text()


def test_an_effect_is_shown_beside_the_words_that_it_was_measured_of(qtbot, window):
    window.preferences.set("live", False)
    window.workspace.set_prompt("Be gloomy.")
    window.actions_["distill"].trigger()
    qtbot.waitUntil(lambda: not window.controllers.fitting, timeout=FIT_MS)
    told = window.steering.effect.text()
    assert "nats" in told
    window.steering.prompt.setPlainText("Talk like a pirate.")
    assert not window.steering.effect.text()
    window.workspace.undo()
    assert window.steering.effect.text() == told


def test_a_failure_is_told_until_the_same_thing_goes_well(qtbot, window):
    window.preferences.set("live", False)
    stage = window.steering.stage
    for prompt, outcome in (("Please.", "Not distilled"), ("Be gloomy.", "Head ready")):
        window.steering.prompt.setPlainText(prompt)
        assert "Not distilled" not in stage.text()
        window.actions_["distill"].trigger()
        qtbot.waitUntil(lambda: not window.controllers.fitting, timeout=FIT_MS)
        assert stage.text().startswith(outcome)
        assert window.steering.weak.isVisible() == (outcome == "Not distilled")
    told = window.status.busy
    assert "the other heads are off" in told.text()
    window.actions_["undo"].trigger()
    assert told.text() == "Ready"


def test_a_prompt_without_effect_is_told_quietly(qtbot, window):
    window.workspace.set_prompt("zzz qqq")
    qtbot.waitUntil(lambda: bool(window.workspace.fit.outcome), timeout=FIT_MS)
    assert not window.banner.isVisible() and len(window.workspace.channels) == 3


def test_an_answer_has_priority_and_the_live_head_comes_afterwards(qtbot, window):
    workspace = window.workspace
    workspace.set_prompt("Be gloomy.")
    qtbot.waitUntil(lambda: workspace.fit.running and workspace.fit.live, timeout=FIT_MS)
    window.actions_["send"].trigger()
    assert not workspace.fit.running
    qtbot.waitUntil(lambda: not window.controllers.talking, timeout=ANSWER_MS)
    assert workspace.turns[0].answers[0].state == "eos"
    qtbot.waitUntil(lambda: len(workspace.channels) == 4, timeout=FIT_MS)
    qtbot.waitUntil(lambda: not window.controllers.fitting, timeout=FIT_MS)


def test_switched_off_nothing_follows(qtbot, window):
    window.actions_["live"].trigger()
    window.workspace.set_prompt("Be gloomy.")
    qtbot.wait(900)
    assert not window.controllers.fitting and len(window.workspace.channels) == 3


def test_the_model_is_switched_while_it_answers(qtbot, window):
    endless(window)
    window.actions_["send"].trigger()
    qtbot.waitUntil(lambda: bool(window.workspace.turns) and len(window.workspace.turns[0].answers[0]) > 3)
    window.actions_["model_pocket"].trigger()
    qtbot.waitUntil(lambda: not window.controllers.talking, timeout=ANSWER_MS)
    assert window.workspace.turns[0].answers[0].state == "cancelled"
    qtbot.waitUntil(lambda: window.workspace.loading.facts is not None, timeout=ANSWER_MS)
    assert len(window.workspace.turns) == 1 and len(window.workspace.channels) == 3
    window.workspace.set_settings(replace(window.workspace.settings, max_tokens=40))
    ask(qtbot, window, "And the castle?")
    assert window.workspace.turns[1].answers[0].over


@pytest.mark.parametrize("taken", ["undone", "removed", "out of reach"])
def test_a_head_that_is_refined_while_its_row_is_away_is_in_that_row(qtbot, window, taken):
    workspace = window.workspace
    window.preferences.set("live", False)
    window.controllers.distilling.start(FitRequest("Be gloomy.", recipe="refine", responses=8))
    qtbot.waitUntil(lambda: len(workspace.channels) == 4, timeout=FIT_MS)
    row = workspace.channels[3]
    draft = row.digest
    if taken == "removed":
        workspace.mixer.remove_head(row.key)
    else:
        workspace.undo()
    if taken == "out of reach":
        workspace.mixer.set_bypass(True)
    steps = workspace.stack.count()
    assert window.controllers.fitting
    qtbot.waitUntil(lambda: not window.controllers.fitting, timeout=FIT_MS)
    told = window.status.busy.text()
    if taken == "out of reach":
        assert workspace.channels[3].slot is not row.slot and "other heads are off" in told
        return
    assert len(workspace.channels) == 3 and workspace.stack.count() == steps
    assert ("Ctrl+Shift+Z" if taken == "undone" else "Ctrl+Z") in told
    window.actions_["redo" if taken == "undone" else "undo"].trigger()
    assert workspace.channels[3].key == row.key and workspace.channels[3].digest != draft


def test_closing_while_distilling_ends_everything(qtbot, window):
    window.controllers.distilling.start(FitRequest("Be gloomy.", recipe="refine", responses=24))
    qtbot.waitUntil(lambda: window.workspace.fit.total > 0, timeout=FIT_MS)
    window.close()
    assert window.isVisible()  # it asks first
    window.close()
    assert not window.controllers.worker.alive


def test_a_question_taken_back_stops_its_answer(qtbot, window):
    endless(window)
    question = window.workspace.question
    window.actions_["send"].trigger()
    assert window.workspace.question == ""
    qtbot.waitUntil(lambda: bool(window.workspace.turns) and len(window.workspace.turns[0].answers[0]) > 3)
    window.actions_["undo"].trigger()
    assert not window.workspace.turns and window.composer.question.toPlainText() == question
    qtbot.waitUntil(lambda: not window.controllers.talking, timeout=ANSWER_MS)
    window.actions_["redo"].trigger()
    assert window.workspace.turns[0].answers[0].state == "cancelled"


def test_editing_answering_again_and_forking_are_steps_of_their_own(qtbot, window):
    workspace, answering = window.workspace, window.controllers.answering
    ask(qtbot, window, "Tell me about the harbour.")
    ask(qtbot, window, "Tell me about bees.")
    first = workspace.turns[0]
    pieces = list(first.answers[0].trace.pieces)
    answering.edit(first, "Tell me about the castle.")
    qtbot.waitUntil(lambda: not window.controllers.talking, timeout=ANSWER_MS)
    assert [t.question for t in workspace.turns] == ["Tell me about the castle."]
    assert "1 later turn" in window.status.busy.text()
    window.actions_["undo"].trigger()
    assert [t.question for t in workspace.turns] == ["Tell me about the harbour.", "Tell me about bees."]
    other = first.answers[0].trace.alternatives[4][1][0]
    answering.fork(first.answers[0], 4, other)
    qtbot.waitUntil(lambda: not window.controllers.talking, timeout=ANSWER_MS)
    forked = workspace.turns[0].answers[0].trace
    assert forked.pieces[:4] == pieces[:4] and forked.ids[4] == other and len(workspace.turns) == 1
    window.actions_["undo"].trigger()
    assert workspace.turns[0].answers[0].trace.pieces == pieces


def test_a_block_range_steers_only_these_blocks(qtbot, window):
    key = window.workspace.channels[0].key
    window.workspace.mixer.set_blocks(key, (2, 3))
    ask(qtbot, window, "Tell me about the harbour.")
    applied = window.workspace.turns[0].answers[0].trace.coefficients
    assert applied[:, 2:4].any() and not applied[:, :2].any() and not applied[:, 4:].any()


def test_the_truth_is_measured_when_asked_for(qtbot, window):
    import numpy as np

    window.actions_["truth"].trigger()
    ask(qtbot, window, "Tell me about the harbour.")
    trace = window.workspace.turns[0].answers[0].trace
    assert (
        np.isfinite(trace.prompt_effect).all()
        and trace.prompt_effect.max() > 0
        and np.isfinite(trace.distance_to_prompt).all()
    )


def failing(window, monkeypatch, tokens: int = 0) -> None:
    """The next answers break off after so many tokens."""
    generate = window.controllers.host.generate

    def fail(lanes, settings, emit, cancel):
        def told(event) -> None:
            if isinstance(event, Token) and event.index >= tokens:
                raise ModelError("The answer stopped early", "It was told to.", "Try again.")
            emit(event)

        return generate(lanes, settings, told, cancel)

    monkeypatch.setattr(window.controllers.host, "generate", fail)


def test_an_answer_that_fails_at_once_leaves_all_as_it_was(qtbot, window, monkeypatch):
    ask(qtbot, window, "Tell me about the harbour.")
    old = window.workspace.turns
    failing(window, monkeypatch)
    ask(qtbot, window, "And the castle?")
    assert "stopped early" in window.banner.text.text()
    assert window.workspace.turns == old and window.composer.question.toPlainText() == "And the castle?"
    window.controllers.answering.again()
    qtbot.waitUntil(lambda: not window.controllers.talking, timeout=ANSWER_MS)
    assert window.workspace.turns == old and old[0].answers[0].state == "eos"
    window.actions_["compare"].trigger()
    qtbot.waitUntil(lambda: not window.controllers.talking, timeout=ANSWER_MS)
    assert window.workspace.turns == old and not window.workspace.compare
    assert not window.actions_["compare"].isChecked()
    monkeypatch.undo()
    ask(qtbot, window, "And the castle?")
    assert len(window.workspace.turns) == 2


def test_an_answer_that_breaks_off_keeps_its_words(qtbot, window, monkeypatch):
    failing(window, monkeypatch, tokens=5)
    window.workspace.set_settings(replace(window.workspace.settings, max_tokens=20))
    ask(qtbot, window, "Tell me about the harbour.")
    answer = window.workspace.turns[0].answers[0]
    assert answer.state == "failed" and len(answer) == 5 and answer.text


def test_a_prompt_without_effect_is_distilled_anyway_on_a_click(qtbot, window):
    window.steering.prompt.setFocus()
    window.steering.prompt.selectAll()
    QTest.keyClicks(window.steering.prompt, "Please.")
    QTest.mouseClick(window.steering.distill, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(window.steering.anyway.isVisible, timeout=FIT_MS)
    rows = len(window.workspace.channels)
    QTest.mouseClick(window.steering.anyway, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(window.workspace.channels) == rows + 1, timeout=FIT_MS)
    qtbot.waitUntil(lambda: not window.workspace.fit.running, timeout=FIT_MS)
    assert not window.steering.weak.isVisible()


def test_where_the_prompt_goes_is_an_option_and_stays_with_the_head(qtbot, window):
    options = window.steering.options
    options.more.click()
    options.place.setFocus()
    QTest.keyClick(options.place, Qt.Key.Key_End)
    assert options.place.currentData() == window.workspace.fit_options.place == "before"
    QTest.mouseClick(window.steering.distill, Qt.MouseButton.LeftButton)
    rows = len(window.workspace.channels)
    qtbot.waitUntil(lambda: len(window.workspace.channels) == rows + 1, timeout=FIT_MS)
    assert window.workspace.channels[-1].head.info.place == "before"
    window.actions_["undo"].trigger()
    window.actions_["undo"].trigger()
    assert window.workspace.fit_options.place == "automatic"
