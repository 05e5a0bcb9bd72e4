"""A distillation that is cancelled leaves the mixer as it was; closing while one runs asks."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from studio.state.requests import FitOptions
from studio.state.workspace import Workspace
from tests.studio.conftest import make_head

FIT_MS = 60_000


def rows(workspace):
    return [(c.key, c.digest, c.enabled, c.solo, c.strength, c.slot.draft) for c in workspace.channels]


def half_made(qtbot, window):
    """A refinement whose first head is in the mixer."""
    before = len(window.workspace.channels)
    window.steering.prompt.setPlainText("Talk like a pirate.")
    window.workspace.set_fit_options(FitOptions(recipe="refine"))
    QTest.keyClick(window, Qt.Key.Key_D, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: len(window.workspace.channels) > before, timeout=FIT_MS)
    assert window.workspace.fit.running


def cancel(qtbot, window):
    keys = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    QTest.keyClick(window, Qt.Key.Key_D, keys)
    qtbot.waitUntil(lambda: not window.controllers.fitting, timeout=FIT_MS)
    assert window.workspace.fit.outcome == "Cancelled"


def test_a_cancelled_refinement_leaves_nothing(qtbot, window):
    before, redo = rows(window.workspace), window.actions_["redo"]
    half_made(qtbot, window)
    cancel(qtbot, window)
    assert rows(window.workspace) == before and not redo.isEnabled()


def test_what_was_done_meanwhile_stays(qtbot, window):
    workspace = window.workspace
    before = rows(workspace)
    half_made(qtbot, window)
    workspace.mixer.set_strength(workspace.channels[0].key, 0.5)
    cancel(qtbot, window)
    assert [c.strength for c in workspace.channels] == [0.5, *(row[4] for row in before[1:])]
    assert [c.enabled for c in workspace.channels] == [row[2] for row in before]


def test_closing_asks_while_a_distillation_runs(qtbot, window):
    half_made(qtbot, window)
    window.close()
    dialog = window.leaving.distilling
    assert dialog is not None and window.isVisible()
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: window.leaving.distilling is None)
    assert window.isVisible() and window.workspace.fit.running
    window.close()
    QTest.mouseClick(window.leaving.distilling.cancel, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not window.isVisible(), timeout=FIT_MS)


def test_the_status_line_says_how_long_all_of_it_takes(qtbot, window):
    seen = []
    window.workspace.fitChanged.connect(
        lambda: seen.append(window.status.busy.toolTip() or window.status.busy.text())
    )
    half_made(qtbot, window)
    qtbot.waitUntil(lambda: any("left in all" in words for words in seen), timeout=FIT_MS)
    cancel(qtbot, window)


@pytest.mark.parametrize("later", [False, True])
def test_a_retracted_step_cannot_be_made_again(qapp, later):
    workspace = Workspace()
    workspace.mixer.add_head(make_head("pirate"))
    step = workspace.stack.index()
    if later:
        workspace.set_prompt("Talk like a sailor.")
    assert workspace.retract(step) is not later
    assert len(workspace.channels) == later and not workspace.stack.canRedo()
