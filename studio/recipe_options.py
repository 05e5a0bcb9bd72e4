"""How a head is to be made: method and recipe, and under "More" every option that the method takes."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QComboBox,
    QGridLayout,
    QLabel,
    QSizePolicy,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from studio.number_box import NumberBox
from studio.requests import FitRequest, MethodFacts
from studio.wheel import turn_when_focused

RECIPES = {  # shown name, what it is
    "instant": ("Instant", "Closed form in one pass"),
    "refine": ("Refine", "Closed form, then gradients; usable meanwhile"),
    "paper": ("Paper", "The published settings, slow"),
}
POSITIONS = (
    ("response", "Response", "Steers the answer only, beginning with the last token of the prompt"),
    ("question_and_response", "Question too", "Steers also the tokens of the user's questions"),
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
            self.positions.addItem(_t(words), key)
            self.positions.setItemData(self.positions.count() - 1, _t(about), Qt.ItemDataRole.ToolTipRole)
        self.responses = _number(self.tr("Answers to fit to"), 1, 2000, self.tr("auto"))  # 1 is too few
        self.responses.setToolTip(self.tr("How many answers under the prompt the head is fitted to"))
        self.block = _number(self.tr("Block"), -1, 0, self.tr("best"))
        self.block.setToolTip(self.tr("The block that a one-block method steers"))
        self.rank = _number(self.tr("Rank"), 1, LARGEST_RANK)
        self.rank.setToolTip(self.tr("How many directions per block, each with a gate of its own"))
        self.weight = NumberBox()
        self.weight.setRange(0.05, 0.95)
        self.weight.setSingleStep(0.05)
        self.weight.setValue(0.5)
        self.weight.setAccessibleName(self.tr("Weight of the distance"))
        turn_when_focused(self.weight)
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
            self.method.setItemData(self.method.count() - 1, _t(method.about), Qt.ItemDataRole.ToolTipRole)
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
        self.method.setToolTip(_t(facts.about))
        self.block.setEnabled(facts.one_block)
        self.rank.setEnabled(facts.ranked)
        self.recipe.clear()
        for name in facts.recipes:
            text, tip = RECIPES[name]
            self.recipe.addItem(_t(text), name)
            self.recipe.setItemData(self.recipe.count() - 1, _t(tip), Qt.ItemDataRole.ToolTipRole)
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
    turn_when_focused(box)
    box.setAccessibleName(name)
    box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    box.setMinimumContentsLength(3)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    return box


def _number(name: str, least: int, most: int, special: str = "") -> QSpinBox:
    box = QSpinBox()
    turn_when_focused(box)
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
        control.setMinimumHeight(24)
    for column in range(columns):
        grid.setColumnStretch(2 * column + 1, 1)
    return grid


def _t(text: str) -> str:
    return QCoreApplication.translate("steering", text)
