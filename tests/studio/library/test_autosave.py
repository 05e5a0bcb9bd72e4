"""What is written into the library while one works, and what never is."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from engine.errors import InputError
from studio.lab import lab_controller
from studio.library.library_jobs import LibraryJobs
from studio.library.session_writer import Snapshot
from tests.studio.app.test_main_job import ask
from tests.studio.conftest import ready
from tests.studio.library.test_library_panel import items, library


def test_what_was_read_is_not_written_again(qtbot, open_window, monkeypatch):
    window = ready(qtbot, open_window())
    ask(qtbot, window, "Tell me about the harbour.")
    first = window.workspace.conversation
    window.actions_["new"].trigger()
    ask(qtbot, window, "Tell me about bees.")
    written: list[str] = []
    save = LibraryJobs.save

    def noted(archive: LibraryJobs, snapshot: Snapshot) -> None:
        written.extend(turn.question for turn in snapshot.changed)
        save(archive, snapshot)

    window.autosave.flush()
    qtbot.waitUntil(lambda: not window.autosave.worker.busy)
    monkeypatch.setattr(LibraryJobs, "save", noted)
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


def test_a_library_that_cannot_be_read_is_told_and_never_written_over(qtbot, open_window, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "library.sqlite").write_bytes(b"not a library" * 1000)
    window = ready(qtbot, open_window())
    assert "library" in window.banner.text.text()
    ask(qtbot, window, "Tell me about the harbour.")
    assert window.status.saved.text() == "Not saved"
    assert not window.close()
    window.leaving.dialog.discard.click()
    assert (home / "library.sqlite").read_bytes() == b"not a library" * 1000


def kept_prompt(home: Path) -> str:
    with closing(sqlite3.connect(home / "library.sqlite")) as db:
        return json.loads(db.execute("SELECT state FROM session").fetchone()[0])["prompt"]


@pytest.mark.parametrize("what", ["distillation", "lab"])
def test_what_was_typed_is_kept_before_it_runs(qtbot, open_window, tmp_path, monkeypatch, what):
    window = ready(qtbot, open_window())
    window.preferences.set("live", False)
    found: list[str] = []

    def ran(*_: object) -> None:
        found.append(kept_prompt(tmp_path / "home"))
        raise InputError("Nothing was made", "It is a test.", "None.")

    monkeypatch.setattr(window.controllers.host, "distill", ran)
    monkeypatch.setattr(lab_controller, "measure", ran)
    window.workspace.set_prompt("Answer as a lighthouse keeper would.")
    if what == "distillation":
        window.actions_["distill"].trigger()
    else:
        window.measuring.run(window.lab_page.form.request(window.workspace.prompt))
    qtbot.waitUntil(lambda: bool(found))
    assert found == ["Answer as a lighthouse keeper would."]
    qtbot.waitUntil(lambda: not window.controllers.worker.busy)
