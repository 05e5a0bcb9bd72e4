"""One answer of a comparison: how it was made, its text, what is selected in it, and the vote for it."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QEvent, Qt
from PySide6.QtWidgets import QFrame, QPushButton, QScrollArea, QVBoxLayout, QWidget

from studio.chat.answer_status import ending
from studio.chat.answer_view import AnswerView
from studio.state.conversation import Answer
from studio.state.workspace import Workspace
from studio.widgets.idle_queue import IdleQueue
from studio.widgets.label import ElidedLabel, one_line


class CompareColumn(QFrame):
    """A column of the Compare page."""

    def __init__(self, workspace: Workspace, later: IdleQueue, answer: Answer) -> None:
        super().__init__()
        self.setProperty("role", "compared")
        self.answer = answer
        self.title = ElidedLabel("strong")
        self.made = ElidedLabel("muted")
        self._page = QWidget()
        self._page.setProperty("role", "panel")
        self.text = AnswerView(workspace, answer, self._page, later)
        inside = QVBoxLayout(self._page)
        inside.setContentsMargins(0, 0, 4, 0)
        inside.addWidget(self.text)
        inside.addStretch(1)
        self.area = QScrollArea()
        # The text takes the keys, and leaves those that scroll.
        self.area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.area.setWidgetResizable(True)
        self.area.setFrameShape(QFrame.Shape.NoFrame)
        self.area.setMinimumHeight(80)  # with large text too: docks give way
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setWidget(self._page)
        self.told = ElidedLabel("muted")
        self.vote = QPushButton(self.tr("Prefer this"))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for widget, stretch in (
            (self.title, 0),
            (self.made, 0),
            (self.area, 1),
            (self.told, 0),
            (self.vote, 0),
        ):
            layout.addWidget(widget, stretch)

    def name(self, title: str, made: str, chosen: bool = False) -> None:
        """What stands above the answer. made: how it came about, "" where nobody may know yet; chosen: the
        person voted for it."""
        told = self.tr("{0}, your choice").format(title) if chosen else title
        self.title.show_text(f"✓ {title}" if chosen else title, told)
        self.title.setAccessibleName(told)
        self.made.show_text(one_line(made), made)
        self.made.setVisible(bool(made))
        self.text.set_plain(not made)
        self.text.setAccessibleName(self.tr("{0}, {1}").format(title, made) if made else title)

    def mark_shown(self, shown: bool) -> None:
        """Whether the heatmap is this answer's."""
        self.setProperty("shown", shown)
        self.setToolTip(self.tr("Shown in the heatmap") if shown else "")
        self.style().unpolish(self)
        self.style().polish(self)

    def tell(self, token: int | None) -> None:
        """What stands at this place in this column; None: no place is meant, and how far the answer is."""
        if token is None:
            self.told.show_text(ending(self.answer))
        elif token >= len(self.answer):
            self.told.show_text(self.tr("No token {0} here").format(token))
        else:
            piece = self.answer.trace.pieces[token].replace("\n", "⏎")
            value = self.text.value(token)
            whole = self.tr("Token {0} “{1}”, applied coefficient {2:.2f}").format(token, piece, value)
            self.told.show_text(self.tr("{0:.2f} at token {1} “{2}”").format(value, token, piece), whole)

    def bring(self, token: int) -> None:
        """Scrolls its line into sight, on a page that may have grown just now."""
        for widget in (self._page, self.area.viewport()):
            QCoreApplication.sendPostedEvents(widget, QEvent.Type.LayoutRequest)
        spot = self.text.mapTo(self._page, self.text.line_of(token).center().toPoint())
        self.area.ensureVisible(0, spot.y(), 0, 32)

    def leave(self) -> None:
        """The column goes: nothing of it waits any more."""
        self.text.leave()
        self.hide()
        self.deleteLater()
