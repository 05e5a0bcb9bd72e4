"""Blind comparisons: nothing tells who speaks until the vote, and votes are kept."""

from __future__ import annotations

import json

from studio.chat.votes_dialog import VotesDialog
from studio.state.compare_columns import ColumnChoice
from tests.studio.chat.test_compare_page import WAIT_MS, compare
from tests.studio.conftest import kept_votes, library, ready


def test_blind_until_the_vote_which_is_kept(qtbot, open_window):
    window = ready(qtbot, open_window())
    qtbot.waitUntil(lambda: window.autosave.keeps, timeout=WAIT_MS)
    page = window.compare_page
    found = compare(qtbot, window, blind=True)
    assert [view.title.text() for view in page.columns] == ["Answer A", "Answer B", "Answer C"]
    assert not any(view.made.text() for view in page.columns) and page.tie.isVisible()
    assert window.workspace.shown is None and all(view.text._plain for view in page.columns)
    assert window.heatmap._empty.isVisible() and "until you vote" in window.heatmap._empty.text()
    page.columns[1].vote.click()
    steered = found.answers[found.names.index("mixer")]
    assert window.workspace.shown is steered and not any(view.text._plain for view in page.columns)
    assert [view.answer for view in page.columns if view.property("shown")] == [steered]
    window.workspace.select(found.answers[1], 0)
    assert [view.property("shown") for view in page.columns] == [False, True, False]
    assert page.columns[1].title.text() == f"✓ {found.names[1]}" and not page.tie.isVisible()
    assert all(view.made.text() for view in page.columns)
    assert sorted(found.names) == ["mixer", "prompt", "unsteered"]
    assert window.comparing.tally == {found.names[1]: 1} and found.names[1] in page.note.text()
    qtbot.waitUntil(lambda: not window.autosave.worker.busy, timeout=WAIT_MS)
    [kept] = kept_votes(window)
    assert kept["choice"] == found.names[1] and len(kept["lanes"]) == 3 and kept["seed"] == 0
    page.columns[0].vote.click()  # one vote a round
    assert sum(window.comparing.tally.values()) == 1
    window.workspace.undo()
    assert window.comparing.round.choice is None and not window.comparing.tally
    assert [view.title.text() for view in page.columns] == list(found.names)  # they are known by now
    assert "withdrawn" in window.status.busy.text()
    window.comparing.vote(0)
    assert not window.comparing.tally
    qtbot.waitUntil(lambda: not kept_votes(window), timeout=WAIT_MS)
    window.workspace.undo()
    window.workspace.redo()
    assert not window.comparing.round.blind
    window.workspace.redo()
    qtbot.waitUntil(lambda: len(kept_votes(window)) == 1, timeout=WAIT_MS)
    assert window.comparing.tally == {found.names[1]: 1}


def test_there_is_no_vote_on_answers_without_words(qtbot, window):
    window.workspace.set_blind(True)
    window.actions_["page_compare"].trigger()
    window.composer.set_question("Tell me about the harbour.")
    window.actions_["send"].trigger()
    window.actions_["stop"].trigger()
    qtbot.waitUntil(lambda: not window.comparing.running, timeout=WAIT_MS)
    assert window.comparing.round.over and not any(len(a) for a in window.comparing.round.answers)
    assert not any(view.vote.isVisible() for view in window.compare_page.columns)
    assert "cannot be voted on" in window.compare_page.note.text()
    window.comparing.vote(0)
    assert window.comparing.round.blind and not window.comparing.tally


def test_votes_are_there_after_a_restart_to_see_and_to_export(qtbot, open_window):
    window = ready(qtbot, open_window())
    assert not window.compare_page.votes.isVisibleTo(window.compare_page)
    compare(qtbot, window, blind=True)
    window.comparing.vote(1)
    first = window.comparing.round.names[1]
    qtbot.waitUntil(lambda: len(kept_votes(window)) == 1, timeout=WAIT_MS)
    with library(window) as store, store.writing() as db:  # damaged ones hide no others
        db.executemany("INSERT INTO vote (cast_at, facts) VALUES (?, ?)", [("then", "no"), ("then", "{}")])
    window = ready(qtbot, open_window())
    qtbot.waitUntil(lambda: window.comparing.tally == {first: 1}, timeout=WAIT_MS)
    compare(qtbot, window, "Tell me about tea.", blind=True)
    window.comparing.vote(None)
    assert f"{first} (1)" in window.compare_page.note.text() and "tie (1)" in window.compare_page.note.text()
    window.compare_page.votes.click()
    dialog = window.findChild(VotesDialog)
    rows = [dialog.list.topLevelItem(row) for row in range(dialog.list.topLevelItemCount())]
    assert [(row.text(0), row.text(2)) for row in rows] == [
        ("tie", "Tell me about tea."),
        (first, "Tell me about bees."),
    ]
    asked = []
    window.actions_["export_votes"].triggered.disconnect()
    window.actions_["export_votes"].triggered.connect(lambda: asked.append(True))
    dialog.export.click()
    assert asked == [True]
    window.workspace.undo()
    assert window.comparing.tally == {first: 1}


def test_votes_are_exported_with_what_was_compared(qtbot, open_window, tmp_path):
    window = ready(qtbot, open_window())
    path = tmp_path / "votes.json"
    window.shelf_work.export_votes(path)
    qtbot.waitUntil(window.banner.isVisible, timeout=WAIT_MS)
    assert "no votes yet" in window.banner.text.text() and not path.exists()
    compare(qtbot, window, blind=True)
    window.compare_page.columns[1].vote.click()
    window.shelf_work.export_votes(path)
    qtbot.waitUntil(path.exists, timeout=WAIT_MS)
    [vote] = json.loads(path.read_text())
    assert vote["choice"] == window.comparing.round.names[1] and len(vote["lanes"]) == 3


def test_the_vote_marks_one_of_two_columns_of_one_name(qtbot, window):
    page = window.compare_page
    for place in range(3):
        window.workspace.set_column(place, ColumnChoice("mixer"))
    compare(qtbot, window, blind=True)
    page.columns[2].vote.click()
    assert [view.title.text() for view in page.columns] == ["mixer", "mixer", "✓ mixer"]
