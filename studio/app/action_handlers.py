"""What the rows of the action table do, and when they can be done."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, Slot
from PySide6.QtGui import QGuiApplication

from studio.app import actions
from studio.app.command_palette import CommandPalette
from studio.chat.context_usage import ASKING
from studio.chat.votes_dialog import VotesDialog
from studio.export.export_controller import KINDS
from studio.export.markdown import as_markdown

if TYPE_CHECKING:
    from studio.app.main_window import Window


class ActionHandlers(QObject):
    """Speaks to the parts of `window`, which are there when the first action is triggered."""

    def __init__(self, window: Window) -> None:
        super().__init__(window)
        self._window = window

    def handlers(self) -> dict[str, Callable[..., object]]:
        window = self._window
        controllers, workspace, look = window.controllers, window.workspace, window.look
        return {
            "model": window.files.choose_model,
            "model_folder": window.files.choose_folder,
            "model_pocket": lambda: controllers.open_model("pocket"),
            "recent": window.files.show_recent,
            "cancel_loading": controllers.opening.cancel,
            "load_head": window.files.choose_head,
            "save_head": window.files.choose_save,
            **{key: lambda key=key: window.exporting.ask(key) for key in KINDS},
            "votes": self._show_votes,
            "export_votes": window.shelf_work.choose_votes,
            "save_now": window.autosave.save_now,
            "quit": window.close,
            "undo": workspace.undo,
            "redo": workspace.redo,
            "palette": self._open_palette,
            "distill": lambda: controllers.distilling.start(window.steering.request()),
            "cancel_distill": controllers.distilling.cancel,
            "live": lambda on: window.preferences.set("live", on),
            "bypass": workspace.set_bypass,
            "mute_head": workspace.toggle_chosen,
            "solo_head": workspace.solo_chosen,
            "rename_head": lambda: window.asking.rename_head(workspace.chosen),
            "remove_head": lambda: workspace.remove_head(workspace.chosen),
            "keep_preset": window.asking.keep_preset,
            "edit_prompt": self._edit_prompt,
            "send": self._send,
            "stop": self._stop,
            "again": lambda: controllers.answering.again(),
            "compare": controllers.answering.compare,
            "truth": workspace.set_truth,
            "new": lambda: workspace.begin_conversation(),
            "copy_chat": lambda: QGuiApplication.clipboard().setText(as_markdown(workspace.turns)),
            "ask": lambda: window.composer.question.setFocus(),
            "page_conversation": lambda: None,
            "page_compare": lambda: None,
            "page_lab": lambda: None,
            **{row.key: lambda: None for row in actions.TABLE if row.key.startswith("panel_")},
            "reset_layout": lambda: window.docks.arrange(),
            "follow": self._follow,
            "zoom_in": lambda: look.zoom(1),
            "zoom_out": lambda: look.zoom(-1),
            "zoom_reset": lambda: look.zoom(0),
            **{
                f"scheme_{name}": lambda on, name=name: self._choose_scheme(name) if on else None
                for name in ("system", "light", "dark")
            },
            "welcome": window.welcome.start,
            "about": window.asking.about,
        }

    def _stop(self) -> None:
        """What talks falls silent; the tour, or the Lab's run on another page, ends when nothing talks."""
        window = self._window
        talking = window.controllers.talking or window.comparing.running
        if window.welcome.running and not talking:
            window.welcome.end()
        elif window.measuring.running and (window.pages.key == "lab" or not talking):
            window.measuring.stop()
        else:
            window.controllers.answering.stop()
            window.comparing.stop()

    def _choose_scheme(self, name: str) -> None:
        """Only the action that is switched on speaks: the one that it switches off has nothing to say."""
        self._window.preferences.set("scheme", name)

    @Slot()
    def enable(self) -> None:
        workspace, controllers = self._window.workspace, self._window.controllers
        ready, fits = workspace.loading.facts is not None, workspace.fit.running and not workspace.fit.live
        chosen = workspace.chosen is not None
        idle = ready and not controllers.talking
        states = {
            "distill": ready and not fits and bool(workspace.prompt.strip()),
            "cancel_distill": workspace.fit.running,
            "cancel_loading": bool(workspace.loading.coming),
            "load_head": ready,
            **dict.fromkeys(("save_head", "mute_head", "solo_head", "rename_head", "remove_head"), chosen),
            "keep_preset": bool(workspace.channels),
            "again": idle and bool(workspace.turns),
            "new": bool(workspace.turns) and not controllers.talking,
            "compare": self._window.pages.key != "compare",  # the columns there say who else answers
            "copy_chat": bool(workspace.turns),
            "stop": controllers.talking
            or self._window.comparing.running
            or self._window.measuring.running
            or self._window.welcome.running,
            "export_lab": self._window.measuring.finished is not None,
        }
        self._window.conversation.set_able(idle)
        for key, on in states.items():
            self._window.actions_[key].setEnabled(on)

    @Slot()
    def name_undo(self) -> None:
        stack = self._window.workspace.stack
        for key, able, label, word in (
            ("undo", stack.canUndo(), stack.undoText(), self.tr("&Undo {0}")),
            ("redo", stack.canRedo(), stack.redoText(), self.tr("&Redo {0}")),
        ):
            self._window.actions_[key].setEnabled(able)
            self._window.actions_[key].setText(word.format(label).strip())

    def _send(self) -> None:
        question, controllers = self._window.workspace.question, self._window.controllers
        free = not controllers.talking if self._window.pages.key == "compare" else controllers.answering.takes
        if question.strip() and free:
            objection = controllers.metering.objection()
            self._window.banner.settle(ASKING)
            if objection is not None:
                self._window.banner.show_failure(objection)
                return
            if self._window.pages.key == "compare":
                self._window.comparing.run()
                return
            self._window.pages.turn("conversation")
            self._window.conversation.follow()
            self._window.composer.question.setFocus()
            controllers.answering.send(question)

    def _open_palette(self) -> None:
        CommandPalette(self._window.actions_, self._window).open()

    def _show_votes(self) -> None:
        comparing = self._window.comparing
        dialog = VotesDialog(comparing.votes.values(), comparing.told_votes(), self._window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.exportWanted.connect(self._window.actions_["export_votes"].trigger)
        dialog.open()

    def _edit_prompt(self) -> None:
        self._window.docks.show("steering")
        self._window.steering.prompt.setFocus()

    def _follow(self) -> None:
        self._window.conversation.follow()
        self._window.heatmap.follow()
