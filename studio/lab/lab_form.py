"""What to measure: the fields of the Lab page."""

from __future__ import annotations

import math
from typing import Any

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import (
    QBoxLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from studio.lab.lab_jobs import LabRequest
from studio.widgets import theme
from studio.widgets.named_combo_box import NamedComboBox
from studio.widgets.tooltips import explained, wrapped
from studio.widgets.wheel_guard import turn_when_focused
from studio.widgets.wrapping_row import WrappingRow

METHODS = {"match": "none,prompt,caa,s-const,s-psr,a-psr", "sweep": "a-psr,s-psr:instant,caa"}
STRENGTHS = "0.5, 1, 1.5, 2"
JUDGES = ("pocket", "self+likelihood", "pocket+likelihood")  # and whatever is typed
LEAST = 5  # lines of text: the width that a choice is cut to where there is no room for its words
GAP = 8  # pixels
MOST_IN_SPAN = 1000  # no model has more blocks


class LabForm(WrappingRow):
    """Two rows of fields; those of a sweep or of a matching, whichever is wanted."""

    pressed = Signal()  # the button, which stops as well
    entered = Signal()  # Enter in a field
    kindChanged = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._build()
        self._on_kind()

    def request(self, prompt: str) -> LabRequest:
        """What the fields say. Raises ValueError for what are no numbers."""
        judge = self.judge.currentText().strip() or None
        return LabRequest(
            self.kind.currentData(),
            prompt,
            self.methods.text(),
            target=self.target.currentData(),
            strengths=tuple(_number(word) for word in _words(self.strengths)),
            blocks=tuple(n for word in _words(self.blocks) for n in _span(word)),
            ranks=tuple(n for word in _words(self.ranks) for n in _span(word)),
            questions=self.questions.value(),
            seeds=self.seeds.value(),
            judge=judge,
        )

    @Slot()
    def _on_kind(self) -> None:
        kind = self.kind.currentData()
        matching = kind == "match"
        self.target.setVisible(matching)
        for field in (self.strengths, self.blocks, self.ranks):
            field.setVisible(not matching)
        if self.methods.text() in ("", *METHODS.values()):
            self.methods.setText(METHODS[kind])
        self.kindChanged.emit()

    def _build(self) -> None:
        self.kind = NamedComboBox(self.tr("Experiment"))
        self.kind.addItem(self.tr("Match coherence"), "match")
        self.kind.addItem(self.tr("Sweep strengths"), "sweep")
        self.methods = QLineEdit()
        self.target = NamedComboBox(self.tr("Coherence to match"))
        for percent in (90, 80, 70):
            self.target.addItem(self.tr("Coherence {0} %").format(percent), percent / 100)
        self.target.addItem(self.tr("Same as prompting"), "prompt")
        self.target.addItem(self.tr("KL ≤ 1 nat"), "kl")
        self.target.setCurrentIndex(1)
        self.strengths, self.blocks, self.ranks = (QLineEdit() for _ in range(3))
        self.judge = NamedComboBox(self.tr("Judge"))
        self.judge.setEditable(True)
        self.judge.addItems(["", *JUDGES])
        line = self.judge.lineEdit()
        assert line is not None
        line.setAccessibleName(self.tr("Judge"))
        self.strengths.setText(STRENGTHS)
        self.questions, self.seeds = QSpinBox(), QSpinBox()
        self.questions.setRange(2, 400)
        self.questions.setValue(24)
        self.questions.setSuffix(self.tr(" questions"))
        self.seeds.setRange(1, 20)
        self.seeds.setPrefix(self.tr("Seeds: "))
        self.go = QPushButton()
        self.go.setProperty("role", "primary")
        self.go.clicked.connect(self.pressed)
        fields: tuple[tuple[Any, str, str, str], ...] = (
            (self.kind, self.tr("Experiment"), "",
             self.tr("Match all methods to one coherence, or sweep given strengths")),
            (self.methods, self.tr("Methods"), self.tr("methods, comma-separated"),
             self.tr("none, prompt, METHOD, METHOD:VARIANT (instant, refine, paper, mse, ll, rank2, block3, "
                     "responses48), METHOD+prompt")),
            (self.target, self.tr("Coherence to match"), "",
             self.tr("Tune each method's strength until its answers reach this coherence (or, without a "
                     "judge, until 95 % of tokens shift by less than 1 nat)")),
            (self.strengths, self.tr("Strengths"), self.tr("strengths"),
             self.tr("Strengths, comma-separated")),
            (self.blocks, self.tr("Blocks"), self.tr("best block"),
             self.tr("Blocks for single-block methods, e.g. 1,3 or 0-5. Empty: the best one.")),
            (self.ranks, self.tr("Ranks"), self.tr("rank 1"), self.tr("Ranks, comma-separated, e.g. 1,2")),
            (self.questions, self.tr("Number of questions"), "",
             self.tr("Strengths are tuned on one half and reported on the other")),
            (self.seeds, self.tr("Seeds"), "", self.tr("Answers per question")),
            (self.judge, self.tr("Judge"), "",
             self.tr("pocket, self, likelihood, rules:FILE.toml, or URL#MODEL for an OpenAI-compatible "
"endpoint. Empty: Pocket's rules for Pocket, the model itself for any other.")),
        )  # fmt: skip
        for widget, name, hint, tip in fields:
            widget.setAccessibleName(name)
            widget.setToolTip(wrapped(tip))
            if hint:
                widget.setPlaceholderText(hint)
        self.target.setToolTip(explained("coherence", "nat", about=self.target.toolTip()))
        self.strengths.setToolTip(explained("strength", about=self.strengths.toolTip()))
        self.blocks.setToolTip(explained("block", about=self.blocks.toolTip()))
        line.setPlaceholderText(self.tr("Judge: automatic"))
        turn_when_focused(self.kind, self.target, self.judge, self.questions, self.seeds)
        for field in (self.methods, self.strengths, self.blocks, self.ranks, line):
            field.returnPressed.connect(self.entered)
        self.kind.currentIndexChanged.connect(self._on_kind)
        self._first, self._what, self._how = QHBoxLayout(), QHBoxLayout(), QHBoxLayout()
        for widget, stretch in ((self.kind, 0), (self.methods, 1), (self.go, 0)):
            self._first.addWidget(widget, stretch)
        self._what.addWidget(self.target)
        for widget, stretch in ((self.strengths, 2), (self.blocks, 1), (self.ranks, 1)):
            self._what.addWidget(widget, stretch)
        for widget in (self.questions, self.seeds):
            self._how.addWidget(widget)
        self._how.addWidget(self.judge, 1)
        self._second = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._second.addLayout(self._what)
        self._second.addLayout(self._how, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GAP)
        for row in (self._first, self._what, self._how, self._second):
            row.setSpacing(GAP)
        layout.addLayout(self._first)
        layout.addLayout(self._second)
        self.begin_folding()

    def least_width(self) -> int:
        return max(row.minimumSize().width() for row in (self._first, self._what, self._how))

    def fold(self) -> None:
        """Where two rows leave no room for the words in them, there are three."""
        for box in (self.kind, self.target, self.judge):
            box.setMinimumWidth(theme.lines(LEAST))
        narrow = self.width() < self._what.sizeHint().width() + self._how.sizeHint().width() + GAP
        way = QBoxLayout.Direction
        self._second.setDirection(way.TopToBottom if narrow else way.LeftToRight)


def _words(field: QLineEdit) -> list[str]:
    return [word.strip() for word in field.text().split(",") if word.strip()]


def _number(word: str) -> float:
    value = float(word)
    if not math.isfinite(value):
        raise ValueError
    return value


def _span(word: str) -> range:
    """3, or 0-5."""
    first, dash, last = word.partition("-")
    found = range(int(first), int(last if dash else first) + 1)
    if len(found) > MOST_IN_SPAN:
        raise ValueError
    return found
