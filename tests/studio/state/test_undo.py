"""Undo and redo over everything that changes the workspace."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict, replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from studio.app.first_words import FIRST_PROMPT
from studio.state.compare_columns import ColumnChoice
from studio.state.conversation import STEERED, Turn
from studio.state.mixer import Preset, PresetRow
from studio.state.requests import FitOptions
from studio.state.sampling_settings import SamplingSettings
from studio.state.workspace import Workspace
from tests.studio.conftest import make_head, ready


def state(workspace: Workspace) -> tuple:
    """Everything that undo must bring back, as values that compare."""
    rows = [(c.key, c.digest, c.strength, c.enabled, c.solo, c.blocks, c.name) for c in workspace.channels]
    return (
        rows, workspace.presets, workspace.conversation, workspace.turns, workspace.bypass, workspace.compare,
        workspace.truth, workspace.comparison, workspace.prompt, workspace.question,
        asdict(workspace.settings), workspace.fit_options, workspace.source,
    )  # fmt: skip


def first(workspace: Workspace) -> int:
    return workspace.channels[0].key


CHANGES = {
    "prompt": lambda w: w.set_prompt("Be gloomy."),
    "question": lambda w: w.set_question("And bees?"),
    "strength": lambda w: w.mixer.set_strength(first(w), -2.0),
    "switch": lambda w: w.mixer.set_enabled(first(w), False),
    "solo": lambda w: w.mixer.set_solo(first(w), True),
    "blocks": lambda w: w.mixer.set_blocks(first(w), (1, 1)),
    "add": lambda w: w.mixer.add_head(make_head("new"), alone=True),
    "remove": lambda w: w.mixer.remove_head(first(w)),
    "rename": lambda w: w.mixer.rename_head(first(w), "Blackbeard"),
    "keep preset": lambda w: w.mixer.keep_preset("loud"),
    "drop preset": lambda w: w.mixer.remove_preset("soft"),
    "preset": lambda w: w.mixer.apply_preset(Preset("silence", ())),
    "bypass": lambda w: w.mixer.set_bypass(True),
    "compare": lambda w: w.set_compare(True),
    "truth": lambda w: w.set_truth(True),
    "blind": lambda w: w.set_blind(True),
    "add column": lambda w: w.add_column(ColumnChoice("head", first(w), 1.5)),
    "remove column": lambda w: w.remove_column(0),
    "column": lambda w: w.set_column(1, ColumnChoice("head", first(w))),
    "settings": lambda w: w.set_settings(replace(w.settings, seed=9)),
    "way of distilling": lambda w: w.set_fit_options(FitOptions(method="caa", block=2)),
    "message": lambda w: w.set_turns((*w.turns, Turn("Next?", SamplingSettings())), "question", question=""),
    "new": lambda w: w.begin_conversation(),
    "model": lambda w: w.set_source("/models/other"),
}


@pytest.fixture
def workspace():
    made = Workspace()
    made.mixer.add_head(make_head("a"))
    made.mixer.add_head(make_head("b", blocks=3), strength=0.5)
    made.mixer.keep_preset("soft")
    made.mixer.set_strength(first(made), 1.5)
    turn = Turn("Hello?", SamplingSettings())
    turn.add(STEERED).text = "Arr."
    made.set_turns((turn,), "question")
    made.clear_history()
    return made


@pytest.mark.parametrize("name", CHANGES)
def test_one_change_is_one_step_there_and_back(workspace, name):
    before = state(workspace)
    CHANGES[name](workspace)
    after = state(workspace)
    assert after != before and workspace.stack.count() == 1
    workspace.undo()
    assert state(workspace) == before
    workspace.redo()
    assert state(workspace) == after


def test_all_of_them_in_a_row(workspace):
    states = [state(workspace)]
    for change in CHANGES.values():
        change(workspace)
        states.append(state(workspace))
    for expected in reversed(states[:-1]):
        workspace.undo()
        assert state(workspace) == expected
    assert not workspace.stack.canUndo()
    for expected in states[1:]:
        workspace.redo()
        assert state(workspace) == expected


def test_what_changes_nothing_is_no_step(workspace):
    workspace.mixer.set_strength(first(workspace), 1.5)
    workspace.set_prompt(workspace.prompt)
    workspace.mixer.set_bypass(False)
    assert workspace.stack.count() == 0


def test_typing_is_one_step_and_taken_back_typing_is_none(workspace):
    for text in ("B", "Be", "Be g"):
        workspace.set_prompt(text)
    assert workspace.stack.count() == 1
    workspace.set_prompt("")
    assert workspace.stack.count() == 0


def test_a_pause_ends_the_step(workspace, monkeypatch):
    monkeypatch.setattr("studio.state.undo.GESTURE_S", -1.0)
    workspace.set_prompt("B")
    workspace.set_prompt("Be")
    assert workspace.stack.count() == 2


def test_after_undo_a_new_drag_is_a_step_of_its_own(workspace):
    key = first(workspace)
    workspace.mixer.set_strength(key, 0.1)
    workspace.mixer.set_bypass(True)
    workspace.undo()
    workspace.mixer.set_strength(key, 0.2)
    workspace.undo()
    assert workspace.strength_of(key) == 0.1


def test_solo_of_a_head_that_is_off_silences_nobody_and_a_preset_ends_every_solo(workspace):
    one, two, *_ = workspace.channels
    workspace.mixer.set_enabled(one.key, True)
    workspace.mixer.set_enabled(two.key, False)
    workspace.mixer.set_solo(two.key, True)
    assert [c.key for c in workspace.active_rows()] == [one.key]
    workspace.mixer.set_enabled(two.key, True)
    assert [c.key for c in workspace.active_rows()] == [two.key]
    workspace.mixer.apply_preset(Preset("one", (PresetRow(one.digest, 1.0, True),)))
    assert [c.key for c in workspace.active_rows()] == [one.key]


def test_a_preset_knows_two_rows_of_one_head_apart_and_just_kept_it_changes_nothing(workspace):
    one = workspace.channels[0]
    twin = workspace.mixer.add_head(one.head, strength=-0.5)
    workspace.mixer.set_enabled(twin, False)
    kept = [(c.key, c.strength, c.enabled) for c in workspace.channels]
    workspace.mixer.keep_preset("twins")
    steps = workspace.stack.count()
    workspace.mixer.apply_preset(workspace.presets[-1])
    assert workspace.stack.count() == steps
    workspace.mixer.set_strength(one.key, 0.1)
    workspace.mixer.set_enabled(twin, True)
    workspace.mixer.apply_preset(workspace.presets[-1])
    assert [(c.key, c.strength, c.enabled) for c in workspace.channels] == kept


def test_solo_and_block_range_decide_what_is_heard(workspace):
    one, two = workspace.channels
    workspace.mixer.set_solo(two.key, True)
    assert [c.key for c in workspace.active_rows()] == [two.key] and workspace.strength_of(one.key) == 0.0
    workspace.mixer.set_blocks(two.key, (1, 2))
    assert sorted(workspace.active_rows()[0].steering_head.blocks) == [1, 2]
    workspace.mixer.set_blocks(two.key, (5, 6))
    assert [c.key for c in workspace.active_rows()] == [one.key]  # with no block left it is not heard at all


def test_a_preset_silences_what_it_does_not_name(workspace):
    late = workspace.mixer.add_head(make_head("late", blocks=1))
    workspace.mixer.apply_preset(workspace.presets[0])
    assert workspace.strength_of(late) == 0.0
    assert [c.strength for c in workspace.channels[:2]] == [1.0, 0.5]


def test_ctrl_z_in_the_text_fields_reaches_the_one_stack(qtbot, window):
    window.activateWindow()
    for field, name in ((window.steering.prompt, "prompt"), (window.composer.question, "question")):

        def read(workspace: Workspace, name: str = name) -> str:
            return getattr(workspace, name)

        before = read(window.workspace)
        field.setFocus()
        QTest.keyClicks(field, "abc")
        assert "abc" in read(window.workspace)
        QTest.keyClick(field, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
        assert read(window.workspace) == before == field.toPlainText()
        shift = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
        QTest.keyClick(field, Qt.Key.Key_Z, shift)
        assert "abc" in field.toPlainText()
        window.workspace.undo()


def test_the_heads_that_come_with_the_model_leave_the_history_as_it_is(qtbot, fresh_window):
    fresh_window.show()
    fresh_window.workspace.set_prompt("Be gloomy.")  # before there is a model
    ready(qtbot, fresh_window)
    workspace = fresh_window.workspace
    assert len(workspace.channels) == 3 and workspace.stack.count() == 1
    workspace.undo()
    assert workspace.prompt == FIRST_PROMPT and len(workspace.channels) == 3


MANY_HISTORIES = """
import gc, weakref
from PySide6.QtWidgets import QApplication
from studio.state.workspace import Workspace

app = QApplication([])
made = []
for number in range(300):
    workspace = Workspace()
    for step in range(12):
        workspace.set_prompt(f"prompt {step}")
        workspace.mixer.set_bypass(step % 2 == 0)
    if number % 2:
        workspace.undo()
    made.append(weakref.ref(workspace))
del workspace
gc.collect()
assert not any(each() for each in made)
Workspace().set_prompt("left at the end")
"""


def test_workspaces_with_a_history_are_collected_without_harm():
    """In a process of its own: the fault that this guards against ends the process."""
    done = subprocess.run([sys.executable, "-c", MANY_HISTORIES], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
