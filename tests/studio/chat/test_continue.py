"""An answer that stopped at the length limit goes on as if it had never stopped."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from tests.studio.app.test_main_job import ANSWER_MS, ask

QUESTION = "Tell me about the harbour."


def test_continue_goes_on_from_the_answers_own_tokens(qtbot, window):
    workspace = window.workspace
    workspace.set_settings(replace(workspace.settings, temperature=0.8, seed=3, keep_seed=True))
    workspace.set_compare(True)
    ask(qtbot, window, QUESTION)
    whole = [answer.trace.ids.tolist() for answer in workspace.turns[0].answers]
    shades = workspace.turns[0].answers[0].trace.coefficients.copy()
    workspace.undo()
    settings = workspace.settings
    workspace.set_settings(replace(settings, max_tokens=5))
    ask(qtbot, window, QUESTION)
    column = window.conversation.column(workspace.turns[0].answers[0])
    assert column.more.isVisible() and window.actions_["continue"].isEnabled()
    workspace.mixer.set_strength(workspace.channels[0].key, -2.0)  # the answer goes on as it was steered
    workspace.set_settings(settings)
    QTest.mouseClick(column.more, Qt.MouseButton.LeftButton)
    assert window.controllers.talking
    qtbot.waitUntil(lambda: not window.controllers.talking, timeout=ANSWER_MS)
    assert [answer.trace.ids.tolist() for answer in workspace.turns[0].answers] == whole
    np.testing.assert_allclose(workspace.turns[0].answers[0].trace.coefficients, shades, atol=1e-4)
    assert workspace.channels[0].strength == 1.0
    column = window.conversation.column(workspace.turns[0].answers[0])
    assert not column.more.isVisible() and not window.actions_["continue"].isEnabled()
