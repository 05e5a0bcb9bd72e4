"""The steering panel: from a prompt to a head."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QSize, Qt, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QMenu,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from engine.pocket.wordings import EXAMPLES
from studio.jobs import FitRequest, MethodFacts
from studio.plain_edit import PlainEdit
from studio.sparkline import Sparkline
from studio.workspace import Workspace

RECIPES = {  # shown name, what it is
    "instant": ("Instant", "Closed form in one pass"),
    "refine": ("Refine", "Closed form, then gradients; usable meanwhile"),
    "paper": ("Paper", "The published settings, slow"),
}


def _t(text: str) -> str:
    return QCoreApplication.translate("steering", text)


class SteeringPanel(QWidget):
    """Writes the prompt into the workspace; `request()` is what Distill asks for."""

    def __init__(
        self, workspace: Workspace, actions: dict[str, QAction], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setProperty("role", "panel")
        self._workspace = workspace
        self.prompt = PlainEdit()
        self.prompt.setPlaceholderText(self.tr("Steering prompt, for example: Talk like a pirate."))
        self.prompt.setAccessibleName(self.tr("Steering prompt"))
        self.prompt.setFixedHeight(64)
        self.prompt.textChanged.connect(self._on_typed)
        self.examples = QToolButton()
        self.examples.setText(self.tr("Examples"))
        self.examples.setProperty("role", "small")
        self.examples.setProperty("popup", "true")
        self.examples.setAccessibleName(self.tr("Example prompts"))
        self.examples.setToolTip(self.tr("Take a prompt that Pocket knows"))
        self.examples.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self.examples)
        for example in EXAMPLES:  # English: Pocket knows no other language
            menu.addAction(example).triggered.connect(lambda _=False, e=example: self.prompt.setPlainText(e))
        self.examples.setMenu(menu)
        self.method = QComboBox()
        self.method.setAccessibleName(self.tr("Method"))
        self.recipe = QComboBox()
        self.recipe.setAccessibleName(self.tr("Recipe"))
        self.recipe.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.responses = QSpinBox()
        self.responses.setRange(1, 2000)
        self.responses.setSpecialValueText(self.tr("auto"))  # shown for 1, which is too few
        self.responses.setAccessibleName(self.tr("Answers to fit to"))
        self.responses.setToolTip(self.tr("How many answers under the prompt the head is fitted to"))
        self.block = QSpinBox()
        self.block.setRange(-1, 0)
        self.block.setValue(-1)
        self.block.setSpecialValueText(self.tr("best"))
        self.block.setAccessibleName(self.tr("Block"))
        self.block.setToolTip(self.tr("The block that a one-block method steers"))
        self.distill = QPushButton(self.tr("Distill"))
        self.distill.setProperty("role", "primary")
        self.distill.setToolTip(actions["distill"].toolTip())
        self.distill.setAccessibleName(actions["distill"].toolTip())
        self.distill.clicked.connect(actions["distill"].trigger)
        self.cancel = QPushButton(self.tr("Cancel"))
        self.cancel.setToolTip(actions["cancel_distill"].toolTip())
        self.cancel.setAccessibleName(actions["cancel_distill"].text())
        self.cancel.clicked.connect(actions["cancel_distill"].trigger)
        self._buttons = QStackedWidget()
        self._buttons.addWidget(self.distill)
        self._buttons.addWidget(self.cancel)
        self._buttons.setFixedHeight(self.distill.sizeHint().height())
        self.effect = _muted("")
        self.stage = _muted(self.tr("A head takes about a second."))
        self.eta = _muted("")
        self.eta.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setAccessibleName(self.tr("Progress of the distillation"))
        self.curve = Sparkline()
        self.curve.setFixedHeight(40)
        self._method: MethodFacts | None = None
        self._lay_out()
        self.recipe.currentIndexChanged.connect(self._on_recipe)
        self.method.currentIndexChanged.connect(self._on_method)
        workspace.promptChanged.connect(self._on_prompt)
        workspace.fitChanged.connect(self._on_fit)
        workspace.lossAdded.connect(lambda: self.curve.set_values(workspace.fit.losses))
        workspace.modelChanged.connect(self._on_model)
        self._on_prompt()
        self._on_fit()

    def request(self) -> FitRequest:
        """The panel's wishes as plain values."""
        one_block = self._method is not None and self._method.one_block
        return FitRequest(
            self._workspace.prompt.strip(),
            method=self.method.currentData(),
            recipe=self.recipe.currentData(),
            block=self.block.value() if one_block and self.block.value() >= 0 else None,
            responses=self.responses.value() if self.responses.value() > 1 else None,
            seed=self._workspace.settings.seed,
        )

    def sizeHint(self) -> QSize:
        return QSize(304, super().sizeHint().height())

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        self.effect.setWordWrap(True)
        self.effect.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.effect.setMinimumHeight(2 * self.effect.fontMetrics().lineSpacing())
        self.stage.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        head.addWidget(self.effect, 1)
        head.addWidget(self.examples, 0, Qt.AlignmentFlag.AlignTop)
        grid = QGridLayout()
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(4)
        controls: tuple[tuple[str, QWidget], ...] = (
            (self.tr("Method"), self.method),
            (self.tr("Recipe"), self.recipe),
            (self.tr("Answers"), self.responses),
            (self.tr("Block"), self.block),
        )
        for index, (text, control) in enumerate(controls):
            row, column = index // 2, 2 * (index % 2)
            grid.addWidget(_muted(text), row, column)
            grid.addWidget(control, row, column + 1)
            control.setMinimumHeight(24)
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(3, 1)
        status = QHBoxLayout()
        status.addWidget(self.stage, 1)
        status.addWidget(self.eta)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 4, 16, 8)
        layout.setSpacing(8)
        layout.addWidget(self.prompt)
        layout.addLayout(head)
        layout.addLayout(grid)
        layout.addWidget(self._buttons)
        layout.addLayout(status)
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
        self._enable()

    @Slot()
    def _on_method(self) -> None:
        found = [m for m in self._workspace.methods if m.key == self.method.currentData()]
        if not found:
            return
        self._method = found[0]
        self.method.setToolTip(_t(self._method.about))
        self.block.setEnabled(self._method.one_block)
        self.recipe.clear()
        for name in self._method.recipes:
            text, tip = RECIPES[name]
            self.recipe.addItem(_t(text), name)
            self.recipe.setItemData(self.recipe.count() - 1, _t(tip), Qt.ItemDataRole.ToolTipRole)

    @Slot()
    def _on_recipe(self) -> None:
        self.curve.setVisible(self.recipe.currentData() != "instant")  # the closed form has no loss curve

    @Slot()
    def _on_model(self) -> None:
        facts = self._workspace.loading.facts
        if facts:
            if not self.method.count():
                for method in self._workspace.methods:
                    self.method.addItem(method.title, method.key)
                    tip = Qt.ItemDataRole.ToolTipRole
                    self.method.setItemData(self.method.count() - 1, _t(method.about), tip)
            self.block.setMaximum(facts.blocks - 1)
            if not facts.is_pocket:
                self.stage.setText("")
        self._enable()

    @Slot()
    def _on_fit(self) -> None:
        fit = self._workspace.fit
        self._buttons.setCurrentWidget(self.cancel if fit.running else self.distill)
        if fit.effect is not None:
            self.effect.setText(self.tr("Prompt effect: {0}").format(fit.verdict))
            self.effect.setToolTip(self.effect.text())
            self.effect.setProperty("role", "muted" if fit.enough else "danger")
            self.effect.style().polish(self.effect)
        elif fit.running:
            self.effect.setText("")
        if fit.running:
            counted = (
                self.tr("{0}, {1} of {2}").format(fit.stage, fit.done, fit.total) if fit.total else fit.stage
            )
            self.stage.setText(counted)
            self.eta.setText(self.tr("{0:.0f} s left").format(fit.eta) if fit.eta and fit.eta >= 1 else "")
            self.progress.setRange(0, fit.total)  # 0..0 is Qt's "busy"
            self.progress.setValue(fit.done)
            if not fit.losses:
                self.curve.set_values([])
        else:
            self.progress.setRange(0, 1)
            self.progress.setValue(0)
            self.eta.setText("")
            if fit.outcome:
                self.stage.setText(fit.outcome)
        self._enable()

    def _enable(self) -> None:
        ready = self._workspace.loading.facts is not None
        self.distill.setEnabled(
            ready and bool(self._workspace.prompt.strip()) and not self._workspace.fit.running
        )


def _muted(text: str) -> QLabel:
    label = QLabel(text)
    label.setProperty("role", "muted")
    return label
