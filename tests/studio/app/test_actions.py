from __future__ import annotations

from collections import Counter

import pytest
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QMainWindow

from studio.app import actions
from studio.app.action_builder import ActionBinding, Command, Toggle, make_actions


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


@pytest.mark.parametrize(
    "wrong",
    [
        {"run": lambda: None},
        {"run": lambda at, key="a key of a loop": None},  # `triggered` would fill it with its own argument
        {"run": lambda *at: None},
        {"run": lambda at: None, "enabled": lambda: True},
        {"run": lambda at: None, "about": lambda at, more: ""},
    ],
)
def test_a_command_with_a_wrong_signature_is_refused(wrong):
    with pytest.raises(TypeError, match="wrong: "):
        Command("wrong", actions.FILE, "Wrong", "Does something", **wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"switch": lambda at: None, "checked": lambda at: True},
        {"switch": lambda at, on=True: None, "checked": lambda at: True},
        {"switch": lambda at, on: None, "checked": lambda at, on: True},
    ],
)
def test_a_toggle_with_a_wrong_signature_is_refused(wrong):
    with pytest.raises(TypeError, match="wrong: "):
        Toggle("wrong", actions.FILE, "Wrong", "Does something", **wrong)


def test_a_row_is_enabled_and_ticked_by_its_own_functions(qtbot, fresh_window):
    """A toggle is called with the wanted state, a command with nothing, and showing a state calls nothing."""
    state = {"on": False, "enabled": False, "calls": []}
    table = (
        Command(
            "count", actions.FILE, "Count {0}", "Counts", keys=("Ctrl+D",),
            run=lambda at: state["calls"].append("count"),
            enabled=lambda at: state["enabled"], about=lambda at: str(len(state["calls"])),
        ),
        Toggle(
            "lamp", actions.FILE, "Lamp", "Lights",
            switch=lambda at, on: state["calls"].append(on), checked=lambda at: state["on"],
        ),
    )  # fmt: skip
    window = QMainWindow()
    qtbot.addWidget(window)
    made = make_actions(table, window, actions.MENUS, window.menuBar())
    binding = ActionBinding(table, made, fresh_window._parts, window)
    made["count"].trigger()
    assert not made["count"].isEnabled() and state["calls"] == []
    state["enabled"] = state["on"] = True
    binding.refresh()
    assert made["lamp"].isChecked() and state["calls"] == []
    made["count"].trigger()
    made["lamp"].trigger()
    assert state["calls"] == ["count", False]
    assert made["lamp"].isChecked(), "the state is still on: nobody switched it"
    assert made["count"].text() == "Count 2" and "Ctrl+D" in made["count"].toolTip()
