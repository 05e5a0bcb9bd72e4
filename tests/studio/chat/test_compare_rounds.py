"""Answers of the Compare page are kept like a conversation's: before they run and ever after."""

from __future__ import annotations

import gc
import sqlite3
import threading
from contextlib import closing
from weakref import ref

import numpy as np
import pytest
from PySide6.QtGui import QGuiApplication

from studio.library.library_jobs import LibraryJobs
from studio.library.session_writer import Snapshot
from studio.state.compare_columns import ColumnChoice
from tests.studio.app.test_killed import started
from tests.studio.app.test_main_job import ask
from tests.studio.app.test_session_restore import crashed
from tests.studio.chat.test_compare_page import WAIT_MS, compare, talking
from tests.studio.conftest import kept_votes, ready
from tests.studio.library.test_library_panel import items, library, titles

HEADS = "pirate", "06ca649423657441"  # what a blind comparison must not tell


def captions(window) -> list[tuple[str, str, str]]:
    return [(v.title.text(), v.made.text(), v.answer.text) for v in window.compare_page.columns]


def kept(home) -> list[tuple[str, str]]:
    """Questions and states of the comparisons that lie in the library."""
    with closing(sqlite3.connect(home / "library.sqlite")) as db:
        return db.execute(
            "SELECT turn.question, answer.state FROM turn JOIN answer ON answer.turn = turn.key "
            "JOIN conversation AS c ON c.key = turn.conversation WHERE c.kind = 'comparison'"
        ).fetchall()


def saved(qtbot, window) -> None:
    window.autosave.flush()
    qtbot.waitUntil(lambda: not window.autosave.worker.busy, timeout=WAIT_MS)


def listed(qtbot, window, count: int):
    panel = library(qtbot, window)
    window.shelf_work.shelving.changed.emit()
    qtbot.waitUntil(lambda: panel.list.count() == count, timeout=5000)
    return panel


def test_question_and_columns_are_on_the_disk_before_they_run(qtbot, open_window, tmp_path, monkeypatch):
    window = ready(qtbot, open_window())
    saved(qtbot, window)
    found, generate = [], window.controllers.host.generate

    def noted(*given):
        found.extend(kept(tmp_path / "home"))
        return generate(*given)

    monkeypatch.setattr(window.controllers.host, "generate", noted)
    compare(qtbot, window)
    assert found == [("Tell me about bees.", "waiting")] * 3


def test_a_comparison_is_there_again_without_a_model_and_goes_on_with_one(
    qtbot, open_window, tmp_path, monkeypatch
):
    window = ready(qtbot, open_window())
    workspace = window.workspace
    workspace.add_column(ColumnChoice("head", workspace.channels[1].key, 1.2))
    workspace.mixer.set_strength(workspace.channels[0].key, 0.7)
    old = compare(qtbot, window)
    told = captions(window)
    workspace.mixer.rename_head(workspace.channels[1].key, "brief")
    other = open_window()
    load = other.controllers.open_model
    monkeypatch.setattr(other.controllers, "open_model", lambda source: None)
    qtbot.waitUntil(lambda: other.comparing.round is not None, timeout=WAIT_MS)
    other.actions_["page_compare"].trigger()
    workspace, new = other.workspace, other.comparing.round
    assert workspace.loading.facts is None and captions(other) == told and new.question == old.question
    for one, two in zip(old.answers, new.answers, strict=True):
        assert two.state == "eos" and np.array_equal(one.trace.coefficients, two.trace.coefficients)
    assert workspace.shown is new.answers[2] and not workspace.stack.canUndo()
    assert other.heatmap._empty.isHidden() and workspace.scales.activation.limit > 1.0
    workspace.select(new.answers[2], 2)
    assert all(" at token " in view.told.text() for view in other.compare_page.columns)
    other.exporting.write("export_trace", tmp_path / "trace.csv")
    qtbot.waitUntil((tmp_path / "trace.csv").exists, timeout=WAIT_MS)
    load("pocket")
    ready(qtbot, other)
    other.exporting.write("export_run", tmp_path / "all.run.safetensors")
    qtbot.waitUntil((tmp_path / "all.run.safetensors").exists, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: not other.controllers.worker.busy, timeout=WAIT_MS)
    assert "Left out" not in other.status.busy.text()
    choice = next(
        i
        for i, each in enumerate(new.answers[2].trace.alternatives[2])
        if each[0] != new.answers[2].trace.ids[2]
    )
    other.inspector.alternatives.chosen.emit(choice)
    qtbot.waitUntil(lambda: not other.controllers.talking, timeout=WAIT_MS)
    [turn] = workspace.turns
    assert turn.mix[0][2] == pytest.approx(0.7) and turn.answers[0].state == "eos"
    assert other.comparing.round is new  # and stays on its page


def test_after_a_crash_a_blind_one_is_blind_until_the_vote(qtbot, open_window, tmp_path):
    window = ready(qtbot, open_window())
    old = compare(qtbot, window, blind=True)
    saved(qtbot, window)
    window.close()
    crashed(tmp_path / "home")
    other = open_window()
    qtbot.waitUntil(lambda: other.recovery.dialog is not None)
    assert "a comparison of 3 answers: “Tell me about bees.”" in other.recovery.dialog.text.text()
    assert "the unsent question" not in other.recovery.dialog.text.text()
    other.actions_["page_compare"].trigger()  # the page that is seen when it comes back
    other.recovery.dialog.restore.click()
    ready(qtbot, other)
    page, workspace = other.compare_page, other.workspace
    assert captions(other) == [(f"Answer {x}", "", a.text) for x, a in zip("ABC", old.answers, strict=True)]
    assert workspace.shown is None and workspace.hidden_until_vote and page.tie.isVisible()
    panel = listed(qtbot, other, 1)
    [item] = items(panel)
    assert not any(word in panel.list.item(0).text() + panel.list.item(0).toolTip() for word in HEADS)
    for words, found in (("pirate", 0), ("bees", 1)):
        panel.search.setText(words)
        qtbot.waitUntil(lambda found=found: panel.list.count() == found, timeout=5000)
    other.shelf_work.export(item, tmp_path / "blind.md")
    qtbot.waitUntil((tmp_path / "blind.md").exists)
    written = (tmp_path / "blind.md").read_text()
    assert "**Answer B:** " + old.answers[1].text in written
    assert not any(word in written for word in (*HEADS, "mixer", "unsteered"))
    other.exporting.write("export_trace", tmp_path / "no.csv")
    qtbot.waitUntil(other.banner.isVisible, timeout=WAIT_MS)
    page.columns[1].vote.click()
    named = captions(other)
    assert [name.removeprefix("✓ ") for name, _, _ in named] == list(old.names) and named[1][0][0] == "✓"
    assert all(made for _, made, _ in named) and workspace.shown is not None
    qtbot.waitUntil(lambda: len(kept_votes(other)) == 1, timeout=WAIT_MS)
    assert kept_votes(other)[0]["choice"] == old.names[1]
    other.shelf_work.export(item, tmp_path / "named.md")
    qtbot.waitUntil((tmp_path / "named.md").exists)
    assert all(
        word in (tmp_path / "named.md").read_text() for word in (*HEADS, f"{old.names[1]};", "the vote")
    )
    third = ready(qtbot, open_window())
    third.actions_["page_compare"].trigger()
    assert captions(third) == named and third.comparing.round.choice == 1
    assert not third.compare_page.tie.isVisible()  # nobody votes twice
    third.comparing.vote(0)
    assert sum(third.comparing.tally.values()) == 1


def test_a_vote_taken_back_leaves_the_names_known_at_the_next_start_too(qtbot, open_window):
    window = ready(qtbot, open_window())
    compare(qtbot, window, blind=True)
    window.comparing.vote(0)
    window.workspace.undo()
    other = ready(qtbot, open_window())
    assert not other.comparing.round.blind and other.comparing.round.choice is None


def test_the_library_lists_finds_renames_tags_and_opens_comparisons(qtbot, open_window, tmp_path):
    window = ready(qtbot, open_window())
    ask(qtbot, window, "Tell me about bees.")
    first = compare(qtbot, window, "Tell me about tea.")
    second = compare(qtbot, window, "Tell me about the castle.")
    told = captions(window)
    saved(qtbot, window)
    panel = listed(qtbot, window, 3)
    rows = [panel.list.item(row).text().split("\n") for row in range(3)]
    assert [title for title, _ in rows] == [
        "Comparison: Tell me about the castle.", "Comparison: Tell me about tea.", "Tell me about bees."
    ]  # fmt: skip
    assert rows[0][1].startswith("3 answers") and rows[2][1].startswith("1 turn")
    for words, number in (("comparison", 2), (first.answers[0].text[:12], 1), ("comparison tea", 1)):
        panel.search.setText(words)
        qtbot.waitUntil(lambda number=number: panel.list.count() == number, timeout=5000)
    [item] = items(panel)
    window.shelf_work.shelving.rename(item, "Drinks")
    window.shelf_work.shelving.tag(item, ("hot",))
    panel.search.setText("hot")
    qtbot.waitUntil(lambda: titles(panel) == ["Drinks"], timeout=5000)
    window.actions_["page_conversation"].trigger()
    window.shelf_work.open(items(panel)[0])
    qtbot.waitUntil(lambda: window.comparing.round.question == "Tell me about tea.", timeout=WAIT_MS)
    assert (
        window.pages.current is window.compare_page
        and window.workspace.shown is window.comparing.round.answers[2]
    )
    assert [text for _, _, text in captions(window)] == [answer.text for answer in first.answers]
    assert window.workspace.turns[0].question == "Tell me about bees."  # the conversation is another page
    window.workspace.undo()
    assert window.comparing.round is second and captions(window) == told
    window.shelf_work.open(items(panel)[0])  # and, from another run, after it
    qtbot.waitUntil(lambda: window.comparing.round is not second, timeout=WAIT_MS)
    other = ready(qtbot, open_window())
    assert other.comparing.round.question == "Tell me about tea."
    assert sorted(titles(listed(qtbot, other, 3))) == [
        "Drinks", "Tell me about bees.", "Tell me about the castle."
    ]  # fmt: skip


def test_while_one_is_answered_no_other_is_opened_and_the_shown_one_is_only_turned_to(qtbot, open_window):
    window = ready(qtbot, open_window())
    compare(qtbot, window, "Tell me about tea.")
    talking(qtbot, window)
    saved(qtbot, window)
    at, found = window.comparing.round, items(listed(qtbot, window, 2))
    window.shelf_work.open(next(item for item in found if item.key != at.key))
    qtbot.waitUntil(lambda: "Stop the answers first" in window.status.busy.text(), timeout=WAIT_MS)
    window.actions_["page_conversation"].trigger()
    steps = window.workspace.stack.count()
    window.shelf_work.open(next(item for item in found if item.key == at.key))
    assert (
        window.pages.current is window.compare_page
        and window.comparing.round is at
        and window.comparing.running
    )
    assert window.workspace.stack.count() == steps
    window.comparing.stop()
    qtbot.waitUntil(lambda: not window.comparing.running, timeout=WAIT_MS)


def test_a_removed_comparison_leaves_the_page_and_undo_brings_both_back(qtbot, open_window, tmp_path):
    window = ready(qtbot, open_window())
    first = compare(qtbot, window, "Tell me about tea.")
    second = compare(qtbot, window)
    told = captions(window)
    saved(qtbot, window)
    panel = listed(qtbot, window, 2)
    panel.list.selectAll()
    panel.actions_["remove"].trigger()
    qtbot.waitUntil(lambda: panel.list.count() == 0, timeout=5000)
    assert window.comparing.round is None and not window.compare_page.columns
    assert window.workspace.shown is None
    saved(qtbot, window)
    assert not kept(tmp_path / "home")
    window.actions_["undo"].trigger()
    qtbot.waitUntil(lambda: panel.list.count() == 2, timeout=5000)
    assert window.comparing.round is second and captions(window) == told
    assert window.workspace.shown is second.answers[2]
    window.shelf_work.open(next(i for i in items(panel) if "tea" in i.title))
    qtbot.waitUntil(lambda: window.comparing.round is not second, timeout=WAIT_MS)
    back = window.comparing.round.answers[2].trace
    assert np.array_equal(back.coefficients, first.answers[2].trace.coefficients)


def test_removed_while_it_is_answered_it_stops_and_comes_back_with_what_there_was(
    qtbot, open_window, tmp_path
):
    window = ready(qtbot, open_window())
    talking(qtbot, window)
    saved(qtbot, window)
    panel = listed(qtbot, window, 1)
    at, [item] = window.comparing.round, items(panel)
    window.shelf_work.shelving.remove([item])
    qtbot.waitUntil(lambda: not window.comparing.running, timeout=WAIT_MS)
    saved(qtbot, window)
    assert not kept(tmp_path / "home")
    window.workspace.undo()
    saved(qtbot, window)
    assert kept(tmp_path / "home") == [(at.question, "cancelled")] * 3


def test_a_comparison_that_is_taken_back_is_kept_no_longer_until_it_is_made_again(
    qtbot, open_window, tmp_path
):
    home = tmp_path / "home"
    window = ready(qtbot, open_window())
    compare(qtbot, window, "Tell me about tea.")
    second = compare(qtbot, window)
    told = captions(window)

    def questions() -> set[str]:
        saved(qtbot, window)
        return {question for question, _ in kept(home)}

    assert questions() == {"Tell me about tea.", "Tell me about bees."}
    window.workspace.undo()
    assert questions() == {"Tell me about tea."} and window.comparing.round.question == "Tell me about tea."
    window.workspace.redo()
    assert questions() == {"Tell me about tea.", "Tell me about bees."} and window.comparing.round is second
    window.workspace.undo()
    window.workspace.redo()
    compare(qtbot, window, "Tell me about the castle.")
    assert questions() == {"Tell me about tea.", "Tell me about bees.", "Tell me about the castle."}
    while window.comparing.round is not second:
        window.workspace.undo()
    other = ready(qtbot, open_window())
    assert captions(other) == told
    assert {question for question, _ in kept(home)} == {"Tell me about tea.", "Tell me about bees."}


def test_what_ended_just_before_the_next_comparison_is_kept_whole(qtbot, open_window, tmp_path):
    window = ready(qtbot, open_window())
    compare(qtbot, window, "Tell me about tea.")
    compare(qtbot, window)  # before the pause of the autosave is over
    saved(qtbot, window)
    assert (
        kept(tmp_path / "home") == [("Tell me about tea.", "eos")] * 3 + [("Tell me about bees.", "eos")] * 3
    )


def test_a_finished_answer_is_written_once_and_in_the_librarys_thread(qtbot, open_window, monkeypatch):
    window = ready(qtbot, open_window())
    traces, threads, save = [], set(), LibraryJobs.save

    def noted(archive: LibraryJobs, snapshot: Snapshot) -> None:
        traces.extend(snapshot.traces)
        threads.add(threading.current_thread())
        save(archive, snapshot)

    monkeypatch.setattr(LibraryJobs, "save", noted)
    found = compare(qtbot, window, blind=True)
    for place in range(3):
        saved(qtbot, window)
        window.workspace.set_question(f"And {place}?")
    window.comparing.vote(1)
    saved(qtbot, window)
    window.actions_["page_conversation"].trigger()
    ask(qtbot, window, "Tell me about the castle.")
    saved(qtbot, window)
    talked = window.workspace.turns[0].key
    assert sorted(traces) == sorted([*((turn.key, "steered") for turn in found.turns), (talked, "steered")])
    assert threading.current_thread() not in threads


def test_answers_that_no_step_leads_back_to_are_freed(qtbot, open_window):
    window = ready(qtbot, open_window())
    gone = [ref(answer) for answer in compare(qtbot, window, blind=True).answers]
    window.comparing.vote(0)
    saved(qtbot, window)
    compare(qtbot, window, "Tell me about tea.")
    saved(qtbot, window)
    window.workspace.clear_history()
    compare(qtbot, window, "Tell me about the castle.")  # the job before the last is forgotten too
    gc.collect()
    assert not any(answer() for answer in gone)


def test_what_is_damaged_costs_only_itself(qtbot, open_window, tmp_path):
    window = ready(qtbot, open_window())
    old = compare(qtbot, window, blind=True)
    key = old.key
    window.close()
    with closing(sqlite3.connect(tmp_path / "home" / "library.sqlite")) as db:
        db.execute("UPDATE turn SET facts = 'rubbish' WHERE key = ?", (old.turns[0].key,))
        db.commit()
        rows = db.execute("SELECT * FROM turn ORDER BY key").fetchall()
    other = ready(qtbot, open_window())
    at = other.comparing.round
    assert at.names == old.names[1:] and at.blind and at.key != key
    assert "1 turn of “Tell me about bees.” cannot be read" in other.banner.text.text()
    other.banner.copy.click()
    assert not any(word in QGuiApplication.clipboard().text() for word in (*HEADS, "rubbish"))
    saved(qtbot, other)
    other.close()
    with closing(sqlite3.connect(tmp_path / "home" / "library.sqlite")) as db:
        assert [row for row in db.execute("SELECT * FROM turn ORDER BY key") if row in rows] == rows
        db.execute("UPDATE conversation SET facts = '{}' WHERE key = ?", (at.key,))
        db.commit()
    third = ready(qtbot, open_window())
    assert "The column names of “Tell me about bees.” cannot be read." in third.banner.text.text()
    third.actions_["page_compare"].trigger()
    assert [view.answer.text for view in third.compare_page.columns] == [a.text for a in old.answers[1:]]


STUDIO = """
import sys
from pathlib import Path
from PySide6.QtWidgets import QApplication
from studio.app.main_window import Window

app = QApplication([])
window = Window(None, Path(sys.argv[1]))
workspace, session = window.workspace, window.controllers
def told(state):
    texts = [answer.text for answer in workspace.round.answers] if workspace.round else []
    print(state, bool(texts and all(texts)), flush=True)
window.autosave.stateChanged.connect(told)

def loaded(_):
    window.preferences.set("live", False)
    workspace.set_settings(workspace.settings.__class__(max_tokens=900))
    session.host.need_model().eos_ids = frozenset()
    workspace.set_blind(True)
    window.actions_["page_compare"].trigger()
    window.composer.set_question("Tell me about the harbour.")
    window.actions_["send"].trigger()

session.modelOpened.connect(loaded)
window.show()
app.exec()
"""


def test_killed_in_the_middle_of_a_comparison(qtbot, open_window, tmp_path):
    with started(STUDIO, tmp_path / "home") as killed:
        assert killed.stdout is not None
        assert any(line == "saving True\n" for line in killed.stdout)
        assert any(line == "saved True\n" for line in killed.stdout)
    window = open_window()
    qtbot.waitUntil(lambda: window.recovery.dialog is not None)
    window.recovery.dialog.accept()
    ready(qtbot, window)
    at = window.comparing.round
    assert at.question == "Tell me about the harbour." and at.blind and window.workspace.comparison.blind
    assert all(answer.state == "cancelled" and answer.text for answer in at.answers)
    assert window.workspace.question == "Tell me about the harbour."  # may be asked again
    window.actions_["page_compare"].trigger()
    assert window.compare_page.columns[0].title.text() == "Answer A"
    window.compare_page.columns[0].vote.click()
    assert window.compare_page.columns[0].title.text() == f"✓ {at.names[0]}"
