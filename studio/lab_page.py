"""The Lab page: methods at equal coherence and sweeps, drawn as they come; a point opens its answers."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QSpinBox,
    QSplitter,
    QStackedWidget,
    QTableWidget,
    QTableWidgetItem,
    QTextBrowser,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from studio.lab_series import group, icon_of
from studio.lab_work import LabRequest, Place, Result
from studio.measuring import Measuring
from studio.workspace import Workspace

if TYPE_CHECKING:
    from studio.lab_plot import LabPlot

METHODS = {"match": "none,prompt,caa,s-const,s-psr,a-psr", "sweep": "a-psr,s-psr:instant,caa"}
STRENGTHS = "0.5, 1, 1.5, 2"
MOST_IN_SPAN = 1000  # no model has more blocks


class LabPage(QWidget):
    """What to measure above; picture and table, or a point's answers, below."""

    split: QSplitter
    stack: QStackedWidget

    def __init__(self, workspace: Workspace, measuring: Measuring, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "panel")
        self._workspace, self._measuring = workspace, measuring
        self.plot: LabPlot | None = None
        self._filled: list[Result] = []  # what the table shows
        self._build_form()
        self._build_results()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 8)
        layout.setSpacing(8)
        for row in self._rows:
            layout.addLayout(row)
        layout.addWidget(self.progress)
        layout.addWidget(self.note)
        layout.addWidget(self.split, 1)
        self.setFocusProxy(self.methods)
        measuring.changed.connect(self.refresh)
        measuring.grew.connect(self.refresh)
        measuring.opened.connect(self._on_opened)
        measuring.noticed.connect(self.note.setText)
        workspace.promptChanged.connect(self.refresh)
        workspace.modelChanged.connect(self.refresh)
        self._on_kind()

    def set_plot(self, plot: LabPlot) -> None:
        """The picture comes after the first paint."""
        self.plot = plot
        plot.chosen.connect(self._measuring.open)
        self.split.insertWidget(0, plot)
        self.split.setSizes([360, 320])

    def restyle(self) -> None:
        if self.plot is not None:
            self.plot.restyle()

    # Building.

    def _build_form(self) -> None:
        self.kind = QComboBox()
        self.kind.addItem(self.tr("At equal coherence"), "match")
        self.kind.addItem(self.tr("Sweep of strengths"), "sweep")
        self.methods = QLineEdit()
        self.target = QComboBox()
        for percent in (90, 80, 70):
            self.target.addItem(self.tr("coherence {0} %").format(percent), percent / 100)
        self.target.addItem(self.tr("prompting's own"), "prompt")
        self.target.setCurrentIndex(1)
        self.strengths, self.blocks, self.ranks, self.judge = (QLineEdit() for _ in range(4))
        self.strengths.setText(STRENGTHS)
        self.questions, self.seeds = QSpinBox(), QSpinBox()
        self.questions.setRange(2, 400)
        self.questions.setValue(24)
        self.questions.setSuffix(self.tr(" questions"))
        self.seeds.setRange(1, 20)
        self.seeds.setPrefix(self.tr("seeds "))
        self.go = QPushButton()
        self.go.setProperty("role", "primary")
        self.go.clicked.connect(self._on_go)
        self.note = QLabel()
        self.note.setProperty("role", "muted")
        self.note.setWordWrap(True)
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setAccessibleName(self.tr("Progress of the measurement"))
        fields: tuple[tuple[Any, str, str, str], ...] = (
            (self.kind, self.tr("What to measure"), "",
             self.tr("Every method at the same coherence, or every strength as it is")),
            (self.methods, self.tr("Methods"), self.tr("methods, between commas"),
             self.tr("none, prompt, METHOD, METHOD:VARIANT (instant, refine, paper, mse, ll, rank2, block3, "
                     "responses48), METHOD+prompt")),
            (self.target, self.tr("Coherence to match"), "",
             self.tr("Each method's strength is found at which its answers are as coherent as this")),
            (self.strengths, self.tr("Strengths"), self.tr("strengths"), self.tr("Strengths between commas")),
            (self.blocks, self.tr("Blocks"), self.tr("blocks: best"),
             self.tr("For methods of one block: which, as in 1,3 or 0-5; empty for the best one")),
            (self.ranks, self.tr("Ranks"), self.tr("ranks: 1"), self.tr("Ranks, as in 1,2")),
            (self.questions, self.tr("Number of questions"), "",
             self.tr("Strengths are chosen on one half and reported on the other")),
            (self.seeds, self.tr("Seeds"), "", self.tr("Answers to each question")),
            (self.judge, self.tr("Judge"), self.tr("judge: automatic"),
             self.tr("pocket, self, likelihood, rules:FILE.toml, or URL#MODEL of an endpoint; empty: the "
                     "exact rules on Pocket, else the model itself")),
        )  # fmt: skip
        for widget, name, hint, tip in fields:
            widget.setAccessibleName(name)
            widget.setToolTip(tip)
            if hint:
                widget.setPlaceholderText(hint)
        for field in (self.methods, self.strengths, self.blocks, self.ranks, self.judge):
            field.returnPressed.connect(self.run)
        self.kind.currentIndexChanged.connect(self._on_kind)
        first, second = QHBoxLayout(), QHBoxLayout()
        for widget, stretch in ((self.kind, 0), (self.methods, 1), (self.go, 0)):
            first.addWidget(widget, stretch)
        second.addWidget(self.target)
        for widget, stretch in ((self.strengths, 2), (self.blocks, 1), (self.ranks, 1)):
            second.addWidget(widget, stretch)
        for widget in (self.questions, self.seeds):
            second.addWidget(widget)
        second.addWidget(self.judge, 2)
        self._rows = (first, second)
        for row in self._rows:
            row.setSpacing(8)

    def _build_results(self) -> None:
        self.table = QTableWidget(0, 5)
        self.table.setHorizontalHeaderLabels(
            [self.tr("method"), self.tr("strength"), self.tr("trait"), self.tr("coherence"), self.tr("n")]
        )
        self.table.setAccessibleName(self.tr("Results"))
        self.table.setToolTip(self.tr("Enter or double-click shows the answers"))
        self.table.verticalHeader().hide()
        self.table.setShowGrid(False)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setTabKeyNavigation(False)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.table.cellActivated.connect(self._on_row)
        self.back = QToolButton()
        self.back.setText(self.tr("Back to the results"))
        self.back.clicked.connect(lambda: self.stack.setCurrentIndex(0))
        self.title = QLabel()
        self.title.setWordWrap(True)
        self.text = QTextBrowser()
        self.text.setAccessibleName(self.tr("Answers"))
        answers = QWidget()
        column = QVBoxLayout(answers)
        column.setContentsMargins(0, 0, 0, 0)
        top = QHBoxLayout()
        top.addWidget(self.title, 1)
        top.addWidget(self.back)
        column.addLayout(top)
        column.addWidget(self.text, 1)
        self.stack = QStackedWidget()
        self.stack.addWidget(self.table)
        self.stack.addWidget(answers)
        self.split = QSplitter()
        self.split.setChildrenCollapsible(False)
        self.split.addWidget(self.stack)

    # What a person does.

    def request(self) -> LabRequest:
        """What the fields say. Raises ValueError for what are no numbers."""
        judge = self.judge.text().strip() or None
        return LabRequest(
            self.kind.currentData(),
            self._workspace.prompt.strip(),
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
    def run(self) -> None:
        try:
            request = self.request()
        except ValueError:
            self.note.setText(
                self.tr("Strengths, blocks and ranks are numbers between commas, as in 0.5, 1, 2.")
            )
            return
        if not request.prompt:
            self.note.setText(self.tr("Type a steering prompt first: all methods stand for it."))
            return
        self.stack.setCurrentIndex(0)
        self._measuring.run(request)

    @Slot()
    def _on_go(self) -> None:
        if self._measuring.running:
            self._measuring.stop()
        else:
            self.run()

    @Slot()
    def _on_kind(self) -> None:
        kind = self.kind.currentData()
        matching = kind == "match"
        self.target.setVisible(matching)
        for field in (self.strengths, self.blocks, self.ranks):
            field.setVisible(not matching)
        if self.methods.text() in ("", *METHODS.values()):
            self.methods.setText(METHODS[kind])
        self.refresh()

    @Slot(int, int)
    def _on_row(self, row: int, _column: int) -> None:
        item = self.table.item(row, 0)
        if item is not None:
            self._measuring.open(item.data(Qt.ItemDataRole.UserRole))

    # What comes back.

    @Slot(object, object)
    def _on_opened(self, place: Place, spoken: list[Any]) -> None:
        half = {None: "", 0: self.tr(", the half that strengths were chosen on"), 1: ""}[place.half]
        words = self.tr("{0}, strength {1}: {2} answers{3}")
        self.title.setText(words.format(place.words, f"{place.strength:.2f}", len(spoken), half))
        self.text.setHtml("".join(self._spoken(each) for each in spoken))
        self.stack.setCurrentIndex(1)
        self.back.setFocus()

    def _spoken(self, each: Any) -> str:
        """One answer with its scores, as HTML."""
        answer = escape(each.answer).replace("\n", "<br>") or f"<i>{self.tr('nothing')}</i>"
        scores = self.tr("trait {0} · coherence {1}").format(_share(each.trait), _share(each.coherence))
        return f"<p><b>{escape(each.question)}</b><br>{answer}<br><small>{scores}</small></p>"

    @Slot()
    def refresh(self) -> None:
        measuring = self._measuring
        running = measuring.running
        self.go.setText(self.tr("Stop") if running else self.tr("Measure"))
        self.go.setEnabled(running or self._workspace.loading.facts is not None)
        self.progress.setVisible(running)
        step = measuring.progress
        self.progress.setRange(0, step.total if step else 0)
        self.progress.setValue(step.done if step else 0)
        self.note.setText(self._words())
        if measuring.results != self._filled:
            self._filled = list(measuring.results)
            self._fill()

    def _words(self) -> str:
        """What is going on, or what to know to read the table."""
        measuring, step = self._measuring, self._measuring.progress
        if measuring.running:
            if step is None:
                return self.tr("Starting")
            words = self.tr("{0} of {1} {2}").format(step.done, step.total, step.stage)
            return words + (self.tr(", {0} s left").format(f"{step.eta:.0f}") if step.eta else "")
        told = [f"{r.place.words}: {r.note}." for r in measuring.results if r.note]
        told += [self.tr("{0} failed: {1}").format(f.words, f.why) for f in measuring.refused]
        missing = sum(result.missing for result in measuring.results)
        if missing:
            told.append(self.tr("{0} answers have no score and are not in the averages.").format(missing))
        if told:
            return " ".join(told)
        if measuring.results:
            return self.tr("Click a point, or press Enter on a row, to read its answers.")
        prompt = self._workspace.prompt.strip()
        if not prompt:
            return self.tr("Type a steering prompt first: all methods stand for it.")
        return self.tr("How much of “{0}” does each method show when all are equally coherent?").format(
            prompt
        )

    def _fill(self) -> None:
        """Rows in the order of the methods; a number and a colour tell which points are theirs."""
        numbered = [
            (number, result)
            for number, (_, results) in enumerate(group(self._measuring.results))
            for result in results
        ]
        self.table.setRowCount(len(numbered))
        for row, (number, result) in enumerate(numbered):
            dot, place = result.dot, result.place
            between = "" if result.trait_ci is None else "{:.2f} - {:.2f}".format(*result.trait_ci)
            cells = (
                f"{number + 1}  {place.words}" + (f"  #{place.seed}" if place.seed else ""),
                _share(result.strength) + (" *" if result.note else ""),
                _share(dot.trait if dot else None),
                _share(dot.coherence if dot else None),
                str(result.n),
            )
            for column, text in enumerate(cells):
                item = QTableWidgetItem(text)
                if column == 0:
                    item.setIcon(icon_of(number))
                    item.setData(Qt.ItemDataRole.UserRole, place)
                    item.setToolTip(result.note or text)
                else:
                    item.setToolTip(self.tr("95 % interval {0}").format(between) if between else "")
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.table.setItem(row, column, item)


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


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
