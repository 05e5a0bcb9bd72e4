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


def enter(part: QWidget) -> None:
    """Brings the keyboard into the part: to what it names as its `entry`, else to itself or its first stop.

    A focus proxy would say the same, but Qt takes the part then for a stop of its own, and Tab comes back to
    the proxy instead of going on."""
    entry = getattr(part, "entry", None)
    if entry is None and not part.focusPolicy() & Qt.FocusPolicy.TabFocus:
        entry = next((stop for stop in stops(part) if stop.isVisibleTo(part) and stop.isEnabled()), None)
    (entry or part).setFocus(Qt.FocusReason.ShortcutFocusReason)


def stops(part: QWidget) -> list[QWidget]:
    """What Tab stops at in it; not in what it lets pop up."""
    window = part.window()
    return [
        widget
        for widget in part.findChildren(QWidget)
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus and widget.window() is window
    ]
