from __future__ import annotations

from collections import Counter

import pytest
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QMainWindow

from studio.app import actions


def test_every_row_says_what_it_does_and_stands_in_a_menu():
    for row in actions.TABLE:
        assert row.text and row.tip and row.menu in actions.MENUS, row


def test_keys_and_shortcuts_are_unique():
    assert max(Counter(row.key for row in actions.TABLE).values()) == 1
    shortcuts = Counter(QKeySequence(k).toString() for row in actions.TABLE for k in row.keys)
    assert "" not in shortcuts
    assert max(shortcuts.values()) == 1


def test_no_text_says_a_thing_twice():
    for row in actions.TABLE:
        words = row.text.replace("&", "").rstrip("…").lower().split()
        assert len(set(words)) == len(words), row.text


def test_no_letter_is_marked_twice_in_a_text():
    assert all(row.text.count("&") <= 1 for row in actions.TABLE)


def test_no_letter_is_marked_twice_in_a_menu():
    for menu in actions.MENUS:
        marked = [
            row.text.split("&")[1][0].lower() for row in actions.TABLE if row.menu == menu and "&" in row.text
        ]
        assert len(set(marked)) == len(marked), menu


def test_the_promised_keys_are_there():
    found = {QKeySequence(k).toString(): row.key for row in actions.TABLE for k in row.keys}
    for keys, key in {
        "Ctrl+Return": "send", "Esc": "stop", "Ctrl+D": "distill", "Ctrl+B": "bypass", "Ctrl++": "zoom_in",
        "Ctrl+-": "zoom_out", "Ctrl+0": "zoom_reset", "Ctrl+K": "palette", "Ctrl+Z": "undo",
        "Ctrl+Shift+Z": "redo",
    }.items():  # fmt: skip
        assert found[keys] == key


def test_the_table_makes_actions_and_menus(qtbot):
    window = QMainWindow()
    qtbot.addWidget(window)
    called = []
    handlers = {row.key: lambda *_, k=row.key: called.append(k) for row in actions.TABLE}
    made = actions.build(window, handlers, window.menuBar())
    assert list(made) == [row.key for row in actions.TABLE]
    made["send"].trigger()
    made["bypass"].setChecked(True)
    assert called == ["send", "bypass"]
    assert "Ctrl+D" in made["distill"].toolTip()


def test_a_row_without_a_handler_is_an_error(qtbot):
    window = QMainWindow()
    qtbot.addWidget(window)
    with pytest.raises(KeyError):
        actions.build(window, {})
