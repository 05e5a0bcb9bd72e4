"""The question line with Send, Stop, the context meter and the sampling settings."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QEvent, QSignalBlocker, Qt, Signal, Slot
from PySide6.QtGui import QAction, QKeyEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QSpinBox,
    QStackedWidget,
    QToolButton,
    QWidget,
    QWidgetAction,
)

from studio.chat.context_meter import ContextMeter
from studio.state.requests import ContextForecast
from studio.state.sampling_settings import SEEDS, SamplingSettings
from studio.state.workspace import Workspace
from studio.widgets import theme
from studio.widgets.growing_edit import GrowingEdit
from studio.widgets.number_box import NumberBox
from studio.widgets.plain_edit import PlainEdit
from studio.widgets.stop_button import StopButton
from studio.widgets.switch import Switch
from studio.widgets.wrapping_row import WrappingRow

LEAST = 16  # the width of the question beside the controls, in lines of text
LINES = 4  # the most that the question shows at once


class QuestionEdit(PlainEdit):
    """Enter sends, Shift+Enter breaks the line; grows to four lines."""

    entered = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        GrowingEdit(self, LINES)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        plain = not event.modifiers() & Qt.KeyboardModifier.ShiftModifier
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and plain:
            self.entered.emit()
        else:
            super().keyPressEvent(event)


class Composer(WrappingRow):
    """Writes question and settings into the workspace."""

    def __init__(
        self, workspace: Workspace, actions: dict[str, QAction], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self.question = QuestionEdit()
        self.question.setPlaceholderText(self.tr("Ask something…"))
        self.question.setAccessibleName(self.tr("Question"))
        self.question.entered.connect(actions["send"].trigger)
        self.question.textChanged.connect(self._on_typed)
        self.meter = ContextMeter()
        self.compare = Switch(self.tr("Show unsteered"))
        self.compare.setToolTip(actions["compare"].toolTip())
        self.compare.setAccessibleName(actions["compare"].text().replace("&", ""))
        self.compare.clicked.connect(actions["compare"].trigger)
        actions["compare"].toggled.connect(self.compare.setChecked)
        actions["compare"].enabledChanged.connect(self.compare.setVisible)
        self.sampling = QToolButton()
        self.sampling.setProperty("role", "small")
        self.sampling.setProperty("popup", "true")
        self.sampling.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.sampling.setAccessibleName(self.tr("Sampling settings"))
        self.sampling.setToolTip(
            self.tr("Sampling: temperature, top p, top k, repetition penalty, max new tokens, seed")
        )
        self.sampling.setMenu(self._settings_menu())
        self.send = _button(QPushButton(self.tr("Send")), actions["send"], "primary")
        self._send_tip = self.send.toolTip()
        self.stop = _button(StopButton(self.tr("Stop")), actions["stop"])
        self._buttons = QStackedWidget()  # Send and Stop share one place: nothing moves when a run begins
        self._buttons.addWidget(self.send)
        self._buttons.addWidget(self.stop)
        self._fit_buttons()
        self._controls = QWidget()
        controls = QHBoxLayout(self._controls)
        controls.setContentsMargins(8, 0, 0, 0)
        controls.setSpacing(8)
        controls.addWidget(self.meter)
        controls.addSpacing(8)
        controls.addStretch(1)
        controls.addWidget(self.compare)
        controls.addWidget(self.sampling)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(8)
        self._grid.setColumnStretch(0, 1)
        self._grid.addWidget(self.question, 0, 0)
        self._grid.addWidget(self._controls, 0, 1)
        self._grid.addWidget(self._buttons, 0, 2)
        self.begin_folding()
        workspace.settingsChanged.connect(self._on_settings)
        workspace.questionChanged.connect(self._on_question)
        self._on_settings()
        self._on_question()

    def fold(self) -> None:
        """Where the controls leave no room for a question they stand below it."""
        beside = self._controls.sizeHint().width() + self._buttons.width() + theme.lines(LEAST)
        cell = (0, 1, 1, 1) if self.width() >= beside else (1, 0, 1, 3)  # row, column, how many of both
        if self._grid.getItemPosition(self._grid.indexOf(self._controls)) != cell:
            self._grid.addWidget(self._controls, *cell)

    def least_width(self) -> int:
        return max(self._controls.minimumSizeHint().width(), self._buttons.width() + theme.lines(LEAST))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange) and hasattr(self, "_buttons"):
            self._fit_buttons()

    def _fit_buttons(self) -> None:
        wide = max(theme.lines(6), self.send.sizeHint().width(), self.stop.sizeHint().width())
        self._buttons.setFixedSize(wide, self.send.sizeHint().height())

    def set_question(self, text: str) -> None:
        """Types `text` and leaves the cursor at its end."""
        self._workspace.set_question(text)

    def name_send(self, text: str, tip: str) -> None:
        """What sending does on the page that is shown."""
        self._send_tip = tip
        self.send.setText(text)
        self.send.setToolTip(tip)
        self._fit_buttons()

    def set_talking(self, talking: bool) -> None:
        self._buttons.setCurrentWidget(self.stop if talking else self.send)
        self.send.setEnabled(not talking and bool(self._workspace.question.strip()))

    @Slot(object)
    def show_use(self, use: ContextForecast | None) -> None:
        """What the next answer would take of the context; Send itself says why it would not be sent."""
        self.meter.show_use(use)
        tip = self.meter.toolTip() if use and use.too_long else self._send_tip
        self.send.setToolTip(tip)

    @Slot()
    def _on_typed(self) -> None:
        self._workspace.set_question(self.question.toPlainText())
        self.send.setEnabled(bool(self._workspace.question.strip()))

    @Slot()
    def _on_question(self) -> None:
        self.question.take(self._workspace.question)
        self.send.setEnabled(bool(self._workspace.question.strip()))

    def _settings_menu(self) -> QMenu:
        menu = QMenu(self.sampling)
        page = QWidget()
        form = QFormLayout(page)
        form.setContentsMargins(16, 16, 16, 16)
        form.setSpacing(8)
        self.temperature = NumberBox()
        self.temperature.setRange(0.0, 2.0)
        self.temperature.setSingleStep(0.1)
        self.temperature.setSpecialValueText(self.tr("0 (greedy)"))
        self.top_p = NumberBox()
        self.top_p.setRange(0.05, 1.0)
        self.top_p.setSingleStep(0.05)
        self.penalty = NumberBox()
        self.penalty.setRange(0.5, 2.0)
        self.penalty.setSingleStep(0.05)
        self.penalty.setToolTip(
            self.tr("Above 1, words of the prompt and the answer become less likely; 1 is off")
        )
        self.top_k, self.longest, self.seed = QSpinBox(), QSpinBox(), QSpinBox()
        self.top_k.setRange(0, 1000)
        self.top_k.setSpecialValueText(self.tr("all"))
        self.longest.setRange(1, 32768)
        self.seed.setRange(0, SEEDS - 1)
        for text, control in (
            (self.tr("Temperature"), self.temperature),
            (self.tr("Top p"), self.top_p),
            (self.tr("Top k"), self.top_k),
            (self.tr("Repetition penalty"), self.penalty),
            (self.tr("Max new tokens"), self.longest),
            (self.tr("Seed"), self.seed),
        ):
            control.setAccessibleName(text)
            control.setKeyboardTracking(False)
            control.valueChanged.connect(self._on_seed if control is self.seed else self._on_edited)
            form.addRow(text, control)
        self.keep_seed = QCheckBox(self.tr("Keep seed"))
        self.keep_seed.setToolTip(
            self.tr(
                "On: every answer has this seed. Off: each answer takes the next one (above temperature 0)."
            )
        )
        self.keep_seed.toggled.connect(self._on_edited)
        form.addRow("", self.keep_seed)
        self.recommended = QPushButton(self.tr("Use the model's defaults"))
        self.recommended.clicked.connect(self._on_recommended)
        form.addRow(self.recommended)
        action = QWidgetAction(menu)
        action.setDefaultWidget(page)
        menu.addAction(action)
        return menu

    @Slot()
    def _on_edited(self) -> None:
        before = self._workspace.settings
        chosen = SamplingSettings(
            temperature=self.temperature.value(),
            top_p=self.top_p.value(),
            top_k=self.top_k.value(),
            max_tokens=self.longest.value(),
            seed=self.seed.value(),
            repetition_penalty=self.penalty.value(),
            keep_seed=self.keep_seed.isChecked(),
        )
        edited = before.edited or before != before.with_rules(chosen)
        self._workspace.set_settings(replace(chosen, edited=edited))

    @Slot()
    def _on_seed(self) -> None:
        """Who sets a seed wants that one."""
        with QSignalBlocker(self.keep_seed):
            self.keep_seed.setChecked(True)
        self._on_edited()

    @Slot()
    def _on_recommended(self) -> None:
        facts, settings = self._workspace.loading.facts, self._workspace.settings
        if facts is not None:
            self._workspace.set_settings(replace(settings.with_rules(facts.sampling), edited=False))

    @Slot()
    def _on_settings(self) -> None:
        settings = self._workspace.settings
        real = (
            (self.temperature, settings.temperature),
            (self.top_p, settings.top_p),
            (self.penalty, settings.repetition_penalty),
        )
        whole = (
            (self.top_k, settings.top_k),
            (self.longest, settings.max_tokens),
            (self.seed, settings.seed),
        )
        for control, number in real:
            with QSignalBlocker(control):
                control.setValue(number)
        for box, count in whole:
            with QSignalBlocker(box):
                box.setValue(count)
        with QSignalBlocker(self.keep_seed):
            self.keep_seed.setChecked(settings.keep_seed)
        self.recommended.setEnabled(settings.edited)
        how = self.tr("Greedy") if not settings.temperature else f"T {settings.temperature:g}"
        self.sampling.setText(self.tr("{0} (seed {1})").format(how, settings.seed))


def _button(button: QPushButton, action: QAction, role: str = "") -> QPushButton:
    button.setProperty("role", role)
    button.setToolTip(action.toolTip())
    button.clicked.connect(action.trigger)
    return button
