"""The library panel: search, names, tags, removal, export, and what is opened from it."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import numpy as np
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent, QGuiApplication

from engine.heads.head_file import load_head, save_head
from studio.library.library_panel import LibraryPanel
from studio.runtime.worker import Job
from tests.studio.app.test_main_job import ANSWER_MS, ask
from tests.studio.conftest import ready


def library(qtbot, window) -> LibraryPanel:
    window.actions_["panel_library"].trigger()
    if not window.docks.is_shown("library"):  # it was there already, and was closed
        window.actions_["panel_library"].trigger()
    panel = window.docks["library"].widget()
    assert isinstance(panel, LibraryPanel)
    qtbot.waitUntil(lambda: panel.list.count() > 0, timeout=5000)
    return panel


def library_of_heads(qtbot, window) -> LibraryPanel:
    window.actions_["panel_library"].trigger()
    panel = window.docks["library"].widget()
    panel.show_shelf("head")
    qtbot.waitUntil(lambda: panel.list.count() == 3, timeout=5000)
    return panel


def items(panel: LibraryPanel) -> list:
    return [panel.list.item(i).data(Qt.ItemDataRole.UserRole) for i in range(panel.list.count())]


def titles(panel: LibraryPanel) -> list[str]:
    return [panel.list.item(i).data(Qt.ItemDataRole.UserRole).title for i in range(panel.list.count())]


def test_a_head_that_was_removed_stays_so_while_it_lies_in_the_mixer(qtbot, open_window):
    window = ready(qtbot, open_window())
    window.autosave.flush()
    panel = library_of_heads(qtbot, window)
    window.shelf_work.shelving.remove(items(panel))
    qtbot.waitUntil(lambda: titles(panel) == [])
    window.workspace.undo()
    qtbot.waitUntil(lambda: len(titles(panel)) == 3)
    window.workspace.redo()
    qtbot.waitUntil(lambda: titles(panel) == [])
    window = ready(qtbot, open_window())
    workspace = window.workspace
    workspace.mixer.set_strength(workspace.channels[0].key, 1.1)

    assert heads_after_a_save(qtbot, window) == [] and len(workspace.channels) == 3
    window.controllers.take(workspace.channels[1].head)
    assert len(heads_after_a_save(qtbot, window)) == 1
    workspace.mixer.rename_head(workspace.channels[0].key, "buccaneer")
    found = heads_after_a_save(qtbot, window)
    assert len(found) == 2 and "buccaneer" in found


def heads_after_a_save(qtbot, window) -> list[str]:
    """Titles of the heads that the library lists."""
    window.autosave.flush()
    found: list[list] = []
    archive = window.autosave.archive
    ask_for = Job("", lambda emit, cancel: archive.items("head", ""), on_done=found.append)
    window.autosave.worker.submit(ask_for)
    qtbot.waitUntil(lambda: bool(found))
    return [item.title for item in found[0]]


def test_the_library_searches_renames_tags_removes_and_exports(qtbot, open_window, tmp_path):
    window = ready(qtbot, open_window())
    window.autosave.flush()
    panel = library_of_heads(qtbot, window)
    assert sorted(titles(panel)) == ["cheerful", "pirate", "terse"]
    item = next(i for i in items(panel) if i.title == "terse")
    window.shelf_work.shelving.rename(item, "few words")
    qtbot.waitUntil(lambda: "few words" in titles(panel))
    window.shelf_work.shelving.tag(item, ("short", "style"))
    qtbot.waitUntil(lambda: any(i.tags for i in items(panel)))
    panel.search.setText("SHORT")
    qtbot.waitUntil(lambda: titles(panel) == ["few words"])
    path = tmp_path / "out.head.safetensors"
    window.shelf_work.export(item, path)
    qtbot.waitUntil(path.exists, timeout=5000)
    assert load_head(path).digest == item.key and load_head(path).info.name == "few words"
    panel.list.selectAll()
    panel.actions_["remove"].trigger()
    qtbot.waitUntil(lambda: titles(panel) == [])
    assert "No matches" in panel._empty.text()
    window.actions_["undo"].trigger()
    qtbot.waitUntil(lambda: titles(panel) == ["few words"])
    assert items(panel)[0].tags == ("short", "style")  # which come back with it
    panel.search.clear()
    qtbot.waitUntil(lambda: panel.list.count() == 3)
    window.actions_["undo"].trigger()
    qtbot.waitUntil(lambda: not any(i.tags for i in items(panel)))
    window.actions_["undo"].trigger()
    qtbot.waitUntil(lambda: "terse" in titles(panel))
    for _ in range(3):
        window.actions_["redo"].trigger()
    qtbot.waitUntil(lambda: sorted(titles(panel)) == ["cheerful", "pirate"])


def test_an_undone_rename_leaves_the_automatic_name(qtbot, open_window):
    window = ready(qtbot, open_window())
    ask(qtbot, window, "Tell me about the harbour.")
    window.autosave.flush()
    panel = library(qtbot, window)
    [item] = items(panel)
    window.shelf_work.shelving.rename(item, "Ships")
    qtbot.waitUntil(lambda: titles(panel) == ["Ships"])
    window.actions_["undo"].trigger()
    qtbot.waitUntil(lambda: titles(panel) == ["Tell me about the harbour."])
    window.controllers.answering.edit(window.workspace.turns[0], "Tell me about bees.")
    qtbot.waitUntil(lambda: not window.controllers.talking, timeout=ANSWER_MS)
    window.autosave.flush()
    window.shelf_work.shelving.changed.emit()
    qtbot.waitUntil(lambda: titles(panel) == ["Tell me about bees."])


def test_the_library_follows_a_name_given_in_the_mixer_and_taken_back(qtbot, open_window):
    window = ready(qtbot, open_window())
    workspace, shelving = window.workspace, window.shelf_work.shelving
    window.autosave.flush()
    panel = library_of_heads(qtbot, window)
    shelving.rename(next(i for i in items(panel) if i.title == "terse"), "few words")
    qtbot.waitUntil(lambda: "few words" in titles(panel))
    workspace.mixer.rename_head(workspace.channels[1].key, "hardly any")
    window.autosave.flush()
    shelving.changed.emit()
    qtbot.waitUntil(lambda: "hardly any" in titles(panel))
    workspace.undo()
    window.autosave.flush()
    shelving.changed.emit()
    qtbot.waitUntil(lambda: "few words" in titles(panel))
    workspace.redo()
    window.autosave.flush()
    workspace.mixer.remove_head(workspace.channels[1].key)
    window.autosave.flush()
    shelving.changed.emit()
    qtbot.waitUntil(lambda: "hardly any" in titles(panel))  # out of the mixer it keeps its name


def test_a_name_given_in_the_library_stays_over_a_restart(qtbot, open_window):
    window = ready(qtbot, open_window())
    window.workspace.mixer.rename_head(window.workspace.channels[0].key, "buccaneer")
    assert "buccaneer" in heads_after_a_save(qtbot, window)
    panel = library_of_heads(qtbot, window)
    item = next(i for i in items(panel) if i.title == "buccaneer")
    window.shelf_work.shelving.rename(item, "corsair")
    qtbot.waitUntil(lambda: "corsair" in titles(panel))
    window = ready(qtbot, open_window())
    window.workspace.mixer.set_strength(window.workspace.channels[0].key, 0.5)
    found = heads_after_a_save(qtbot, window)
    assert "corsair" in found and "buccaneer" not in found
    window.workspace.mixer.rename_head(window.workspace.channels[0].key, "privateer")
    assert "privateer" in heads_after_a_save(qtbot, window)


def test_a_removed_conversation_comes_back_whole_and_the_open_one_stays(qtbot, open_window, tmp_path):
    window = ready(qtbot, open_window())
    ask(qtbot, window, "Tell me about the harbour.")
    answer, key = window.workspace.turns[0].answers[0], window.workspace.conversation
    window.actions_["new"].trigger()
    ask(qtbot, window, "Tell me about bees.")
    window.autosave.flush()
    window.actions_["panel_library"].trigger()
    panel = window.docks["library"].widget()
    qtbot.waitUntil(lambda: panel.list.count() == 2, timeout=5000)
    panel.list.selectAll()
    with qtbot.waitSignal(window.shelf_work.noticed) as told:
        panel.actions_["remove"].trigger()
    assert "open conversation was not removed" in told.args[0]
    qtbot.waitUntil(lambda: titles(panel) == ["Tell me about bees."])
    window.actions_["undo"].trigger()
    qtbot.waitUntil(lambda: panel.list.count() == 2)
    item = next(i for i in items(panel) if i.key == key)
    window.shelf_work.export(item, tmp_path / "talk.md")
    qtbot.waitUntil((tmp_path / "talk.md").exists)
    written = (tmp_path / "talk.md").read_text()
    assert "Tell me about the harbour." in written and answer.text in written
    with qtbot.waitSignal(window.autosave.worker.failed) as failed:
        window.shelf_work.export(item, tmp_path / "nowhere" / "talk.md")
    assert "does not exist" in failed.args[0].why and failed.args[0].remedy
    window.shelf_work.open(item)
    qtbot.waitUntil(lambda: window.workspace.conversation == key)
    back = window.workspace.turns[0].answers[0]
    assert back.text == answer.text and back.trace.pieces == answer.trace.pieces
    assert np.array_equal(back.trace.coefficients, answer.trace.coefficients)


def test_a_head_dropped_on_the_library_is_kept_there(qtbot, open_window, tmp_path):
    window = ready(qtbot, open_window())
    head = window.workspace.channels[0].head.renamed("dropped")
    weaker = {b: type(p)(p.w, p.b * 0.5, p.z) for b, p in head.blocks.items()}
    path = tmp_path / "dropped.head.safetensors"
    save_head(type(head)(weaker, head.gate, head.info), path)
    window.autosave.flush()
    panel = library_of_heads(qtbot, window)
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    left = Qt.MouseButton.LeftButton
    event = QDropEvent(QPointF(9, 9), Qt.DropAction.CopyAction, data, left, Qt.KeyboardModifier.NoModifier)
    panel.dropEvent(event)
    qtbot.waitUntil(lambda: "dropped" in titles(panel), timeout=10_000)
    assert window.workspace.channels[-1].name == "dropped"
    assert window.preferences.recent("recent_heads") == [str(path)]


def test_a_damaged_conversation_goes_on_as_a_copy_and_is_left_as_it_is(qtbot, open_window, tmp_path):
    window = ready(qtbot, open_window())
    for question in ("Tell me about the harbour.", "And the castle?"):
        ask(qtbot, window, question)
    key = window.workspace.conversation
    window.actions_["new"].trigger()
    window.autosave.flush()
    qtbot.waitUntil(lambda: not window.autosave.worker.busy)
    with closing(sqlite3.connect(tmp_path / "home" / "library.sqlite")) as db:
        db.execute("UPDATE turn SET facts = 'rubbish' WHERE place = 1")
        db.commit()
        [damaged] = db.execute("SELECT * FROM turn WHERE place = 1").fetchall()
    panel = library(qtbot, window)
    window.shelf_work.open(next(item for item in items(panel) if item.key == key))
    qtbot.waitUntil(window.banner.isVisible)
    assert (
        "1 turn of “Tell me about the harbour.” cannot be read: “And the castle?”"
        in window.banner.text.text()
    )
    window.banner.copy.click()
    told = QGuiApplication.clipboard().text()
    assert damaged[0] in told and key in told and "rubbish" in told
    ask(qtbot, window, "And bees?")
    window.close()
    with closing(sqlite3.connect(tmp_path / "home" / "library.sqlite")) as db:
        kept = db.execute("SELECT * FROM turn WHERE conversation = ? ORDER BY place", (key,)).fetchall()
        others = db.execute("SELECT question FROM turn WHERE conversation != ?", (key,)).fetchall()
    assert [turn[3] for turn in kept] == ["Tell me about the harbour.", "And the castle?"] and kept[
        1
    ] == damaged
    assert sorted(row[0] for row in others) == ["And bees?", "Tell me about the harbour."]
