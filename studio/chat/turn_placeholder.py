"""A turn's place on a long page: the turn is made when one comes near it, its height guessed until then."""

from __future__ import annotations

from collections.abc import Callable

import shiboken6
from PySide6.QtCore import QEvent, QObject
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.chat.turn_view import TurnView
from studio.widgets.idle_queue import IdleQueue

Guess = Callable[[QFont, int], int]
"""How high a turn will be about, in pixels, in a font and at a width; quick."""


class TurnPlaceholder(QWidget):
    """As high as its turn, as far as that is known.

    A conversation of hundreds of turns would be made whole when it is opened, and laid out whole at every
    step of a resize.
    """

    def __init__(
        self, make: Callable[[QWidget], TurnView], guess: Guess, later: IdleQueue, width: int
    ) -> None:
        """make: the turn's widget, a child of the room that it is given; width: about what the page has."""
        super().__init__()
        self._make, self._guess, self._later = make, guess, later
        self.turn: TurnView | None = None  # None until one comes near or asks for it
        self._stale = True
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(guess(self.font(), width))

    def come_near(self) -> None:
        """It will be in sight soon."""
        if self._stale:
            self._later.add(self.settle)

    def fill(self) -> TurnView:
        """The turn's widget, made now if it was not."""
        if self.turn is None:
            self.turn = self._make(self)
            self.turn.installEventFilter(self)
        return self.turn

    def settle(self) -> bool:
        """Lays the turn out for the width that is now."""
        self._later.drop(self.settle)
        self._stale = False
        turn, width = self.fill(), self.width()
        height = turn.heightForWidth(width)
        height = height if height >= 0 else turn.sizeHint().height()
        turn.setGeometry(0, 0, width, height)
        turn.show()
        self.setFixedHeight(height)
        return False

    def leave(self) -> None:
        """It goes from the page, and ends in its turn: hundreds at once would hold the window up."""
        self.hide()
        self._later.drop(self.settle)
        self._later.drop(self._guess_again)
        self._later.add(self._end)

    def resizeEvent(self, event: object) -> None:
        if self.turn is None:
            self._later.add(self._guess_again)
            return
        if self.width() == self.turn.width():
            return
        if self.visibleRegion().isEmpty():
            self._stale = True
            self._later.add(self.settle)
        else:
            self.settle()

    def paintEvent(self, event: object) -> None:
        if self._stale:
            self._later.add(self.settle, soon=True)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.turn and event.type() == QEvent.Type.LayoutRequest and not self._stale:
            self.settle()
        return super().eventFilter(watched, event)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange and self.turn is None:
            self._later.add(self._guess_again)

    def _guess_again(self) -> bool:
        if self.turn is None:
            self.setFixedHeight(self._guess(self.font(), self.width()))
        return False

    def _end(self) -> bool:
        if self.turn is not None:
            self.turn.leave()
        shiboken6.delete(self)
        return False
