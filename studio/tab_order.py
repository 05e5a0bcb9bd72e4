"""The way that the Tab key goes: down the page, whatever was made first."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget


def go_through(first: QWidget, parts: Iterable[QWidget]) -> None:
    """After `first` the keyboard goes through all that it stops at in each of the parts, in this order."""
    for one, other in pairwise([first, *(stop for part in parts for stop in stops(part))]):
        QWidget.setTabOrder(one, other)


def stops(part: QWidget) -> list[QWidget]:
    """What Tab stops at in it; not in what it lets pop up."""
    window = part.window()
    return [
        widget
        for widget in part.findChildren(QWidget)
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus and widget.window() is window
    ]
