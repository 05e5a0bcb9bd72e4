"""The window: puts its parts together and wires them. No model code is imported here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QActionGroup, QCloseEvent, QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QDialog, QMainWindow, QToolBar, QVBoxLayout, QWidget

from studio.app import action_handlers, actions
from studio.app.action_builder import ActionBinding, make_actions
from studio.app.appearance import Appearance
from studio.app.close_guard import CloseGuard
from studio.app.controllers import Controllers
from studio.app.dock_layout import DockLayout
from studio.app.failure_banner import FailureBanner
from studio.app.failure_reporter import FailureReporter
from studio.app.file_opener import FileOpener
from studio.app.first_words import FIRST_PROMPT, FIRST_QUESTION
from studio.app.header import Header
from studio.app.intro_steps import steps
from studio.app.intro_tour import IntroTour
from studio.app.library_actions import LibraryActions
from studio.app.log_buffer import LogBuffer
from studio.app.log_panel import LogPanel
from studio.app.page_tabs import PageTabs
from studio.app.screen_fit import first_size, keep_on_screen
from studio.app.session_restore import SessionRestore
from studio.app.settings_panel import SettingsPanel
from studio.app.status_bar import StatusBar
from studio.app.text_dialogs import TextDialogs
from studio.app.window_parts import WindowParts
from studio.chat.compare_controller import CompareController
from studio.chat.compare_page import ComparePage
from studio.chat.composer import Composer
from studio.chat.conversation_page import ConversationPage
from studio.export.export_controller import ExportController, LabView
from studio.lab.lab_controller import LabController
from studio.lab.lab_page import LabPage
from studio.library.autosave import Autosave
from studio.panels.mixer_panel import MixerPanel
from studio.panels.steering_panel import SteeringPanel
from studio.state.compare_round import CompareRound
from studio.state.conversation import Answer
from studio.state.preferences import Preferences
from studio.state.workspace import Workspace
from studio.widgets.dropped_files import dropped_files

if TYPE_CHECKING:
    from studio.panels.faithfulness_panel import FaithfulnessPanel
    from studio.panels.heatmap_panel import HeatmapPanel
    from studio.panels.token_panel import TokenPanel


FIRST_SIZE = QSize(1280, 800)  # of the window, where the screen has room for it
LEAST_PAGE_HEIGHT = 190  # pixels, in which some lines can be read; with large text the panels need more


class Window(QMainWindow):
    """The studio. `painted` tells of the first frame; only then library and engine start.

    source: the model to load, None for the one of the last session; home: the folder of library and
    settings, None to keep nothing.
    """

    painted = Signal()
    heatmap: HeatmapPanel
    inspector: TokenPanel
    faithfulness: FaithfulnessPanel

    def __init__(self, source: str | None = None, home: Path | None = None) -> None:
        super().__init__()
        self.setWindowTitle(self.tr("Steering Studio"))
        self.setAcceptDrops(True)
        self.resize(first_size(self, FIRST_SIZE))
        self._source, self._has_painted = source, False
        self._closes = False  # closes once the files are written that were promised
        self.log = LogBuffer(self)
        self.preferences = Preferences(home, self)
        self.look = Appearance(self.preferences, self)
        self.look.apply()  # first: a widget that is there already keeps some of the font it was made with
        self.workspace = Workspace(self)
        self.autosave = Autosave(self.workspace, home, self)
        self.controllers = Controllers(self.workspace, self.autosave.flush, self)
        self.files = FileOpener(self.workspace, self.controllers, self.preferences, self)
        self.measuring = LabController(
            self.workspace, self.controllers.host, self.controllers.worker, self.autosave.flush, home, self
        )
        self.comparing = CompareController(
            self.workspace, self.controllers.host, self.controllers.worker, self.autosave.flush, self
        )
        self.exporting = ExportController(
            self.workspace,
            self.controllers.host,
            self.controllers.worker,
            quantity=lambda: self.heatmap.quantity,
            column_of=self.comparing.source,
            lab=lambda: LabView(self.measuring.finished, self.measuring.picture, self.measuring.block),
            window=self,
        )
        self.asking = TextDialogs(self.workspace, self)
        self.shelf_work = LibraryActions(self.workspace, self.controllers, self.autosave, self.asking, self)
        self.actions_ = make_actions(actions.TABLE, self, actions.MENUS, self.menuBar())
        self.actions_["recent"].setMenu(self.files.recent)
        self.leaving = CloseGuard(self.workspace, self.autosave, self.actions_["export_chat"], self)
        self.docks = DockLayout(self, self.preferences)
        self.recovery = SessionRestore(
            self.workspace, self.controllers, self.autosave, self.preferences, self
        )
        self.workspace.restore(prompt=FIRST_PROMPT, question=FIRST_QUESTION, source=source or "pocket")
        self._build()
        self.welcome = IntroTour(steps(self.composer, self.docks), self, lambda: self.docks["heatmap"])
        self._parts = self._used_parts()
        self._binding = ActionBinding(actions.TABLE, self.actions_, self._parts, self)
        self._wire()
        self.docks.fit()
        if not self.docks.restore():
            self.docks.arrange()

    # Building.

    def _build(self) -> None:
        self.banner = FailureBanner()
        self.conversation = ConversationPage(self.workspace, self.controllers.answering)
        self.pages = PageTabs()
        self.pages.add(self.conversation, self.actions_["page_conversation"], asks=self.conversation)
        self.compare_page = ComparePage(
            self.workspace, self.comparing, self.controllers.answering, self.actions_["votes"]
        )
        self.pages.add(self.compare_page, self.actions_["page_compare"], asks=self.compare_page)
        self.lab_page = LabPage(self.workspace, self.measuring)
        self.pages.add(self.lab_page, self.actions_["page_lab"], asks=self.conversation)
        self.header = Header(self.workspace, self.actions_, self.pages.tabs, self)
        self.addToolBar(Qt.ToolBarArea.TopToolBarArea, self.header)
        self.steering = SteeringPanel(self.workspace, self.actions_)
        self.mixer = MixerPanel(self.workspace, self.actions_)
        self.steering.anywayWanted.connect(self._distill_anyway)
        self.docks.fill("steering", self.steering)
        self.docks.fill("mixer", self.mixer)
        middle = QWidget()
        middle.setProperty("role", "panel")
        middle.setMinimumHeight(LEAST_PAGE_HEIGHT)
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.banner)
        column.addWidget(self.pages, 1)
        self.setCentralWidget(middle)
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
        self.status = StatusBar(self.workspace, self.actions_["save_now"])
        self.setStatusBar(self.status)
        self.compare_page.entry = self.composer.question
        self.composer.question.setFocus()

    def _used_parts(self) -> WindowParts:
        return WindowParts(
            window=self,
            actions=self.actions_,
            workspace=self.workspace,
            preferences=self.preferences,
            appearance=self.look,
            autosave=self.autosave,
            controllers=self.controllers,
            comparing=self.comparing,
            measuring=self.measuring,
            exporting=self.exporting,
            files=self.files,
            dialogs=self.asking,
            library=self.shelf_work,
            tour=self.welcome,
            banner=self.banner,
            docks=self.docks,
            pages=self.pages,
            conversation=self.conversation,
            compare_page=self.compare_page,
            lab_page=self.lab_page,
            composer=self.composer,
            steering=self.steering,
        )

    def _wire(self) -> None:
        workspace, controllers = self.workspace, self.controllers
        self.troubles = FailureReporter(
            self.banner, controllers.worker, controllers.opening.fetcher, self.autosave.worker
        )
        controllers.noticed.connect(self.status.notice)
        controllers.worker.failed.connect(self._on_failed)
        controllers.worker.settled.connect(self._on_settled, Qt.ConnectionType.QueuedConnection)
        self.exporting.noticed.connect(self.status.notice)
        self.files.refused.connect(self.banner.show_failure)
        self.comparing.changed.connect(self._on_talking)
        self.comparing.noticed.connect(self.status.notice)
        controllers.opening.leaving.connect(self.comparing.stop)
        self.pages.turned.connect(self._on_page)
        self.comparing.voted.connect(self.autosave.keep_vote)
        self.comparing.unvoted.connect(self.autosave.drop_vote)
        self.comparing.takenBack.connect(self.autosave.drop_round)
        self.conversation.againWanted.connect(controllers.answering.again)
        self.conversation.editWanted.connect(controllers.answering.edit)
        self.conversation.rewriteWanted.connect(controllers.answering.rewrite)
        self.conversation.continueWanted.connect(controllers.answering.continue_answer)
        for changed in (self.conversation.editWanted, self.conversation.rewriteWanted):
            changed.connect(self._on_turn_changed)
        self.shelf_work.noticed.connect(self.status.notice)
        self.shelf_work.comparisonOpened.connect(self._on_comparison)
        workspace.roundChanged.connect(self._on_round)
        controllers.metering.measured.connect(self.composer.show_use)
        controllers.metering.add_page(self.conversation, controllers.answering.requests)
        controllers.metering.add_page(self.compare_page, self.comparing.requests)
        controllers.metering.show(self.pages.asked)
        controllers.answering.talkingChanged.connect(self._on_talking)
        controllers.answering.talkingChanged.connect(self.welcome.on_talking)
        self.autosave.stateChanged.connect(self._on_saved)
        self.mixer.dropped.connect(controllers.load_head)
        self.mixer.noticed.connect(self.status.notice)
        self.mixer.exampleWanted.connect(self._distill_example)
        self.mixer.renameWanted.connect(self.asking.rename_head)
        self.welcome.ended.connect(self._on_welcomed)
        self.look.changing.connect(self.docks.remember)
        self.look.changed.connect(self._on_look)
        self.look.resized.connect(self.docks.fit)
        self.preferences.changed.connect(self._on_preference)
        workspace.modelChanged.connect(self._on_model)
        for signal in (
            workspace.bypassChanged,
            workspace.compareChanged,
            workspace.truthChanged,
            workspace.loadingChanged,
            workspace.fitChanged,
            workspace.turnsChanged,
            workspace.channelsChanged,
            workspace.faithfulnessChanged,
            workspace.promptChanged,
            workspace.stack.indexChanged,
            self.measuring.changed,
            self.welcome.begun,
            self.welcome.ended,
            self.docks.changed,
        ):
            signal.connect(self._refresh_actions)
        schemes = QActionGroup(self)
        for name in ("system", "light", "dark"):
            schemes.addAction(self.actions_[f"scheme_{name}"])
        for key in ("live", "precision", "device", "compiled"):
            self._on_preference(key)
        self._on_model()

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
        keep_on_screen(self)
        self.controllers.start()
        self.recovery.start(self._source)
        self.autosave.read_votes(self.comparing.take_votes)
        from studio.lab.lab_plot import LabPlot
        from studio.panels.faithfulness_panel import FaithfulnessPanel
        from studio.panels.heatmap_panel import HeatmapPanel
        from studio.panels.token_panel import TokenPanel

        self.lab_page.set_plot(LabPlot(self.measuring))
        self.heatmap = self._parts.heatmap = HeatmapPanel(self.workspace)
        self.inspector = TokenPanel(self.workspace)
        self.inspector.forkWanted.connect(self._on_fork)
        self.heatmap.blockPicked.connect(self.inspector.show_block)
        self.faithfulness = FaithfulnessPanel(self.workspace)
        for name in ("heatmap", "inspector", "faithfulness"):
            self.docks.fill(name, getattr(self, name))

    def focusNextPrevChild(self, forward: bool) -> bool:
        """Past the panels that stand behind others: for Qt they are there, out of sight."""
        moved = super().focusNextPrevChild(forward)
        while moved and self.docks.hides(self.focusWidget()):
            moved = super().focusNextPrevChild(forward)
        return moved

    def closeEvent(self, event: QCloseEvent) -> None:
        """What was promised to be written is written first, of a running answer what is there; who closes
        again does not wait for it."""
        if self.controllers.worker.promises and not self._closes:
            self._closes = True
            self.status.notice(self.tr("Closes when the files are saved."))
            self.controllers.answering.stop()
            self.comparing.stop()
            self.controllers.worker.hurry()
            event.ignore()
            return
        if not self.leaving.may_close():
            event.ignore()
            return
        self.docks.keep()
        self.recovery.abandon()
        for dialog in self.findChildren(QDialog):
            dialog.close()  # some have a thread of their own
        self.hide()
        self.controllers.close()
        self.autosave.close(abandon=not self.leaving.kept)
        self.workspace.clear_history()  # while everything is there that hears of it
        self.preferences.sync()
        self.log.close()
        event.accept()

    @Slot(list)
    def open_when_ready(self, sources: list[str]) -> None:
        """Opens files of this start or a later one, once a model is there to hold them against."""
        if self.workspace.loading.facts is not None:
            self.files.open(sources)
        elif sources:
            self.controllers.modelOpened.connect(
                lambda _: self.files.open(sources), Qt.ConnectionType.SingleShotConnection
            )

    @Slot()
    def come_forward(self) -> None:
        """Somebody started the studio again: here it is."""
        self.setWindowState(self.windowState() & ~Qt.WindowState.WindowMinimized)
        self.raise_()
        self.activateWindow()

    # What the parts tell.

    @Slot()
    def _on_settled(self) -> None:
        if self._closes:
            self.close()

    @Slot()
    def _on_failed(self) -> None:
        self._closes = False  # the person is told, and closes again

    @Slot()
    def _distill_anyway(self) -> None:
        self.controllers.distilling.start(replace(self.steering.request(), anyway=True))

    @Slot(str)
    def _distill_example(self, prompt: str) -> None:
        self.workspace.set_prompt(prompt)
        self.actions_["distill"].trigger()

    @Slot()
    def _on_model(self) -> None:
        ready, welcomed = self.workspace.loading.facts is not None, self.preferences.get("welcomed")
        if ready and self.autosave.keeps and not welcomed and not self.welcome.running:
            self.welcome.start()
        self._refresh_actions()

    @Slot(str)
    def _on_saved(self, state: str) -> None:
        if state != "saving":
            self.status.set_saved(self.autosave.trouble)

    @Slot()
    def _on_talking(self) -> None:
        self.composer.set_talking(self.conversation.running or self.compare_page.running)
        self._refresh_actions()

    @Slot()
    def _on_page(self) -> None:
        page = self.pages.asked
        self.composer.name_send(page.send_label, page.send_tip or self.actions_["send"].toolTip())
        self.pages.current.look()
        self.controllers.metering.show(page)
        self._refresh_actions()

    @Slot()
    def _on_round(self) -> None:
        if self.pages.current is self.compare_page:
            self.comparing.look()

    @Slot(object)
    def _on_comparison(self, at: CompareRound) -> None:
        if self.comparing.open(at):
            self.pages.turn(self.compare_page)

    @Slot(object, int, int)
    def _on_fork(self, answer: Answer, token: int, choice: int) -> None:
        if self.controllers.answering.fork(answer, token, choice):
            self.pages.turn(self.conversation)
            self.conversation.follow()

    @Slot()
    def _on_welcomed(self) -> None:
        """One key shows what the tour spoke of."""
        self.preferences.set("welcomed", True)
        self.composer.question.setFocus()

    @Slot()
    def _on_turn_changed(self) -> None:
        """The field that was typed in is gone: the keyboard goes on at the question."""
        self.composer.question.setFocus()

    @Slot()
    def _refresh_actions(self) -> None:
        self._binding.refresh()
        self.conversation.set_able(action_handlers.can_answer(self._parts))

    @Slot(str)
    def _on_preference(self, key: str) -> None:
        self._refresh_actions()
        if key == "live":
            self.controllers.distilling.set_live(self.preferences.get("live"))
        elif key == "precision":
            chosen = self.preferences.get("precision")
            self.controllers.opening.dtype = None if chosen == "auto" else chosen
        elif key == "device":
            chosen = self.preferences.get("device")
            self.controllers.opening.device = None if chosen == "default" else chosen
        elif key == "compiled":
            self.controllers.compiling.want(self.preferences.get("compiled"))

    @Slot()
    def _on_look(self) -> None:
        for name in ("heatmap", "faithfulness"):
            if hasattr(self, name):
                getattr(self, name).restyle()
        self.lab_page.restyle()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if dropped_files(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        self.files.open(map(str, dropped_files(event.mimeData())))
        event.acceptProposedAction()
