"""The Lab page: methods at equal coherence and sweeps, drawn as they come; a point opens its answers."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QProgressBar,
    QSplitter,
    QStackedWidget,
    QTableWidget,
    QTableWidgetItem,
    QTextBrowser,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from engine.events import duration
from studio.lab.charts import OF_KIND
from studio.lab.lab_controller import LabController
from studio.lab.lab_form import LabForm
from studio.lab.lab_jobs import Finished, LabResult, ResultPlace
from studio.lab.method_colors import group, icon_of
from studio.state.progress import stage_words
from studio.state.workspace import Workspace
from studio.widgets import theme
from studio.widgets.label import one_line
from studio.widgets.named_combo_box import NamedComboBox
from studio.widgets.tooltips import Term, explained

if TYPE_CHECKING:
    from studio.lab.lab_plot import LabPlot

NARROW = 36  # lines of text
# What the table's columns are explained by.
COLUMN_TERMS: tuple[tuple[Term, ...], ...] = ((), ("strength",), ("trait",), ("coherence",), ())


class LabPage(QWidget):
    """What to measure above; picture and table, or a point's answers, below."""

    split: QSplitter
    stack: QStackedWidget

    def __init__(self, workspace: Workspace, measuring: LabController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "panel")
        self._workspace, self._measuring = workspace, measuring
        self.plot: LabPlot | None = None
        self._filled: list[LabResult] = []  # what the table shows
        self.form = LabForm()
        self.entry = self.form.methods
        self.note = QLabel()
        self.note.setProperty("role", "muted")
        self.note.setWordWrap(True)
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setAccessibleName(self.tr("Lab progress"))
        self._build_results()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 8)
        layout.setSpacing(8)
        layout.addWidget(self.form)
        layout.addWidget(self.progress)
        layout.addWidget(self.note)
        layout.addWidget(self.split, 1)
        self.form.pressed.connect(self._on_go)
        self.form.entered.connect(self.run)
        self.form.kindChanged.connect(self.refresh)
        measuring.changed.connect(self.refresh)
        measuring.grew.connect(self.refresh)
        measuring.opened.connect(self._on_opened)
        measuring.noticed.connect(self.note.setText)
        workspace.promptChanged.connect(self.refresh)
        workspace.modelChanged.connect(self.refresh)
        self.refresh()

    def set_plot(self, plot: LabPlot) -> None:
        """The picture comes after the first paint."""
        self.plot = plot
        plot.chosen.connect(self._measuring.open)
        plot.captioned.connect(self.caption.setText)
        self._drawn.addWidget(plot, 1)
        plot.refresh()
        self.split.setSizes([310, 370])

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The table goes below the picture where it would be cut beside it."""
        super().resizeEvent(event)
        narrow = self.width() < theme.lines(NARROW)
        self.split.setOrientation(Qt.Orientation.Vertical if narrow else Qt.Orientation.Horizontal)

    @property
    def running(self) -> bool:
        return self._measuring.running

    def stop(self) -> None:
        self._measuring.stop()

    def look(self) -> None:
        """Nothing: it shows its results whether it is seen or not."""

    def restyle(self) -> None:
        if self.plot is not None:
            self.plot.restyle()

    # Building.

    def _build_results(self) -> None:
        self.picture = NamedComboBox(self.tr("Chart"))
        self.picture.setToolTip(self.tr("Chart to show. File > Export the Lab's results saves it."))
        self.picture.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.picture.currentIndexChanged.connect(self._on_picture)
        self.block = NamedComboBox(self.tr("Block"))
        self.block.setToolTip(self.tr("Block to show"))
        self.block.currentIndexChanged.connect(self._on_picture)
        self.caption = QLabel()
        self.caption.setProperty("role", "muted")
        self.caption.setWordWrap(True)
        drawn = QWidget()
        self._drawn = QVBoxLayout(drawn)
        self._drawn.setContentsMargins(0, 0, 0, 0)
        self._drawn.setSpacing(4)
        chosen = QHBoxLayout()
        chosen.addWidget(self.picture, 1)
        chosen.addWidget(self.block)
        self._drawn.addLayout(chosen)
        self._drawn.addWidget(self.caption)
        self.table = QTableWidget(0, 5)
        self.table.setHorizontalHeaderLabels(
            [self.tr("Method"), self.tr("Strength"), self.tr("Trait"), self.tr("Coherence"), self.tr("n")]
        )
        for place, terms in enumerate(COLUMN_TERMS):
            title = self.table.horizontalHeaderItem(place)
            if title is not None and terms:
                title.setToolTip(explained(*terms))
        count = self.table.horizontalHeaderItem(len(COLUMN_TERMS) - 1)
        if count is not None:
            count.setToolTip(self.tr("Number of answers judged"))
        self.table.setAccessibleName(self.tr("Results"))
        self.table.setToolTip(self.tr("Press Enter or double-click a row to read the answers"))
        self.table.verticalHeader().hide()
        self.table.setShowGrid(False)
        self.table.setWordWrap(False)  # a hyphen in a method's name is no place to break it
        self.table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setTabKeyNavigation(False)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.table.cellActivated.connect(self._on_row)
        self.back = QToolButton()
        self.back.setText(self.tr("Back to results"))
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
        self.split.addWidget(drawn)
        self.split.addWidget(self.stack)

    # What a person does.

    @Slot()
    def run(self) -> None:
        try:
            request = self.form.request(self._workspace.prompt.strip())
        except ValueError:
            self.note.setText(
                self.tr("Strengths, blocks and ranks must be comma-separated numbers, e.g. 0.5, 1, 2.")
            )
            return
        if not request.prompt:
            return  # the note says so
        self.stack.setCurrentIndex(0)
        self._measuring.run(request)

    @Slot()
    def _on_go(self) -> None:
        if self._measuring.running:
            self._measuring.stop()
        else:
            self.run()

    @Slot()
    def _on_picture(self) -> None:
        self._measuring.show(self.picture.currentData() or "pareto", self.block.currentData())

    @Slot(int, int)
    def _on_row(self, row: int, _column: int) -> None:
        item = self.table.item(row, 0)
        if item is not None:
            self._measuring.open(item.data(Qt.ItemDataRole.UserRole))

    # What comes back.

    @Slot(object, object)
    def _on_opened(self, place: ResultPlace, spoken: list[Any]) -> None:
        half = {None: "", 0: self.tr(" (tuning half)"), 1: ""}[place.half]
        words = self.tr("{0}, strength {1}: %n answer(s){2}", "", len(spoken))
        self.title.setText(words.format(place.words, f"{place.strength:.2f}", half))
        self.text.setHtml("".join(self._spoken(each) for each in spoken))
        self.stack.setCurrentIndex(1)
        self.back.setFocus()

    def _spoken(self, each: Any) -> str:
        """One answer with its scores, as HTML."""
        nothing = self.tr("empty answer")
        answer = escape(each.answer).replace("\n", "<br>") or f"<i>{nothing}</i>"
        scores = self.tr("Trait {0} · coherence {1}").format(_share(each.trait), _share(each.coherence))
        return f"<p><b>{escape(each.question)}</b><br>{answer}<br><small>{scores}</small></p>"

    @Slot()
    def refresh(self) -> None:
        measuring = self._measuring
        running = measuring.running
        self.form.go.setText(self.tr("Stop") if running else self.tr("Run"))
        lacks = self._lacks()
        self.form.go.setEnabled(running or not lacks)
        self.form.go.setToolTip("" if running else lacks)
        self.progress.setVisible(running)
        step = measuring.progress
        self.progress.setRange(0, step.total if step else 0)
        self.progress.setValue(step.done if step else 0)
        self.note.setText(self._words())
        self._offer_pictures()
        self._offer_blocks()
        if measuring.results != self._filled:
            self._filled = list(measuring.results)
            self._fill()

    def _offer_pictures(self) -> None:
        """Those of what was measured, or of what would be."""
        kind = self._measuring.request.kind if self._measuring.request else self.form.kind.currentData()
        keys = OF_KIND[kind]
        if [self.picture.itemData(i) for i in range(self.picture.count())] == list(keys):
            return
        names = {
            "pareto": self.tr("Trait vs. coherence"),
            "strengths": self.tr("Effect of strength"),
            "blocks": self.tr("Best trait per block"),
            "faithfulness": self.tr("Faithfulness per block"),
            "effects": self.tr("Effect per token"),
            "distribution": self.tr("Distribution of the effect"),
        }
        shown = self._measuring.picture if self._measuring.picture in keys else "pareto"
        blocked = self.picture.blockSignals(True)
        self.picture.clear()
        for key in keys:
            self.picture.addItem(names[key], key)
        self.picture.setCurrentIndex(keys.index(shown))
        self.picture.blockSignals(blocked)
        if shown != self._measuring.picture:
            self._measuring.show(shown)

    def _offer_blocks(self) -> None:
        """Those that something was added at, for the picture of a single one."""
        self.block.setVisible(self._measuring.picture == "distribution")
        blocks = [None, *sorted({block for result in self._measuring.results for block in result.effects})]
        if [self.block.itemData(i) for i in range(self.block.count())] == blocks:
            return
        shown = self._measuring.block if self._measuring.block in blocks else None
        blocked = self.block.blockSignals(True)
        self.block.clear()
        for block in blocks:
            words = self.tr("Most informative block") if block is None else self.tr("Block {0}").format(block)
            self.block.addItem(words, block)
        self.block.setCurrentIndex(blocks.index(shown))
        self.block.blockSignals(blocked)

    def _lacks(self) -> str:
        """What there must be before anything can be measured; "" when it is there."""
        if self._workspace.loading.facts is None:
            return self.tr("No model is loaded yet.")
        if not self._workspace.prompt.strip():
            return self.tr("Enter a steering prompt first; every method is fitted to it.")
        return ""

    def _words(self) -> str:
        """What is going on, or what to know to read the table."""
        measuring, step = self._measuring, self._measuring.progress
        if measuring.running:
            if step is None:
                return self.tr("Starting…")
            words = stage_words(step.stage, step.done, step.total)
            return words + (self.tr(" – about {0} left").format(duration(step.eta)) if step.eta else "")
        told = [self._lacks()] if self._lacks() else []
        if measuring.partial:
            told.append(self.tr("Stopped early; results are partial."))
        told += [f"{r.place.words}: {r.note}." for r in measuring.results if r.note]
        told += [self.tr("{0} failed: {1}").format(f.words, f.why) for f in measuring.refused]
        missing = sum(result.missing for result in measuring.results)
        if missing:
            told.append(self.tr("%n answer(s) could not be scored and are excluded.", "", missing))
        if measuring.finished is not None:
            told.append(self._judged_by(measuring.finished))
        if told:
            return " ".join(told)
        if measuring.results:
            return self.tr("Click a point or double-click a row to read the answers.")
        prompt = self._workspace.prompt.strip()
        return self.tr("At equal coherence, how strongly does each method show “{0}”?").format(
            one_line(prompt)
        )

    def _judged_by(self, finished: Finished) -> str:
        """Who judged, and how far that judge is from itself."""
        judge, itself = finished.facts["judge"], finished.disagreement
        if not itself.n:
            return self.tr("Judge: {0} (deterministic).").format(judge)
        words = self.tr(
            "Judge: {0}. Scoring %n answer(s) twice, it differed by {1} (trait) and {2} "
            "(coherence) on average.",
            "",
            itself.n,
        )
        return words.format(judge, _share(itself.trait), _share(itself.coherence))

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
                    item.setToolTip(self._tips(result)[column])
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.table.setItem(row, column, item)

    def _tips(self, result: LabResult) -> dict[int, str]:
        """Per column what its figure does not say itself."""
        tips = dict.fromkeys(range(self.table.columnCount()), "")
        if result.trait_ci is not None:
            tips[2] = self.tr("95 % interval {0} to {1}").format(*map(_share, result.trait_ci))
        if result.kl is not None:
            tips[1] = self.tr("95 % of tokens shift by less than {0} nats").format(_share(result.kl))
        if result.iso_kl is not None:
            tips[1] += self.tr("; less than 1 nat up to strength {0}").format(_share(result.iso_kl))
        return tips


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
