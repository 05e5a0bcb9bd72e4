"""The steering panel: from a prompt to a head."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QMenu,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from engine.events import duration
from studio.panels.loss_curve import LossCurve
from studio.panels.recipe_options import RecipeOptions
from studio.state.progress import stage_words
from studio.state.requests import FitRequest
from studio.state.workspace import Workspace
from studio.widgets.growing_edit import GrowingEdit
from studio.widgets.label import ElidedLabel
from studio.widgets.plain_edit import PlainEdit
from studio.widgets.stop_button import StopButton
from studio.widgets.tooltips import explained
from studio.widgets.vertical_scroll import VerticalScroll

PROMPT_LINES = 3


class SteeringPanel(VerticalScroll):
    """Writes the prompt into the workspace; `request()` is what Distill asks for."""

    anywayWanted = Signal()  # distill the prompt although it changes next to nothing

    def __init__(
        self, workspace: Workspace, actions: dict[str, QAction], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent=parent)
        self._workspace = workspace
        self.prompt = PlainEdit()
        self.prompt.setPlaceholderText(self.tr("Steering prompt, for example: Talk like a pirate."))
        self.prompt.setAccessibleName(self.tr("Steering prompt"))
        GrowingEdit(self.prompt, PROMPT_LINES, PROMPT_LINES)  # nothing below it moves while one types
        self.prompt.textChanged.connect(self._on_typed)
        self.examples = QToolButton()
        self.examples.setText(self.tr("Examples"))
        self.examples.setProperty("role", "small")
        self.examples.setProperty("popup", "true")
        self.examples.setAccessibleName(self.tr("Example prompts"))
        self.examples.setToolTip(self.tr("Insert an example prompt that this model follows"))
        self.examples.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.examples.setMenu(QMenu(self.examples))
        self.examples.setEnabled(False)
        self.options = RecipeOptions(workspace)
        self.distill = QPushButton(self.tr("Distill"))
        self.distill.setProperty("role", "primary")
        self.distill.setToolTip(actions["distill"].toolTip())
        self.distill.clicked.connect(actions["distill"].trigger)
        self.cancel = StopButton(self.tr("Cancel"))
        self.cancel.setToolTip(actions["cancel_distill"].toolTip())
        self.cancel.setAccessibleName(actions["cancel_distill"].text())
        self.cancel.clicked.connect(actions["cancel_distill"].trigger)
        self._buttons = QStackedWidget()
        self._buttons.addWidget(self.distill)
        self._buttons.addWidget(self.cancel)
        self._buttons.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.effect = _muted("")
        self.stage = ElidedLabel("muted")
        self.anyway = QPushButton(self.tr("Distill anyway"))
        self.anyway.setToolTip(self.tr("Distill this prompt although it barely changes the model"))
        self.anyway.clicked.connect(self.anywayWanted)
        self.weak = QWidget()
        told = _muted(self.tr("The head would be weak. Rephrase the prompt, or distill it anyway."))
        told.setWordWrap(True)
        row = QHBoxLayout(self.weak)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(told, 1)
        row.addWidget(self.anyway, 0, Qt.AlignmentFlag.AlignTop)
        self.eta = _muted("")
        self.eta.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setAccessibleName(self.tr("Distillation progress"))
        self.curve = LossCurve()
        self.curve.setFixedHeight(32)
        self._ran = False  # a distillation, when its state was last shown
        self._lay_out()
        self.options.more.toggled.connect(self._on_more)
        self.options.changed.connect(self._on_options)
        workspace.promptChanged.connect(self._on_prompt)
        workspace.fitChanged.connect(self._on_fit)
        workspace.lossAdded.connect(lambda: self.curve.set_values(workspace.fit.losses))
        workspace.modelChanged.connect(self._on_model)
        self._on_prompt()
        self._on_fit()

    def request(self) -> FitRequest:
        """The panel's wishes as plain values."""
        return self.options.request(self._workspace.prompt.strip(), self._workspace.settings.seed)

    def sizeHint(self) -> QSize:
        return QSize(304, 344)

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        self.effect.setWordWrap(True)
        self.effect.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.effect.setMinimumHeight(2 * self.effect.fontMetrics().lineSpacing())
        head.addWidget(self.effect, 1)
        head.addWidget(self.examples, 0, Qt.AlignmentFlag.AlignTop)
        status = QHBoxLayout()
        status.addWidget(self.stage, 1)
        status.addWidget(self.eta)
        page = QWidget()
        page.setProperty("role", "panel")
        self.setWidget(page)
        layout = QVBoxLayout(page)
        layout.setContentsMargins(16, 4, 16, 8)
        layout.setSpacing(8)
        layout.addWidget(self.prompt)
        layout.addLayout(head)
        layout.addWidget(self.options)
        layout.addWidget(self._buttons)
        layout.addLayout(status)
        layout.addWidget(self.weak)
        layout.addWidget(self.progress)
        layout.addWidget(self.curve)
        layout.addStretch(1)

    @Slot()
    def _on_typed(self) -> None:
        self._workspace.set_prompt(self.prompt.toPlainText())
        self._enable()

    @Slot()
    def _on_prompt(self) -> None:
        self.prompt.take(self._workspace.prompt)
        self._on_fit()

    @Slot()
    def _on_options(self) -> None:
        self.curve.setVisible(self.options.trains)  # the closed form has no loss curve

    @Slot()
    def _on_more(self) -> None:
        """What all the options are for stays in sight."""
        QTimer.singleShot(0, self, lambda: self.ensureWidgetVisible(self._buttons, 0, 8))

    @Slot()
    def _on_model(self) -> None:
        facts = self._workspace.loading.facts
        if facts:
            self.options.set_methods(self._workspace.methods, facts.blocks)
            self._list_examples(facts.examples)
            self.stage.setText(self.tr("Takes about a second on this model.") if facts.is_pocket else "")
        self._enable()

    def _list_examples(self, prompts: tuple[str, ...]) -> None:
        menu = self.examples.menu()
        menu.clear()
        for prompt in prompts:  # English, which these models know best
            menu.addAction(prompt).triggered.connect(lambda _=False, p=prompt: self.prompt.setPlainText(p))
        self.examples.setEnabled(bool(prompts))

    @Slot()
    def _on_fit(self) -> None:
        fit = self._workspace.fit
        self._buttons.setCurrentWidget(self.cancel if fit.running and not fit.live else self.distill)
        if fit.effect is not None and fit.prompt == self._workspace.prompt.strip():
            self.effect.setText(self.tr("Prompt effect: {0}").format(fit.verdict.replace("/", "/\u2060")))
            self.effect.setToolTip(
                explained(
                    "nat",
                    about=self.tr(
                        "How much the prompt shifts the next-token distribution. Whether it does what you "
                        "meant, only an answer shows."
                    )
                    + (f" {fit.place}" if fit.place else ""),
                )
            )
            self.effect.setProperty("role", "muted" if fit.enough else "danger")
            self.effect.style().polish(self.effect)
        else:  # not known of the words that stand there
            self.effect.setText("")
            self.effect.setToolTip("")
        current = fit.prompt == self._workspace.prompt.strip()
        self.weak.setVisible(fit.weak and not fit.running and current)
        if fit.running:
            self.stage.setText(stage_words(fit.stage, fit.done, fit.total))
            left = self.tr("{0} left")
            self.eta.setText(left.format(duration(fit.eta)) if fit.eta and fit.eta >= 1 else "")
            self.progress.setRange(0, fit.total)  # 0..0 is Qt's "busy"
            self.progress.setValue(fit.done)
            if not fit.losses:
                self.curve.set_values([])
        else:
            self.progress.setRange(0, 1)
            self.progress.setValue(0)
            self.eta.setText("")
            if self._ran or fit.outcome:  # of other words than those that stand there it would say nothing
                self.stage.setText(fit.outcome if fit.prompt == self._workspace.prompt.strip() else "")
        self._ran = fit.running
        self._enable()

    def _enable(self) -> None:
        ready = self._workspace.loading.facts is not None
        self.distill.setEnabled(
            ready
            and bool(self._workspace.prompt.strip())
            and (self._workspace.fit.live or not self._workspace.fit.running)
        )


def _muted(text: str) -> QLabel:
    label = QLabel(text)
    label.setProperty("role", "muted")
    return label
