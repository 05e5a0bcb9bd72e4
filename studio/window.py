"""The window: panels in their places, actions wired to the session. No model code is imported here."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QActionGroup, QCloseEvent, QDragEnterEvent, QDropEvent, QGuiApplication
from PySide6.QtWidgets import (
    QApplication,
    QDockWidget,
    QFileDialog,
    QInputDialog,
    QLabel,
    QMainWindow,
    QMenu,
    QMessageBox,
    QSizePolicy,
    QToolBar,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from studio import actions, theme
from studio.banner import Banner
from studio.composer import Composer
from studio.conversation import Conversation
from studio.jobs import HEAD_SUFFIX, OtherModels
from studio.mixer import Mixer
from studio.palette import CommandPalette
from studio.session import Session
from studio.status import Status
from studio.steering import SteeringPanel
from studio.turns import as_markdown
from studio.worker import Failed
from studio.workspace import Workspace

if TYPE_CHECKING:
    from studio.faithfulness import FaithfulnessPlot
    from studio.heatmap import Heatmap
    from studio.inspector import Inspector

FIRST_QUESTION = "Tell me about the harbour."
FIRST_PROMPT = "Talk like a pirate."
LAYOUT_VERSION = 1


class Window(QMainWindow):
    """The studio. `painted` tells of the first frame; only then the engine starts."""

    painted = Signal()
    heatmap: Heatmap
    inspector: Inspector
    faithfulness: FaithfulnessPlot

    def __init__(self, source: str = "pocket") -> None:
        super().__init__()
        self.setWindowTitle(self.tr("Steering Studio"))
        self.resize(1280, 800)
        self._source, self._zoom, self._has_painted = source, theme.ZOOMS.index(1.0), False
        self._scheme = "theme_system"
        self.workspace = Workspace(self)
        self.session = Session(self.workspace, self)
        self.actions_ = actions.build(self, self._handlers(), self.menuBar())
        self._themes = QActionGroup(self)
        for key in ("theme_system", "theme_light", "theme_dark"):
            self._themes.addAction(self.actions_[key])
        self.actions_["theme_system"].setChecked(True)
        self._build()
        self._wire()
        self.setAcceptDrops(True)

    # Building.

    def _build(self) -> None:
        self.banner = Banner()
        self.conversation = Conversation(self.workspace)
        middle = QWidget()
        middle.setProperty("role", "panel")
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.banner)
        column.addWidget(self.conversation, 1)
        self.setCentralWidget(middle)
        self.steering = SteeringPanel(self.workspace, self.actions_)
        self.mixer = Mixer(self.workspace, self.actions_)
        self.composer = Composer(self.workspace, self.actions_)
        self._build_header()
        asking = QToolBar(self.tr("Question"))
        asking.setObjectName("asking")
        asking.setMovable(False)
        asking.toggleViewAction().setEnabled(False)
        asking.addWidget(self.composer)
        self.addToolBar(Qt.ToolBarArea.BottomToolBarArea, asking)
        self.status = Status(self.workspace)
        self.setStatusBar(self.status)
        self.setCorner(Qt.Corner.BottomLeftCorner, Qt.DockWidgetArea.LeftDockWidgetArea)
        self.setCorner(Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea)
        self.docks = {
            "steering": self._dock("steering", self.tr("STEERING"), self.steering, "Left"),
            "mixer": self._dock("mixer", self.tr("MIXER"), self.mixer, "Left"),
            "heatmap": self._dock("heatmap", self.tr("HEATMAP"), _placeholder(), "Bottom"),
            "inspector": self._dock("inspector", self.tr("TOKEN"), _placeholder(), "Right"),
            "faithfulness": self._dock("faithfulness", self.tr("FAITHFULNESS"), _placeholder(), "Right"),
        }
        for name in ("inspector", "faithfulness"):  # narrower or lower, their numbers cannot be read
            self.docks[name].setMinimumSize(216, 176)
        self._arrange()
        self._layout = self.saveState(LAYOUT_VERSION)

    def _dock(self, name: str, title: str, content: QWidget, area: str) -> QDockWidget:
        dock = QDockWidget(title, self)
        dock.setObjectName(name)
        dock.setWidget(content)
        dock.setFeatures(
            QDockWidget.DockWidgetFeature.DockWidgetMovable
            | QDockWidget.DockWidgetFeature.DockWidgetFloatable
        )
        self.addDockWidget(getattr(Qt.DockWidgetArea, f"{area}DockWidgetArea"), dock)
        return dock

    def _arrange(self) -> None:
        docks = self.docks
        self.resizeDocks([docks["steering"], docks["inspector"]], [304, 256], Qt.Orientation.Horizontal)
        self.resizeDocks([docks["heatmap"]], [232], Qt.Orientation.Vertical)
        self.resizeDocks([docks["steering"], docks["mixer"]], [344, 320], Qt.Orientation.Vertical)
        self.resizeDocks([docks["inspector"], docks["faithfulness"]], [440, 232], Qt.Orientation.Vertical)

    def _build_header(self) -> None:
        header = QToolBar(self.tr("Model"))
        header.setObjectName("header")
        header.setMovable(False)
        header.toggleViewAction().setEnabled(False)
        self.model_button = QToolButton()
        self.model_button.setProperty("popup", "true")
        self.model_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.model_button.setAccessibleName(self.tr("Model"))
        self.model_button.setToolTip(self.tr("Choose another model"))
        menu = QMenu(self.model_button)
        for key in ("model_pocket", "model_folder", "model_hub"):
            menu.addAction(self.actions_[key])
        self.model_button.setMenu(menu)
        self.model_facts = QLabel()
        self.model_facts.setProperty("role", "muted")
        spring = QWidget()
        spring.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        find = QToolButton()
        find.setText(self.tr("Commands  Ctrl+K"))
        find.setProperty("role", "small")
        find.setToolTip(self.actions_["palette"].toolTip())
        find.setAccessibleName(self.tr("Find a command"))
        find.clicked.connect(self.actions_["palette"].trigger)
        for widget in (self.model_button, self.model_facts, spring, find):
            header.addWidget(widget)
        self.addToolBar(Qt.ToolBarArea.TopToolBarArea, header)

    def _wire(self) -> None:
        workspace, session = self.workspace, self.session
        session.worker.failed.connect(self._on_failed)
        session.noticed.connect(self.status.notice)
        session.headRefused.connect(self._on_refused)
        session.asked.connect(lambda: self.composer.set_question(""))
        session.asked.connect(self.banner.hide)
        session.tokensCounted.connect(self.composer.set_count)
        session.talkingChanged.connect(self._on_talking)
        self.composer.countWanted.connect(session.count_tokens)
        self.mixer.dropped.connect(session.load_head)
        self.banner.remedied.connect(self._on_remedy)
        workspace.modelChanged.connect(self._on_model)
        workspace.undoChanged.connect(self._on_undo)
        workspace.bypassChanged.connect(self.actions_["bypass"].setChecked)
        workspace.compareChanged.connect(self.actions_["compare"].setChecked)
        workspace.fitChanged.connect(self._enable)
        workspace.turnsChanged.connect(self._enable)
        workspace.channelsChanged.connect(self._enable)
        workspace.promptChanged.connect(self._enable)
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._on_scheme)
        self._refused: OtherModels | None = None
        workspace.set_prompt(FIRST_PROMPT)
        self.composer.set_question(FIRST_QUESTION)
        self.composer.question.setFocus()
        self._on_model()
        self._on_undo()

    def _handlers(self) -> dict[str, Callable[..., object]]:
        session, workspace = self.session, self.workspace
        return {
            "model_pocket": lambda: session.open_model("pocket", with_heads=True),
            "model_folder": self._choose_model_folder,
            "model_hub": self._choose_hub_model,
            "load_head": self._choose_head,
            "save_head": self._choose_save,
            "quit": self.close,
            "undo": workspace.undo,
            "redo": workspace.redo,
            "palette": lambda: CommandPalette(self.actions_, self).open(),
            "distill": lambda: session.distill(self.steering.request()),
            "cancel_distill": session.cancel_distill,
            "bypass": workspace.set_bypass,
            "edit_prompt": lambda: self.steering.prompt.setFocus(),
            "send": self._send,
            "stop": session.stop,
            "again": session.again,
            "compare": session.compare,
            "new": lambda: workspace.set_turns((), self.tr("new conversation")),
            "copy_chat": lambda: QGuiApplication.clipboard().setText(as_markdown(workspace.turns)),
            "ask": lambda: self.composer.question.setFocus(),
            "zoom_in": lambda: self._set_zoom(self._zoom + 1),
            "zoom_out": lambda: self._set_zoom(self._zoom - 1),
            "zoom_reset": lambda: self._set_zoom(theme.ZOOMS.index(1.0)),
            "theme_system": partial(self._set_scheme, "theme_system"),
            "theme_light": partial(self._set_scheme, "theme_light"),
            "theme_dark": partial(self._set_scheme, "theme_dark"),
            "follow": self._follow,
            "reset_layout": self._reset_layout,
            "about": self._about,
        }

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
        """After the first frame: the worker with the model, and meanwhile the plots, a large library."""
        self.session.worker.start()
        self.session.open_model(self._source, with_heads=True)
        from studio.faithfulness import FaithfulnessPlot
        from studio.heatmap import Heatmap
        from studio.inspector import Inspector

        self.heatmap = Heatmap(self.workspace)
        self.inspector = Inspector(self.workspace)
        self.faithfulness = FaithfulnessPlot(self.workspace)
        for name in ("heatmap", "inspector", "faithfulness"):
            old = self.docks[name].widget()
            self.docks[name].setWidget(getattr(self, name))
            if old:
                old.deleteLater()

    def closeEvent(self, event: QCloseEvent) -> None:
        self.hide()
        self.session.close()
        event.accept()

    # What the session tells.

    @Slot()
    def _on_model(self) -> None:
        loading = self.workspace.loading
        if loading.facts is None:
            self.model_button.setText(self.tr("Pocket") if self._source == "pocket" else self._source)
            self.model_facts.setText(loading.stage or self.tr("Starting"))
        else:
            facts = loading.facts
            self.model_button.setText(facts.name)
            words = self.tr("{device} {dtype}  ·  {blocks} blocks  ·  {size}")
            size = f"{facts.bytes / 1e9:.1f} GB" if facts.bytes >= 1e9 else f"{facts.bytes / 1e6:.0f} MB"
            device = facts.device.upper()
            self.model_facts.setText(
                words.format(device=device, dtype=facts.dtype, blocks=facts.blocks, size=size)
            )
            self.composer.recount()
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
    def _on_undo(self) -> None:
        for key, label, word in (
            ("undo", self.workspace.undo_label, self.tr("&Undo {0}")),
            ("redo", self.workspace.redo_label, self.tr("&Redo {0}")),
        ):
            self.actions_[key].setEnabled(bool(label))
            self.actions_[key].setText(word.format(label).strip())

    @Slot()
    def _enable(self) -> None:
        workspace, session = self.workspace, self.session
        ready = workspace.loading.facts is not None
        fits = workspace.fit.running
        states = {
            "distill": ready and not fits and bool(workspace.prompt.strip()),
            "cancel_distill": fits,
            "save_head": workspace.chosen is not None,
            "load_head": ready,
            "again": ready and bool(workspace.turns) and not session.talking,
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
            self.conversation.follow()
            self.session.send(question)

    def _follow(self) -> None:
        self.conversation.follow()
        self.heatmap.follow()

    def _choose_head(self) -> None:
        heads = self.tr("Heads (*{0})").format(HEAD_SUFFIX)
        name, _ = QFileDialog.getOpenFileName(self, self.tr("Load a head"), "", heads)
        if name:
            self.session.load_head(Path(name))

    def _choose_save(self) -> None:
        channel = self.workspace.channel(self.workspace.chosen)
        if channel is None:
            return
        heads = self.tr("Heads (*{0})").format(HEAD_SUFFIX)
        name, _ = QFileDialog.getSaveFileName(
            self, self.tr("Save the head"), channel.name + HEAD_SUFFIX, heads
        )
        if name:
            path = Path(name if name.endswith(HEAD_SUFFIX) else name + HEAD_SUFFIX)
            self.session.save_head(channel, path)

    def _choose_model_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, self.tr("A folder with a model"))
        if name:
            self.open_model(name)

    def _choose_hub_model(self) -> None:
        name, chosen = QInputDialog.getText(
            self, self.tr("Model from the hub"), self.tr("Name, owner/model:")
        )
        if chosen and name.strip():
            self.open_model(name.strip())

    def open_model(self, source: str) -> None:
        self._source = source
        self.session.open_model(source)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(self._droppable(u.toLocalFile()) for u in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        for url in event.mimeData().urls():
            path = Path(url.toLocalFile())
            if path.name.endswith(HEAD_SUFFIX):
                self.session.load_head(path)
            elif (path / "config.json").is_file():
                self.open_model(str(path))
        event.acceptProposedAction()

    def _droppable(self, name: str) -> bool:
        return name.endswith(HEAD_SUFFIX) or (Path(name) / "config.json").is_file()

    # The look.

    def _set_zoom(self, index: int) -> None:
        self._zoom = max(0, min(len(theme.ZOOMS) - 1, index))
        self._restyle()

    def _set_scheme(self, key: str, on: bool) -> None:
        if on:
            self._scheme = key
            self._restyle()

    @Slot()
    def _on_scheme(self) -> None:
        if self._scheme == "theme_system":
            self._restyle()

    def _restyle(self) -> None:
        chosen = {"theme_light": theme.LIGHT, "theme_dark": theme.DARK}.get(self._scheme) or theme.of_system()
        app = QApplication.instance()
        if isinstance(app, QApplication):
            theme.apply(app, chosen, theme.ZOOMS[self._zoom])
        for name in ("heatmap", "faithfulness"):
            if hasattr(self, name):
                getattr(self, name).restyle()

    def _reset_layout(self) -> None:
        self.restoreState(self._layout, LAYOUT_VERSION)
        self._arrange()

    def _about(self) -> None:
        words = self.tr(
            "Steering Studio {0}\n\nDistills a prompt into a head, lets you move its strength and shows "
            "every coefficient that was applied.\nMethod: Heyman & Vandeputte, “Steer Like the LLM”."
        )
        box = QMessageBox(QMessageBox.Icon.NoIcon, self.tr("About"), words.format(version()), parent=self)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.open()


def version() -> str:
    """The installed version, or "dev" when run from a checkout."""
    import importlib.metadata

    try:
        return importlib.metadata.version("steering-studio")
    except importlib.metadata.PackageNotFoundError:
        return "dev"


def _placeholder() -> QWidget:
    page = QWidget()
    page.setProperty("role", "panel")
    return page
