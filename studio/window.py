"""The window: puts its parts together and wires them. No model code is imported here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QActionGroup, QCloseEvent, QDragEnterEvent, QDropEvent, QGuiApplication
from PySide6.QtWidgets import QDialog, QMainWindow, QToolBar, QVBoxLayout, QWidget

from studio import actions
from studio.asking import Asking
from studio.autosave import Autosave
from studio.banner import Banner
from studio.composer import Composer
from studio.conversation import Conversation
from studio.docks import Docks
from studio.files import Files
from studio.header import Header
from studio.jobs import OtherModels
from studio.log_panel import LogBook, LogPanel
from studio.look import Look
from studio.mixer import Mixer
from studio.pages import Pages
from studio.recovery import FIRST_PROMPT, FIRST_QUESTION, Recovery
from studio.session import Session
from studio.settings import Preferences
from studio.settings_panel import SettingsPanel
from studio.shelf_work import ShelfWork
from studio.status import Status
from studio.steering import SteeringPanel
from studio.turns import as_markdown
from studio.welcome import Step, Welcome
from studio.worker import Failed
from studio.workspace import Workspace

if TYPE_CHECKING:
    from studio.faithfulness import FaithfulnessPlot
    from studio.heatmap import Heatmap
    from studio.inspector import Inspector


class Window(QMainWindow):
    """The studio. `painted` tells of the first frame; only then library and engine start.

    source: the model to load, None for the one of the last session; home: the folder of library and
    settings, None to keep nothing.
    """

    painted = Signal()
    heatmap: Heatmap
    inspector: Inspector
    faithfulness: FaithfulnessPlot

    def __init__(self, source: str | None = None, home: Path | None = None) -> None:
        super().__init__()
        self.setWindowTitle(self.tr("Steering Studio"))
        self.setAcceptDrops(True)
        self.resize(1280, 800)
        self._source, self._has_painted = source, False
        self._refused: OtherModels | None = None
        self.log = LogBook(self)
        self.preferences = Preferences(home, self)
        self.look = Look(self.preferences, self)
        self.workspace = Workspace(self)
        self.autosave = Autosave(self.workspace, home, self)
        self.session = Session(self.workspace, self.autosave.flush, self)
        self.files = Files(self.workspace, self.session, self.preferences, self)
        self.asking = Asking(self.workspace, self)
        self.shelf_work = ShelfWork(self.workspace, self.session, self.autosave, self.asking, self)
        self.welcome = Welcome(self._steps(), self)
        self.actions_ = actions.build(self, self._handlers(), self.menuBar())
        self.actions_["recent"].setMenu(self.files.recent)
        self.docks = Docks(self, self.preferences, self.actions_)
        self.recovery = Recovery(self.workspace, self.session, self.autosave, self.preferences, self)
        self.workspace.restore(prompt=FIRST_PROMPT, question=FIRST_QUESTION, source=source or "pocket")
        self._build()
        self._wire()
        self.look.apply()
        if not self.docks.restore():
            self.docks.arrange()

    # Building.

    def _build(self) -> None:
        self.banner = Banner()
        self.conversation = Conversation(self.workspace)
        self.pages = Pages()
        self.pages.add("conversation", self.conversation, self.actions_["page_conversation"])
        self.addToolBar(
            Qt.ToolBarArea.TopToolBarArea, Header(self.workspace, self.actions_, self.pages.tabs, self)
        )
        middle = QWidget()
        middle.setProperty("role", "panel")
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.banner)
        column.addWidget(self.pages, 1)
        self.setCentralWidget(middle)
        self.steering = SteeringPanel(self.workspace, self.actions_)
        self.mixer = Mixer(self.workspace, self.actions_)
        self.docks.fill("steering", self.steering)
        self.docks.fill("mixer", self.mixer)
        self.docks.fill("settings", lambda: SettingsPanel(self.preferences))
        self.docks.fill("library", self.shelf_work.make_panel)
        self.docks.fill("log", lambda: LogPanel(self.log))
        self.composer = Composer(self.workspace, self.actions_)
        asking = QToolBar(self.tr("Question"))
        asking.setObjectName("asking")
        asking.setMovable(False)
        asking.toggleViewAction().setEnabled(False)
        asking.addWidget(self.composer)
        self.addToolBar(Qt.ToolBarArea.BottomToolBarArea, asking)
        self.status = Status(self.workspace)
        self.setStatusBar(self.status)
        self.composer.question.setFocus()

    def _wire(self) -> None:
        workspace, session = self.workspace, self.session
        for worker in (session.worker, self.autosave.worker):
            worker.failed.connect(self._on_failed)
        session.noticed.connect(self.status.notice)
        self.shelf_work.noticed.connect(self.status.notice)
        session.headRefused.connect(self._on_refused)
        session.tokensCounted.connect(self.composer.set_count)
        session.answering.asked.connect(self.banner.hide)
        session.answering.talkingChanged.connect(self._on_talking)
        self.autosave.stateChanged.connect(self.status.set_saved)
        self.composer.countWanted.connect(session.count_tokens)
        self.mixer.dropped.connect(session.load_head)
        self.mixer.renameWanted.connect(self.asking.rename_head)
        self.banner.remedied.connect(self._on_remedy)
        self.welcome.ended.connect(lambda: self.preferences.set("welcomed", True))
        self.look.changed.connect(self._on_look)
        self.preferences.changed.connect(self._on_preference)
        workspace.bypassChanged.connect(self.actions_["bypass"].setChecked)
        workspace.compareChanged.connect(self.actions_["compare"].setChecked)
        workspace.truthChanged.connect(self.actions_["truth"].setChecked)
        workspace.modelChanged.connect(self._on_model)
        for signal in (workspace.fitChanged, workspace.turnsChanged, workspace.channelsChanged):
            signal.connect(self._enable)
        workspace.promptChanged.connect(self._enable)
        workspace.stack.indexChanged.connect(self._on_stack)
        schemes = QActionGroup(self)
        for name in ("system", "light", "dark"):
            schemes.addAction(self.actions_[f"scheme_{name}"])
        for key in ("scheme", "live"):
            self._on_preference(key)
        self._on_model()
        self._on_stack()

    def _handlers(self) -> dict[str, Callable[..., object]]:
        session, workspace, look = self.session, self.workspace, self.look
        return {
            "model": self.files.choose_model,
            "model_folder": self.files.choose_folder,
            "model_pocket": lambda: session.open_model("pocket"),
            "recent": self.files.show_recent,
            "cancel_loading": session.cancel_loading,
            "load_head": self.files.choose_head,
            "save_head": self.files.choose_save,
            "quit": self.close,
            "undo": workspace.undo,
            "redo": workspace.redo,
            "palette": self._open_palette,
            "distill": lambda: session.distilling.start(self.steering.request()),
            "cancel_distill": session.distilling.cancel,
            "live": lambda on: self.preferences.set("live", on),
            "bypass": workspace.set_bypass,
            "mute_head": workspace.toggle_chosen,
            "solo_head": workspace.solo_chosen,
            "rename_head": lambda: self.asking.rename_head(workspace.chosen),
            "remove_head": lambda: workspace.remove_head(workspace.chosen),
            "keep_preset": self.asking.keep_preset,
            "edit_prompt": self._edit_prompt,
            "send": self._send,
            "stop": session.answering.stop,
            "again": lambda: session.answering.again(),
            "compare": session.answering.compare,
            "truth": workspace.set_truth,
            "new": lambda: workspace.begin_conversation(),
            "copy_chat": lambda: QGuiApplication.clipboard().setText(as_markdown(workspace.turns)),
            "ask": self.composer_focus,
            "page_conversation": lambda: None,
            **{row.key: lambda: None for row in actions.TABLE if row.key.startswith("panel_")},
            "reset_layout": lambda: self.docks.arrange(),
            "follow": self._follow,
            "zoom_in": lambda: look.zoom(1),
            "zoom_out": lambda: look.zoom(-1),
            "zoom_reset": lambda: look.zoom(0),
            **{
                f"scheme_{name}": lambda _, name=name: self.preferences.set("scheme", name)
                for name in ("system", "light", "dark")
            },
            "welcome": self.welcome.start,
            "about": self.asking.about,
        }

    def _steps(self) -> tuple[Step, ...]:
        return (
            Step(
                lambda: self.composer,
                self.tr("Ask"),
                self.tr(
                    "A question is typed. Press Enter: the answer streams, every token on a shade as strong "
                    "as the coefficient that was applied to it."
                ),
            ),
            Step(
                lambda: self._shown("mixer"),
                self.tr("Move a strength"),
                self.tr(
                    "Each row is a head: a steering prompt, distilled. Move its slider while the model "
                    "speaks; the next token follows. Below zero it pushes the other way."
                ),
            ),
            Step(
                lambda: self._shown("steering"),
                self.tr("Type a prompt of your own"),
                self.tr(
                    "While you pause a quick head of these words is made and follows your typing. "
                    "Distill makes the one to keep."
                ),
            ),
            Step(
                lambda: self._shown("heatmap"),
                self.tr("See what was done"),
                self.tr(
                    "Every column is a token, every row a block. Click one and read its numbers on the "
                    "right. Ctrl+K finds every command."
                ),
            ),
        )

    def _shown(self, key: str) -> QWidget:
        dock = self.docks[key]
        if not dock.isVisible():
            self.docks.show(key)
        return dock

    # Starting and ending.

    def event(self, event: QEvent) -> bool:
        handled = super().event(event)
        if event.type() == QEvent.Type.UpdateRequest and not self._has_painted:
            self._has_painted = True
            self.painted.emit()
            QTimer.singleShot(0, self, self._begin)
        return handled

    @Slot()
    def _begin(self) -> None:
        """After the first frame: engine and library in their threads, and the plots, a large import."""
        self.session.start()
        self.recovery.start(self._source)
        from studio.faithfulness import FaithfulnessPlot
        from studio.heatmap import Heatmap
        from studio.inspector import Inspector

        self.heatmap = Heatmap(self.workspace)
        self.inspector = Inspector(self.workspace)
        self.faithfulness = FaithfulnessPlot(self.workspace)
        for name in ("heatmap", "inspector", "faithfulness"):
            self.docks.fill(name, getattr(self, name))

    def closeEvent(self, event: QCloseEvent) -> None:
        self.docks.keep()
        self.recovery.abandon()
        for dialog in self.findChildren(QDialog):
            dialog.close()  # some have a thread of their own
        self.hide()
        self.session.close()
        self.autosave.close()
        self.preferences.sync()
        self.log.close()
        event.accept()

    def open_when_ready(self, sources: list[str]) -> None:
        """Opens files that came with the start, once a model is there to hold them against."""
        if sources:
            self.session.modelOpened.connect(
                lambda _: self.files.open(sources), Qt.ConnectionType.SingleShotConnection
            )

    @Slot()
    def come_forward(self) -> None:
        """Somebody started the studio again: here it is."""
        self.setWindowState(self.windowState() & ~Qt.WindowState.WindowMinimized)
        self.raise_()
        self.activateWindow()

    def show_crash(self, report: str) -> None:
        """The report of a run before this one that ended in a fault."""
        self._on_failed(
            Failed(
                self.tr("The studio had a fault last time"),
                self.tr("Its report was kept."),
                self.tr("Copy the details into an issue."),
                report,
            )
        )

    def show_fault(self, report: str) -> None:
        """An exception that nobody caught; the work goes on."""
        last = report.strip().splitlines()[-1]
        self._on_failed(
            Failed(
                self.tr("The studio had a fault"),
                last,
                self.tr("Your work is kept. Copy the details into an issue."),
                report,
            )
        )

    # What the parts tell.

    @Slot()
    def _on_model(self) -> None:
        if self.workspace.loading.facts is not None:
            self.composer.recount()
            if self.autosave.keeps and not self.preferences.get("welcomed") and not self.welcome.running:
                self.welcome.start()
        self._enable()

    @Slot(bool)
    def _on_talking(self, talking: bool) -> None:
        self.composer.set_talking(talking)
        self._enable()

    @Slot(object)
    def _on_failed(self, failed: Failed) -> None:
        self._refused = None
        self.banner.show_failure(failed)

    @Slot(object)
    def _on_refused(self, other: OtherModels) -> None:
        """A head of another model of the same shape is taken after a word from the person."""
        self.banner.show_failure(Failed(other.what, other.why, other.remedy, ""))
        self.banner.offer(self.tr("Use it anyway"))
        self._refused = other

    @Slot()
    def _on_remedy(self) -> None:
        if self._refused:
            self.session.take(self._refused.head)
        self._refused = None

    @Slot()
    def _on_stack(self) -> None:
        stack = self.workspace.stack
        for key, able, label, word in (
            ("undo", stack.canUndo(), stack.undoText(), self.tr("&Undo {0}")),
            ("redo", stack.canRedo(), stack.redoText(), self.tr("&Redo {0}")),
        ):
            self.actions_[key].setEnabled(able)
            self.actions_[key].setText(word.format(label).strip())

    @Slot(str)
    def _on_preference(self, key: str) -> None:
        if key == "scheme":
            self.actions_[f"scheme_{self.preferences.get('scheme')}"].setChecked(True)
        elif key == "live":
            self.actions_["live"].setChecked(self.preferences.get("live"))
            self.session.distilling.set_live(self.preferences.get("live"))

    @Slot()
    def _on_look(self) -> None:
        for name in ("heatmap", "faithfulness"):
            if hasattr(self, name):
                getattr(self, name).restyle()

    @Slot()
    def _enable(self) -> None:
        workspace, session = self.workspace, self.session
        ready, fits = workspace.loading.facts is not None, workspace.fit.running and not workspace.fit.live
        chosen = workspace.chosen is not None
        idle = ready and not session.talking
        states = {
            "distill": ready and not fits and bool(workspace.prompt.strip()),
            "cancel_distill": workspace.fit.running,
            "cancel_loading": not ready,
            "load_head": ready,
            **dict.fromkeys(("save_head", "mute_head", "solo_head", "rename_head", "remove_head"), chosen),
            "keep_preset": bool(workspace.channels),
            "again": idle and bool(workspace.turns),
            "new": bool(workspace.turns) and not session.talking,
            "copy_chat": bool(workspace.turns),
            "stop": session.talking,
        }
        for key, on in states.items():
            self.actions_[key].setEnabled(on)

    # What the person does.

    def _send(self) -> None:
        question = self.workspace.question
        if question.strip() and not self.session.talking:
            self.pages.turn("conversation")
            self.conversation.follow()
            self.composer.question.setFocus()
            self.session.answering.send(question)

    def _open_palette(self) -> None:
        from studio.palette_dialog import PaletteDialog

        PaletteDialog(self.actions_, self).open()

    def _edit_prompt(self) -> None:
        self.docks.show("steering")
        self.steering.prompt.setFocus()

    def composer_focus(self) -> None:
        self.composer.question.setFocus()

    def _follow(self) -> None:
        self.conversation.follow()
        self.heatmap.follow()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if self.files.droppable(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        self.files.open(self.files.droppable(event.mimeData()))
        event.acceptProposedAction()
