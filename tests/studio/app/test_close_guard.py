"""Closing while something cannot be saved; and a library that can be written again."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from engine.library import store
from studio.app.close_guard import PATIENCE_S
from tests.studio.app.test_main_job import ask
from tests.studio.app.test_session_restore import crashed
from tests.studio.conftest import ready
from tests.studio.library.test_library_panel import library, titles


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(store, "BUSY_S", 0.2)


@contextmanager
def held(home: Path) -> Iterator[None]:
    """Another program has the library for itself."""
    with closing(sqlite3.connect(home / "library.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


def questions(home: Path) -> list[str]:
    with closing(sqlite3.connect(home / "library.sqlite")) as db:
        return [row[0] for row in db.execute("SELECT question FROM turn ORDER BY place")]


def unsaved(qtbot, window) -> None:
    qtbot.waitUntil(lambda: window.autosave.trouble is not None, timeout=20_000)


def test_what_cannot_be_saved_does_not_go_without_a_word(qtbot, open_window, tmp_path):
    home = tmp_path / "home"
    window = ready(qtbot, open_window())
    qtbot.waitUntil(lambda: not window.autosave.worker.busy)
    with held(home):
        ask(qtbot, window, "Tell me about the harbour.")
        assert not window.close() and window.isVisible()
        unsaved(qtbot, window)
        dialog = window.leaving.dialog
        words = dialog.informativeText()
        assert "Another program holds it" in words and "End that program" in words and "is lost" in words
        dialog.keep.click()
        assert window.isVisible() and window.controllers.worker.alive and window.leaving.dialog is None
    window.autosave.save_now()
    qtbot.waitUntil(lambda: window.autosave.trouble is None)
    assert window.close() and questions(home) == ["Tell me about the harbour."]


def test_closing_waits_for_the_library_and_not_for_a_person(qtbot, open_window, tmp_path, monkeypatch):
    monkeypatch.setattr(store, "BUSY_S", 20.0)
    window = ready(qtbot, open_window())
    qtbot.waitUntil(lambda: not window.autosave.worker.busy)
    with held(tmp_path / "home"):
        ask(qtbot, window, "Tell me about the harbour.")
        begun = time.monotonic()
        assert not window.close()
        assert time.monotonic() - begun < PATIENCE_S + 2.0  # far from what the library waits
        assert "Saving" in window.leaving.dialog.text()
    qtbot.waitUntil(lambda: not window.isVisible(), timeout=20_000)
    assert questions(tmp_path / "home") == ["Tell me about the harbour."]


def test_who_insists_on_closing_closes(qtbot, open_window, tmp_path):
    window = ready(qtbot, open_window())
    qtbot.waitUntil(lambda: not window.autosave.worker.busy)
    with held(tmp_path / "home"):
        window.workspace.set_question("Tell me about bees.")
        assert not window.close()
        assert window.close() and not window.autosave.worker.alive


def test_the_end_of_the_desktop_is_asked_nothing(qtbot, open_window, tmp_path):
    window = ready(qtbot, open_window())
    qtbot.waitUntil(lambda: not window.autosave.worker.busy)
    with held(tmp_path / "home"):
        window.workspace.set_question("Tell me about bees.")
        window.leaving.insist()
        assert window.close()


def test_a_start_without_a_library_says_so_and_asks_before_it_ends(qtbot, open_window, tmp_path):
    home = tmp_path / "home"
    window = ready(qtbot, open_window())
    ask(qtbot, window, "Tell me about the harbour.")
    window.workspace.mixer.keep_preset("of before")
    window.close()
    with held(home):
        other = ready(qtbot, open_window())
        unsaved(qtbot, other)
        assert "Nothing is being saved" in other.banner.text.text()
        saved = other.status.saved
        assert saved.text() == "Not saved" and "Another program holds it" in saved.toolTip()
        assert saved.accessibleDescription() == saved.toolTip() and saved.focusPolicy().value
        ask(qtbot, other, "Tell me about bees.")
        assert other.banner.isVisible()
        other.workspace.mixer.keep_preset("of now")
        assert not other.close() and "Nothing is being saved" in other.leaving.dialog.informativeText()
        other.leaving.dialog.keep.click()
        other.banner.close_button.click()
        other.autosave.retry()
        qtbot.waitUntil(lambda: not other.autosave.worker.busy)
        assert not other.banner.isVisible()  # told already
        saved.click()
        qtbot.waitUntil(other.banner.isVisible)
    other.autosave.retry()  # as the timer does
    qtbot.waitUntil(lambda: other.status.saved.text() == "Autosaved")
    assert not other.banner.isVisible() and not saved.focusPolicy().value
    assert [preset.name for preset in other.workspace.presets] == ["of before", "of now"]
    assert other.workspace.stack.canUndo() and [t.question for t in other.workspace.turns] == [
        "Tell me about bees."
    ]
    assert sorted(titles(library(qtbot, other))) == ["Tell me about bees.", "Tell me about the harbour."]
    assert len(list(home.glob("session-*.before.json"))) == 1
    assert other.close() and sorted(questions(home)) == ["Tell me about bees.", "Tell me about the harbour."]


def test_a_library_that_opens_late_gives_back_what_was_left(qtbot, open_window, tmp_path):
    window = ready(qtbot, open_window())
    ask(qtbot, window, "Tell me about the harbour.")
    window.close()
    with held(tmp_path / "home"):
        other = ready(qtbot, open_window())
        unsaved(qtbot, other)
        assert other.autosave._retry.isActive() and not other.workspace.turns
    other.autosave.retry()
    qtbot.waitUntil(lambda: len(other.workspace.turns) == 1)
    qtbot.waitUntil(lambda: other.status.saved.text() == "Autosaved")


def test_a_library_that_is_taken_away_is_missed(qtbot, open_window, tmp_path):
    home = tmp_path / "home"
    window = ready(qtbot, open_window())
    ask(qtbot, window, "Tell me about the harbour.")
    qtbot.waitUntil(lambda: not window.autosave.worker.busy)
    home.rename(tmp_path / "elsewhere")
    window.workspace.set_question("Tell me about bees.")
    unsaved(qtbot, window)
    assert "moved away or removed" in window.banner.text.text() and window.status.saved.text() == "Not saved"
    shutil.rmtree(home, ignore_errors=True)
    (tmp_path / "elsewhere").rename(home)
    window.autosave.retry()
    qtbot.waitUntil(lambda: window.status.saved.text() == "Autosaved")
    assert not window.banner.isVisible()
    crashed(home)


def test_while_it_fails_saves_do_not_pile_up(qtbot, open_window, tmp_path, monkeypatch):
    monkeypatch.setattr(store, "BUSY_S", 5.0)
    window = ready(qtbot, open_window())
    qtbot.waitUntil(lambda: not window.autosave.worker.busy)
    with held(tmp_path / "home"):
        for step in range(6):
            window.workspace.set_question(f"typed {step}")
            qtbot.wait(450)
        assert len(window.autosave.worker._queue) == 0
    qtbot.waitUntil(
        lambda: not window.autosave.worker.busy and not window.autosave._pause.isActive(), timeout=20_000
    )
    window.close()
