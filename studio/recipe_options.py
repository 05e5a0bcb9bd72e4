"""How a head is to be made: method and recipe, and under "More" every option that the method takes."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QGridLayout,
    QLabel,
    QSizePolicy,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from studio.requests import FitRequest, MethodFacts
from studio.translation import QT_TR_NOOP, shown

RECIPES = {  # shown name, what it is
    "instant": (QT_TR_NOOP("Instant"), QT_TR_NOOP("Closed form in one pass")),
    "refine": (QT_TR_NOOP("Refine"), QT_TR_NOOP("Closed form, then gradients; usable meanwhile")),
    "paper": (QT_TR_NOOP("Paper"), QT_TR_NOOP("The published settings, slow")),
}
POSITIONS = (
    (
        "response",
        QT_TR_NOOP("Response"),
        QT_TR_NOOP("Steers the answer only, beginning with the last token of the prompt"),
    ),
    (
        "question_and_response",
        QT_TR_NOOP("Question too"),
        QT_TR_NOOP("Steers also the tokens of the user's questions"),
    ),
)
LARGEST_RANK = 16


class RecipeOptions(QWidget):
    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._methods: dict[str, MethodFacts] = {}
        self.method, self.recipe = _choice(self.tr("Method")), _choice(self.tr("Recipe"))
        self.objective, self.positions = _choice(self.tr("Objective")), _choice(self.tr("Steered tokens"))
        self.objective.setToolTip(self.tr("What training lowers: the distance to the prompt, or the loss"))
        for key, words, about in POSITIONS:
            self.positions.addItem(shown(words), key)
            self.positions.setItemData(self.positions.count() - 1, shown(about), Qt.ItemDataRole.ToolTipRole)
        self.responses = _number(self.tr("Answers to fit to"), 1, 2000, self.tr("auto"))  # 1 is too few
        self.responses.setToolTip(self.tr("How many answers under the prompt the head is fitted to"))
        self.block = _number(self.tr("Block"), -1, 0, self.tr("best"))
        self.block.setToolTip(self.tr("The block that a one-block method steers"))
        self.rank = _number(self.tr("Rank"), 1, LARGEST_RANK)
        self.rank.setToolTip(self.tr("How many directions per block, each with a gate of its own"))
        self.weight = QDoubleSpinBox()
        self.weight.setRange(0.05, 0.95)
        self.weight.setSingleStep(0.05)
        self.weight.setValue(0.5)
        self.weight.setAccessibleName(self.tr("Weight of the distance"))
        self.weight.setToolTip(self.tr("In MSE+LL: how much the distance to the prompt counts"))
        self.negatives = _number(self.tr("Negatives"), 0, 2000, self.tr("none"))
        self.negatives.setToolTip(
            self.tr("Answers without the prompt, which training teaches the head to leave as they are")
        )
        self.more = QToolButton()
        self.more.setText(self.tr("More"))
        self.more.setCheckable(True)
        self.more.setArrowType(Qt.ArrowType.RightArrow)
        self.more.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.more.setProperty("role", "disclosure")
        self.more.setToolTip(self.tr("Every option of the method"))
        self.more.toggled.connect(self._on_more)
        first = _grid(((self.tr("Method"), self.method), (self.tr("Recipe"), self.recipe)), columns=1)
        self._rest = QWidget()
        self._rest.setLayout(
            _grid(
                (
                    (self.tr("Answers"), self.responses),
                    (self.tr("Block"), self.block),
                    (self.tr("Rank"), self.rank),
                    (self.tr("Goal"), self.objective),
                    (self.tr("Tokens"), self.positions),
                    (self.tr("Weight"), self.weight),
                    (self.tr("Negatives"), self.negatives),
                )
            )
        )
        self._rest.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(first)
        layout.addWidget(self.more, 0, Qt.AlignmentFlag.AlignLeft)
        layout.addWidget(self._rest)
        self.method.currentIndexChanged.connect(self._on_method)
        self.recipe.currentIndexChanged.connect(self._on_recipe)
        self.objective.currentIndexChanged.connect(self._on_objective)

    def request(self, prompt: str, seed: int) -> FitRequest:
        """The wishes as plain values; what the method does not take is left to the engine."""
        facts = self._facts()
        taken = facts is not None and facts.one_block and self.block.value() >= 0
        return FitRequest(
            prompt,
            method=self.method.currentData(),
            objective=self.objective.currentData() if self.objective.isEnabled() else None,
            weight=self.weight.value(),
            negatives=self.negatives.value() if self.negatives.isEnabled() else 0,
            recipe=self.recipe.currentData(),
            block=self.block.value() if taken else None,
            responses=self.responses.value() if self.responses.value() > 1 else None,
            seed=seed,
            rank=self.rank.value() if self.rank.isEnabled() else 1,
            positions=self.positions.currentData(),
        )

    def set_methods(self, methods: tuple[MethodFacts, ...], blocks: int) -> None:
        """What the engine offers, for a model with so many blocks."""
        self.block.setMaximum(blocks - 1)
        if methods == tuple(self._methods.values()):
            return
        self._methods = {method.key: method for method in methods}
        chosen = self.method.currentData()
        self.method.clear()
        for method in methods:
            self.method.addItem(method.title, method.key)
            self.method.setItemData(self.method.count() - 1, method.about, Qt.ItemDataRole.ToolTipRole)
        self.method.setCurrentIndex(max(0, self.method.findData(chosen)))

    @property
    def trains(self) -> bool:
        """Whether the chosen recipe has a loss to show."""
        return self.recipe.currentData() not in (None, "instant")

    def _facts(self) -> MethodFacts | None:
        return self._methods.get(self.method.currentData())

    @Slot()
    def _on_method(self) -> None:
        facts = self._facts()
        if facts is None:
            return
        self.method.setToolTip(facts.about)
        self.block.setEnabled(facts.one_block)
        self.rank.setEnabled(facts.ranked)
        self.recipe.clear()
        for name in facts.recipes:
            text, tip = RECIPES[name]
            self.recipe.addItem(shown(text), name)
            self.recipe.setItemData(self.recipe.count() - 1, shown(tip), Qt.ItemDataRole.ToolTipRole)
        self.objective.clear()
        for objective in facts.objectives:
            self.objective.addItem(objective.upper(), objective)
        if facts.objective:
            self.objective.setCurrentIndex(self.objective.findData(facts.objective))
        self._on_recipe()

    @Slot()
    def _on_recipe(self) -> None:
        self.objective.setEnabled(self.trains and self.objective.count() > 0)
        self.negatives.setEnabled(self.objective.isEnabled())
        self._on_objective()
        self.changed.emit()

    @Slot()
    def _on_objective(self) -> None:
        summed = "+" in (self.objective.currentData() or "")
        self.weight.setEnabled(self.objective.isEnabled() and summed)

    @Slot(bool)
    def _on_more(self, on: bool) -> None:
        self.more.setArrowType(Qt.ArrowType.DownArrow if on else Qt.ArrowType.RightArrow)
        self._rest.setVisible(on)


def _choice(name: str) -> QComboBox:
    box = QComboBox()
    box.setAccessibleName(name)
    box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    box.setMinimumContentsLength(3)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    return box


def _number(name: str, least: int, most: int, special: str = "") -> QSpinBox:
    box = QSpinBox()
    box.setRange(least, most)
    box.setValue(least)
    box.setSpecialValueText(special)
    box.setAccessibleName(name)
    return box


def _grid(controls: tuple[tuple[str, QWidget], ...], columns: int = 2) -> QGridLayout:
    grid = QGridLayout()
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setHorizontalSpacing(8)
    grid.setVerticalSpacing(4)
    for index, (text, control) in enumerate(controls):
        row, column = index // columns, 2 * (index % columns)
        label = QLabel(text)
        label.setProperty("role", "muted")
        label.setBuddy(control)
        grid.addWidget(label, row, column)
        grid.addWidget(control, row, column + 1)
    for column in range(columns):
        grid.setColumnStretch(2 * column + 1, 1)
    return grid
