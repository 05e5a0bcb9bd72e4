"""What comes back at the next start: a session, what is left of a damaged one, and what is said of it."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest

from studio.app.first_words import FIRST_PROMPT
from studio.state.requests import FitOptions
from tests.studio.app.test_main_job import ask
from tests.studio.conftest import ready
from tests.studio.library.test_library_panel import library, library_of_heads, titles


def crashed(home: Path) -> None:
    """As if the last run had not ended in order."""
    with sqlite3.connect(home / "library.sqlite") as db:
        db.execute("UPDATE session SET clean = 0")
    db.close()


def test_a_session_goes_on_where_it_ended(qtbot, open_window):
    window = ready(qtbot, open_window())
    ask(qtbot, window, "Tell me about the harbour.")
    key = window.workspace.channels[1].key
    window.workspace.mixer.set_enabled(key, True)
    window.workspace.mixer.set_strength(key, 0.4)
    window.workspace.mixer.rename_head(key, "short words")
    window.workspace.mixer.keep_preset("both")
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
    limit = workspace.scales.activation.limit
    assert 1.0 < limit <= old.trace.coefficients.max() * 1.5
    workspace.begin_conversation()
    assert workspace.scales.activation.limit == 1.0
    workspace.undo()
    assert workspace.scales.activation.limit == limit  # turns that come back bring their scale
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
    window.workspace.select_channel(window.workspace.channels[1].key)
    window.close()
    crashed(tmp_path / "home")
    other = open_window()
    qtbot.waitUntil(lambda: other.recovery.dialog is not None)
    words = other.recovery.dialog.text.text()
    for expected in (
        "1 turn",
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
    assert other.workspace.channel(other.workspace.selected_key).name == "terse"


def test_after_a_crash_of_an_untouched_start_nothing_is_asked(qtbot, open_window, tmp_path):
    window = ready(qtbot, open_window())
    window.workspace.select_channel(window.workspace.channels[1].key)
    window.close()
    crashed(tmp_path / "home")
    other = ready(qtbot, open_window())
    assert other.recovery.dialog is None and other.workspace.prompt == FIRST_PROMPT
    assert [c.name for c in other.workspace.channels] == ["pirate", "terse", "cheerful"]
    assert other.workspace.channel(other.workspace.selected_key).name == "terse"
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


def test_the_dialog_says_what_a_fresh_start_takes_and_presets_outlive_it(qtbot, open_window, tmp_path):
    window = ready(qtbot, open_window())
    workspace = window.workspace
    window.preferences.set("live", False)
    workspace.mixer.set_strength(workspace.channels[0].key, 0.4)
    workspace.mixer.keep_preset("soft")
    workspace.set_prompt("Be gloomy.")
    window.composer.temperature.setValue(0.7)
    window.close()
    crashed(tmp_path / "home")
    other = open_window()
    qtbot.waitUntil(lambda: other.recovery.dialog is not None)
    dialog = other.recovery.dialog
    for words in ("with their strengths", "1 preset", "the sampling settings"):
        assert words in dialog.text.text()
    gone = dialog.note.text().split(". ")[0]
    for words in ("strengths in the mixer", "steering prompt", "sampling settings"):
        assert words in gone
    assert "unsent question" not in gone and "preset" not in gone  # what every start begins with is not lost
    dialog.fresh.click()
    ready(qtbot, other)
    assert other.workspace.prompt == FIRST_PROMPT and other.workspace.channels[0].strength == 1.0
    assert [preset.name for preset in other.workspace.presets] == ["soft"]
    other.preferences.set("start", "fresh")
    third = ready(qtbot, open_window())
    assert [preset.name for preset in third.workspace.presets] == ["soft"]


def test_escape_from_the_dialog_loses_nothing(qtbot, open_window, tmp_path):
    window = ready(qtbot, open_window())
    window.workspace.set_question("And the castle?")
    window.close()
    crashed(tmp_path / "home")
    other = open_window()
    qtbot.waitUntil(lambda: other.recovery.dialog is not None)
    QTest.keyClick(other.recovery.dialog, Qt.Key.Key_Escape)
    ready(qtbot, other)
    assert other.workspace.question == "And the castle?" and len(other.workspace.channels) == 3


def test_a_fresh_start_by_choice(qtbot, open_window):
    window = ready(qtbot, open_window())
    ask(qtbot, window, "Tell me about the harbour.")
    window.preferences.set("start", "fresh")
    other = ready(qtbot, open_window())
    assert not other.workspace.turns and len(other.workspace.channels) == 3
    assert titles(library(qtbot, other)) == ["Tell me about the harbour."]


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
        text, conversation = db.execute("SELECT state, conversation FROM session").fetchone()
        turns = db.execute("SELECT * FROM turn ORDER BY place").fetchall()
        damaged = [turn[0] for turn in turns[1:]]
        db.commit()
    other = open_window()
    qtbot.waitUntil(lambda: other.recovery.dialog is not None, timeout=10_000)
    assert "yesterday" in other.recovery.dialog.text.text()
    other.recovery.dialog.restore.click()
    ready(qtbot, other)
    assert [turn.question for turn in other.workspace.turns] == ["Tell me about the harbour.", "And bees?"]
    words = other.banner.text.text()
    assert (
        other.workspace.turns[1].answers[0].text and "1 turn of “Tell me about the harbour.” cannot" in words
    )
    assert "read: “And the castle?”" in words and "the text is here: “And bees?”" in words
    other.banner.copy.click()
    details = QGuiApplication.clipboard().text()
    assert all(key in details for key in (conversation, *damaged)) and '"presets": 3' in details
    assert [c.name for c in other.workspace.channels] == ["pirate", "cheerful"]
    assert other.workspace.fit_options == FitOptions() and other.steering.request().method == "a-psr"
    assert other.workspace.prompt and "could not be restored" in other.banner.text.text()
    [kept] = (tmp_path / "home").glob("session-*.damaged.json")
    assert kept.read_text() == text and str(kept) in words
    ask(qtbot, other, "And tea?")
    other.close()
    with closing(sqlite3.connect(tmp_path / "home" / "library.sqlite")) as db:
        assert db.execute("SELECT * FROM turn WHERE conversation = ?", (conversation,)).fetchall() == turns
        assert db.execute("SELECT trace FROM answer WHERE turn = ?", (damaged[1],)).fetchone() == (b"\0",)
        copied = db.execute("SELECT question FROM turn WHERE conversation != ?", (conversation,)).fetchall()
    assert sorted(row[0] for row in copied) == ["And bees?", "And tea?", "Tell me about the harbour."]
    again = ready(qtbot, open_window())
    assert len(again.workspace.turns) == 3 and not again.banner.isVisible()


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
    assert "Only the conversation could be read." in other.banner.text.text()


def test_a_lost_head_file_costs_only_its_row(qtbot, open_window, tmp_path):
    window = ready(qtbot, open_window())
    digest = window.workspace.channels[1].digest
    window.close()
    (tmp_path / "home" / "heads" / f"{digest}.head.safetensors").unlink()
    other = ready(qtbot, open_window())
    assert [c.name for c in other.workspace.channels] == ["pirate", "cheerful"]
    assert "could not be restored" in other.banner.text.text()


def test_an_old_library_is_opened_by_the_window(qtbot, open_window, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    first_version = Path(__file__).parents[2] / "engine" / "library" / "library-1.sqlite"
    shutil.copy(first_version, home / "library.sqlite")
    window = ready(qtbot, open_window())
    assert window.workspace.turns[0].answers[0].text == "Arr, the harbour be old, matey."
    assert window.workspace.fit_options == FitOptions() and "options" not in window.banner.text.text()
    assert window.workspace.settings.seed == 7 and json.dumps(window.workspace.prompt)


def test_a_library_of_version_2_is_opened_by_the_window_with_its_comparison(qtbot, open_window, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(
        Path(__file__).parents[2] / "engine" / "library" / "library-2.sqlite", home / "library.sqlite"
    )
    window = ready(qtbot, open_window())
    window.actions_["page_compare"].trigger()
    at = window.comparing.round
    assert at.names[at.choice] == "mixer" and window.compare_page.asked.text() == "Tell me about bees."
    assert [view.text.answer.text for view in window.compare_page.columns] == [a.text for a in at.answers]
    assert all(len(answer) == 6 for answer in at.answers) and window.workspace.turns
