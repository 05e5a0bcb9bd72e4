"""Long answers: what is out of sight waits for its turn, and nothing is broken into lines for no reason."""

from __future__ import annotations

import gc
from threading import Event

import pytest
import shiboken6
from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QWidget

from studio.chat.answer_controller import AnswerController
from studio.chat.answer_view import AT_ONCE, AnswerView
from studio.chat.conversation_page import ConversationPage
from studio.runtime.model_jobs import ModelHost
from studio.runtime.worker import Worker
from studio.state.workspace import Workspace
from studio.widgets import theme
from studio.widgets.idle_queue import IdleQueue
from studio.widgets.tab_order import stops as tab_stops
from tests.benchmarks.long_runs import conversation, next_batch


@pytest.fixture
def page(qtbot):
    """Eight answers of which the last ones are in sight."""
    workspace = Workspace()
    answering = AnswerController(workspace, ModelHost(), Worker(), Event)  # nothing is asked
    page = ConversationPage(workspace, answering)
    qtbot.addWidget(page)
    page.resize(640, 400)
    page.show()
    workspace.restore(turns=conversation(8 * AT_ONCE, 4, AT_ONCE))
    views = [page.view(turn.answers[0]) for turn in workspace.turns]
    qtbot.waitUntil(lambda: all(fits(view) and view.width() < page.width() for view in views))
    return page, views


def turn_of(view: AnswerView) -> QWidget:
    """The widget of its whole turn."""
    return view.parentWidget().parentWidget()


def broken(view: AnswerView) -> bool:
    """Whether its lines are broken for the width that its place on the page has."""
    turn = turn_of(view)
    return turn.width() == turn.parentWidget().width() and view._flow.width == view.width()


def fits(view: AnswerView) -> bool:
    """And it is as high as they are, as is its turn and the turn's place."""
    turn = turn_of(view)
    as_high = view.height() == view._flow.height + 1 and turn.height() == turn.parentWidget().height()
    return broken(view) and as_high


def test_a_resize_breaks_what_is_seen_at_once_and_the_rest_in_turn(qtbot, page):
    page, views = page
    page.resize(480, 400)
    assert broken(views[-1]) and not broken(views[0])
    qtbot.waitUntil(lambda: all(fits(view) for view in views))
    qtbot.wait(20)
    assert page.verticalScrollBar().value() == page.verticalScrollBar().maximum()  # still at the live edge


def test_other_colours_break_no_line_anew(qtbot, page, qapp):
    _, views = page
    flows = [view._flow for view in views]
    theme.apply(qapp, theme.DARK)
    qtbot.wait(50)
    assert [view._flow for view in views] == flows


def test_another_text_size_reaches_every_answer(qtbot, page, qapp):
    _, views = page
    before = views[0]._flow.line_height
    theme.apply(qapp, theme.LIGHT, 2.0)
    qtbot.waitUntil(lambda: all(view._flow.line_height > before and fits(view) for view in views))


def test_an_answer_that_goes_takes_its_waiting_work_along(qtbot, page):
    page, _ = page
    page.resize(480, 400)
    rooms = list(page._rooms.values())
    page._workspace.restore(turns=())
    assert not any(room.isVisible() for room in rooms)
    qtbot.waitUntil(lambda: not any(shiboken6.isValid(room) for room in rooms))
    assert not page.busy


def test_what_one_reads_stays_where_it_is(qtbot, page):
    page, views = page
    page.verticalScrollBar().setValue(views[4].mapTo(page.widget(), QPoint(0, 200)).y())
    token = views[4].token_near(200)

    def height() -> float:
        return views[4].mapTo(page.viewport(), views[4].line_of(token).topLeft().toPoint()).y()

    before = height()
    page.resize(440, 400)
    qtbot.waitUntil(lambda: all(fits(view) for view in views))
    assert views[4].line_of(token).top() > 220  # it stands on another line, below more text
    assert abs(height() - before) <= 1


def made(page: ConversationPage) -> list[bool]:
    """Which turns of the page are there, from the first to the last."""
    rooms = [page._rooms.get(turn) for turn in page._workspace.turns]
    return [room is not None and room.turn is not None for room in rooms]


def at_rest(qtbot, page: ConversationPage) -> None:
    """Everything is made and laid out, and the page has taken it in."""
    whole = page.widget()
    qtbot.waitUntil(lambda: not page.busy and whole.height() == max(whole.sizeHint().height(), page.height()))


def near(page: ConversationPage, slack: int) -> list[bool]:
    """Which turns lie within so many pixels of what is in sight."""
    top, bottom = page.verticalScrollBar().value() - slack, page.verticalScrollBar().value() + slack
    rooms = [page._rooms[turn] for turn in page._workspace.turns]
    return [room.y() + room.height() > top and room.y() < bottom + page.height() for room in rooms]


def test_of_many_turns_those_near_to_what_is_seen_are_made(qtbot, page):
    page, _ = page
    page._workspace.restore(turns=conversation(6000, 4, 40))
    assert made(page) == [False] * 149 + [True]  # the newest is there at once
    at_rest(qtbot, page)
    bar = page.verticalScrollBar()
    height = page.viewport().height()
    assert bar.value() == bar.maximum()
    assert all(is_made for is_made, is_near in zip(made(page), near(page, height), strict=True) if is_near)
    assert not any(
        is_made for is_made, is_near in zip(made(page), near(page, 4 * height), strict=True) if not is_near
    )
    whole = page.widget().height()
    views = [page.view(turn.answers[0]) for turn in page._workspace.turns]
    at_rest(qtbot, page)
    assert all(fits(view) for view in views) and bar.value() == bar.maximum()
    assert page.widget().height() == pytest.approx(whole, rel=0.1)  # what was guessed was about right
    page.resize(420, 400)
    assert broken(views[-1]) and not broken(views[0])
    bar.setValue(0)
    qtbot.waitUntil(lambda: fits(views[0]))
    qtbot.waitUntil(lambda: all(fits(view) for view in views))
    assert bar.value() == 0


def test_guessed_heights_follow_width_and_text_size(qtbot, page, qapp):
    page, _ = page
    page._workspace.restore(turns=conversation(6000, 4, 40))
    at_rest(qtbot, page)
    heights = [page.widget().height()]
    page.resize(340, 400)
    at_rest(qtbot, page)
    heights.append(page.widget().height())
    theme.apply(qapp, theme.LIGHT, 2.0)
    at_rest(qtbot, page)
    heights.append(page.widget().height())
    assert heights[0] * 1.15 < heights[1] and heights[1] * 1.15 < heights[2] and not all(made(page))


def test_what_one_scrolls_to_is_made_and_stays_in_its_place(qtbot, page):
    page, _ = page
    page._workspace.restore(turns=conversation(12000, 4, 40))
    at_rest(qtbot, page)
    turn = page._workspace.turns[20]
    page.verticalScrollBar().setValue(page._rooms[turn].y())
    qtbot.waitUntil(lambda: page._rooms[turn].turn is not None)
    assert not all(made(page))
    at_rest(qtbot, page)
    assert abs(page._rooms[turn].y() - page.verticalScrollBar().value()) <= 1


def test_a_token_that_is_chosen_elsewhere_is_shown_though_its_turn_was_not_made(qtbot, page):
    page, _ = page
    page._workspace.restore(turns=conversation(12000, 4, 40))
    answer = page._workspace.turns[30].answers[0]
    assert not made(page)[30]
    page._workspace.select(answer, 39)
    view = page.view(answer)

    def in_sight() -> bool:
        spot = view.mapTo(page.viewport(), view.line_of(39).center().toPoint())
        return page.viewport().rect().contains(spot)

    assert in_sight()
    at_rest(qtbot, page)
    assert in_sight()


def test_tab_goes_down_the_page(qtbot, page):
    page, _ = page
    at_rest(qtbot, page)
    stops, at = [], page.nextInFocusChain()
    while at is not page:
        stops.append(at)
        at = at.nextInFocusChain()
    turns = [page.turn(turn) for turn in page._workspace.turns]
    places = [stops.index(stop) for turn in turns for stop in tab_stops(turn)]
    assert len(places) >= 4 * len(turns) and places == sorted(places)


def test_what_is_made_late_is_as_able_and_as_far_as_the_rest(qtbot, page):
    page, _ = page
    turns = conversation(6000, 4, 40)
    page._workspace.restore(turns=turns)
    answer = turns[3].answers[0]
    page.set_able(True)
    for token in next_batch(answer):
        answer.trace.append(token)
    page._workspace.answerGrew.emit(answer, 40)  # as an answer that grows out of sight
    assert not made(page)[3]
    column = page.column(answer)
    assert column.edit.isEnabled() and column.view._flow.count == 50


def test_a_very_long_answer_is_broken_in_slices_and_grows_meanwhile(qtbot, page):
    page, _ = page
    turn = conversation(20 * AT_ONCE, 4, 20 * AT_ONCE)[0]
    page._workspace.restore(turns=(turn,))
    view = page.view(turn.answers[0])
    page.widget().layout().activate()
    assert view._flow.count < 20 * AT_ONCE  # not in one go
    rough = view.height()
    qtbot.waitUntil(lambda: view._flow.count == 20 * AT_ONCE and fits(view))
    assert 0.7 < rough / view.height() < 1.4  # the estimate
    page.resize(480, 400)
    for token in next_batch(turn.answers[0]):
        turn.answers[0].trace.append(token)
    view.grow()
    qtbot.waitUntil(lambda: view._flow.count == 20 * AT_ONCE + 10 and fits(view))
    assert "".join(line.text for line in view._flow.lines) == turn.answers[0].trace.text.replace("\n", "")


def test_what_waits_runs_in_its_order_and_once(qtbot):
    done: list[int] = []
    later = IdleQueue()

    def piece(name: int, steps: int):
        left = iter(range(steps))

        def go_on() -> bool:
            done.append(name)
            return next(left, None) is not None

        return go_on

    pieces = [piece(0, 2), piece(1, 0), piece(2, 0), piece(3, 0)]
    for each in (*pieces[:3], pieces[0]):
        later.add(each)
    later.add(pieces[3], soon=True)
    later.drop(pieces[1])
    assert done == []
    qtbot.waitUntil(lambda: len(done) == 5)
    qtbot.wait(20)
    assert done == [3, 0, 0, 0, 2]


def test_the_large_imports_are_never_collected_again(qtbot, window):
    assert gc.get_freeze_count() > 100_000
    assert gc.get_threshold()[2] < 1000


def test_a_scheme_is_put_on_once(qtbot, fresh_window):
    applied: list[bool] = []
    fresh_window.look.changed.connect(lambda: applied.append(theme.current().dark))
    fresh_window.actions_["scheme_dark"].trigger()
    fresh_window.actions_["scheme_light"].trigger()
    assert applied == [True, False]
