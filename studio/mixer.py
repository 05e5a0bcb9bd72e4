"""The mixer: one row per head, a strength each, and a bypass over all."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSignalBlocker, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QAction, QDragEnterEvent, QDropEvent, QMouseEvent, QResizeEvent
from PySide6.QtWidgets import (
    QDoubleSpinBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from studio.jobs import HEAD_SUFFIX
from studio.strength_slider import StrengthSlider
from studio.switch import Switch
from studio.workspace import STRENGTH_LIMIT, Channel, Workspace


class Mixer(QWidget):
    """Rows follow the workspace; a head file dropped here is loaded."""

    dropped = Signal(object)  # Path

    def __init__(
        self, workspace: Workspace, actions: dict[str, QAction], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setProperty("role", "panel")
        self._workspace = workspace
        self._rows: dict[int, Row] = {}
        self.setAcceptDrops(True)
        self.bypass = Switch(self.tr("Bypass all"))
        self.bypass.setAccessibleName(actions["bypass"].text().replace("&", ""))
        self.bypass.setToolTip(actions["bypass"].toolTip())
        self.bypass.toggled.connect(workspace.set_bypass)
        load = _button(actions["load_head"], self.tr("Load…"))
        save = _button(actions["save_head"], self.tr("Save…"))
        tools = QHBoxLayout()
        tools.setContentsMargins(16, 0, 16, 0)
        tools.setSpacing(8)
        tools.addWidget(self.bypass)
        tools.addStretch(1)
        tools.addWidget(load)
        tools.addWidget(save)
        self._empty = QLabel(self.tr("The ready heads are being loaded…"))
        self._empty.setProperty("role", "muted")
        self._empty.setWordWrap(True)
        page = QWidget()
        page.setProperty("role", "panel")
        self._list = QVBoxLayout(page)
        self._list.setContentsMargins(8, 0, 4, 8)
        self._list.setSpacing(4)
        self._empty.setContentsMargins(8, 8, 8, 8)
        self._list.addWidget(self._empty)
        self._list.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(page)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._scroll = scroll
        self._newest: Row | None = None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(8)
        layout.addLayout(tools)
        layout.addWidget(scroll, 1)
        workspace.channelsChanged.connect(self._on_channels)
        workspace.strengthsChanged.connect(self._on_strengths)
        workspace.bypassChanged.connect(self._on_bypass)
        workspace.modelChanged.connect(self._describe_empty)

    def row(self, key: int) -> Row:
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
                row = self._rows[channel.key] = Row(self._workspace, channel)
                self._newest = row
                QTimer.singleShot(0, self, self._show_newest)  # once the layout has made room for it
            self._list.insertWidget(place + 1, row)
            row.show_channel(channel, channel.key == self._workspace.chosen)
        self._empty.setVisible(not channels)
        self._describe_empty()
        self._on_strengths()

    @Slot()
    def _show_newest(self) -> None:
        if self._newest is not None and self._newest in self._rows.values():
            self._scroll.ensureWidgetVisible(self._newest)

    @Slot()
    def _describe_empty(self) -> None:
        if self._workspace.loading.facts is not None:
            self._empty.setText(
                self.tr(
                    "No head yet. Write a steering prompt above and press Distill, or drop a head file here."
                )
            )

    @Slot()
    def _on_strengths(self) -> None:
        for channel in self._workspace.channels:
            if channel.key in self._rows:
                self._rows[channel.key].show_strength(channel, self._workspace.bypass)

    @Slot(bool)
    def _on_bypass(self, bypass: bool) -> None:
        with QSignalBlocker(self.bypass):
            self.bypass.setChecked(bypass)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if _heads(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        for path in _heads(event):
            self.dropped.emit(path)
        event.acceptProposedAction()


class Row(QFrame):
    """One head: switch, name, strength as slider and number, remove."""

    def __init__(self, workspace: Workspace, channel: Channel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace, self.key, self._title = workspace, channel.key, channel.name
        name = channel.name
        self.switch = Switch()
        self.switch.setAccessibleName(self.tr("Head {0} on or off").format(name))
        self.switch.setToolTip(self.tr("On or off"))
        self.name = QLabel()
        self.name.setTextFormat(Qt.TextFormat.PlainText)
        self.name.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        low, high = channel.head.info.strength_range
        self.slider = StrengthSlider((low, high))
        self.slider.setAccessibleName(self.tr("Strength of {0}").format(name))
        self.slider.setToolTip(
            self.tr("Strength. Suggested {0:.2f} to {1:.2f} (marked). Double click: back to 1.").format(
                low, high
            )
        )
        self.box = QDoubleSpinBox()
        self.box.setRange(-STRENGTH_LIMIT, STRENGTH_LIMIT)
        self.box.setSingleStep(0.05)
        self.box.setDecimals(2)
        self.box.setKeyboardTracking(False)
        self.box.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
        self.box.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.box.setFixedWidth(self.box.fontMetrics().horizontalAdvance("-0.00") + 24)
        self.box.setAccessibleName(self.tr("Strength of {0}, as a number").format(name))
        self.box.setToolTip(self.tr("Strength from −3 to 3"))
        self.remove = QToolButton()
        self.remove.setText("×")
        self.remove.setProperty("role", "flat")
        self.remove.setAccessibleName(self.tr("Remove {0}").format(name))
        self.remove.setToolTip(self.tr("Remove from the mixer (Undo brings it back)"))
        self.note = QLabel()
        self.note.setProperty("role", "danger")
        self.note.setWordWrap(True)
        self.note.setTextFormat(Qt.TextFormat.PlainText)
        grid = QGridLayout(self)
        grid.setContentsMargins(8, 4, 4, 4)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(0)
        grid.addWidget(self.switch, 0, 0)
        grid.addWidget(self.name, 0, 1)
        grid.addWidget(self.remove, 0, 2, Qt.AlignmentFlag.AlignRight)
        grid.addWidget(self.slider, 1, 0, 1, 2)
        grid.addWidget(self.box, 1, 2)
        grid.addWidget(self.note, 2, 0, 1, 3)
        grid.setColumnStretch(1, 1)
        self.switch.toggled.connect(lambda on: workspace.set_enabled(self.key, on))
        self.slider.valueChanged.connect(self._on_slider)
        self.box.valueChanged.connect(self._on_box)
        self.remove.clicked.connect(lambda: workspace.remove_head(self.key))

    def show_channel(self, channel: Channel, chosen: bool) -> None:
        info = channel.head.info
        self._title = channel.name
        self._elide()
        self.name.setProperty("chosen", chosen)
        self.name.setToolTip(
            self.tr("“{prompt}”\n{method}, {recipe}, blocks {blocks}\nhead {digest}").format(
                prompt=info.prompt,
                method=info.method.upper(),
                recipe=info.recipe.get("name", self.tr("own recipe"))
                if isinstance(info.recipe, dict)
                else info.recipe,
                blocks=", ".join(str(b) for b in sorted(channel.head.blocks)),
                digest=channel.digest,
            )
        )
        self.note.setText(self.tr("Cannot be used: {0}").format(channel.note) if channel.note else "")
        self.note.setVisible(bool(channel.note))
        for control in (self.switch, self.slider, self.box):
            control.setEnabled(not channel.note)

    def show_strength(self, channel: Channel, bypass: bool) -> None:
        with QSignalBlocker(self.switch), QSignalBlocker(self.slider), QSignalBlocker(self.box):
            self.switch.setChecked(channel.enabled)
            self.slider.set_strength(channel.strength)
            self.box.setValue(channel.strength)
        silent = bypass or not channel.enabled
        self.name.setProperty("silent", silent)
        self.name.style().polish(self.name)
        self.slider.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._elide()

    def _elide(self) -> None:
        room = max(40, self.name.width() - 4)
        self.name.setText(self.name.fontMetrics().elidedText(self._title, Qt.TextElideMode.ElideRight, room))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._workspace.choose(self.key)

    @Slot(int)
    def _on_slider(self, _: int) -> None:
        self._workspace.set_strength(self.key, self.slider.strength())

    @Slot(float)
    def _on_box(self, value: float) -> None:
        self._workspace.set_strength(self.key, value)


def _heads(event: QDropEvent) -> list[Path]:
    urls = event.mimeData().urls()
    return [Path(u.toLocalFile()) for u in urls if u.toLocalFile().endswith(HEAD_SUFFIX)]


def _button(action: QAction, text: str) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setProperty("role", "small")
    button.setToolTip(action.toolTip())
    button.setAccessibleName(action.text().replace("&", ""))
    button.clicked.connect(action.trigger)
    return button
