"""The context meter, and what is told when a conversation outgrows the model."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from engine.errors import ModelError
from studio.state.conversation import STEERED, UNSTEERED
from tests.studio.conftest import ready

ANSWER_MS = 60_000


def answered(qtbot, window, question: str) -> None:
    window.composer.set_question(question)
    window.actions_["send"].trigger()
    qtbot.waitUntil(lambda: not window.controllers.talking, timeout=ANSWER_MS)


@pytest.fixture
def uses(qtbot, window):
    """Everything that was measured after the model's arrival; [-1] is what the meter shows."""
    qtbot.waitUntil(lambda: bool(window.composer.meter.total.text()), timeout=10_000)
    found = Uses(window.controllers.metering)
    window.controllers.metering.measured.connect(found.append)
    return found


class Uses(list):
    def __init__(self, metering) -> None:
        super().__init__()
        self.metering = metering

    @property
    def settled(self) -> bool:
        """It counts while an answer streams, and once more at its end."""
        return not self.metering._jobs and not self.metering._pause.isActive()


def newest(qtbot, uses):
    count = len(uses)
    qtbot.waitUntil(lambda: len(uses) > count and uses[-1] is not None, timeout=10_000)
    qtbot.waitUntil(lambda: uses.settled, timeout=10_000)
    return uses[-1]


def short(window, tokens: int = 60) -> None:
    """The next answers have at most so many tokens."""
    window.workspace.set_settings(replace(window.workspace.settings, max_tokens=tokens))


def test_the_next_question_is_counted_while_an_answer_streams(qtbot, window, uses):
    window.controllers.host.need_model().eos_ids = frozenset()
    short(window, 900)
    window.composer.set_question("Tell me about bees.")
    window.actions_["send"].trigger()
    qtbot.waitUntil(lambda: window.controllers.talking and bool(uses) and uses[-1].question == 0)
    window.composer.set_question("And then of tea, please.")
    qtbot.waitUntil(lambda: uses[-1].question > 5)
    assert window.controllers.talking
    window.actions_["stop"].trigger()
    qtbot.waitUntil(lambda: not window.controllers.talking)


def test_the_meter_counts_what_the_model_would_read(qtbot, window, uses):
    window.composer.set_question("Tell me about bees, please.")
    use = newest(qtbot, uses)
    meter, context = window.composer.meter, window.controllers.host.need_model().context
    assert meter.tokens.text() == f"{use.question} tokens" and use.question > 5
    assert meter.total.text() == f"Context {use.prompt + 256:,} / {context:,}" and meter.accessibleName()
    window.actions_["send"].trigger()
    qtbot.waitUntil(lambda: not window.controllers.talking, timeout=ANSWER_MS)
    answer = window.workspace.turns[0].answers[0]
    assert answer.prompt_tokens == use.prompt  # the very prompt that was foreseen
    after = newest(qtbot, uses)
    assert after.question == 0 and after.prompt > use.prompt + len(answer)
    window.composer.set_question("And tea?")
    second = newest(qtbot, uses)
    window.actions_["send"].trigger()
    qtbot.waitUntil(lambda: not window.controllers.talking, timeout=ANSWER_MS)
    assert window.workspace.turns[1].answers[0].prompt_tokens == second.prompt


def test_the_meter_is_there_with_the_model_and_stays_through_haste_and_failures(
    qtbot, fresh_window, monkeypatch
):
    window = fresh_window
    window.show()
    ready(qtbot, window)
    total = window.composer.meter.total
    window.actions_["send"].trigger()  # before any pause was over
    qtbot.waitUntil(lambda: not window.controllers.talking, timeout=ANSWER_MS)
    assert total.text()
    seen = []
    window.controllers.metering.measured.connect(lambda _: seen.append(total.text()))
    for _ in range(4):
        window.workspace.undo()
        window.workspace.redo()
    qtbot.waitUntil(lambda: bool(seen), timeout=10_000)

    def fails(*_):
        raise ModelError("It cannot be counted", "It was told so.", "None.")

    monkeypatch.setattr(window.controllers.host, "predict_usage", fails)
    window.workspace.set_question("And bees?")
    qtbot.waitUntil(lambda: bool(window.controllers.metering._jobs), timeout=10_000)
    qtbot.waitUntil(lambda: not window.controllers.metering._jobs, timeout=10_000)
    assert total.text() and all(seen)


def test_the_meter_follows_edits_settings_undo_and_a_new_conversation(qtbot, window, uses, monkeypatch):
    answered(qtbot, window, "Tell me about bees.")
    qtbot.waitUntil(lambda: uses.settled, timeout=10_000)
    full = uses[-1]
    short(window, 30)
    assert newest(qtbot, uses).wanted == 30
    window.controllers.answering.rewrite(window.workspace.turns[0].answers[0], "No.")
    edited = newest(qtbot, uses)
    assert edited.prompt < full.prompt
    window.workspace.undo()
    assert newest(qtbot, uses).prompt == full.prompt
    window.actions_["new"].trigger()
    assert newest(qtbot, uses).prompt < edited.prompt
    host, go_on = window.controllers.host, threading.Event()
    load = host.load
    monkeypatch.setattr(host, "load", lambda *asked: go_on.wait(20) and load(*asked))  # as large ones take
    window.controllers.open_model("pocket")
    qtbot.waitUntil(lambda: uses[-1] is None, timeout=10_000)
    assert window.composer.meter.total.text() == ""
    go_on.set()
    qtbot.waitUntil(lambda: uses[-1] is not None, timeout=10_000)
    assert uses[-1].context == window.controllers.host.need_model().context


def test_on_the_compare_page_what_the_columns_would_read_is_counted(qtbot, window, uses):
    short(window)
    for question in ("Tell me about the harbour.", "And the castle?"):
        answered(qtbot, window, question)
    window.composer.set_question("Tell me about bees.")
    talk = newest(qtbot, uses)
    qtbot.waitUntil(lambda: not window.controllers.worker.busy)
    window.actions_["page_compare"].trigger()
    columns = uses[-1]  # at once
    assert columns.prompt < talk.prompt and not columns.left_out
    window.actions_["send"].trigger()
    qtbot.waitUntil(lambda: not window.comparing.running, timeout=ANSWER_MS)
    assert max(a.prompt_tokens for a in window.comparing.round.answers) == columns.prompt
    place = [c.kind for c in window.workspace.comparison.columns].index("prompt")
    window.workspace.remove_column(place)
    assert newest(qtbot, uses).prompt < columns.prompt
    qtbot.waitUntil(lambda: not window.controllers.worker.busy)
    window.actions_["page_conversation"].trigger()
    assert uses[-1].prompt == talk.prompt


def test_what_is_sent_right_after_a_page_was_turned_is_checked_for_that_page(qtbot, window, uses):
    window.composer.set_question("Tell me about bees.")
    window.workspace.set_prompt("Talk like a pirate. " * 400)  # which only a column is asked with
    assert not newest(qtbot, uses).too_long
    qtbot.waitUntil(lambda: not window.controllers.worker.busy)
    window.actions_["page_compare"].trigger()
    window.actions_["send"].trigger()
    assert "not sent" in window.banner.text.text() and not window.comparing.running
    window.actions_["page_conversation"].trigger()
    window.actions_["send"].trigger()
    qtbot.waitUntil(lambda: not window.controllers.talking, timeout=ANSWER_MS)
    assert window.workspace.turns[0].answers[0].state == "eos" and not window.banner.isVisible()


def test_the_truths_prompt_counts_where_it_is_measured(qtbot, window, uses):
    window.composer.set_question("Tell me about bees.")
    plain = newest(qtbot, uses)
    window.workspace.set_truth(True)
    assert newest(qtbot, uses).prompt > plain.prompt


def test_a_question_that_never_fits_is_told_before_it_is_sent(qtbot, window, uses):
    window.composer.set_question("Tell me about the harbour. " * 300)
    use = newest(qtbot, uses)
    meter = window.composer.meter
    assert use.too_long > 0 and meter.tokens.text() == f"{use.too_long:,} tokens too long"
    assert meter.tokens.property("role") == "danger" and "Shorten" in window.composer.send.toolTip()
    window.actions_["send"].trigger()
    assert not window.controllers.talking and not window.workspace.turns
    assert "not sent" in window.banner.text.text() and f"{use.prompt:,}" in window.banner.text.text()
    assert window.workspace.question.startswith("Tell me")
    window.composer.set_question("Tell me about the harbour.")
    assert newest(qtbot, uses).too_long == 0 and "Shorten" not in window.composer.send.toolTip()
    window.actions_["send"].trigger()
    qtbot.waitUntil(lambda: not window.controllers.talking, timeout=ANSWER_MS)
    assert window.workspace.turns[0].answers[0].state == "eos" and not window.banner.isVisible()


def test_one_sent_at_once_is_refused_by_the_engine_and_typed_again(qtbot, window):
    text = "Tell me about the harbour. " * 300
    window.composer.set_question(text)
    window.actions_["send"].trigger()  # before anything was measured
    qtbot.waitUntil(window.banner.isVisible, timeout=10_000)
    assert "conversation is too long" in window.banner.text.text()
    assert not window.workspace.turns and window.workspace.question.strip() == text.strip()


def test_turns_that_were_cut_are_told_at_the_answer_and_kept(qtbot, open_window):
    window = ready(qtbot, open_window())
    uses = Uses(window.controllers.metering)
    window.controllers.metering.measured.connect(uses.append)
    context = window.controllers.host.need_model().context
    short(window)
    window.actions_["compare"].trigger()
    while not (uses and uses[-1] and uses[-1].left_out):
        answered(qtbot, window, "Tell me about the harbour, the sea and the ships. " * 20)
        newest(qtbot, uses)
        assert len(window.workspace.turns) < 20
    assert "left out" in window.composer.meter.tokens.text()
    told: list[tuple] = []

    def note(answer, first: int) -> None:
        """What stands at an answer when its tokens come."""
        column = window.conversation.column(answer)
        told.append((answer.lane, first, answer.over, column.notice.isVisible(), column.notice.text()))

    window.workspace.answerGrew.connect(note)
    answered(qtbot, window, "And bees?")
    window.workspace.answerGrew.disconnect(note)
    assert {(lane, over) for lane, first, over, *_ in told if not first} == {
        (STEERED, False),
        (UNSTEERED, False),
    }
    assert all(shown and "did not fit the model" in words for *_, shown, words in told)
    turn = window.workspace.turns[-1]
    answer = turn.answer(STEERED)
    assert answer.cut >= 2 and answer.prompt_tokens + 60 <= context
    column = window.conversation.column(answer)
    assert column.notice.isVisible() and "did not fit the model" in column.notice.text()
    first = window.workspace.turns[0].answer(STEERED)
    assert not window.conversation.column(first).notice.isVisible()
    assert turn.answer(UNSTEERED).cut >= 2
    other = ready(qtbot, open_window())
    kept = other.workspace.turns[-1]
    assert kept.answer(STEERED).cut == answer.cut
    assert other.conversation.column(kept.answer(STEERED)).notice.isVisible()
