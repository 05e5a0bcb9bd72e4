"""Long answers: what is out of sight waits for its turn, and nothing is broken into lines for no reason."""

from __future__ import annotations

import pytest

from studio import theme
from studio.answer import SHORT, AnswerView
from studio.conversation import Conversation
from studio.later import Later
from studio.workspace import Workspace
from tests.benchmarks.long_runs import conversation


@pytest.fixture
def page(qtbot):
    """Eight answers of which the last ones are in sight."""
    workspace = Workspace()
    page = Conversation(workspace)
    qtbot.addWidget(page)
    page.resize(640, 400)
    page.show()
    workspace.restore(turns=conversation(16 * SHORT, 4, 2 * SHORT))
    views = [page.view(turn.answers[0]) for turn in workspace.turns]
    qtbot.waitUntil(lambda: all(fits(view) and view.width() < page.width() for view in views))
    return page, views


def fits(view: AnswerView) -> bool:
    return view._flow.width == view.width() and view.height() == view._flow.height + 1


def test_a_resize_breaks_what_is_seen_at_once_and_the_rest_in_turn(qtbot, page):
    page, views = page
    page.resize(480, 400)
    assert fits(views[-1])
    assert not fits(views[0])
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
    page._workspace.restore(turns=())
    qtbot.wait(50)
    assert not page._views


def test_what_waits_runs_in_its_order_and_once(qtbot):
    done: list[int] = []
    later, pieces = Later(), [lambda n=n: done.append(n) for n in range(3)]
    for piece in (*pieces, pieces[0]):
        later.add(piece)
    later.drop(pieces[1])
    assert done == []
    qtbot.waitUntil(lambda: len(done) == 2)
    qtbot.wait(20)
    assert done == [0, 2]


def test_a_scheme_is_put_on_once(qtbot, fresh_window):
    applied: list[bool] = []
    fresh_window.look.changed.connect(lambda: applied.append(theme.current().dark))
    fresh_window.actions_["scheme_dark"].trigger()
    fresh_window.actions_["scheme_light"].trigger()
    assert applied == [True, False]
