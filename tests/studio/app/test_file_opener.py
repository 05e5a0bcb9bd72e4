"""Files dropped on the window."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent

from engine.heads.head_file import save_head
from tests.studio.conftest import ready


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
    pocket = Path(__file__).parents[3] / "assets" / "pocket"
    drop(window, pocket)
    qtbot.waitUntil(lambda: window.workspace.source == str(pocket), timeout=60_000)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
@pytest.mark.parametrize("name", ["pipe.gguf", "pipe.head.safetensors", "pipe.pt"])
def test_a_pipe_is_refused_and_never_waited_for(qtbot, window, tmp_path, name):
    os.mkfifo(tmp_path / name)
    keeper = os.open(tmp_path / name, os.O_RDWR)  # should it be opened after all, the test fails, not hangs
    drop(window, tmp_path / name)
    try:
        qtbot.waitUntil(window.banner.isVisible, timeout=5000)
    finally:
        os.write(keeper, bytes(4096))
        os.close(keeper)
    assert "It is not a file." in window.banner.text.text() and len(window.workspace.channels) == 3


def test_what_is_neither_head_nor_model_is_told_of_when_it_is_dropped(qtbot, open_window, tmp_path):
    window = ready(qtbot, open_window())
    letter, empty = tmp_path / "Brief 🏴‍☠️ مرحبا.txt", tmp_path / "empty"
    letter.write_text("Dear pirate")
    empty.mkdir()
    drop(window, letter)
    assert window.banner.isVisible() and "Brief" in window.banner.text.text()
    assert "whole model folder" in window.banner.text.text() and window.workspace.loading.facts is not None
    drop(window, empty)
    qtbot.waitUntil(lambda: "config.json" in window.banner.text.text(), timeout=10_000)
    assert window.workspace.loading.facts.is_pocket and window.workspace.source == "pocket"
    files = QMimeData()
    files.setUrls([QUrl.fromLocalFile(str(letter))])
    words = QMimeData()
    words.setText("Tell me about bees.")
    for field in (window.steering.prompt, window.composer.question):  # files dropped there reach the window
        assert not field.canInsertFromMimeData(files) and field.canInsertFromMimeData(words)
