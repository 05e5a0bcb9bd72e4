"""Where files are written: what stands there is never replaced unasked, whatever was typed."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtWidgets import QFileDialog, QMessageBox

from studio.widgets.save_dialog import as_file_name
from tests.studio.export.test_export import answered  # noqa: F401 - a fixture


class Person:
    """Answers the dialogs: types `name` with the filter that holds `kind`, and may allow to replace."""

    def __init__(self, monkeypatch) -> None:
        self.name, self.kind, self.allows = "", "", False
        self.proposed, self.asked = [], []
        monkeypatch.setattr(QFileDialog, "getSaveFileName", self._save)
        monkeypatch.setattr(QMessageBox, "question", self._question)

    def _save(self, parent, title, proposed, filters):
        self.proposed.append(proposed)
        if len(self.proposed) > 1 and self.asked and not self.allows:
            return "", ""  # was refused, and gives up
        return self.name, next(each for each in filters.split(";;") if self.kind in each)

    def _question(self, parent, title, words):
        self.asked.append(words)
        buttons = QMessageBox.StandardButton
        return buttons.Yes if self.allows else buttons.No


@pytest.fixture
def person(monkeypatch):
    return Person(monkeypatch)


def test_a_name_without_its_ending_replaces_nothing_unasked(qtbot, answered, person, tmp_path):  # noqa: F811
    there = tmp_path / "my.answer.md"
    there.write_text("mine")
    person.name, person.kind = str(tmp_path / "my.answer"), ".md"
    answered.exporting.ask("export_chat")
    assert person.asked and there.name in person.asked[0]
    assert person.proposed == ["Tell me about bees.html", str(there)]
    assert not answered.controllers.worker.busy and there.read_text() == "mine"
    person.allows = True
    answered.exporting.ask("export_chat")
    qtbot.waitUntil(lambda: "bees" in there.read_text(), timeout=20000)


def test_a_saved_head_replaces_nothing_unasked(qtbot, answered, person, tmp_path):  # noqa: F811
    there = tmp_path / "mine.head.safetensors"
    there.write_text("mine")
    person.name = str(tmp_path / "mine")
    answered.files.choose_save()
    chosen = answered.workspace.channel(answered.workspace.selected_key)
    assert person.asked and person.proposed[0] == f"{chosen.name}.head.safetensors"
    assert not answered.controllers.worker.busy and there.read_text() == "mine"


def test_what_the_dialog_asked_about_is_not_asked_again(qtbot, answered, person, tmp_path):  # noqa: F811
    there = tmp_path / "trace.CSV"
    there.write_text("old")
    person.name, person.kind = str(there), ".json"
    answered.exporting.ask("export_trace")
    qtbot.waitUntil(lambda: there.read_text().startswith("# "), timeout=20000)
    assert person.asked == [] and list(tmp_path.iterdir()) == [there]


def test_a_name_that_no_file_can_have_is_told_by_the_writer(qtbot, answered, person, tmp_path):  # noqa: F811
    person.name, person.kind = str(tmp_path / ("a" * 300)), ".md"
    answered.exporting.ask("export_chat")
    qtbot.waitUntil(lambda: answered.banner.isVisible(), timeout=20000)
    assert "too long" in answered.banner.text.text() and answered.width() == 1280


def test_any_sentence_is_a_file_name():
    assert as_file_name('What is "a/b"?\nSay: x*y.') == "What is a b Say x y"
    assert as_file_name("...") == "untitled"
    assert len(as_file_name("word " * 100)) <= 50
    assert Path(as_file_name("../../etc/passwd")).name == as_file_name("../../etc/passwd")
