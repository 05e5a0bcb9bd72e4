"""One row of the mixer: a head and everything that can be done with it there."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSignalBlocker, Qt, Signal, Slot
from PySide6.QtGui import QFocusEvent, QFont, QFontMetrics, QMouseEvent, QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from studio.panels.block_range_button import BlockRangeButton
from studio.panels.strength_slider import StrengthSlider
from studio.state.mixer import EXTREME, STRENGTH_LIMIT, MixerChannel
from studio.state.workspace import Workspace
from studio.widgets.label import one_line
from studio.widgets.number_box import NumberBox
from studio.widgets.switch import Switch
from studio.widgets.tooltips import explained, wrapped
from studio.widgets.wheel_guard import turn_when_focused


class MixerRow(QFrame):
    """One head: switch, name, solo, blocks, strength as slider and number, remove."""

    renameWanted = Signal(int)  # key

    def __init__(self, workspace: Workspace, channel: MixerChannel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace, self.key, self._title = workspace, channel.key, channel.name
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        self.switch = Switch()
        self.switch.setToolTip(self.tr("On or off"))
        self.name = QLabel()
        self.name.setTextFormat(Qt.TextFormat.PlainText)
        self.name.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.solo = QToolButton()
        self.solo.setText(self.tr("S"))
        self.solo.setCheckable(True)
        self.solo.setProperty("role", "flat")
        self.solo.setToolTip(self.tr("Solo: use only soloed heads"))
        self.blocks = BlockRangeButton()
        self.blocks.changed.connect(lambda chosen: workspace.mixer.set_blocks(self.key, chosen))
        self.slider = StrengthSlider(channel.head.info.strength_range)
        self.box = NumberBox()
        self.box.setRange(-STRENGTH_LIMIT, STRENGTH_LIMIT)
        self.box.setSingleStep(0.05)
        self.box.setDecimals(2)
        self.box.setKeyboardTracking(False)
        self.box.setButtonSymbols(NumberBox.ButtonSymbols.NoButtons)
        self.box.setAlignment(Qt.AlignmentFlag.AlignRight)
        turn_when_focused(self.slider, self.box)
        self._fit_box()
        self.remove = QToolButton()
        self.remove.setText("×")
        self.remove.setProperty("role", "flat")
        self.remove.setToolTip(self.tr("Remove from the mixer (Undo restores it)"))
        self.note = QLabel()
        self.note.setProperty("role", "danger")
        self.note.setWordWrap(True)
        self.note.setTextFormat(Qt.TextFormat.PlainText)
        self.accept = QToolButton()
        self.accept.setText(self.tr("Use anyway"))
        self.accept.setProperty("role", "small")
        self.accept.setToolTip(self.tr("Same shape as this model, but never tested on it"))
        self.accept.clicked.connect(lambda: workspace.mixer.accept(self.key))
        buttons = QHBoxLayout()
        buttons.setSpacing(0)
        for button in (self.blocks, self.solo, self.remove):
            buttons.addWidget(button)
        grid = QGridLayout(self)
        grid.setContentsMargins(8, 4, 4, 4)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(0)
        grid.addWidget(self.switch, 0, 0)
        grid.addWidget(self.name, 0, 1)
        grid.addLayout(buttons, 0, 2, 1, 2)
        grid.addWidget(self.slider, 1, 0, 1, 3)
        grid.addWidget(self.box, 1, 3)
        grid.addWidget(self.note, 2, 0, 1, 4)
        grid.addWidget(self.accept, 3, 0, 1, 4, Qt.AlignmentFlag.AlignLeft)
        grid.setColumnStretch(1, 1)
        self.switch.toggled.connect(lambda on: workspace.mixer.set_enabled(self.key, on))
        self.solo.toggled.connect(lambda on: workspace.mixer.set_solo(self.key, on))
        self.slider.valueChanged.connect(self._on_slider)
        self.box.valueChanged.connect(self._on_box)
        self.remove.clicked.connect(lambda: workspace.mixer.remove_head(self.key))

    def show_channel(self, channel: MixerChannel, chosen: bool) -> None:
        info = channel.head.info
        self._title = self.tr("Preview: {0}").format(channel.name) if channel.slot.draft else channel.name
        self._elide()
        self._name_controls(channel.name)
        self.name.setProperty("chosen", chosen)
        self.slider.suggest(info.strength_range)
        about = self.tr(
            "Suggested range {0:.2f} to {1:.2f} (marked). Beyond it the output drifts by more than 1 nat per "
            "token. Double-click resets to 1. Click first to use the scroll wheel."
        )
        self.slider.setToolTip(explained("strength", "nat", about=about.format(*info.strength_range)))
        places = {
            "before": self.tr("The prompt stood before the question"),
            "system": self.tr("The prompt stood in the system message"),
        }
        words = self.tr(
            "“{prompt}”\n{place}\nMethod {method}, recipe {recipe}, rank {rank}, "
            "blocks {blocks}\nHead {digest}\nDouble-click to rename"
        ).format(
            prompt=one_line(info.prompt, 300),
            place=places[info.place],
            rank=channel.head.rank,
            method=info.method.upper(),
            recipe=info.recipe.get("name", self.tr("custom"))
            if isinstance(info.recipe, dict)
            else info.recipe,
            blocks=_in_words(sorted(channel.head.blocks)),
            digest=channel.digest,
        )
        self.name.setToolTip(wrapped(words))
        for control in (self.switch, self.solo, self.blocks, self.slider, self.box):
            control.setEnabled(not channel.note)
        self.accept.setVisible(channel.acceptable)

    def show_strength(self, channel: MixerChannel, heard: bool) -> None:
        """heard: whether the row sounds in the mix as it is."""
        controls = (self.switch, self.solo, self.slider, self.box)
        blockers = [QSignalBlocker(control) for control in controls]
        self.switch.setChecked(channel.enabled)
        self.solo.setChecked(channel.solo)
        self.slider.set_strength(channel.strength)
        self.box.setValue(channel.strength)
        del blockers
        self.blocks.show_range(sorted(channel.head.blocks), channel.blocks)
        extreme = abs(channel.strength) > EXTREME
        self.box.setProperty("extreme", extreme)
        self.box.style().polish(self.box)
        limits = self.tr("Strength from {0:g} to {1:g}. Click first to use the scroll wheel.")
        self.box.setToolTip(explained("strength", about=limits.format(-STRENGTH_LIMIT, STRENGTH_LIMIT)))
        self.note.setText(self._warning(channel, extreme))
        self.note.setVisible(bool(self.note.text()))
        self.name.setProperty("silent", not heard)
        self.name.style().polish(self.name)
        self.slider.update()

    def _warning(self, channel: MixerChannel, extreme: bool) -> str:
        if channel.acceptable:
            return self.tr("Off: {0}, a different model of the same shape").format(channel.note)
        if channel.note:
            return self.tr("Not compatible with this model: {0}").format(channel.note)
        if channel.steering_head is None:
            return self.tr("No effect: none of its blocks are in the selected range")
        return self.tr("Beyond {0:g} expect gibberish").format(EXTREME) if extreme else ""

    def _name_controls(self, name: str) -> None:
        for control, words in (
            (self.switch, self.tr("Head {0} on or off")),
            (self.solo, self.tr("Solo {0}")),
            (self.blocks, self.tr("Steered blocks of {0}")),
            (self.slider, self.tr("Strength of {0}")),
            (self.box, self.tr("Strength of {0}, as a number")),
            (self.remove, self.tr("Remove {0}")),
            (self.accept, self.tr("Use {0} anyway")),
        ):
            control.setAccessibleName(words.format(name))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange) and hasattr(self, "box"):
            self._fit_box()

    def _fit_box(self) -> None:
        bold = QFont(self.font())
        bold.setBold(True)  # as an extreme strength is written
        self.box.setFixedWidth(QFontMetrics(bold).horizontalAdvance("-00.00") + 24)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._elide()

    def _elide(self) -> None:
        room = max(40, self.name.width() - 4)
        self.name.setText(self.name.fontMetrics().elidedText(self._title, Qt.TextElideMode.ElideRight, room))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._workspace.select_channel(self.key)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.renameWanted.emit(self.key)

    def focusInEvent(self, event: QFocusEvent) -> None:
        self._workspace.select_channel(self.key)

    @Slot(int)
    def _on_slider(self, _: int) -> None:
        self._workspace.mixer.set_strength(self.key, self.slider.strength())

    @Slot(float)
    def _on_box(self, value: float) -> None:
        self._workspace.mixer.set_strength(self.key, value)


def _in_words(blocks: list[int]) -> str:
    """Blocks in order: "0–29" where none between is missing, else each."""
    whole = len(blocks) > 2 and blocks[-1] - blocks[0] == len(blocks) - 1
    return f"{blocks[0]}–{blocks[-1]}" if whole else ", ".join(map(str, blocks))
