"""The compiled step in the window: prepared in the background, used, given back, and told of."""

from __future__ import annotations

import threading

import pytest

from studio.state.conversation import STEERED
from tests.studio.app.test_main_job import ask

COMPILING_MS = 180_000


def wait_for_compiler(qtbot, window) -> None:
    qtbot.waitUntil(lambda: window.controllers.host._steps != [], timeout=COMPILING_MS)
    qtbot.waitUntil(lambda: not window.controllers.compiling.compiling, timeout=COMPILING_MS)


@pytest.mark.slow
def test_answers_are_compiled_once_the_step_is_there_and_say_the_same(qtbot, window):
    told: list[str] = []
    window.controllers.noticed.connect(told.append)
    ask(qtbot, window, "Tell me about the harbour.")
    window.preferences.set("compiled", True)
    qtbot.waitUntil(lambda: window.controllers.compiling.compiling, timeout=COMPILING_MS)
    ask(qtbot, window, "Tell me about the harbour.")  # meanwhile, uncompiled
    wait_for_compiler(qtbot, window)
    window.controllers.answering.again(window.workspace.turns[0])
    qtbot.waitUntil(lambda: not window.controllers.talking, timeout=30_000)
    assert window.controllers.host.lanes == 0
    window.preferences.set("compiled", False)
    qtbot.waitUntil(lambda: not window.controllers.worker.busy, timeout=30_000)
    assert window.controllers.host._steps == [] and any("Compiled" in words for words in told)


def test_a_model_that_cannot_be_compiled_says_so_and_answers(qtbot, window, monkeypatch):
    from engine.generation.compiled_step import CompiledStep, _not_compiled

    def refuse(step):
        raise _not_compiled("There is no compiler")

    monkeypatch.setattr(CompiledStep, "prepare", refuse)
    told: list[str] = []
    window.controllers.noticed.connect(told.append)
    window.preferences.set("compiled", True)
    qtbot.waitUntil(lambda: any("no compiler" in words for words in told), timeout=30_000)
    ask(qtbot, window, "Tell me about the harbour.")
    assert window.workspace.turns[0].answer(STEERED).text
    assert window.controllers.host.lanes == 1


def test_the_window_closes_while_the_compiler_is_at_work(qtbot, window, monkeypatch):
    from engine.generation.compiled_step import CompiledStep

    begun, go_on = threading.Event(), threading.Event()

    def wait(step):
        begun.set()
        go_on.wait(60)
        return step

    monkeypatch.setattr(CompiledStep, "prepare", wait)
    window.preferences.set("compiled", True)
    qtbot.waitUntil(begun.is_set, timeout=30_000)
    window.close()
    assert not window.controllers.worker.alive and window.controllers.compiling.compiling
    go_on.set()
    window.controllers.compiling._thread.join()
