"""How a head is to be made: method and recipe, and under "More" every option that the method takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt, Signal, Slot
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

from studio.state.requests import FitRequest, MethodFacts
from studio.state.workspace import Workspace
from studio.widgets.number_box import NumberBox
from studio.widgets.tooltips import explained, wrapped
from studio.widgets.translation import QT_TR_NOOP, shown
from studio.widgets.wheel_guard import turn_when_focused

RECIPES = {  # shown name, what it is
    "instant": (QT_TR_NOOP("Instant"), QT_TR_NOOP("Closed-form fit in one pass")),
    "refine": (
        QT_TR_NOOP("Refine"),
        QT_TR_NOOP("Closed-form head at once, refined by gradient descent in the background"),
    ),
    "paper": (QT_TR_NOOP("Paper"), QT_TR_NOOP("The published training settings (slow)")),
}
POSITIONS = (
    (
        "response",
        QT_TR_NOOP("Answer only"),
        QT_TR_NOOP("Steer the answer, starting at the last token before it"),
    ),
    (
        "question_and_response",
        QT_TR_NOOP("Prompt + answer"),
        QT_TR_NOOP("Steer the user's turns too"),
    ),
)
PLACES = (
    (
        "automatic",
        QT_TR_NOOP("Automatic"),
        QT_TR_NOOP("Measure on a few short answers where the prompt has more effect"),
    ),
    ("system", QT_TR_NOOP("System message"), QT_TR_NOOP("The prompt is the system message")),
    (
        "before",
        QT_TR_NOOP("Before the question"),
        QT_TR_NOOP("The prompt stands before the first question, in the same message"),
    ),
)
LARGEST_RANK = 16


class RecipeOptions(QWidget):
    """Shows the workspace's fit options and changes them, each a step that can be taken back."""

    changed = Signal()  # what is shown

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._methods: dict[str, MethodFacts] = {}
        self.method, self.recipe = _choice(self.tr("Method")), _choice(self.tr("Recipe"))
        self.objective, self.positions = _choice(self.tr("Loss")), _choice(self.tr("Steered tokens"))
        self.recipe.setToolTip(self.tr("Instant, refined in the background, or the published settings"))
        self.positions.setToolTip(self.tr("Apply to answer tokens only, or to the user's turns too"))
        self.objective.setToolTip(
            wrapped(
                self.tr(
                    "What training minimizes: the error against the prompted activations (MSE), the negative "
                    "log-likelihood of the prompted answers (LL), or both"
                )
            )
        )
        self.place = _choice(self.tr("Prompt goes"))
        self.place.setToolTip(
            wrapped(self.tr("Where the prompt stands. Small models often ignore a system message."))
        )
        _offer(self.place, [(key, shown(words), shown(about)) for key, words, about in PLACES])
        _offer(self.positions, [(key, shown(words), shown(about)) for key, words, about in POSITIONS])
        self.responses = _number(self.tr("Training answers"), 1, 2000, self.tr("auto"))  # 1 is too few
        self.responses.setToolTip(self.tr("How many prompted answers the head is fitted to"))
        self.block = _number(self.tr("Block"), -1, 0, self.tr("best"))
        self.block.setToolTip(
            explained("block", about=self.tr("The block that a single-block method steers"))
        )
        self.rank = _number(self.tr("Rank"), 0, LARGEST_RANK, self.tr("auto"))
        self.rank.setToolTip(
            wrapped(
                self.tr(
                    "Directions per block, each with its own gate. Auto takes the least of 1, 2 and 4 that "
                    "captures as much of the prompt's effect as the best."
                )
            )
        )
        self.weight = NumberBox()
        self.weight.setRange(0.05, 0.95)
        self.weight.setSingleStep(0.05)
        self.weight.setValue(0.5)
        self.weight.setAccessibleName(self.tr("MSE weight"))
        turn_when_focused(self.weight)
        self.weight.setToolTip(self.tr("Share of the MSE in the MSE+LL loss"))
        self.negatives = _number(self.tr("Contrast answers"), 0, 2000, self.tr("none"))
        self.negatives.setToolTip(self.tr("Unprompted answers that the head is trained to leave unchanged"))
        self.more = QToolButton()
        self.more.setText(self.tr("More"))
        self.more.setCheckable(True)
        self.more.setArrowType(Qt.ArrowType.RightArrow)
        self.more.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.more.setProperty("role", "disclosure")
        self.more.setToolTip(self.tr("All options of this method"))
        self.more.toggled.connect(self._on_more)
        first = _grid(((self.tr("Method"), self.method), (self.tr("Recipe"), self.recipe)), columns=1)
        self._rest = QWidget()
        self._rest.setLayout(
            _grid(
                (
                    (self.tr("Training answers"), self.responses),
                    (self.tr("Block"), self.block),
                    (self.tr("Rank"), self.rank),
                    (self.tr("Loss"), self.objective),
                    (self.tr("Steer"), self.positions),
                    (self.tr("Prompt goes"), self.place),
                    (self.tr("MSE weight"), self.weight),
                    (self.tr("Contrast answers"), self.negatives),
                ),
                columns=1,
            )
        )
        self._rest.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(first)
        layout.addWidget(self.more, 0, Qt.AlignmentFlag.AlignLeft)
        layout.addWidget(self._rest)
        self.method.currentIndexChanged.connect(
            lambda _: self._set(method=self.method.currentData(), recipe=None, objective=None)
        )
        self.recipe.currentIndexChanged.connect(lambda _: self._set(recipe=self.recipe.currentData()))
        self.objective.currentIndexChanged.connect(
            lambda _: self._set(objective=self.objective.currentData())
        )
        self.positions.currentIndexChanged.connect(
            lambda _: self._set(positions=self.positions.currentData())
        )
        self.place.currentIndexChanged.connect(lambda _: self._set(place=self.place.currentData()))
        self.responses.valueChanged.connect(lambda n: self._set("responses", responses=n if n > 1 else None))
        self.block.valueChanged.connect(lambda n: self._set("block", block=n if n >= 0 else None))
        self.rank.valueChanged.connect(lambda n: self._set("rank", rank=n or "automatic"))
        self.weight.valueChanged.connect(lambda share: self._set("weight", weight=share))
        self.negatives.valueChanged.connect(lambda n: self._set("negatives", negatives=n))
        workspace.fitOptionsChanged.connect(self._show)
        self._show()

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
            rank=(self.rank.value() or "automatic") if self.rank.isEnabled() else 1,
            positions=self.positions.currentData(),
            place=self.place.currentData(),
        )

    def set_methods(self, methods: tuple[MethodFacts, ...], blocks: int) -> None:
        """What the engine offers, for a model with so many blocks."""
        self._methods = {method.key: method for method in methods}
        with QSignalBlocker(self.block), QSignalBlocker(self.method):
            self.block.setMaximum(blocks - 1)
            _offer(self.method, [(m.key, m.title, m.about) for m in methods])
        self._show()

    @property
    def trains(self) -> bool:
        """Whether the chosen recipe has a loss to show."""
        return self.recipe.currentData() not in (None, "instant")

    def _facts(self) -> MethodFacts | None:
        return self._methods.get(self.method.currentData())

    def _set(self, merge: str = "", **fields: Any) -> None:
        self._workspace.set_fit_options(replace(self._workspace.fit_options, **fields), merge)

    @Slot()
    def _show(self) -> None:
        """The workspace's choices; where one is left to the engine, or is none here, what that takes."""
        options = self._workspace.fit_options
        choices = (self.method, self.recipe, self.objective, self.positions, self.place)
        numbers = (self.responses, self.block, self.rank, self.weight, self.negatives)
        blockers = [QSignalBlocker(control) for control in (*choices, *numbers)]
        _choose(self.method, options.method)
        facts = self._facts()
        if facts is not None:
            self.method.setToolTip(facts.about)
            self.block.setEnabled(facts.one_block)
            self.rank.setEnabled(facts.ranked)
            named = [(name, *RECIPES[name]) for name in facts.recipes]
            _offer(self.recipe, [(name, shown(words), shown(about)) for name, words, about in named])
            _offer(self.objective, [(name, name.upper(), "") for name in facts.objectives])
            _choose(self.recipe, options.recipe)
            _choose(self.objective, options.objective or facts.objective)
        _choose(self.positions, options.positions)
        _choose(self.place, options.place)
        self.responses.setValue(options.responses or 1)
        self.block.setValue(-1 if options.block is None else options.block)
        self.rank.setValue(0 if options.rank == "automatic" else options.rank)
        self.weight.setValue(options.weight)
        self.negatives.setValue(options.negatives)
        del blockers
        self.objective.setEnabled(self.trains and self.objective.count() > 0)
        self.negatives.setEnabled(self.objective.isEnabled())
        summed = "+" in (self.objective.currentData() or "")
        self.weight.setEnabled(self.objective.isEnabled() and summed)
        self.changed.emit()

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


def _offer(box: QComboBox, rows: Sequence[tuple[str, str, str]]) -> None:
    """rows: the key of each choice, its name, what it is."""
    if [box.itemData(i) for i in range(box.count())] == [key for key, *_ in rows]:
        return
    box.clear()
    for place, (key, words, about) in enumerate(rows):
        box.addItem(words, key)
        box.setItemData(place, about, Qt.ItemDataRole.ToolTipRole)


def _choose(box: QComboBox, key: str | None) -> None:
    """The first one where there is none of that key."""
    box.setCurrentIndex(max(0, box.findData(key)))


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
    for column in range(columns):
        grid.setColumnStretch(2 * column + 1, 1)
    return grid
