"""The whole window is killed while it answers; the next start offers back what had been acknowledged."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from studio.library.library_jobs import LibraryJobs
from tests.studio.conftest import ready

STUDIO = """
import sys
from pathlib import Path
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
from studio.app.main_window import Window

app = QApplication([])
window = Window(None, Path(sys.argv[1]))
workspace, session = window.workspace, window.controllers
def told(state):
    print(state, len(workspace.turns), workspace.question, flush=True)
window.autosave.stateChanged.connect(told)

def loaded(_):
    window.preferences.set("live", False)
    workspace.set_settings(workspace.settings.__class__(max_tokens=900))
    session.host.need_model().eos_ids = frozenset()
    window.composer.set_question("Tell me about the harbour.")
    window.actions_["send"].trigger()

session.modelOpened.connect(loaded)
def grown(answer, first):
    print("tokens", len(answer), flush=True)
    if len(answer) > 20 and not workspace.question:
        window.composer.set_question("typed meanwhile")
workspace.answerGrew.connect(grown)
window.show()
app.exec()
"""


@contextmanager
def started(code: str, home: Path) -> Iterator[subprocess.Popen[str]]:
    """A program over this folder, which is killed in the end, whatever happens."""
    program = subprocess.Popen([sys.executable, "-c", code, str(home)], stdout=subprocess.PIPE, text=True)
    try:
        yield program
    finally:
        program.kill()
        program.communicate()


def test_killed_in_the_middle_of_an_answer(qtbot, open_window, tmp_path):
    home = tmp_path / "home"
    with started(STUDIO, home) as killed:
        assert killed.stdout is not None
        assert any(line.startswith("saved 1 typed meanwhile") for line in killed.stdout)
    window = open_window()
    qtbot.waitUntil(lambda: window.recovery.dialog is not None)
    words = window.recovery.dialog.text.text()
    assert "Tell me about the harbour." in words and "typed meanwhile" in words
    window.recovery.dialog.accept()
    ready(qtbot, window)
    (turn,) = window.workspace.turns
    assert turn.question == "Tell me about the harbour."
    assert turn.answers[0].state == "cancelled" and turn.answers[0].text
    assert window.workspace.question == "typed meanwhile"
    window.workspace.set_question("And bees?")
    window.actions_["send"].trigger()
    qtbot.waitUntil(lambda: not window.controllers.talking, timeout=60_000)
    assert window.workspace.turns[1].answers[0].state == "eos"


BUSY = """
import sys
from pathlib import Path
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
from studio.state.compare_columns import ColumnChoice
from studio.app.main_window import Window
from tests.studio.conftest import make_head

app = QApplication([])
window = Window(None, Path(sys.argv[1]))
workspace, steps, sent = window.workspace, 0, []

def change():
    global steps
    steps += 1
    workspace.set_question(f"typed {steps}")
    if steps == 1:
        workspace.mixer.add_head(make_head())
    workspace.mixer.set_strength(workspace.channels[0].key, steps / 100)
    workspace.set_column(0, ColumnChoice("head", workspace.channels[0].key, steps / 100))

def told(state):
    if state == "saving":
        sent.append(steps)
    elif state == "saved":
        print(sent.pop(0), flush=True)

window.controllers.open_model = lambda source: None  # what is kept does not need it
window.autosave.stateChanged.connect(told)
timer = QTimer()
timer.timeout.connect(change)
window.recovery.begun.connect(lambda: timer.start(7))
window.recovery.asked.connect(lambda: window.recovery.dialog.accept())
window.show()
app.exec()
"""


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_any_moment_all_that_was_acknowledged_is_there(tmp_path, seed):
    with started(BUSY, tmp_path) as killed:
        assert killed.stdout is not None
        said = [next(line for line in killed.stdout if int(line) > 20)]
        time.sleep(random.Random(seed).uniform(0.0, 1.0))
        killed.kill()
        said += [line for line in killed.stdout if line.endswith("\n")]
    archive = LibraryJobs(tmp_path)
    left = archive.open()
    archive.close()
    assert left is not None and not left.session.clean and not left.lost
    steps = int(left.values["question"].removeprefix("typed "))
    assert steps >= int(said[-1])
    assert left.values["channels"][0].strength == steps / 100  # one moment, whole
    assert left.values["comparison"].columns[0].strength == steps / 100
