"""How much of the model's context the next answer takes: tokens typed, tokens in all, and a thin bar."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Slot
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QSizePolicy, QWidget

from studio.chat.context_usage import too_long
from studio.state.requests import ContextForecast
from studio.widgets import theme

BAR = 4  # pixels
SAMPLES = ("99 turns left out", "Context 99,999 / 999,999")  # what there must be room for: nothing jumps


class ContextMeter(QWidget):
    """Words in a warning's colour where turns will go, the answer will be short, or nothing fits."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(self.tr("Context"))
        self.tokens, self.total, self.bar = QLabel(), QLabel(), _Bar()
        self.total.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(4)
        grid.addWidget(self.tokens, 0, 0)
        grid.addWidget(self.total, 0, 1)
        grid.addWidget(self.bar, 1, 0, 1, 2)
        self.total.setProperty("role", "muted")
        self.show_use(None)

    @Slot(object)
    def show_use(self, use: ContextForecast | None) -> None:
        warning = self._warning(use) if use else ""
        count = (
            self.tr("{0:,} token(s)", "", use.question).format(use.question) if use and use.question else ""
        )
        self.tokens.setText(warning or count)
        self.tokens.setProperty("role", "danger" if warning else "muted")
        self.tokens.style().polish(self.tokens)
        self.total.setText(self._total(use) if use else "")
        self.bar.show_use(use)
        told = self._sentence(use) if use else ""
        self.setToolTip(told)
        self.setAccessibleDescription(told)

    def sizeHint(self) -> QSize:
        metrics = self.tokens.fontMetrics()
        return QSize(sum(metrics.horizontalAdvance(s) for s in SAMPLES) + 8, metrics.height() + 4 + BAR)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self.updateGeometry()

    def _total(self, use: ContextForecast) -> str:
        taken = use.prompt + use.answer
        if use.context is None:
            return self.tr("Context {0:,}").format(taken)
        return self.tr("Context {0:,} / {1:,}").format(taken, use.context)

    def _warning(self, use: ContextForecast) -> str:
        if use.too_long:
            return self.tr("{0:,} token(s) too long", "", use.too_long).format(use.too_long)
        if use.left_out:
            return self.tr("%n turn(s) left out", "", use.left_out)
        if use.answer < use.wanted:
            return self.tr("{0:,} token(s) left", "", use.answer).format(use.answer)
        return ""

    def _sentence(self, use: ContextForecast) -> str:
        if use.too_long:
            return self.tr("{0} Shorten the question.").format(too_long(use))
        if use.context is None:
            told = self.tr(
                "Context: {0:,} token(s) in the prompt + up to {1:,} in the answer.", "", use.prompt
            ).format(use.prompt, use.answer)
        else:
            told = self.tr(
                "Context: {0:,} token(s) in the prompt + up to {1:,} in the answer, out of {2:,}.",
                "",
                use.prompt,
            ).format(use.prompt, use.answer, use.context)
        if use.left_out:
            told += " " + self.tr("The oldest %n turn(s) will be left out to fit.", "", use.left_out)
        elif use.answer < use.wanted:
            told += " " + self.tr("That is less than the {0:,} you allow.").format(use.wanted)
        return told


class _Bar(QWidget):
    """What is read, in full colour, and behind it what is kept free for the answer."""

    def __init__(self) -> None:
        super().__init__()
        self._use: ContextForecast | None = None
        self.setFixedHeight(BAR)

    def show_use(self, use: ContextForecast | None) -> None:
        self._use = use
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        use = self._use
        if use is None or use.context is None:
            return
        colours = theme.current()
        hue = "danger" if use.too_long or use.left_out or use.answer < use.wanted else "muted"
        read = min(1.0, use.prompt / use.context) * self.width()
        free = use.answer / use.context * self.width()
        painter = QPainter(self)
        painter.fillRect(self.rect(), colours.color("line"))
        painter.fillRect(QRectF(0, 0, read, BAR), colours.color(hue))
        painter.fillRect(QRectF(read, 0, free, BAR), colours.color(hue, 0.45))
        painter.end()
