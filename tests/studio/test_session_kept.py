"""What is kept over the end of the studio: autosave, recovery, the library panel."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtTest import QTest

from engine.heads.files import load_head, save_head
from studio.archive import Archive
from studio.library_panel import LibraryPanel
from studio.recovery import FIRST_PROMPT
from studio.requests import FitOptions
from studio.snapshot import Snapshot
from tests.studio.conftest import ready

ANSWER_MS = 60_000


def ask(qtbot, window, question: str) -> None:
    window.composer.set_question(question)
    window.actions_["send"].trigger()
    qtbot.waitUntil(lambda: not window.session.talking, timeout=ANSWER_MS)


def crashed(home: Path) -> None:
    """As if the last run had not ended in order."""
    with sqlite3.connect(home / "library.sqlite") as db:
        db.execute("UPDATE session SET clean = 0")
    db.close()


def test_a_session_goes_on_where_it_ended(qtbot, open_window):
    window = ready(qtbot, open_window())
    ask(qtbot, window, "Tell me about the harbour.")
    key = window.workspace.channels[1].key
    window.workspace.set_enabled(key, True)
    window.workspace.set_strength(key, 0.4)
    window.workspace.rename_head(key, "short words")
    window.workspace.keep_preset("both")
    options = window.steering.options
    options.method.setCurrentIndex(options.method.findData("s-psr"))
    options.recipe.setCurrentIndex(options.recipe.findData("refine"))
    options.block.setValue(3)
    wanted = window.workspace.fit_options
    window.preferences.set("live", False)
    window.workspace.set_prompt("Be gloomy.")
    window.workspace.set_question("And the castle?")
    old = window.workspace.turns[0].answers[0]
    other = ready(qtbot, open_window())
    workspace = other.workspace
    new = workspace.turns[0].answers[0]
    assert new.text == old.text and new.state == "eos" and new.trace.pieces == old.trace.pieces
    assert np.array_equal(new.trace.coefficients, old.trace.coefficients)
    assert np.array_equal(new.said.strengths, old.said.strengths)
    assert [h.digest for h in new.said.heads] == [h.digest for h in old.said.heads]
    assert [(c.name, c.strength, c.enabled) for c in workspace.channels] == [
        ("pirate", 1.0, True), ("short words", 0.4, True), ("cheerful", 1.0, False)
    ]  # fmt: skip
    assert (workspace.prompt, other.composer.question.toPlainText()) == ("Be gloomy.", "And the castle?")
    heads = library_of_heads(qtbot, other)
    assert sorted(titles(heads)) == ["cheerful", "pirate", "short words"]
    assert workspace.fit_options == wanted and wanted.block == 3
    asked = other.steering.request()
    assert (asked.method, asked.recipe, asked.block) == ("s-psr", "refine", 3)
    assert [p.name for p in workspace.presets] == ["both"] and not other.preferences.get("live")
    assert not workspace.stack.canUndo() and not other.banner.isVisible()
    ask(qtbot, other, "And the castle?")
    assert workspace.turns[1].answers[0].state == "eos"


def test_after_a_crash_a_dialog_says_what_would_come_back(qtbot, open_window, tmp_path):
    window = ready(qtbot, open_window())
    ask(qtbot, window, "Tell me about the harbour.")
    window.workspace.choose(window.workspace.channels[1].key)
    window.close()
    crashed(tmp_path / "home")
    other = open_window()
    qtbot.waitUntil(lambda: other.recovery.dialog is not None)
    words = other.recovery.dialog.text.text()
    for expected in (
        "one turn",
        "Tell me about the harbour.",
        "pirate, terse, cheerful",
        FIRST_PROMPT,
        "pocket",
    ):
        assert expected in words
    assert "stay in the Library" in other.recovery.dialog.note.text()
    assert other.workspace.loading.facts is None and not other.workspace.turns  # nothing before the word
    QTest.mouseClick(other.recovery.dialog.restore, Qt.MouseButton.LeftButton)
    ready(qtbot, other)
    assert len(other.workspace.turns) == 1 and len(other.workspace.channels) == 3
    assert other.workspace.channel(other.workspace.chosen).name == "terse"


def test_after_a_crash_of_an_untouched_start_nothing_is_asked(qtbot, open_window, tmp_path):
    window = ready(qtbot, open_window())
    window.workspace.choose(window.workspace.channels[1].key)
    window.close()
    crashed(tmp_path / "home")
    other = ready(qtbot, open_window())
    assert other.recovery.dialog is None and other.workspace.prompt == FIRST_PROMPT
    assert [c.name for c in other.workspace.channels] == ["pirate", "terse", "cheerful"]
    assert other.workspace.channel(other.workspace.chosen).name == "terse"
    other.workspace.set_question("Tell me about bees.")
    other.close()
    crashed(tmp_path / "home")
    third = open_window()
    qtbot.waitUntil(lambda: third.recovery.dialog is not None)
    assert "bees" in third.recovery.dialog.text.text()


def test_closing_before_an_answer_asks_again(qtbot, open_window, tmp_path):
    window = ready(qtbot, open_window())
    ask(qtbot, window, "Tell me about the harbour.")
    window.close()
    crashed(tmp_path / "home")
    for _ in range(2):
        other = open_window()
        qtbot.waitUntil(lambda w=other: w.recovery.dialog is not None)
        assert "the harbour" in other.recovery.dialog.text.text()


def test_starting_fresh_leaves_the_conversation_in_the_library(qtbot, open_window, tmp_path):
    window = ready(qtbot, open_window())
    ask(qtbot, window, "Tell me about the harbour.")
    window.close()
    crashed(tmp_path / "home")
    other = open_window()
    qtbot.waitUntil(lambda: other.recovery.dialog is not None)
    QTest.mouseClick(other.recovery.dialog.fresh, Qt.MouseButton.LeftButton)
    ready(qtbot, other)
    assert not other.workspace.turns and len(other.workspace.channels) == 3
    panel = library(qtbot, other)
    assert titles(panel) == ["Tell me about the harbour."]
    panel.opened.emit(panel.list.item(0).data(Qt.ItemDataRole.UserRole))
    qtbot.waitUntil(lambda: len(other.workspace.turns) == 1)
    other.workspace.undo()
    assert not other.workspace.turns


def test_a_library_that_cannot_be_read_is_told_and_never_written_over(qtbot, open_window, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "library.sqlite").write_bytes(b"not a library" * 1000)
    window = ready(qtbot, open_window())
    assert "library" in window.banner.text.text()
    ask(qtbot, window, "Tell me about the harbour.")
    assert window.status.saved.text() == "not saved"  # the message is gone by now
    window.close()
    assert (home / "library.sqlite").read_bytes() == b"not a library" * 1000


def test_a_damaged_record_costs_only_itself_and_stays_where_it_is(qtbot, open_window, tmp_path):
    window = ready(qtbot, open_window())
    for question in ("Tell me about the harbour.", "And the castle?", "And bees?"):
        ask(qtbot, window, question)
    window.close()
    with closing(sqlite3.connect(tmp_path / "home" / "library.sqlite")) as db:
        state = json.loads(db.execute("SELECT state FROM session").fetchone()[0])
        del state["settings"]
        state["channels"][1]["strength"] = "much"
        state["presets"] = 3
        state["fit_options"] = {"method": "caa"}
        db.execute("UPDATE session SET state = ?", (json.dumps(state),))
        db.execute("UPDATE turn SET facts = '{}' WHERE place = 1")
        db.execute("UPDATE answer SET trace = x'00' WHERE turn = (SELECT key FROM turn WHERE place = 2)")
        db.execute("UPDATE session SET clean = 0, saved = 'yesterday'")
        db.commit()
    other = open_window()
    qtbot.waitUntil(lambda: other.recovery.dialog is not None, timeout=10_000)
    assert "yesterday" in other.recovery.dialog.text.text()
    other.recovery.dialog.restore.click()
    ready(qtbot, other)
    assert [turn.question for turn in other.workspace.turns] == ["Tell me about the harbour.", "And bees?"]
    assert other.workspace.turns[1].answers[0].text and "“And bees?” are damaged" in other.banner.text.text()
    assert [c.name for c in other.workspace.channels] == ["pirate", "cheerful"]
    assert other.workspace.fit_options == FitOptions() and other.steering.request().method == "a-psr"
    assert other.workspace.prompt and "could not be restored" in other.banner.text.text()
    ask(qtbot, other, "And tea?")
    other.close()
    with closing(sqlite3.connect(tmp_path / "home" / "library.sqlite")) as db:
        questions = [row[0] for row in db.execute("SELECT question FROM turn ORDER BY question")]
    assert questions == ["And bees?", "And tea?", "And the castle?", "Tell me about the harbour."]
    again = ready(qtbot, open_window())
    assert len(again.workspace.turns) == 3 and not again.banner.isVisible()


def test_a_lost_head_file_costs_only_its_row(qtbot, open_window, tmp_path):
    window = ready(qtbot, open_window())
    digest = window.workspace.channels[1].digest
    window.close()
    (tmp_path / "home" / "heads" / f"{digest}.head.safetensors").unlink()
    other = ready(qtbot, open_window())
    assert [c.name for c in other.workspace.channels] == ["pirate", "cheerful"]
    assert "could not be restored" in other.banner.text.text()


def library(qtbot, window) -> LibraryPanel:
    window.actions_["panel_library"].trigger()
    panel = window.docks["library"].widget()
    assert isinstance(panel, LibraryPanel)
    qtbot.waitUntil(lambda: panel.list.count() > 0, timeout=5000)
    return panel


def titles(panel: LibraryPanel) -> list[str]:
    return [panel.list.item(i).data(Qt.ItemDataRole.UserRole).title for i in range(panel.list.count())]


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
    assert "all these words" in panel._empty.text()
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


def test_what_was_read_is_not_written_again(qtbot, open_window, monkeypatch):
    window = ready(qtbot, open_window())
    ask(qtbot, window, "Tell me about the harbour.")
    first = window.workspace.conversation
    window.actions_["new"].trigger()
    ask(qtbot, window, "Tell me about bees.")
    written: list[str] = []
    save = Archive.save

    def noted(archive: Archive, snapshot: Snapshot) -> None:
        written.extend(turn.question for turn in snapshot.changed)
        save(archive, snapshot)

    window.autosave.flush()
    qtbot.waitUntil(lambda: not window.autosave.worker.busy)
    monkeypatch.setattr(Archive, "save", noted)
    other = ready(qtbot, open_window())
    workspace, panel = other.workspace, library(qtbot, other)
    other.shelf_work.open(next(item for item in items(panel) if item.key == first))
    qtbot.waitUntil(lambda: workspace.conversation == first)
    other.autosave.flush()
    workspace.undo()
    other.autosave.flush()
    qtbot.waitUntil(lambda: not other.autosave.worker.busy)
    assert workspace.turns[0].question == "Tell me about bees." and written == []
    ask(qtbot, other, "And tea?")
    other.autosave.flush()
    qtbot.waitUntil(lambda: not other.autosave.worker.busy)
    assert set(written) == {"And tea?"}


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
    window.session.answering.edit(window.workspace.turns[0], "Tell me about bees.")
    qtbot.waitUntil(lambda: not window.session.talking, timeout=ANSWER_MS)
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
    workspace.rename_head(workspace.channels[1].key, "hardly any")
    window.autosave.flush()
    shelving.changed.emit()
    qtbot.waitUntil(lambda: "hardly any" in titles(panel))
    workspace.undo()
    window.autosave.flush()
    shelving.changed.emit()
    qtbot.waitUntil(lambda: "few words" in titles(panel))
    workspace.redo()
    window.autosave.flush()
    workspace.remove_head(workspace.channels[1].key)
    window.autosave.flush()
    shelving.changed.emit()
    qtbot.waitUntil(lambda: "hardly any" in titles(panel))  # out of the mixer it keeps its name


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
    assert "open conversation stays" in told.args[0]
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


def library_of_heads(qtbot, window) -> LibraryPanel:
    window.actions_["panel_library"].trigger()
    panel = window.docks["library"].widget()
    panel.show_shelf("head")
    qtbot.waitUntil(lambda: panel.list.count() == 3, timeout=5000)
    return panel


def items(panel: LibraryPanel) -> list:
    return [panel.list.item(i).data(Qt.ItemDataRole.UserRole) for i in range(panel.list.count())]


def test_an_old_library_is_opened_by_the_window(qtbot, open_window, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    first_version = Path(__file__).parents[1] / "library" / "library-1.sqlite"
    shutil.copy(first_version, home / "library.sqlite")
    window = ready(qtbot, open_window())
    assert window.workspace.turns[0].answers[0].text == "Arr, the harbour be old, matey."
    assert window.workspace.fit_options == FitOptions() and "options" not in window.banner.text.text()
    assert window.workspace.settings.seed == 7 and json.dumps(window.workspace.prompt)


def test_a_fresh_start_by_choice(qtbot, open_window):
    window = ready(qtbot, open_window())
    ask(qtbot, window, "Tell me about the harbour.")
    window.preferences.set("start", "fresh")
    other = ready(qtbot, open_window())
    assert not other.workspace.turns and len(other.workspace.channels) == 3
    assert titles(library(qtbot, other)) == ["Tell me about the harbour."]


def drop(window, *places: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(place)) for place in places])
    left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    window.dropEvent(QDropEvent(QPointF(9, 9), Qt.DropAction.CopyAction, data, left, none))


def test_heads_and_model_folders_can_be_dropped_on_the_window(qtbot, open_window, tmp_path):
    window = ready(qtbot, open_window())
    path = tmp_path / "dropped.head.safetensors"
    save_head(window.workspace.channels[1].head, path)
    drop(window, path)
    qtbot.waitUntil(lambda: len(window.workspace.channels) == 4, timeout=10_000)
    pocket = Path(__file__).parents[2] / "assets" / "pocket"
    drop(window, pocket)
    qtbot.waitUntil(lambda: window.workspace.source == str(pocket), timeout=60_000)


def test_what_is_neither_head_nor_model_is_told_of_when_it_is_dropped(qtbot, open_window, tmp_path):
    window = ready(qtbot, open_window())
    letter, empty = tmp_path / "Brief 🏴‍☠️ مرحبا.txt", tmp_path / "empty"
    letter.write_text("Dear pirate")
    empty.mkdir()
    drop(window, letter)
    assert window.banner.isVisible() and "Brief" in window.banner.text.text()
    assert "whole folder" in window.banner.text.text() and window.workspace.loading.facts is not None
    drop(window, empty)
    qtbot.waitUntil(lambda: "config.json" in window.banner.text.text(), timeout=10_000)
    assert window.workspace.loading.facts.is_pocket and window.workspace.source == "pocket"
    files = QMimeData()
    files.setUrls([QUrl.fromLocalFile(str(letter))])
    words = QMimeData()
    words.setText("Tell me about bees.")
    for field in (window.steering.prompt, window.composer.question):  # files dropped there reach the window
        assert not field.canInsertFromMimeData(files) and field.canInsertFromMimeData(words)


@pytest.mark.parametrize("state", ["{}", "not json", "[1]"])
def test_a_session_that_cannot_be_read_is_told_and_its_conversation_is_here(
    qtbot, open_window, tmp_path, state
):
    window = ready(qtbot, open_window())
    ask(qtbot, window, "Tell me about the harbour.")
    window.close()
    with closing(sqlite3.connect(tmp_path / "home" / "library.sqlite")) as db:
        db.execute("UPDATE session SET state = ?", (state,))
        db.commit()
    other = ready(qtbot, open_window())
    assert [turn.question for turn in other.workspace.turns] == ["Tell me about the harbour."]
    assert "Nothing can be read of it beside the conversation." in other.banner.text.text()
