"""Every row of the action table, done as a person does it: by its menu, the command palette, its keys."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QElapsedTimer, Qt, QTimer
from PySide6.QtGui import QAction, QGuiApplication, QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QApplication,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QInputDialog,
    QLineEdit,
    QMenu,
    QMessageBox,
)

from engine.heads.__init__ import HEAD_SUFFIX
from studio.app import actions
from studio.app.command_palette import CommandPalette
from studio.app.main_window import Window
from studio.app.model_picker import ModelPicker
from studio.chat.votes_dialog import VotesDialog
from studio.state.requests import FitOptions
from tests.engine.model.test_hub import NAME
from tests.studio.app.test_main_job import endless
from tests.studio.chat.test_compare_page import compare
from tests.studio.conftest import ready
from tests.studio.lab.test_lab_page import finish, measure

WAIT_MS = 60_000
DIALOG_MS = 10_000
QUESTION = "Tell me about the harbour."
ROWS = {row.key: row for row in actions.TABLE}


class Person:
    """One who knows `way` to do a thing: "menu", "palette", or the number of the shortcut to use."""

    def __init__(self, qtbot, window: Window, way: str | int, folder: Path, hub) -> None:
        self.qtbot, self.window, self.way, self.folder, self.hub = qtbot, window, way, folder, hub
        self.workspace = window.workspace

    def knows(self, key: str) -> bool:
        return not isinstance(self.way, int) or len(ROWS[key].keys) > self.way

    def do(self, key: str) -> None:
        """Does what the row says, which must be enabled."""
        action = self.window.actions_[key]
        assert action.isEnabled(), f"{key} is not enabled"
        self.activate()
        if isinstance(self.way, int):
            self.window.composer.question.setFocus()
            QTest.keySequence(self.window.focusWidget(), QKeySequence(ROWS[key].keys[self.way]))
        elif self.way == "palette" and key != "palette":
            self.find(action)
        else:
            self.in_menu(key).trigger()

    def find(self, action: QAction) -> None:
        """Opens the palette by its key, types the words of the action, and presses Enter."""
        QTest.keyClick(self.window, Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier)
        dialog = self.dialog(CommandPalette)
        QTest.keyClicks(dialog.line, action.text().replace("&", "").rstrip("…"))
        assert dialog.list.currentItem().data(Qt.ItemDataRole.UserRole) is action
        with self.qtbot.waitSignal(action.triggered, timeout=WAIT_MS):
            QTest.keyClick(dialog.line, Qt.Key.Key_Return)

    def activate(self) -> None:
        """The keyboard is the window's, where a dialog was before."""
        self.window.activateWindow()
        self.until(self.window.isActiveWindow)

    def in_menu(self, key: str) -> QAction:
        """The action in the menu that its row names."""
        words = ROWS[key].menu.replace("&", "")
        [menu] = [
            top.menu()
            for top in self.window.menuBar().actions()
            if top.text().replace("&", "") == words and isinstance(top.menu(), QMenu)
        ]
        [found] = [action for action in menu.actions() if action.objectName() == key]
        return found

    def until(self, condition: Callable[[], bool]) -> None:
        self.qtbot.waitUntil(condition, timeout=WAIT_MS)

    def dialog(self, kind: type[QDialog]) -> QDialog:
        """The one dialog of a kind that is open."""
        self.until(lambda: len(self._open(kind)) == 1)
        return self._open(kind)[0]

    def sees(self, key: str, kind: type[QDialog]) -> None:
        """Doing it opens a dialog, which is closed again by Esc."""
        self.do(key)
        dialog = self.dialog(kind)
        QTest.keyClick(dialog, Qt.Key.Key_Escape)
        self.until(lambda: not self._open(kind))

    def answers(self, key: str, text: str) -> None:
        """Doing it asks for a line of text, which is typed."""
        self.do(key)
        dialog = self.dialog(QInputDialog)
        line = dialog.findChild(QLineEdit)
        line.selectAll()
        QTest.keyClicks(line, text)
        QTest.keyClick(line, Qt.Key.Key_Return)
        self.until(lambda: not self._open(QInputDialog))

    def names(self, key: str, name: str) -> None:
        """Doing it asks for a file, whose name is pasted; "" for Cancel. The dialog has its own loop."""
        seen: list[QFileDialog] = []
        timer, patience = QTimer(), QElapsedTimer()
        patience.start()

        def answer() -> None:
            dialog = QApplication.activeModalWidget()
            if patience.hasExpired(DIALOG_MS) and isinstance(dialog, QDialog):
                dialog.reject()  # it does not take the answer: the test fails, and does not hang
            if isinstance(dialog, QFileDialog) and dialog.isVisible() and not seen:
                seen.append(dialog)
                line = dialog.findChild(QLineEdit, "fileNameEdit")
                line.selectAll()
                QGuiApplication.clipboard().setText(name)
                QTest.keyClick(line, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
                standard = QDialogButtonBox.StandardButton
                wanted = (standard.Save, standard.Open) if name else (standard.Cancel,)
                [button] = filter(None, map(dialog.findChild(QDialogButtonBox).button, wanted))
                QTest.mouseClick(button, Qt.MouseButton.LeftButton)

        timer.timeout.connect(answer)
        timer.start(10)
        try:
            self.do(key)
        finally:
            timer.stop()
        assert seen, f"{key} asked for no file"
        assert not patience.hasExpired(DIALOG_MS), f"{key}: the dialog did not take {name}"

    def writes(self, key: str, ending: str) -> bytes:
        """Doing it asks for a file and writes it; returns what is in it."""
        path = self.folder / f"{key}{ending}"
        self.names(key, str(path))
        self.until(path.exists)
        self.until(lambda: not self.window.controllers.worker.busy)
        return path.read_bytes()

    def flips(self, key: str, state: Callable[[], object]) -> None:
        """Doing it twice changes a state, which the row's tick follows, and changes it back."""
        before = state()
        for after in (not before, before):
            self.do(key)
            assert state() == after and self.window.actions_[key].isChecked() == after

    def _open(self, kind: type[QDialog]) -> list[QDialog]:
        return [dialog for dialog in self.window.findChildren(kind) if dialog.isVisible()]

    def idle(self) -> None:
        controllers, loading = self.window.controllers, self.workspace.loading
        self.until(lambda: not (controllers.talking or controllers.fitting or loading.coming))
        self.until(lambda: not (controllers.worker.busy or self.window.autosave.worker.busy))


# What each row does, in the order of the table; "quit" comes last.


def recent(person: Person) -> None:
    person.do("recent")
    person.until(person.window.files.recent.isVisible)
    QTest.keyClick(person.window.files.recent, Qt.Key.Key_Escape)
    person.until(lambda: not person.window.files.recent.isVisible())


def model_pocket(person: Person) -> None:
    with person.qtbot.waitSignal(person.window.controllers.modelOpened, timeout=WAIT_MS) as opened:
        person.do("model_pocket")
    assert opened.args == ["pocket"]
    person.idle()


def cancel_loading(person: Person) -> None:
    person.hub.pause = 0.1
    person.window.files.open([NAME])
    person.until(lambda: bool(person.workspace.loading.total))
    person.do("cancel_loading")
    person.until(lambda: not person.workspace.loading.coming)
    assert person.workspace.loading.facts.is_pocket
    person.idle()


def load_head(person: Person) -> None:
    rows = len(person.workspace.channels)
    path = person.folder / f"kept{HEAD_SUFFIX}"
    person.window.controllers.save_head(person.workspace.channels[0], path)
    person.until(path.exists)
    person.names("load_head", str(path))
    person.until(lambda: len(person.workspace.channels) == rows + 1)


def save_head(person: Person) -> None:
    person.workspace.select_channel(person.workspace.channels[0].key)
    assert person.writes("save_head", HEAD_SUFFIX)


def export_chat(person: Person) -> None:
    text = person.writes("export_chat", ".html").decode()
    assert text.startswith("<!doctype html>") and QUESTION in text


def export_trace(person: Person) -> None:
    lines = person.writes("export_trace", ".csv").decode().splitlines()
    assert len([line for line in lines if not line.startswith("#")]) > len(person.workspace.shown)


def export_picture(key: str) -> Callable[[Person], None]:
    def export(person: Person) -> None:
        assert b"<svg" in person.writes(key, ".svg")

    return export


def export_run(person: Person) -> None:
    assert person.writes("export_run", ".run.safetensors")


def export_lab(person: Person) -> None:
    assert "a-psr" in person.writes("export_lab", ".html").decode()


def export_votes(person: Person) -> None:
    person.names("export_votes", str(person.folder / "votes.json"))
    person.until((person.folder / "votes.json").exists)
    assert [vote["question"] for vote in json.loads((person.folder / "votes.json").read_text())] == [
        "Tell me about bees."
    ]


def save_now(person: Person) -> None:
    states: list[str] = []
    person.window.autosave.stateChanged.connect(states.append)
    person.do("save_now")
    person.until(lambda: "saved" in states)


def undo(person: Person) -> None:
    person.workspace.mixer.set_bypass(True)
    person.do("undo")
    assert not person.workspace.bypass


def redo(person: Person) -> None:
    person.workspace.mixer.set_bypass(True)
    person.workspace.undo()
    person.do("redo")
    assert person.workspace.bypass
    person.workspace.undo()


def distill(person: Person) -> None:
    person.workspace.set_prompt("Talk like a pirate.")
    rows = len(person.workspace.channels)
    person.do("distill")
    person.until(lambda: len(person.workspace.channels) == rows + 1)
    person.idle()
    assert person.workspace.channels[-1].digest in person.workspace.faithfulness


def cancel_distill(person: Person) -> None:
    options = person.workspace.fit_options
    person.workspace.set_fit_options(FitOptions(recipe="paper"))
    person.window.actions_["distill"].trigger()
    assert person.workspace.fit.running
    person.do("cancel_distill")
    person.until(lambda: not person.workspace.fit.running)
    assert person.workspace.fit.outcome == "Cancelled"
    person.workspace.set_fit_options(options)
    person.idle()


def live(person: Person) -> None:
    person.flips("live", lambda: person.window.preferences.get("live"))


def mute_head(person: Person) -> None:
    chosen = person.workspace.channel(person.workspace.selected_key)
    person.do("mute_head")
    assert person.workspace.channel(chosen.key).enabled != chosen.enabled


def solo_head(person: Person) -> None:
    chosen = person.workspace.channel(person.workspace.selected_key)
    person.do("solo_head")
    assert person.workspace.channel(chosen.key).solo != chosen.solo
    person.workspace.undo()


def rename_head(person: Person) -> None:
    person.answers("rename_head", "Captain")
    assert person.workspace.channel(person.workspace.selected_key).name == "Captain"


def remove_head(person: Person) -> None:
    chosen = person.workspace.selected_key
    person.do("remove_head")
    assert person.workspace.channel(chosen) is None
    person.workspace.undo()
    person.workspace.select_channel(chosen)


def keep_preset(person: Person) -> None:
    person.answers("keep_preset", "Loud")
    assert [preset.name for preset in person.workspace.presets] == ["Loud"]


def edit_prompt(person: Person) -> None:
    person.window.docks["steering"].hide()
    person.do("edit_prompt")
    person.activate()
    person.until(person.window.steering.prompt.hasFocus)
    assert person.window.docks["steering"].isVisible()


def send(person: Person) -> None:
    turns = len(person.workspace.turns)
    person.window.composer.set_question("Tell me about the castle.")
    person.do("send")
    person.until(lambda: len(person.workspace.turns) == turns + 1)
    person.idle()
    assert person.workspace.turns[-1].answers[0].state == "eos"


def stop(person: Person) -> None:
    ends = person.window.controllers.host._model.eos_ids
    settings = person.workspace.settings
    endless(person.window)
    person.window.composer.set_question("Tell me about the sea.")
    person.window.actions_["send"].trigger()
    person.until(lambda: person.workspace.turns[-1].question.endswith("the sea."))
    person.do("stop")
    person.idle()
    assert person.workspace.turns[-1].answers[0].state == "cancelled"
    person.window.controllers.host._model.eos_ids = ends
    person.workspace.set_settings(settings)


def again(person: Person) -> None:
    before = person.workspace.turns
    person.do("again")
    person.idle()
    after = person.workspace.turns
    assert after[:-1] == before[:-1] and after[-1] is not before[-1]
    assert after[-1].question == before[-1].question and after[-1].answers[0].state == "eos"


def continue_answer(person: Person) -> None:
    settings = person.workspace.settings
    person.workspace.set_settings(replace(settings, max_tokens=4))
    person.window.composer.set_question("Tell me about the market.")
    person.window.actions_["send"].trigger()
    person.until(lambda: person.workspace.turns[-1].question.endswith("the market."))
    person.idle()
    short = person.workspace.turns[-1].answers[0]
    assert short.state == "length" and len(short) == 4
    person.workspace.set_settings(settings)
    person.do("continue")
    person.idle()
    longer = person.workspace.turns[-1].answers[0]
    assert longer.state == "eos" and list(longer.trace.ids[:4]) == list(short.trace.ids)


def compare_with_unsteered(person: Person) -> None:
    for wanted in (True, False):
        person.do("compare")
        assert person.workspace.compare is wanted is person.window.composer.compare.isChecked()
        person.idle()
    assert len(person.workspace.turns[-1].answers) == 2


def truth(person: Person) -> None:
    person.flips("truth", lambda: person.workspace.truth)


def bypass(person: Person) -> None:
    person.flips("bypass", lambda: person.workspace.bypass)


def new(person: Person) -> None:
    turns = person.workspace.turns
    person.do("new")
    assert person.workspace.turns == ()
    person.workspace.undo()
    assert person.workspace.turns == turns


def copy_chat(person: Person) -> None:
    QGuiApplication.clipboard().clear()
    person.do("copy_chat")
    assert QUESTION in QGuiApplication.clipboard().text()


def ask(person: Person) -> None:
    person.activate()
    person.window.steering.prompt.setFocus()
    person.do("ask")
    person.activate()
    person.until(person.window.composer.question.hasFocus)


def page(name: str) -> Callable[[Person], None]:
    def turn(person: Person) -> None:
        window = person.window
        pages = {"conversation": window.conversation, "compare": window.compare_page, "lab": window.lab_page}
        for _ in range(2):  # who does it again stays there
            person.do(f"page_{name}")
            assert [key for key, page in pages.items() if page.isVisible()] == [name]
            assert [key for key in pages if window.actions_[f"page_{key}"].isChecked()] == [name]
        window.actions_["page_conversation"].trigger()

    return turn


def panel(name: str) -> Callable[[Person], None]:
    return lambda person: person.flips(f"panel_{name}", lambda: not person.window.docks[name].isHidden())


def reset_layout(person: Person) -> None:
    person.window.docks["mixer"].hide()
    person.window.docks.show("log")
    person.do("reset_layout")
    assert person.window.docks["mixer"].isVisible() and not person.window.docks["log"].isVisible()


def follow(person: Person) -> None:
    bar = person.window.conversation.verticalScrollBar()
    person.until(lambda: bar.maximum() > 0)
    bar.setValue(0)
    person.do("follow")
    person.until(lambda: bar.value() == bar.maximum() > 0)


def zoom(key: str, start: float, end: float) -> Callable[[Person], None]:
    def change(person: Person) -> None:
        person.window.preferences.set("zoom", start)
        size = QApplication.font().pointSizeF()
        person.do(key)
        assert person.window.preferences.get("zoom") == end
        assert (QApplication.font().pointSizeF() > size) == (end > start)
        person.window.preferences.set("zoom", 1.0)

    return change


def scheme(name: str) -> Callable[[Person], None]:
    def change(person: Person) -> None:
        window = person.window
        for _ in range(2):  # who does it again changes nothing
            person.do(f"scheme_{name}")
            assert window.preferences.get("scheme") == name
            ticked = [n for n in ("system", "light", "dark") if window.actions_[f"scheme_{n}"].isChecked()]
            assert ticked == [name]

    return change


def welcome(person: Person) -> None:
    person.do("welcome")
    assert person.window.welcome.bubble.isVisible()
    person.activate()
    QTest.keyClick(person.window, Qt.Key.Key_Escape)
    assert not person.window.welcome.running


def quit_(person: Person) -> None:
    person.idle()
    person.do("quit")
    person.until(lambda: not person.window.isVisible())


def opens(key: str, kind: type[QDialog]) -> Callable[[Person], None]:
    return lambda person: person.sees(key, kind)


EXPECTED: dict[str, Callable[[Person], None]] = {
    "model": opens("model", ModelPicker),
    "model_folder": lambda person: person.names("model_folder", ""),
    "recent": recent,
    "model_pocket": model_pocket,
    "cancel_loading": cancel_loading,
    "load_head": load_head,
    "save_head": save_head,
    "export_chat": export_chat,
    "export_trace": export_trace,
    "export_heatmap": export_picture("export_heatmap"),
    "export_figure": export_picture("export_figure"),
    "export_faithfulness": export_picture("export_faithfulness"),
    "export_run": export_run,
    "export_lab": export_lab,
    "export_votes": export_votes,
    "save_now": save_now,
    "undo": undo,
    "redo": redo,
    "palette": opens("palette", CommandPalette),
    "distill": distill,
    "cancel_distill": cancel_distill,
    "live": live,
    "bypass": bypass,
    "mute_head": mute_head,
    "solo_head": solo_head,
    "rename_head": rename_head,
    "remove_head": remove_head,
    "keep_preset": keep_preset,
    "edit_prompt": edit_prompt,
    "send": send,
    "stop": stop,
    "again": again,
    "continue": continue_answer,
    "compare": compare_with_unsteered,
    "truth": truth,
    "new": new,
    "copy_chat": copy_chat,
    "ask": ask,
    "votes": opens("votes", VotesDialog),
    **{f"page_{name}": page(name) for name in ("conversation", "compare", "lab")},
    **{
        f"panel_{name}": panel(name)
        for name in (
            "steering",
            "mixer",
            "heatmap",
            "inspector",
            "faithfulness",
            "library",
            "log",
            "settings",
        )
    },
    "reset_layout": reset_layout,
    "follow": follow,
    "zoom_in": zoom("zoom_in", 1.0, 1.1),
    "zoom_out": zoom("zoom_out", 1.0, 0.9),
    "zoom_reset": zoom("zoom_reset", 1.25, 1.0),
    **{f"scheme_{name}": scheme(name) for name in ("system", "light", "dark")},
    "welcome": welcome,
    "about": opens("about", QMessageBox),
    "quit": quit_,
}


def test_every_row_of_the_table_has_an_expectation():
    assert EXPECTED.keys() == ROWS.keys()


@pytest.fixture
def furnished(qtbot, open_window) -> Window:
    """A window with Pocket, a vote, a result of the Lab, an answer, and a chosen head."""
    window = ready(qtbot, open_window())
    QTest.keyClick(window, Qt.Key.Key_Escape)  # the tour of a first start
    window.preferences.set("live", False)
    compare(qtbot, window, "Tell me about bees.", blind=True)
    QTest.mouseClick(window.compare_page.columns[0].vote, Qt.MouseButton.LeftButton)
    window.workspace.set_prompt("Talk like a pirate.")
    measure(qtbot, window, "none,a-psr", questions=2)
    finish(qtbot, window)
    window.actions_["page_conversation"].trigger()
    window.composer.set_question(QUESTION)
    QTest.keyClick(window.composer.question, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: not window.controllers.talking, timeout=WAIT_MS)
    window.workspace.select_channel(window.workspace.channels[0].key)
    return window


@pytest.mark.parametrize("way", ["menu", "palette", 0, 1], ids=["menu", "palette", "keys", "second keys"])
def test_every_row_does_what_it_says(qtbot, furnished, tmp_path, hub, way):
    person = Person(qtbot, furnished, way, tmp_path, hub)
    for key, expected in EXPECTED.items():
        if person.knows(key):
            expected(person)
            assert not furnished.banner.isVisible(), f"{key}: {furnished.banner.text.text()}"
