"""The mixer: one row per head, a strength each, and a bypass over all."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QAction, QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMenu, QPushButton, QToolButton, QVBoxLayout, QWidget

from studio.panels.mixer_row import MixerRow
from studio.runtime.head_files import HEAD_FILES
from studio.state.mixer import Preset
from studio.state.workspace import Workspace
from studio.widgets.dropped_files import dropped_files
from studio.widgets.label import one_line
from studio.widgets.switch import Switch
from studio.widgets.tab_order import go_through
from studio.widgets.vertical_scroll import VerticalScroll

SETTLED_MS = 50  # until the layout has made room for a new row and its note


class MixerPanel(QWidget):
    """Rows follow the workspace; a head file dropped here is loaded."""

    dropped = Signal(object)  # Path
    renameWanted = Signal(int)  # key of a row
    noticed = Signal(str)
    exampleWanted = Signal(str)  # a steering prompt to distill

    def __init__(
        self, workspace: Workspace, actions: dict[str, QAction], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setProperty("role", "panel")
        self._workspace = workspace
        self._rows: dict[int, MixerRow] = {}
        self.setAcceptDrops(True)
        self.bypass = Switch(self.tr("Bypass"))
        self.bypass.setAccessibleName(actions["bypass"].text().replace("&", ""))
        self.bypass.setToolTip(actions["bypass"].toolTip())
        self.bypass.toggled.connect(workspace.mixer.set_bypass)
        self.presets = QToolButton()
        self.presets.setText(self.tr("Presets"))
        self.presets.setProperty("role", "small")
        self.presets.setProperty("popup", "true")
        self.presets.setAccessibleName(self.tr("Presets"))
        self.presets.setToolTip(self.tr("Presets: apply, save or remove sets of strengths"))
        self.presets.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._preset_menu = QMenu(self.presets)
        self._preset_menu.aboutToShow.connect(self._list_presets)
        self.presets.setMenu(self._preset_menu)
        self._keep_preset = actions["keep_preset"]
        keys = ("mute_head", "solo_head", "rename_head", "save_head", "remove_head")
        self._row_actions = [actions[key] for key in keys]
        load = _button(actions["load_head"], self.tr("Load…"))
        tools = QHBoxLayout()
        tools.setContentsMargins(16, 0, 8, 0)
        tools.setSpacing(4)
        tools.addWidget(self.bypass)
        tools.addStretch(1)
        tools.addWidget(self.presets)
        tools.addWidget(load)
        self._last_tool = load
        self._empty = QLabel(self.tr("Loading the model…"))
        self._empty.setProperty("role", "muted")
        self._empty.setWordWrap(True)
        page = QWidget()
        page.setProperty("role", "panel")
        self._list = QVBoxLayout(page)
        self._list.setContentsMargins(8, 0, 4, 8)
        self._list.setSpacing(4)
        self.example = QPushButton(self.tr("Distill the example"))
        self.example.setToolTip(self.tr("Makes a head of the example prompt"))
        self.example.clicked.connect(self._on_example)
        beginning = QVBoxLayout()
        beginning.setContentsMargins(8, 8, 8, 8)
        beginning.setSpacing(8)
        beginning.addWidget(self._empty)
        beginning.addWidget(self.example, 0, Qt.AlignmentFlag.AlignLeft)
        self._beginning = QWidget()  # in the place of rows, where there are none
        self._beginning.setLayout(beginning)
        self._list.addWidget(self._beginning)
        self._list.addStretch(1)
        self._scroll = VerticalScroll(page)
        self._newest: MixerRow | None = None
        self._settling = QTimer(self)
        self._settling.setSingleShot(True)
        self._settling.setInterval(SETTLED_MS)
        self._settling.timeout.connect(self._show_newest)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(8)
        layout.addLayout(tools)
        layout.addWidget(self._scroll, 1)
        workspace.channelsChanged.connect(self._on_channels)
        workspace.strengthsChanged.connect(self._on_strengths)
        workspace.bypassChanged.connect(self._on_bypass)
        workspace.modelChanged.connect(self._describe_empty)
        workspace.fitChanged.connect(self._describe_empty)
        self._describe_empty()

    def row(self, key: int) -> MixerRow:
        return self._rows[key]

    @Slot()
    def _on_channels(self) -> None:
        channels = self._workspace.channels
        kept = {c.key for c in channels}
        for key in [k for k in self._rows if k not in kept]:
            row = self._rows.pop(key)
            self._list.removeWidget(row)
            row.hide()
            row.deleteLater()
        for place, channel in enumerate(channels):
            row = self._rows.get(channel.key)  # type: ignore[assignment]
            if row is None:
                row = self._rows[channel.key] = MixerRow(self._workspace, channel)
                row.renameWanted.connect(self.renameWanted)
                row.addActions(self._row_actions)
                self._newest = row
                self._settling.start()
            self._list.insertWidget(place + 1, row)
            row.show_channel(channel, channel.key == self._workspace.selected_key)
        go_through(self._last_tool, [self._rows[channel.key] for channel in channels])
        self._beginning.setVisible(not channels)
        self._describe_empty()
        self._on_strengths()

    @Slot()
    def _show_newest(self) -> None:
        if self._newest is not None and self._newest in self._rows.values():
            self._scroll.ensureWidgetVisible(self._newest)

    @Slot()
    def _describe_empty(self) -> None:
        facts = self._workspace.loading.facts
        prompts = facts.examples if facts else ()
        self.example.setVisible(bool(prompts))
        self.example.setEnabled(not self._workspace.fit.running)
        if facts is not None:
            words = self.tr(
                "No heads yet. Write a steering prompt above and press Distill, or drop a head file here."
            )
            if prompts:
                words += "\n\n" + self.tr("An example: “{0}”").format(prompts[0])
            self._empty.setText(words)

    @Slot()
    def _on_example(self) -> None:
        facts = self._workspace.loading.facts
        if facts is not None:
            self.exampleWanted.emit(facts.examples[0])

    @Slot()
    def _on_strengths(self) -> None:
        heard = set() if self._workspace.bypass else {c.key for c in self._workspace.active_rows()}
        for channel in self._workspace.channels:
            if channel.key in self._rows:
                self._rows[channel.key].show_strength(channel, channel.key in heard)

    @Slot(bool)
    def _on_bypass(self, bypass: bool) -> None:
        with QSignalBlocker(self.bypass):
            self.bypass.setChecked(bypass)

    @Slot()
    def _list_presets(self) -> None:
        self._preset_menu.clear()
        for preset in self._workspace.presets:
            self._preset_menu.addAction(_words(preset.name)).triggered.connect(
                lambda _=False, p=preset: self._apply(p)
            )
        if self._workspace.presets:
            removal = self._preset_menu.addMenu(self.tr("Remove"))
            for preset in self._workspace.presets:
                removal.addAction(_words(preset.name)).triggered.connect(
                    lambda _=False, p=preset: self._workspace.mixer.remove_preset(p.name)
                )
            self._preset_menu.addSeparator()
        self._preset_menu.addAction(self._keep_preset)

    def _apply(self, preset: Preset) -> None:
        lacking = self._workspace.mixer.apply_preset(preset)
        if lacking:
            words = self.tr("The preset “{0}” also sets %n head(s) not in the mixer.", "", lacking)
            self.noticed.emit(words.format(one_line(preset.name)))

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if dropped_files(event.mimeData(), HEAD_FILES):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        for path in dropped_files(event.mimeData(), HEAD_FILES):
            self.dropped.emit(path)
        event.acceptProposedAction()


def _words(name: str) -> str:
    """A name as a menu shows it: short, and none of it taken for a shortcut."""
    return one_line(name).replace("&", "&&")


def _button(action: QAction, text: str) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setProperty("role", "small")
    button.setToolTip(action.toolTip())
    button.setAccessibleName(action.text().replace("&", ""))
    button.clicked.connect(action.trigger)
    return button
