"""The conversation: one block per turn, answers of two lanes side by side, following the live edge."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from functools import partial
from itertools import takewhile

from PySide6.QtCore import QCoreApplication, QEvent, Qt, Signal, Slot
from PySide6.QtWidgets import QLabel, QScrollArea, QWidget

from studio.chat.answer_controller import AnswerController
from studio.chat.answer_view import AnswerView
from studio.chat.scroll_anchor import AnchorRows, ScrollAnchor
from studio.chat.turn_placeholder import TurnPlaceholder
from studio.chat.turn_view import AnswerColumn, TurnView, guessed_height
from studio.state.conversation import Answer, Turn
from studio.state.workspace import Workspace
from studio.widgets.idle_queue import IdleQueue
from studio.widgets.tab_order import go_through, stops


class ConversationPage(QScrollArea):
    """Shows the workspace's turns; while the end is in sight it stays in sight."""

    againWanted = Signal(object)  # Turn
    editWanted = Signal(object, str)  # Turn, its question as it shall be
    rewriteWanted = Signal(object, str)  # Answer, its text as it shall be
    continueWanted = Signal(object)  # Answer

    shows_unsteered = True
    send_tip = ""

    def __init__(
        self, workspace: Workspace, answering: AnswerController, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._workspace, self._answering = workspace, answering
        self._rooms: dict[Turn, TurnPlaceholder] = {}
        self._roomless: list[tuple[int, Turn]] = []  # turns that wait for a room, with their places
        self._later = IdleQueue(self)
        self._following, self._able = True, False
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.setAccessibleName(self.tr("Conversation"))
        page = self._page = QWidget()
        page.setProperty("role", "panel")
        self._rows = AnchorRows(page)
        self._rows.setContentsMargins(16, 16, 8, 16)
        self._rows.setSpacing(16)
        self._empty = QLabel()
        self._empty.setProperty("role", "muted")
        self._empty.setWordWrap(True)
        self._rows.addWidget(self._empty)
        self._rows.addStretch(1)
        self.setWidget(page)
        self._anchor = ScrollAnchor(self, page, self._rows)
        bar = self.verticalScrollBar()
        bar.rangeChanged.connect(self._on_range)
        bar.valueChanged.connect(self._on_scrolled)
        self._rows.placed.connect(self._look_around)
        workspace.turnsChanged.connect(self._on_turns)
        workspace.answerGrew.connect(self._on_grown)
        workspace.answerChanged.connect(self._on_answer)
        workspace.selectionChanged.connect(self._on_selection)
        workspace.modelChanged.connect(self._describe_empty)
        self._describe_empty()

    def turn(self, turn: Turn) -> TurnView | None:
        """The widget of a turn on the page, made now if it was not."""
        while turn not in self._rooms and self._give_room():
            pass
        room = self._rooms.get(turn)
        if room is None:
            return None
        if room.turn is None:
            room.settle()
            self._place()
        return room.turn

    def column(self, answer: Answer) -> AnswerColumn | None:
        """The widget that shows `answer` and what is known of it."""
        turn = self.turn(answer.turn)
        return turn.columns.get(answer.lane) if turn else None

    def view(self, answer: Answer) -> AnswerView | None:
        """The answer's text in it."""
        column = self.column(answer)
        return column.view if column else None

    @property
    def busy(self) -> bool:
        """Whether anything near what is in sight is not yet made or laid out, or to be taken away."""
        return self._later.busy

    @property
    def send_label(self) -> str:
        return self.tr("Send")

    @property
    def running(self) -> bool:
        return self._answering.talking

    @property
    def takes(self) -> bool:
        return self._answering.takes

    def send(self, question: str) -> None:
        """Answers the question at the end of the conversation, which comes into sight."""
        self.follow()
        self._answering.send(question)

    def stop(self) -> None:
        self._answering.stop()

    def look(self) -> None:
        """The heatmap is of an answer of this page, the newest where it was of none."""
        turns = self._workspace.turns
        if self._workspace.shown not in [answer for turn in turns for answer in turn.answers]:
            self._workspace.clear_selection()
            self._workspace.show(turns[-1].answers[0] if turns else None)

    def follow(self) -> None:
        """Back to the newest text."""
        self._following = True
        self._anchor.lift()
        self.verticalScrollBar().setValue(self.verticalScrollBar().maximum())

    def set_able(self, able: bool) -> None:
        """Whether turns can be edited and answered again now."""
        self._able = able
        for room in self._rooms.values():
            if room.turn is not None:
                room.turn.set_able(able)

    @Slot()
    def _describe_empty(self) -> None:
        ready = self._workspace.loading.facts is not None
        self._empty.setText(
            self.tr(
                "Press Enter to ask the question below. The answer streams here with each token "
                "shaded by the steering applied to it; the heatmap below shows every block.\n\nWhile "
                "it runs, drag the slider of a head. Click any token for details."
            )
            if ready
            else self.tr(
                "Loading the model… You can start typing; your question is sent as soon as it is ready."
            )
        )

    @Slot()
    def _on_turns(self) -> None:
        wanted = self._workspace.turns
        for turn in self._rooms.keys() - set(wanted):
            room = self._rooms.pop(turn)
            self._rows.removeWidget(room)
            room.leave()
        self._roomless = [(place, turn) for place, turn in enumerate(wanted) if turn not in self._rooms]
        if self._roomless:
            newest = self._roomless[-1][1]
            self._later.add(self._give_more_room, soon=True)
            self._give_room()
            self._rooms[newest].fill()  # what one looks at first is there at once
        self._empty.setVisible(not wanted)
        self.look()
        self._following = True
        self._anchor.lift()

    def _give_room(self) -> bool:
        """Room for the newest turn that has none; False when all have."""
        if not self._roomless:
            return False
        place, turn = self._roomless.pop()
        room = TurnPlaceholder(
            partial(self._make, turn), partial(guessed_height, turn), self._later, self._page.width()
        )
        self._rooms[turn] = room
        self._rows.insertWidget(1 + place - len(self._roomless), room)
        room.show()
        return True

    def _give_more_room(self) -> bool:
        """To show hundreds of rooms at once would hold the window up."""
        return self._give_room() and bool(self._roomless)

    def _make(self, turn: Turn, room: QWidget) -> TurnView:
        view = TurnView(self._workspace, turn, self._later, room)
        view.againWanted.connect(lambda: self.againWanted.emit(turn))
        view.editWanted.connect(lambda text: self.editWanted.emit(turn, text))
        view.rewriteWanted.connect(self.rewriteWanted)
        view.continueWanted.connect(self.continueWanted)
        view.set_able(self._able)
        self._put_in_order(turn, view)
        return view

    def _put_in_order(self, turn: Turn, view: TurnView) -> None:
        """Tab goes down the page, whatever was made first."""
        above = takewhile(lambda at: at is not turn, self._workspace.turns)
        made = [
            room.turn for room in map(self._rooms.get, above) if room is not None and room.turn is not None
        ]
        go_through(([self, *(stops(made[-1]) if made else ())])[-1], [view])

    def _place(self) -> None:
        """Puts the rooms where they will be, before anybody asks for a height on the page."""
        QCoreApplication.sendPostedEvents(self._page, QEvent.Type.LayoutRequest)

    def _come_near(self) -> bool:
        """Turns within a page's height of what is in sight are made: one scrolls into them next."""
        self._place()
        rooms = [room for room in map(self._rooms.get, self._workspace.turns) if room is not None]
        height, top = self.viewport().height(), self.verticalScrollBar().value()
        first = bisect_left(rooms, top - height, key=lambda room: room.y() + room.height())
        for room in rooms[first : bisect_right(rooms, top + 2 * height, key=lambda room: room.y())]:
            room.come_near()
        return False

    def _made(self, answer: Answer) -> AnswerColumn | None:
        """The answer's widget; None where it is not made, and will be made as it is then."""
        room = self._rooms.get(answer.turn)
        return room.turn.columns.get(answer.lane) if room and room.turn else None

    @Slot(object, int)
    def _on_grown(self, answer: Answer, first: int) -> None:
        column = self._made(answer)
        if column:
            column.view.grow()

    @Slot(object)
    def _on_answer(self, answer: Answer) -> None:
        column = self._made(answer)
        if column:
            column.refresh()

    @Slot()
    def _on_selection(self) -> None:
        selection = self._workspace.selection
        view = self.view(selection.answer) if selection else None
        if selection and view:
            spot = view.mapTo(self._page, view.line_of(selection.cursor).center().toPoint())
            self.ensureVisible(0, spot.y(), 0, 32)

    @Slot(int, int)
    def _on_range(self, low: int, high: int) -> None:
        self.verticalScrollBar().setEnabled(high > 0)
        if self._following:
            self.verticalScrollBar().setValue(high)

    @Slot()
    def _look_around(self) -> None:
        self._later.add(self._come_near)

    @Slot(int)
    def _on_scrolled(self, value: int) -> None:
        self._look_around()
        self._following = value >= self.verticalScrollBar().maximum() - 4
        if self._following:
            self._anchor.lift()
        else:
            self._anchor.drop()
