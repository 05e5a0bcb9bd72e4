"""`--tour DIR`: the main job by hand on the real window with the real model, a picture of every state."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from PySide6.QtCore import QEventLoop, Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QToolButton

from engine.library.records import SessionRecord
from studio.app.close_guard import UnsavedDialog
from studio.app.first_words import FIRST_QUESTION
from studio.app.main_window import Window
from studio.app.restore_dialog import RestoreDialog
from studio.chat.answer_view import AnswerView
from studio.library.library_jobs import StoredSession
from studio.state.conversation import STEERED, UNSTEERED, Answer
from studio.state.workspace import Workspace

PATIENCE = 300.0  # seconds that one state may take to come
PROMPT = "Talk like a pirate."
SIZES = ((1280, 800), (1920, 1080))


class TourFailed(Exception):
    """A step did not happen; the text says what was expected."""


class ScreenshotTour:
    """Runs the steps in order; the first one that did not truly happen ends the tour."""

    def __init__(self, window: Window, folder: Path) -> None:
        self.window, self.folder = window, folder
        self.steps: list[tuple[str, Callable[[], str]]] = [
            ("start", self._start),
            ("answer", self._answer),
            ("token", self._token),
            ("compare", self._compare),
            ("type", self._type),
            ("distill", self._distill),
            ("distilled", self._distilled),
            ("slide", self._slide),
            ("steered", self._steered),
            ("stop", self._stop),
            ("edit", self._edit),
            ("edited", self._edited),
            ("undone", self._undone),
            ("columns", self._columns),
            ("voted", self._voted),
            ("lab", self._lab),
            ("dark", self._dark),
            ("panels", self._panels),
            ("dialogs", self._dialogs),
            ("crash", self._crash),
            ("intro", self._intro),
            ("sizes", self._sizes),
        ]

    def run(self) -> int:
        """0 when every step happened, else 1; prints one line per step."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.window.show()
        status = 0
        for number, (name, step) in enumerate(self.steps, start=1):
            begun = time.perf_counter()
            try:
                said = step()
            except TourFailed as problem:
                print(f"FAILED  {name}: {problem}", file=sys.stderr)
                self._save(f"{number:02}-{name}-failed")
                status = 1
                break
            self._save(f"{number:02}-{name}")
            print(f"ok      {name}: {said} ({time.perf_counter() - begun:.1f} s)", flush=True)
        self.window.close()
        return status

    # The steps: each acts as a person would, checks what came of it, and says what it saw.

    def _start(self) -> str:
        self._until(lambda: self._workspace.loading.facts is not None, "the model never became ready")
        names = [c.name for c in self._workspace.channels]
        self._check(len(names) == 3, f"three ready heads should lie in the mixer, there are {names}")
        on = [c for c in self._workspace.channels if c.enabled]
        self._check(len(on) == 1 and on[0].strength == 1.0, "exactly the first head should be on, at 1.0")
        typed = self.window.composer.question.toPlainText()
        self._check(typed == FIRST_QUESTION, f"a question should be typed, there is {typed!r}")
        return f"model ready, heads {', '.join(names)}"

    def _answer(self) -> str:
        QTest.keyClick(self.window.composer.question, Qt.Key.Key_Return)
        answer = self._complete_answer()
        drawn = self.window.heatmap.values()
        self._check(np.array_equal(drawn, answer.trace.coefficients), "the heatmap differs from the trace")
        self._check(bool(np.abs(drawn).max() > 0), "no coefficient was applied")
        return answer.text

    def _token(self) -> str:
        answer = self._last_answer()
        view = self._view(answer)
        token = min(4, len(answer) - 1)
        spot = view.spot(token)
        QTest.mouseClick(view, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, spot)
        selection = self._workspace.selection
        self._check(selection is not None and selection.cursor == token, "the click selected no token")
        QTest.keyClick(view, Qt.Key.Key_Right)
        selection = self._workspace.selection
        self._check(selection is not None and selection.cursor == token + 1, "the arrow key did not walk")
        piece = self.window.inspector.piece.text()
        self._check(answer.trace.pieces[token + 1] in piece, f"the inspector shows {piece} instead")
        return f"{piece} selected"

    def _compare(self) -> str:
        self._trigger("compare")
        self._until(lambda: not self.window.controllers.talking, "the unsteered answer did not end")
        other = self._workspace.turns[-1].answer(UNSTEERED)
        self._check(other is not None and len(other) > 0, "there is no unsteered answer")
        assert other is not None
        self._check(not np.any(other.trace.coefficients), "the unsteered answer was steered")
        self._trigger("compare")
        return other.text

    def _type(self) -> str:
        self._trigger("edit_prompt")
        QTest.keyClick(self.window.steering.prompt, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
        QTest.keyClicks(self.window.steering.prompt, PROMPT)
        self._check(self._workspace.prompt == PROMPT, "the prompt was not taken")
        return PROMPT

    def _distill(self) -> str:
        self._before = {c.key for c in self._workspace.channels}
        QTest.mouseClick(self.window.steering.distill, Qt.MouseButton.LeftButton)
        self._check(self._workspace.fit.running, "no distillation began")
        self._until(lambda: self._workspace.fit.total > 0, "the distillation reported no stage")
        return f"running: {self._workspace.fit.stage}"

    def _distilled(self) -> str:
        self._until(lambda: not self.window.controllers.fitting, "the distillation did not end")
        fresh = [c for c in self._workspace.channels if c.key not in self._before]
        self._check(len(fresh) == 1, f"no head came of it: {self._workspace.fit.outcome}")
        self._check(self._workspace.fit.effect is not None, "the prompt's effect was not measured")
        self._check(fresh[0].digest in self._workspace.faithfulness, "the head has no faithfulness")
        self._fresh = fresh[0].key
        return f"{fresh[0].name}, {self._workspace.fit.verdict}"

    def _slide(self) -> str:
        row = self.window.mixer.row(self._fresh)
        QTest.mouseDClick(row.slider, Qt.MouseButton.LeftButton)
        before = self._workspace.strength_of(self._fresh)
        for _ in range(4):
            QTest.keyClick(row.slider, Qt.Key.Key_Right)
        after = self._workspace.strength_of(self._fresh)
        self._check(before == 1.0 and abs(after - 1.2) < 1e-6, f"the strength went from {before} to {after}")
        self._check(abs(row.box.value() - after) < 1e-6, "the number box disagrees with the slider")
        return f"strength {before:g} to {after:g}"

    def _steered(self) -> str:
        self._ask("What is the lighthouse like?")
        answer = self._complete_answer()
        used = answer.trace.strengths[-1]
        self._check(any(abs(s - 1.2) < 1e-6 for s in used), f"the answer was made with strengths {used}")
        return answer.text

    def _stop(self) -> str:
        turns = len(self._workspace.turns)
        self._ask("Tell me about the castle.")
        self._until(
            lambda: len(self._workspace.turns) > turns and len(self._last_answer()) >= 3, "no token came"
        )
        self._trigger("stop")
        self._until(lambda: not self.window.controllers.talking, "Stop did not stop")
        answer = self._last_answer()
        self._check(answer.state == "cancelled", f"the answer ended by itself ({answer.state}) before Stop")
        return f"stopped after {len(answer)} tokens"

    def _edit(self) -> str:
        answer = self._last_answer()
        column = self.window.conversation.column(answer)
        self._check(column is not None and column.edit.isEnabled(), "the answer cannot be edited")
        assert column is not None
        QTest.mouseClick(column.edit, Qt.MouseButton.LeftButton)
        field = column.field.text
        self._check(field.toPlainText() == answer.text, "the field does not hold the answer")
        QTest.keyClick(field, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
        QTest.keyClicks(field, "The castle is old.")
        return "typed, not taken"

    def _edited(self) -> str:
        column = self.window.conversation.column(self._last_answer())
        assert column is not None
        QTest.keyClick(column.field.text, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
        answer = self._last_answer()
        self._check(answer.edited and answer.text == "The castle is old.", "the words were not taken")
        return answer.text

    def _undone(self) -> str:
        self._trigger("undo")
        answer = self._last_answer()
        self._check(not answer.edited and len(answer) > 0, "the answer did not come back")
        return answer.text

    def _columns(self) -> str:
        self._trigger("page_compare")
        self.window.compare_page.next.blind.setChecked(True)
        self._ask("Tell me about bees.")
        self._until(lambda: not self.window.comparing.running, "the columns did not end")
        columns = self.window.compare_page.columns
        self._check(not any(view.made.isVisible() for view in columns), "a blind column told how it was made")
        return f"{len(columns)} blind columns"

    def _voted(self) -> str:
        columns = self.window.compare_page.columns
        QTest.mouseClick(columns[1].vote, Qt.MouseButton.LeftButton)
        self._check(all(view.made.isVisible() for view in columns), "the vote brought out no names")
        return ", ".join(view.title.text() for view in columns)

    def _lab(self) -> str:
        page, measuring = self.window.lab_page, self.window.measuring
        self._trigger("page_lab")
        page.form.methods.setText("none,prompt,caa,s-const:instant,s-psr:instant,a-psr")
        page.form.questions.setValue(12)
        QTest.mouseClick(page.form.go, Qt.MouseButton.LeftButton)
        self._until(lambda: not measuring.running, "the comparison did not end")
        self._check(measuring.finished is not None, "the comparison did not come to its end")
        rows = {result.place.words: result.dot for result in measuring.results}
        ours, plain = rows["a-psr"], rows["none"]
        self._check(
            ours is not None and plain is not None and ours.trait > plain.trait, "the head shows no trait"
        )
        return f"{len(rows)} methods"

    def _dark(self) -> str:
        self._trigger("page_conversation")
        self._trigger("scheme_dark")
        shade = QApplication.palette().window().color().lightness()
        self._check(shade < 80, "the window stayed light")
        return "dark colours"

    def _panels(self) -> str:
        self._trigger("scheme_light")
        for key in ("library", "log", "settings"):
            self._trigger(f"panel_{key}")
            self._check(self.window.docks[key].isVisible(), f"the panel {key} did not come")
        return "library, log and settings"

    def _dialogs(self) -> str:
        """Everything that opens over the window, each in a picture of its own."""
        names = [
            *(
                self._dialog(key)
                for key in ("palette", "model", "votes", "rename_head", "keep_preset", "about")
            ),
            *(self._file_dialog(key) for key in ("model_folder", "load_head", "save_head", "export_chat")),
            *(self._menu(name, button) for name, button in self._menu_buttons()),
        ]
        unsaved = UnsavedDialog(True, self.window)
        unsaved.tell(self.window.autosave)
        for name, dialog in (("unsaved", unsaved), ("restore", RestoreDialog(self._left(), self.window))):
            dialog.open()
            names.append(self._close(name, dialog))
        return ", ".join(names)

    def _crash(self) -> str:
        self.window.troubles.show_crash(
            "Traceback (most recent call last):\n  MemoryError", Path("crash.txt")
        )
        self._check(self.window.banner.isVisible(), "the crash was not reported")
        self._save("crash-report")
        self.window.banner.hide()
        return "reported in the banner"

    def _intro(self) -> str:
        self._trigger("welcome")
        for number in range(1, 5):
            self._check(self.window.welcome.running, f"there is no step {number}")
            self._save(f"intro-{number}")
            self._trigger("welcome")
        self._check(not self.window.welcome.running, "the tour did not end")
        return "four steps"

    def _dialog(self, key: str) -> str:
        """The dialog that an action opens."""
        self._trigger(key)
        self._until(lambda: bool(self._open_dialogs()), f"{key} opened no dialog")
        self._breathe(600)  # the model picker reads files
        [dialog] = self._open_dialogs()
        return self._close(key, dialog)

    def _file_dialog(self, key: str) -> str:
        """The dialog that asks for a file, and returns to the action only when it is closed."""
        seen: list[str] = []
        timer = QTimer()

        def look() -> None:
            dialog = QApplication.activeModalWidget()
            if isinstance(dialog, QDialog) and dialog.isVisible():
                timer.stop()
                seen.append(self._close(key, dialog))

        timer.timeout.connect(look)
        timer.start(300)
        self._trigger(key)
        timer.stop()
        self._check(bool(seen), f"{key} asked for no file")
        return key

    def _menu_buttons(self) -> list[tuple[str, QToolButton]]:
        return [("sampling", self.window.composer.sampling), ("presets", self.window.mixer.presets)]

    def _menu(self, name: str, button: QToolButton) -> str:
        menu = button.menu()
        menu.popup(button.mapToGlobal(button.rect().bottomLeft()))
        self._until(menu.isVisible, f"the menu {name} did not come")
        menu.grab().save(str(self.folder / f"menu-{name}.png"))
        menu.close()
        return name

    def _open_dialogs(self) -> list[QDialog]:
        return [dialog for dialog in self.window.findChildren(QDialog) if dialog.isVisible()]

    def _close(self, name: str, dialog: QDialog) -> str:
        self._breathe(60)
        dialog.grab().save(str(self.folder / f"dialog-{name}.png"))
        dialog.reject()
        self._until(lambda: not dialog.isVisible(), f"the dialog {name} did not close")
        return name

    def _left(self) -> StoredSession:
        """The session as it would be found after a crash now."""
        keys = ("turns", "round", "channels", "presets", "prompt", "question", "settings", "fit_options")
        values = {key: getattr(self._workspace, key) for key in (*keys, "comparison", "source")}
        return StoredSession(SessionRecord("", {}, False, datetime.now(UTC).isoformat()), values)

    def _sizes(self) -> str:
        self._save_all("window")
        return ", ".join(f"{width}x{height}" for width, height in SIZES)

    # Hands and eyes.

    @property
    def _workspace(self) -> Workspace:
        return self.window.workspace

    def _ask(self, question: str) -> None:
        self._trigger("ask")
        self.window.composer.set_question("")
        QTest.keyClicks(self.window.composer.question, question)
        QTest.keyClick(self.window.composer.question, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)

    def _complete_answer(self) -> Answer:
        count = len(self._workspace.turns)
        self._check(count > 0 and self.window.controllers.talking, "no answer began")
        self._until(lambda: not self.window.controllers.talking, "the answer did not end")
        answer = self._last_answer()
        self._check(answer.over and len(answer) > 1, f"the answer has {len(answer)} tokens ({answer.state})")
        self._check("".join(answer.trace.pieces) == answer.text, "the tokens do not join to the text")
        return answer

    def _last_answer(self) -> Answer:
        answer = self._workspace.turns[-1].answer(STEERED)
        assert answer is not None
        return answer

    def _view(self, answer: Answer) -> AnswerView:
        view = self.window.conversation.view(answer)
        assert view is not None
        return view

    def _trigger(self, key: str) -> None:
        action = self.window.actions_[key]
        self._check(action.isEnabled(), f"the action {key} is not available")
        action.trigger()

    def _check(self, happened: bool, otherwise: str) -> None:
        if not happened:
            banner = self.window.banner
            raise TourFailed(f"{otherwise}. {banner.text.text()}" if banner.isVisible() else otherwise)

    def _until(self, condition: Callable[[], bool], otherwise: str) -> None:
        """Lets the window live until `condition` holds."""
        begun = time.perf_counter()
        while not condition():
            self._check(time.perf_counter() - begun < PATIENCE, otherwise)
            self._check(not self.window.banner.isVisible(), otherwise)
            self._breathe(10)

    def _breathe(self, milliseconds: int) -> None:
        loop = QEventLoop()
        QTimer.singleShot(milliseconds, loop.quit)
        loop.exec()

    def _save(self, name: str) -> None:
        self._breathe(60)
        self.window.grab().save(str(self.folder / f"{name}.png"))

    def _save_all(self, name: str) -> None:
        """The state in light and dark at both sizes that the layout is made for."""
        for width, height in SIZES:
            self.window.resize(width, height)
            self.window.docks.arrange()
            for scheme in ("light", "dark"):
                self._trigger(f"scheme_{scheme}")
                self._breathe(60)
                self.window.grab().save(str(self.folder / f"{name}-{width}x{height}-{scheme}.png"))
